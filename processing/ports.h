// The two ports through which processing sees topics. The broker implements them over its partitions; tests implement
// them over vectors. Offsets, batches and errors are Kafka's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/errors.h"
#include "protocol/types.h"
#include "runtime/clock.h"
#include "runtime/task.h"

namespace millrace::processing {

struct ScanResult {
  ErrorCode error = ErrorCode::none;
  std::vector<Bytes> batches;  // whole record batches (v2, possibly compressed, possibly control), in order; the first
                               // may begin before the offset asked for
  Offset end{0};               // high watermark (or last stable offset) at the time of the read
};

struct PartitionBounds {
  Offset start{0};
  Offset end{0};
};

// Reading topics.
class TopicReader {
 public:
  virtual ~TopicReader() = default;
  // How many partitions the topic has; nothing when there is no such topic.
  virtual Task<std::optional<int>> partitions(std::string topic) = 0;
  // The names of all topics, for 'topic-pattern'; internal ones may be left out.
  virtual Task<std::vector<std::string>> topics() = 0;
  virtual Task<PartitionBounds> bounds(std::string topic, PartitionId partition) = 0;
  // The first offset whose timestamp is at or after `time`; the end when there is none.
  virtual Task<Offset> offset_at(std::string topic, PartitionId partition, Timestamp time) = 0;
  virtual Task<std::optional<Offset>> committed(std::string group, std::string topic, PartitionId partition) = 0;
  virtual Task<void> commit(std::string group, std::string topic, PartitionId partition, Offset offset) = 0;
  // Batches from `from` on, at most about `max_bytes`. Waits until there is something, or until `deadline`.
  virtual Task<ScanResult> scan(std::string topic, PartitionId partition, Offset from, size_t max_bytes,
                                MonoTime deadline) = 0;
};

// Writing topics, and producer identities for writing each record exactly once.
class TopicWriter {
 public:
  virtual ~TopicWriter() = default;
  virtual Task<std::optional<int>> partitions(std::string topic) = 0;
  // Creates the topic when it is missing; partitions −1: as many as the broker gives by default, and only where it
  // creates topics by itself. `internal_compacted`: one of ours, a compacted topic with one partition.
  virtual Task<ErrorCode> create(std::string topic, int partitions, bool internal_compacted) = 0;
  virtual Task<ProducerId> new_producer() = 0;
  // Appends one record batch and answers once it is acknowledged at the broker's durability. Batches that carry a
  // producer id and sequence are deduplicated by the log as for any idempotent producer.
  virtual Task<ErrorCode> append(std::string topic, PartitionId partition, Bytes batch) = 0;
  // The same with several batches, in order, up to the first that is refused: one wait for all of them. Their memory is
  // given away: who sends one again that has no producer id, and so may lie in the log already, sends a copy.
  struct Appended {
    ErrorCode error = ErrorCode::none;
    size_t batches = 0;  // that need not be sent again
  };
  virtual Task<Appended> append_all(std::string topic, PartitionId partition, std::vector<Bytes> batches) = 0;
  // The last sequence that `producer` has written to the partition; nothing when it has written none.
  virtual Task<std::optional<Sequence>> last_sequence(std::string topic, PartitionId partition,
                                                      ProducerId producer) = 0;
  virtual Task<ErrorCode> delete_before(std::string topic, PartitionId partition, Offset offset) = 0;
  // Removes one of our internal topics (a finished job's checkpoints); missing is fine.
  virtual Task<ErrorCode> remove(std::string topic) = 0;
};

}  // namespace millrace::processing
