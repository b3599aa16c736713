// Batches for tests, in few words.
#pragma once

#include <string>
#include <vector>

#include "protocol/crc32c.h"
#include "protocol/record_batch.h"

namespace millrace::log {

// One batch with a record per value, as a client sends it; keys are "k".
inline Bytes batch_of(const std::vector<std::string>& values, protocol::BatchOptions options = {},
                      Timestamp time = Timestamp(1'700'000'000'000)) {
  protocol::BatchBuilder builder(std::move(options));
  for (const std::string& value : values) builder.add(time, "k", value);
  return builder.build();
}

inline protocol::BatchOptions from_producer(int64_t id, int16_t epoch, int32_t sequence, bool transactional = false) {
  protocol::BatchOptions options;
  options.producer_id = ProducerId(id);
  options.producer_epoch = ProducerEpoch(epoch);
  options.base_sequence = Sequence(sequence);
  options.transactional = transactional;
  return options;
}

// A commit or abort marker.
inline Bytes marker(int64_t producer, int16_t epoch, bool commit, int32_t coordinator_epoch = 0) {
  protocol::BatchOptions options = from_producer(producer, epoch, -1, true);
  options.control = true;
  protocol::BatchBuilder builder(options);
  std::string key(4, '\0');
  key[3] = commit ? 1 : 0;
  std::string value(6, '\0');
  value[2] = static_cast<char>(coordinator_epoch >> 24);
  value[3] = static_cast<char>(coordinator_epoch >> 16);
  value[4] = static_cast<char>(coordinator_epoch >> 8);
  value[5] = static_cast<char>(coordinator_epoch);
  builder.add(Timestamp(1'700'000'000'000), key, value);
  return builder.build();
}

// The same bytes with something changed and the checksum made right again.
template <class T>
Bytes patched(const Bytes& batch, size_t at, T value, bool fix_checksum = true) {
  std::vector<std::byte> bytes(batch.span().begin(), batch.span().end());
  protocol::store_big<T>(bytes.data() + at, value);
  if (fix_checksum) {
    protocol::store_big<uint32_t>(bytes.data() + 17, protocol::crc32c(std::span(bytes).subspan(21)));
  }
  return Bytes::take(std::move(bytes));
}

inline Bytes joined(const std::vector<Bytes>& parts) {
  std::vector<std::byte> bytes;
  for (const Bytes& part : parts) bytes.insert(bytes.end(), part.span().begin(), part.span().end());
  return Bytes::take(std::move(bytes));
}

inline std::vector<std::string> values_of(const std::vector<Bytes>& batches) {
  std::vector<std::string> values;
  for (const Bytes& bytes : batches) {
    protocol::BatchIterator iterator(bytes);
    while (std::optional<protocol::RecordBatch> batch = iterator.next()) {
      protocol::RecordReader records(*batch);
      while (std::optional<protocol::RecordView> record = records.next()) {
        values.emplace_back(record->value.value_or("(null)"));
      }
    }
  }
  return values;
}

}  // namespace millrace::log
