// What makes a log smaller: retention, DeleteRecords, truncation; and its end: checkpointing and closing.
#include <algorithm>

#include "log/batch_scanner.h"
#include "log/partition_log.h"

namespace millrace::log {

using protocol::RecordBatch;

namespace {
constexpr std::string_view suffixes[] = {".log", ".index", ".timeindex", ".txnindex"};
}

Task<void> PartitionLog::delete_before(Offset start) {
  if (start > end_) {
    co_await restart_at(start);
    co_return;
  }
  if (start <= start_) co_return;
  start_ = start;
  epochs_dirty_ |= epochs_.truncate_from_start(start);
  advanced_.notify();
}

// --- retention ---

// Whether `segment` is too old or too much; `excess` is how many bytes may still go.
Task<bool> PartitionLog::breaches(Segment& segment, const Segment* following, int64_t& excess) {
  if (following && following->base() <= start_) co_return true;
  if (!config_.cleanup_delete) co_return false;
  if (config_.retention_bytes >= 0 && excess - segment.size() >= 0) {
    excess -= segment.size();
    co_return true;
  }
  if (config_.retention.count() < 0) co_return false;
  if (!segment.indexes_loaded) co_await segment.load_indexes(disk_, config_.index_interval_bytes);
  const Timestamp newest = segment.newest.timestamp.value >= 0 ? segment.newest.timestamp : segment.created();
  co_return clock_.wall_now() - newest > config_.retention.count();
}

Task<int> PartitionLog::apply_retention(Offset high_watermark) {
  if (failed_ || closed_ || alone_) co_return 0;
  int64_t excess = config_.retention_bytes < 0 ? -1 : size() - config_.retention_bytes;
  std::vector<std::shared_ptr<Segment>> gone;
  const uint64_t truncations = truncations_;
  try {
    for (size_t i = 0; i < segments_.size(); ++i) {
      const std::shared_ptr<Segment> segment = segments_[i];
      const std::shared_ptr<Segment> following = i + 1 < segments_.size() ? segments_[i + 1] : nullptr;
      if (!following && segment->empty()) break;
      if (high_watermark < (following ? following->base() : end_)) break;
      const bool too_much = co_await breaches(*segment, following.get(), excess);
      if (!too_much || truncations != truncations_ || closed_ || failed_) break;
      gone.push_back(segment);
    }
  } catch (const DiskError& error) {
    fail(error);
    co_return 0;
  }
  if (gone.empty() || truncations != truncations_ || closed_ || failed_) co_return 0;
  if (gone.back() == segments_.back()) {
    if (high_watermark < end_) {
      gone.pop_back();
      if (gone.empty()) co_return 0;
    } else {
      roll_to(end_, clock_.wall_now());
    }
  }
  std::erase_if(segments_, [&](const auto& segment) { return std::ranges::find(gone, segment) != gone.end(); });
  std::erase_if(used_, [&](const auto& segment) { return std::ranges::find(gone, segment) != gone.end(); });
  start_ = std::max(start_, segments_.front()->base());
  epochs_dirty_ |= epochs_.truncate_from_start(start_);
  const int count = static_cast<int>(gone.size());
  advanced_.notify();
  co_await remove_segments(std::move(gone));
  co_return count;
}

// Renames the files, behind whatever is still being written to them, and removes them later: readers may be at work.
Task<void> PartitionLog::remove_segments(std::vector<std::shared_ptr<Segment>> gone) {
  for (const auto& segment : gone) snapshots_.erase(segment->base());
  std::shared_ptr<std::vector<std::string>> renamed = std::make_shared<std::vector<std::string>>();
  std::function<Task<void>()> rename = [this, gone, renamed]() -> Task<void> {
    // The log must still know where it ends when nothing older tells.
    const std::shared_ptr<Segment> active = segments_.back();
    if (active->empty()) {
      co_await active->writable(disk_);
      co_await disk_.sync_directory(directory_);
    }
    for (const auto& segment : gone) {
      segment->removed = true;
      for (const std::string_view suffix : {".log", ".index", ".timeindex", ".txnindex", ".snapshot"}) {
        const std::string path = segment->path(suffix);
        const std::optional<DirectoryEntry> there = co_await disk_.stat(path);
        if (!there) continue;
        co_await disk_.rename(path, path + ".deleted");
        renamed->push_back(path + ".deleted");
      }
    }
  };
  const bool done = co_await in_order(rename);
  if (done) gate_.spawn(remove_later(*renamed, clock_.now() + config_.file_delete_delay));
}

Task<void> PartitionLog::remove_later(std::vector<std::string> paths, MonoTime due) {
  while (!closed_ && !failed_ && clock_.now() < due) co_await closing_.wait(due);
  if (closed_ || failed_) co_return;  // the next start removes them
  try {
    for (const std::string& path : paths) co_await disk_.remove(path);
  } catch (const DiskError& error) {
    fail(error);
  }
}

// --- truncation ---

// First it is told, so that what goes cannot come back from the journal, nor be taken for synced; then nobody else
// works on the files. False: nothing may be touched.
Task<bool> PartitionLog::begin_truncation(Offset end, Offset cut) {
  try {
    if (on_truncation_) co_await on_truncation_(end);
    if (seat_) co_await seat_->cut(cut);
  } catch (const DiskError& error) {
    fail(error);
  }
  if (failed_ || closed_) co_return false;
  check(!alone_);
  alone_ = true;
  co_await quiesce();
  ++truncations_;
  co_return true;
}

void PartitionLog::end_truncation() {
  ++truncations_;
  alone_ = false;
  want_sync(journaled_from_);
  advanced_.notify();
  idle_.notify();
}

Task<void> PartitionLog::truncate(Offset end) {
  if (end >= end_ || failed_ || closed_) co_return;
  if (end < segments_.front()->base()) {
    co_await restart_at(end);
    co_return;
  }
  const bool begun = co_await begin_truncation(end, end);
  if (!begun) co_return;
  try {
    // Later segments first: an interruption must not leave a gap.
    while (segments_.back()->base() > end) {
      const std::shared_ptr<Segment> last = segments_.back();
      segments_.pop_back();
      std::erase(used_, last);
      last->removed = true;
      for (const std::string_view suffix : suffixes) co_await disk_.remove(last->path(suffix));
    }
    const std::shared_ptr<Segment> active = segments_.back();
    std::erase(used_, active);
    if (!active->empty()) {
      co_await active->load_indexes(disk_, config_.index_interval_bytes);
      std::shared_ptr<File> file = co_await active->writable(disk_);
      Offset new_end = active->base();
      int64_t position = 0;
      TimedOffset newest;
      // From an index entry below the new end: the newest timestamp until there is the entry's.
      OffsetIndex kept = active->offsets;
      kept.truncate(end);
      TimeIndex kept_times = active->times;
      kept_times.truncate(end);
      newest = kept_times.last();
      position = std::min(kept.lookup(end), kept.lookup(newest.offset));
      BatchScanner scanner(file, position, active->size());
      bool more = true;
      bool done = false;
      while (more && !done) {
        while (std::optional<RecordBatch> batch = scanner.next()) {
          done = batch->last_offset() >= end;
          if (done) break;
          new_end = batch->next_offset();
          position = scanner.position();
          if (!batch->is_legacy() && batch->max_timestamp() > newest.timestamp) {
            newest = {batch->max_timestamp(), batch->last_offset()};
          }
        }
        if (!done) more = co_await scanner.more();
      }
      active->cut(new_end, position, clock_.wall_now());
      active->newest = newest;
      co_await file->truncate(position);
      co_await file->sync();
      co_await active->write_transaction_index(disk_);
      end = std::min(end, std::max(new_end, active->base()));
    }
    for (auto at = snapshots_.upper_bound(end); at != snapshots_.end();) {
      co_await disk_.remove(directory_ + "/" + segment_file_name(*at, ".snapshot"));
      at = snapshots_.erase(at);
    }
    co_await disk_.sync_directory(directory_);
    end_ = end;
    start_ = std::min(start_, end_);
    written_ = std::min(written_, end_);
    synced_ = std::min(synced_, end_);
    durable_ = std::min(durable_, end_);
    journaled_from_ = std::min(journaled_from_, end_);
    journaled_ = std::min(journaled_, end_);
    write_wanted_ = std::min(write_wanted_, end_);
    while (!tail_.empty() && tail_.back().batch.last_offset() >= end_) {
      forget_tail(tail_.back().held);
      tail_.pop_back();
    }
    co_await rebuild_producers(disk_, directory_, segments_, start_, end_, snapshots_, producers_, notes_);
    epochs_dirty_ |= epochs_.truncate_from_end(end_);
    co_await write_epochs();
  } catch (const DiskError& error) {
    fail(error);
  }
  end_truncation();
}

// Everything goes; the log begins anew, empty, at `start`.
Task<void> PartitionLog::restart_at(Offset start) {
  const bool begun = co_await begin_truncation(start, Offset(0));
  if (!begun) co_return;
  try {
    if (!on_disk_) co_await make_directory();
    const std::vector<std::shared_ptr<Segment>> old = std::exchange(segments_, {});
    segments_.push_back(std::make_shared<Segment>(directory_, start, clock_.wall_now()));
    used_.clear();
    unsynced_.clear();
    while (!tail_.empty()) {
      forget_tail(tail_.back().held);
      tail_.pop_back();
    }
    start_ = end_ = written_ = synced_ = durable_ = start;
    journaled_from_ = journaled_ = write_wanted_ = start;
    producers_.clear();
    epochs_dirty_ |= epochs_.clear();
    for (auto segment = old.rbegin(); segment != old.rend(); ++segment) {
      (*segment)->removed = true;
      for (const std::string_view suffix : suffixes) co_await disk_.remove((*segment)->path(suffix));
    }
    for (const Offset at : std::exchange(snapshots_, {})) {
      co_await disk_.remove(directory_ + "/" + segment_file_name(at, ".snapshot"));
    }
    co_await segments_.back()->writable(disk_);
    co_await write_epochs();
    co_await disk_.sync_directory(directory_);
  } catch (const DiskError& error) {
    fail(error);
  }
  end_truncation();
}

// --- checkpoints and the end ---

Task<Offset> PartitionLog::recovery_point() {
  const Offset point = synced_;
  if (failed_ || closed_ || alone_ || !on_disk_) co_return point;
  std::vector<std::shared_ptr<Segment>> dirty;
  for (const auto& segment : segments_) {
    if (segment->aborted_dirty) dirty.push_back(segment);
  }
  if (!epochs_dirty_ && dirty.empty()) co_return point;
  std::function<Task<void>()> write = [this, dirty]() -> Task<void> {
    for (const auto& segment : dirty) co_await segment->write_transaction_index(disk_);
    co_await write_epochs();
  };
  const bool done = co_await in_order(write);
  co_return done ? point : Offset(0);
}

// False: the files are as close() would leave them.
bool PartitionLog::anything_to_write() const {
  const auto is_dirty = [](const std::shared_ptr<Segment>& segment) {
    return !segment->on_disk || segment->indexes_dirty || segment->aborted_dirty;
  };
  return directory_unsynced_ || parent_unsynced_ || epochs_dirty_ || !unsynced_.empty() ||
         end_ > (snapshots_.empty() ? start_ : *snapshots_.rbegin()) || std::ranges::any_of(segments_, is_dirty);
}

Task<void> PartitionLog::close() {
  if (closed_) co_return;
  closed_ = true;  // nothing is appended from here on
  closing_.notify();
  want_sync(end_);
  co_await quiesce();
  std::optional<DiskError> failure;
  if (!failed_ && on_disk_ && anything_to_write()) {
    try {
      if (directory_unsynced_ || parent_unsynced_ || !unsynced_.empty()) co_await sync_once();
      Segment& active = *segments_.back();
      if (active.indexes_loaded) active.finish();
      if (!active.on_disk) {
        co_await active.writable(disk_);
        active.indexes_dirty = true;
      }
      for (const auto& segment : segments_) co_await segment->write_indexes(disk_);
      if (end_ > (snapshots_.empty() ? start_ : *snapshots_.rbegin())) {
        std::string snapshot = producers_.encode_snapshot();
        std::string path = directory_ + "/" + segment_file_name(end_, ".snapshot");
        co_await write_new_file(disk_, std::move(path), std::move(snapshot));
        snapshots_.insert(end_);
      }
      co_await write_epochs();
      co_await disk_.sync_directory(directory_);
    } catch (const DiskError& error) {
      failure = error;
    }
  }
  if (failure) fail(*failure);
  if (seat_) seat_->leave();
  if (place_) place_->leave();
  advanced_.notify();
  while (checkpoints_ > 0) co_await idle_.wait();
  co_await gate_.close();
  for (const auto& segment : segments_) segment->release();
  used_.clear();
  if (failure) throw DiskError(*failure);
}

}  // namespace millrace::log
