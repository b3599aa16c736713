// Which windows a row belongs to, and which slices they share.
//
//   TUMBLE size            one window per row
//   HOP slide, size        size / slide windows per row; a slice is one slide long
//   CUMULATE step, size    windows that grow by `step` from the same start up to `size`; a slice is one step long
//
// A slice is named by its end. Every row falls into one slice, every window is made of whole slices, so an aggregate is
// kept once per slice and put together when a window fires. All times are milliseconds; for a TIMESTAMP_LTZ row time
// they are local times of the session's zone (zone.h), so that windows are aligned to local days.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace millrace::processing {

enum class WindowKind : uint8_t { tumble, hop, cumulate, session };

struct WindowShape {
  WindowKind kind = WindowKind::tumble;
  int64_t size = 0;    // the whole window; of CUMULATE the largest; of SESSION the gap
  int64_t step = 0;    // HOP's slide, CUMULATE's step
  int64_t offset = 0;  // shifts the start of all windows
  friend bool operator==(const WindowShape&, const WindowShape&) = default;
};

// [start, end)
struct Window {
  int64_t start = 0;
  int64_t end = 0;
  friend auto operator<=>(const Window&, const Window&) = default;
};

// The watermark that says: nothing will come any more.
inline constexpr int64_t max_watermark = std::numeric_limits<int64_t>::max();
// Before the first watermark.
inline constexpr int64_t min_watermark = std::numeric_limits<int64_t>::min();

class WindowAssigner {
 public:
  explicit WindowAssigner(WindowShape shape);

  const WindowShape& shape() const { return shape_; }
  // The distance between the ends of neighbouring slices.
  int64_t interval() const { return shape_.kind == WindowKind::tumble ? shape_.size : shape_.step; }

  // How many windows a row falls into, at most.
  int64_t windows_of_a_row() const { return windows_of_a_row(shape_); }
  static int64_t windows_of_a_row(const WindowShape& shape);
  // All windows that contain `time`, in the order in which Flink emits a row for each. SESSION: the row's own.
  std::vector<Window> windows(int64_t time) const;

  int64_t slice_end(int64_t time) const;
  // The end of the last window that contains the slice.
  int64_t last_window_end(int64_t slice_end) const;
  Window window_ending(int64_t window_end) const;
  // The end of the first slice of the window; its slices end every interval() from there to `window_end`.
  int64_t first_slice_end(int64_t window_end) const;

 private:
  int64_t start_of(int64_t time, int64_t size) const;

  WindowShape shape_;
};

}  // namespace millrace::processing
