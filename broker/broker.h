// Broker: what every handler works with: the configuration, the cluster's metadata, and the partitions of each shard.
//
// Shard 0 holds the controller and the coordinators. Each shard has its own partitions and its own reference to the
// current metadata image, which never changes once it is there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/config/config.h"
#include "broker/config/topic_config.h"
#include "broker/partitions.h"
#include "replication/image.h"
#include "runtime/shard.h"

namespace millrace::broker {

class Controller;

using Image = std::shared_ptr<const replication::MetadataImage>;

class Broker {
 public:
  Broker(Config config, std::vector<Shard*> shards);
  Broker(const Broker&) = delete;

  const Config& config() const { return config_; }
  BrokerId id() const { return config_.node_id(); }
  const std::string& cluster_id() const { return cluster_id_; }
  void set_cluster_id(std::string id) { cluster_id_ = std::move(id); }

  // --- of the shard that asks ---
  const Image& image() const { return here().image; }
  Partitions& partitions() { return here().partitions; }
  void set_image(Image image) { here().image = std::move(image); }

  // --- who owns what ---
  const std::vector<Shard*>& shards() const { return shards_; }
  Shard& owner(const TopicId& topic, PartitionId partition) const {
    return *shards_[(topic.low + static_cast<uint64_t>(partition.value)) % shards_.size()];
  }
  Shard& first_shard() const { return *shards_.front(); }

  // The controller; only to be called on shard 0.
  Controller& controller() { return *controller_; }
  void set_controller(Controller* controller) { controller_ = controller; }

  // What clients that came through `listener` are told to connect to.
  const Address& advertised(const std::string& listener) const;
  void set_advertised(std::vector<Endpoint> endpoints) { advertised_ = std::move(endpoints); }
  const std::vector<Endpoint>& advertised() const { return advertised_; }

  // Long polls end early once the broker stops.
  bool stopping() const { return stopping_; }
  void set_stopping() { stopping_ = true; }

  // With every setting as it is in effect.
  log::Durability durability() const { return durability_; }
  ConfigLayers layers() const { return config_layers(config_, *image()); }

 private:
  struct PerShard {
    Image image = std::make_shared<replication::MetadataImage>();
    Partitions partitions;
  };
  PerShard& here();
  const PerShard& here() const { return const_cast<Broker*>(this)->here(); }

  Config config_;
  std::vector<Shard*> shards_;
  std::vector<std::unique_ptr<PerShard>> per_shard_;
  std::vector<Endpoint> advertised_;
  std::string cluster_id_;
  Controller* controller_ = nullptr;
  log::Durability durability_;
  bool stopping_ = false;
};

// Runs `work` once on every shard that owns one of `items`, with pointers to its items, one shard after the other.
// An item names its shard: `Shard* owner`.
template <class Item, class Work>
Task<void> on_owners(const Broker& broker, std::vector<Item>& items, Work work) {
  for (Shard* shard : broker.shards()) {
    std::vector<Item*> mine;
    for (Item& item : items) {
      if (item.owner == shard) mine.push_back(&item);
    }
    if (mine.empty()) continue;
    auto there = [&work, &mine] { return work(mine); };
    co_await on(*shard, std::move(there));
  }
}

bool is_internal_topic(std::string_view name);
// Empty when `name` may be a topic's; else Kafka's words about what is wrong with it.
std::string topic_name_fault(std::string_view name);

}  // namespace millrace::broker
