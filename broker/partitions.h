// Partitions: the ones that live on one shard.
//
//   in the metadata ──┬─ nothing on the disk ──── find() makes it ───┐
//                     └─ a directory, expected ── open() opens it ───┴→ at hand
//
// Most partitions of a large cluster are never asked for: they are no more than their line in the metadata.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "broker/partition.h"

namespace millrace::log {
class LogDirectory;
}

namespace millrace::broker {

class Partitions {
 public:
  // Null when this broker does not have it (here), and for one that has yet to be opened.
  std::shared_ptr<Partition> find(const TopicId& topic, PartitionId partition);
  // The same, and opens it first where that is needed. Null as well when it cannot be opened.
  Task<std::shared_ptr<Partition>> open(TopicId topic, PartitionId partition);
  // False: there is nothing that open() would find and find() would not.
  bool any_expected() const { return !expected_.empty(); }

  // Makes a partition that nothing was ever written to; null when there is no such partition.
  using Make = std::function<std::shared_ptr<Partition>(const TopicId& topic, PartitionId partition)>;
  // Opens one that lies in `dir`; null when it cannot be opened, or is somebody else's.
  using Open =
      std::function<Task<std::shared_ptr<Partition>>(TopicId topic, PartitionId partition, log::LogDirectory& dir)>;
  void make_with(Make make) { make_ = std::move(make); }
  void open_with(Open open) { open_ = std::move(open); }
  void expect(const TopicId& topic, PartitionId partition, log::LogDirectory& dir);

  // --- those at hand ---
  std::vector<std::shared_ptr<Partition>> of_topic(const TopicId& topic) const;
  std::vector<std::shared_ptr<Partition>> all() const;
  void add(std::shared_ptr<Partition> partition);

  // --- those expected ---
  struct Expected {
    TopicId topic;
    PartitionId partition;
    log::LogDirectory* dir = nullptr;
  };
  std::vector<Expected> expected() const;

  // Forgets them; those at hand are still open.
  struct Removed {
    std::vector<std::shared_ptr<Partition>> at_hand;
    std::vector<Expected> expected;
  };
  Task<Removed> remove(TopicId topic);

 private:
  using Key = std::pair<TopicId, PartitionId>;

  std::unordered_map<TopicId, std::vector<std::shared_ptr<Partition>>> topics_;
  std::unordered_map<TopicId, std::unordered_map<PartitionId, log::LogDirectory*>> expected_;
  std::set<Key> opening_;
  Event opened_;
  Make make_;
  Open open_;
};

}  // namespace millrace::broker
