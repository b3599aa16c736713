// Opening, appending and rolling: all of it in memory, with jobs for the writer.
#include "log/partition_log.h"

#include <algorithm>

namespace millrace::log {

using protocol::RecordBatch;

namespace {

Task<void> write_topic_id(Disk& disk, std::string path, TopicId id) {
  std::string text = format_partition_metadata(id);
  co_await write_file_atomically(disk, std::move(path), std::move(text));
}

}  // namespace

Task<std::unique_ptr<Log>> Log::open(std::string directory, TopicPartition name, TopicId id, LogConfig config,
                                     OpenState state) {
  co_return co_await PartitionLog::open(std::move(directory), std::move(name), id, std::move(config), state, {});
}

Task<std::unique_ptr<Log>> PartitionLog::open(std::string directory, TopicPartition name, TopicId id, LogConfig config,
                                              OpenState state, std::optional<Offset> journal_from) {
  Disk& disk = Shard::current().disk();
  LoadedLog loaded = co_await load_log(disk, directory, name, config, state, journal_from);
  if (!id.is_zero()) {
    const std::string path = directory + "/partition.metadata";
    const std::optional<std::string> present = co_await read_file(disk, path);
    if (!present) {
      co_await write_topic_id(disk, path, id);
    } else if (const TopicId found = parse_partition_metadata(*present, path); found != id) {
      throw CorruptLog("Tried to assign topic ID " + to_string(id) + " to log for topic partition " + name.topic + "-" +
                       std::to_string(name.partition.value) + ", but log already contained topic ID " +
                       to_string(found));
    }
  }
  std::unique_ptr<Log> log =
      std::make_unique<PartitionLog>(std::move(directory), std::move(name), id, std::move(config), std::move(loaded));
  co_return log;
}

std::unique_ptr<Log> Log::create(std::string directory, TopicPartition name, TopicId id, LogConfig config) {
  LoadedLog nothing;
  nothing.segments.push_back(std::make_shared<Segment>(directory, Offset(0), Shard::current().clock().wall_now()));
  nothing.on_disk = false;
  return std::make_unique<PartitionLog>(std::move(directory), std::move(name), id, std::move(config),
                                        std::move(nothing));
}

PartitionLog::PartitionLog(std::string directory, TopicPartition name, TopicId id, LogConfig config, LoadedLog loaded)
    : disk_(Shard::current().disk()),
      clock_(Shard::current().clock()),
      directory_(std::move(directory)),
      name_(std::move(name)),
      id_(id),
      config_(std::move(config)),
      segments_(std::move(loaded.segments)),
      epochs_(std::move(loaded.epochs)),
      epochs_dirty_(loaded.epochs_dirty),
      producers_(std::move(loaded.producers)),
      snapshots_(std::move(loaded.snapshots)),
      start_(loaded.start),
      end_(loaded.end),
      written_(loaded.end),
      synced_(loaded.end),
      durable_(loaded.end),
      journaled_from_(loaded.end),
      journaled_(loaded.end),
      on_disk_(loaded.on_disk),
      directory_unsynced_(loaded.names_unsynced),
      parent_unsynced_(loaded.names_unsynced),
      notes_(std::move(loaded.notes)) {
  for (const std::shared_ptr<Segment>& segment : segments_) segment->close_file();
}

// Before anything else is written. Without the topic id in it a directory is nobody's, and set aside at the next start.
Task<void> PartitionLog::make_directory() {
  co_await disk_.make_directories(directory_);
  if (!id_.is_zero()) co_await write_topic_id(disk_, directory_ + "/partition.metadata", id_);
  on_disk_ = directory_unsynced_ = parent_unsynced_ = true;
}

PartitionLog::~PartitionLog() { forget_tail(static_cast<size_t>(tail_bytes_)); }

// --- appending ---

namespace {

// A batch is kept in the memory it came in unless that is so much larger: then it is copied out.
constexpr size_t most_held_per_byte = 8;

}  // namespace

AppendResult PartitionLog::refuse(Validation&& why) const {
  AppendResult result;
  result.error = why.error;
  result.message = std::move(why.message);
  result.record_errors = std::move(why.record_errors);
  const bool unknown_start = why.before_log || why.error == ErrorCode::message_too_large ||
                             why.error == ErrorCode::record_list_too_large || why.error == ErrorCode::corrupt_message ||
                             why.error == ErrorCode::kafka_storage_error;
  if (!unknown_start) result.log_start = start_;
  return result;
}

namespace {

Validation refusal(ErrorCode error, std::string message) {
  Validation why;
  why.error = error;
  why.message = std::move(message);
  return why;
}

}  // namespace

AppendResult PartitionLog::append(Bytes records, LeaderEpoch epoch, AppendOptions options) {
  if (failed_ || closed_ || alone_) {
    return refuse(refusal(ErrorCode::kafka_storage_error, "The log in " + directory_ + " is not available"));
  }
  const Timestamp now = clock_.wall_now();
  Validation valid = validate(records, config_, name_, now, options.client);
  if (valid.error != ErrorCode::none) return refuse(std::move(valid));
  if (options.client && valid.size > static_cast<size_t>(config_.segment_bytes)) {
    return refuse(refusal(ErrorCode::record_list_too_large,
                          "Message batch size is " + std::to_string(valid.size) + " bytes in append to partition " +
                              directory_ + ", which exceeds the maximum configured segment size of " +
                              std::to_string(config_.segment_bytes) + "."));
  }

  AppendResult result;
  result.log_start = start_;
  Offset next = end_;
  Timestamp newest(-1);
  for (const ValidBatch& batch : valid.batches) {
    const ProducerCheck checked =
        producers_.check_batch(batch.batch, next, options.client ? Origin::client : Origin::broker);
    if (checked.duplicate) {
      result.base = checked.duplicate->first_offset();
      result.last = checked.duplicate->last_offset;
      result.log_append_time = checked.duplicate->timestamp;
      return result;
    }
    if (checked.error != ErrorCode::none) return refuse(refusal(checked.error, checked.message));
    next = next + batch.records;
    newest = std::max(newest, batch.max_timestamp);
  }

  roll_before(valid.size, next - 1, newest, end_, now);
  result.base = end_;
  if (config_.timestamp_type == TimestampType::log_append_time) result.log_append_time = now;
  for (const ValidBatch& batch : valid.batches) {
    const size_t size = batch.batch.size();
    const bool in_place = size * most_held_per_byte >= options.held && options.held != 0;
    put(stamped(batch, end_, epoch, in_place ? StampIn::place : StampIn::copy), in_place ? options.held : size,
        options.haste);
  }
  result.last = end_ - 1;
  finish_append();
  return result;
}

AppendResult PartitionLog::append_as_follower(Bytes records) {
  if (failed_ || closed_ || alone_) {
    return refuse(refusal(ErrorCode::kafka_storage_error, "The log in " + directory_ + " is not available"));
  }
  Validation valid = validate_replicated(records, end_, name_);
  if (valid.error != ErrorCode::none) return refuse(std::move(valid));
  AppendResult result;
  result.log_start = start_;
  if (valid.batches.empty()) return result;
  result.base = valid.batches.front().batch.base_offset();
  for (const ValidBatch& valid_batch : valid.batches) {
    const RecordBatch& batch = valid_batch.batch;
    const Timestamp newest = batch.is_legacy() ? Timestamp(-1) : std::max(Timestamp(-1), batch.max_timestamp());
    roll_before(batch.size(), batch.last_offset(), newest, batch.base_offset(), clock_.wall_now());
    // A copy: the request it came in holds far more than this batch.
    put(RecordBatch(Bytes::copy_of(batch.bytes().span())), batch.size());
  }
  result.last = end_ - 1;
  finish_append();
  return result;
}

void PartitionLog::put(RecordBatch batch, size_t held, Haste haste) {
  Segment& active = *segments_.back();
  const int64_t position = active.append(batch, config_.index_interval_bytes);
  if (!batch.is_legacy()) {
    const bool is_new = epochs_.assign(batch.leader_epoch(), batch.base_offset());
    epochs_dirty_ = epochs_dirty_ || is_new || epoch_begun_;
    epoch_begun_ = false;
  }
  const std::optional<CompletedTransaction> done = producers_.apply(batch);
  if (done && done->aborted) {
    active.aborted.append({done->producer, done->first, done->last, done->last_stable});
    active.aborted_dirty = true;
  }
  const Offset from = std::exchange(end_, batch.next_offset());
  if (seat_) hand_to_journal(from, batch);
  unwritten_ += batch.size();
  jobs_.push_back({segments_.back(), position, batch.bytes(), end_, {}, haste});
  keep_in_tail(std::move(batch), held);
}

void PartitionLog::finish_append() {
  write_or_put_off();
  if (config_.flush_messages != INT64_MAX && end_ - durable_ >= config_.flush_messages) want_durable(end_);
  if (config_.flush_interval.count() != INT64_MAX && !flush_planned_) {
    flush_planned_ = true;
    gate_.spawn(flush_later(clock_.now() + config_.flush_interval));
  }
  advanced_.notify();
}

// --- rolling ---

void PartitionLog::roll_before(size_t incoming, Offset last, Timestamp newest, Offset first, Timestamp now) {
  if (!segments_.back()->should_roll(config_, incoming, last, newest, now)) return;
  roll_to(std::max(end_, segments_.back()->empty() ? first : end_), now);
}

void PartitionLog::roll_to(Offset base, Timestamp now) {
  const std::shared_ptr<Segment> old = segments_.back();
  if (old->empty() && old->base() == base) return;
  if (old->empty()) {
    segments_.pop_back();
    std::function<Task<void>()> remove = [this, old]() -> Task<void> {
      for (const std::string_view suffix : {".log", ".index", ".timeindex", ".txnindex"}) {
        co_await disk_.remove(old->path(suffix));
      }
    };
    jobs_.push_back({nullptr, 0, {}, {}, std::move(remove)});
  } else {
    old->finish();
    std::string snapshot = producers_.encode_snapshot();
    const Offset at = base;
    snapshots_.insert(at);
    std::function<Task<void>()> finish = [this, old, at, text = std::move(snapshot)]() -> Task<void> {
      co_await finish_segment(old, at, text);
    };
    jobs_.push_back({nullptr, 0, {}, {}, std::move(finish)});
  }
  segments_.push_back(std::make_shared<Segment>(directory_, base, now));
  start_writer();
}

Task<void> PartitionLog::finish_segment(std::shared_ptr<Segment> segment, Offset snapshot_at, std::string snapshot) {
  co_await segment->write_indexes(disk_);
  // Recovery takes a gap between two segments for a loss, except in compacted logs, where it can be meant: there the
  // older segment must be whole before the newer one begins.
  if (config_.cleanup_compact && synced_ < snapshot_at) {
    std::shared_ptr<File> file = co_await segment->writable(disk_);
    co_await file->sync();
  }
  const std::string path = directory_ + "/" + segment_file_name(snapshot_at, ".snapshot");
  std::unique_ptr<File> file = co_await disk_.open(path, OpenMode::write_new);
  std::vector<Bytes> parts;
  parts.push_back(Bytes::copy_of(snapshot));
  co_await file->write(0, std::move(parts));
  use(segment);
}

Task<void> PartitionLog::roll() {
  if (failed_ || closed_ || alone_) co_return;
  roll_to(end_, clock_.wall_now());
}

// --- what is known about epochs and producers ---

Task<void> PartitionLog::write_epochs() {
  if (!epochs_dirty_) co_return;
  epochs_dirty_ = false;
  std::string text = format_epochs(epochs_.entries());
  co_await write_file_atomically(disk_, directory_ + "/leader-epoch-checkpoint", std::move(text));
}

// An epoch without records is worth no file: the next start would drop it.
void PartitionLog::begin_epoch(LeaderEpoch epoch) { epoch_begun_ |= epochs_.assign(epoch, end_); }

Offset PartitionLog::last_stable(Offset high_watermark) const {
  const std::optional<Offset> unstable = producers_.first_unstable(high_watermark);
  if (!unstable || *unstable >= high_watermark) return high_watermark;
  return std::max(*unstable, start_);
}

std::optional<ProducerSummary> PartitionLog::producer(ProducerId id) const {
  const ProducerEntry* entry = producers_.find(id);
  if (!entry) return std::nullopt;
  return ProducerSummary{id,
                         entry->epoch,
                         entry->last_sequence(),
                         entry->last_offset(),
                         entry->last_timestamp,
                         entry->coordinator_epoch,
                         entry->transaction_start};
}

int64_t PartitionLog::size() const {
  int64_t total = 0;
  for (const auto& segment : segments_) total += segment->size();
  return total;
}

}  // namespace millrace::log
