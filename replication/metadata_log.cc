#include "replication/metadata_log.h"

#include <algorithm>
#include <charconv>

#include "protocol/record_batch.h"
#include "replication/batches.h"
#include "replication/changes.h"
#include "runtime/disk.h"

namespace millrace::replication {

namespace {

constexpr std::string_view snapshot_suffix = ".checkpoint";
constexpr size_t replay_step = 4 << 20;

// The number behind "key": in the one line of JSON; nothing when it is not there.
std::optional<int64_t> json_number(std::string_view text, std::string_view key) {
  size_t at = text.find("\"" + std::string(key) + "\"");
  if (at == std::string_view::npos) return std::nullopt;
  at = text.find_first_not_of(" \t:", at + key.size() + 2);
  if (at == std::string_view::npos) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

Task<std::unique_ptr<MetadataLog>> MetadataLog::open(std::string log_dir, Uuid directory, BrokerId node,
                                                     log::LogConfig config) {
  std::unique_ptr<MetadataLog> metadata(new MetadataLog(log_dir + "/__cluster_metadata-0", directory, node));
  Disk& disk = Shard::current().disk();
  co_await disk.make_directories(metadata->path_);
  co_await disk.sync_directory(log_dir);
  const std::optional<std::string> state = co_await read_file(disk, metadata->path_ + "/quorum-state");
  if (state) {
    metadata->epoch_ = LeaderEpoch(static_cast<int32_t>(json_number(*state, "leaderEpoch").value_or(0)));
    metadata->dynamic_ = json_number(*state, "data_version").value_or(0) == 1;
  }
  co_await metadata->load_snapshot();
  // Always as after a crash: this log is small, and everything else hangs on it.
  log::OpenState open_state;
  open_state.start = metadata->replay_from_;
  TopicPartition name{"__cluster_metadata", PartitionId(0)};
  metadata->log_ = co_await log::Log::open(metadata->path_, std::move(name), metadata_topic_id, config, open_state);
  if (metadata->log_->latest_epoch() > metadata->epoch_) metadata->epoch_ = metadata->log_->latest_epoch();
  co_await metadata->replay();
  co_return metadata;
}

Task<void> MetadataLog::load_snapshot() {
  Disk& disk = Shard::current().disk();
  const std::vector<DirectoryEntry> entries = co_await disk.list(path_);
  // Names sort by end offset: the last one is the newest.
  std::string newest;
  for (const DirectoryEntry& entry : entries) {
    const bool ours =
        entry.name.size() == 20 + 1 + 10 + snapshot_suffix.size() && entry.name.ends_with(snapshot_suffix);
    if (ours && !entry.is_directory) newest = entry.name;
  }
  if (newest.empty()) co_return;
  int64_t end_offset = 0;
  std::from_chars(newest.data(), newest.data() + 20, end_offset);
  const std::optional<std::string> text = co_await read_file(disk, path_ + "/" + newest, int64_t{1} << 31);
  if (!text) co_return;
  for_each_record(Bytes::copy_of(*text),
                  [&](MetadataRecord record, int64_t) { fold_.add(std::move(record), end_offset - 1); });
  replay_from_ = Offset(end_offset);
}

Task<void> MetadataLog::replay() {
  Offset at = std::max(replay_from_, log_->start());
  while (at < log_->end()) {
    const log::ReadResult read = co_await log_->read(at, replay_step, log_->end(), true);
    if (read.error != ErrorCode::none) throw UnreadableMetadata("the metadata log cannot be read");
    const Offset before = at;
    for (const Bytes& bytes : read.batches) {
      for_each_record(bytes, [&](MetadataRecord record, int64_t offset) {
        if (offset >= replay_from_.value) fold_.add(std::move(record), offset);
      });
      protocol::BatchIterator batches(bytes);
      while (std::optional<protocol::RecordBatch> batch = batches.next()) at = batch->next_offset();
    }
    if (at == before) throw UnreadableMetadata("the metadata log ends early");
  }
  fold_.settle();
}

Task<void> MetadataLog::write_quorum_state() {
  const std::string id = std::to_string(node_.value);
  if (dynamic_) {
    std::string dynamic_line = "{\"leaderId\":" + id + ",\"leaderEpoch\":" + std::to_string(epoch_.value) +
                               ",\"votedId\":-1,\"votedDirectoryId\":\"" + to_string(Uuid()) + "\",\"data_version\":1}";
    co_return co_await write_file_atomically(Shard::current().disk(), path_ + "/quorum-state", std::move(dynamic_line));
  }
  std::string line = "{\"clusterId\":\"\",\"leaderId\":" + id + ",\"leaderEpoch\":" + std::to_string(epoch_.value) +
                     ",\"votedId\":-1,\"appliedOffset\":0,\"currentVoters\":[{\"voterId\":" + id +
                     "}],\"data_version\":0}";
  co_await write_file_atomically(Shard::current().disk(), path_ + "/quorum-state", std::move(line));
}

Task<void> MetadataLog::lead() {
  epoch_.value += 1;
  co_await write_quorum_state();
  log_->begin_epoch(epoch_);
  Bytes leader_change = leader_change_batch(node_, dynamic_ ? std::optional(directory_) : std::nullopt,
                                            Shard::current().clock().wall_now());
  co_await append_durably(std::move(leader_change));
  // Also when the very first start was cut short before this.
  if (image().features().empty()) {
    Records records = bootstrap_records();
    co_await append(std::move(records));
  }
}

Task<void> MetadataLog::append(Records records) {
  if (records.empty()) co_return;
  while (busy_) co_await idle_.wait();
  busy_ = true;
  std::exception_ptr failure;
  try {
    const int64_t base = log_->end().value;
    Bytes batch = data_batch(records, Shard::current().clock().wall_now());
    co_await append_durably(std::move(batch));
    for (size_t i = 0; i < records.size(); ++i) fold_.add(std::move(records[i]), base + static_cast<int64_t>(i));
    fold_.settle();
  } catch (...) {
    failure = std::current_exception();
  }
  busy_ = false;
  idle_.notify();
  if (failure) std::rethrow_exception(failure);
}

Task<void> MetadataLog::append_durably(Bytes batch) {
  const log::AppendResult result = log_->append(std::move(batch), epoch_, {.client = false});
  if (result.error != ErrorCode::none) {
    throw DiskError("cannot append to the metadata log: " + std::string(name(result.error)), 0);
  }
  const bool durable = co_await log_->wait_for(log_->end(), log::Durability::durable);
  if (!durable) throw DiskError("cannot sync the metadata log", 0);
}

Task<void> MetadataLog::close() { co_await log_->close(); }

}  // namespace millrace::replication
