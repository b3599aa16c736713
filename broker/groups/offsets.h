// Offsets: what the groups of one partition of `__consumer_offsets` have committed, and what open transactions would.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/types.h"

namespace millrace::broker::groups {

struct CommittedOffset {
  Offset offset{-1};
  LeaderEpoch leader_epoch{-1};
  std::string metadata{};
  Timestamp committed{-1};
  std::optional<Timestamp> expires{};  // only where the commit said how long to keep it (v2-4)
  TopicId topic_id{};                  // zero: committed by name
  Offset at{-1};                       // of the record that holds it
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

class Offsets {
 public:
  using ByPartition = std::map<PartitionId, CommittedOffset>;
  using ByTopic = std::map<std::string, ByPartition, std::less<>>;

  void put(const std::string& group, const std::string& topic, PartitionId partition, CommittedOffset value);
  // Of open transactions too.
  void remove(std::string_view group, std::string_view topic, PartitionId partition);
  void clear();

  const CommittedOffset* find(std::string_view group, std::string_view topic, PartitionId partition) const;
  const ByTopic* topics_of(std::string_view group) const;
  // Every partition of the group that has an offset, committed or of an open transaction.
  std::vector<TopicPartition> partitions_of(std::string_view group) const;
  // Every group that has an offset of this topic.
  std::vector<std::string> groups_with(std::string_view topic) const;
  size_t size() const { return size_; }

  void put_pending(ProducerId producer, const std::string& group, const std::string& topic, PartitionId partition,
                   CommittedOffset value);
  // The transaction ends: what it committed counts, where no later commit stands; or is forgotten.
  void complete(ProducerId producer, bool commit);
  bool has_pending(std::string_view group, std::string_view topic, PartitionId partition) const;
  bool has_pending(std::string_view group) const;
  // The groups this producer's open transaction commits to.
  std::vector<std::string> pending_groups(ProducerId producer) const;

 private:
  using ByGroup = std::map<std::string, ByTopic, std::less<>>;

  ByGroup committed_;
  std::map<ProducerId, ByGroup> pending_;
  size_t size_ = 0;
};

}  // namespace millrace::broker::groups
