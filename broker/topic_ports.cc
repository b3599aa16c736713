#include "broker/topic_ports.h"

#include <algorithm>

#include "broker/controller.h"

namespace millrace::broker {

namespace {

constexpr std::chrono::seconds append_timeout(60);

}  // namespace

template <class Result, class Work>
Task<Result> TopicPorts::with(std::string name, PartitionId index, Result missing, Work work) {
  const replication::Topic topic = broker_.image()->topic(name);
  if (!topic || index.value < 0 || static_cast<size_t>(index.value) >= topic->partitions.size()) co_return missing;
  const TopicId id = topic->id;
  auto there = [this, id, index, &missing, &work]() -> Task<Result> {
    std::shared_ptr<Partition> partition = co_await broker_.partitions().open(id, index);
    if (!partition || partition->closed()) co_return missing;
    co_return co_await work(std::move(partition));
  };
  co_return co_await on(broker_.owner(id, index), std::move(there));
}

Task<std::optional<int>> TopicPorts::partitions(std::string name) {
  const replication::Topic topic = broker_.image()->topic(name);
  if (!topic) co_return std::nullopt;
  co_return static_cast<int>(topic->partitions.size());
}

Task<std::vector<std::string>> TopicPorts::topics() {
  std::vector<std::string> names;
  for (const replication::Topic& topic : broker_.image()->topics()) {
    if (!is_internal_topic(topic->name)) names.push_back(topic->name);
  }
  co_return names;
}

Task<processing::PartitionBounds> TopicPorts::bounds(std::string topic, PartitionId partition) {
  using processing::PartitionBounds;
  auto look = [](std::shared_ptr<Partition> found) -> Task<PartitionBounds> {
    co_return PartitionBounds{found->start(), found->last_stable()};
  };
  co_return co_await with(std::move(topic), partition, PartitionBounds(), std::move(look));
}

Task<Offset> TopicPorts::offset_at(std::string topic, PartitionId partition, Timestamp time) {
  auto look = [time](std::shared_ptr<Partition> found) -> Task<Offset> {
    const Offset end = found->last_stable();
    const log::OffsetAndTimestamp at = co_await found->log().find_time(time, end);
    co_return at.offset.value < 0 ? end : at.offset;
  };
  co_return co_await with(std::move(topic), partition, Offset(0), std::move(look));
}

Task<std::optional<Offset>> TopicPorts::committed(std::string group, std::string topic, PartitionId partition) {
  auto ask = [this, group, topic, partition]() -> Task<std::optional<Offset>> {
    const std::expected<PartitionId, ErrorCode> located = co_await groups_.locate(group);
    if (!located) co_return std::nullopt;
    protocol::OffsetFetchRequestGroup request;
    request.group_id = group;
    request.topics.emplace();
    auto& wanted = request.topics->emplace_back();
    wanted.name = topic;
    if (const replication::Topic found = broker_.image()->topic(topic)) wanted.id = found->id;
    wanted.partitions = {partition};
    const protocol::OffsetFetchResponseGroup answer = co_await groups_.fetch(std::move(request), false);
    for (const auto& found : answer.topics) {
      for (const auto& each : found.partitions) {
        if (each.error == ErrorCode::none && each.committed_offset.value >= 0) co_return each.committed_offset;
      }
    }
    co_return std::nullopt;
  };
  co_return co_await on(broker_.first_shard(), std::move(ask));
}

Task<void> TopicPorts::commit(std::string group, std::string topic, PartitionId partition, Offset offset) {
  auto write = [this, group, topic, partition, offset]() -> Task<void> {
    const std::expected<PartitionId, ErrorCode> located = co_await groups_.locate(group);
    if (!located) co_return;
    protocol::OffsetCommitRequest request;
    request.group_id = group;
    auto& wanted = request.topics.emplace_back();
    wanted.name = topic;
    if (const replication::Topic found = broker_.image()->topic(topic)) wanted.id = found->id;
    auto& position = wanted.partitions.emplace_back();
    position.index = partition;
    position.committed_offset = offset;
    groups::Caller caller{9, "millrace", "/127.0.0.1"};
    co_await groups_.commit(std::move(caller), std::move(request));
  };
  co_await on(broker_.first_shard(), std::move(write));
}

Task<processing::ScanResult> TopicPorts::scan(std::string topic, PartitionId partition, Offset from, size_t max_bytes,
                                              MonoTime deadline) {
  using processing::ScanResult;
  auto look = [this, from, max_bytes, deadline](std::shared_ptr<Partition> found) -> Task<ScanResult> {
    ScanResult result;
    while (true) {
      const auto wakeup = std::make_shared<Wakeup>();
      found->watch(wakeup);
      result.end = found->last_stable();
      if (from < found->start() || from > found->log().end()) {
        result.error = ErrorCode::offset_out_of_range;
        co_return result;
      }
      if (from < result.end) {
        log::ReadResult read =
            co_await found->log().read(from, max_bytes, result.end, true, false, log::ReadFor::later_use);
        result.error = read.error;
        result.batches = std::move(read.batches);
        co_return result;
      }
      if (broker_.stopping() || now() >= deadline) co_return result;
      if (found->closed()) {
        result.error = ErrorCode::unknown_topic_or_partition;
        co_return result;
      }
      co_await wakeup->wait(deadline);
    }
  };
  ScanResult missing;
  missing.error = ErrorCode::unknown_topic_or_partition;
  co_return co_await with(std::move(topic), partition, std::move(missing), std::move(look));
}

Task<ErrorCode> TopicPorts::create(std::string topic, int partitions, bool internal_compacted) {
  auto make = [this, topic, partitions, internal_compacted]() -> Task<ErrorCode> {
    TopicWish wish;
    wish.name = topic;
    wish.partitions = internal_compacted ? 1 : partitions;
    if (internal_compacted) wish.configs.emplace_back("cleanup.policy", "compact");
    co_return co_await broker_.controller().ensure_topic(std::move(wish));
  };
  co_return co_await on(broker_.first_shard(), std::move(make));
}

Task<ProducerId> TopicPorts::new_producer() {
  auto take = [this]() -> Task<ProducerId> { co_return co_await broker_.controller().next_producer_id(); };
  co_return co_await on(broker_.first_shard(), std::move(take));
}

Task<ErrorCode> TopicPorts::append(std::string topic, PartitionId partition, Bytes batch) {
  auto write = [batch = std::move(batch)](std::shared_ptr<Partition> found) -> Task<ErrorCode> {
    const log::AppendResult placed = found->append(batch);
    if (placed.error != ErrorCode::none) co_return placed.error;
    co_return co_await found->wait_for(placed.last + 1, after(append_timeout));
  };
  co_return co_await with(std::move(topic), partition, ErrorCode::unknown_topic_or_partition, std::move(write));
}

Task<processing::TopicWriter::Appended> TopicPorts::append_all(std::string topic, PartitionId partition,
                                                               std::vector<Bytes> batches) {
  auto write = [batches = std::move(batches)](std::shared_ptr<Partition> found) -> Task<Appended> {
    Appended appended;
    Offset end(0);
    for (const Bytes& batch : batches) {
      if (appended.batches > 0) co_await sleep_until(now());  // sockets have their turn before timers
      const log::AppendResult placed = found->append(batch, {.held = batch.size(), .haste = Haste::none});
      appended.error = placed.error;
      if (placed.error != ErrorCode::none) break;
      end = std::max(end, placed.last + 1);
      ++appended.batches;
    }
    if (appended.batches == 0) co_return appended;
    const ErrorCode waited = co_await found->wait_for(end, after(append_timeout));
    // Sent again the last one is a duplicate, and waits for all of them once more.
    if (waited != ErrorCode::none) appended = {waited, appended.batches - 1};
    co_return appended;
  };
  Appended missing;
  missing.error = ErrorCode::unknown_topic_or_partition;
  co_return co_await with(std::move(topic), partition, std::move(missing), std::move(write));
}

Task<std::optional<Sequence>> TopicPorts::last_sequence(std::string topic, PartitionId partition, ProducerId producer) {
  auto look = [producer](std::shared_ptr<Partition> found) -> Task<std::optional<Sequence>> {
    const std::optional<log::ProducerSummary> known = found->log().producer(producer);
    if (!known) co_return std::nullopt;
    co_return known->last_sequence;
  };
  co_return co_await with(std::move(topic), partition, std::optional<Sequence>(), std::move(look));
}

Task<ErrorCode> TopicPorts::delete_before(std::string topic, PartitionId partition, Offset offset) {
  auto cut = [offset](std::shared_ptr<Partition> found) -> Task<ErrorCode> {
    const Offset end = std::min(offset, found->high_watermark());
    if (end > found->start()) co_await found->delete_before(end);
    co_return ErrorCode::none;
  };
  co_return co_await with(std::move(topic), partition, ErrorCode::unknown_topic_or_partition, std::move(cut));
}

Task<ErrorCode> TopicPorts::remove(std::string name) {
  const replication::Topic topic = broker_.image()->topic(name);
  if (!topic) co_return ErrorCode::none;
  const TopicId id = topic->id;
  auto drop = [this, id]() -> Task<ErrorCode> {
    const Outcome outcome = co_await broker_.controller().delete_topic(id);
    co_return outcome.error == ErrorCode::unknown_topic_id ? ErrorCode::none : outcome.error;
  };
  co_return co_await on(broker_.first_shard(), std::move(drop));
}

}  // namespace millrace::broker
