#include "broker/partitions.h"

namespace millrace::broker {

std::shared_ptr<Partition> Partitions::find(const TopicId& topic, PartitionId partition) {
  const auto found = topics_.find(topic);
  const auto index = static_cast<size_t>(partition.value);
  if (found != topics_.end() && index < found->second.size() && found->second[index]) return found->second[index];
  if (!make_) return nullptr;
  if (const auto expected = expected_.find(topic); expected != expected_.end() && expected->second.contains(partition))
    return nullptr;
  std::shared_ptr<Partition> made = make_(topic, partition);
  if (made) add(made);
  return made;
}

Task<std::shared_ptr<Partition>> Partitions::open(TopicId topic, PartitionId partition) {
  const Key key(topic, partition);
  const auto expected = [&]() -> log::LogDirectory* {
    const auto of_topic = expected_.find(topic);
    if (of_topic == expected_.end()) return nullptr;
    const auto at = of_topic->second.find(partition);
    return at == of_topic->second.end() ? nullptr : at->second;
  };
  while (expected() != nullptr && opening_.contains(key)) co_await opened_.wait();
  log::LogDirectory* dir = expected();
  if (dir == nullptr) co_return find(topic, partition);
  opening_.insert(key);
  std::shared_ptr<Partition> opened;
  std::exception_ptr error;
  try {
    opened = co_await open_(topic, partition, *dir);
  } catch (...) {
    error = std::current_exception();
  }
  opening_.erase(key);
  if (opened) {
    add(opened);
    const auto of_topic = expected_.find(topic);
    of_topic->second.erase(partition);
    if (of_topic->second.empty()) expected_.erase(of_topic);
  }
  opened_.notify();
  if (error) std::rethrow_exception(error);
  co_return opened;
}

void Partitions::expect(const TopicId& topic, PartitionId partition, log::LogDirectory& dir) {
  expected_[topic][partition] = &dir;
}

std::vector<std::shared_ptr<Partition>> Partitions::of_topic(const TopicId& topic) const {
  std::vector<std::shared_ptr<Partition>> partitions;
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return partitions;
  for (const std::shared_ptr<Partition>& partition : found->second) {
    if (partition) partitions.push_back(partition);
  }
  return partitions;
}

std::vector<std::shared_ptr<Partition>> Partitions::all() const {
  std::vector<std::shared_ptr<Partition>> partitions;
  for (const auto& [topic, list] : topics_) {
    for (const std::shared_ptr<Partition>& partition : list) {
      if (partition) partitions.push_back(partition);
    }
  }
  return partitions;
}

std::vector<Partitions::Expected> Partitions::expected() const {
  std::vector<Expected> all;
  for (const auto& [topic, partitions] : expected_) {
    for (const auto& [partition, dir] : partitions) all.push_back({topic, partition, dir});
  }
  return all;
}

void Partitions::add(std::shared_ptr<Partition> partition) {
  auto& list = topics_[partition->topic_id()];
  const auto index = static_cast<size_t>(partition->name().partition.value);
  if (list.size() <= index) list.resize(index + 1);
  list[index] = std::move(partition);
}

Task<Partitions::Removed> Partitions::remove(TopicId topic) {
  // Whoever is opening one works on its files.
  const auto opening = [&] {
    const auto first = opening_.lower_bound(Key(topic, PartitionId(0)));
    return first != opening_.end() && first->first == topic;
  };
  while (opening()) co_await opened_.wait();
  Removed removed;
  removed.at_hand = of_topic(topic);
  topics_.erase(topic);
  if (const auto of_topic = expected_.find(topic); of_topic != expected_.end()) {
    for (const auto& [partition, dir] : of_topic->second) removed.expected.push_back({topic, partition, dir});
    expected_.erase(of_topic);
  }
  co_return removed;
}

}  // namespace millrace::broker
