#include "broker/groups/offsets.h"

namespace millrace::broker::groups {

namespace {

template <class Groups>
auto* find_in(Groups& groups, std::string_view group, std::string_view topic, PartitionId partition) {
  using Found = decltype(&groups.begin()->second.begin()->second.begin()->second);
  const auto topics = groups.find(group);
  if (topics == groups.end()) return Found(nullptr);
  const auto partitions = topics->second.find(topic);
  if (partitions == topics->second.end()) return Found(nullptr);
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? Found(nullptr) : &found->second;
}

// Leaves no empty maps behind.
template <class Groups>
bool erase_from(Groups& groups, std::string_view group, std::string_view topic, PartitionId partition) {
  const auto topics = groups.find(group);
  if (topics == groups.end()) return false;
  const auto partitions = topics->second.find(topic);
  if (partitions == topics->second.end() || partitions->second.erase(partition) == 0) return false;
  if (partitions->second.empty()) topics->second.erase(partitions);
  if (topics->second.empty()) groups.erase(topics);
  return true;
}

}  // namespace

void Offsets::put(const std::string& group, const std::string& topic, PartitionId partition, CommittedOffset value) {
  if (committed_[group][topic].insert_or_assign(partition, std::move(value)).second) ++size_;
}

void Offsets::remove(std::string_view group, std::string_view topic, PartitionId partition) {
  if (erase_from(committed_, group, topic, partition)) --size_;
  for (auto& [producer, groups] : pending_) erase_from(groups, group, topic, partition);
}

void Offsets::clear() {
  committed_.clear();
  pending_.clear();
  size_ = 0;
}

const CommittedOffset* Offsets::find(std::string_view group, std::string_view topic, PartitionId partition) const {
  return find_in(committed_, group, topic, partition);
}

const Offsets::ByTopic* Offsets::topics_of(std::string_view group) const {
  const auto found = committed_.find(group);
  return found == committed_.end() ? nullptr : &found->second;
}

std::vector<TopicPartition> Offsets::partitions_of(std::string_view group) const {
  std::set<TopicPartition> partitions;
  const auto collect = [&](const ByGroup& groups) {
    const auto topics = groups.find(group);
    if (topics == groups.end()) return;
    for (const auto& [topic, offsets] : topics->second) {
      for (const auto& [partition, offset] : offsets) partitions.insert({topic, partition});
    }
  };
  collect(committed_);
  for (const auto& [producer, groups] : pending_) collect(groups);
  return {partitions.begin(), partitions.end()};
}

std::vector<std::string> Offsets::groups_with(std::string_view topic) const {
  std::set<std::string> groups;
  const auto collect = [&](const ByGroup& in) {
    for (const auto& [group, topics] : in) {
      if (topics.contains(topic)) groups.insert(group);
    }
  };
  collect(committed_);
  for (const auto& [producer, in] : pending_) collect(in);
  return {groups.begin(), groups.end()};
}

void Offsets::put_pending(ProducerId producer, const std::string& group, const std::string& topic,
                          PartitionId partition, CommittedOffset value) {
  pending_[producer][group][topic].insert_or_assign(partition, std::move(value));
}

void Offsets::complete(ProducerId producer, bool commit) {
  const auto node = pending_.extract(producer);
  if (node.empty() || !commit) return;
  for (const auto& [group, topics] : node.mapped()) {
    for (const auto& [topic, partitions] : topics) {
      for (const auto& [partition, value] : partitions) {
        // By place in the log, not by when the marker came: compaction keeps the later record only.
        const CommittedOffset* present = find(group, topic, partition);
        if (present == nullptr || present->at < value.at) put(group, topic, partition, value);
      }
    }
  }
}

bool Offsets::has_pending(std::string_view group, std::string_view topic, PartitionId partition) const {
  for (const auto& [producer, groups] : pending_) {
    if (find_in(groups, group, topic, partition) != nullptr) return true;
  }
  return false;
}

bool Offsets::has_pending(std::string_view group) const {
  for (const auto& [producer, groups] : pending_) {
    if (groups.contains(group)) return true;
  }
  return false;
}

std::vector<std::string> Offsets::pending_groups(ProducerId producer) const {
  std::vector<std::string> names;
  const auto found = pending_.find(producer);
  if (found == pending_.end()) return names;
  for (const auto& [group, topics] : found->second) names.push_back(group);
  return names;
}

}  // namespace millrace::broker::groups
