// The names of the directories in a log directory.
//
//   TOPIC-PARTITION                        served
//   TOPIC-PARTITION.UNIQUE-delete          deleted, removed a while later
//   TOPIC-PARTITION.UNIQUE-stray           not known to the cluster; kept, not served
//   TOPIC-PARTITION.UNIQUE-future          the target of a move between log directories
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/types.h"

namespace millrace::log {

enum class DirectoryKind : uint8_t { partition, deleted, stray, future };

struct DirectoryName {
  TopicPartition partition;
  DirectoryKind kind = DirectoryKind::partition;
};

std::string directory_name(const TopicPartition& partition);
// With a unique part; the topic is cut where the name would be longer than 255 characters.
std::string directory_name(const TopicPartition& partition, DirectoryKind kind, const Uuid& unique);
// Nothing for names that Kafka does not accept.
std::optional<DirectoryName> parse_directory_name(std::string_view name);

}  // namespace millrace::log
