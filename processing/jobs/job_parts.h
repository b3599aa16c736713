// What the parts of a job share: the partitions it reads, and what has been read of them.
//
// The parts: job_start.cc sets up, job_reading.cc fetches, job.cc works in turns, job_epochs.cc makes what they did
// durable, job_status.cc tells of it.
#pragma once

#include "processing/connectors/datagen.h"
#include "processing/jobs/job.h"

namespace millrace::processing {

inline constexpr const char* java_runtime = "java.lang.RuntimeException";

inline constexpr size_t outbox_limit = 8 << 20;  // an epoch ends when its output grows beyond this

// Kafka's, with or without keys that say which row is meant.
inline bool is_kafka(const std::string& connector) { return connector == "kafka" || connector == "upsert-kafka"; }

struct Job::Partition {
  std::unique_ptr<PartitionTask> task;
  SourcePlace begun;  // where the epoch began
  // Where output is made again, batches end where pieces do: what comes of several pieces goes into one.
  static constexpr size_t usual_piece_bytes = 64 << 10;
  static constexpr size_t most_piece_bytes = 1 << 20;
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

}  // namespace millrace::processing
