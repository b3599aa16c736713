#include "replication/image.h"

namespace millrace::replication {

namespace {

[[noreturn]] void contradiction(const std::string& what) { throw UnreadableMetadata("metadata log: " + what); }

}  // namespace

// One overload per kind of record.
struct Applier {
  MetadataImage& image;

  // The topic as it may be changed: a copy where others may have seen it.
  TopicImage& change(const TopicId& id) const {
    if (const auto open = image.open_.find(id); open != image.open_.end()) return *open->second;
    const Topic found = image.ids_.find(id);
    if (!found) contradiction("no topic has the id " + to_string(id));
    return put(std::make_shared<TopicImage>(*found));
  }
  TopicImage& put(std::shared_ptr<TopicImage> topic) const {
    image.ids_.put(topic);
    image.topics_.put(topic);
    return *(image.open_[topic->id] = std::move(topic));
  }

  AllSettings& settings() const {
    if (!image.open_settings_) {
      image.open_settings_ = std::make_shared<AllSettings>(*image.settings_);
      image.settings_ = image.open_settings_;
    }
    return *image.open_settings_;
  }

  void operator()(const protocol::TopicRecord& record) const {
    auto topic = std::make_shared<TopicImage>();
    topic->name = record.name;
    topic->id = record.topic_id;
    put(std::move(topic));
  }
  void operator()(const protocol::PartitionRecord& record) const {
    TopicImage& topic = change(record.topic_id);
    const auto index = static_cast<size_t>(record.partition_id.value);
    if (record.partition_id.value < 0 || index > topic.partitions.size()) {
      contradiction("partition " + std::to_string(record.partition_id.value) + " of " + topic.name +
                    " comes before the ones below it");
    }
    if (index == topic.partitions.size()) topic.partitions.emplace_back();
    PartitionImage& partition = topic.partitions[index];
    partition.replicas = record.replicas;
    partition.isr = record.isr;
    partition.adding = record.adding_replicas;
    partition.removing = record.removing_replicas;
    partition.elr = record.eligible_leader_replicas.value_or(std::vector<BrokerId>());
    partition.last_known_elr = record.last_known_elr.value_or(std::vector<BrokerId>());
    partition.directories = record.directories;
    partition.leader = record.leader;
    partition.leader_epoch = record.leader_epoch;
    partition.partition_epoch = record.partition_epoch;
    partition.recovery_state = record.leader_recovery_state;
  }
  void operator()(const protocol::PartitionChangeRecord& record) const {
    TopicImage& topic = change(record.topic_id);
    const auto index = static_cast<size_t>(record.partition_id.value);
    if (record.partition_id.value < 0 || index >= topic.partitions.size()) {
      contradiction("change of a missing partition of " + topic.name);
    }
    PartitionImage& partition = topic.partitions[index];
    if (record.isr) partition.isr = *record.isr;
    if (record.replicas) partition.replicas = *record.replicas;
    if (record.adding_replicas) partition.adding = *record.adding_replicas;
    if (record.removing_replicas) partition.removing = *record.removing_replicas;
    if (record.eligible_leader_replicas) partition.elr = *record.eligible_leader_replicas;
    if (record.last_known_elr) partition.last_known_elr = *record.last_known_elr;
    if (record.directories) partition.directories = *record.directories;
    if (record.leader_recovery_state >= 0) partition.recovery_state = record.leader_recovery_state;
    if (record.leader.value != -2) {
      partition.leader = record.leader;
      partition.leader_epoch.value += 1;
    }
    partition.partition_epoch += 1;
  }
  void operator()(const protocol::RemoveTopicRecord& record) const {
    const Topic topic = image.ids_.find(record.topic_id);
    if (!topic) contradiction("no topic has the id " + to_string(record.topic_id));
    const ConfigResource resource{ResourceType::topic, topic->name};
    if (image.settings_->contains(resource)) settings().erase(resource);
    image.topics_.erase(topic->name);
    image.ids_.erase(topic->id);
    image.open_.erase(topic->id);
  }
  void operator()(const protocol::ClearElrRecord& record) const {
    const Topic topic = image.topic(record.topic_name);
    if (!topic) return;
    for (PartitionImage& partition : change(topic->id).partitions) {
      partition.elr.clear();
      partition.last_known_elr.clear();
    }
  }
  void operator()(const protocol::ConfigRecord& record) const {
    const ConfigResource resource{static_cast<ResourceType>(record.resource_type), record.resource_name};
    if (record.value) {
      settings()[resource][record.name] = *record.value;
      return;
    }
    const auto found = settings().find(resource);
    if (found == settings().end()) return;
    found->second.erase(record.name);
    if (found->second.empty()) settings().erase(found);
  }
  void operator()(const protocol::FeatureLevelRecord& record) const {
    if (record.feature_level == 0) {
      image.features_.erase(record.name);
    } else {
      image.features_[record.name] = record.feature_level;
    }
  }
  void operator()(const protocol::ProducerIdsRecord& record) const {
    image.next_producer_id_ = record.next_producer_id;
  }
  void operator()(const protocol::RegisterBrokerRecord& record) const {
    BrokerImage broker;
    broker.id = record.broker_id;
    broker.epoch = record.broker_epoch;
    broker.incarnation = record.incarnation_id;
    broker.endpoints = record.end_points;
    broker.rack = record.rack;
    broker.fenced = record.fenced;
    broker.in_controlled_shutdown = record.in_controlled_shutdown;
    broker.directories = record.log_dirs;
    image.brokers_[broker.id] = std::move(broker);
  }
  void operator()(const protocol::UnregisterBrokerRecord& record) const { image.brokers_.erase(record.broker_id); }
  void operator()(const protocol::BrokerRegistrationChangeRecord& record) const {
    const auto broker = image.brokers_.find(record.broker_id);
    if (broker == image.brokers_.end()) contradiction("change of a broker that never registered");
    // Both are −1: now off, 0: as it was, 1: now on.
    if (record.fenced != 0) broker->second.fenced = record.fenced > 0;
    if (record.in_controlled_shutdown != 0) broker->second.in_controlled_shutdown = record.in_controlled_shutdown > 0;
    if (!record.log_dirs.empty()) broker->second.directories = record.log_dirs;
  }
  void operator()(const protocol::FenceBrokerRecord& record) const { set_fenced(record.id, true); }
  void operator()(const protocol::UnfenceBrokerRecord& record) const { set_fenced(record.id, false); }
  void set_fenced(BrokerId id, bool fenced) const {
    const auto broker = image.brokers_.find(id);
    if (broker != image.brokers_.end()) broker->second.fenced = fenced;
  }
  void operator()(const protocol::NoOpRecord&) const {}
  void operator()(const protocol::BeginTransactionRecord&) const {}
  void operator()(const protocol::EndTransactionRecord&) const {}
  void operator()(const protocol::AbortTransactionRecord&) const {}
  void operator()(const protocol::RegisterControllerRecord&) const {}
  void operator()(const OtherRecord&) const {}
};

Topic MetadataImage::topic(std::string_view name) const { return topics_.find(name); }

Topic MetadataImage::topic(const TopicId& id) const { return ids_.find(id); }

const Settings& MetadataImage::settings(const ConfigResource& resource) const {
  static const Settings nothing;
  const auto found = settings_->find(resource);
  return found == settings_->end() ? nothing : found->second;
}

void MetadataImage::apply(const MetadataRecord& record, int64_t offset) {
  std::visit(Applier{*this}, record);
  offset_ = offset;
}

void MetadataImage::settle() {
  for (const auto& [id, topic] : open_) topic->partitions.shrink_to_fit();
  open_.clear();
  open_settings_ = nullptr;
}

void MetadataFold::add(MetadataRecord record, int64_t offset) {
  if (std::holds_alternative<protocol::BeginTransactionRecord>(record)) {
    in_transaction_ = true;
    held_.clear();
  } else if (std::holds_alternative<protocol::AbortTransactionRecord>(record)) {
    in_transaction_ = false;
    held_.clear();
  } else if (std::holds_alternative<protocol::EndTransactionRecord>(record)) {
    in_transaction_ = false;
    for (const auto& [held, at] : held_) image_.apply(held, at);
    held_.clear();
  } else if (in_transaction_) {
    held_.emplace_back(std::move(record), offset);
    return;
  }
  image_.apply(record, offset);
}

}  // namespace millrace::replication
