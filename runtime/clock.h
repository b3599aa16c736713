// Clock: what time it is, and waking up later. The only source of time above runtime/.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "protocol/types.h"

namespace millrace {

// Monotonic time since an arbitrary start: deadlines, timeouts, elections. Never wall time.
using MonoTime = std::chrono::time_point<struct MonoClockTag, std::chrono::nanoseconds>;
inline constexpr MonoTime never = MonoTime::max();

using TimerId = uint64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime now() const = 0;
  // Wall time in milliseconds since 1970, for record timestamps and retention only.
  virtual Timestamp wall_now() const = 0;
  // Calls `fire` on this shard at or after `due`, once. Cancelling one that fired already does nothing.
  virtual TimerId schedule(MonoTime due, std::move_only_function<void()> fire) = 0;
  virtual void cancel(TimerId timer) = 0;
};

}  // namespace millrace
