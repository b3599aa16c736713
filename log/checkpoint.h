// The small text files of a log directory and of a partition, as Kafka writes them.
//
//   *-checkpoint            0\nCOUNT\nTOPIC PARTITION OFFSET\n…
//   leader-epoch-checkpoint 0\nCOUNT\nEPOCH START\n…
//   partition.metadata      version: 0\ntopic_id: BASE64URL              no newline at the end
//
// An empty checkpoint is "0\n0\n"; an empty file reads as no entries (Kafka's cleaner checkpoint is created so).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/types.h"

namespace millrace::log {

using OffsetCheckpoint = std::map<TopicPartition, Offset>;

std::string format_offsets(const OffsetCheckpoint& offsets);
// Throws CorruptLog "Malformed line in checkpoint file (PATH): …".
OffsetCheckpoint parse_offsets(std::string_view text, const std::string& path);

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start;
  friend auto operator<=>(const EpochEntry&, const EpochEntry&) = default;
};
std::string format_epochs(const std::vector<EpochEntry>& epochs);
std::vector<EpochEntry> parse_epochs(std::string_view text, const std::string& path);

std::string format_partition_metadata(const TopicId& id);
// Throws CorruptLog "Malformed line in partition metadata file (PATH): …".
TopicId parse_partition_metadata(std::string_view text, const std::string& path);

}  // namespace millrace::log
