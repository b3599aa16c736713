// Controller: decides about topics, configs and ids, writes each decision into the metadata log, and makes it true:
// every shard gets the new image, and the ReplicaManager what it means for the replicas here. A new partition is no
// more than its record in the metadata until somebody asks for it.
//
// Lives on shard 0. Decisions are taken one after the other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/replica_manager.h"
#include "broker/topic_wish.h"
#include "replication/metadata_log.h"

namespace millrace::broker {

class Controller {
 public:
  Controller(Broker& broker, Storage& storage);

  // Replays the metadata log, takes the lead, registers this broker and opens its partitions.
  Task<void> start();
  // The lines tools wait for are logged here, once clients can be served.
  void announce();
  // Writes the shutdown into the metadata log, closes every partition, writes the checkpoints and the clean marker.
  Task<void> stop();

  // All with one decision; each is answered for itself.
  Task<std::vector<TopicOutcome>> create_topics(std::vector<TopicWish> wishes, bool validate_only);
  Task<TopicOutcome> create_topic(TopicWish wish, bool validate_only);
  Task<Outcome> delete_topic(TopicId id);
  Task<Outcome> create_partitions(PartitionsWish wish, bool validate_only);
  // Sets and removes; `resource` and values have been validated.
  Task<Outcome> change_configs(replication::ConfigResource resource, std::vector<replication::ConfigChange> changes,
                               bool validate_only);
  // Ids are taken in blocks of a thousand; what is left of a block is lost at a restart.
  Task<ProducerId> next_producer_id();

  // Called once when there is nothing left that could be served.
  void on_storage_lost(std::function<void()> hook) { storage_lost_ = std::move(hook); }
  // Told of every topic that is gone, before the deletion is answered.
  using TopicDeleted = std::function<Task<void>(std::string name, int partitions)>;
  void on_topic_deleted(TopicDeleted hook) { topic_deleted_ = std::move(hook); }

  // Creates one of the broker's own topics when it is missing.
  Task<ErrorCode> ensure_topic(TopicWish wish);

  replication::MetadataLog& log() { return *log_; }
  Storage& storage() { return storage_; }
  int64_t broker_epoch() const { return broker_epoch_; }

 private:
  Task<void> take_turn();
  template <class Result, class Work>
  Task<Result> in_turn(Work work);
  // Into the metadata log, and every shard sees it before anybody is told.
  Task<void> decide(replication::Records records);

  Task<void> register_broker();
  Task<void> publish();
  // As several batches: a reader of the log must hold a whole one.
  Task<void> append_all(replication::Records records);
  Task<bool> tell_shutdown();

  Broker& broker_;
  Storage& storage_;
  std::unique_ptr<replication::MetadataLog> log_;
  std::unique_ptr<ReplicaManager> replicas_;  // once there is a metadata log
  int64_t broker_epoch_ = -1;
  ProducerId next_producer_{0};
  ProducerId producer_block_end_{0};
  TopicDeleted topic_deleted_;
  std::function<void()> storage_lost_;
  bool deciding_ = false;
  Event decided_;
  bool started_ = false;
  bool stopping_ = false;
};

}  // namespace millrace::broker
