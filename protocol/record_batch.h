// Record batches: what a produce request carries, what a segment holds, what a fetch answers.
//
//   batch   := base_offset:i64 length:i32 leader_epoch:i32 magic:i8=2 crc:u32 attributes:i16 last_offset_delta:i32
//              base_timestamp:i64 max_timestamp:i64 producer_id:i64 producer_epoch:i16 base_sequence:i32 count:i32
//              record*
//   record  := length:varint attributes:i8 timestamp_delta:varint offset_delta:varint
//              key_length:varint key value_length:varint value header_count:varint header*
//   header  := key_length:varint key value_length:varint value          a length of −1 is null
//
// length counts what follows it; crc is CRC32C from attributes to the end, so that the broker may stamp base_offset and
// leader_epoch without touching it. attributes: bits 0-2 codec, 3 log-append time, 4 transactional, 5 control,
// 6 base_timestamp is a delete horizon. With a codec, record* is compressed as one.
// Magic 0 and 1 (legacy.h) share the first twelve bytes and the place of the magic.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/compression.h"
#include "protocol/types.h"

namespace millrace::protocol {

inline constexpr size_t batch_prefix_size = 12;  // base_offset and length
inline constexpr size_t batch_header_size = 61;
inline constexpr size_t legacy_header_size =
    14;  // the least that may follow the prefix: crc, magic, attributes, lengths

// Big-endian integers at a fixed place.
template <class T>
T load_big(const std::byte* at) {
  std::make_unsigned_t<T> v = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    v = static_cast<std::make_unsigned_t<T>>((v << 8) | static_cast<uint8_t>(at[i]));
  return static_cast<T>(v);
}
template <class T>
void store_big(std::byte* at, T value) {
  auto v = static_cast<std::make_unsigned_t<T>>(value);
  for (size_t i = sizeof(T); i-- > 0; v = static_cast<std::make_unsigned_t<T>>(sizeof(T) > 1 ? v >> 8 : 0))
    at[i] = static_cast<std::byte>(v);
}

// One batch, or one legacy message, in memory that it shares. Field accessors read where the bytes are; for legacy
// magic only base_offset, size, magic and last_offset mean something.
class RecordBatch {
 public:
  RecordBatch() = default;
  // `bytes` begins with a whole batch; what lies behind it is left out. See BatchIterator for how to find one.
  explicit RecordBatch(Bytes bytes);

  const Bytes& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }  // with the prefix

  Offset base_offset() const { return Offset(load_big<int64_t>(at(0))); }
  int32_t length() const { return load_big<int32_t>(at(8)); }
  LeaderEpoch leader_epoch() const { return LeaderEpoch(load_big<int32_t>(at(12))); }
  int8_t magic() const { return static_cast<int8_t>(*at(16)); }
  uint32_t crc() const { return load_big<uint32_t>(at(17)); }
  int16_t attributes() const { return load_big<int16_t>(at(21)); }
  int32_t last_offset_delta() const { return load_big<int32_t>(at(23)); }
  Timestamp base_timestamp() const { return Timestamp(load_big<int64_t>(at(27))); }
  Timestamp max_timestamp() const { return Timestamp(load_big<int64_t>(at(35))); }
  ProducerId producer_id() const { return ProducerId(load_big<int64_t>(at(43))); }
  ProducerEpoch producer_epoch() const { return ProducerEpoch(load_big<int16_t>(at(51))); }
  Sequence base_sequence() const { return Sequence(load_big<int32_t>(at(53))); }
  int32_t count() const { return load_big<int32_t>(at(57)); }

  bool is_legacy() const { return magic() < 2; }
  int8_t codec_bits() const { return static_cast<int8_t>(attributes() & 7); }
  Compression compression() const { return static_cast<Compression>(codec_bits()); }
  bool is_log_append_time() const { return (attributes() & 8) != 0; }
  bool is_transactional() const { return (attributes() & 16) != 0; }
  bool is_control() const { return (attributes() & 32) != 0; }
  bool has_producer() const { return producer_id().value >= 0; }

  Offset last_offset() const;  // legacy: of the outermost message
  Offset next_offset() const { return last_offset() + 1; }
  // Wraps from 2^31−1 to 0, as Kafka's DefaultRecordBatch.incrementSequence.
  Sequence last_sequence() const;
  bool crc_matches() const;
  Bytes payload() const { return bytes_.slice(batch_header_size, bytes_.size() - batch_header_size); }

 private:
  const std::byte* at(size_t i) const { return bytes_.data() + i; }
  Bytes bytes_;
};

// Sequences begin again with 0 behind the largest: below zero the second one comes before.
Sequence add_sequence(Sequence from, int32_t n);
int32_t sequence_distance(Sequence from, Sequence to);

// Walks the batches of a produce request, a fetch answer or a piece of a segment.
//
//   BatchIterator batches(bytes);
//   while (std::optional<RecordBatch> batch = batches.next()) …
//   batches.rest()      // bytes behind the last whole batch: a torn tail, or a reader's limit
class BatchIterator {
 public:
  explicit BatchIterator(Bytes bytes) : bytes_(std::move(bytes)) {}
  std::optional<RecordBatch> next();
  size_t position() const { return position_; }
  size_t rest() const { return bytes_.size() - position_; }
  bool malformed() const { return malformed_; }  // stopped at a length that no batch can have

 private:
  Bytes bytes_;
  size_t position_ = 0;
  bool malformed_ = false;
};

struct HeaderView {
  std::string_view key;
  std::optional<std::string_view> value;
};

// One record, looking into the reader that gave it.
struct RecordView {
  Offset offset;
  Timestamp timestamp;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int32_t header_count = 0;
  std::string_view raw_headers;  // validated; see headers()

  std::vector<HeaderView> headers() const;
};

// The records of one batch of any magic, decompressed when needed. What it gives looks into its memory and lives as
// long as it does.
class RecordReader {
 public:
  // Throws CompressionError when the payload does not decompress to at most `limit` bytes.
  explicit RecordReader(RecordBatch batch, size_t limit = 256u << 20);

  std::optional<RecordView> next();
  // The same into a view that can be used again. False: there is none, and nothing is said about the view.
  bool read(RecordView& record);
  // A record that is not what the format says, or bytes left over after `count` records; next() has stopped there.
  bool malformed() const { return malformed_; }
  // Memory that the records look into: a caller that keeps views keeps this.
  const Bytes& payload() const { return payload_; }

 private:
  bool read_legacy(RecordView& record);
  bool fail();

  RecordBatch batch_;
  Bytes payload_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  int32_t remaining_ = 0;  // of magic 2
  bool malformed_ = false;
  Offset base_offset_{0};
  Timestamp base_timestamp_{0};
  std::optional<Timestamp> append_time_;
  std::vector<RecordView> legacy_;  // in offset order, given from the front
  std::vector<Bytes> legacy_payloads_;
  size_t legacy_at_ = 0;
};

struct BatchOptions {
  Offset base_offset{0};
  LeaderEpoch leader_epoch{-1};
  Compression compression = Compression::none;
  std::optional<int> compression_level;
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{-1};
  Sequence base_sequence{-1};
  bool transactional = false;
  bool control = false;
  std::optional<Timestamp> log_append_time;  // sets the attribute and the max timestamp
};

struct Header {
  std::string key;
  std::optional<std::string> value;
};

// Builds one batch of magic 2.
class BatchBuilder {
 public:
  explicit BatchBuilder(BatchOptions options = {}) : options_(std::move(options)) {}

  void add(Timestamp timestamp, std::optional<std::string_view> key, std::optional<std::string_view> value,
           std::span<const Header> headers = {}) {
    add_at(static_cast<int32_t>(next_delta_), timestamp, key, value, headers);
  }
  // With a gap in front, as compaction leaves them.
  void add_at(int32_t offset_delta, Timestamp timestamp, std::optional<std::string_view> key,
              std::optional<std::string_view> value, std::span<const Header> headers = {});

  int count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // Bytes of the batch so far, before compression.
  size_t size() const { return batch_header_size + records_.size(); }
  // The batch; the builder is empty afterwards, ready for the next one at the following offset and sequence.
  Bytes build();

 private:
  BatchOptions options_;
  std::string records_;
  Timestamp base_timestamp_{-1};
  Timestamp max_timestamp_{-1};
  int64_t next_delta_ = 0;
  int count_ = 0;
};

// Writes base offset and leader epoch into the first bytes of a batch, of any magic (legacy has no epoch).
void stamp(std::span<std::byte> batch, Offset base, LeaderEpoch epoch);
// Makes it a log-append-time batch: attribute, max timestamp, and the checksum anew.
void stamp_log_append_time(std::span<std::byte> batch, Timestamp now);

}  // namespace millrace::protocol
