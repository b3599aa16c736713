// Strict readers: a checkpoint that is almost right is worse than none.
#include "log/checkpoint.h"

#include <charconv>
#include <optional>

#include "log/log.h"

namespace millrace::log {

namespace {

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    return line;
  }

 private:
  std::string_view rest_;
};

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

[[noreturn]] void malformed(std::string_view what, const std::string& path, std::string_view line) {
  throw CorruptLog("Malformed line in " + std::string(what) + " (" + path + "): '" + std::string(line) + "'");
}

// Calls `entry` with each line between the head and the announced count.
template <class Entry>
void read_checkpoint(std::string_view text, const std::string& path, Entry entry) {
  if (text.empty()) return;
  Lines lines(text);
  const std::string_view version = lines.next().value_or("");
  if (!number<int>(version)) malformed("checkpoint file", path, version);
  if (version != "0") {
    throw CorruptLog("Unrecognized version of the checkpoint file (" + path + "): " + std::string(version));
  }
  const std::string_view count_line = lines.next().value_or("");
  const std::optional<int> count = number<int>(count_line);
  if (!count || *count < 0) malformed("checkpoint file", path, count_line);
  int seen = 0;
  while (std::optional<std::string_view> line = lines.next()) {
    entry(*line);
    ++seen;
  }
  if (seen != *count) {
    throw CorruptLog("Expected " + std::to_string(*count) + " entries in checkpoint file (" + path + "), but found " +
                     std::to_string(seen));
  }
}

}  // namespace

std::string format_offsets(const OffsetCheckpoint& offsets) {
  std::string text = "0\n" + std::to_string(offsets.size()) + "\n";
  for (const auto& [name, offset] : offsets) {
    text += name.topic + " " + std::to_string(name.partition.value) + " " + std::to_string(offset.value) + "\n";
  }
  return text;
}

OffsetCheckpoint parse_offsets(std::string_view text, const std::string& path) {
  OffsetCheckpoint offsets;
  read_checkpoint(text, path, [&](std::string_view line) {
    const size_t first = line.find(' ');
    const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) malformed("checkpoint file", path, line);
    const std::optional<int32_t> partition = number<int32_t>(line.substr(first + 1, second - first - 1));
    const std::optional<int64_t> offset = number<int64_t>(line.substr(second + 1));
    if (!partition || !offset) malformed("checkpoint file", path, line);
    // At the end where the file is sorted, as ours are.
    TopicPartition name{std::string(line.substr(0, first)), PartitionId(*partition)};
    offsets.insert_or_assign(offsets.end(), std::move(name), Offset(*offset));
  });
  return offsets;
}

std::string format_epochs(const std::vector<EpochEntry>& epochs) {
  std::string text = "0\n" + std::to_string(epochs.size()) + "\n";
  for (const EpochEntry& entry : epochs) {
    text += std::to_string(entry.epoch.value) + " " + std::to_string(entry.start.value) + "\n";
  }
  return text;
}

std::vector<EpochEntry> parse_epochs(std::string_view text, const std::string& path) {
  std::vector<EpochEntry> epochs;
  read_checkpoint(text, path, [&](std::string_view line) {
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) malformed("checkpoint file", path, line);
    const std::optional<int32_t> epoch = number<int32_t>(line.substr(0, space));
    const std::optional<int64_t> start = number<int64_t>(line.substr(space + 1));
    if (!epoch || !start) malformed("checkpoint file", path, line);
    epochs.push_back({LeaderEpoch(*epoch), Offset(*start)});
  });
  return epochs;
}

std::string format_partition_metadata(const TopicId& id) { return "version: 0\ntopic_id: " + to_string(id); }

TopicId parse_partition_metadata(std::string_view text, const std::string& path) {
  constexpr std::string_view what = "partition metadata file";
  constexpr std::string_view id_prefix = "topic_id: ";
  Lines lines(text);
  const std::string_view version = lines.next().value_or("");
  if (version != "version: 0") malformed(what, path, version);
  const std::string_view id = lines.next().value_or("");
  if (!id.starts_with(id_prefix)) malformed(what, path, id);
  try {
    const TopicId parsed = parse_uuid(id.substr(id_prefix.size()));
    if (parsed.is_zero()) throw CorruptLog("Invalid topic ID in partition metadata file (" + path + ")");
    return parsed;
  } catch (const std::invalid_argument&) {
    malformed(what, path, id);
  }
}

}  // namespace millrace::log
