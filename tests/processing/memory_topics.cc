#include "tests/processing/memory_topics.h"

#include <algorithm>

#include "runtime/shard.h"

namespace millrace::processing {

void MemoryTopics::add_topic(const std::string& topic, int partitions) {
  topics_[topic].resize(static_cast<size_t>(partitions));
}

void MemoryTopics::add(const std::string& topic, int partition, int64_t timestamp, std::optional<std::string> key,
                       std::optional<std::string> value, std::vector<protocol::Header> headers) {
  Log& log = topics_.at(topic).at(static_cast<size_t>(partition));
  protocol::BatchOptions options;
  options.base_offset = log.end;
  options.leader_epoch = LeaderEpoch(0);
  protocol::BatchBuilder builder(options);
  builder.add(Timestamp(timestamp), key ? std::optional<std::string_view>(*key) : std::nullopt,
              value ? std::optional<std::string_view>(*value) : std::nullopt, headers);
  log.batches.push_back(builder.build());
  log.end = log.end + 1;
}

void MemoryTopics::add_batch(const std::string& topic, int partition, int64_t timestamp,
                             const std::vector<std::string>& values) {
  Log& log = topics_.at(topic).at(static_cast<size_t>(partition));
  protocol::BatchOptions options;
  options.base_offset = log.end;
  options.leader_epoch = LeaderEpoch(0);
  protocol::BatchBuilder builder(options);
  for (const std::string& value : values) builder.add(Timestamp(timestamp), std::nullopt, value, {});
  log.batches.push_back(builder.build());
  log.end = log.end + static_cast<int64_t>(values.size());
}

std::vector<MemoryTopics::Stored> MemoryTopics::records(const std::string& topic, int partition) const {
  std::vector<Stored> all;
  const Log& log = topics_.at(topic).at(static_cast<size_t>(partition));
  for (const Bytes& bytes : log.batches) {
    protocol::RecordReader reader{protocol::RecordBatch(bytes)};
    while (const std::optional<protocol::RecordView> record = reader.next()) {
      Stored stored;
      stored.offset = record->offset;
      stored.timestamp = record->timestamp;
      if (record->key) stored.key = *record->key;
      if (record->value) stored.value = *record->value;
      for (const protocol::HeaderView& header : record->headers())
        stored.headers.push_back(
            {std::string(header.key), header.value ? std::optional<std::string>(*header.value) : std::nullopt});
      all.push_back(std::move(stored));
    }
  }
  return all;
}

MemoryTopics::Log* MemoryTopics::find(const std::string& topic, PartitionId partition) {
  const auto at = topics_.find(topic);
  if (at == topics_.end() || partition.value < 0 || static_cast<size_t>(partition.value) >= at->second.size())
    return nullptr;
  return &at->second[static_cast<size_t>(partition.value)];
}

Task<std::optional<int>> MemoryTopics::partitions(std::string topic) {
  const auto at = topics_.find(topic);
  if (at == topics_.end()) co_return std::nullopt;
  co_return static_cast<int>(at->second.size());
}

Task<std::vector<std::string>> MemoryTopics::topics() {
  std::vector<std::string> names;
  for (const auto& [name, logs] : topics_) names.push_back(name);
  co_return names;
}

Task<PartitionBounds> MemoryTopics::bounds(std::string topic, PartitionId partition) {
  const Log* log = find(topic, partition);
  if (log == nullptr) co_return PartitionBounds{};
  co_return PartitionBounds{log->start, log->end};
}

Task<Offset> MemoryTopics::offset_at(std::string topic, PartitionId partition, Timestamp time) {
  for (const Stored& record : records(topic, partition.value))
    if (record.timestamp >= time) co_return record.offset;
  co_return find(topic, partition)->end;
}

Task<std::optional<Offset>> MemoryTopics::committed(std::string group, std::string topic, PartitionId partition) {
  const auto at = committed_.find(group + "/" + topic + "/" + std::to_string(partition.value));
  if (at == committed_.end()) co_return std::nullopt;
  co_return at->second;
}

Task<void> MemoryTopics::commit(std::string group, std::string topic, PartitionId partition, Offset offset) {
  committed_[group + "/" + topic + "/" + std::to_string(partition.value)] = offset;
  co_return;
}

Task<ScanResult> MemoryTopics::scan(std::string topic, PartitionId partition, Offset from, size_t max_bytes,
                                    MonoTime deadline) {
  ScanResult result;
  for (;;) {
    const Log* log = find(topic, partition);
    if (log == nullptr) {
      result.error = ErrorCode::unknown_topic_or_partition;
      co_return result;
    }
    if (from < log->start || from > log->end) {
      result.error = ErrorCode::offset_out_of_range;
      co_return result;
    }
    result.end = log->end;
    size_t bytes = 0;
    for (const Bytes& batch : log->batches) {
      if (protocol::RecordBatch(batch).next_offset() <= from) continue;
      if (bytes > 0 && bytes + batch.size() > max_bytes) break;
      if (result.batches.size() >= scan_batches) break;
      bytes += batch.size();
      result.batches.push_back(batch);
    }
    if (!result.batches.empty() || now() >= deadline) co_return result;
    co_await sleep_until(std::min(deadline, after(std::chrono::milliseconds(10))));
  }
}

Task<ErrorCode> MemoryTopics::create(std::string topic, int partitions, bool) {
  if (topics_.contains(topic)) co_return ErrorCode::topic_already_exists;
  if (partitions < 0) co_return ErrorCode::unknown_topic_or_partition;  // this broker creates nothing by itself
  if (before_change) before_change();
  add_topic(topic, partitions);
  co_return ErrorCode::none;
}

Task<ProducerId> MemoryTopics::new_producer() { co_return ProducerId(producers_++); }

Task<ErrorCode> MemoryTopics::append(std::string topic, PartitionId partition, Bytes batch) {
  co_await yield();
  Log* log = find(topic, partition);
  if (log == nullptr) co_return ErrorCode::unknown_topic_or_partition;
  if (before_change) before_change();
  std::vector<std::byte> bytes(batch.data(), batch.data() + batch.size());
  const protocol::RecordBatch view(batch);
  if (view.base_offset().value != 0) co_return ErrorCode::invalid_record;  // as the log refuses it
  if (view.has_producer()) {
    const auto known = log->last_sequence.find(view.producer_id().value);
    const int32_t expected = known == log->last_sequence.end() ? 0 : known->second + 1;
    if (view.base_sequence().value < expected) co_return ErrorCode::duplicate_sequence_number;
    if (view.base_sequence().value > expected) co_return ErrorCode::out_of_order_sequence_number;
    log->last_sequence[view.producer_id().value] = view.last_sequence().value;
  }
  protocol::stamp(bytes, log->end, LeaderEpoch(0));
  Bytes stamped = Bytes::take(std::move(bytes));
  log->end = protocol::RecordBatch(stamped).next_offset();
  log->batches.push_back(std::move(stamped));
  co_await yield();
  co_return ErrorCode::none;
}

Task<TopicWriter::Appended> MemoryTopics::append_all(std::string topic, PartitionId partition,
                                                     std::vector<Bytes> batches) {
  Appended appended;
  for (const Bytes& batch : batches) {
    appended.error = co_await append(topic, partition, batch);
    if (appended.error != ErrorCode::none) co_return appended;
    ++appended.batches;
  }
  co_return appended;
}

Task<std::optional<Sequence>> MemoryTopics::last_sequence(std::string topic, PartitionId partition,
                                                          ProducerId producer) {
  const Log* log = find(topic, partition);
  if (log == nullptr) co_return std::nullopt;
  const auto known = log->last_sequence.find(producer.value);
  if (known == log->last_sequence.end()) co_return std::nullopt;
  co_return Sequence(known->second);
}

Task<ErrorCode> MemoryTopics::delete_before(std::string topic, PartitionId partition, Offset offset) {
  Log* log = find(topic, partition);
  if (log == nullptr) co_return ErrorCode::unknown_topic_or_partition;
  if (before_change) before_change();
  log->start = std::max(log->start, offset);
  std::erase_if(log->batches,
                [&](const Bytes& batch) { return protocol::RecordBatch(batch).next_offset() <= log->start; });
  co_return ErrorCode::none;
}

Task<ErrorCode> MemoryTopics::remove(std::string topic) {
  if (before_change) before_change();
  topics_.erase(topic);
  co_return ErrorCode::none;
}

}  // namespace millrace::processing
