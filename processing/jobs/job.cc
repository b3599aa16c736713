// A job at work: turns over what was fetched, until it is over.
#include "processing/jobs/job.h"

#include <algorithm>

#include "processing/failure.h"
#include "processing/jobs/job_parts.h"

namespace millrace::processing {

namespace {

constexpr size_t events_of_a_turn = 8;
constexpr int pieces_of_a_turn = 64;  // of what an operator emits in pieces
constexpr size_t client_rows_of_a_turn = 16384;

}  // namespace

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

Task<void> Job::work() {
  set_now();
  last_epoch_ = now_;
  next_tick_ = now_ + tick_interval_;
  for (const auto& source : sources_)
    for (const auto& partition : source->partitions) partition->last_record = now_;
  const auto is_busy = [](const auto& op) { return op->busy(); };
  if (std::ranges::any_of(graph_->operators(), is_busy)) co_await work_off({});  // an epoch ended in between
  while (!sources_finished() && !stop_requested_) {
    if (has_constant_sources()) {
      set_now();
      auto give = [this] { run_constant_sources(); };
      co_await beside(std::move(give));
      hand_out();
      show({});
    }
    Events events;
    if (!sources_finished()) events = co_await next_events();
    co_await work_off(std::move(events));
  }
  if (suspended_) co_return;
  if (stop_requested_ && drain_) {
    set_now();
    draining_ = true;
    auto drain = [this] {
      for (const auto& source : sources_)
        for (size_t p = 0; p < std::max<size_t>(1, source->partitions.size()); ++p)
          source->output->advance(static_cast<int>(p), max_watermark);
    };
    co_await beside(std::move(drain));
    co_await work_off({});
    if (suspended_) co_return;
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

// In one turn, unless so much comes of it that some of it has to go on its way first.
Task<void> Job::work_off(Events events) {
  size_t taken = 0;
  for (bool done = false; !done;) {
    set_now();
    if (now_ >= next_tick_) {
      for (const auto& source : sources_)
        for (const auto& partition : source->partitions) partition->expected = partition->outstanding > 0;
    }
    auto some = [this, &events, &taken] { return turn(events, taken); };
    done = co_await beside(std::move(some));
    hand_out();
    show(events);
    while (setup_.results && setup_.results->full() && !stop_requested_)
      co_await setup_.results->wait_for_room(after(std::chrono::milliseconds(200)));
    if (stop_requested_ && !drain_) co_return;
    if (!draining_ && epoch_due()) co_await end_epoch(false);
  }
}

// Answers whether all is done.
bool Job::turn(const Events& events, size_t& taken) {
  bool done = let_go_on();
  while (done && taken < events.size()) {
    done = take(*events[taken]);
    if (!done) break;
    ++taken;
    done = let_go_on();
  }
  if (!done) return false;
  for (const auto& op : graph_->operators()) {
    if (const std::optional<int64_t> due = op->next_time(); due && *due <= context_.now) {
      op->on_time(context_.now);
      dirty_ = true;
    }
  }
  if (now_ >= next_tick_) tick();
  return let_go_on();
}

// Who has more to emit goes first; answers whether nobody has.
bool Job::let_go_on() {
  int pieces = 0;
  for (const auto& op : graph_->operators()) {
    for (; op->busy(); op->go_on(), dirty_ = true)
      if (pieces++ == pieces_of_a_turn || made_enough()) return false;
  }
  return true;
}

bool Job::made_enough() const {
  return !draining_ && (outbox_.bytes() >= outbox_limit || client_rows_.size() >= client_rows_of_a_turn);
}

// What others wait for goes to them from the shard.
void Job::hand_out() {
  for (ResultRow& row : client_rows_) setup_.results->push(std::move(row));
  client_rows_.clear();
  for (std::string& line : printed_) setup_.print(std::move(line));
  printed_.clear();
}

// Answers whether it has taken all of it.
bool Job::take(const Fetched& fetched) {
  if (fetched.failure) throw *fetched.failure;
  if (fetched.wake) return true;
  SourceRun& source = *sources_[fetched.source];
  Partition& partition = *source.partitions[fetched.partition];
  if (fetched.end) {
    finish_partition(source, fetched.partition);
    return true;
  }
  if (fetched.result.batches.empty()) return true;
  const int input = static_cast<int>(fetched.partition);
  const int64_t before = partition.task->records();
  if (partition.idle) {
    partition.idle = false;
    source.output->set_idle(input, false);
  }
  int64_t read_before = partition.task->bytes();
  const auto give = [&](PartitionTask::Piece piece) {
    const size_t made_before = outbox_.bytes();
    const int64_t read = std::exchange(read_before, partition.task->bytes());
    source.output->process(input, std::move(piece.rows));
    if (piece.watermark) source.output->advance(input, *piece.watermark);
    if (!remakes_) return;
    if (piece.read_until) outbox_.step({partition.begun.source, piece.read_until->value, partition.task->watermark()});
    size_pieces(partition, static_cast<size_t>(read_before - read), outbox_.bytes() - made_before);
  };
  const auto enough = [this] { return made_enough(); };
  const bool all = partition.task->run(fetched.result.batches, partition.stop, give, enough);
  if (partition.task->records() > before) partition.last_record = now_;
  dirty_ = true;
  return all;
}

// Pieces of which little comes may be larger: so large that a quarter of the usual comes of each.
void Job::size_pieces(Partition& partition, size_t read, size_t made) {
  const size_t little = Partition::usual_piece_bytes / 4;
  const size_t fitting = made * 4 > read ? 0 : little * read / std::max<size_t>(made, 1);
  partition.task->limit_pieces(std::clamp(fitting, Partition::usual_piece_bytes, Partition::most_piece_bytes));
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

}  // namespace millrace::processing
