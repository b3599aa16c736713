// Which records bring about a change: pure functions from an image and a wish, in Kafka's order and versions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "replication/image.h"

namespace millrace::replication {

// One batch written by the first leader ever: features, and the default that comes with eligible leader replicas.
Records bootstrap_records();
// metadata.version 30 and what belongs to Kafka 4.3, in the order of its bootstrap file.
std::vector<protocol::FeatureLevelRecord> default_features();

struct NewTopic {
  std::string name;
  TopicId id;
  std::vector<std::vector<BrokerId>> replicas;               // of each partition
  std::vector<std::pair<std::string, std::string>> configs;  // only those given
  std::vector<Uuid> directories;                             // of each partition's only replica, where that is known
};
Records create_topic(const NewTopic& topic);
// Partitions behind those there are.
Records add_partitions(const TopicImage& topic, const std::vector<std::vector<BrokerId>>& replicas,
                       const std::vector<Uuid>& directories);
// The broker has put a partition into one of its directories.
protocol::PartitionChangeRecord assign_directory(const TopicImage& topic, PartitionId partition, const Uuid& directory);
Records delete_topic(const TopicImage& topic);

struct ConfigChange {
  std::string name;
  std::optional<std::string> value;  // nothing: removed
};
Records change_configs(const ConfigResource& resource, const std::vector<ConfigChange>& changes);

struct Registration {
  BrokerId broker;
  int64_t epoch = 0;  // the offset that the record will have
  Uuid incarnation;
  std::vector<protocol::RegisterBrokerRecord::EndPoint> endpoints;
  std::vector<protocol::RegisterBrokerRecord::Feature> features;
  std::optional<std::string> rack;
  std::vector<Uuid> directories;
};
Records register_broker(const Registration& registration);
Records unfence(BrokerId broker, int64_t epoch);
// A new leader epoch begins only where there is, or may be, something of the old one.
using HasRecords = std::function<bool(const TopicImage& topic, PartitionId partition)>;
// The node leads every partition it has a replica of.
Records lead_all(const MetadataImage& image, BrokerId node, const HasRecords& has_records);
// Before a stop: the broker says so, gives up its leaderships, and is fenced.
Records controlled_shutdown(const MetadataImage& image, BrokerId node, const HasRecords& has_records);

}  // namespace millrace::replication
