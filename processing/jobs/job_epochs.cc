// Epochs: when one ends, what belongs to it, and its output on the way to the topics (checkpoint.h).
#include "processing/jobs/job_parts.h"

#include <algorithm>

namespace millrace::processing {

namespace {

constexpr Millis least_epoch{100};
constexpr int64_t checkpoint_rate = 20;  // megabytes of state a second, at most

protocol::Compression compression_of(const plan::Options& options) {
  const auto at = options.find("properties.compression.type");
  if (at == options.end()) return protocol::Compression::none;
  if (at->second == "gzip") return protocol::Compression::gzip;
  if (at->second == "snappy") return protocol::Compression::snappy;
  if (at->second == "lz4") return protocol::Compression::lz4;
  if (at->second == "zstd") return protocol::Compression::zstd;
  return protocol::Compression::none;
}

}  // namespace

bool Job::epoch_due() const {
  if (!dirty_ && outbox_.empty())
    return setup_.stored && !done_marked_ && now() - last_epoch_ >= std::chrono::seconds(10);
  if (!setup_.stored && outbox_.empty()) return false;
  const auto since = now() - last_epoch_;
  if (outbox_.bytes() >= outbox_limit) return true;
  // A large state is not written more often than the disk should have to bear; for rows that somebody waits for, more
  // often.
  const Millis by_size(static_cast<int64_t>(last_state_bytes_) / (checkpoint_rate * 1000));
  if (!outbox_.empty() && since >= std::max(least_epoch, by_size / 3)) return true;
  return since >= std::max(setup_.epoch_interval, by_size);
}

Epoch Job::snapshot(bool last) {
  Epoch epoch;
  epoch.number = epoch_;
  epoch.last = last;
  epoch.producer = setup_.producer.value;
  epoch.sequences = sequences_;
  for (size_t s = 0; s < sources_.size(); ++s) {
    const SourceRun& source = *sources_[s];
    if (!source.scan || source.datagen) {
      epoch.sources.push_back({.source = static_cast<int32_t>(s),
                               .topic = {},
                               .partition = 0,
                               .position = source.datagen ? source.datagen->position() : 0,
                               .stop = -1,
                               .watermark = 0,
                               .finished = source.constant_done});
      continue;
    }
    for (const auto& partition : source.partitions) {
      epoch.sources.push_back({.source = static_cast<int32_t>(s),
                               .topic = partition->task->topic(),
                               .partition = partition->task->partition().value,
                               .position = partition->task->position().value,
                               .stop = partition->stop ? partition->stop->value : -1,
                               .watermark = partition->task->watermark(),
                               .finished = partition->finished});
    }
  }
  if (last) return epoch;                                          // nobody goes on from there
  epoch.state.reserve(last_state_bytes_ + last_state_bytes_ / 2);  // it mostly grows a little
  append_int(epoch.state, context_.late_dropped);
  graph_->save(epoch.state);
  last_state_bytes_ = epoch.state.size();
  return epoch;
}

// The batches that this epoch's rows have become, ready to be appended.
Job::Made Job::take_outputs() {
  Made made;
  protocol::Compression compression = protocol::Compression::none;
  for (const auto& sink : setup_.plan.sinks) compression = std::max(compression, compression_of(sink->options));
  auto taken = outbox_.take();
  if (taken.size() == 1) made.remake = remake_of(taken.front().first, taken.front().second);
  for (auto& [to, batches] : taken) {
    for (OutputBatch& batch : batches) {
      protocol::BatchOptions options;
      options.compression = compression;
      options.producer_id = setup_.producer;
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = Sequence(sequences_[to]);
      const int count = batch.summary.count;
      sequences_[to] = protocol::add_sequence(options.base_sequence, count).value;
      made.outputs.push_back(
          {to, protocol::add_sequence(options.base_sequence, count - 1).value, batch.finish(options)});
    }
  }
  graph_->new_epoch();
  return made;
}

// Nothing: they have to be kept.
std::optional<Remake> Job::remake_of(const TopicPartition& to, const std::vector<OutputBatch>& batches) const {
  if (!remakes_) return std::nullopt;
  Remake remake;
  remake.to = to;
  if (const auto at = sequences_.find(to); at != sequences_.end()) remake.first_sequence = at->second;
  for (const auto& source : sources_)
    for (const auto& partition : source->partitions)
      if (partition->task->position().value != partition->begun.position) remake.steps.push_back({0, partition->begun});
  for (const OutputBatch& batch : batches) {
    remake.count += batch.summary.count;
    if (&batch == &batches.back()) break;  // with it all is there
    if (!batch.places) return std::nullopt;
    for (const SourcePlace& place : *batch.places) remake.steps.push_back({remake.count, place});
  }
  return remake;
}

void Job::begin_epoch() {
  for (const auto& source : sources_) {
    for (const auto& partition : source->partitions) {
      partition->begun.position = partition->task->position().value;
      partition->begun.watermark = partition->task->watermark();
    }
  }
}

Task<void> Job::end_epoch(bool last) {
  set_now();
  last_epoch_ = now_;
  if (!dirty_ && outbox_.empty() && !last && epoch_ > 0) {
    if (!done_marked_) co_await checkpoints_->mark_done(epoch_);
    done_marked_ = true;
    co_return;
  }
  dirty_ = false;
  if (!outbox_.empty() && setup_.producer.value < 0) setup_.producer = co_await writer_.new_producer();

  auto finish = [this] { return take_outputs(); };
  Made made = co_await beside(std::move(finish));
  ++epoch_;
  if (setup_.stored) {
    auto save = [this, last, &made] {
      Epoch epoch = snapshot(last);
      if (made.remake && !last)  // nobody would make again what a job gave at its end
        epoch.remake = std::move(made.remake);
      else
        epoch.outputs = made.outputs;
      begin_epoch();
      return CheckpointLog::records(epoch, Timestamp(context_.now));
    };
    std::vector<Bytes> records = co_await beside(std::move(save));
    const ErrorCode error = co_await checkpoints_->write(std::move(records));
    if (error != ErrorCode::none)
      throw JobFailure(java_runtime, "The checkpoint could not be written: " + std::string(name(error)));
    done_marked_ = made.outputs.empty();
  }
  co_await deliver(std::move(made.outputs), false);
  if (setup_.stored) {
    for (const auto& source : sources_) {
      if (source->options.group.empty()) continue;
      for (const auto& partition : source->partitions)
        co_await reader_.commit(source->options.group, partition->task->topic(), partition->task->partition(),
                                partition->task->position());
    }
    if (checkpoints_->bytes_since_trim() > std::max<int64_t>(4 << 20, 4 * static_cast<int64_t>(last_state_bytes_)))
      co_await checkpoints_->trim();
  }
}

Task<void> Job::deliver(std::vector<Epoch::Output> outputs, bool again) {
  std::map<TopicPartition, std::vector<Bytes>> missing;
  std::map<TopicPartition, std::optional<Sequence>> known;
  for (Epoch::Output& output : outputs) {
    if (again) {
      auto at = known.find(output.to);
      if (at == known.end()) {
        const std::optional<Sequence> last =
            co_await writer_.last_sequence(output.to.topic, output.to.partition, setup_.producer);
        at = known.emplace(output.to, last).first;
      }
      if (at->second && protocol::sequence_distance(Sequence(output.last_sequence), *at->second) >= 0) continue;
    }
    missing[output.to].push_back(std::move(output.batch));
  }
  for (auto& [to, batches] : missing) co_await append_outputs(to, std::move(batches));
}

Task<void> Job::append_outputs(TopicPartition to, std::vector<Bytes> batches) {
  for (int attempt = 0;; ++attempt) {
    const TopicWriter::Appended appended = co_await writer_.append_all(to.topic, to.partition, batches);
    batches.erase(batches.begin(), batches.begin() + static_cast<ptrdiff_t>(appended.batches));
    const ErrorCode error = appended.error;
    switch (error) {
      case ErrorCode::none:
        co_return;
      case ErrorCode::duplicate_sequence_number:
        batches.erase(batches.begin());
        if (batches.empty()) co_return;
        continue;
      case ErrorCode::unknown_topic_or_partition:
      case ErrorCode::message_too_large:
      case ErrorCode::record_list_too_large:
      case ErrorCode::invalid_record:
      case ErrorCode::corrupt_message:
      case ErrorCode::out_of_order_sequence_number:
      case ErrorCode::topic_authorization_failed:
        throw JobFailure("org.apache.flink.util.FlinkRuntimeException", "Failed to send data to Kafka " + to.topic +
                                                                            "-" + std::to_string(to.partition.value) +
                                                                            ": " + std::string(name(error)));
      default:
        break;
    }
    if (attempt >= 300)
      throw JobFailure("org.apache.flink.util.FlinkRuntimeException", "Failed to send data to Kafka " + to.topic + "-" +
                                                                          std::to_string(to.partition.value) + ": " +
                                                                          std::string(name(error)));
    co_await sleep_until(after(std::chrono::milliseconds(100)));
    if (stop_requested_ && suspended_) co_return;  // delivered after the restart
  }
}

}  // namespace millrace::processing
