#include "log/loader.h"

#include <algorithm>
#include <map>

#include "log/batch_scanner.h"

namespace millrace::log {

using protocol::RecordBatch;

namespace {

// A member for every piece of what is being found out; thrown away when the log is loaded.
class Loader {
 public:
  Loader(Disk& disk, std::string directory, TopicPartition name, LogConfig config, OpenState state,
         std::optional<Offset> journal_from)
      : disk_(disk),
        directory_(std::move(directory)),
        name_(std::move(name)),
        config_(std::move(config)),
        state_(state),
        journal_from_(journal_from) {}

  Task<LoadedLog> load();

 private:
  Task<void> settle_interrupted_work();
  Task<void> replace_swapped(std::vector<std::string> swaps);
  Task<void> find_segments();
  Task<void> find_end_of_clean_log();
  Task<void> recover();
  Task<bool> recover_segment(Segment& segment, Offset& next);
  Task<void> drop_segments_from(size_t index);
  Task<void> load_epochs();
  Task<void> remove_stray_snapshots();
  Task<void> remove_files_of(Segment& segment);
  std::string path(const std::string& file) const { return directory_ + "/" + file; }
  Timestamp now() const { return Shard::current().clock().wall_now(); }

  Disk& disk_;
  std::string directory_;
  TopicPartition name_;
  LogConfig config_;
  OpenState state_;
  std::optional<Offset> journal_from_;
  std::vector<DirectoryEntry> files_;
  LoadedLog log_;
};

bool ends_with(const std::string& name, std::string_view suffix) { return name.ends_with(suffix); }

Task<LoadedLog> Loader::load() {
  const std::optional<DirectoryEntry> exists = co_await disk_.stat(directory_);
  if (!exists) {
    co_await disk_.make_directories(directory_);
  }
  // A process that was killed may have made names that no sync has covered since.
  log_.names_unsynced = !exists || !state_.clean_shutdown;
  co_await settle_interrupted_work();
  co_await find_segments();
  co_await load_epochs();
  if (log_.segments.empty()) {
    log_.start = state_.start;
    log_.end = std::min(state_.start, journal_from_.value_or(state_.start));
    log_.segments.push_back(std::make_shared<Segment>(directory_, log_.end, now()));
    co_await remove_stray_snapshots();
  } else {
    log_.start = std::max(state_.start, log_.segments.front()->base());
    co_await remove_stray_snapshots();
    if (state_.clean_shutdown) {
      co_await find_end_of_clean_log();
      co_await rebuild_producers(disk_, directory_, log_.segments, log_.start, log_.end, log_.snapshots, log_.producers,
                                 log_.notes);
    } else {
      co_await recover();
      // What was recovered counts as durable from here on.
      co_await disk_.sync_directory(directory_);
      co_await disk_.sync_directory(directory_.substr(0, directory_.find_last_of('/')));
      log_.names_unsynced = false;
    }
  }
  if (log_.end < state_.start && !journal_from_) {
    log_.notes.push_back("Deleting all segments of " + directory_ + " because the log end offset " +
                         std::to_string(log_.end.value) + " is smaller than the log start offset " +
                         std::to_string(state_.start.value));
    co_await drop_segments_from(0);
    log_.producers.clear();
    log_.epochs_dirty |= log_.epochs.clear();
    log_.segments.push_back(std::make_shared<Segment>(directory_, state_.start, now()));
    log_.start = log_.end = state_.start;
  }
  // Snapshots of a future that did not survive.
  for (auto at = log_.snapshots.upper_bound(log_.end); at != log_.snapshots.end();) {
    co_await disk_.remove(path(segment_file_name(*at, ".snapshot")));
    at = log_.snapshots.erase(at);
  }
  log_.epochs_dirty |= log_.epochs.truncate_from_end(log_.end);
  log_.epochs_dirty |= log_.epochs.truncate_from_start(log_.start);
  co_return std::move(log_);
}

Task<void> Loader::settle_interrupted_work() {
  files_ = co_await disk_.list(directory_);
  std::vector<std::string> cleaned;
  std::vector<std::string> swaps;
  Offset first_cleaned(INT64_MAX);
  for (const DirectoryEntry& file : files_) {
    if (file.is_directory) continue;
    if ((ends_with(file.name, ".deleted") && !ends_with(file.name, ".checkpoint.deleted")) ||
        ends_with(file.name, ".tmp")) {
      co_await disk_.remove(path(file.name));
    } else if (ends_with(file.name, ".cleaned")) {
      cleaned.push_back(file.name);
      first_cleaned = std::min(first_cleaned, offset_of_file(file.name).value_or(first_cleaned));
    } else if (ends_with(file.name, ".swap")) {
      swaps.push_back(file.name);
    }
  }
  std::vector<std::string> complete;
  for (const std::string& swap : swaps) {
    if (offset_of_file(swap).value_or(Offset(INT64_MAX)) >= first_cleaned) {
      co_await disk_.remove(path(swap));
    } else {
      complete.push_back(swap);
    }
  }
  for (const std::string& file : cleaned) co_await disk_.remove(path(file));
  if (complete.empty()) co_return;
  co_await replace_swapped(std::move(complete));
  files_ = co_await disk_.list(directory_);
}

Task<void> Loader::replace_swapped(std::vector<std::string> swaps) {
  if (swaps.empty()) co_return;
  Offset first(INT64_MAX);
  Offset end(INT64_MIN);
  for (const std::string& swap : swaps) {
    const std::optional<Offset> base = offset_of_file(swap);
    if (!base || !ends_with(swap, ".log.swap")) continue;
    first = std::min(first, *base);
    end = std::max(end, *base);
    std::shared_ptr<File> file = co_await disk_.open(path(swap), OpenMode::read);
    BatchScanner scanner(file, 0, file->size());
    bool more = true;
    while (more) {
      while (std::optional<RecordBatch> batch = scanner.next()) end = std::max(end, batch->next_offset());
      more = co_await scanner.more();
    }
  }
  for (const DirectoryEntry& file : files_) {
    const std::optional<Offset> base = offset_of_file(file.name);
    if (!base || ends_with(file.name, ".swap") || *base < first || *base >= end) continue;
    co_await disk_.remove(path(file.name));
  }
  for (const std::string& swap : swaps) {
    const std::string target = swap.substr(0, swap.size() - std::string_view(".swap").size());
    co_await disk_.rename(path(swap), path(target));
    log_.notes.push_back("Finished the interrupted swap of " + path(target));
  }
}

Task<void> Loader::find_segments() {
  struct Has {
    bool index = false;
    bool aborts = false;
    int64_t log_size = -1;
  };
  std::map<Offset, Has> found;
  for (const DirectoryEntry& file : files_) {
    const std::optional<Offset> base = offset_of_file(file.name);
    if (!base || file.is_directory) continue;
    const std::string_view suffix = std::string_view(file.name).substr(20);
    if (suffix == ".log") found[*base].log_size = file.size;
    if (suffix == ".index") found[*base].index = true;
    if (suffix == ".txnindex") found[*base].aborts = true;
    if (suffix == ".timeindex") found[*base];
    if (suffix == ".snapshot") log_.snapshots.insert(*base);
  }
  for (const auto& [base, has] : found) {
    if (has.log_size < 0) {
      log_.notes.push_back("Found an orphaned index file of " + directory_ + "/" + segment_file_name(base, ".log"));
      for (const std::string_view suffix : {".index", ".timeindex", ".txnindex"}) {
        co_await disk_.remove(path(segment_file_name(base, suffix)));
      }
      continue;
    }
    auto segment = std::make_shared<Segment>(directory_, base, now());
    segment->set_size(has.log_size);
    segment->on_disk = true;
    segment->indexes_loaded = has.log_size == 0;
    segment->indexes_dirty = !has.index;
    if (has.aborts) {
      const std::string file_path = segment->path(".txnindex");
      const std::optional<std::string> file = co_await read_file(disk_, file_path, INT32_MAX);
      try {
        segment->aborted = TransactionIndex::decode(file.value_or(""), file_path);
      } catch (const CorruptLog&) {
        // A segment that is going to be scanned gets a new one.
        if (state_.clean_shutdown) throw;
        segment->aborted_dirty = true;
      }
    }
    log_.segments.push_back(std::move(segment));
  }
}

// The last segment that holds anything tells where the log ends; its index says from where to look.
Task<void> Loader::find_end_of_clean_log() {
  Segment& active = *log_.segments.back();
  log_.end = active.base();
  if (active.empty()) co_return;
  co_await active.load_indexes(disk_, config_.index_interval_bytes);
  std::shared_ptr<File> file = co_await active.readable(disk_);
  const int64_t from = active.offsets.lookup(Offset(INT64_MAX));
  BatchScanner scanner(file, from, active.size());
  bool more = true;
  while (more) {
    while (std::optional<RecordBatch> batch = scanner.next()) {
      log_.end = batch->next_offset();
      if (!batch->is_legacy() && batch->max_timestamp() > active.newest.timestamp) {
        active.newest = {batch->max_timestamp(), batch->last_offset()};
      }
      if (scanner.batch_position() == 0 && !batch->is_legacy()) active.first_timestamp = batch->max_timestamp();
    }
    more = co_await scanner.more();
  }
  if (scanner.position() != active.size()) {
    throw CorruptLog("Found " + std::to_string(active.size() - scanner.position()) +
                     " bytes that are no record batch at position " + std::to_string(scanner.position()) + " of " +
                     active.path(".log") + " although the log directory was shut down cleanly");
  }
  if (from != 0) {
    std::array<std::byte, protocol::batch_header_size> head{};
    const size_t got = co_await file->read(0, head);
    if (got == head.size() && static_cast<int8_t>(head[16]) == 2) {
      active.first_timestamp = Timestamp(protocol::load_big<int64_t>(head.data() + 35));
    }
  }
}

// Scans what was not known to be synced, and everything behind it.
Task<void> Loader::recover() {
  size_t first = 0;
  while (first + 1 < log_.segments.size() && log_.segments[first + 1]->base() <= state_.recovery_point) ++first;
  // A transaction index that could not be read is built again, however old.
  for (size_t i = 0; i < first; ++i) {
    if (log_.segments[i]->aborted_dirty) first = i;
  }
  co_await rebuild_producers(disk_, directory_, log_.segments, log_.start, log_.segments[first]->base(), log_.snapshots,
                             log_.producers, log_.notes);
  Offset next = log_.segments[first]->base();
  for (size_t i = first; i < log_.segments.size(); ++i) {
    Segment& segment = *log_.segments[i];
    // Only compaction leaves gaps between segments, and only below the recovery point; else something was lost.
    const bool gap = i > first && segment.base() != next && !config_.cleanup_compact;
    if (gap || segment.base() < next) {
      log_.notes.push_back("Segment " + segment.path(".log") + " does not follow offset " + std::to_string(next.value) +
                           "; deleting it and all later ones");
      co_await drop_segments_from(i);
      break;
    }
    next = segment.base();
    const bool whole = co_await recover_segment(segment, next);
    if (!whole) {
      log_.notes.push_back("Corruption found in segment " + segment.path(".log") + ", truncated to offset " +
                           std::to_string(next.value));
      co_await drop_segments_from(i + 1);
      break;
    }
  }
  log_.end = next;
}

// False when the segment had to be cut. What stays is synced afterwards.
Task<bool> Loader::recover_segment(Segment& segment, Offset& next) {
  const int64_t file_size = segment.size();
  segment.set_size(0);
  segment.offsets.clear();
  segment.times.clear();
  segment.newest = {};
  segment.indexes_loaded = true;
  segment.indexes_dirty = true;
  const std::vector<AbortedEntry> old_aborts = segment.aborted.entries();
  segment.aborted.clear();
  if (file_size == 0) {
    segment.aborted_dirty |= !old_aborts.empty();
    co_return true;
  }

  std::shared_ptr<File> file = co_await segment.writable(disk_);
  BatchScanner scanner(file, 0, file_size);
  bool more = true;
  bool good = true;
  while (more && good) {
    while (std::optional<RecordBatch> batch = scanner.next()) {
      // The base offset is outside the checksum: it may be anything.
      good = batch->crc_matches() && batch->base_offset() >= next && segment.offsets.fits(batch->base_offset()) &&
             batch->last_offset() >= batch->base_offset() && segment.offsets.fits(batch->last_offset());
      if (!good) break;
      segment.append(*batch, config_.index_interval_bytes);
      next = batch->next_offset();
      if (batch->is_legacy()) continue;
      if (batch->leader_epoch() > log_.epochs.latest()) {
        log_.epochs_dirty |= log_.epochs.assign(batch->leader_epoch(), batch->base_offset());
      }
      const std::optional<CompletedTransaction> done = log_.producers.apply(*batch);
      if (done && done->aborted) {
        segment.aborted.append({done->producer, done->first, done->last, done->last_stable});
      }
    }
    if (good) more = co_await scanner.more();
  }
  if (segment.aborted.entries() != old_aborts) segment.aborted_dirty = true;
  segment.finish();
  const bool whole = segment.size() == file_size;
  if (!whole) co_await file->truncate(segment.size());
  co_await file->sync();
  co_return whole;
}

Task<void> Loader::remove_files_of(Segment& segment) {
  segment.removed = true;
  for (const std::string_view suffix : {".log", ".index", ".timeindex", ".txnindex", ".snapshot"}) {
    co_await disk_.remove(segment.path(suffix));
  }
  log_.snapshots.erase(segment.base());
}

// The last one first, so that an interruption leaves no gap.
Task<void> Loader::drop_segments_from(size_t index) {
  while (log_.segments.size() > index) {
    co_await remove_files_of(*log_.segments.back());
    log_.segments.pop_back();
  }
  co_await disk_.sync_directory(directory_);
}

Task<void> Loader::load_epochs() {
  const std::string file_path = path("leader-epoch-checkpoint");
  const std::optional<std::string> file = co_await read_file(disk_, file_path);
  if (file) log_.epochs = LeaderEpochs(parse_epochs(*file, file_path));
}

// Snapshots belong to segments; one more may lie behind the last base, from a clean shutdown.
Task<void> Loader::remove_stray_snapshots() {
  std::set<Offset> bases;
  for (const auto& segment : log_.segments) bases.insert(segment->base());
  std::vector<Offset> strays;
  for (const Offset at : log_.snapshots) {
    if (!bases.contains(at)) strays.push_back(at);
  }
  if (!strays.empty() && strays.back() > log_.segments.back()->base()) strays.pop_back();
  for (const Offset at : strays) {
    co_await disk_.remove(path(segment_file_name(at, ".snapshot")));
    log_.snapshots.erase(at);
  }
}

}  // namespace

Task<void> rebuild_producers(Disk& disk, std::string directory, const std::vector<std::shared_ptr<Segment>>& segments,
                             Offset start, Offset end, std::set<Offset>& snapshots, ProducerState& producers,
                             std::vector<std::string>& notes) {
  producers.clear();
  Offset next = std::min(start, end);
  for (auto at = snapshots.upper_bound(end); at != snapshots.begin();) {
    --at;
    const std::string file_path = directory + "/" + segment_file_name(*at, ".snapshot");
    const std::optional<std::string> file = co_await read_file(disk, file_path, INT32_MAX);
    if (file && producers.load_snapshot(*file)) {
      next = std::max(next, *at);
      break;
    }
    notes.push_back("Failed to load producer snapshot " + file_path);
    co_await disk.remove(file_path);
    at = snapshots.erase(at);
  }
  for (size_t i = 0; i < segments.size() && next < end; ++i) {
    if (i + 1 < segments.size() && segments[i + 1]->base() <= next) continue;
    Segment& segment = *segments[i];
    if (segment.empty() || segment.base() >= end) continue;
    std::shared_ptr<File> file = co_await segment.readable(disk);
    const int64_t from = segment.indexes_loaded ? segment.offsets.lookup(next) : 0;
    BatchScanner scanner(std::move(file), from, segment.size());
    bool more = true;
    while (more && next < end) {
      while (std::optional<RecordBatch> batch = scanner.next()) {
        if (batch->base_offset() >= end) break;
        if (batch->base_offset() < next) continue;
        producers.apply(*batch);
        next = batch->next_offset();
      }
      more = co_await scanner.more();
    }
  }
}

Task<LoadedLog> load_log(Disk& disk, std::string directory, TopicPartition name, LogConfig config, OpenState state,
                         std::optional<Offset> journal_from) {
  Loader loader(disk, std::move(directory), std::move(name), std::move(config), state, journal_from);
  LoadedLog log = co_await loader.load();
  co_return log;
}

}  // namespace millrace::log
