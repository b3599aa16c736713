// How a job begins: its partitions, its graph, and the epoch that it goes on from.
#include "processing/jobs/job_parts.h"

#include <re2/re2.h>

#include <algorithm>

#include "processing/failure.h"

namespace millrace::processing {

Task<void> Job::prepare() {
  for (const plan::Node* node : source_nodes(setup_.plan)) {
    auto source = std::make_unique<SourceRun>();
    source->node = node;
    if (node->kind == plan::Kind::scan) {
      source->scan = static_cast<const plan::Scan*>(node);
      if (is_kafka(source->scan->connector)) {
        source->options = source_options(*source->scan, context_.settings);
        co_await find_partitions(*source);
      } else if (source->scan->connector == "datagen") {
        source->datagen = std::make_unique<Datagen>(context_, *source->scan);
      } else {
        throw PlanFailure(java::validation, "Connector '" + source->scan->connector + "' cannot be read from.");
      }
    }
    sources_.push_back(std::move(source));
  }
  co_await find_sink_partitions();

  std::optional<CheckpointLog::Found> found;
  if (setup_.stored) {
    checkpoints_ = std::make_unique<CheckpointLog>(reader_, writer_, setup_.id);
    found = co_await checkpoints_->open();
  }

  Graph::Outputs outputs;
  outputs.outbox = &outbox_;
  outputs.partitions = sink_partitions_;
  outputs.print = [this](std::string line) {
    if (setup_.print) printed_.push_back(std::move(line));
  };
  outputs.client = [this](ResultRow row) {
    if (setup_.results) client_rows_.push_back(std::move(row));
  };
  const auto count = [this](const plan::Node& node) -> size_t {
    for (const auto& source : sources_)
      if (source->node == &node && source->scan && !source->datagen) return source->partitions.size();
    return 1;
  };
  graph_ = std::make_unique<Graph>(context_, setup_.plan, outputs, count);
  for (Graph::Source& made : graph_->sources()) {
    for (const auto& source : sources_) {
      if (source->node != made.node) continue;
      source->output = made.output.get();
      source->chain = made.chain;
      if (source->datagen) source->datagen->set_chain(made.chain);
    }
  }

  for (const auto& source : sources_) {
    if (!source->scan || source->datagen) continue;
    for (const auto& partition : source->partitions) {
      const std::string topic = partition->task->topic();
      const PartitionId id = partition->task->partition();
      partition->task =
          std::make_unique<PartitionTask>(context_, *source->scan, source->options, topic, id, source->chain);
      if (found) continue;
      const PartitionBounds bounds = co_await reader_.bounds(topic, id);
      Offset start = co_await resolve(*source, topic, id, source->options.start, false);
      start = std::clamp(start, bounds.start, std::max(bounds.start, bounds.end));
      partition->task->seek(start);
      partition->log_end = bounds.end;
      if (source->options.stop.mode != ScanPosition::Mode::unbounded)
        partition->stop = co_await resolve(*source, topic, id, source->options.stop, true);
    }
  }
  if (found && !found->done && found->epoch.remake) {
    const TopicPartition to = found->epoch.remake->to;
    const ProducerId producer(found->epoch.producer);
    const std::optional<Sequence> last = co_await writer_.last_sequence(to.topic, to.partition, producer);
    dirty_ = found->epoch.go_back(last);
  }
  if (found) {
    auto load = [this, &found] { restore(found->epoch); };
    co_await beside(std::move(load));
    epoch_ = found->epoch.number;
  }
  for (const auto& source : sources_) {
    for (const auto& partition : source->partitions) {
      partition->fetched = partition->task->position();
      show(*partition);
    }
  }
  prepare_remake();

  if (setup_.stored && !found) co_await end_epoch(false);  // from here on the starting points are known for good
  if (found && !found->done) {
    co_await deliver(std::move(found->epoch.outputs), true);
    done_marked_ = false;
  }
}

// Where nothing but the rows of topics decides what comes of them, output can be made again.
void Job::prepare_remake() {
  const auto is_topic = [](const auto& source) { return source->scan && !source->datagen; };
  const auto writes_topic = [](const auto& sink) { return is_kafka(sink->connector); };
  remakes_ = setup_.stored && graph_->keeps_nothing() && std::ranges::all_of(sources_, is_topic) &&
             std::ranges::any_of(setup_.plan.sinks, writes_topic);
  int32_t number = 0;  // as in a snapshot
  for (const auto& source : sources_) {
    for (const auto& partition : source->partitions) {
      partition->begun.source = number++;
      if (remakes_) partition->task->limit_pieces(Partition::usual_piece_bytes);
    }
  }
  begin_epoch();
}

Task<void> Job::find_partitions(SourceRun& source) {
  std::vector<std::string> topics = source.options.topics;
  if (!source.options.topic_pattern.empty()) {
    const RE2 pattern(source.options.topic_pattern, RE2::Quiet);
    if (!pattern.ok()) throw JobFailure("java.util.regex.PatternSyntaxException", pattern.error());
    const std::vector<std::string> all = co_await reader_.topics();
    for (const std::string& topic : all)
      if (RE2::FullMatch(topic, pattern)) topics.push_back(topic);
    std::ranges::sort(topics);
  }
  for (const std::string& topic : topics) {
    const std::optional<int> count = co_await reader_.partitions(topic);
    if (!count) {
      std::string list;
      for (const std::string& name : topics) list += (list.empty() ? "" : ", ") + name;
      throw JobFailure("org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.UnknownTopicOrPartitionException",
                       "This server does not host this topic-partition.")
          .wrapped(java_runtime, "Failed to get metadata for topics [" + list + "].");
    }
    for (int p = 0; p < *count; ++p) {
      auto partition = std::make_unique<Partition>();
      partition->task = std::make_unique<PartitionTask>(context_, *source.scan, source.options, topic, PartitionId(p),
                                                        std::vector<const plan::Node*>());
      source.partitions.push_back(std::move(partition));
    }
  }
}

Task<void> Job::find_sink_partitions() {
  for (const auto& sink : setup_.plan.sinks) {
    if (sink->target != plan::Sink::Target::table || !is_kafka(sink->connector)) continue;
    const SinkOptions options = sink_options(*sink);
    for (const std::string& topic : options.topics) {
      std::optional<int> count = co_await writer_.partitions(topic);
      if (!count) {
        const ErrorCode error = co_await writer_.create(topic, -1, false);
        if (error == ErrorCode::none || error == ErrorCode::topic_already_exists)
          count = co_await writer_.partitions(topic);
      }
      if (!count)
        throw JobFailure("org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.TimeoutException",
                         "Topic " + topic + " not present in metadata after 60000 ms.");
      sink_partitions_[topic] = *count;
    }
  }
}

Task<Offset> Job::resolve(const SourceRun& source, const std::string& topic, PartitionId partition,
                          const ScanPosition& position, bool is_stop) {
  const PartitionBounds bounds = co_await reader_.bounds(topic, partition);
  switch (position.mode) {
    case ScanPosition::Mode::earliest:
      co_return bounds.start;
    case ScanPosition::Mode::latest:
    case ScanPosition::Mode::unbounded:
      co_return bounds.end;
    case ScanPosition::Mode::timestamp:
      co_return co_await reader_.offset_at(topic, partition, Timestamp(position.timestamp));
    case ScanPosition::Mode::specific:
      if (const auto at = position.offsets.find(partition.value); at != position.offsets.end())
        co_return Offset(at->second);
      break;
    case ScanPosition::Mode::group_offsets:
      break;
  }
  if (!source.options.group.empty()) {
    const std::optional<Offset> committed = co_await reader_.committed(source.options.group, topic, partition);
    if (committed) co_return *committed;
  } else if (position.mode == ScanPosition::Mode::group_offsets) {
    throw JobFailure("org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.InvalidGroupIdException",
                     "To use the group management or offset commit APIs, you must provide a valid group.id in the "
                     "consumer configuration.");
  }
  if (position.mode == ScanPosition::Mode::specific) co_return bounds.start;
  std::string reset;
  for (const char c : source.options.offset_reset)
    reset.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
  if (reset == "earliest") co_return bounds.start;
  if (reset == "latest" || is_stop) co_return bounds.end;
  throw JobFailure(
      "org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.NoOffsetForPartitionException",
      "Undefined offset with no reset policy for partitions: [" + topic + "-" + std::to_string(partition.value) + "]");
}

void Job::restore(const Epoch& epoch) {
  sequences_ = epoch.sequences;
  setup_.producer = ProducerId(epoch.producer);
  already_over_ = epoch.last;
  for (const Epoch::Source& saved : epoch.sources) {
    const auto index = static_cast<size_t>(saved.source);
    if (index >= sources_.size()) throw std::runtime_error("the checkpoint belongs to another plan");
    SourceRun& source = *sources_[index];
    if (source.datagen || !source.scan) {
      source.constant_done = saved.finished;
      if (source.datagen) source.datagen->seek(saved.position);
      continue;
    }
    for (const auto& partition : source.partitions) {
      if (partition->task->topic() != saved.topic || partition->task->partition().value != saved.partition) continue;
      partition->task->seek(Offset(saved.position));
      partition->task->restore_watermark(saved.watermark);
      if (saved.stop >= 0) partition->stop = Offset(saved.stop);
      partition->finished = saved.finished;
    }
  }
  if (epoch.last) return;
  std::string_view state = epoch.state;
  context_.late_dropped = read_int(state);
  graph_->load(state);
}

}  // namespace millrace::processing
