// Watermarks: how far event time has come, per input and together.
//
// An input is ACTIVE, IDLE (nothing came for a while: it does not hold the others back) or FINISHED (nothing will ever
// come: it counts for nothing, and its end must not win over inputs that are merely idle). The combined watermark is
// the least of the active inputs and never goes back; with no active input it stands still; when all are finished it is
// max_watermark.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "processing/windows/assigner.h"

namespace millrace::processing {

class CombinedWatermark {
 public:
  explicit CombinedWatermark(size_t inputs) : inputs_(inputs) {}

  // Each answers true when the combined watermark has moved.
  bool advance(size_t input, int64_t watermark);  // also wakes an idle input
  bool set_idle(size_t input, bool idle);
  bool finish(size_t input);

  int64_t value() const { return value_; }
  int64_t of(size_t input) const { return inputs_[input].watermark; }
  bool idle(size_t input) const { return inputs_[input].state == State::idle; }
  bool finished(size_t input) const { return inputs_[input].state == State::finished; }
  bool all_idle() const;
  bool all_finished() const;
  // The input that holds the others back: the least active one; −1 when there is none.
  int slowest() const;
  size_t size() const { return inputs_.size(); }

  void restore(int64_t combined, size_t input, int64_t watermark);

 private:
  enum class State : uint8_t { active, idle, finished };
  struct Input {
    int64_t watermark = min_watermark;
    State state = State::active;
  };
  bool recompute();

  std::vector<Input> inputs_;
  int64_t value_ = min_watermark;
};

}  // namespace millrace::processing
