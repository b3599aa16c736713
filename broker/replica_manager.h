// ReplicaManager: the replicas that this broker has, in its log directories: where each lies, opened when somebody asks
// for it or in the end, kept within its retention, removed, closed. A new partition has no directory until something is
// written to it.
//
//   begin → expect_all → recover_journaled → begin_upkeep → … → end_upkeep → recover_the_last → close
//
// Lives on shard 0, and reaches the partitions on the shards that own them. See Kafka's class of this name.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "broker/broker.h"
#include "broker/storage.h"
#include "replication/changes.h"

namespace millrace::broker {

class ReplicaManager {
 public:
  // `decided`: the metadata as it was decided last; the shards may not have it yet.
  using Decided = std::function<const replication::MetadataImage&()>;
  ReplicaManager(Broker& broker, Storage& storage, Decided decided);

  // --- start ---
  // Reads the journals, where there are any. Directories that the metadata does not know (any more) are kept, under a
  // name that is never served.
  Task<void> begin();
  // There are records of it in a directory or a journal. Until expect_all().
  bool has_records(const replication::TopicImage& topic, PartitionId partition) const;
  // Every replica has its place, and its shard knows of it; answers what the metadata must learn of that.
  Task<replication::Records> expect_all();
  // Before anybody is served: what only a journal holds must be in the logs before the journal begins anew.
  Task<void> recover_journaled();
  // Checkpoints, retention, and opening what nobody asks for: for retention, and to know early what is wrong with it.
  void begin_upkeep();
  // Called once when there is nothing left that could be served.
  void on_storage_lost(std::function<void()> hook) { storage_lost_ = std::move(hook); }

  // --- meanwhile ---
  // For new partitions.
  std::vector<Uuid> choose_directories(size_t count);
  // Of a topic that is deleted.
  Task<void> remove(replication::Topic topic);
  // The configurations of one topic, or of all, have changed.
  Task<void> configure(std::optional<std::string> topic);
  // Where something lies on the disk that belongs to a leader epoch.
  Task<std::unordered_set<TopicPartition>> written();

  // --- stop ---
  Task<void> end_upkeep();
  // Logs of a directory that was not left cleanly, which nobody has looked at since, forbid the marker of a clean stop.
  // A few are looked at now; many would keep whoever waits for the stop waiting.
  Task<void> recover_the_last();
  // False when a partition has failed.
  Task<bool> close_partitions();
  // Afterwards: the checkpoints, and the clean marker of every directory all of whose logs have been recovered.
  Task<void> close_directories(int64_t broker_epoch);

 private:
  bool is_journaled(const TopicId& topic, PartitionId partition) const;
  Task<void> set_aside_strays();
  std::shared_ptr<Partition> make_partition(const TopicId& topic, PartitionId partition);
  Task<std::shared_ptr<Partition>> open_partition(TopicId topic, PartitionId partition, log::LogDirectory& dir);
  // Where a partition that is to be opened stands; nothing when it cannot be, or is a stray.
  struct Claim {
    std::optional<log::OpenState> state;
    bool stray = false;
  };
  Task<Claim> claim(TopicPartition name, TopicId topic, log::LogDirectory& dir);
  Task<void> open_all_expected(bool gently);
  Task<void> keep_retention();
  // Of every partition that lies in `dir`.
  Task<std::vector<log::PartitionPositions>> positions(const log::LogDirectory* dir);
  Task<bool> all_recovered(const log::LogDirectory& dir);
  Task<void> watch_directory(log::LogDirectory* dir);

  Broker& broker_;
  Storage& storage_;
  Decided decided_;
  std::vector<Partitions::Expected> journaled_;  // of which a journal has something, until it is in the logs
  std::function<void()> storage_lost_;
  bool ending_ = false;
  Event end_;
  Gate gate_;
};

}  // namespace millrace::broker
