// The sparse indexes of one segment, in memory; their files are written when the segment rolls or the log closes.
//
//   .index      (relative_offset:i32 position:i32)*        last offset of the batch that starts at `position`
//   .timeindex  (timestamp:i64 relative_offset:i32)*       the newest timestamp so far and the last offset of its batch
//
// Both ascend. Between two entries lie more than index.interval.bytes of batches. The last entry of a closed time index
// is the newest timestamp of the whole segment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/types.h"

namespace millrace::log {

class OffsetIndex {
 public:
  static constexpr size_t entry_size = 8;

  explicit OffsetIndex(Offset base) : base_(base) {}

  void append(Offset last_offset, int64_t position);
  // Where to start scanning for `offset`: the batch of the largest entry not above it, or 0.
  int64_t lookup(Offset offset) const;
  struct Place {
    Offset last;  // of the batch that begins here
    int64_t position;
  };
  // A place behind `from` where a batch begins: the last one up to `to`, or the first one there is. Nothing: none is
  // known.
  std::optional<Place> boundary(int64_t from, int64_t to) const;
  void truncate(Offset end);  // forgets entries at or behind `end`
  void clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }
  bool full(int32_t max_bytes) const { return size() >= static_cast<size_t>(max_bytes) / entry_size; }
  // What relative offsets and positions can express.
  bool fits(Offset last_offset) const { return last_offset - base_ >= 0 && last_offset - base_ <= INT32_MAX; }

  std::string encode() const;
  // Nothing unless the entries ascend and lie inside a segment of `log_size` bytes.
  static std::optional<OffsetIndex> decode(Offset base, std::string_view file, int64_t log_size);

 private:
  struct Entry {
    int32_t relative;
    int32_t position;
  };
  Offset base_;
  std::vector<Entry> entries_;
};

struct TimedOffset {
  Timestamp timestamp{-1};
  Offset offset{-1};
};

class TimeIndex {
 public:
  static constexpr size_t entry_size = 12;

  explicit TimeIndex(Offset base) : base_(base) {}

  // Adds it when it is newer than the last entry.
  void append(TimedOffset newest);
  // The largest entry not newer than `time`: records newer than it lie behind its offset. {−1, base} before the first.
  TimedOffset lookup(Timestamp time) const;
  TimedOffset last() const;
  void truncate(Offset end);
  void clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }
  // One place is kept for the entry at roll.
  bool full(int32_t max_bytes) const { return size() + 1 >= static_cast<size_t>(max_bytes) / entry_size; }

  std::string encode() const;
  static std::optional<TimeIndex> decode(Offset base, std::string_view file);

 private:
  struct Entry {
    int64_t timestamp;
    int32_t relative;
  };
  TimedOffset at(const Entry& entry) const { return {Timestamp(entry.timestamp), base_ + entry.relative}; }
  Offset base_;
  std::vector<Entry> entries_;
};

}  // namespace millrace::log
