// Fetching, the isolation level, and positions by time.
#include "tools/cat/fetcher.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/core.h>

#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"

namespace millrace::tools::cat {

namespace {
constexpr int16_t last_version_with_names = 12;
constexpr int32_t answer_bytes = 16 << 20;
}  // namespace

void Output::flush() {
  size_t at = 0;
  while (at < text_.size()) {
    const ssize_t wrote = write(STDOUT_FILENO, text_.data() + at, text_.size() - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) std::_Exit(errno == EPIPE ? 0 : 1);
    at += static_cast<size_t>(wrote);
  }
  text_.clear();
}

Task<Offset> Fetcher::offset_at(Timestamp time) {
  protocol::ListOffsetsRequest request;
  request.replica_id = BrokerId(-1);
  protocol::ListOffsetsRequestTopic topic;
  topic.name = topic_;
  protocol::ListOffsetsRequestPartition part;
  part.index = partition_;
  part.timestamp = time;
  topic.partitions.push_back(part);
  request.topics.push_back(std::move(topic));
  const auto answer = co_await leader_->call(request);
  const auto& found = answer.topics.at(0).partitions.at(0);
  if (found.error != ErrorCode::none)
    throw ClientError(fmt::format("{} [{}]: {}", topic_, partition_.value, describe(found.error)));
  co_return found.offset;
}

Task<void> Fetcher::start(Position from, std::optional<Offset> stored) {
  using Kind = Position::Kind;
  constexpr Timestamp latest(-1);
  constexpr Timestamp earliest(-2);
  const auto topic = co_await cluster_.topic(topic_, false);
  for (const auto& partition : topic.partitions) {
    if (partition.index == partition_) leader_ = co_await cluster_.own_connection(partition.leader_id);
  }
  if (!leader_) throw ClientError(fmt::format("topic '{}' has no partition {}", topic_, partition_.value));
  if (from.kind == Kind::stored && !stored) {
    const std::string reset = options_.property("auto.offset.reset", "latest");
    from.kind = reset == "earliest" || reset == "smallest" || reset == "beginning" ? Kind::beginning : Kind::end;
  }
  switch (from.kind) {
    case Kind::beginning:
      position_ = co_await offset_at(earliest);
      break;
    case Kind::end:
      position_ = co_await offset_at(latest);
      break;
    case Kind::stored:
      position_ = *stored;
      break;
    case Kind::absolute:
      position_ = Offset(from.value);
      break;
    case Kind::from_end: {
      const Offset end = co_await offset_at(latest);
      const Offset begin = co_await offset_at(earliest);
      position_ = std::max(begin, end - from.value);
      break;
    }
    case Kind::time: {
      const Offset found = co_await offset_at(Timestamp(from.value));
      position_ = found;
      if (found.value < 0) position_ = co_await offset_at(latest);
      break;
    }
  }
}

void Fetcher::stop() {
  stopping_ = true;
  if (leader_) leader_->close();
}

Task<void> Fetcher::poll(Output& output, Millis wait) {
  const bool committed_only = options_.property("isolation.level", "read_committed") != "read_uncommitted";
  protocol::FetchRequest request;
  request.max_wait = wait;
  request.min_bytes = 1;
  request.max_bytes = answer_bytes;
  request.isolation =
      committed_only ? protocol::IsolationLevel::read_committed : protocol::IsolationLevel::read_uncommitted;
  protocol::FetchRequestTopic topic;
  topic.name = topic_;
  protocol::FetchRequestPartition part;
  part.index = partition_;
  part.fetch_offset = position_;
  part.partition_max_bytes = answer_bytes;
  topic.partitions.push_back(part);
  request.topics.push_back(std::move(topic));

  protocol::FetchResponse answer;
  std::string trouble;
  try {
    answer = co_await leader_->call(request, last_version_with_names, wait + std::chrono::seconds(30));
  } catch (const NetError& error) {
    trouble = error.what();
  }
  if (stopping_) co_return;
  if (!trouble.empty()) {
    fmt::print(stderr, "% {} [{}]: {}, trying again\n", topic_, partition_.value, trouble);
    co_await sleep_until(after(std::chrono::milliseconds(200)));
    try {
      co_await start({Position::Kind::absolute, position_.value}, std::nullopt);
    } catch (const std::exception&) {  // told again by the next poll
    }
    co_return;
  }
  if (answer.error != ErrorCode::none) throw ClientError("fetch: " + describe(answer.error));
  const auto& result = answer.topics.at(0).partitions.at(0);
  if (result.error == ErrorCode::offset_out_of_range) {
    const std::string reset = options_.property("auto.offset.reset", "latest");
    if (reset == "error")
      throw ClientError(fmt::format("{} [{}]: {}", topic_, partition_.value, describe(result.error)));
    position_ =
        co_await offset_at(Timestamp(reset == "earliest" || reset == "smallest" || reset == "beginning" ? -2 : -1));
    co_return;
  }
  if (result.error != ErrorCode::none)
    throw ClientError(fmt::format("{} [{}]: {}", topic_, partition_.value, describe(result.error)));
  end_ = committed_only ? result.last_stable_offset : result.high_watermark;
  aborted_.clear();
  if (result.aborted_transactions) {
    for (const auto& aborted : *result.aborted_transactions)
      aborted_.emplace_back(aborted.producer_id, aborted.first_offset);
  }
  if (!result.records) co_return;
  protocol::BatchIterator batches(result.records->whole());
  while (const std::optional<protocol::RecordBatch> batch = batches.next()) {
    if (batch->next_offset() <= position_) continue;
    show(*batch, output);
    if (output.done() || finished_) break;
    position_ = std::max(position_, batch->next_offset());
  }
}

void Fetcher::show(const protocol::RecordBatch& batch, Output& output) {
  if (!batch.crc_matches())
    throw ClientError(
        fmt::format("{} [{}]: the batch at offset {} is damaged", topic_, partition_.value, batch.base_offset().value));
  if (!batch.is_legacy() && batch.is_control()) {
    // A marker ends what its producer had aborted.
    std::erase_if(aborted_, [&](const auto& one) {
      return one.first == batch.producer_id() && one.second <= batch.base_offset();
    });
    return;
  }
  if (!batch.is_legacy() && batch.is_transactional()) {
    for (const auto& [producer, first] : aborted_) {
      if (producer == batch.producer_id() && first <= batch.base_offset()) return;
    }
  }
  protocol::RecordReader records(batch);
  while (const std::optional<protocol::RecordView> record = records.next()) {
    if (record->offset < position_) continue;
    if (options_.until && record->timestamp.value >= options_.until->value) {
      finished_ = true;
      return;
    }
    output.add(topic_, partition_, *record);
    position_ = record->offset + 1;
    if (output.done()) return;
  }
}

}  // namespace millrace::tools::cat
