// What a socket's coroutine waits with.
#pragma once

#include <coroutine>
#include <utility>

#include "runtime/clock.h"
#include "runtime/real/op_memory.h"

namespace millrace::real {

// One direction of a connection (or a listener's accepts): at most one coroutine waits in it, for the loop or a timer.
struct Pending {
  Clock& clock;
  OpMemory memory;
  std::coroutine_handle<> waiting;
  TimerId timer = 0;
  bool timed_out = false;

  explicit Pending(Clock& clock_) : clock(clock_) {}

  template <class Cancel>
  void arm(MonoTime deadline, Cancel cancel) {
    timed_out = false;
    if (deadline == never) return;
    timer = clock.schedule(deadline, [this, cancel] {
      timer = 0;
      timed_out = true;
      cancel();
    });
  }
  void disarm() {
    if (timer != 0) clock.cancel(std::exchange(timer, 0));
  }
  void wake() {
    disarm();
    std::exchange(waiting, {}).resume();
  }
};

}  // namespace millrace::real
