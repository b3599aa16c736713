// A log directory's checkpoint files: read when it is opened, written now and then and at the end.
#include <algorithm>

#include "log/log_directory.h"

namespace millrace::log {

namespace {

constexpr std::string_view cleaner_file = "cleaner-offset-checkpoint";

}  // namespace

Task<PartitionPositions> positions_of(Log& log, TopicPartition name, Offset high_watermark) {
  PartitionPositions positions;
  positions.name = std::move(name);
  positions.recovery_point = co_await log.recovery_point();
  positions.high_watermark = high_watermark;
  positions.start = log.start();
  positions.start_moved = log.start() > log.first_segment();
  co_return positions;
}

Task<OffsetCheckpoint> LogDirectory::read_checkpoint(std::string name, std::string consequence) {
  const std::string path = file(name);
  const std::optional<std::string> text = co_await read_file(disk_, path);
  OffsetCheckpoint offsets;
  try {
    offsets = parse_offsets(text.value_or(""), path);
  } catch (const CorruptLog& error) {
    warnings_.push_back(std::string(error.what()) + ": " + consequence);
  }
  co_return offsets;
}

Task<void> LogDirectory::read_checkpoints() {
  recovery_points_.offsets = co_await read_checkpoint(std::string(recovery_file), "resetting the recovery point to 0");
  high_watermarks_.offsets = co_await read_checkpoint(std::string(high_watermark_file), "high watermarks start at 0");
  starts_.offsets = co_await read_checkpoint(std::string(start_file), "logs start with their first segment");
  const std::optional<DirectoryEntry> cleaner = co_await disk_.stat(file(cleaner_file));
  if (!cleaner) co_await disk_.open(file(cleaner_file), OpenMode::write);
}

Task<void> LogDirectory::write_exclusively(std::string name, std::string text) {
  while (writing_) co_await written_.wait();
  if (offline_) co_return;
  writing_ = true;
  std::optional<DiskError> failure;
  try {
    co_await write_file_atomically(disk_, file(name), std::move(text));
  } catch (const DiskError& error) {
    failure = error;
  }
  writing_ = false;
  written_.notify();
  if (failure) {
    fail(failure->what());
    throw DiskError(*failure);
  }
}

Task<void> LogDirectory::Checkpoint::write(LogDirectory& directory) {
  // What somebody else is writing may be ours: whoever returns from here has it on the disk.
  while (directory.writing_) co_await directory.written_.wait();
  if (!changed) co_return;
  changed = false;
  std::string text = format_offsets(offsets);
  co_await directory.write_exclusively(std::string(file), std::move(text));
}

void LogDirectory::Checkpoint::set(const TopicPartition& name, Offset offset) {
  const auto [at, is_new] = offsets.try_emplace(name, offset);
  changed = changed || is_new || at->second != offset;
  at->second = offset;
}

void LogDirectory::Checkpoint::erase(const TopicPartition& name) { changed = offsets.erase(name) > 0 || changed; }

Task<void> LogDirectory::write_checkpoints() {
  co_await recovery_points_.write(*this);
  co_await starts_.write(*this);
  co_await high_watermarks_.write(*this);
}

// Afterwards the files do not say of the log that it goes further.
Task<void> LogDirectory::tell_truncation(TopicPartition name, Offset end) {
  outdated_.insert(name);
  for (Checkpoint* checkpoint : {&recovery_points_, &starts_}) {
    const auto said = checkpoint->offsets.find(name);
    if (said != checkpoint->offsets.end() && said->second > end) checkpoint->set(name, end);
    co_await checkpoint->write(*this);
  }
}

Task<void> LogDirectory::checkpoint(std::vector<PartitionPositions> positions) {
  for (const PartitionPositions& p : positions) {
    if (outdated_.contains(p.name)) continue;
    recovery_points_.set(p.name, p.recovery_point);
    high_watermarks_.set(p.name, p.high_watermark);
    if (p.start_moved) {
      starts_.set(p.name, p.start);
    } else {
      starts_.erase(p.name);
    }
  }
  co_await write_checkpoints();
}

Task<void> LogDirectory::checkpoint_high_watermarks(std::vector<PartitionPositions> positions) {
  for (const PartitionPositions& p : positions) {
    if (!outdated_.contains(p.name)) high_watermarks_.set(p.name, p.high_watermark);
  }
  co_await high_watermarks_.write(*this);
}

void LogDirectory::keep_checkpoints(Collect collect, Millis every, Millis high_watermarks_every) {
  gate_.spawn(checkpoint_now_and_then(std::move(collect), every, high_watermarks_every));
}

Task<void> LogDirectory::checkpoint_now_and_then(Collect collect, Millis every, Millis high_watermarks_every) {
  MonoTime next_full = after(every);
  while (!closing_ && !offline_) {
    const MonoTime due = std::min(after(high_watermarks_every), next_full);
    co_await closing_event_.wait(due);
    if (closing_ || offline_) break;
    if (now() < due) continue;
    try {
      outdated_.clear();
      std::vector<PartitionPositions> positions = co_await collect();
      if (closing_ || offline_) break;
      if (now() >= next_full) {
        next_full = after(every);
        co_await checkpoint(std::move(positions));
      } else {
        co_await checkpoint_high_watermarks(std::move(positions));
      }
    } catch (const DiskError& error) {
      fail(error.what());
    }
  }
}

}  // namespace millrace::log
