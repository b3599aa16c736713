// What clients want of topics, and what the rules of Kafka's ReplicationControlManager say to it: pure functions of the
// metadata as it is. Whoever passes gets the replicas of each partition to be made.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/config/config.h"
#include "protocol/errors.h"
#include "replication/image.h"

namespace millrace::broker {

struct TopicWish {
  std::string name;
  int32_t partitions = -1;  // −1: the broker's default
  int16_t replication_factor = -1;
  std::vector<std::pair<PartitionId, std::vector<BrokerId>>> assignments;  // instead of the two above
  std::vector<std::pair<std::string, std::optional<std::string>>> configs;
};

struct Outcome {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> message;
};

struct TopicOutcome : Outcome {
  TopicId id;
  int32_t partitions = -1;
  int16_t replication_factor = -1;
  replication::Settings settings;  // the topic's own
};

struct PartitionsWish {
  std::string topic;
  int32_t count = 0;
  std::optional<std::vector<std::vector<BrokerId>>> assignments;
};

using Replicas = std::vector<std::vector<BrokerId>>;  // of each partition

// Names that one with a '.' or '_' might be taken for in metrics, by what is the same in both.
class SimilarNames {
 public:
  SimilarNames(const std::vector<TopicWish>& wishes, const replication::MetadataImage& image);
  // Null when there is none.
  const std::string* find(const std::string& name) const;
  void add(const std::string& name);

 private:
  std::map<std::string, std::string> names_;
};

TopicOutcome judge(const TopicWish& wish, const replication::MetadataImage& image, const Config& config,
                   const SimilarNames& similar, Replicas& replicas);
// `topic` is null where there is none of this name.
Outcome judge(const PartitionsWish& wish, const replication::Topic& topic, BrokerId broker, Replicas& replicas);

}  // namespace millrace::broker
