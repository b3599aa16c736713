#include "broker/topic_wish.h"

#include <algorithm>

#include "broker/broker.h"
#include "broker/config/topic_config.h"

namespace millrace::broker {

namespace {

constexpr int32_t most_partitions_at_once = 10000;

TopicOutcome topic_failure(ErrorCode error, std::string message) {
  TopicOutcome outcome;
  outcome.error = error;
  outcome.message = std::move(message);
  return outcome;
}

bool may_collide(const std::string& name) { return name.find_first_of("._") != std::string::npos; }

std::string collision_key(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace

SimilarNames::SimilarNames(const std::vector<TopicWish>& wishes, const replication::MetadataImage& image) {
  if (std::ranges::none_of(wishes, may_collide, &TopicWish::name)) return;
  for (const replication::Topic& topic : image.topics()) {
    if (may_collide(topic->name)) add(topic->name);
  }
}

const std::string* SimilarNames::find(const std::string& name) const {
  const auto other = names_.find(collision_key(name));
  return other == names_.end() ? nullptr : &other->second;
}

void SimilarNames::add(const std::string& name) { names_.emplace(collision_key(name), name); }

TopicOutcome judge(const TopicWish& wish, const replication::MetadataImage& image, const Config& config,
                   const SimilarNames& similar, Replicas& replicas) {
  if (const std::string fault = topic_name_fault(wish.name); !fault.empty()) {
    return topic_failure(ErrorCode::invalid_topic_exception, fault);
  }
  if (image.topic(wish.name)) {
    return topic_failure(ErrorCode::topic_already_exists, "Topic '" + wish.name + "' already exists.");
  }
  if (const std::string* other = similar.find(wish.name)) {
    return topic_failure(ErrorCode::invalid_topic_exception,
                         "Topic '" + wish.name + "' collides with existing topic: " + *other);
  }
  TopicOutcome outcome;
  for (const auto& [name, value] : wish.configs) {
    if (!value) {
      return topic_failure(ErrorCode::invalid_config, "Null value not supported for topic configs: " + name);
    }
    outcome.settings[name] = *value;
  }
  try {
    validate_topic_settings(outcome.settings, config_layers(config, image));
  } catch (const ConfigError& error) {
    return topic_failure(ErrorCode::invalid_config, error.what());
  }
  if (!wish.assignments.empty()) {
    if (wish.replication_factor != -1) {
      return topic_failure(ErrorCode::invalid_request,
                           "A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if (wish.partitions != -1) {
      return topic_failure(ErrorCode::invalid_request,
                           "A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    replicas.assign(wish.assignments.size(), {});
    for (const auto& [partition, brokers] : wish.assignments) {
      const auto index = static_cast<size_t>(partition.value);
      if (partition.value < 0 || index >= replicas.size() || !replicas[index].empty()) {
        return topic_failure(ErrorCode::invalid_replica_assignment,
                             "partitions should be a consecutive 0-based integer sequence");
      }
      if (brokers.size() != 1 || brokers.front() != config.node_id()) {
        return topic_failure(ErrorCode::invalid_replica_assignment,
                             brokers.empty() ? "The manual partition assignment includes an empty replica list."
                                             : "The manual partition assignment includes a broker that is not "
                                               "registered, or one twice.");
      }
      replicas[index] = brokers;
    }
    outcome.replication_factor = 1;
  } else {
    const int64_t factor =
        wish.replication_factor == -1 ? config.number("default.replication.factor") : wish.replication_factor;
    const int64_t count = wish.partitions == -1 ? config.number("num.partitions") : wish.partitions;
    if (factor < 1) {
      return topic_failure(ErrorCode::invalid_replication_factor,
                           "Replication factor must be larger than 0, or -1 to use the default value.");
    }
    if (count < 1) {
      return topic_failure(ErrorCode::invalid_partitions,
                           "Number of partitions was set to an invalid non-positive value.");
    }
    if (count > most_partitions_at_once) {
      return topic_failure(ErrorCode::policy_violation, "Excessively large number of partitions per request.");
    }
    if (factor > 1) {
      return topic_failure(ErrorCode::invalid_replication_factor,
                           "Unable to replicate the partition " + std::to_string(factor) +
                               " time(s): The target replication factor of " + std::to_string(factor) +
                               " cannot be reached because only 1 broker(s) are registered.");
    }
    replicas.assign(static_cast<size_t>(count), {config.node_id()});
    outcome.replication_factor = 1;
  }
  outcome.partitions = static_cast<int32_t>(replicas.size());
  return outcome;
}

Outcome judge(const PartitionsWish& wish, const replication::Topic& topic, BrokerId broker, Replicas& replicas) {
  const auto failure = [](ErrorCode error, std::string message) { return Outcome{error, std::move(message)}; };
  const int32_t present = topic ? static_cast<int32_t>(topic->partitions.size()) : 0;
  const int32_t added = wish.count - present;
  if (!topic) {
    return failure(ErrorCode::unknown_topic_or_partition, "This server does not host this topic-partition.");
  }
  if (added == 0) {
    return failure(ErrorCode::invalid_partitions, "Topic already has " + std::to_string(present) + " partition(s).");
  }
  if (added < 0) {
    return failure(ErrorCode::invalid_partitions, "The topic " + wish.topic + " currently has " +
                                                      std::to_string(present) + " partition(s); " +
                                                      std::to_string(wish.count) + " would not be an increase.");
  }
  if (wish.assignments && wish.assignments->size() != static_cast<size_t>(added)) {
    return failure(ErrorCode::invalid_replica_assignment,
                   "Attempted to add " + std::to_string(added) + " additional partition(s), but only " +
                       std::to_string(wish.assignments->size()) + " assignment(s) were specified.");
  }
  const auto is_elsewhere = [broker](const std::vector<BrokerId>& brokers) {
    return brokers.size() != 1 || brokers.front() != broker;
  };
  if (wish.assignments && std::ranges::any_of(*wish.assignments, is_elsewhere)) {
    return failure(ErrorCode::invalid_replica_assignment,
                   "The manual partition assignment includes a broker that is not registered, or one twice.");
  }
  replicas.assign(static_cast<size_t>(added), {broker});
  return {};
}

}  // namespace millrace::broker
