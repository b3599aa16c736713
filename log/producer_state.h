// What a partition knows about its producers: enough to refuse gaps, recognise repeats, fence old epochs, and tell
// which transactions are open.
//
//   .snapshot := version:i16=1 crc:u32 count:i32 entry*            crc is CRC32C of everything behind it
//   entry     := producer_id:i64 epoch:i16 last_sequence:i32 last_offset:i64 offset_delta:i32 timestamp:i64
//                coordinator_epoch:i32 transaction_start:i64
//
// A snapshot is the state just before the offset in its name. It keeps the last batch of each producer; in memory we
// remember five.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "log/log.h"
#include "protocol/record_batch.h"

namespace millrace::log {

struct RememberedBatch {
  Sequence last_sequence{-1};
  Offset last_offset{-1};
  int32_t offset_delta = 0;
  Timestamp timestamp{-1};

  Sequence first_sequence() const;
  Offset first_offset() const { return last_offset - offset_delta; }
};

struct ProducerEntry {
  ProducerEpoch epoch{-1};
  int32_t coordinator_epoch = -1;
  Timestamp last_timestamp{-1};
  Offset transaction_start{-1};
  int remembered = 0;
  std::array<RememberedBatch, 5> batches;  // oldest first

  Sequence last_sequence() const { return remembered == 0 ? Sequence(-1) : batches[remembered - 1].last_sequence; }
  Offset last_offset() const { return remembered == 0 ? Offset(-1) : batches[remembered - 1].last_offset; }
};

// Whose batch it is decides how much is checked.
enum class Origin : uint8_t { client, broker, leader };

struct ProducerCheck {
  ErrorCode error = ErrorCode::none;
  std::string message;
  std::optional<RememberedBatch> duplicate;  // the batch is in the log already
};

// What an abort or commit marker ended.
struct CompletedTransaction {
  ProducerId producer;
  Offset first;
  Offset last;  // of the marker
  bool aborted = false;
  Offset last_stable;  // once it is written
};

struct EndMarker {
  bool aborted = false;
  int32_t coordinator_epoch = -1;
  Timestamp timestamp{-1};
};
// The marker in a control batch; nothing for the other kinds of control record.
std::optional<EndMarker> end_marker(const protocol::RecordBatch& batch);

class ProducerState {
 public:
  // May `batch` be appended at `at`? Batches without a producer id always may.
  ProducerCheck check_batch(const protocol::RecordBatch& batch, Offset at, Origin origin) const;
  // Remembers an appended batch (its offsets are stamped). Answers the transaction that it completed, if any.
  std::optional<CompletedTransaction> apply(const protocol::RecordBatch& batch);

  // The first offset of the oldest transaction that is open, or completed at or above `high_watermark`.
  std::optional<Offset> first_unstable(Offset high_watermark) const;
  void clear();
  void expire(Timestamp older_than);

  const ProducerEntry* find(ProducerId id) const;
  std::vector<ProducerSummary> summaries() const;  // by id
  size_t size() const { return producers_.size(); }

  std::string encode_snapshot() const;
  // Replaces everything; false when it is not a snapshot.
  bool load_snapshot(std::string_view file);

 private:
  ProducerEntry& append_batch(const protocol::RecordBatch& batch);

  std::unordered_map<ProducerId, ProducerEntry> producers_;
  std::map<Offset, ProducerId> open_;  // by first offset
  struct Decided {
    Offset first;
    Offset marker;
  };
  mutable std::vector<Decided> decided_;  // markers not yet below the high watermark, in order of the markers
};

}  // namespace millrace::log
