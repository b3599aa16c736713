// OffsetsLog: `__consumer_offsets` as the coordinator needs it. The broker implements it over its partitions.
//
// Called on the coordinator's shard. Two appends to one partition that are started one after the other get their
// places in that order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/groups/group_settings.h"
#include "protocol/bytes.h"
#include "protocol/errors.h"
#include "protocol/types.h"
#include "runtime/task.h"

namespace millrace::broker::groups {

inline constexpr const char* offsets_topic = "__consumer_offsets";

// With which settings Kafka creates it.
inline std::vector<std::pair<std::string, std::string>> offsets_topic_configs(const GroupSettings& settings) {
  return {{"cleanup.policy", "compact"},
          {"compression.type", "producer"},
          {"segment.bytes", std::to_string(settings.offsets_segment_bytes)}};
}

class OffsetsLog {
 public:
  virtual ~OffsetsLog() = default;

  // 0 while the topic does not exist.
  virtual int32_t partitions() const = 0;
  // Whether this broker leads that partition, and so coordinates its groups.
  virtual bool leads(PartitionId partition) const = 0;
  // Creates the topic, and returns when its partitions can be used; none when it exists already.
  virtual Task<ErrorCode> create(int32_t partitions, int16_t replication_factor,
                                 std::vector<std::pair<std::string, std::string>> configs) = 0;

  struct Appended {
    ErrorCode error = ErrorCode::none;
    Offset base{-1};
  };
  // Appends one batch; returns when it is acknowledged at the configured durability (acks=all), however long that
  // takes, or when it is certain that it never will be.
  virtual Task<Appended> append(PartitionId partition, Bytes batch) = 0;

  struct Page {
    ErrorCode error = ErrorCode::none;
    std::vector<Bytes> batches;  // whole batches in order; none at the end of the log
  };
  // From the batch that holds `from` (the log start when it lies before it) up to the high watermark.
  virtual Task<Page> read(PartitionId partition, Offset from, size_t max_bytes) = 0;
};

// What the coordinator asks about topics.
class TopicDirectory {
 public:
  virtual ~TopicDirectory() = default;
  struct Topic {
    TopicId id;
    int32_t partitions = 0;
  };
  virtual std::optional<Topic> find(std::string_view name) const = 0;
  virtual std::optional<std::string> name_of(TopicId id) const = 0;
};

}  // namespace millrace::broker::groups
