#include "processing/windows/assigner.h"

#include "protocol/check.h"

namespace millrace::processing {

namespace {

int64_t floor_mod(int64_t a, int64_t b) {
  const int64_t r = a % b;
  return r < 0 ? r + b : r;
}

// A record may carry any time; at the ends of time they wrap, as in Java.
int64_t sum(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
int64_t difference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace

WindowAssigner::WindowAssigner(WindowShape shape) : shape_(shape) {
  check(shape_.size > 0);
  if (shape_.kind == WindowKind::hop || shape_.kind == WindowKind::cumulate) check(shape_.step > 0);
}

int64_t WindowAssigner::start_of(int64_t time, int64_t size) const {
  return difference(time, floor_mod(difference(time, shape_.offset), size));
}

int64_t WindowAssigner::windows_of_a_row(const WindowShape& shape) {
  const bool many = shape.kind == WindowKind::hop || shape.kind == WindowKind::cumulate;
  return many && shape.step > 0 ? shape.size / shape.step + (shape.size % shape.step != 0) : 1;
}

std::vector<Window> WindowAssigner::windows(int64_t time) const {
  std::vector<Window> found;
  switch (shape_.kind) {
    case WindowKind::tumble: {
      const int64_t start = start_of(time, shape_.size);
      found.push_back({start, sum(start, shape_.size)});
      break;
    }
    case WindowKind::hop:
      for (int64_t start = start_of(time, shape_.step); start > difference(time, shape_.size); start -= shape_.step)
        found.push_back({start, sum(start, shape_.size)});
      break;
    case WindowKind::cumulate: {
      const int64_t start = start_of(time, shape_.size);
      for (int64_t end = slice_end(time); end <= sum(start, shape_.size); end += shape_.step)
        found.push_back({start, end});
      break;
    }
    case WindowKind::session:
      found.push_back({time, sum(time, shape_.size)});
      break;
  }
  return found;
}

int64_t WindowAssigner::slice_end(int64_t time) const { return sum(start_of(time, interval()), interval()); }

int64_t WindowAssigner::last_window_end(int64_t slice_end) const {
  switch (shape_.kind) {
    case WindowKind::hop:
      return sum(slice_end, shape_.size - shape_.step);
    case WindowKind::cumulate:
      return sum(start_of(difference(slice_end, 1), shape_.size), shape_.size);
    default:
      return slice_end;
  }
}

Window WindowAssigner::window_ending(int64_t window_end) const {
  if (shape_.kind == WindowKind::cumulate) return {start_of(difference(window_end, 1), shape_.size), window_end};
  return {difference(window_end, shape_.size), window_end};
}

int64_t WindowAssigner::first_slice_end(int64_t window_end) const {
  if (shape_.kind == WindowKind::tumble) return window_end;
  return sum(window_ending(window_end).start, shape_.step);
}

}  // namespace millrace::processing
