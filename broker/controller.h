// Controller: decides about topics, configs and ids, writes each decision into the metadata log, and makes it true:
// every shard gets the new image, deleted partitions are closed and removed. A new partition is no more than its record
// in the metadata until somebody asks for it, and has no directory until something is written.
//
// Lives on shard 0. Decisions are taken one after the other.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "broker/broker.h"
#include "broker/storage.h"
#include "protocol/errors.h"
#include "replication/changes.h"
#include "replication/metadata_log.h"

namespace millrace::broker {

struct TopicWish {
  std::string name;
  int32_t partitions = -1;  // −1: the broker's default
  int16_t replication_factor = -1;
  std::vector<std::pair<PartitionId, std::vector<BrokerId>>> assignments;  // instead of the two above
  std::vector<std::pair<std::string, std::optional<std::string>>> configs;
};

struct Outcome {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> message;
};

struct TopicOutcome : Outcome {
  TopicId id;
  int32_t partitions = -1;
  int16_t replication_factor = -1;
  replication::Settings settings;  // the topic's own
};

struct PartitionsWish {
  std::string topic;
  int32_t count = 0;
  std::optional<std::vector<std::vector<BrokerId>>> assignments;
};

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
  void end_turn();

  Task<void> register_broker();
  Task<void> open_partitions();
  Task<void> set_aside_strays();
  bool is_journaled(const TopicId& topic, PartitionId partition) const;
  Task<void> recover_journaled();
  Task<std::shared_ptr<Partition>> open_partition(TopicId topic, PartitionId partition, log::LogDirectory& dir);
  // Where a partition that is to be opened stands; nothing when it cannot be, or is a stray.
  struct Claim {
    std::optional<log::OpenState> state;
    bool stray = false;
  };
  Task<Claim> claim(TopicPartition name, TopicId topic, log::LogDirectory& dir);
  Task<void> open_all_expected(bool gently);
  std::shared_ptr<Partition> make_partition(const TopicId& topic, PartitionId partition);
  std::vector<Uuid> choose_directories(size_t count);
  Task<std::unordered_set<TopicPartition>> written_partitions();
  Task<void> publish();
  // As several batches: a reader of the log must hold a whole one.
  Task<void> append_all(replication::Records records);
  Task<void> remove_partitions(replication::Topic topic);
  Task<void> keep_retention();
  // Of every partition that lies in `dir`.
  Task<std::vector<log::PartitionPositions>> positions(const log::LogDirectory* dir);
  Task<bool> close_partitions();
  Task<void> recover_the_last();
  Task<bool> all_recovered(const log::LogDirectory& dir);
  Task<void> watch_directory(log::LogDirectory* dir);
  TopicOutcome check_wish(const TopicWish& wish, const std::map<std::string, std::string>& similar,
                          std::vector<std::vector<BrokerId>>& replicas) const;

  Broker& broker_;
  Storage& storage_;
  std::unique_ptr<replication::MetadataLog> log_;
  std::vector<Partitions::Expected> journaled_;  // of which a journal has something, until it is in the logs
  int64_t broker_epoch_ = -1;
  ProducerId next_producer_{0};
  ProducerId producer_block_end_{0};
  TopicDeleted topic_deleted_;
  std::function<void()> storage_lost_;
  bool deciding_ = false;
  Event decided_;
  bool started_ = false;
  bool stopping_ = false;
  Event stop_;
  Gate gate_;
};

}  // namespace millrace::broker
