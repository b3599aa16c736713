// A log directory's journals: one a shard; reading back those an unclean stop has left; removing them.
#include "log/log_directory.h"
#include "log/partition_log.h"

namespace millrace::log {

// Afterwards the log's own files have everything.
Task<void> LogDirectory::recover_tail(PartitionLog& log, TopicId id, PartitionId partition) {
  std::exception_ptr error;
  try {
    co_await recovered_.replay(log, id, partition);
    if (log.end() < log.start()) co_await log.delete_before(log.start());
    co_await log.sync_files();
  } catch (...) {
    error = std::current_exception();
  }
  if (!error) co_return;
  try {
    co_await log.close();
  } catch (const DiskError&) {
    // The first one is told.
  }
  std::rethrow_exception(error);
}

Task<void> LogDirectory::keep_journals(std::vector<Shard*> shards, int64_t bytes) {
  for (Shard* shard : shards) {
    auto make = [this, bytes]() -> Task<std::unique_ptr<Journal>> {
      auto journal = std::make_unique<Journal>(path_, bytes);
      journal->on_failure(failing());
      co_return journal;
    };
    std::unique_ptr<Journal> journal = co_await on(*shard, std::move(make));
    journals_.emplace_back(shard, std::move(journal));
  }
}

Task<void> LogDirectory::finish_recovery() {
  co_await recovered_.remove(disk_);
  for (const auto& [shard, journal] : journals_) {
    auto begin = [&journal]() -> Task<void> {
      journal->begin();
      co_return;
    };
    co_await on(*shard, std::move(begin));
  }
}

Task<void> LogDirectory::close_journals(bool remove) {
  for (const auto& [shard, journal] : journals_) {
    auto close = [&journal, remove]() -> Task<void> { co_await journal->close(remove); };
    co_await on(*shard, std::move(close));
  }
  if (journals_.empty() || !remove) co_return;
  const std::vector<DirectoryEntry> entries = co_await disk_.list(path_);
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory || !entry.name.starts_with(journal_file_prefix)) continue;
    co_await disk_.remove(file(entry.name));
  }
  co_await disk_.sync_directory(path_);
}

}  // namespace millrace::log
