#include "broker/partitions.h"

namespace millrace::broker {

std::shared_ptr<Partition> Partitions::find(const TopicId& topic, PartitionId partition) {
  const auto found = topics_.find(topic);
  const auto index = static_cast<size_t>(partition.value);
  if (found != topics_.end() && index < found->second.size() && found->second[index]) return found->second[index];
  if (!make_) return nullptr;
  std::shared_ptr<Partition> made = make_(topic, partition);
  if (made) add(made);
  return made;
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

void Partitions::add(std::shared_ptr<Partition> partition) {
  auto& list = topics_[partition->topic_id()];
  const auto index = static_cast<size_t>(partition->name().partition.value);
  if (list.size() <= index) list.resize(index + 1);
  list[index] = std::move(partition);
}

std::vector<std::shared_ptr<Partition>> Partitions::remove(const TopicId& topic) {
  std::vector<std::shared_ptr<Partition>> partitions = of_topic(topic);
  topics_.erase(topic);
  return partitions;
}

}  // namespace millrace::broker
