// Log: one partition's records on disk, in Kafka's own directory format, and their newest part in memory.
//
//   <log.dir>/<topic>-<partition>/00000000000000000000.log .index .timeindex [.txnindex] [.snapshot]
//                                 leader-epoch-checkpoint  partition.metadata
//
//   start <= written and durable <= end
//     append() gives offsets and moves end at once; the bytes are in memory and readable below the reader's limit.
//     written follows when the file has them, durable when a sync has covered them or the journal has them (journal.h).
//     Both only grow (truncation aside). Many appends share one write, and many waiters one sync (group commit).
//
// A Log lives on one shard; only that shard may call it. After a DiskError from a write or a sync the log is failed():
// nothing advances any more and every call answers kafka_storage_error. The owner takes the log directory offline.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/errors.h"
#include "protocol/types.h"
#include "runtime/event.h"
#include "runtime/shard.h"

namespace millrace::log {

enum class Durability : uint8_t { written, durable };
enum class TimestampType : uint8_t { create_time, log_append_time };

// The topic's settings as the log needs them; defaults are Kafka's (topic configuration reference).
struct LogConfig {
  int32_t segment_bytes = 1 << 30;
  Millis segment_age = std::chrono::hours(168);
  int32_t index_bytes = 10 << 20;
  int32_t index_interval_bytes = 4096;
  int64_t retention_bytes = -1;                // −1: no limit
  Millis retention = std::chrono::hours(168);  // −1 ms: no limit
  Millis file_delete_delay = std::chrono::minutes(1);
  bool cleanup_delete = true;
  bool cleanup_compact = false;
  int32_t max_message_bytes = 1048588;
  TimestampType timestamp_type = TimestampType::create_time;
  Millis timestamp_before_max{INT64_MAX};
  Millis timestamp_after_max = std::chrono::hours(1);
  int8_t compression = -1;             // −1: as the producer sent it; 0 none 1 gzip 2 snappy 3 lz4 4 zstd
  int64_t flush_messages = INT64_MAX;  // flush.messages
  Millis flush_interval{INT64_MAX};    // flush.ms
};

struct RecordError {
  int32_t index = 0;
  std::optional<std::string> message;
};

struct AppendOptions {
  // False: written by the broker itself (coordinators, metadata): control batches allowed, size limits not applied.
  bool client = true;
  // 0: the records are copied. Otherwise they are given away: nobody else looks at them, the log may stamp them where
  // they are, and keeping any of them keeps so many bytes of memory.
  size_t held = 0;
  // None: what is written of such records only is written beside the shard.
  Haste haste = Haste::ordinary;
};

struct AppendResult {
  ErrorCode error = ErrorCode::none;
  Offset base{-1};
  Offset last{-1};
  Timestamp log_append_time{-1};  // −1 for CreateTime
  Offset log_start{-1};
  std::vector<RecordError> record_errors;
  std::optional<std::string> message;
};

struct AbortedTransaction {
  ProducerId producer;
  Offset first;
};

// What batches are read for: somebody waits to look at them; nobody waits, so that others on the shard do not wait for
// them either (Haste::none); or a connection sends them on. For that, what the page cache has may be left there, many
// batches as one piece (runtime/unread.h), and nothing below the limit may ever be truncated.
enum class ReadFor : uint8_t { use, later_use, sending };

struct ReadResult {
  ErrorCode error = ErrorCode::none;
  std::vector<Bytes> batches;  // whole batches, in order; the first one may begin before the offset asked for
  size_t size = 0;
  std::vector<AbortedTransaction> aborted;  // overlapping what was read; filled when asked for
};

struct OffsetAndTimestamp {
  Offset offset{-1};
  Timestamp timestamp{-1};
  LeaderEpoch epoch{-1};
};

struct ProducerSummary {
  ProducerId id;
  ProducerEpoch epoch;
  Sequence last_sequence;
  Offset last_offset;
  Timestamp last_timestamp;
  int32_t coordinator_epoch = -1;
  Offset transaction_start{-1};
};

// How the directory was left and what is known about it from the checkpoints of its log dir.
struct OpenState {
  bool clean_shutdown = false;
  Offset recovery_point{0};  // everything below was synced
  Offset start{0};           // from log-start-offset-checkpoint
};

class Log {
 public:
  // Opens or creates `directory`, recovering it where the shutdown was not clean. Throws DiskError, or
  // CorruptLog where Kafka would refuse to start.
  static Task<std::unique_ptr<Log>> open(std::string directory, TopicPartition name, TopicId id, LogConfig config,
                                         OpenState state);
  // A partition that nobody has written to: nothing lies on the disk, and nothing is put there, before the first
  // append.
  static std::unique_ptr<Log> create(std::string directory, TopicPartition name, TopicId id, LogConfig config);
  virtual ~Log() = default;

  // --- writing ---
  // Validates a produced batch as Kafka's LogValidator does (CRC, counts, timestamps, keys, size, sequences), stamps
  // base offset and leader epoch, recompresses only where the topic demands another codec, and appends it.
  // A duplicate of a batch still remembered answers success with its old offset.
  virtual AppendResult append(Bytes records, LeaderEpoch epoch, AppendOptions options = {}) = 0;
  // A follower's append: offsets and epochs are kept as they are.
  virtual AppendResult append_as_follower(Bytes records) = 0;
  // Waits until `written`/`durable` is at least `end`; false past the deadline or when failed. What is durable counts
  // as written. Waiting for `durable` asks for a sync where no journal makes it so.
  virtual Task<bool> wait_for(Offset end, Durability level, MonoTime deadline = never) = 0;
  virtual Task<void> flush() = 0;  // everything appended so far is durable afterwards; throws DiskError

  // --- positions ---
  virtual Offset start() const = 0;
  virtual Offset end() const = 0;  // the next offset to be given
  virtual Offset written() const = 0;
  virtual Offset durable() const = 0;
  // The last stable offset below `high_watermark`: the first offset of the oldest open transaction, else it itself.
  virtual Offset last_stable(Offset high_watermark) const = 0;
  virtual Event& advanced() = 0;  // notified when end, written, durable or start has moved
  virtual bool failed() const = 0;
  virtual bool on_disk() const { return true; }             // false: created, and nothing was ever appended
  virtual int64_t size() const = 0;                         // bytes of all segments
  virtual Offset first_segment() const { return start(); }  // where the oldest segment begins: not above start

  // --- reading ---
  // Whole batches from the one that holds `from` on, below `limit`, at most `max_bytes`; with `at_least_one` the first
  // batch comes whole whatever its size. offset_out_of_range outside [start, end].
  virtual Task<ReadResult> read(Offset from, size_t max_bytes, Offset limit, bool at_least_one,
                                bool aborted_transactions = false, ReadFor purpose = ReadFor::use) = 0;
  // The first record at or after `time`, below `limit`, with its own timestamp; −1/−1 when there is none.
  virtual Task<OffsetAndTimestamp> find_time(Timestamp time, Offset limit) = 0;
  virtual Task<OffsetAndTimestamp> find_max_timestamp(Offset limit) = 0;

  // --- epochs and producers ---
  virtual LeaderEpoch latest_epoch() const = 0;
  virtual void begin_epoch(LeaderEpoch epoch) = 0;  // starts at the current end, even before anything is appended
  // End offset of the largest epoch not above `epoch`; {−1, −1} when unknown.
  virtual std::pair<LeaderEpoch, Offset> end_of_epoch(LeaderEpoch epoch) const = 0;
  virtual LeaderEpoch epoch_at(Offset offset) const = 0;
  virtual std::vector<ProducerSummary> producers() const = 0;
  virtual std::optional<ProducerSummary> producer(ProducerId id) const = 0;

  // producer.id.expiration.ms: forgets producers that have written nothing since, unless a transaction is open.
  virtual void expire_producers(Timestamp older_than) { static_cast<void>(older_than); }

  // --- upkeep ---
  virtual void configure(LogConfig config) = 0;
  // DeleteRecords: moves start, keeps whole segments until retention. Behind the end (a follower too far behind, a
  // snapshot that replaces the log): everything goes and the log begins empty at `start`.
  virtual Task<void> delete_before(Offset start) = 0;
  // Removes what lies at or behind `end`; a batch that `end` cuts goes whole, and the end is where it began. The owner
  // appends nothing meanwhile.
  virtual Task<void> truncate(Offset end) = 0;
  virtual Task<int> apply_retention(Offset high_watermark) = 0;  // removes old segments; answers how many
  // What recovery-point-offset-checkpoint may say: everything below is synced, with the side files that go with it.
  virtual Task<Offset> recovery_point() { co_return durable(); }
  virtual Task<void> roll() { co_return; }  // starts a new segment unless the last one is empty
  // Writes what is pending, syncs, cuts indexes to size, writes the producer snapshot.
  virtual Task<void> close() = 0;
  virtual const std::string& directory() const = 0;
  virtual TopicId topic_id() const = 0;
  // What an operator should know of how it was found: truncated tails, rebuilt files.
  virtual const std::vector<std::string>& notes() const {
    static const std::vector<std::string> none;
    return none;
  }
};

// The directory is in a state that Kafka, too, refuses to start on.
class CorruptLog : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace millrace::log
