// From memory to the disk: one writer at a time, one sync at a time, both only while there is something to do.
#include <algorithm>
#include <atomic>

#include "log/partition_log.h"

namespace millrace::log {

using protocol::RecordBatch;

namespace {

constexpr int64_t tail_budget = 2 << 20;           // kept of what is written, per log that somebody follows
constexpr int64_t interest = 8 << 20;              // appended since somebody was here: then nobody follows any more
constexpr int64_t tail_budget_of_all = 128 << 20;  // above it a log keeps nothing that is written
constexpr size_t parts_per_write = 256;
constexpr int most_open_files = 4096;
constexpr size_t bytes_per_write = 8 << 20;

std::atomic<int64_t> tail_bytes_of_all = 0;

}  // namespace

int64_t tail_memory() { return tail_bytes_of_all.load(std::memory_order_relaxed); }

// --- the writer ---

// Whether all that waits to be written is batches that the journal has, or is getting. (What else waits for its turn
// comes to the front once what is wanted has been written.)
bool PartitionLog::may_put_off() const {
  return seat_ && !closed_ && write_wanted_ <= written_ && journaled_from_ <= written_ && !jobs_.empty() &&
         !jobs_.front().work;
}

void PartitionLog::write_or_put_off() {
  if (!may_put_off()) {
    start_writer();
  } else if (!writing_) {
    put_off();
  }
}

void PartitionLog::put_off() { place_->put_off(unwritten_ - place_->bytes()); }

// Everything there is so far gets written.
void PartitionLog::start_writer() {
  if (failed_ || jobs_.empty()) return;
  write_wanted_ = end_;
  if (writing_) return;
  writing_ = true;
  if (place_) place_->begin_write();
  gate_.spawn(write_jobs());
}

bool PartitionLog::write_segments() {
  start_writer();
  return writing_;
}

Task<void> PartitionLog::write_jobs() {
  // What this turn of the event loop still appends goes out with the first write.
  co_await yield();
  try {
    if (!on_disk_) co_await make_directory();
    while (!jobs_.empty() && !failed_ && !may_put_off()) {
      if (jobs_.front().work) {
        const Job job = jobs_.pop_front();
        co_await job.work();
      } else {
        co_await write_some();
      }
      idle_.notify();
    }
  } catch (const DiskError& error) {
    fail(error);
  }
  writing_ = false;
  if (place_) place_->end_write();
  if (!failed_ && may_put_off()) put_off();
  give_back_file();
  idle_.notify();
}

// Descriptors are few, and logs may be many: above a number, a log keeps none while it has nothing to do.
void PartitionLog::give_back_file() {
  if (open_segment_files() > most_open_files && !writing_) segments_.back()->close_file();
}

Task<void> PartitionLog::write_some() {
  const std::shared_ptr<Segment> segment = jobs_.front().segment;
  const int64_t position = jobs_.front().position;
  const bool is_new = !segment->on_disk;
  std::shared_ptr<File> file = co_await segment->writable(disk_);
  if (is_new) directory_unsynced_ = true;

  std::vector<Bytes> parts;
  size_t bytes = 0;
  Haste haste = Haste::none;
  Offset next = written_;
  while (!jobs_.empty() && jobs_.front().segment == segment && parts.size() < parts_per_write &&
         bytes < bytes_per_write) {
    Job job = jobs_.pop_front();
    bytes += job.bytes.size();
    next = job.next;
    if (job.haste == Haste::ordinary) haste = Haste::ordinary;
    parts.push_back(std::move(job.bytes));
  }
  unwritten_ -= bytes;
  co_await file->write(position, std::move(parts), haste);
  if (failed_) co_return;
  // Only now: a sync that began during the write does not cover it.
  if (!segment->unsynced) {
    segment->unsynced = true;
    unsynced_.push_back(segment);
  }
  written_ = next;
  evict_tail();
  advanced_.notify();
}

// Batches that share the memory they came in are each counted as if all of it were theirs: whichever of them stays
// longest keeps it.
void PartitionLog::keep_in_tail(RecordBatch batch, size_t held) {
  followed_for_ -= static_cast<int64_t>(batch.size());
  tail_bytes_ += static_cast<int64_t>(held);
  tail_bytes_of_all.fetch_add(static_cast<int64_t>(held), std::memory_order_relaxed);
  tail_.push_back({std::move(batch), held});
}

void PartitionLog::evict_tail() {
  const bool crowded = tail_memory() > tail_budget_of_all;
  // Where nobody follows, memory goes back while it is still in the processor's cache, and the next request gets it.
  const int64_t budget = crowded || followed_for_ <= 0 ? 0 : tail_budget;
  while (!tail_.empty() && tail_bytes_ > budget && tail_.front().batch.next_offset() <= written_) {
    forget_tail(tail_.pop_front().held);
  }
}

void PartitionLog::note_follower() { followed_for_ = interest; }

void PartitionLog::forget_tail(size_t bytes) {
  tail_bytes_ -= static_cast<int64_t>(bytes);
  tail_bytes_of_all.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}

// --- syncing ---

void PartitionLog::want_durable(Offset end) {
  if (end <= durable_) return;
  want_sync(seat_ ? std::min(end, journaled_from_) : end);
}

void PartitionLog::want_sync(Offset end) {
  if (failed_ || end <= synced_) return;
  if (written_ < end) start_writer();
  sync_wanted_.insert(end);
  if (syncing_) return;
  syncing_ = true;
  gate_.spawn(sync_while_wanted());
}

Task<void> PartitionLog::sync_while_wanted() {
  try {
    while (!failed_ && !sync_wanted_.empty()) {
      sync_wanted_.erase(sync_wanted_.upper_bound(end_), sync_wanted_.end());  // truncated away
      if (sync_wanted_.empty()) break;
      // A sync is worth its price once somebody's bytes are all in the file; it covers everybody else's so far.
      if (*sync_wanted_.begin() > written_) {
        co_await advanced_.wait();
        continue;
      }
      co_await sync_once();
      sync_wanted_.erase(sync_wanted_.begin(), sync_wanted_.upper_bound(synced_));
    }
  } catch (const DiskError& error) {
    fail(error);
  }
  syncing_ = false;
  idle_.notify();
}

Task<void> PartitionLog::sync_once() {
  const Offset covered = written_;
  const uint64_t truncations = truncations_;
  const std::vector<std::shared_ptr<Segment>> segments = std::exchange(unsynced_, {});
  const bool sync_directory = std::exchange(directory_unsynced_, false);
  const bool sync_parent = std::exchange(parent_unsynced_, false);
  for (const std::shared_ptr<Segment>& segment : segments) {
    segment->unsynced = false;
    if (segment->removed) continue;
    std::shared_ptr<File> file = co_await segment->writable(disk_);
    co_await file->sync();
  }
  if (sync_directory) co_await disk_.sync_directory(directory_);
  if (sync_parent) co_await disk_.sync_directory(directory_.substr(0, directory_.find_last_of('/')));
  if (failed_ || truncations != truncations_) co_return;
  synced_ = std::max(synced_, covered);
  note_durable();
  advanced_.notify();
}

void PartitionLog::note_durable() {
  durable_ = std::max(durable_, synced_);
  if (seat_ && synced_ >= journaled_from_) durable_ = std::max(durable_, journaled_);
}

Task<bool> PartitionLog::wait_for(Offset end, Durability level, MonoTime deadline) {
  const auto reached = [this, level] { return level == Durability::durable ? durable_ : std::max(written_, durable_); };
  Offset asked(-1);
  while (!failed_) {
    if (reached() >= end) co_return true;
    const Offset there_is = std::min(end, end_);
    if (level == Durability::durable && asked < there_is) {
      asked = there_is;
      want_durable(there_is);
    }
    if (level == Durability::written && written_ < there_is) start_writer();
    const bool notified = co_await advanced_.wait(deadline);
    if (!notified) co_return reached() >= end;
  }
  co_return false;
}

Task<void> PartitionLog::flush() {
  const Offset wanted = end_;
  const bool done = co_await wait_for(wanted, Durability::durable, never);
  if (!done) throw DiskError("the log in " + directory_ + " has failed", 0);
}

Task<void> PartitionLog::flush_later(MonoTime due) {
  while (!closed_ && clock_.now() < due) {
    const bool closing = co_await closing_.wait(due);
    if (closing) break;
  }
  flush_planned_ = false;
  if (!closed_ && end_ > durable_) want_durable(end_);
}

void PartitionLog::fail(const DiskError& error) {
  if (failed_) return;
  failed_ = true;
  notes_.push_back(error.what());
  if (seat_) seat_->fail(error);
  if (on_failure_) on_failure_(error);
  advanced_.notify();
  idle_.notify();
  closing_.notify();
}

// --- the journal ---

void PartitionLog::join(Journal& journal) {
  check(!seat_);
  seat_ = journal.join(*this, id_, name_.partition);
  place_ = journal.put_off_writes().join([this] { return write_segments(); });
  journaled_from_ = journaled_ = end_;
}

void PartitionLog::hand_to_journal(Offset from, const RecordBatch& batch) {
  const LeaderEpoch epoch = batch.is_legacy() ? LeaderEpoch(-1) : batch.leader_epoch();
  if (seat_->append(from, end_, epoch, batch.bytes())) return;
  // What the journal gets next counts from here, once the files are synced up to here.
  journaled_from_ = end_;
  want_sync(end_);
}

void PartitionLog::journaled(Offset end) {
  journaled_ = std::max(journaled_, end);
  const Offset before = durable_;
  note_durable();
  if (durable_ != before) advanced_.notify();
}

Task<void> PartitionLog::sync_files() {
  co_await sync_segments();
  if (!failed_ && (directory_unsynced_ || parent_unsynced_)) co_await sync_once();
  if (failed_) throw DiskError("the log in " + directory_ + " has failed", 0);
}

Task<bool> PartitionLog::sync_segments() {
  ++checkpoints_;
  const Offset wanted = end_;
  while (!failed_ && synced_ < std::min(wanted, end_)) {
    if (alone_) {
      co_await idle_.wait();
    } else {
      want_sync(std::min(wanted, end_));
      co_await advanced_.wait();
    }
  }
  --checkpoints_;
  idle_.notify();
  co_return !failed_;
}

// --- keeping the order ---

Task<bool> PartitionLog::in_order(std::function<Task<void>()> work) {
  std::shared_ptr<bool> done = std::make_shared<bool>(false);
  std::function<Task<void>()> marked = [done, work = std::move(work)]() -> Task<void> {
    co_await work();
    *done = true;
  };
  jobs_.push_back({nullptr, 0, {}, {}, std::move(marked)});
  start_writer();
  while (!*done && !failed_) co_await idle_.wait();
  co_return *done;
}

Task<void> PartitionLog::quiesce() {
  start_writer();
  while (!failed_ && (writing_ || syncing_ || !jobs_.empty())) co_await idle_.wait();
}

}  // namespace millrace::log
