// Aggregates per window and key, in slices.
//
// Two phases. LocalWindowAggregate turns a batch into partials: per slice a table of keys with their accumulators. It
// keeps nothing between batches, so every partition can run one of its own and hand over partials instead of rows.
// WindowAggregate merges partials into the slices of the whole job and emits a window once, when the watermark passes
// its end. A row is late when all windows that contain its slice have been emitted; it is dropped and counted. When
// only the earlier ones have, it still counts in the later ones.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "processing/operators/aggregates.h"
#include "processing/operators/key_table.h"
#include "processing/operators/operator.h"
#include "processing/windows/window_time.h"

namespace millrace::processing {

struct WindowSlice {
  KeyTable keys;
  AccumulatorList states;  // by the key's number
  int64_t rows = 0;
};

using WindowPartials = std::map<int64_t, WindowSlice>;  // by the slice's end

class LocalWindowAggregate {
 public:
  explicit LocalWindowAggregate(const plan::WindowAggregate& node);
  WindowPartials aggregate(const Batch& batch, EvalContext& context);

  const AggregateSet& aggregates() const { return set_; }

 private:
  plan::WindowSpec spec_;
  std::optional<plan::WindowAggregate::Attached> attached_;
  WindowAssigner assigner_;
  std::vector<ExprPtr> keys_;
  AggregateSet set_;
};

class WindowAggregate final : public Operator {
 public:
  WindowAggregate(JobContext& job, const plan::WindowAggregate& node);

  void merge(WindowPartials partials);
  LocalWindowAggregate make_local() const { return LocalWindowAggregate(node_); }

  std::optional<int64_t> next_time() const override;
  void on_time(int64_t now) override;
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  bool fired(int64_t window_end) const { return time_.fired(window_end, progress_); }
  int64_t last_window_end(int64_t slice_end) const;
  void add(WindowSlice& into, WindowSlice from);
  void fire_until(int64_t progress);
  void fire(int64_t window_end);
  void emit_window(int64_t window_end, const WindowSlice& slice);

  plan::WindowAggregate node_;
  LocalWindowAggregate local_;
  WindowAssigner assigner_;
  WindowTime time_;
  std::vector<DataType> key_types_;
  int64_t progress_ = min_watermark;          // the watermark, or processing time
  std::map<int64_t, WindowSlice> slices_;     // by slice end
  std::map<int64_t, WindowSlice> cumulated_;  // CUMULATE: what has been emitted so far, by the window's start
  std::set<int64_t> timers_;                  // ends of windows to emit
};

}  // namespace millrace::processing
