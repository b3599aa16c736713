#include "protocol/reader.h"

namespace millrace::protocol {

Uuid Reader::uuid() {
  Uuid id;
  id.high = u64();
  id.low = u64();
  if (!ok_) return Uuid{};
  return id;
}

uint32_t Reader::uvarint() {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const uint8_t byte = number<uint8_t>();
    if (!ok_) return 0;
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail();
  return 0;
}

uint64_t Reader::uvarlong() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const uint8_t byte = number<uint8_t>();
    if (!ok_) return 0;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail();
  return 0;
}

int32_t Reader::varint() {
  const uint32_t raw = uvarint();
  return static_cast<int32_t>((raw >> 1) ^ (~(raw & 1) + 1));
}

int64_t Reader::varlong() {
  const uint64_t raw = uvarlong();
  return static_cast<int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
}

int64_t Reader::length(bool flexible, bool short_form) {
  // Any negative length is null, as Kafka reads it.
  const int64_t size = flexible     ? static_cast<int64_t>(static_cast<int32_t>(uvarint())) - 1
                       : short_form ? int64_t{i16()}
                                    : int64_t{i32()};
  if (!ok_) return -2;
  return size < 0 ? -1 : size;
}

std::string Reader::string(bool flexible) {
  std::optional<std::string> text = nullable_string(flexible);
  if (!text) {
    fail();
    return {};
  }
  return *std::move(text);
}

std::optional<std::string> Reader::nullable_string(bool flexible) {
  const int64_t size = length(flexible, true);
  if (size < 0) return std::nullopt;
  if (static_cast<uint64_t>(size) > remaining() || size > INT16_MAX) {
    fail();
    return std::nullopt;
  }
  const char* const text = reinterpret_cast<const char*>(at_);
  at_ += size;
  return std::optional<std::string>(std::in_place, text, static_cast<size_t>(size));
}

Bytes Reader::bytes(bool flexible) {
  std::optional<Bytes> value = nullable_bytes(flexible);
  if (!value) {
    fail();
    return {};
  }
  return *std::move(value);
}

std::optional<Bytes> Reader::nullable_bytes(bool flexible) {
  const int64_t size = length(flexible, false);
  if (size < 0) return std::nullopt;
  if (static_cast<uint64_t>(size) > remaining()) {
    fail();
    return std::nullopt;
  }
  return take(static_cast<size_t>(size));
}

size_t Reader::count(bool flexible, size_t least) {
  const std::optional<size_t> elements = nullable_count(flexible, least);
  if (!elements) {
    fail();
    return 0;
  }
  return *elements;
}

std::optional<size_t> Reader::nullable_count(bool flexible, size_t least) {
  const int64_t elements = length(flexible, false);
  if (elements < 0) return std::nullopt;
  if (static_cast<uint64_t>(elements) * (least == 0 ? 1 : least) > remaining()) {
    fail();
    return std::nullopt;
  }
  return static_cast<size_t>(elements);
}

Bytes Reader::take(size_t size) {
  if (size > remaining()) {
    fail();
    return {};
  }
  Bytes taken = input_.slice(position(), size);
  at_ += size;
  return taken;
}

void Reader::skip(size_t size) {
  if (size > remaining()) return fail();
  at_ += size;
}

void Reader::skip_tagged() {
  for (uint32_t left = uvarint(); left > 0 && ok_; --left) {
    uvarint();
    skip(uvarint());
  }
}

// While a tagged field is read, end_ is its own end: it cannot reach into what follows.
const std::byte* Reader::begin_tagged() {
  const uint32_t size = uvarint();
  if (size > remaining()) fail();
  const std::byte* const whole = end_;
  if (ok_) end_ = at_ + size;
  return whole;
}

void Reader::end_tagged(const std::byte* whole) {
  at_ = ok_ ? end_ : whole;
  end_ = whole;
}

}  // namespace millrace::protocol
