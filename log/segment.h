// A segment is a run of record batches named by its first offset, with its indexes.
//
//   %020d.log := batch*            the last batch may be torn after a crash
//
// size() counts what was appended; the file may be behind, and does not exist before the first write. Only the last
// segment of a log grows. Who reads holds the file, so that a segment can be removed meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "log/indexes.h"
#include "log/transaction_index.h"
#include "protocol/record_batch.h"
#include "runtime/disk.h"

namespace millrace::log {

// "00000000000000000042.log"
std::string segment_file_name(Offset base, std::string_view suffix);
// The offset in front of the first '.', when the name begins with 20 digits.
std::optional<Offset> offset_of_file(std::string_view name);

// Replaces a file's content and syncs it.
Task<void> write_new_file(Disk& disk, std::string path, std::string content);

// How many files of segments this process has open.
int open_segment_files();

class Segment {
 public:
  Segment(std::string directory, Offset base, Timestamp created)
      : offsets(base), times(base), directory_(std::move(directory)), base_(base), created_(created) {}

  Offset base() const { return base_; }
  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string path(std::string_view suffix) const { return directory_ + "/" + segment_file_name(base_, suffix); }

  // Takes an appended batch into account: size, newest timestamp, index entries. Answers its position.
  int64_t append(const protocol::RecordBatch& batch, int32_t index_interval);
  bool should_roll(const LogConfig& config, size_t incoming, Offset last, Timestamp newest_incoming,
                   Timestamp now) const;
  // What the newest timestamp index entry must be when nothing more is appended.
  void finish() { times.append(newest); }
  // Forgets everything at or behind `end`, which starts at `position`; newest must be set by the caller.
  void cut(Offset end, int64_t position, Timestamp now);

  // Opened on first use.
  Task<std::shared_ptr<File>> readable(Disk& disk);
  Task<std::shared_ptr<File>> writable(Disk& disk);
  void release();  // closes the file and drops indexes that can be loaded again
  void close_file();

  // Where the batch of `from` begins, when a reader has left off there.
  std::optional<int64_t> left_off_at(Offset from) const;
  // A reader that began at `from` goes on with `next`, whose batch begins at `position`.
  void remember(Offset from, Offset next, int64_t position);

  // Reads .index and .timeindex unless they are in memory. Files that cannot be right are answered by scanning the
  // segment.
  Task<void> load_indexes(Disk& disk, int32_t index_interval);
  // Writes both, cut to size, and the transaction index when it has changed.
  Task<void> write_indexes(Disk& disk);
  Task<void> write_transaction_index(Disk& disk);
  // Builds the indexes anew from the file's first `size` bytes.
  Task<void> rebuild_indexes(Disk& disk, int32_t index_interval);

  OffsetIndex offsets;
  TimeIndex times;
  TransactionIndex aborted;
  TimedOffset newest;             // the newest timestamp so far and the last offset of its batch
  Timestamp first_timestamp{-1};  // newest of the first batch: what segment.ms counts from
  bool indexes_loaded = true;     // false: on disk only
  bool indexes_dirty = false;     // not on disk as they are now
  bool aborted_dirty = false;
  bool unsynced = false;  // written since the last sync
  bool removed = false;   // renamed to .deleted
  bool on_disk = false;   // the .log file exists
  void set_size(int64_t size) { size_ = size; }
  Timestamp created() const { return created_; }

 private:
  void index_batch(const protocol::RecordBatch& batch, int64_t position, int32_t index_interval);

  struct Reader {
    Offset next;
    int64_t position;
  };
  static constexpr size_t most_readers = 16;

  std::string directory_;
  Offset base_;
  Timestamp created_;
  int64_t size_ = 0;
  int64_t since_index_entry_ = 0;
  std::shared_ptr<File> file_;
  bool file_writable_ = false;
  std::vector<Reader> readers_;  // the one that read last at the end
};

}  // namespace millrace::log
