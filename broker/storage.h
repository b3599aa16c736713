// Storage: the log directories of this node: formatting them on first start, checking whose they are, holding their
// locks, the checkpoints, and the marker of a clean shutdown.
//
//   <log.dir>/meta.properties .lock .kafka_cleanshutdown bootstrap.checkpoint
//             recovery-point-offset-checkpoint replication-offset-checkpoint
//             log-start-offset-checkpoint cleaner-offset-checkpoint
//             <topic>-<partition>/   __cluster_metadata-0/ (only in metadata.log.dir)
//
// A directory that somebody else uses, or that Kafka would refuse, is refused with Kafka's words.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/config/config.h"
#include "log/checkpoint.h"
#include "log/log.h"
#include "runtime/disk.h"

namespace millrace::broker {

class StorageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct LogDir {
  std::string path;
  Uuid id;
  bool clean_shutdown = false;
  int64_t broker_epoch = -1;  // of the registration that wrote the marker
  log::OffsetCheckpoint recovery_points;
  log::OffsetCheckpoint log_starts;
  log::OffsetCheckpoint high_watermarks;
  std::vector<TopicPartition> found;  // the partition directories, without the metadata log
  std::unique_ptr<FileLock> lock;

  std::string directory_of(const TopicPartition& partition) const;
  // What the log needs to know to open its directory; `partition` may be new.
  log::OpenState open_state(const TopicPartition& partition) const;
};

class Storage {
 public:
  // Opens, and where nothing is there yet formats, every log dir. Throws StorageError.
  // `cluster_id` is used when formatting; a random one otherwise.
  static Task<std::unique_ptr<Storage>> open(const Config& config, std::optional<std::string> cluster_id = {});

  const std::string& cluster_id() const { return cluster_id_; }
  std::vector<LogDir>& dirs() { return dirs_; }
  LogDir& metadata_dir();
  LogDir* find(const Uuid& directory);
  const LogDir* holding(const TopicPartition& partition) const;
  // Where a new partition goes: the directory with the fewest.
  LogDir& emptiest();

  // --- while running, and at the end ---
  Task<void> write_recovery_points(LogDir& dir, log::OffsetCheckpoint offsets);
  Task<void> write_high_watermarks(LogDir& dir, log::OffsetCheckpoint offsets);
  Task<void> write_log_starts(LogDir& dir, log::OffsetCheckpoint offsets);
  // After every log was closed and every checkpoint written.
  Task<void> mark_clean(int64_t broker_epoch);
  Task<void> unlock();

 private:
  Task<void> format(const Config& config, std::vector<std::string> paths, std::optional<std::string> given);
  Task<void> load(LogDir& dir);

  std::string cluster_id_;
  std::string metadata_path_;
  std::vector<LogDir> dirs_;
};

// "topic-3" as its parts; nothing when it is not of that form.
std::optional<TopicPartition> parse_partition_directory(std::string_view name);

}  // namespace millrace::broker
