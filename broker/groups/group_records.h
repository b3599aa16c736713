// What the coordinator of classic groups writes to `__consumer_offsets`, and reads back.
//
//   key   := type:i16 …      1 (0 in old logs): an offset, of group, topic, partition;  2: a classic group
//   value := version:i16 …   absent: a tombstone, the key's former value counts no more
//
// Offsets are written in version 4 (1 when the commit says how long to keep it), groups in version 3, as Kafka 4.3
// does. Keys of other types belong to other kinds of groups and are passed over.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/groups/group_events.h"
#include "broker/groups/offsets.h"
#include "protocol/record_batch.h"

namespace millrace::broker::groups {

struct OffsetChange {
  std::string group;
  std::string topic;
  PartitionId partition{};
  std::optional<CommittedOffset> value{};
};

struct GroupChange {
  std::string group;
  std::optional<GroupRecord> value{};
};

using Change = std::variant<OffsetChange, GroupChange>;

// One batch; the times of its records are `now`.
Bytes batch_of(const std::vector<Change>& changes, Timestamp now, protocol::BatchOptions options = {});

// Nothing for a record of another kind, or one that cannot be read.
std::optional<Change> read_change(const protocol::RecordView& record);

// The partition of `__consumer_offsets` a group lives in: the absolute value of Java's hash of
// its id as UTF-16; 0 for the one that has none. Kafka looks for a group there, and nowhere else.
int32_t partition_of_group(std::string_view group, int32_t partitions);

// How many UTF-16 units a text has: what Kafka counts against offset.metadata.max.bytes.
size_t utf16_length(std::string_view text);

}  // namespace millrace::broker::groups
