// A running job: a plan, its sources and sinks, and what it has done so far.
//
//   fetchers (one per partition) → channel → run(): decode, operators, sinks → epoch
//
// run() is the one that decides; it takes what the fetchers have brought in turns, and ends an epoch when it is time
// (checkpoint.h). All computation, from decoding rows to encoding the state, is done beside the shard, so that produce
// and fetch never wait for it. Meanwhile operators, tasks and outbox belong to that turn, and the shard shows what it
// has copied after the turn before. Rows for a client go to a bounded queue; while it is full the job stands still.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "processing/connectors/partition_task.h"
#include "processing/jobs/checkpoint.h"
#include "processing/jobs/graph.h"
#include "processing/jobs/job_failure.h"
#include "processing/jobs/result_queue.h"
#include "processing/ports.h"
#include "runtime/channel.h"
#include "runtime/gate.h"

namespace millrace::processing {

enum class JobState : uint8_t { created, running, finished, failed, canceled };
std::string_view to_text(JobState);  // RUNNING …
inline bool is_over(JobState s) { return s >= JobState::finished; }

struct PartitionStatus {
  std::string topic;
  int32_t partition = 0;
  int64_t position = 0;
  int64_t log_end = 0;
  std::optional<int64_t> watermark;
  bool idle = false;
  bool finished = false;
  int64_t backlog() const { return finished ? 0 : log_end - position; }
};

struct JobStatus {
  std::string id;
  std::string name;
  JobState state = JobState::created;
  int64_t started = 0;  // wall clock, milliseconds
  int64_t ended = 0;
  int64_t records_in = 0;
  int64_t bytes_in = 0;
  int64_t records_out = 0;
  int64_t late_dropped = 0;
  int64_t epochs = 0;
  std::optional<int64_t> watermark;  // the least of the sources'
  std::vector<PartitionStatus> partitions;
  std::vector<std::string> warnings;
  std::optional<JobFailure> failure;
};

struct JobSetup {
  std::string id;
  std::string name;
  plan::Plan plan;
  bool stored = false;      // keeps checkpoints
  ProducerId producer{-1};  // −1: gets one when it first writes
  std::shared_ptr<ResultQueue> results;
  std::function<void(std::string)> print;
  Millis epoch_interval{1000};
};

class Job {
 public:
  Job(TopicReader& reader, TopicWriter& writer, JobSetup setup);
  ~Job();

  // Until the job is over; never throws: see status().
  Task<void> run();
  // Ends it soon. `drain`: as if all sources had ended.
  void stop(bool keep_output, bool drain);
  // Ends run() without ending the job: it goes on from its last epoch after a restart.
  void suspend();

  // Removes its checkpoints: after it is over, and after its definition is gone.
  Task<void> forget();

  JobStatus status() const;
  JobState state() const { return state_; }
  Task<void> wait_until_over();

 private:
  struct Partition;
  struct SourceRun;
  struct Fetched;
  using Events = std::vector<std::unique_ptr<Fetched>>;

  // job_start.cc
  Task<void> prepare();
  Task<void> find_partitions(SourceRun& source);
  Task<void> find_sink_partitions();
  Task<Offset> resolve(const SourceRun& source, const std::string& topic, PartitionId partition,
                       const ScanPosition& position, bool is_stop);
  void restore(const Epoch& epoch);  // beside the shard
  void prepare_remake();
  void size_pieces(Partition& partition, size_t read, size_t made);

  // job_reading.cc
  void start_fetching();
  Task<void> fetch(size_t source, size_t partition);
  Task<void> read_on(size_t source, size_t partition);
  void receive(Fetched& fetched);

  // job.cc
  void set_now();
  Task<void> work();
  MonoTime next_wake() const;
  Task<Events> next_events();
  Task<void> work_off(Events events);
  bool has_constant_sources() const;
  bool sources_finished() const;
  void hand_out();
  // beside the shard
  bool turn(const Events& events, size_t& taken);
  bool take(const Fetched& fetched);
  bool let_go_on();
  bool made_enough() const;
  void run_constant_sources();
  void tick();
  void finish_partition(SourceRun& source, size_t partition);

  // job_epochs.cc
  bool epoch_due() const;
  Task<void> end_epoch(bool last);
  Task<void> deliver(std::vector<Epoch::Output> outputs, bool again);
  Task<void> append_outputs(TopicPartition to, std::vector<Bytes> batches);
  // beside the shard
  struct Made {  // by an epoch
    std::vector<Epoch::Output> outputs;
    std::optional<Remake> remake;
  };
  Made take_outputs();
  std::optional<Remake> remake_of(const TopicPartition& to, const std::vector<OutputBatch>& batches) const;
  void begin_epoch();
  Epoch snapshot(bool last);

  // job_status.cc
  void show(const Events& events);
  void show(Partition& partition);
  void note_warnings();  // beside the shard

  TopicReader& reader_;
  TopicWriter& writer_;
  JobSetup setup_;
  JobContext context_;
  Outbox outbox_;
  std::map<std::string, int> sink_partitions_;
  std::unique_ptr<Graph> graph_;
  std::vector<std::unique_ptr<SourceRun>> sources_;
  std::unique_ptr<CheckpointLog> checkpoints_;
  std::map<TopicPartition, int32_t> sequences_;
  bool remakes_ = false;  // output that a crash has cut off is made again

  Channel<std::unique_ptr<Fetched>> events_;
  Gate fetchers_;
  Event fetch_stop_;
  bool closing_ = false;

  JobState state_ = JobState::created;
  std::optional<JobFailure> failure_;
  int64_t started_ = 0;
  int64_t ended_ = 0;
  Event over_;

  bool stop_requested_ = false;
  bool keep_output_ = true;
  bool drain_ = false;
  bool draining_ = false;  // what comes now is one epoch, the last
  bool suspended_ = false;
  bool already_over_ = false;  // found so when restarted
  bool dirty_ = false;         // something happened since the last epoch
  bool done_marked_ = true;    // the last epoch is known to be in its topics
  int64_t epoch_ = 0;
  size_t last_state_bytes_ = 0;
  MonoTime now_{};  // when the turn began
  MonoTime last_epoch_{};
  MonoTime next_tick_{};
  Millis tick_interval_{200};
  std::vector<std::string> warnings_;

  // What a turn made for others.
  std::vector<ResultRow> client_rows_;
  std::vector<std::string> printed_;
  bool ticked_ = false;
  // What the last turn left, for status().
  int64_t shown_rows_out_ = 0;
  int64_t shown_late_ = 0;
  std::optional<int64_t> shown_watermark_;
  std::vector<std::string> shown_warnings_;
};

}  // namespace millrace::processing
