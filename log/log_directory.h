// LogDirectory: one entry of log.dirs. It knows whose it is, how it was left, and which partitions lie in it.
//
//   meta.properties  .lock  .kafka_cleanshutdown  recovery-point-offset-checkpoint  replication-offset-checkpoint
//   log-start-offset-checkpoint  cleaner-offset-checkpoint  TOPIC-PARTITION/…  millrace-journal-SHARD-NUMBER
//
// It lives on one shard; its partitions may live on others. open_log() is called on the partition's shard, everything
// else on the directory's own. Positions are handed in: who owns the partitions collects them.
//
//   open → keep_journals → (open_log per partition) → finish_recovery
//        → checkpoints every now and then → every log closed → close
//
// The clean-shutdown marker goes when the directory is opened and comes back only in close(): whatever lies between
// makes the next start scan what was not synced.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "log/checkpoint.h"
#include "log/directory_name.h"
#include "log/journal.h"
#include "log/journal_recovery.h"
#include "log/log.h"
#include "log/meta_properties.h"
#include "runtime/gate.h"

namespace millrace::log {

inline constexpr std::string_view metadata_topic = "__cluster_metadata";
inline constexpr std::string_view recovery_file = "recovery-point-offset-checkpoint";
inline constexpr std::string_view high_watermark_file = "replication-offset-checkpoint";
inline constexpr std::string_view start_file = "log-start-offset-checkpoint";

class PartitionLog;

struct FoundPartition {
  TopicPartition name;
  TopicId id;  // zero after a clean shutdown: whoever opens it first looks
};

// Where a partition stands, for the checkpoint files.
struct PartitionPositions {
  TopicPartition name;
  Offset recovery_point{0};
  Offset high_watermark{0};
  Offset start{0};
  bool start_moved = false;  // start is inside the first segment: only a checkpoint can say so
};
// Asks the log, on its own shard, and has it write what the answer relies on.
Task<PartitionPositions> positions_of(Log& log, TopicPartition name, Offset high_watermark);

class LogDirectory {
 public:
  using Collect = std::function<Task<std::vector<PartitionPositions>>()>;

  // Locks the directory (created when missing), reads its files and removes the marker. Throws CorruptLog where Kafka
  // would refuse it, and when somebody else holds it.
  static Task<std::unique_ptr<LogDirectory>> open(std::string path);
  ~LogDirectory();

  const std::string& path() const { return path_; }
  // Nothing when the directory was never formatted.
  const std::optional<MetaProperties>& meta() const { return meta_; }
  Task<void> write_meta(MetaProperties meta);
  bool clean_shutdown() const { return clean_shutdown_; }
  int64_t previous_broker_epoch() const { return previous_broker_epoch_; }  // −1 unless the shutdown was clean
  bool has_metadata_log() const { return has_metadata_log_; }
  // As found at open, without the metadata log.
  const std::vector<FoundPartition>& partitions() const { return partitions_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  std::string partition_path(const TopicPartition& name) const;
  OpenState open_state(const TopicPartition& name) const;
  Offset high_watermark(const TopicPartition& name) const;  // as checkpointed; 0 when it was not
  // Logs opened from here on share a journal with those of their shard, of at most `bytes` each.
  Task<void> keep_journals(std::vector<Shard*> shards, int64_t bytes);
  // Whether an unclean stop has left records of this partition that may not be in its files. It must be opened before
  // finish_recovery, which forgets them.
  bool journaled(const TopicId& topic, PartitionId partition) const { return recovered_.holds(topic, partition); }
  Task<void> finish_recovery();

  // What partition.metadata says; nothing when there is none.
  Task<std::optional<TopicId>> topic_id_of(TopicPartition name);
  // Opens or creates the partition, on the calling shard, as open_state() has said on this one's. Its failure takes
  // this directory offline.
  Task<std::unique_ptr<Log>> open_log(TopicPartition name, TopicId id, LogConfig config, OpenState state);
  // A partition that has no directory here: it gets one when something is written. The same otherwise.
  std::unique_ptr<Log> create_log(TopicPartition name, TopicId id, LogConfig config);

  // Writes the checkpoint files, those that have changed. Partitions that are not named stand where they stood.
  Task<void> checkpoint(std::vector<PartitionPositions> positions);
  Task<void> checkpoint_high_watermarks(std::vector<PartitionPositions> positions);
  // Does so in the background until close.
  void keep_checkpoints(Collect collect, Millis every = std::chrono::seconds(60),
                        Millis high_watermarks_every = std::chrono::seconds(5));

  // Their logs must be closed. The directories are renamed, and removed after `delay`.
  Task<void> delete_partitions(std::vector<TopicPartition> names, Millis delay);
  Task<void> set_aside_stray(TopicPartition name);

  // After a failure nothing is written here any more.
  bool offline() const { return offline_; }
  const std::string& failure() const { return failure_; }
  void fail(const std::string& why);
  Event& state_changed() { return state_changed_; }

  // All logs must be closed. Writes the checkpoints, then the marker, and gives the lock back.
  Task<void> close(int64_t broker_epoch, std::vector<PartitionPositions> positions);
  // Gives up without a marker: after a failure, or when another directory keeps the broker from starting.
  Task<void> abandon();

 private:
  // One of the checkpoint files; written when it would say something else.
  struct Checkpoint {
    std::string_view file;
    OffsetCheckpoint offsets = {};
    bool changed = true;

    void set(const TopicPartition& name, Offset offset);
    void erase(const TopicPartition& name);
    Task<void> write(LogDirectory& directory);
  };

  explicit LogDirectory(std::string path);
  Task<void> take();
  Task<void> read_checkpoints();
  Task<OffsetCheckpoint> read_checkpoint(std::string name, std::string consequence);
  Task<void> find_partitions();
  Task<void> forget_missing();
  Task<void> recover_tail(PartitionLog& log, TopicId id, PartitionId partition);
  Task<void> close_journals(bool remove);
  Task<std::string> rename_partition(TopicPartition name, DirectoryKind kind);
  Task<void> write_checkpoints();
  Task<void> write_exclusively(std::string name, std::string text);
  Task<void> remove_later(std::vector<std::string> paths, MonoTime due);
  Task<void> checkpoint_now_and_then(Collect collect, Millis every, Millis high_watermarks_every);
  void watch(Log& log, const TopicPartition& name);
  std::function<void(const DiskError&)> failing();
  Task<void> tell_truncation(TopicPartition name, Offset end);
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

  Disk& disk_;
  Shard& home_;
  std::string path_;
  std::unique_ptr<FileLock> lock_;
  std::optional<MetaProperties> meta_;
  bool clean_shutdown_ = false;
  int64_t previous_broker_epoch_ = -1;
  bool has_metadata_log_ = false;
  std::vector<FoundPartition> partitions_;
  std::vector<std::string> warnings_;
  Checkpoint recovery_points_{recovery_file};
  Checkpoint high_watermarks_{high_watermark_file};
  Checkpoint starts_{start_file};
  std::set<TopicPartition> outdated_;  // truncated or gone: what a collection under way says of them is not so any more
  RecoveredJournal recovered_;
  std::vector<std::pair<Shard*, std::unique_ptr<Journal>>> journals_;
  bool offline_ = false;
  std::string failure_;
  bool closing_ = false;
  bool writing_ = false;
  Event written_;
  Event closing_event_;
  Event state_changed_;
  Gate gate_;
};

// What only shows when all directories of a broker are seen together: another node's, the same partition twice, the
// metadata log in the wrong one. Throws CorruptLog with Kafka's words.
void check_together(const std::vector<const LogDirectory*>& all, const std::string& metadata_directory);

}  // namespace millrace::log
