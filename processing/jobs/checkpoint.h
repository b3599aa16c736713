// Checkpoints: a job's progress as a sequence of epochs, in an internal topic of its own with one partition.
//
//   topic  := __millrace_checkpoints-<job id>
//   epoch  := one or more records with the keys "<number>/<i>/<n>", i = 0..n−1; it counts when all n are there
//   record "<number>/done": the epoch's output is in its topics, there is nothing left to append
//
// An epoch holds everything that belongs together: how far each partition has been read, the operators' state after
// exactly those rows, and the output that those rows made, as finished record batches with producer id and sequences.
// It is written first; when it is durable its output is appended to the topics. After a crash the newest whole epoch is
// loaded and its output is appended again: what is there already is known by its sequence numbers and left out. So no
// row is lost or counted twice, and no output appears twice.
//
// Where nothing but the next rows decides what comes of them, and all of it goes to one partition, the output can be
// made again and need not be in the epoch. It says instead where the sources stood when each batch ended: whichever
// batches are in the topic after a crash, the job goes on from where the last of them ends.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "processing/connectors/outbox.h"

namespace millrace::processing {

// Output that is not kept, because it can be made again.
struct Remake {
  struct Step {
    int32_t count = 0;  // of the records before it
    SourcePlace place;
  };
  TopicPartition to;
  int32_t first_sequence = 0;
  int32_t count = 0;        // of its records
  std::vector<Step> steps;  // ascending; the first ones, of none, for each source that was read
};

struct Epoch {
  struct Source {
    int32_t source = 0;  // which scan of the plan
    std::string topic;
    int32_t partition = 0;
    int64_t position = 0;
    int64_t stop = -1;  // −1: unbounded
    int64_t watermark = 0;
    bool finished = false;
  };
  struct Output {
    TopicPartition to;
    int32_t last_sequence = 0;
    Bytes batch;
  };
  int64_t number = 0;
  bool last = false;  // the job has ended
  std::vector<Source> sources;
  int64_t producer = -1;
  std::map<TopicPartition, int32_t> sequences;  // the next one of each output partition
  std::string state;
  std::vector<Output> outputs;

  std::optional<Remake> remake;
  // With the last sequence that there is of it: whether some is missing; then `sources` and `sequences` are what they
  // were when the rest was still to come.
  bool go_back(std::optional<Sequence> known);

  // Its bytes, piece by piece.
  void encode(const std::function<void(std::string_view)>& give) const;
  static Epoch decode(std::string_view bytes);  // throws std::runtime_error
};

class CheckpointLog {
 public:
  CheckpointLog(TopicReader& reader, TopicWriter& writer, const std::string& job_id)
      : reader_(reader), writer_(writer), topic_("__millrace_checkpoints-" + job_id) {}

  struct Found {
    Epoch epoch;
    bool done = false;
  };
  // Makes the topic when it is missing; the newest whole epoch, if any.
  Task<std::optional<Found>> open();
  // An epoch as batches of one record each; long work for a large state, and free to run anywhere.
  static std::vector<Bytes> records(const Epoch& epoch, Timestamp now);
  Task<ErrorCode> write(std::vector<Bytes> records);
  Task<ErrorCode> mark_done(int64_t number);
  // Forgets what lies before the newest epoch.
  Task<void> trim();
  Task<void> remove();
  int64_t bytes_since_trim() const { return bytes_since_trim_; }

 private:
  // Of one record each.
  Task<ErrorCode> append(std::vector<Bytes> batches);

  TopicReader& reader_;
  TopicWriter& writer_;
  const std::string topic_;
  int64_t end_ = 0;          // offset of the next record
  int64_t epoch_start_ = 0;  // of the newest epoch's first record
  int64_t bytes_since_trim_ = 0;
};

}  // namespace millrace::processing
