// PartitionLog: the log of one partition. See log.h for its promises.
//
//   append() → tail in memory ─┬→ jobs, in order: writes, and what a roll leaves to do    (one writer at a time)
//                              └→ readers of what is recent
//   wait_for(durable) → sync of every file written so far                                (one at a time, for everybody)
//   with a journal: append() hands the batch over, too, and what the journal says is durable without a sync;
//                   the writes to the files then wait until they are large, or somebody wants them
//
// All changes to memory happen at once; all changes to files go through the jobs in the same order. Only truncation
// stops both and works alone. Nothing runs while nothing is asked for.
#pragma once

#include <functional>
#include <set>

#include "log/journal.h"
#include "log/loader.h"
#include "log/queue.h"
#include "log/validator.h"
#include "runtime/gate.h"

namespace millrace::log {

class PartitionLog final : public Log, private JournaledLog {
 public:
  // As Log::open; with `journal_from` as load_log has it.
  static Task<std::unique_ptr<Log>> open(std::string directory, TopicPartition name, TopicId id, LogConfig config,
                                         OpenState state, std::optional<Offset> journal_from);
  PartitionLog(std::string directory, TopicPartition name, TopicId id, LogConfig config, LoadedLog loaded);
  // Must be closed before, unless the whole shard is dropped.
  ~PartitionLog() override;

  AppendResult append(Bytes records, LeaderEpoch epoch, AppendOptions options) override;
  AppendResult append_as_follower(Bytes records) override;
  Task<bool> wait_for(Offset end, Durability level, MonoTime deadline) override;
  Task<void> flush() override;

  Offset start() const override { return start_; }
  Offset end() const override { return end_; }
  Offset written() const override { return written_; }
  Offset durable() const override { return durable_; }
  Offset last_stable(Offset high_watermark) const override;
  Event& advanced() override { return advanced_; }
  bool failed() const override { return failed_; }
  bool on_disk() const override { return on_disk_; }
  int64_t size() const override;
  Offset first_segment() const override { return segments_.front()->base(); }

  Task<ReadResult> read(Offset from, size_t max_bytes, Offset limit, bool at_least_one, bool aborted_transactions,
                        ReadFor purpose) override;
  Task<OffsetAndTimestamp> find_time(Timestamp time, Offset limit) override;
  Task<OffsetAndTimestamp> find_max_timestamp(Offset limit) override;

  LeaderEpoch latest_epoch() const override { return epochs_.latest(); }
  void begin_epoch(LeaderEpoch epoch) override;
  std::pair<LeaderEpoch, Offset> end_of_epoch(LeaderEpoch epoch) const override { return epochs_.end_of(epoch, end_); }
  LeaderEpoch epoch_at(Offset offset) const override { return epochs_.at(offset); }
  std::vector<ProducerSummary> producers() const override { return producers_.summaries(); }
  std::optional<ProducerSummary> producer(ProducerId id) const override;

  void expire_producers(Timestamp older_than) override { producers_.expire(older_than); }
  void configure(LogConfig config) override { config_ = std::move(config); }
  Task<void> delete_before(Offset start) override;
  Task<void> truncate(Offset end) override;
  Task<int> apply_retention(Offset high_watermark) override;
  Task<Offset> recovery_point() override;
  Task<void> roll() override;
  Task<void> close() override;
  const std::string& directory() const override { return directory_; }
  TopicId topic_id() const override { return id_; }
  const std::vector<std::string>& notes() const override { return notes_; }

  // From now on what is appended goes into the journal, too.
  void join(Journal& journal);
  // Everything there is becomes durable in the log's own files. Throws DiskError.
  Task<void> sync_files();

  // Called once, when a write or a sync has failed.
  void on_failure(std::function<void(const DiskError&)> call) { on_failure_ = std::move(call); }
  // Called before the log is made to end at `end`: nobody may take it to go further after a crash.
  void on_truncation(std::function<Task<void>(Offset end)> call) { on_truncation_ = std::move(call); }

  const std::vector<std::shared_ptr<Segment>>& segments() const { return segments_; }

 private:
  struct Job {
    // Either a write …
    std::shared_ptr<Segment> segment;
    int64_t position = 0;
    Bytes bytes;
    Offset next;
    // … or something else that must happen in this order.
    std::function<Task<void>()> work;
    Haste haste = Haste::ordinary;  // of the write
  };

  AppendResult refuse(Validation&& why) const;
  void put(protocol::RecordBatch batch, size_t held, Haste haste = Haste::ordinary);
  void finish_append();
  void roll_before(size_t incoming, Offset last, Timestamp newest, Offset first, Timestamp now);
  void roll_to(Offset base, Timestamp now);
  Task<void> finish_segment(std::shared_ptr<Segment> segment, Offset snapshot_at, std::string snapshot);

  Task<void> make_directory();
  void give_back_file();
  bool may_put_off() const;
  void write_or_put_off();
  void put_off();
  void start_writer();
  Task<void> write_jobs();
  Task<void> write_some();
  void keep_in_tail(protocol::RecordBatch batch, size_t held);
  void evict_tail();
  void note_follower();
  void forget_tail(size_t bytes);
  void hand_to_journal(Offset from, const protocol::RecordBatch& batch);
  void journaled(Offset end) override;
  void journal_failed(const DiskError& error) override { fail(error); }
  Task<bool> sync_segments() override;
  bool write_segments();
  void want_durable(Offset end);
  void note_durable();
  void want_sync(Offset end);
  Task<void> sync_while_wanted();
  Task<void> sync_once();
  Task<void> flush_later(MonoTime due);
  void fail(const DiskError& error);
  // Waits until `work` has run behind everything that was scheduled before it; false when the log has failed.
  Task<bool> in_order(std::function<Task<void>()> work);
  Task<void> quiesce();
  Task<void> write_epochs();
  bool anything_to_write() const;

  size_t segment_index(Offset offset) const;
  struct Piece {
    std::vector<protocol::RecordBatch> batches;
    size_t size = 0;
    bool full = false;  // stopped at the size, not at the end
    Offset next{0};     // behind the last batch, and where that is in the segment
    int64_t end = 0;
    Bytes unread;  // instead of batches
    bool empty() const { return batches.empty() && unread.empty(); }
  };
  Task<Piece> read_segment(std::shared_ptr<Segment> segment, Offset from, size_t room, Offset limit, bool at_least_one,
                           ReadFor purpose);
  Task<Piece> leave_unread(std::shared_ptr<File> file, int64_t position, OffsetIndex::Place end, Offset from,
                           Offset limit);
  bool read_tail(Offset from, size_t max_bytes, Offset limit, bool at_least_one, ReadResult& result) const;
  void use(const std::shared_ptr<Segment>& segment);
  Task<std::optional<protocol::RecordBatch>> first_batch(Offset from, Offset limit,
                                                         std::function<bool(const protocol::RecordBatch&)> wanted);
  Task<TimedOffset> newest_below(std::shared_ptr<Segment> segment, Offset limit);

  Task<bool> begin_truncation(Offset end, Offset cut);
  void end_truncation();
  Task<void> restart_at(Offset start);
  Task<void> remove_segments(std::vector<std::shared_ptr<Segment>> gone);
  Task<void> remove_later(std::vector<std::string> paths, MonoTime due);
  Task<bool> breaches(Segment& segment, const Segment* following, int64_t& excess);

  Disk& disk_;
  Clock& clock_;
  std::string directory_;
  TopicPartition name_;
  TopicId id_;
  LogConfig config_;

  std::vector<std::shared_ptr<Segment>> segments_;  // ascending; the last one is appended to
  LeaderEpochs epochs_;
  bool epochs_dirty_ = false;
  bool epoch_begun_ = false;  // and nothing was appended in it yet
  ProducerState producers_;
  std::set<Offset> snapshots_;
  Offset start_;
  Offset end_;
  Offset written_;
  Offset synced_;  // the files, with a sync
  Offset durable_;

  // Of what lies behind synced_, the journal has, or is getting, what lies between these two. That is worth something
  // once synced_ has come to where it begins.
  std::shared_ptr<Journal::Seat> seat_;
  std::shared_ptr<PutOffWrites::Place> place_;
  Offset journaled_from_;
  Offset journaled_;  // up to here it has it

  struct Kept {
    protocol::RecordBatch batch;
    size_t held;  // memory that goes when this goes
  };
  Queue<Kept> tail_;  // everything from written_ on, and what is kept of what lies before
  int64_t tail_bytes_ = 0;
  int64_t followed_for_ = 0;                    // bytes yet to be appended before nobody is thought to read what is new
  std::vector<std::shared_ptr<Segment>> used_;  // closed segments with open files, the latest last

  Queue<Job> jobs_;
  size_t unwritten_ = 0;     // bytes that jobs will write
  Offset write_wanted_{-1};  // what lies below is not put off
  bool writing_ = false;
  bool syncing_ = false;
  bool alone_ = false;  // truncation works on the files; nothing may be appended
  bool flush_planned_ = false;
  std::multiset<Offset> sync_wanted_;
  std::vector<std::shared_ptr<Segment>> unsynced_;
  bool on_disk_;
  bool directory_unsynced_ = false;
  bool parent_unsynced_ = false;
  uint64_t truncations_ = 0;

  bool failed_ = false;
  bool closed_ = false;
  int checkpoints_ = 0;  // sync_segments() under way
  std::vector<std::string> notes_;
  std::function<void(const DiskError&)> on_failure_;
  std::function<Task<void>(Offset)> on_truncation_;
  Event advanced_;
  Event idle_;     // a job or a sync has ended
  Event closing_;  // background waits end
  Gate gate_;
};

// Memory that the tails of all logs of this process hold.
int64_t tail_memory();

}  // namespace millrace::log
