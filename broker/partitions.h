// Partitions: the ones that live on one shard.
//
// Most partitions of a large cluster are never written to. They are made when somebody asks for one.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/partition.h"

namespace millrace::broker {

class Partitions {
 public:
  // Null when this broker does not have it (here).
  std::shared_ptr<Partition> find(const TopicId& topic, PartitionId partition);
  // Makes a partition that nothing was ever written to; null when there is no such partition.
  using Make = std::function<std::shared_ptr<Partition>(const TopicId& topic, PartitionId partition)>;
  void make_with(Make make) { make_ = std::move(make); }

  // --- those that somebody has asked for ---
  std::vector<std::shared_ptr<Partition>> of_topic(const TopicId& topic) const;
  std::vector<std::shared_ptr<Partition>> all() const;
  void add(std::shared_ptr<Partition> partition);
  // Forgets them; they are still open.
  std::vector<std::shared_ptr<Partition>> remove(const TopicId& topic);

 private:
  std::unordered_map<TopicId, std::vector<std::shared_ptr<Partition>>> topics_;
  Make make_;
};

}  // namespace millrace::broker
