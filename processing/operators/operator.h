// Operators: what a job does with rows between its sources and its sinks.
//
// Rows arrive as batches, with a watermark now and then that says how far event time has come; both are pushed on to
// whoever is downstream. An operator decides, it never waits: the job feeds it, lets it say when processing time
// matters to it, and saves its state between two batches. All operators of a job run one after the other on one shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "processing/column.h"
#include "processing/expr.h"
#include "processing/plan.h"
#include "processing/windows/watermark.h"

namespace millrace::processing {

// What all operators of a job share.
struct JobContext {
  TimeZone zone;
  int64_t now = 0;          // wall clock, milliseconds; the job sets it before it feeds anything
  int64_t query_start = 0;  // when the job began
  uint64_t seed = 1;        // of RAND() and UUID()
  plan::Options settings;

  int64_t late_dropped = 0;  // rows that came after their last window had fired

  EvalContext evaluation();
  std::string setting(const std::string& key, const std::string& otherwise) const;
};

class Operator {
 public:
  Operator(JobContext& job, size_t inputs) : job_(job), eval_(job.evaluation()), inputs_(inputs) {}
  virtual ~Operator() = default;
  Operator(const Operator&) = delete;

  void process(int input, Batch batch) {
    if (batch.selected() == 0) return;
    refresh();
    on_batch(input, std::move(batch));
  }
  // Of one input; the operator sees the combination of all.
  void advance(int input, int64_t watermark);
  void set_idle(int input, bool idle);

  // A watermark can make far more complete than what came in, and an operator may then emit it in pieces: as long as it
  // is busy the job lets it go on, and feeds nobody else.
  virtual bool busy() const { return false; }
  virtual void go_on() {}

  // When processing time matters next; the job calls on_time() then.
  virtual std::optional<int64_t> next_time() const { return std::nullopt; }
  virtual void on_time(int64_t /*now*/) {}

  // Whether rows come out as if no others had come before.
  virtual bool keeps_nothing() const { return false; }
  virtual void save(std::string& out) const;
  virtual void load(std::string_view& in);

  void add_target(Operator& target, int input) { targets_.push_back({&target, input}); }
  int64_t watermark() const { return inputs_.value(); }

 protected:
  virtual void on_batch(int input, Batch batch) = 0;
  // The combined watermark has moved. Overriders emit what it makes complete, then pass it on.
  virtual void on_watermark(int64_t watermark) { emit_watermark(watermark); }

  void emit(Batch batch);
  void emit_watermark(int64_t watermark);
  void refresh();

  JobContext& job_;
  EvalContext eval_;

 private:
  struct Target {
    Operator* target;
    int input;
  };
  std::vector<Target> targets_;
  CombinedWatermark inputs_;
  bool idle_ = false;
};

// Integers of the state's binary form: 8 bytes, little-endian.
void append_int(std::string& out, int64_t value);
int64_t read_int(std::string_view& in);
void append_bytes(std::string& out, std::string_view bytes);  // with their length
std::string_view read_bytes(std::string_view& in);

}  // namespace millrace::processing
