#include "replication/changes.h"

#include <algorithm>

namespace millrace::replication {

namespace {

protocol::FeatureLevelRecord feature(std::string name, int16_t level) {
  protocol::FeatureLevelRecord record;
  record.name = std::move(name);
  record.feature_level = level;
  return record;
}

protocol::PartitionRecord new_partition(const TopicId& topic, size_t index, const std::vector<BrokerId>& replicas,
                                        const std::vector<Uuid>& directories, size_t among) {
  protocol::PartitionRecord record;
  record.partition_id = PartitionId(static_cast<int32_t>(index));
  record.topic_id = topic;
  record.replicas = replicas;
  record.isr = replicas;
  record.leader = replicas.front();
  record.leader_epoch = LeaderEpoch(0);
  record.partition_epoch = 0;
  record.directories.assign(replicas.size(), unassigned_directory);
  if (!directories.empty()) record.directories = {directories[among]};
  return record;
}

bool contains(const std::vector<BrokerId>& list, BrokerId id) { return std::ranges::find(list, id) != list.end(); }

}  // namespace

std::vector<protocol::FeatureLevelRecord> default_features() {
  return {feature("metadata.version", 30), feature("eligible.leader.replicas.version", 1),
          feature("group.version", 1),     feature("share.version", 1),
          feature("streams.version", 1),   feature("transaction.version", 2)};
}

Records bootstrap_records() {
  Records records;
  protocol::BeginTransactionRecord begin;
  begin.name = "Bootstrap records";
  records.emplace_back(std::move(begin));
  for (protocol::FeatureLevelRecord& level : default_features()) records.emplace_back(std::move(level));
  protocol::ConfigRecord min_isr;
  min_isr.resource_type = static_cast<int8_t>(ResourceType::broker);
  min_isr.name = "min.insync.replicas";
  min_isr.value = "1";
  records.emplace_back(std::move(min_isr));
  records.emplace_back(protocol::EndTransactionRecord());
  return records;
}

Records create_topic(const NewTopic& topic) {
  Records records;
  protocol::TopicRecord head;
  head.name = topic.name;
  head.topic_id = topic.id;
  records.emplace_back(std::move(head));
  for (const auto& [name, value] : topic.configs) {
    protocol::ConfigRecord config;
    config.resource_type = static_cast<int8_t>(ResourceType::topic);
    config.resource_name = topic.name;
    config.name = name;
    config.value = value;
    records.emplace_back(std::move(config));
  }
  for (size_t i = 0; i < topic.replicas.size(); ++i) {
    records.emplace_back(new_partition(topic.id, i, topic.replicas[i], topic.directories, i));
  }
  return records;
}

Records add_partitions(const TopicImage& topic, const std::vector<std::vector<BrokerId>>& replicas,
                       const std::vector<Uuid>& directories) {
  Records records;
  for (size_t i = 0; i < replicas.size(); ++i) {
    records.emplace_back(new_partition(topic.id, topic.partitions.size() + i, replicas[i], directories, i));
  }
  return records;
}

protocol::PartitionChangeRecord assign_directory(const TopicImage& topic, PartitionId partition,
                                                 const Uuid& directory) {
  protocol::PartitionChangeRecord record;
  record.partition_id = partition;
  record.topic_id = topic.id;
  record.directories = {directory};
  return record;
}

Records delete_topic(const TopicImage& topic) {
  protocol::RemoveTopicRecord record;
  record.topic_id = topic.id;
  return {std::move(record)};
}

Records change_configs(const ConfigResource& resource, const std::vector<ConfigChange>& changes) {
  Records records;
  bool clears_elr = false;
  for (const ConfigChange& change : changes) {
    protocol::ConfigRecord record;
    record.resource_type = static_cast<int8_t>(resource.type);
    record.resource_name = resource.name;
    record.name = change.name;
    record.value = change.value;
    records.emplace_back(std::move(record));
    clears_elr = clears_elr || (resource.type == ResourceType::topic && change.name == "min.insync.replicas");
  }
  if (clears_elr) {
    protocol::ClearElrRecord clear;
    clear.topic_name = resource.name;
    records.emplace_back(std::move(clear));
  }
  return records;
}

Records register_broker(const Registration& registration) {
  protocol::RegisterBrokerRecord record;
  record.broker_id = registration.broker;
  record.incarnation_id = registration.incarnation;
  record.broker_epoch = registration.epoch;
  record.end_points = registration.endpoints;
  record.features = registration.features;
  record.rack = registration.rack;
  record.fenced = true;
  record.log_dirs = registration.directories;
  return {std::move(record)};
}

Records unfence(BrokerId broker, int64_t epoch) {
  Records records;
  protocol::BrokerRegistrationChangeRecord none_cordoned;
  none_cordoned.broker_id = broker;
  none_cordoned.broker_epoch = epoch;
  none_cordoned.cordoned_log_dirs.emplace();
  records.emplace_back(std::move(none_cordoned));
  protocol::BrokerRegistrationChangeRecord unfenced;
  unfenced.broker_id = broker;
  unfenced.broker_epoch = epoch;
  unfenced.fenced = -1;
  records.emplace_back(std::move(unfenced));
  return records;
}

Records lead_all(const MetadataImage& image, BrokerId node, const HasRecords& has_records) {
  Records records;
  for (const Topic& topic : image.topics()) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const PartitionImage& partition = topic->partitions[i];
      const PartitionId id(static_cast<int32_t>(i));
      if (!contains(partition.replicas, node) || (partition.leader == node && !has_records(*topic, id))) continue;
      protocol::PartitionChangeRecord change;
      change.partition_id = id;
      change.topic_id = topic->id;
      change.leader = node;
      if (!contains(partition.isr, node)) change.isr = {node};
      if (!partition.elr.empty()) change.eligible_leader_replicas.emplace();
      if (!partition.last_known_elr.empty()) change.last_known_elr.emplace();
      records.emplace_back(std::move(change));
    }
  }
  return records;
}

Records controlled_shutdown(const MetadataImage& image, BrokerId node, const HasRecords& has_records) {
  Records records;
  const auto broker = image.brokers().find(node);
  const int64_t epoch = broker == image.brokers().end() ? -1 : broker->second.epoch;
  protocol::BrokerRegistrationChangeRecord stopping;
  stopping.broker_id = node;
  stopping.broker_epoch = epoch;
  stopping.in_controlled_shutdown = 1;
  records.emplace_back(std::move(stopping));
  for (const Topic& topic : image.topics()) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const PartitionImage& partition = topic->partitions[i];
      const PartitionId id(static_cast<int32_t>(i));
      if (partition.leader != node || !has_records(*topic, id)) continue;
      protocol::PartitionChangeRecord change;
      change.partition_id = id;
      change.topic_id = topic->id;
      change.isr.emplace();
      change.leader = BrokerId(-1);
      change.eligible_leader_replicas = {node};
      change.last_known_elr = {node};
      records.emplace_back(std::move(change));
    }
  }
  protocol::BrokerRegistrationChangeRecord fenced;
  fenced.broker_id = node;
  fenced.broker_epoch = epoch;
  fenced.fenced = 1;
  records.emplace_back(std::move(fenced));
  return records;
}

}  // namespace millrace::replication
