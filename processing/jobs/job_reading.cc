// Reading: a fetcher for each partition, always a little ahead of what is worked on.
#include "processing/jobs/job_parts.h"

#include <algorithm>

namespace millrace::processing {

namespace {

// Many small pieces cost hops, large ones the cache; of many partitions the memory is bounded, too.
constexpr size_t fetch_bytes = 512 << 10;
constexpr size_t least_fetch_bytes = 128 << 10;
constexpr size_t fetch_bytes_of_all = 64 << 20;

}  // namespace

void Job::start_fetching() {
  for (size_t s = 0; s < sources_.size(); ++s)
    for (size_t p = 0; p < sources_[s]->partitions.size(); ++p)
      if (!sources_[s]->partitions[p]->finished) fetchers_.spawn(fetch(s, p));
}

Task<void> Job::fetch(size_t source, size_t index) {
  std::optional<JobFailure> failure;
  try {
    co_await read_on(source, index);
  } catch (const JobFailure& failed) {
    failure = failed;
  } catch (const std::exception& error) {
    failure = JobFailure(java_runtime, error.what());
  }
  if (!failure) co_return;
  auto fetched = std::make_unique<Fetched>();
  fetched->source = source;
  fetched->partition = index;
  fetched->failure = std::move(failure);
  events_.push(std::move(fetched));
}

Task<void> Job::read_on(size_t source, size_t index) {
  Partition& partition = *sources_[source]->partitions[index];
  const std::string topic = partition.task->topic();
  const PartitionId id = partition.task->partition();
  const size_t room =
      std::clamp(fetch_bytes_of_all / sources_[source]->partitions.size(), least_fetch_bytes, fetch_bytes);
  while (!closing_) {
    auto fetched = std::make_unique<Fetched>();
    fetched->source = source;
    fetched->partition = index;
    if (partition.stop && partition.fetched >= *partition.stop) {
      fetched->end = true;
      events_.push(std::move(fetched));
      co_return;
    }
    const MonoTime deadline = after(std::chrono::milliseconds(500));
    fetched->result = co_await reader_.scan(topic, id, partition.fetched, room, deadline);
    if (closing_) co_return;
    switch (fetched->result.error) {
      case ErrorCode::none:
        break;
      case ErrorCode::offset_out_of_range: {
        // What was to be read is gone: go on with what there is.
        const PartitionBounds bounds = co_await reader_.bounds(topic, id);
        if (partition.fetched < bounds.start) {
          partition.fetched = bounds.start;
          continue;
        }
        throw JobFailure("org.apache.kafka.clients.consumer.OffsetOutOfRangeException",
                         "Fetch position " + std::to_string(partition.fetched.value) +
                             " is out of range for partition " + topic + "-" + std::to_string(id.value));
      }
      case ErrorCode::unknown_topic_or_partition:
        throw JobFailure("org.apache.kafka.common.errors.UnknownTopicOrPartitionException",
                         "This server does not host this topic-partition.");
      default:
        co_await fetch_stop_.wait(after(std::chrono::milliseconds(100)));
        continue;
    }
    for (const Bytes& bytes : fetched->result.batches) {
      protocol::BatchIterator batches(bytes);
      while (const std::optional<protocol::RecordBatch> batch = batches.next())
        partition.fetched = std::max(partition.fetched, batch->next_offset());
    }
    if (fetched->result.batches.empty() && partition.stop && fetched->result.end >= *partition.stop)
      partition.fetched = *partition.stop;  // nothing but holes up to there
    ++partition.outstanding;
    events_.push(std::move(fetched));
    while (partition.outstanding >= 2 && !closing_) co_await partition.taken.wait();
  }
}

// What the shard knows of it, and lets the fetcher go on.
void Job::receive(Fetched& fetched) {
  if (fetched.wake || fetched.end || fetched.failure) return;
  Partition& partition = *sources_[fetched.source]->partitions[fetched.partition];
  --partition.outstanding;
  partition.taken.notify();
  partition.log_end = std::max(partition.log_end, fetched.result.end);
}

}  // namespace millrace::processing
