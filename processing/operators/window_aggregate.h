// Aggregates per window and key, in slices.
//
// Each row goes straight into the one slice that its time falls into: a table of keys with their accumulators. A window
// is put together from its slices once, when the watermark passes its end, and emitted. A row is late when all windows
// that contain its slice have been emitted; it is dropped and counted. When only the earlier ones have, it still counts
// in the later ones.
//
// A row of a long HOP with a short slide is in very many windows, and one watermark may complete them all: they are
// emitted in pieces, and the watermark goes on behind the last of them.
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

class WindowAggregate final : public Operator {
 public:
  WindowAggregate(JobContext& job, const plan::WindowAggregate& node);

  bool busy() const override;
  void go_on() override;
  std::optional<int64_t> next_time() const override;
  void on_time(int64_t now) override;
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  // Rows of one batch that fall into the same slice, which is named by its end.
  struct Share {
    int64_t end = 0;
    std::vector<uint32_t> rows;
  };
  bool fired(int64_t window_end) const { return time_.fired(window_end, progress_); }
  // By the end of the slice; the shares are good until the next batch.
  std::span<const Share> shares_of(const Batch& batch);
  // Where rows of a slice go; null: they are late.
  WindowSlice* place(int64_t slice_end);
  int64_t last_window_end(int64_t slice_end) const;
  void add(WindowSlice& into, WindowSlice from);
  void merge(WindowSlice& into, const WindowSlice& from) const;
  // The first window with the slice that has not been emitted; the last one has not.
  int64_t next_window_end(int64_t slice_end) const;
  // Emits windows that are complete, up to about as many rows as one turn should bear.
  void fire_some();
  // How many groups it has looked at.
  size_t fire(int64_t window_end);
  void emit_window(int64_t window_end, const WindowSlice& slice);

  plan::WindowAggregate node_;
  AggregateSet set_;
  WindowAssigner assigner_;
  WindowTime time_;
  std::vector<DataType> key_types_;
  int64_t progress_ = min_watermark;          // the watermark, or processing time
  std::map<int64_t, WindowSlice> slices_;     // by slice end
  std::map<int64_t, WindowSlice> cumulated_;  // CUMULATE: what has been emitted so far, by the window's start
  std::set<int64_t> timers_;                  // ends of windows to emit

  // Of the batch at hand; kept for their memory.
  std::vector<Share> shares_;
  KeyBytes key_bytes_;
  std::vector<uint32_t> groups_;
};

}  // namespace millrace::processing
