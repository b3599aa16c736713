// What an operator may set about groups, with Kafka's defaults.
#pragma once

#include <cstdint>

#include "protocol/types.h"

namespace millrace::broker::groups {

struct GroupSettings {
  Millis min_session_timeout{6'000};               // group.min.session.timeout.ms
  Millis max_session_timeout{1'800'000};           // group.max.session.timeout.ms
  Millis initial_rebalance_delay{3'000};           // group.initial.rebalance.delay.ms
  int32_t max_size = 0x7fffffff;                   // group.max.size
  Millis new_member_join_timeout{300'000};         // how long a parked join of a new member keeps it alive
  int32_t offset_metadata_max_bytes = 4'096;       // offset.metadata.max.bytes
  Millis offsets_retention{7LL * 24 * 3'600'000};  // offsets.retention.minutes
  Millis retention_check_interval{600'000};        // offsets.retention.check.interval.ms
  Millis commit_timeout{5'000};                    // offsets.commit.timeout.ms
  int32_t offsets_partitions = 50;                 // offsets.topic.num.partitions
  int16_t offsets_replication_factor = 3;          // offsets.topic.replication.factor
  int32_t offsets_segment_bytes = 100 << 20;       // offsets.topic.segment.bytes
};

}  // namespace millrace::broker::groups
