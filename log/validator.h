// What a produced batch must look like before it may enter a log: Kafka's rules, in Kafka's order.
//
//   bytes (one whole batch, magic 2) → base offset → size → checksum → header → every record
//
// Records are walked once; a batch is rebuilt only where the topic demands another codec or its inner offsets have
// gaps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "log/log.h"
#include "protocol/record_batch.h"

namespace millrace::log {

struct ValidBatch {
  protocol::RecordBatch batch;   // as it came, or rebuilt
  Timestamp max_timestamp{-1};   // what the header must say
  bool log_append_time = false;  // what the attribute must say
  int64_t records = 0;
};

struct Validation {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> message;
  std::vector<RecordError> record_errors;
  bool before_log = false;  // refused before a log was looked at: the answer names no log start offset
  std::vector<ValidBatch> batches;
  size_t size = 0;
};

// `client` false: any number of batches, control batches and any size allowed.
Validation validate(const Bytes& records, const LogConfig& config, const TopicPartition& name, Timestamp now,
                    bool client);

// Whole, checksummed batches of magic 2 or older with ascending offsets, for a follower; an error otherwise.
Validation validate_replicated(const Bytes& records, Offset next, const TopicPartition& name);

// Offsets and epoch stamped, timestamps and attributes as `valid` says: in a copy, or in the bytes themselves when
// nobody else looks at them.
enum class StampIn : uint8_t { copy, place };
protocol::RecordBatch stamped(const ValidBatch& valid, Offset base, LeaderEpoch epoch, StampIn where);

}  // namespace millrace::log
