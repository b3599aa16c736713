#include "protocol/batch_layout.h"

#include <algorithm>
#include <cstring>

#include "protocol/check.h"
#include "protocol/crc32c.h"
#include "protocol/varint.h"

namespace millrace::protocol {

namespace {

constexpr size_t crc_from = 21;  // attributes

using Nullable = std::optional<std::string_view>;

size_t nullable_size(Nullable bytes) {
  return bytes ? varint_size(static_cast<int64_t>(bytes->size())) + bytes->size() : size_t{1};
}
char* write_nullable(char* to, Nullable bytes) {
  to = write_varint(to, bytes ? static_cast<int64_t>(bytes->size()) : -1);
  if (bytes && !bytes->empty()) std::memcpy(to, bytes->data(), bytes->size());
  return to + (bytes ? bytes->size() : 0);
}
// So that the string grows as it does by itself.
void make_room(std::string& out, size_t total) {
  if (total > out.capacity()) out.reserve(std::max(total, 2 * out.capacity()));
}
Nullable view_of(const std::optional<std::string>& bytes) { return bytes ? Nullable(*bytes) : std::nullopt; }

}  // namespace

void append_record(std::string& out, int64_t timestamp_delta, int64_t offset_delta, Nullable key, Nullable value,
                   std::span<const Header> headers) {
  size_t length =
      1 + varint_size(timestamp_delta) + varint_size(offset_delta) + varint_size(static_cast<int64_t>(headers.size()));
  length += nullable_size(key) + nullable_size(value);
  for (const Header& header : headers) length += nullable_size(header.key) + nullable_size(view_of(header.value));
  const size_t used = out.size();
  const size_t total = used + varint_size(static_cast<int64_t>(length)) + length;
  make_room(out, total);
  out.resize_and_overwrite(total, [&](char* memory, size_t size) {
    char* to = write_varint(memory + used, static_cast<int64_t>(length));
    *to++ = 0;  // attributes
    to = write_varint(to, timestamp_delta);
    to = write_varint(to, offset_delta);
    to = write_nullable(to, key);
    to = write_nullable(to, value);
    to = write_varint(to, static_cast<int64_t>(headers.size()));
    for (const Header& header : headers) {
      to = write_nullable(to, header.key);
      to = write_nullable(to, view_of(header.value));
    }
    check(to == memory + size);
    return size;
  });
}

void begin_record(std::string& out, int64_t timestamp_delta, int64_t offset_delta, Nullable key, size_t value_size) {
  const auto size = static_cast<int64_t>(value_size);
  const size_t front = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + nullable_size(key);
  const size_t length = front + varint_size(size) + value_size + 1;
  const size_t total = out.size() + varint_size(static_cast<int64_t>(length)) + front + varint_size(size);
  make_room(out, total);
  out.resize_and_overwrite(total, [&, used = out.size()](char* memory, size_t whole) {
    char* to = write_varint(memory + used, static_cast<int64_t>(length));
    *to++ = 0;  // attributes
    to = write_varint(to, timestamp_delta);
    to = write_varint(to, offset_delta);
    to = write_nullable(to, key);
    to = write_varint(to, size);
    check(to == memory + whole);
    return whole;
  });
}

void end_record(std::string& out) { out.push_back('\0'); }

void append_values(std::string& out, int64_t timestamp_delta, int64_t offset_delta, std::string_view values,
                   size_t from, std::span<const size_t> ends) {
  if (ends.empty()) return;
  const size_t most = out.size() + (ends.back() - from) + ends.size() * most_record_overhead;
  make_room(out, most);
  const size_t time_size = varint_size(timestamp_delta);
  out.resize_and_overwrite(most, [&, used = out.size()](char* memory, size_t) {
    char* to = memory + used;
    for (const size_t end : ends) {
      const size_t size = end - from;
      const auto value_size = static_cast<int64_t>(size);
      const size_t length = 1 + time_size + varint_size(offset_delta) + 1 + varint_size(value_size) + size + 1;
      to = write_varint(to, static_cast<int64_t>(length));
      *to++ = 0;  // attributes
      to = write_varint(to, timestamp_delta);
      to = write_varint(to, offset_delta++);
      to = write_varint(to, -1);
      to = write_varint(to, value_size);
      std::memcpy(to, values.data() + from, size);
      to += size;
      *to++ = 0;  // headers
      from = end;
    }
    return static_cast<size_t>(to - memory);
  });
}

Bytes finish_batch(std::string batch, const BatchOptions& options, const BatchSummary& summary) {
  check(batch.size() >= batch_header_size);
  if (options.compression != Compression::none) {
    const auto records = std::as_bytes(std::span(batch)).subspan(batch_header_size);
    const Bytes packed = compress(options.compression, records, options.compression_level);
    batch.replace(batch_header_size, std::string::npos, packed.text());
  }
  const size_t size = batch.size();
  // Who keeps the batch keeps its memory.
  if (batch.capacity() > size + size / 4) batch = std::string(batch);
  const auto memory = std::make_shared<std::string>(std::move(batch));
  auto* to = reinterpret_cast<std::byte*>(memory->data());
  auto attributes = static_cast<int16_t>(options.compression);
  if (options.log_append_time) attributes |= 8;
  if (options.transactional) attributes |= 16;
  if (options.control) attributes |= 32;
  store_big<int64_t>(to + 0, options.base_offset.value);
  store_big<int32_t>(to + 8, static_cast<int32_t>(size - batch_prefix_size));
  store_big<int32_t>(to + 12, options.leader_epoch.value);
  store_big<int8_t>(to + 16, 2);
  store_big<int16_t>(to + 21, attributes);
  store_big<int32_t>(to + 23, summary.last_offset_delta);
  store_big<int64_t>(to + 27, summary.base_timestamp.value);
  store_big<int64_t>(to + 35, options.log_append_time.value_or(summary.max_timestamp).value);
  store_big<int64_t>(to + 43, options.producer_id.value);
  store_big<int16_t>(to + 51, options.producer_epoch.value);
  store_big<int32_t>(to + 53, options.base_sequence.value);
  store_big<int32_t>(to + 57, summary.count);
  store_big<uint32_t>(to + 17, crc32c(std::span<const std::byte>(to + crc_from, size - crc_from)));
  return Bytes(memory, std::span<const std::byte>(to, size));
}

}  // namespace millrace::protocol
