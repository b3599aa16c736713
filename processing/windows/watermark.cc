#include "processing/windows/watermark.h"

#include <algorithm>

namespace millrace::processing {

bool CombinedWatermark::advance(size_t input, int64_t watermark) {
  Input& in = inputs_[input];
  if (in.state == State::finished) return false;
  in.state = State::active;
  in.watermark = std::max(in.watermark, watermark);
  return recompute();
}

bool CombinedWatermark::set_idle(size_t input, bool idle) {
  Input& in = inputs_[input];
  if (in.state == State::finished) return false;
  in.state = idle ? State::idle : State::active;
  return recompute();
}

bool CombinedWatermark::finish(size_t input) {
  inputs_[input].state = State::finished;
  return recompute();
}

bool CombinedWatermark::all_idle() const {
  return std::ranges::none_of(inputs_, [](const Input& in) { return in.state == State::active; }) && !all_finished();
}

bool CombinedWatermark::all_finished() const {
  return std::ranges::all_of(inputs_, [](const Input& in) { return in.state == State::finished; });
}

int CombinedWatermark::slowest() const {
  int least = -1;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].state != State::active) continue;
    if (least < 0 || inputs_[i].watermark < inputs_[static_cast<size_t>(least)].watermark) least = static_cast<int>(i);
  }
  return least;
}

void CombinedWatermark::restore(int64_t combined, size_t input, int64_t watermark) {
  inputs_[input].watermark = watermark;
  value_ = std::max(value_, combined);
}

bool CombinedWatermark::recompute() {
  int64_t next = value_;
  if (all_finished()) {
    next = max_watermark;
  } else if (const int least = slowest(); least >= 0) {
    next = std::max(value_, inputs_[static_cast<size_t>(least)].watermark);
  }
  const bool moved = next > value_;
  value_ = next;
  return moved;
}

}  // namespace millrace::processing
