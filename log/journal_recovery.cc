#include "log/journal_recovery.h"

#include <algorithm>

#include "log/journal.h"
#include "protocol/record_batch.h"

namespace millrace::log {

namespace {

constexpr size_t bytes_in_memory = 8 << 20;

// "millrace-journal-SHARD-NUMBER" → "SHARD"
std::string shard_of(const std::string& name) {
  const std::string rest = name.substr(journal_file_prefix.size());
  return rest.substr(0, rest.find('-'));
}

// Where a log ends that these bytes, one batch, are put at the end of; nothing when they are anything else.
std::optional<Offset> end_of(const Bytes& bytes) {
  protocol::BatchIterator batches(bytes);
  const std::optional<protocol::RecordBatch> batch = batches.next();
  if (!batch || batch->size() != bytes.size()) return std::nullopt;
  return batch->next_offset();
}

}  // namespace

Task<RecoveredJournal> RecoveredJournal::read(Disk& disk, std::string directory) {
  RecoveredJournal journal;
  journal.directory_ = std::move(directory);
  std::map<std::string, std::vector<Group>> shards;
  const std::vector<DirectoryEntry> entries = co_await disk.list(journal.directory_);
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory || !entry.name.starts_with(journal_file_prefix)) continue;
    journal.files_.push_back(journal.directory_ + "/" + entry.name);
    co_await journal.read_extent(disk, journal.files_.size() - 1, shards[shard_of(entry.name)]);
  }
  for (auto& [shard, groups] : shards) journal.take_run(std::move(groups));
  co_return journal;
}

Task<void> RecoveredJournal::read_extent(Disk& disk, size_t file, std::vector<Group>& groups) {
  const std::optional<std::string> content = co_await read_file(disk, files_[file], largest_journal_extent);
  if (!content) co_return;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(*content));
  size_t position = 0;
  while (position < bytes.size()) {
    const std::optional<JournalGroup> found = decode_journal_group(bytes.subspan(position));
    if (!found) break;
    // What follows the last group of an extent's latest use is of an earlier one.
    if (position > 0 && found->sequence != groups.back().sequence + 1) break;
    if (position == 0) first_sequences_[file] = found->sequence;
    Group group{found->generation, found->sequence, found->oldest, {}};
    for (const JournalFrame& frame : found->frames) {
      group.frames.push_back({frame.kind, frame.topic, frame.partition, frame.epoch, frame.from, frame.end, file,
                              frame.bytes.data() - bytes.data(), frame.bytes.size()});
    }
    groups.push_back(std::move(group));
    position += found->size;
  }
}

void RecoveredJournal::take_run(std::vector<Group> groups) {
  uint64_t newest = 0;
  for (const Group& group : groups) newest = std::max(newest, group.generation);
  std::erase_if(groups, [newest](const Group& group) { return group.generation != newest; });
  uint64_t next = 0;
  for (const Group& group : groups) next = std::max(next, group.oldest);
  std::ranges::sort(groups, {}, &Group::sequence);
  for (const Group& group : groups) {
    if (group.sequence < next) continue;
    if (group.sequence > next) break;
    for (const Frame& frame : group.frames) take(frame);
    ++next;
  }
}

void RecoveredJournal::take(const Frame& frame) {
  std::vector<Frame>& frames = logs_[{frame.topic, frame.partition}];
  if (frame.kind == JournalFrameKind::batch) {
    frames.push_back(frame);
  } else {
    std::erase_if(frames, [&frame](const Frame& earlier) { return earlier.end > frame.from; });
  }
}

std::optional<Offset> RecoveredJournal::first(const TopicId& topic, PartitionId partition) const {
  const auto found = logs_.find({topic, partition});
  if (found == logs_.end() || found->second.empty()) return std::nullopt;
  return found->second.front().from;
}

Task<int> RecoveredJournal::replay(Log& log, TopicId topic, PartitionId partition) const {
  const auto found = logs_.find({topic, partition});
  if (found == logs_.end()) co_return 0;
  Disk& disk = Shard::current().disk();
  std::unique_ptr<File> file;
  size_t opened = 0;
  int appended = 0;
  size_t unwritten = 0;
  for (const Frame& frame : found->second) {
    if (frame.end <= log.end()) continue;
    if (frame.from > log.end() || frame.epoch < log.latest_epoch()) break;
    if (!file || opened != frame.file) {
      file = co_await disk.open(files_[frame.file], OpenMode::read);
      opened = frame.file;
    }
    std::vector<std::byte> bytes(frame.size);
    const size_t got = co_await file->read(frame.position, bytes);
    bytes.resize(got);
    Bytes batch = Bytes::take(std::move(bytes));
    // The offset is not in the batch's own checksum.
    if (end_of(batch) != frame.end) break;
    const AppendResult result = log.append_as_follower(std::move(batch));
    if (result.error != ErrorCode::none) break;
    ++appended;
    unwritten += frame.size;
    if (unwritten < bytes_in_memory) continue;
    unwritten = 0;
    co_await log.wait_for(log.end(), Durability::written);
  }
  co_return appended;
}

// The oldest first: what is left at any moment is the end of the run, which is true by itself.
Task<void> RecoveredJournal::remove(Disk& disk) {
  if (files_.empty()) co_return;
  std::vector<std::pair<uint64_t, std::string>> order;
  for (size_t i = 0; i < files_.size(); ++i) {
    const auto first = first_sequences_.find(i);
    order.emplace_back(first == first_sequences_.end() ? 0 : first->second, files_[i]);
  }
  std::ranges::sort(order);
  for (const auto& [first, path] : order) co_await disk.remove(path);
  co_await disk.sync_directory(directory_);
  files_.clear();
  logs_.clear();
}

}  // namespace millrace::log
