// The load itself: producers and consumers on one thread and one epoll set.
//
// With a rate, requests are due on a fixed schedule and wait in the generator when their connection has no room;
// latency counts from when a request was due, so that a broker that stalls is not spared the requests it kept from
// being sent. Without a rate, every connection keeps its requests in flight, and latency counts from the sending.
#pragma once

#include <sys/epoll.h>

#include <deque>
#include <memory>
#include <vector>

#include "tools/bench/cpu_account.h"
#include "tools/bench/fetch_session.h"
#include "tools/bench/histogram.h"
#include "tools/bench/options.h"
#include "tools/bench/workload.h"

namespace millrace::bench {

struct Flow {
  uint64_t requests = 0;
  uint64_t records = 0;
  uint64_t payload = 0;
  uint64_t batch_bytes = 0;
  uint64_t errors = 0;
};

struct Outcome {
  Flow produced;  // answered while measuring
  Flow consumed;
  Histogram ack;         // nanoseconds from due (or sent) to answered
  Histogram end_to_end;  // nanoseconds from due (or sent) to received by a consumer
  uint64_t due = 0;      // requests that were due while measuring
  uint64_t unanswered = 0;
  int64_t worst_lateness = 0;   // nanoseconds by which the generator itself came late to its schedule
  uint64_t sessions_begun = 0;  // by all consumers, from the start on
  CpuUse cpu;
  size_t resident = 0;  // of the broker at the end
  int first_error = 0;
};

class Generator {
 public:
  Generator(const Options& options, TopicId topic, Workload workload, int16_t produce_version, int16_t fetch_version,
            std::vector<Offset> begins, std::vector<Offset> ends);
  ~Generator();

  Outcome run();

 private:
  struct Link;
  struct Producer;
  struct Consumer;
  enum class Phase { warming, measuring, settling, draining };

  void open(Link& link);
  void pump();
  void advance(int64_t now);
  void release_due(int64_t now);
  int64_t next_wake(int64_t now) const;
  bool finished(int64_t now) const;
  bool measured(int64_t due) const { return due >= latency_from_ && due < latency_until_; }
  bool counting() const { return phase_ == Phase::measuring || phase_ == Phase::settling; }
  bool sending() const { return phase_ != Phase::draining; }

  void start(Producer& producer, int64_t due);
  void fill(Producer& producer, int64_t now);
  void flush(Producer& producer);
  void answered(Producer& producer, std::span<const std::byte> frame, int64_t now);
  void done(Producer& producer, int64_t now, bool refused);
  void ask(Consumer& consumer);
  void flush(Consumer& consumer);
  void fetched(Consumer& consumer, std::span<const std::byte> frame, int64_t now);
  bool take(FetchSession& session, const protocol::FetchResponse& response, int64_t now);
  bool turn_back(FetchSession& session);
  void walk(FetchSession& session, size_t place, const Bytes& records, int64_t now);
  size_t receive(Link& link);
  void want_to_write(Link& link, bool wants_write);
  void count_error(Flow& flow, ErrorCode error);

  const Options& options_;
  TopicId topic_;
  Workload workload_;
  int16_t produce_version_;
  int16_t fetch_version_;
  std::vector<Offset> begins_;
  std::vector<Offset> ends_;
  bool end_to_end_;
  std::vector<std::deque<int64_t>> underway_;  // by partition: when the batches that no consumer has seen were due

  int epoll_ = -1;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  CpuAccount cpu_;
  Outcome outcome_;
  Phase phase_ = Phase::warming;
  int64_t phase_ends_ = 0;
  int64_t latency_from_ = INT64_MAX;
  int64_t latency_until_ = INT64_MAX;
  double interval_ = 0;  // nanoseconds between requests; 0: saturate
  double next_due_ = 0;
  uint64_t scheduled_ = 0;
  uint64_t measured_open_ = 0;  // due while measuring and not answered yet
};

}  // namespace millrace::bench
