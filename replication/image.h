// MetadataImage: the state of the cluster at one offset of the metadata log: the fold of its records.
//
// An image never changes once others can see it; the next one is a copy with more records applied, and shares what did
// not change.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "replication/records.h"
#include "replication/topic_table.h"

namespace millrace::replication {

// DIRECTORY ids with a meaning of their own.
inline constexpr Uuid unassigned_directory{0, 1};

struct PartitionImage {
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> isr;
  std::vector<BrokerId> adding;
  std::vector<BrokerId> removing;
  std::vector<BrokerId> elr;
  std::vector<BrokerId> last_known_elr;
  std::vector<Uuid> directories;  // of each replica
  BrokerId leader{-1};
  LeaderEpoch leader_epoch{0};
  int32_t partition_epoch = 0;
  int8_t recovery_state = 0;
};

struct TopicImage {
  std::string name;
  TopicId id;
  std::vector<PartitionImage> partitions;  // by partition id, without gaps
};

struct BrokerImage {
  BrokerId id{-1};
  int64_t epoch = -1;
  Uuid incarnation;
  std::vector<protocol::RegisterBrokerRecord::EndPoint> endpoints;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> directories;
};

enum class ResourceType : int8_t {
  unknown = 0,
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32
};

struct ConfigResource {
  ResourceType type = ResourceType::unknown;
  std::string name;
  friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

using Settings = std::map<std::string, std::string, std::less<>>;
using AllSettings = std::map<ConfigResource, Settings>;
using Topic = std::shared_ptr<const TopicImage>;

inline const std::string& name_of(const Topic& topic) { return topic->name; }
inline const TopicId& id_of(const Topic& topic) { return topic->id; }
using TopicsByName = TopicTable<Topic, &name_of>;
using TopicsById = TopicTable<Topic, &id_of>;

class MetadataImage {
 public:
  // --- topics ---
  Topic topic(std::string_view name) const;  // null when there is none
  Topic topic(const TopicId& id) const;
  const TopicsByName& topics() const { return topics_; }

  // --- the rest ---
  const Settings& settings(const ConfigResource& resource) const;  // empty when nothing is set
  const AllSettings& all_settings() const { return *settings_; }
  const std::map<std::string, int16_t, std::less<>>& features() const { return features_; }
  const std::map<BrokerId, BrokerImage>& brokers() const { return brokers_; }
  ProducerId next_producer_id() const { return next_producer_id_; }
  int64_t offset() const { return offset_; }  // of the last record applied; −1: none

  // Throws UnreadableMetadata when the record contradicts what came before it. What a run of records changes is copied
  // once; settle() ends the run, before anybody else may look.
  void apply(const MetadataRecord& record, int64_t offset);
  void settle();

 private:
  friend struct Applier;

  TopicsByName topics_;
  TopicsById ids_;
  std::shared_ptr<const AllSettings> settings_ = std::make_shared<AllSettings>();
  // Not seen by anybody yet.
  std::unordered_map<TopicId, std::shared_ptr<TopicImage>> open_;
  std::shared_ptr<AllSettings> open_settings_;
  std::map<std::string, int16_t, std::less<>> features_;
  std::map<BrokerId, BrokerImage> brokers_;
  ProducerId next_producer_id_{0};
  int64_t offset_ = -1;
};

// Folds a log, holding back what stands in a transaction until it has ended.
class MetadataFold {
 public:
  void add(MetadataRecord record, int64_t offset);
  // After the last record of a run.
  void settle() { image_.settle(); }
  const MetadataImage& image() const { return image_; }
  MetadataImage take() && { return std::move(image_); }

 private:
  MetadataImage image_;
  bool in_transaction_ = false;
  std::vector<std::pair<MetadataRecord, int64_t>> held_;
};

}  // namespace millrace::replication
