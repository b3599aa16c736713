// Decoding legacy messages, plain and wrapped.
#include "protocol/legacy.h"

#include <zlib.h>

#include "protocol/record_batch.h"

namespace millrace::protocol {

namespace {

struct Message {
  Offset offset;
  int8_t magic = 0;
  int8_t attributes = 0;
  Timestamp timestamp{-1};
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
};

bool read_bytes(std::string_view& rest, std::optional<std::string_view>& out) {
  if (rest.size() < 4) return false;
  const auto length = load_big<int32_t>(reinterpret_cast<const std::byte*>(rest.data()));
  rest.remove_prefix(4);
  if (length == -1) return true;
  if (length < 0 || static_cast<size_t>(length) > rest.size()) return false;
  out = rest.substr(0, static_cast<size_t>(length));
  rest.remove_prefix(static_cast<size_t>(length));
  return true;
}

// One message at the front of `rest`, which moves behind it.
bool read_message(std::string_view& rest, Message& message) {
  if (rest.size() < batch_prefix_size + legacy_header_size) return false;
  const auto* at = reinterpret_cast<const std::byte*>(rest.data());
  const auto size = load_big<int32_t>(at + 8);
  if (size < static_cast<int32_t>(legacy_header_size) || static_cast<size_t>(size) > rest.size() - batch_prefix_size)
    return false;
  message.offset = Offset(load_big<int64_t>(at));
  message.magic = static_cast<int8_t>(at[16]);
  message.attributes = static_cast<int8_t>(at[17]);
  if (message.magic < 0 || message.magic > 1) return false;
  std::string_view body = rest.substr(18, static_cast<size_t>(size) - 6);
  rest.remove_prefix(batch_prefix_size + static_cast<size_t>(size));
  if (message.magic == 1) {
    if (body.size() < 8) return false;
    message.timestamp = Timestamp(load_big<int64_t>(reinterpret_cast<const std::byte*>(body.data())));
    body.remove_prefix(8);
  }
  return read_bytes(body, message.key) && read_bytes(body, message.value);
}

RecordView view_of(const Message& message) {
  RecordView record;
  record.offset = message.offset;
  record.timestamp = message.timestamp;
  record.key = message.key;
  record.value = message.value;
  return record;
}

}  // namespace

bool legacy_crc_matches(const Bytes& message) {
  if (message.size() < batch_prefix_size + legacy_header_size) return false;
  const auto* from = reinterpret_cast<const Bytef*>(message.data() + 16);
  const uLong crc = crc32(0, from, static_cast<uInt>(message.size() - 16));
  return crc == load_big<uint32_t>(message.data() + 12);
}

bool read_legacy(const Bytes& bytes, size_t limit, std::vector<RecordView>& records, std::vector<Bytes>& payloads) {
  std::string_view rest = bytes.text();
  Message outer;
  if (!read_message(rest, outer)) return false;
  const auto codec = static_cast<int8_t>(outer.attributes & 7);
  if (codec == 0) {
    records.push_back(view_of(outer));
    return true;
  }
  if (codec > static_cast<int8_t>(Compression::lz4) || !outer.value) return false;
  const auto from = static_cast<size_t>(outer.value->data() - bytes.text().data());
  payloads.push_back(decompress(static_cast<Compression>(codec), bytes.slice(from, outer.value->size()), limit));

  const size_t first = records.size();
  const bool stamped_by_broker = outer.magic == 1 && (outer.attributes & 8) != 0;
  for (std::string_view inner = payloads.back().text(); !inner.empty();) {
    Message message;
    if (!read_message(inner, message) || (message.attributes & 7) != 0 || message.magic != outer.magic) return false;
    if (stamped_by_broker) message.timestamp = outer.timestamp;
    records.push_back(view_of(message));
  }
  if (records.size() == first) return false;
  if (outer.magic == 1) {
    const int64_t shift = outer.offset - records.back().offset;
    for (size_t i = first; i < records.size(); ++i) records[i].offset = records[i].offset + shift;
  }
  return true;
}

}  // namespace millrace::protocol
