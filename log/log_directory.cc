#include "log/log_directory.h"

#include <algorithm>
#include <unordered_set>

#include "log/directory_name.h"
#include "log/partition_log.h"

namespace millrace::log {

namespace {

constexpr std::string_view marker_file = ".kafka_cleanshutdown";
constexpr std::string_view remote_cache = "remote-log-index-cache";

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

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
  co_await forget_missing();
}

// What has no directory begins anew, whatever it once had.
// The files are to say so before it does: else a crash soon after would give it what is said of its predecessor.
Task<void> LogDirectory::forget_missing() {
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

}  // namespace millrace::log
