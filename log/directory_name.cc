#include "log/directory_name.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace millrace::log {

namespace {

constexpr size_t longest_name = 255;

std::string_view suffix_of(DirectoryKind kind) {
  switch (kind) {
    case DirectoryKind::deleted:
      return "-delete";
    case DirectoryKind::stray:
      return "-stray";
    case DirectoryKind::future:
      return "-future";
    case DirectoryKind::partition:
      break;
  }
  return "";
}

}  // namespace

std::string directory_name(const TopicPartition& partition) {
  return partition.topic + "-" + std::to_string(partition.partition.value);
}

std::string directory_name(const TopicPartition& partition, DirectoryKind kind, const Uuid& unique) {
  char hex[40];
  std::snprintf(hex, sizeof hex, "%016llx%016llx", static_cast<unsigned long long>(unique.high),
                static_cast<unsigned long long>(unique.low));
  std::string tail = "-" + std::to_string(partition.partition.value) + "." + hex;
  tail += suffix_of(kind);
  return partition.topic.substr(0, std::min(partition.topic.size(), longest_name - tail.size())) + tail;
}

std::optional<DirectoryName> parse_directory_name(std::string_view name) {
  DirectoryName parsed;
  for (const DirectoryKind kind : {DirectoryKind::deleted, DirectoryKind::stray, DirectoryKind::future}) {
    if (!name.ends_with(suffix_of(kind))) continue;
    const std::string_view body = name.substr(0, name.size() - suffix_of(kind).size());
    const size_t dot = body.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == body.size()) continue;
    parsed.kind = kind;
    name = body.substr(0, dot);
    break;
  }
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) return std::nullopt;
  const std::string_view digits = name.substr(dash + 1);
  int32_t partition = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), partition);
  if (error != std::errc() || end != digits.data() + digits.size() || partition < 0) return std::nullopt;
  parsed.partition = {std::string(name.substr(0, dash)), PartitionId(partition)};
  return parsed;
}

}  // namespace millrace::log
