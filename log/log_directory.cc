#include "log/log_directory.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "log/directory_name.h"
#include "log/partition_log.h"

namespace millrace::log {

namespace {

constexpr std::string_view marker_file = ".kafka_cleanshutdown";
constexpr std::string_view cleaner_file = "cleaner-offset-checkpoint";
constexpr std::string_view remote_cache = "remote-log-index-cache";

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Task<PartitionPositions> positions_of(Log& log, TopicPartition name, Offset high_watermark) {
  PartitionPositions positions;
  positions.name = std::move(name);
  positions.recovery_point = co_await log.recovery_point();
  positions.high_watermark = high_watermark;
  positions.start = log.start();
  positions.start_moved = log.start() > log.first_segment();
  co_return positions;
}

LogDirectory::LogDirectory(std::string path)
    : disk_(Shard::current().disk()), home_(Shard::current()), path_(std::move(path)) {}

LogDirectory::~LogDirectory() = default;

Task<std::unique_ptr<LogDirectory>> LogDirectory::open(std::string path) {
  std::unique_ptr<LogDirectory> directory(new LogDirectory(std::move(path)));
  co_await directory->take();
  co_return directory;
}

Task<void> LogDirectory::take() {
  // What is made now survives a power cut only once its parents are synced, up to one that was there.
  std::vector<std::string> unsynced;
  for (std::string at = path_;; at = parent_of(at)) {
    const std::optional<DirectoryEntry> there = co_await disk_.stat(at);
    if (there) break;
    unsynced.push_back(parent_of(at));
  }
  co_await disk_.make_directories(path_);
  lock_ = co_await disk_.lock(file(".lock"));
  if (!lock_) {
    throw CorruptLog("Failed to acquire lock on file .lock in " + path_ +
                     ". A Kafka instance in another process or thread is using this directory.");
  }
  const std::string meta_path = file("meta.properties");
  const std::optional<std::string> meta = co_await read_file(disk_, meta_path);
  if (meta) meta_ = parse_meta_properties(*meta, meta_path);
  // A process that was killed before it could do this may have made it.
  if (!meta && unsynced.empty()) unsynced.push_back(parent_of(path_));
  for (const std::string& directory : unsynced) co_await disk_.sync_directory(directory);

  const std::optional<std::string> marker = co_await read_file(disk_, file(marker_file));
  recovered_ = co_await RecoveredJournal::read(disk_, path_);
  if (marker) {
    // We leave no journal beside a marker; another who has been here since says that the files are the whole truth.
    co_await recovered_.remove(disk_);
    clean_shutdown_ = true;
    previous_broker_epoch_ = parse_clean_shutdown(*marker);
    co_await disk_.remove(file(marker_file));
    co_await disk_.sync_directory(path_);
  }
  co_await read_checkpoints();
  co_await find_partitions();
}

Task<OffsetCheckpoint> LogDirectory::read_checkpoint(std::string name, std::string consequence) {
  const std::string path = file(name);
  const std::optional<std::string> text = co_await read_file(disk_, path);
  OffsetCheckpoint offsets;
  try {
    offsets = parse_offsets(text.value_or(""), path);
  } catch (const CorruptLog& error) {
    warnings_.push_back(std::string(error.what()) + ": " + consequence);
  }
  co_return offsets;
}

Task<void> LogDirectory::read_checkpoints() {
  recovery_points_.offsets = co_await read_checkpoint(std::string(recovery_file), "resetting the recovery point to 0");
  high_watermarks_.offsets = co_await read_checkpoint(std::string(high_watermark_file), "high watermarks start at 0");
  starts_.offsets = co_await read_checkpoint(std::string(start_file), "logs start with their first segment");
  const std::optional<DirectoryEntry> cleaner = co_await disk_.stat(file(cleaner_file));
  if (!cleaner) co_await disk_.open(file(cleaner_file), OpenMode::write);
}

Task<void> LogDirectory::find_partitions() {
  const std::vector<DirectoryEntry> entries = co_await disk_.list(path_);
  std::vector<std::string> deleted;
  for (const DirectoryEntry& entry : entries) {
    if (!entry.is_directory || entry.name == remote_cache) continue;
    if (entry.name == "lost+found") {
      warnings_.push_back("Ignoring " + file(entry.name) + ", which belongs to the file system");
      continue;
    }
    const std::optional<DirectoryName> name = parse_directory_name(entry.name);
    if (!name) {
      throw CorruptLog("Found directory " + file(entry.name) + ", '" + entry.name +
                       "' is not in the form of topic-partition or topic-partition.uniqueId-delete (if marked for "
                       "deletion).\nKafka's log directories (and children) should only contain Kafka topic data.");
    }
    switch (name->kind) {
      case DirectoryKind::deleted:
        deleted.push_back(file(entry.name));
        continue;
      case DirectoryKind::stray:
        warnings_.push_back("Not serving the stray partition in " + file(entry.name));
        continue;
      case DirectoryKind::future:
        warnings_.push_back("Not serving the unfinished move in " + file(entry.name));
        continue;
      case DirectoryKind::partition:
        break;
    }
    if (name->partition.topic == metadata_topic) {
      has_metadata_log_ = true;
      continue;
    }
    FoundPartition found{name->partition, TopicId()};
    if (!clean_shutdown_) {
      const std::optional<TopicId> id = co_await topic_id_of(name->partition);
      if (!id) {
        co_await set_aside_stray(name->partition);
        continue;
      }
      found.id = *id;
    }
    partitions_.push_back(std::move(found));
  }
  if (!deleted.empty()) gate_.spawn(remove_later(std::move(deleted), after(std::chrono::minutes(1))));
  // What has no directory begins anew, whatever it once had.
  // The files are to say so before it does: else a crash soon after would give it what is said of its predecessor.
  std::unordered_set<TopicPartition> found;
  for (const FoundPartition& partition : partitions_) found.insert(partition.name);
  for (Checkpoint* checkpoint : {&recovery_points_, &high_watermarks_, &starts_}) {
    const size_t gone =
        std::erase_if(checkpoint->offsets, [&](const auto& entry) { return !found.contains(entry.first); });
    if (gone > 0) co_await checkpoint->write(*this);
  }
}

Task<std::optional<TopicId>> LogDirectory::topic_id_of(TopicPartition name) {
  const std::string path = partition_path(name) + "/partition.metadata";
  const std::optional<std::string> text = co_await read_file(disk_, path);
  if (!text) co_return std::nullopt;
  co_return parse_partition_metadata(*text, path);
}

Task<void> LogDirectory::write_meta(MetaProperties meta) {
  std::string text = format_meta_properties(meta, home_.clock().wall_now());
  meta_ = std::move(meta);
  co_await write_exclusively("meta.properties", std::move(text));
}

std::string LogDirectory::partition_path(const TopicPartition& name) const { return file(directory_name(name)); }

OpenState LogDirectory::open_state(const TopicPartition& name) const {
  OpenState state;
  state.clean_shutdown = clean_shutdown_;
  const auto recovery = recovery_points_.offsets.find(name);
  if (recovery != recovery_points_.offsets.end()) state.recovery_point = recovery->second;
  const auto start = starts_.offsets.find(name);
  if (start != starts_.offsets.end()) state.start = start->second;
  return state;
}

Offset LogDirectory::high_watermark(const TopicPartition& name) const {
  const auto found = high_watermarks_.offsets.find(name);
  return found == high_watermarks_.offsets.end() ? Offset(0) : found->second;
}

Task<std::unique_ptr<Log>> LogDirectory::open_log(TopicPartition name, TopicId id, LogConfig config, OpenState state) {
  std::string directory = partition_path(name);
  const std::optional<Offset> journal_from = recovered_.first(id, name.partition);
  const TopicPartition told = name;
  std::unique_ptr<Log> log =
      co_await PartitionLog::open(std::move(directory), std::move(name), id, std::move(config), state, journal_from);
  watch(*log, told);
  if (journal_from) co_await recover_tail(static_cast<PartitionLog&>(*log), id, told.partition);
  if (log->end() < state.recovery_point) {
    // It would be believed once more has been appended.
    auto tell = [this, &told, end = log->end()] { return tell_truncation(told, end); };
    co_await on(home_, std::move(tell));
  }
  co_return log;
}

std::unique_ptr<Log> LogDirectory::create_log(TopicPartition name, TopicId id, LogConfig config) {
  std::string directory = partition_path(name);
  std::unique_ptr<Log> log = Log::create(std::move(directory), name, id, std::move(config));
  watch(*log, name);
  return log;
}

void LogDirectory::watch(Log& log, const TopicPartition& name) {
  PartitionLog& watched = static_cast<PartitionLog&>(log);
  watched.on_failure(failing());
  watched.on_truncation([this, name](Offset end) {
    auto tell = [this, name, end] { return tell_truncation(name, end); };
    return on(home_, std::move(tell));
  });
  const auto journal = std::ranges::find(journals_, &Shard::current(), [](const auto& of) { return of.first; });
  if (journal != journals_.end()) watched.join(*journal->second);
}

// To be called on any shard.
std::function<void(const DiskError&)> LogDirectory::failing() {
  return [this](const DiskError& error) { home_.post([this, why = std::string(error.what())] { fail(why); }); };
}

// --- journals ---

// Afterwards the log's own files have everything.
Task<void> LogDirectory::recover_tail(PartitionLog& log, TopicId id, PartitionId partition) {
  std::exception_ptr error;
  try {
    co_await recovered_.replay(log, id, partition);
    if (log.end() < log.start()) co_await log.delete_before(log.start());
    co_await log.sync_files();
  } catch (...) {
    error = std::current_exception();
  }
  if (!error) co_return;
  try {
    co_await log.close();
  } catch (const DiskError&) {
    // The first one is told.
  }
  std::rethrow_exception(error);
}

Task<void> LogDirectory::keep_journals(std::vector<Shard*> shards, int64_t bytes) {
  for (Shard* shard : shards) {
    auto make = [this, bytes]() -> Task<std::unique_ptr<Journal>> {
      auto journal = std::make_unique<Journal>(path_, bytes);
      journal->on_failure(failing());
      co_return journal;
    };
    std::unique_ptr<Journal> journal = co_await on(*shard, std::move(make));
    journals_.emplace_back(shard, std::move(journal));
  }
}

Task<void> LogDirectory::finish_recovery() {
  co_await recovered_.remove(disk_);
  for (const auto& [shard, journal] : journals_) {
    auto begin = [&journal]() -> Task<void> {
      journal->begin();
      co_return;
    };
    co_await on(*shard, std::move(begin));
  }
}

Task<void> LogDirectory::close_journals(bool remove) {
  for (const auto& [shard, journal] : journals_) {
    auto close = [&journal, remove]() -> Task<void> { co_await journal->close(remove); };
    co_await on(*shard, std::move(close));
  }
  if (journals_.empty() || !remove) co_return;
  const std::vector<DirectoryEntry> entries = co_await disk_.list(path_);
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory || !entry.name.starts_with(journal_file_prefix)) continue;
    co_await disk_.remove(file(entry.name));
  }
  co_await disk_.sync_directory(path_);
}

// --- checkpoints ---

Task<void> LogDirectory::write_exclusively(std::string name, std::string text) {
  while (writing_) co_await written_.wait();
  if (offline_) co_return;
  writing_ = true;
  std::optional<DiskError> failure;
  try {
    co_await write_file_atomically(disk_, file(name), std::move(text));
  } catch (const DiskError& error) {
    failure = error;
  }
  writing_ = false;
  written_.notify();
  if (failure) {
    fail(failure->what());
    throw DiskError(*failure);
  }
}

Task<void> LogDirectory::Checkpoint::write(LogDirectory& directory) {
  // What somebody else is writing may be ours: whoever returns from here has it on the disk.
  while (directory.writing_) co_await directory.written_.wait();
  if (!changed) co_return;
  changed = false;
  std::string text = format_offsets(offsets);
  co_await directory.write_exclusively(std::string(file), std::move(text));
}

void LogDirectory::Checkpoint::set(const TopicPartition& name, Offset offset) {
  const auto [at, is_new] = offsets.try_emplace(name, offset);
  changed = changed || is_new || at->second != offset;
  at->second = offset;
}

void LogDirectory::Checkpoint::erase(const TopicPartition& name) { changed = offsets.erase(name) > 0 || changed; }

Task<void> LogDirectory::write_checkpoints() {
  co_await recovery_points_.write(*this);
  co_await starts_.write(*this);
  co_await high_watermarks_.write(*this);
}

// Afterwards the files do not say of the log that it goes further.
Task<void> LogDirectory::tell_truncation(TopicPartition name, Offset end) {
  outdated_.insert(name);
  for (Checkpoint* checkpoint : {&recovery_points_, &starts_}) {
    const auto said = checkpoint->offsets.find(name);
    if (said != checkpoint->offsets.end() && said->second > end) checkpoint->set(name, end);
    co_await checkpoint->write(*this);
  }
}

Task<void> LogDirectory::checkpoint(std::vector<PartitionPositions> positions) {
  for (const PartitionPositions& p : positions) {
    if (outdated_.contains(p.name)) continue;
    recovery_points_.set(p.name, p.recovery_point);
    high_watermarks_.set(p.name, p.high_watermark);
    if (p.start_moved) {
      starts_.set(p.name, p.start);
    } else {
      starts_.erase(p.name);
    }
  }
  co_await write_checkpoints();
}

Task<void> LogDirectory::checkpoint_high_watermarks(std::vector<PartitionPositions> positions) {
  for (const PartitionPositions& p : positions) {
    if (!outdated_.contains(p.name)) high_watermarks_.set(p.name, p.high_watermark);
  }
  co_await high_watermarks_.write(*this);
}

void LogDirectory::keep_checkpoints(Collect collect, Millis every, Millis high_watermarks_every) {
  gate_.spawn(checkpoint_now_and_then(std::move(collect), every, high_watermarks_every));
}

Task<void> LogDirectory::checkpoint_now_and_then(Collect collect, Millis every, Millis high_watermarks_every) {
  MonoTime next_full = after(every);
  while (!closing_ && !offline_) {
    const MonoTime due = std::min(after(high_watermarks_every), next_full);
    co_await closing_event_.wait(due);
    if (closing_ || offline_) break;
    if (now() < due) continue;
    try {
      outdated_.clear();
      std::vector<PartitionPositions> positions = co_await collect();
      if (closing_ || offline_) break;
      if (now() >= next_full) {
        next_full = after(every);
        co_await checkpoint(std::move(positions));
      } else {
        co_await checkpoint_high_watermarks(std::move(positions));
      }
    } catch (const DiskError& error) {
      fail(error.what());
    }
  }
}

// --- partitions that go ---

Task<std::string> LogDirectory::rename_partition(TopicPartition name, DirectoryKind kind) {
  outdated_.insert(name);
  recovery_points_.erase(name);
  high_watermarks_.erase(name);
  starts_.erase(name);
  const std::string from = partition_path(name);
  std::string to = file(directory_name(name, kind, home_.random().uuid()));
  co_await disk_.rename(from, to);
  co_return to;
}

Task<void> LogDirectory::delete_partitions(std::vector<TopicPartition> names, Millis delay) {
  std::vector<std::string> renamed;
  for (TopicPartition& name : names) {
    std::string path = co_await rename_partition(std::move(name), DirectoryKind::deleted);
    renamed.push_back(std::move(path));
  }
  co_await disk_.sync_directory(path_);
  gate_.spawn(remove_later(std::move(renamed), after(delay)));
  // A partition of the same name that comes later must not inherit anything.
  co_await write_checkpoints();
}

Task<void> LogDirectory::set_aside_stray(TopicPartition name) {
  warnings_.push_back("Found stray log dir " + partition_path(name) +
                      ": the metadata does not know it; it is kept under a name ending in -stray");
  co_await rename_partition(std::move(name), DirectoryKind::stray);
  co_await disk_.sync_directory(path_);
}

Task<void> LogDirectory::remove_later(std::vector<std::string> paths, MonoTime due) {
  while (!closing_ && now() < due) co_await closing_event_.wait(due);
  try {
    for (const std::string& path : paths) {
      if (closing_) co_return;  // the next start goes on
      co_await disk_.remove_all(path);
    }
  } catch (const DiskError& error) {
    fail(error.what());
  }
}

// --- the end ---

void LogDirectory::fail(const std::string& why) {
  if (offline_) return;
  offline_ = true;
  failure_ = why;
  closing_event_.notify();
  state_changed_.notify();
}

Task<void> LogDirectory::close(int64_t broker_epoch, std::vector<PartitionPositions> positions) {
  closing_ = true;
  closing_event_.notify();
  co_await gate_.close();
  // With a journal that was not read back, the files are not the whole truth: the next start tries again.
  const bool whole = !offline_ && recovered_.empty();
  co_await close_journals(whole);
  if (whole) {
    outdated_.clear();
    co_await checkpoint(std::move(positions));
    std::string marker = format_clean_shutdown(broker_epoch);
    co_await write_exclusively(std::string(marker_file), std::move(marker));
    co_await disk_.remove(file(".lock"));
  }
  lock_.reset();
}

Task<void> LogDirectory::abandon() {
  closing_ = true;
  closing_event_.notify();
  co_await gate_.close();
  co_await close_journals(false);
  lock_.reset();
}

void check_together(const std::vector<const LogDirectory*>& all, const std::string& metadata_directory) {
  std::map<TopicPartition, const LogDirectory*> places;
  std::set<Uuid> ids;
  const MetaProperties* previous = nullptr;
  for (const LogDirectory* directory : all) {
    const std::string meta_path = directory->path() + "/meta.properties";
    if (!directory->meta()) {
      throw CorruptLog("No `meta.properties` found in " + directory->path() +
                       " (have you run `kafka-storage.sh` to format the directory?)");
    }
    const MetaProperties& meta = *directory->meta();
    if (previous && meta.cluster_id != previous->cluster_id) {
      throw CorruptLog("Invalid cluster.id in: " + meta_path + ". Expected " + previous->cluster_id + ", but read " +
                       meta.cluster_id);
    }
    if (previous && meta.node_id != previous->node_id) {
      throw CorruptLog("Stored node id " + std::to_string(meta.node_id.value_or(BrokerId(-1)).value) +
                       " doesn't match previous node id " +
                       std::to_string(previous->node_id.value_or(BrokerId(-1)).value) + " in " + meta_path +
                       ". If you moved your data, make sure your configured node id matches. If you intend to create "
                       "a new node, you should remove all data in your data directories.");
    }
    if (meta.directory_id && !ids.insert(*meta.directory_id).second) {
      throw CorruptLog("Duplicate directory ID " + to_string(*meta.directory_id) + " found in " + meta_path);
    }
    if (directory->has_metadata_log() && directory->path() != metadata_directory) {
      throw CorruptLog("Found unexpected metadata location in data directory `" + directory->path() +
                       "` (the configured metadata directory is " + metadata_directory + ").");
    }
    for (const FoundPartition& partition : directory->partitions()) {
      if (all.size() == 1) break;
      const auto [at, is_new] = places.emplace(partition.name, directory);
      if (is_new) continue;
      throw CorruptLog("Duplicate log directories for " + directory_name(partition.name) + " are found in both " +
                       at->second->partition_path(partition.name) + " and " +
                       directory->partition_path(partition.name) +
                       ". It is likely because log directory failure happened while broker was replacing current "
                       "replica with future replica. Recover broker from this failure by manually deleting one of the "
                       "two directories for this partition. It is recommended to delete the partition in the log "
                       "directory that is known to have failed recently.");
    }
    previous = &meta;
  }
}

}  // namespace millrace::log
