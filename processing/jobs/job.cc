#include "processing/jobs/job.h"

#include <re2/re2.h>

#include <algorithm>

#include "processing/connectors/datagen.h"
#include "processing/failure.h"

namespace millrace::processing {

namespace {

constexpr size_t fetch_bytes = 256 << 10;
constexpr size_t events_of_a_turn = 8;
constexpr int64_t outbox_limit = 8 << 20;  // an epoch ends when its output grows beyond this
constexpr Millis least_epoch{100};
constexpr int64_t checkpoint_rate = 20;  // megabytes of state a second, at most
constexpr const char* java_runtime = "java.lang.RuntimeException";

protocol::Compression compression_of(const plan::Options& options) {
  const auto at = options.find("properties.compression.type");
  if (at == options.end()) return protocol::Compression::none;
  if (at->second == "gzip") return protocol::Compression::gzip;
  if (at->second == "snappy") return protocol::Compression::snappy;
  if (at->second == "lz4") return protocol::Compression::lz4;
  if (at->second == "zstd") return protocol::Compression::zstd;
  return protocol::Compression::none;
}

bool is_kafka(const std::string& connector) { return connector == "kafka" || connector == "upsert-kafka"; }

}  // namespace

std::string_view to_text(JobState state) {
  switch (state) {
    case JobState::created:
      return "CREATED";
    case JobState::running:
      return "RUNNING";
    case JobState::finished:
      return "FINISHED";
    case JobState::failed:
      return "FAILED";
    case JobState::canceled:
      return "CANCELED";
  }
  return "";
}

void ResultQueue::push(ResultRow row) {
  rows_.push_back(std::move(row));
  changed_.notify();
}

void ResultQueue::end(std::optional<JobFailure> failure) {
  if (ended_) return;
  ended_ = true;
  failure_ = std::move(failure);
  changed_.notify();
}

Task<std::vector<ResultRow>> ResultQueue::take(size_t most, MonoTime deadline) {
  while (rows_.empty() && !ended_) {
    const bool notified = co_await changed_.wait(deadline);
    if (!notified) break;
  }
  std::vector<ResultRow> taken;
  while (!rows_.empty() && taken.size() < most) {
    taken.push_back(std::move(rows_.front()));
    rows_.pop_front();
  }
  if (!taken.empty()) changed_.notify();
  co_return taken;
}

Task<void> ResultQueue::wait_for_room(MonoTime deadline) { co_await changed_.wait(deadline); }

struct Job::Partition {
  std::unique_ptr<PartitionTask> task;
  std::optional<Offset> stop;
  bool finished = false;
  bool idle = false;
  Offset fetched{0};
  Offset log_end{0};
  int outstanding = 0;    // results fetched and not yet taken; the shard's own
  bool expected = false;  // whether there were some when the turn began
  Event taken;
  MonoTime last_record{};
  int64_t emitted = min_watermark;

  struct Shown {  // what the last turn left
    Offset position{0};
    int64_t watermark = min_watermark;
    int64_t records = 0;
    int64_t bytes = 0;
    bool finished = false;
    bool idle = false;
  };
  Shown shown;
};

struct Job::SourceRun {
  const plan::Node* node = nullptr;
  const plan::Scan* scan = nullptr;  // nothing: constant rows
  SourceOptions options;
  std::vector<const plan::Node*> chain;
  SourceOutput* output = nullptr;
  std::vector<std::unique_ptr<Partition>> partitions;
  std::unique_ptr<Datagen> datagen;
  bool constant_done = false;
};

struct Job::Fetched {
  size_t source = 0;
  size_t partition = 0;
  ScanResult result;
  std::optional<JobFailure> failure;
  bool end = false;
  bool wake = false;  // only to wake the worker
};

Job::Job(TopicReader& reader, TopicWriter& writer, JobSetup setup)
    : reader_(reader), writer_(writer), setup_(std::move(setup)) {
  context_.settings = setup_.plan.settings;
  if (const auto at = context_.settings.find("table.local-time-zone"); at != context_.settings.end())
    if (const std::optional<TimeZone> zone = TimeZone::find(at->second)) context_.zone = *zone;
  tick_interval_ = Millis(duration_setting(context_.settings, "pipeline.auto-watermark-interval", 200));
}

Job::~Job() = default;

void Job::set_now() {
  now_ = now();
  context_.now = Shard::current().clock().wall_now().value;
}

Task<void> Job::run() {
  set_now();
  started_ = context_.now;
  context_.query_start = context_.now;
  context_.seed = Shard::current().random().next() | 1;
  std::optional<JobFailure> failed;
  try {
    co_await prepare();
    state_ = JobState::running;
    if (!already_over_) {
      start_fetching();
      co_await work();
    }
  } catch (const JobFailure& failure) {
    failed = failure;
  } catch (const SqlFailure& failure) {
    failed = JobFailure(failure.java_class(), failure.message());
  } catch (const std::exception& error) {
    failed = JobFailure(java_runtime, error.what());
  }
  closing_ = true;
  fetch_stop_.notify();
  for (const auto& source : sources_)
    for (const auto& partition : source->partitions) partition->taken.notify();
  co_await fetchers_.close();
  set_now();
  ended_ = context_.now;
  if (suspended_) co_return;
  failure_ = failed;
  if (failed)
    state_ = JobState::failed;
  else
    state_ = stop_requested_ ? JobState::canceled : JobState::finished;
  hand_out();  // also what came before a failure
  if (graph_) show({});
  if (setup_.results) setup_.results->end(failed);
  over_.notify();
}

Task<void> Job::forget() {
  if (checkpoints_) co_await checkpoints_->remove();
}

Task<void> Job::wait_until_over() {
  while (!is_over(state_)) co_await over_.wait();
}

void Job::stop(bool keep_output, bool drain) {
  if (stop_requested_ || is_over(state_)) return;
  stop_requested_ = true;
  keep_output_ = keep_output;
  drain_ = drain;
  auto wake = std::make_unique<Fetched>();
  wake->wake = true;
  events_.push(std::move(wake));
  if (setup_.results) setup_.results->wake();
}

void Job::suspend() {
  suspended_ = true;
  stop(false, false);
}

// ---- Setting up

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

  if (setup_.stored && !found) co_await end_epoch(false);  // from here on the starting points are known for good
  if (found && !found->done) {
    co_await deliver(std::move(found->epoch.outputs), true);
    done_marked_ = false;
  }
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

// ---- Reading

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
    fetched->result = co_await reader_.scan(topic, id, partition.fetched, fetch_bytes, deadline);
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

void Job::take(const Fetched& fetched) {
  if (fetched.failure) throw *fetched.failure;
  if (fetched.wake) return;
  SourceRun& source = *sources_[fetched.source];
  Partition& partition = *source.partitions[fetched.partition];
  if (fetched.end) {
    finish_partition(source, fetched.partition);
    return;
  }
  if (fetched.result.batches.empty()) return;
  const int input = static_cast<int>(fetched.partition);
  const int64_t before = partition.task->records();
  if (partition.idle) {
    partition.idle = false;
    source.output->set_idle(input, false);
  }
  partition.task->run(fetched.result.batches, partition.stop, [&](PartitionTask::Piece piece) {
    source.output->process(input, std::move(piece.rows));
    if (piece.watermark) source.output->advance(input, *piece.watermark);
  });
  if (partition.task->records() > before) partition.last_record = now_;
  dirty_ = true;
}

void Job::finish_partition(SourceRun& source, size_t partition) {
  if (source.partitions[partition]->finished) return;
  source.partitions[partition]->finished = true;
  source.output->advance(static_cast<int>(partition), max_watermark);
  dirty_ = true;
}

// VALUES give their rows once; generators as many as are due.
void Job::run_constant_sources() {
  for (const auto& source : sources_) {
    if (source->constant_done) continue;
    if (!source->scan) {
      const auto& values = static_cast<const plan::Values&>(*source->node);
      std::vector<DataType> types;
      for (const Field& field : values.schema) types.push_back(field.type);
      BatchBuilder rows(types);
      EvalContext eval = context_.evaluation();
      for (const std::vector<ExprPtr>& row : values.rows) {
        Row built;
        for (const ExprPtr& cell : row) built.push_back(evaluate_row(*cell, {}, eval));
        rows.append(built);
      }
      source->constant_done = true;
      source->output->process(0, rows.finish());
      source->output->advance(0, max_watermark);
      dirty_ = true;
    } else if (source->datagen) {
      const int64_t watermark_before = source->datagen->watermark();
      Batch batch = source->datagen->next(context_.now);
      if (batch.selected() > 0) {
        source->output->process(0, std::move(batch));
        dirty_ = true;
      }
      if (source->datagen->watermark() > watermark_before) source->output->advance(0, source->datagen->watermark());
      if (source->datagen->finished()) {
        source->constant_done = true;
        source->output->advance(0, max_watermark);
        dirty_ = true;
      }
    }
  }
}

bool Job::sources_finished() const {
  return std::ranges::all_of(sources_, [](const auto& source) {
    if (!source->scan || source->datagen) return source->constant_done;
    return std::ranges::all_of(source->partitions, [](const auto& partition) { return partition->finished; });
  });
}

// ---- Running

Task<void> Job::work() {
  set_now();
  last_epoch_ = now_;
  next_tick_ = now_ + tick_interval_;
  for (const auto& source : sources_)
    for (const auto& partition : source->partitions) partition->last_record = now_;
  while (!sources_finished() && !stop_requested_) {
    if (has_constant_sources()) {
      set_now();
      auto give = [this] { run_constant_sources(); };
      co_await beside(std::move(give));
      hand_out();
      show({});
      if (sources_finished()) break;
    }
    Events events = co_await next_events();
    co_await run_turn(std::move(events));
    while (setup_.results && setup_.results->full() && !stop_requested_)
      co_await setup_.results->wait_for_room(after(std::chrono::milliseconds(200)));
    if (epoch_due()) co_await end_epoch(false);
  }
  if (suspended_) co_return;
  if (stop_requested_ && drain_) {
    set_now();
    auto drain = [this] {
      for (const auto& source : sources_)
        for (size_t p = 0; p < std::max<size_t>(1, source->partitions.size()); ++p)
          source->output->advance(static_cast<int>(p), max_watermark);
    };
    co_await beside(std::move(drain));
  }
  if (!stop_requested_ || keep_output_) co_await end_epoch(true);
}

bool Job::has_constant_sources() const {
  return std::ranges::any_of(
      sources_, [](const auto& source) { return (!source->scan || source->datagen) && !source->constant_done; });
}

MonoTime Job::next_wake() const {
  MonoTime wake = next_tick_;
  for (const auto& op : graph_->operators()) {
    if (const std::optional<int64_t> due = op->next_time())
      wake = std::min(wake, now_ + Millis(std::max<int64_t>(0, *due - context_.now)));
  }
  return wake;
}

// What the fetchers have brought by now, or nothing when it is time for something else.
Task<Job::Events> Job::next_events() {
  set_now();
  Events events;
  const MonoTime wake = next_wake();
  std::optional<std::unique_ptr<Fetched>> event = co_await events_.pop(wake);
  while (event) {
    receive(**event);
    events.push_back(std::move(*event));
    event.reset();
    if (events_.size() > 0 && events.size() < events_of_a_turn) event = co_await events_.pop();
  }
  co_return events;
}

Task<void> Job::run_turn(Events events) {
  set_now();
  if (now_ >= next_tick_) {
    for (const auto& source : sources_)
      for (const auto& partition : source->partitions) partition->expected = partition->outstanding > 0;
  }
  auto all = [this, &events] { turn(events); };
  co_await beside(std::move(all));
  hand_out();
  show(events);
}

void Job::turn(const Events& events) {
  for (const std::unique_ptr<Fetched>& event : events) take(*event);
  for (const auto& op : graph_->operators()) {
    if (const std::optional<int64_t> due = op->next_time(); due && *due <= context_.now) {
      op->on_time(context_.now);
      dirty_ = true;
    }
  }
  if (now_ >= next_tick_) tick();
}

// What others wait for goes to them from the shard.
void Job::hand_out() {
  for (ResultRow& row : client_rows_) setup_.results->push(std::move(row));
  client_rows_.clear();
  for (std::string& line : printed_) setup_.print(std::move(line));
  printed_.clear();
}

void Job::show(Partition& partition) {
  partition.shown = {.position = partition.task->position(),
                     .watermark = partition.task->watermark(),
                     .records = partition.task->records(),
                     .bytes = partition.task->bytes(),
                     .finished = partition.finished,
                     .idle = partition.idle};
}

void Job::show(const Events& events) {
  for (const std::unique_ptr<Fetched>& event : events)
    if (!event->wake && !event->failure) show(*sources_[event->source]->partitions[event->partition]);
  if (std::exchange(ticked_, false) || is_over(state_)) {
    for (const auto& source : sources_)
      for (const auto& partition : source->partitions) show(*partition);
    shown_warnings_ = warnings_;
  }
  shown_rows_out_ = graph_->rows_out();
  shown_late_ = context_.late_dropped;
  shown_watermark_.reset();
  for (const auto& source : sources_) {
    if (source->output && source->output->watermark() != min_watermark && source->scan && source->scan->watermark)
      shown_watermark_ = std::min(shown_watermark_.value_or(max_watermark), source->output->watermark());
  }
}

// Periodic watermarks, and who is idle.
void Job::tick() {
  next_tick_ = now_ + tick_interval_;
  ticked_ = true;
  for (const auto& source : sources_) {
    std::vector<size_t> quiet;
    for (size_t p = 0; p < source->partitions.size(); ++p) {
      Partition& partition = *source->partitions[p];
      if (partition.finished || partition.idle) continue;
      const int64_t mark = partition.task->watermark();
      if (mark > partition.emitted && !source->options.watermark_on_event) {
        partition.emitted = mark;
        dirty_ = true;
        source->output->advance(static_cast<int>(p), mark);
      }
      const bool timed_out =
          source->options.idle_timeout > 0 && now_ - partition.last_record >= Millis(source->options.idle_timeout);
      const bool caught_up = source->options.idle_at_log_end && partition.task->position() >= partition.log_end;
      if (!partition.expected && (timed_out || caught_up)) quiet.push_back(p);
    }
    // The one that has come furthest last: when all fall silent together, time stands where it got to.
    std::ranges::sort(quiet, {}, [&](size_t p) { return source->partitions[p]->task->watermark(); });
    for (const size_t p : quiet) {
      source->partitions[p]->idle = true;
      dirty_ = true;
      source->output->set_idle(static_cast<int>(p), true);
    }
  }
  note_warnings();
}

void Job::note_warnings() {
  warnings_.clear();
  for (const auto& source : sources_) {
    if (!source->scan || !source->scan->watermark || source->partitions.size() < 2) continue;
    bool some = false;
    for (const auto& partition : source->partitions) some = some || partition->task->watermark() != min_watermark;
    for (const auto& partition : source->partitions) {
      if (!some || partition->finished || partition->idle || partition->task->watermark() != min_watermark) continue;
      warnings_.push_back("partition " + std::to_string(partition->task->partition().value) + " of " +
                          partition->task->topic() +
                          " has had no rows and holds the watermark back: no window can close. Set "
                          "table.exec.source.idle-timeout.");
    }
  }
}

// ---- Epochs

bool Job::epoch_due() const {
  if (!dirty_ && outbox_.empty())
    return setup_.stored && !done_marked_ && now() - last_epoch_ >= std::chrono::seconds(10);
  if (!setup_.stored && outbox_.empty()) return false;
  const auto since = now() - last_epoch_;
  if (static_cast<int64_t>(outbox_.bytes()) >= outbox_limit) return true;
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
  if (last) return epoch;  // nobody goes on from there
  append_int(epoch.state, context_.late_dropped);
  graph_->save(epoch.state);
  last_state_bytes_ = epoch.state.size();
  return epoch;
}

// The batches that this epoch's rows have become, ready to be appended.
std::vector<Epoch::Output> Job::take_outputs() {
  std::vector<Epoch::Output> outputs;
  protocol::Compression compression = protocol::Compression::none;
  for (const auto& sink : setup_.plan.sinks) compression = std::max(compression, compression_of(sink->options));
  auto taken = outbox_.take();
  for (auto& [to, batches] : taken) {
    for (OutputBatch& batch : batches) {
      protocol::BatchOptions options;
      options.compression = compression;
      options.producer_id = setup_.producer;
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = Sequence(sequences_[to]);
      const int count = batch.summary.count;
      sequences_[to] = protocol::add_sequence(options.base_sequence, count).value;
      outputs.push_back({to, protocol::add_sequence(options.base_sequence, count - 1).value, batch.finish(options)});
    }
  }
  graph_->new_epoch();
  return outputs;
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
  std::vector<Epoch::Output> outputs = co_await beside(std::move(finish));
  ++epoch_;
  if (setup_.stored) {
    auto save = [this, last, &outputs] {
      Epoch epoch = snapshot(last);
      epoch.outputs = outputs;
      return CheckpointLog::records(epoch, Timestamp(context_.now));
    };
    std::vector<Bytes> records = co_await beside(std::move(save));
    const ErrorCode error = co_await checkpoints_->write(std::move(records));
    if (error != ErrorCode::none)
      throw JobFailure(java_runtime, "The checkpoint could not be written: " + std::string(name(error)));
    done_marked_ = outputs.empty();
  }
  co_await deliver(std::move(outputs), false);
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
      // Sequences wrap around: the distance says which is later.
      if (at->second && static_cast<int32_t>(static_cast<uint32_t>(at->second->value) -
                                             static_cast<uint32_t>(output.last_sequence)) >= 0)
        continue;
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

JobStatus Job::status() const {
  JobStatus status;
  status.id = setup_.id;
  status.name = setup_.name;
  status.state = state_;
  status.started = started_;
  status.ended = ended_;
  status.late_dropped = shown_late_;
  status.epochs = epoch_;
  status.warnings = shown_warnings_;
  status.failure = failure_;
  status.records_out = shown_rows_out_;
  status.watermark = shown_watermark_;
  for (const auto& source : sources_) {
    for (const auto& partition : source->partitions) {
      const Partition::Shown& shown = partition->shown;
      PartitionStatus one;
      one.topic = partition->task->topic();
      one.partition = partition->task->partition().value;
      one.position = shown.position.value;
      one.log_end = std::max(partition->log_end.value, one.position);
      if (shown.watermark != min_watermark) one.watermark = shown.watermark;
      one.idle = shown.idle;
      one.finished = shown.finished;
      status.records_in += shown.records;
      status.bytes_in += shown.bytes;
      status.partitions.push_back(std::move(one));
    }
  }
  return status;
}

}  // namespace millrace::processing
