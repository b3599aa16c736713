// Journal: what makes many partitions' appends durable with one write. One per shard and log directory.
//
//   append() of any log → the group of this turn ─→ extent, in the order of their numbers, a few under way at once
//        the logs' segment files follow in large writes, a moment later, unsynced: see put_off_writes.h
//   extents in use ─→ checkpoint: every log that has bytes in them syncs its files; then they are used again
//
//   <log.dir>/millrace-journal-SHARD-NUMBER        plain files, which Kafka ignores; see journal_format.h
//
// A group counts as durable once it and all groups before it are. After a failed write, or a failed sync of a log that
// takes part, the journal and all its logs have failed. Extents come into being in the background, with the first
// appends: until one is there, and whenever the journal cannot keep up, append() answers false and the log syncs
// itself. A clean stop leaves no journal.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "log/journal_format.h"
#include "log/put_off_writes.h"
#include "runtime/disk.h"
#include "runtime/gate.h"

namespace millrace::log {

inline constexpr std::string_view journal_file_prefix = "millrace-journal-";

// A log, as its journal sees it. Called on the journal's shard.
class JournaledLog {
 public:
  virtual ~JournaledLog() = default;
  // What it has handed over is durable up to `end`.
  virtual void journaled(Offset end) = 0;
  virtual void journal_failed(const DiskError& error) = 0;
  // Everything it has handed over so far is in its files and synced afterwards; false when it has failed.
  virtual Task<bool> sync_segments() = 0;
};

class Journal {
 public:
  // A log's place. It may go at any time; what it has handed over is still written.
  class Seat : public std::enable_shared_from_this<Seat> {
   public:
    // The batch goes into this turn's group; false when the journal does not take it.
    bool append(Offset from, Offset end, LeaderEpoch epoch, const Bytes& batch);
    // What was handed over at or behind `at` is no more: durable when it returns true. False when the journal failed.
    Task<bool> cut(Offset at);
    // The log is closed, its files are synced.
    void leave() { log_ = nullptr; }
    void fail(const DiskError& error);

   private:
    friend class Journal;
    Journal* journal_ = nullptr;
    JournaledLog* log_ = nullptr;
    TopicId topic_;
    PartitionId partition_{0};
    bool used_ = false;
    uint64_t checkpoint_ = 0;  // the last one that counted it
    uint64_t extent_ = 0;      // the last use of an extent it has bytes in
    uint64_t group_ = 0;       // the last one built with bytes of it …
    size_t place_in_it_ = 0;   // … and where in its list
  };

  // `bytes`: the most disk it may take.
  Journal(std::string directory, int64_t bytes);
  // Must be closed before, unless the whole shard is dropped.
  ~Journal();

  std::shared_ptr<Seat> join(JournaledLog& log, TopicId topic, PartitionId partition);
  // When its logs write what it has made durable.
  PutOffWrites& put_off_writes() { return put_off_writes_; }
  // From now on it takes batches: nothing of an earlier journal is left in the directory.
  void begin() { begun_ = true; }
  void on_failure(std::function<void(const DiskError&)> call) { on_failure_ = std::move(call); }
  // All logs are closed. With `remove`, in the order in which its files were written.
  Task<void> close(bool remove);

 private:
  struct Extent;
  struct Group;
  struct Entry {
    std::shared_ptr<Seat> seat;
    JournalFrameKind kind;
    LeaderEpoch epoch;
    Offset from;
    Offset end;
    Bytes batch;
    size_t size() const { return journal_frame_header + batch.size(); }
  };

  bool has_room_for(const Bytes& batch);
  void take(Entry entry);
  void note_user(const std::shared_ptr<Seat>& seat);
  Task<void> build_groups();
  bool find_room();
  std::shared_ptr<Group> new_group(size_t frame_bytes);
  std::shared_ptr<Group> build_group();
  void announce();
  void submit(std::shared_ptr<Group> group);
  Task<void> write_group(std::shared_ptr<Group> group);
  void acknowledge();
  BlockMemory memory_for(size_t bytes);
  void grow_if_short();
  Task<void> make_extent();
  void checkpoint_if_due();
  Task<void> checkpoint();
  Task<bool> sync_logs(std::vector<std::shared_ptr<Seat>> seats);
  void fail(const DiskError& error);

  Disk& disk_;
  const std::string directory_;
  const int shard_;
  const uint64_t generation_;
  const size_t extent_bytes_;
  const size_t most_extents_;
  bool begun_ = false;
  bool failed_ = false;
  bool closing_ = false;

  std::deque<Entry> pending_;
  size_t pending_bytes_ = 0;
  uint64_t taken_ = 0;    // entries ever
  uint64_t durable_ = 0;  // of these
  bool building_ = false;

  std::vector<std::shared_ptr<Extent>> free_;  // used from the front
  std::shared_ptr<Extent> current_;
  std::deque<std::shared_ptr<Extent>> full_;  // the oldest first
  size_t extents_ = 0;
  uint64_t uses_ = 0;  // of extents
  bool growing_ = false;
  MonoTime grow_again_{};
  bool checkpointing_ = false;
  uint64_t checkpoints_ = 0;
  std::vector<std::weak_ptr<Seat>> users_;  // seats that were used; some may be gone

  std::deque<std::shared_ptr<Group>> under_way_;  // by sequence
  uint64_t sequence_ = 0;                         // of the last group
  uint64_t oldest_ = 1;                           // sequence of the first that still matters …
  uint64_t announced_ = 0;                        // … as a durable group says
  bool announcing_ = false;
  std::vector<BlockMemory> spare_memory_;

  PutOffWrites put_off_writes_;
  std::function<void(const DiskError&)> on_failure_;
  Event changed_;  // a group has ended, an extent is there, a cut is durable, or all is over
  Gate gate_;
};

}  // namespace millrace::log
