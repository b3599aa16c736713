#include "broker/storage.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "broker/logging.h"
#include "log/meta_properties.h"
#include "replication/bootstrap.h"
#include "runtime/shard.h"

namespace millrace::broker {

namespace {

constexpr std::string_view meta_file = "/meta.properties";
constexpr std::string_view clean_file = "/.kafka_cleanshutdown";
constexpr std::string_view metadata_topic = "__cluster_metadata";

std::string quoted(const std::string& text) { return "`" + text + "`"; }

Task<log::OffsetCheckpoint> read_offsets(std::string path) {
  const std::optional<std::string> text = co_await read_file(Shard::current().disk(), path);
  log::OffsetCheckpoint offsets;
  if (!text) co_return offsets;
  try {
    offsets = log::parse_offsets(*text, path);
  } catch (const log::CorruptLog& error) {
    log_error(std::string(error.what()) + "; its offsets count as 0 and every segment is read again");
  }
  co_return offsets;
}

// A new directory is there after a power cut only once its parent was synced, and so on up to one that was there.
Task<void> make_durable_directories(std::string path) {
  Disk& disk = Shard::current().disk();
  std::vector<std::string> parents;
  for (std::string at = path; at != "/" && !at.empty();) {
    const std::optional<DirectoryEntry> there = co_await disk.stat(at);
    if (there) break;
    const size_t slash = at.find_last_of('/');
    at = slash == std::string::npos ? "." : slash == 0 ? "/" : at.substr(0, slash);
    parents.push_back(at);
    if (at == ".") break;
  }
  co_await disk.make_directories(path);
  for (const std::string& parent : parents) co_await disk.sync_directory(parent);
}

// Deleted, stray and half-moved partitions: NAME-P.<32 hex>-delete
bool is_set_aside(std::string_view name) {
  return name.ends_with("-delete") || name.ends_with("-stray") || name.ends_with("-future");
}

}  // namespace

std::optional<TopicPartition> parse_partition_directory(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) return std::nullopt;
  int32_t partition = 0;
  const std::string_view digits = name.substr(dash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), partition);
  if (error != std::errc() || end != digits.data() + digits.size() || partition < 0) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), PartitionId(partition)};
}

std::string LogDir::directory_of(const TopicPartition& partition) const {
  return path + "/" + partition.topic + "-" + std::to_string(partition.partition.value);
}

log::OpenState LogDir::open_state(const TopicPartition& partition) const {
  log::OpenState state;
  state.clean_shutdown = clean_shutdown;
  if (const auto at = recovery_points.find(partition); at != recovery_points.end()) state.recovery_point = at->second;
  if (const auto at = log_starts.find(partition); at != log_starts.end()) state.start = at->second;
  return state;
}

Task<std::unique_ptr<Storage>> Storage::open(const Config& config, std::optional<std::string> cluster_id) {
  auto storage = std::make_unique<Storage>();
  Disk& disk = Shard::current().disk();
  std::vector<std::string> paths = config.log_dirs();
  storage->metadata_path_ = config.metadata_dir();
  if (std::ranges::find(paths, storage->metadata_path_) == paths.end()) {
    throw StorageError("metadata.log.dir " + storage->metadata_path_ + " must be one of log.dirs");
  }
  std::vector<std::string> unformatted;
  std::vector<std::unique_ptr<FileLock>> locks;
  for (const std::string& path : paths) {
    co_await make_durable_directories(path);
    std::unique_ptr<FileLock> lock = co_await disk.lock(path + "/.lock");
    if (!lock) {
      throw StorageError("Failed to acquire lock on file .lock in " + path +
                         ". A Kafka instance in another process or thread is using this directory.");
    }
    locks.push_back(std::move(lock));
    const std::optional<DirectoryEntry> meta = co_await disk.stat(path + std::string(meta_file));
    if (!meta) unformatted.push_back(path);
  }
  if (unformatted.size() == paths.size()) {
    co_await storage->format(config, paths, cluster_id);
  } else if (!unformatted.empty()) {
    throw StorageError("No `meta.properties` found in " + unformatted.front() +
                       " (have you run `kafka-storage.sh` to format the directory?)");
  }

  std::set<Uuid> ids;
  std::map<TopicPartition, std::string> places;
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::string& path = paths[i];
    LogDir dir;
    dir.path = path;
    dir.lock = std::move(locks[i]);
    const std::string meta_path = path + std::string(meta_file);
    const std::optional<std::string> text = co_await read_file(disk, meta_path);
    log::MetaProperties meta = log::parse_meta_properties(text.value_or(""), meta_path);
    if (storage->cluster_id_.empty()) storage->cluster_id_ = meta.cluster_id;
    if (meta.cluster_id != storage->cluster_id_) {
      throw StorageError("Invalid cluster.id in: " + meta_path + ". Expected " + storage->cluster_id_ + ", but read " +
                         meta.cluster_id);
    }
    if (meta.node_id && *meta.node_id != config.node_id()) {
      throw StorageError("Stored node id " + std::to_string(meta.node_id->value) + " doesn't match previous node id " +
                         std::to_string(config.node_id().value) + " in " + meta_path +
                         ". If you moved your data, make sure your configured node id matches. If you intend to create "
                         "a new node, you should remove all data in your data directories.");
    }
    if (!meta.directory_id) {
      meta.directory_id = Shard::current().random().uuid();
      meta.version = 1;
      meta.node_id = config.node_id();
      std::string content = log::format_meta_properties(meta, Shard::current().clock().wall_now());
      co_await write_file_atomically(disk, meta_path, std::move(content));
    }
    dir.id = *meta.directory_id;
    if (!ids.insert(dir.id).second) {
      throw StorageError("Found multiple log directories with the same directory.id " + to_string(dir.id));
    }
    co_await storage->load(dir);
    for (const TopicPartition& partition : dir.found) {
      const auto [other, fresh] = places.emplace(partition, path);
      if (!fresh) {
        throw StorageError("Duplicate log directories for " + partition.topic + "-" +
                           std::to_string(partition.partition.value) + " are found in both " + other->second + " and " +
                           path +
                           ". It is likely because log directory failure happened while broker was replacing "
                           "current replica with future replica.");
      }
    }
    storage->dirs_.push_back(std::move(dir));
  }
  co_return storage;
}

Task<void> Storage::format(const Config& config, std::vector<std::string> paths, std::optional<std::string> given) {
  Shard& shard = Shard::current();
  const std::string cluster_id = given ? *given : to_string(shard.random().uuid());
  for (const std::string& path : paths) {
    log::MetaProperties meta;
    meta.cluster_id = cluster_id;
    meta.node_id = config.node_id();
    meta.directory_id = shard.random().uuid();
    const Timestamp now = shard.clock().wall_now();
    const Bytes bootstrap = replication::bootstrap_checkpoint(now);
    std::string checkpoint(bootstrap.text());
    co_await write_file_atomically(shard.disk(), path + "/bootstrap.checkpoint", std::move(checkpoint));
    // Last: a directory with meta.properties is a formatted one.
    std::string content = log::format_meta_properties(meta, now);
    co_await write_file_atomically(shard.disk(), path + std::string(meta_file), std::move(content));
    log_info("Formatted " + path + " for cluster " + cluster_id);
  }
}

Task<void> Storage::load(LogDir& dir) {
  Disk& disk = Shard::current().disk();
  const std::string marker = dir.path + std::string(clean_file);
  const std::optional<std::string> clean = co_await read_file(disk, marker);
  dir.clean_shutdown = clean.has_value();
  if (clean) {
    dir.broker_epoch = log::parse_clean_shutdown(*clean);
    // From here on a crash is a crash, whatever happens before the first write.
    co_await disk.remove(marker);
    co_await disk.sync_directory(dir.path);
  }
  dir.recovery_points = co_await read_offsets(dir.path + "/recovery-point-offset-checkpoint");
  dir.high_watermarks = co_await read_offsets(dir.path + "/replication-offset-checkpoint");
  dir.log_starts = co_await read_offsets(dir.path + "/log-start-offset-checkpoint");
  const std::vector<DirectoryEntry> entries = co_await disk.list(dir.path);
  for (const DirectoryEntry& entry : entries) {
    if (!entry.is_directory) continue;
    if (is_set_aside(entry.name)) {
      if (entry.name.ends_with("-delete")) co_await disk.remove_all(dir.path + "/" + entry.name);
      continue;
    }
    if (entry.name == "lost+found" || entry.name == "remote-log-index-cache") {
      if (entry.name == "lost+found") log_warn("Leaving " + dir.path + "/lost+found alone; Kafka would not start here");
      continue;
    }
    std::optional<TopicPartition> partition = parse_partition_directory(entry.name);
    if (!partition) {
      throw StorageError("Found directory " + dir.path + "/" + entry.name + ", '" + entry.name +
                         "' is not in the form of topic-partition or topic-partition.uniqueId-delete (if marked for "
                         "deletion).\nKafka's log directories (and children) should only contain Kafka topic data.");
    }
    if (partition->topic == metadata_topic) {
      if (dir.path != metadata_path_) {
        throw StorageError("Found unexpected metadata location in data directory " + quoted(dir.path) +
                           " (the configured metadata directory is " + quoted(metadata_path_) + ").");
      }
      continue;
    }
    dir.found.push_back(std::move(*partition));
  }
}

LogDir& Storage::metadata_dir() {
  for (LogDir& dir : dirs_) {
    if (dir.path == metadata_path_) return dir;
  }
  check(false);
  return dirs_.front();
}

LogDir* Storage::find(const Uuid& directory) {
  for (LogDir& dir : dirs_) {
    if (dir.id == directory) return &dir;
  }
  return nullptr;
}

const LogDir* Storage::holding(const TopicPartition& partition) const {
  for (const LogDir& dir : dirs_) {
    if (std::ranges::find(dir.found, partition) != dir.found.end()) return &dir;
  }
  return nullptr;
}

LogDir& Storage::emptiest() {
  return *std::ranges::min_element(dirs_, {}, [](const LogDir& dir) { return dir.found.size(); });
}

Task<void> Storage::write_recovery_points(LogDir& dir, log::OffsetCheckpoint offsets) {
  std::string text = log::format_offsets(offsets);
  co_await write_file_atomically(Shard::current().disk(), dir.path + "/recovery-point-offset-checkpoint",
                                 std::move(text));
}

Task<void> Storage::write_high_watermarks(LogDir& dir, log::OffsetCheckpoint offsets) {
  std::string text = log::format_offsets(offsets);
  co_await write_file_atomically(Shard::current().disk(), dir.path + "/replication-offset-checkpoint", std::move(text));
}

Task<void> Storage::write_log_starts(LogDir& dir, log::OffsetCheckpoint offsets) {
  std::string text = log::format_offsets(offsets);
  co_await write_file_atomically(Shard::current().disk(), dir.path + "/log-start-offset-checkpoint", std::move(text));
}

Task<void> Storage::mark_clean(int64_t broker_epoch) {
  for (const LogDir& dir : dirs_) {
    const std::string cleaner = dir.path + "/cleaner-offset-checkpoint";
    const std::optional<DirectoryEntry> there = co_await Shard::current().disk().stat(cleaner);
    if (!there) co_await write_file_atomically(Shard::current().disk(), cleaner, "0\n0\n");
    std::string content = log::format_clean_shutdown(broker_epoch);
    co_await write_file_atomically(Shard::current().disk(), dir.path + std::string(clean_file), std::move(content));
  }
}

Task<void> Storage::unlock() {
  for (LogDir& dir : dirs_) {
    if (!dir.lock) continue;
    co_await Shard::current().disk().remove(dir.path + "/.lock");
    dir.lock.reset();
  }
}

}  // namespace millrace::broker
