// Reading and building batches of magic 2; legacy messages are decoded in legacy.cc.
#include "protocol/record_batch.h"

#include <algorithm>
#include <array>

#include "protocol/batch_layout.h"
#include "protocol/check.h"
#include "protocol/crc32c.h"
#include "protocol/legacy.h"
#include "protocol/varint.h"

namespace millrace::protocol {

namespace {

constexpr size_t crc_from = 21;  // attributes

// As read_varint; most have one, two or three bytes.
[[gnu::always_inline]] inline bool quick_varint(const char*& at, const char* end, int64_t& v) {
  if (end - at >= 3) [[likely]] {
    const uint64_t first = static_cast<uint8_t>(at[0]);
    if (first < 0x80) {
      v = unzigzag(first);
      at += 1;
      return true;
    }
    const uint64_t second = static_cast<uint8_t>(at[1]);
    if (second < 0x80) {
      v = unzigzag((first & 0x7f) | second << 7);
      at += 2;
      return true;
    }
    const uint64_t third = static_cast<uint8_t>(at[2]);
    if (third < 0x80) {
      v = unzigzag((first & 0x7f) | (second & 0x7f) << 7 | third << 14);
      at += 3;
      return true;
    }
  } else if (at < end && static_cast<uint8_t>(*at) < 0x80) {
    v = unzigzag(static_cast<uint8_t>(*at++));
    return true;
  }
  uint64_t raw = 0;
  const char* place = at;
  const bool good = read_long_varint(place, end, raw);
  at = place;
  v = unzigzag(raw);
  return good;
}

// A length-prefixed byte string; −1 is null. False when it does not fit or is below −1.
[[gnu::always_inline]] inline bool read_nullable(const char*& at, const char* end,
                                                 std::optional<std::string_view>& out) {
  int64_t length = 0;
  if (!quick_varint(at, end, length)) return false;
  if (length < -1 || length > end - at) return false;
  if (length == -1) {
    out.reset();
    return true;
  }
  out = std::string_view(at, static_cast<size_t>(length));
  at += length;
  return true;
}

bool read_header(const char*& at, const char* end, HeaderView& header) {
  std::optional<std::string_view> key;
  if (!read_nullable(at, end, key) || !key) return false;
  header.key = *key;
  return read_nullable(at, end, header.value);
}

}  // namespace

RecordBatch::RecordBatch(Bytes bytes) {
  check(bytes.size() >= batch_prefix_size + legacy_header_size);
  const size_t size = batch_prefix_size + static_cast<size_t>(load_big<int32_t>(bytes.data() + 8));
  check(size <= bytes.size());
  bytes_ = bytes.slice(0, size);
  check(is_legacy() || size >= batch_header_size);
}

Offset RecordBatch::last_offset() const { return is_legacy() ? base_offset() : base_offset() + last_offset_delta(); }

Sequence RecordBatch::last_sequence() const {
  return base_sequence().value < 0 ? base_sequence() : add_sequence(base_sequence(), last_offset_delta());
}

bool RecordBatch::crc_matches() const {
  return is_legacy() ? legacy_crc_matches(bytes_) : crc() == crc32c(bytes_.span().subspan(crc_from));
}

Sequence add_sequence(Sequence from, int32_t n) {
  return Sequence(static_cast<int32_t>((static_cast<int64_t>(from.value) + n) & 0x7fffffff));
}

int32_t sequence_distance(Sequence from, Sequence to) {
  const uint32_t ahead = static_cast<uint32_t>(to.value) - static_cast<uint32_t>(from.value);
  return static_cast<int32_t>(ahead << 1) >> 1;  // of 31 bits
}

std::optional<RecordBatch> BatchIterator::next() {
  if (malformed_ || rest() < batch_prefix_size + legacy_header_size) return std::nullopt;
  const std::byte* at = bytes_.data() + position_;
  const auto length = load_big<int32_t>(at + 8);
  const auto magic = static_cast<int8_t>(at[16]);
  const size_t least = magic < 2 ? legacy_header_size : batch_header_size - batch_prefix_size;
  if (length < 0 || static_cast<size_t>(length) < least) {
    malformed_ = true;
    return std::nullopt;
  }
  const size_t size = batch_prefix_size + static_cast<size_t>(length);
  if (size > rest()) return std::nullopt;
  RecordBatch batch(bytes_.slice(position_, size));
  position_ += size;
  return batch;
}

std::vector<HeaderView> RecordView::headers() const {
  std::vector<HeaderView> all(static_cast<size_t>(header_count));
  const char* at = raw_headers.data();
  const char* end = at + raw_headers.size();
  for (HeaderView& header : all) check(read_header(at, end, header));
  return all;
}

RecordReader::RecordReader(RecordBatch batch, size_t limit) : batch_(std::move(batch)) {
  if (batch_.is_legacy()) {
    malformed_ = !protocol::read_legacy(batch_.bytes(), limit, legacy_, legacy_payloads_);
    return;
  }
  payload_ = decompress(batch_.compression(), batch_.payload(), limit);
  at_ = payload_.text().data();
  end_ = at_ + payload_.size();
  remaining_ = batch_.count();
  base_offset_ = batch_.base_offset();
  base_timestamp_ = batch_.base_timestamp();
  if (batch_.is_log_append_time()) append_time_ = batch_.max_timestamp();
}

bool RecordReader::fail() {
  malformed_ = true;
  remaining_ = 0;
  return false;
}

bool RecordReader::read_legacy(RecordView& record) {
  if (legacy_at_ == legacy_.size()) return false;
  record = legacy_[legacy_at_++];
  return true;
}

std::optional<RecordView> RecordReader::next() {
  std::optional<RecordView> record(std::in_place);
  if (!read(*record)) record.reset();
  return record;
}

bool RecordReader::read(RecordView& record) {
  if (remaining_ <= 0) {
    if (batch_.is_legacy()) return read_legacy(record);
    if (at_ != end_ || remaining_ < 0) malformed_ = true;
    return false;
  }
  const char* at = at_;
  int64_t length = 0;
  if (!quick_varint(at, end_, length) || length < 1 || length > end_ - at) return fail();
  const char* const end = at + length;
  ++at;  // attributes, unused
  int64_t timestamp_delta = 0;
  int64_t offset_delta = 0;
  if (!quick_varint(at, end, timestamp_delta) || !quick_varint(at, end, offset_delta)) return fail();
  if (!read_nullable(at, end, record.key) || !read_nullable(at, end, record.value)) return fail();
  int64_t header_count = 0;
  if (!quick_varint(at, end, header_count) || header_count < 0 || header_count > end - at) return fail();
  record.header_count = static_cast<int32_t>(header_count);
  record.raw_headers = std::string_view(at, static_cast<size_t>(end - at));
  for (; header_count > 0; --header_count) {
    HeaderView header;
    if (!read_header(at, end, header)) return fail();
  }
  if (at != end) return fail();
  at_ = end;
  --remaining_;
  const auto sum = [](int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  };
  record.offset = Offset(sum(base_offset_.value, offset_delta));
  record.timestamp = append_time_ ? *append_time_ : Timestamp(sum(base_timestamp_.value, timestamp_delta));
  return true;
}

void BatchBuilder::add_at(int32_t offset_delta, Timestamp timestamp, std::optional<std::string_view> key,
                          std::optional<std::string_view> value, std::span<const Header> headers) {
  if (count_ == 0) {
    base_timestamp_ = timestamp;
    max_timestamp_ = timestamp;
  }
  max_timestamp_ = std::max(max_timestamp_, timestamp);
  append_record(records_, timestamp - base_timestamp_, offset_delta, key, value, headers);
  next_delta_ = int64_t{offset_delta} + 1;
  ++count_;
}

Bytes BatchBuilder::build() {
  std::string batch;
  batch.reserve(size());
  batch.resize(batch_header_size);
  batch += records_;
  Bytes built = finish_batch(std::move(batch), options_,
                             {.base_timestamp = base_timestamp_,
                              .max_timestamp = max_timestamp_,
                              .last_offset_delta = static_cast<int32_t>(next_delta_ - 1),
                              .count = count_});
  options_.base_offset = options_.base_offset + next_delta_;
  if (options_.base_sequence.value >= 0) {
    options_.base_sequence = add_sequence(options_.base_sequence, static_cast<int32_t>(next_delta_));
  }
  records_.clear();
  next_delta_ = 0;
  count_ = 0;
  return built;
}

void stamp(std::span<std::byte> batch, Offset base, LeaderEpoch epoch) {
  check(batch.size() > 16);
  store_big<int64_t>(batch.data(), base.value);
  if (static_cast<int8_t>(batch[16]) >= 2) store_big<int32_t>(batch.data() + 12, epoch.value);
}

void stamp_log_append_time(std::span<std::byte> batch, Timestamp now) {
  check(batch.size() >= batch_header_size);
  const auto attributes = load_big<int16_t>(batch.data() + 21);
  store_big<int16_t>(batch.data() + 21, static_cast<int16_t>(attributes | 8));
  store_big<int64_t>(batch.data() + 35, now.value);
  store_big<uint32_t>(batch.data() + 17, crc32c(batch.subspan(crc_from)));
}

}  // namespace millrace::protocol
