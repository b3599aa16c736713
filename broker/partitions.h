// Partitions: the ones that live on one shard.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/partition.h"

namespace millrace::broker {

class Partitions {
 public:
  // Null when this broker does not have it (here).
  std::shared_ptr<Partition> find(const TopicId& topic, PartitionId partition) const;
  std::vector<std::shared_ptr<Partition>> of_topic(const TopicId& topic) const;
  std::vector<std::shared_ptr<Partition>> all() const;
  void add(std::shared_ptr<Partition> partition);
  // Forgets them; they are still open.
  std::vector<std::shared_ptr<Partition>> remove(const TopicId& topic);

 private:
  std::unordered_map<TopicId, std::vector<std::shared_ptr<Partition>>> topics_;
};

}  // namespace millrace::broker
