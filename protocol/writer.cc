#include "protocol/writer.h"

#include <algorithm>

#include "protocol/check.h"

namespace millrace::protocol {
namespace {

// Below this, copying is cheaper than another piece to send.
constexpr size_t smallest_splice = 512;

int32_t length_of(size_t size) {
  if (size > INT32_MAX - 1) throw CannotEncode("a length above 2 GiB");
  return static_cast<int32_t>(size);
}

}  // namespace

void Writer::uvarlong(uint64_t value) {
  if (capacity_ - used_ < 10) grow(10);
  while (value >= 0x80) {
    memory_[static_cast<std::ptrdiff_t>(used_++)] = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  memory_[static_cast<std::ptrdiff_t>(used_++)] = static_cast<std::byte>(value);
}

void Writer::string(std::string_view text, bool flexible) {
  if (text.size() > INT16_MAX) throw CannotEncode("a string longer than 32767 bytes");
  if (flexible) {
    uvarint(static_cast<uint32_t>(text.size()) + 1);
  } else {
    i16(static_cast<int16_t>(text.size()));
  }
  append(std::as_bytes(std::span(text.data(), text.size())));
}

void Writer::nullable_string(const std::optional<std::string>& text, bool flexible) {
  if (text) return string(*text, flexible);
  null_string(flexible);
}

void Writer::null_string(bool flexible) {
  if (flexible) {
    uvarint(0);
  } else {
    i16(-1);
  }
}

void Writer::bytes(const Bytes& value, bool flexible) {
  count(value.size(), flexible);
  splice(value);
}

void Writer::nullable_bytes(const std::optional<Bytes>& value, bool flexible) {
  if (value) return bytes(*value, flexible);
  null_count(flexible);
}

void Writer::bytes(const std::vector<Bytes>& pieces, bool flexible) {
  size_t whole = 0;
  for (const Bytes& piece : pieces) whole += piece.size();
  count(whole, flexible);
  for (const Bytes& piece : pieces) splice(piece);
}

void Writer::count(size_t elements, bool flexible) {
  if (flexible) {
    uvarint(static_cast<uint32_t>(length_of(elements)) + 1);
  } else {
    i32(length_of(elements));
  }
}

void Writer::null_count(bool flexible) {
  if (flexible) {
    uvarint(0);
  } else {
    i32(-1);
  }
}

void Writer::append(std::span<const std::byte> data) {
  if (data.empty()) return;
  if (capacity_ - used_ < data.size()) grow(data.size());
  std::memcpy(memory_.get() + used_, data.data(), data.size());
  used_ += data.size();
}

void Writer::splice(const Bytes& data) {
  if (data.size() < smallest_splice) return append(data.span());
  splices_.push_back({used_, data});
  spliced_ += data.size();
}

size_t Writer::begin_tagged(uint32_t tag) {
  uvarint(tag);
  i8(0);
  return used_;
}

void Writer::end_tagged(size_t begin) {
  check(splices_.empty() || splices_.back().at < begin);
  const size_t size = used_ - begin;
  size_t extra = 0;
  for (size_t rest = size >> 7; rest > 0; rest >>= 7) ++extra;
  if (extra > 0) {
    if (capacity_ - used_ < extra) grow(extra);
    std::memmove(memory_.get() + begin + extra, memory_.get() + begin, size);
    used_ += extra;
  }
  size_t rest = size;
  for (size_t at = begin - 1; at < begin + extra; ++at, rest >>= 7)
    memory_[static_cast<std::ptrdiff_t>(at)] = static_cast<std::byte>(at + 1 < begin + extra ? rest | 0x80 : rest);
}

size_t Writer::reserve_i32() {
  const size_t position = used_;
  i32(0);
  return position;
}

void Writer::patch_i32(size_t position, int32_t value) {
  check(position + 4 <= used_);
  const uint32_t raw = std::byteswap(static_cast<uint32_t>(value));
  std::memcpy(memory_.get() + position, &raw, 4);
}

std::vector<Bytes> Writer::finish() {
  const Bytes whole(memory_, {memory_.get(), used_});
  std::vector<Bytes> pieces;
  pieces.reserve(splices_.size() * 2 + 1);
  size_t from = 0;
  for (Splice& splice : splices_) {
    if (splice.at > from) pieces.push_back(whole.slice(from, splice.at - from));
    pieces.push_back(std::move(splice.data));
    from = splice.at;
  }
  if (used_ > from) pieces.push_back(whole.slice(from, used_ - from));
  *this = Writer();
  return pieces;
}

Bytes Writer::finish_whole() {
  std::vector<Bytes> pieces = finish();
  if (pieces.empty()) return {};
  if (pieces.size() == 1) return std::move(pieces.front());
  size_t size = 0;
  for (const Bytes& piece : pieces) size += piece.size();
  std::vector<std::byte> joined;
  joined.reserve(size);
  for (const Bytes& piece : pieces) joined.insert(joined.end(), piece.span().begin(), piece.span().end());
  return Bytes::take(std::move(joined));
}

void Writer::grow(size_t more) {
  const size_t wanted = std::max({used_ + more, capacity_ * 2, size_t{128}});
  std::shared_ptr<std::byte[]> bigger = std::make_shared_for_overwrite<std::byte[]>(wanted);
  if (used_ > 0) std::memcpy(bigger.get(), memory_.get(), used_);
  memory_ = std::move(bigger);
  capacity_ = wanted;
}

}  // namespace millrace::protocol
