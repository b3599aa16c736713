// TimerQueue: what is due when. Plain data: the shard that owns it asks for next_due() and runs due() in time.
//
// A binary heap of slots ordered by (due, order of scheduling). A TimerId is a slot and its generation, so cancelling
// finds the timer at once and an old id never hits a newer timer.
#pragma once

#include <vector>

#include "runtime/clock.h"

namespace millrace {

class TimerQueue {
 public:
  TimerId add(MonoTime due, std::move_only_function<void()> fire);
  void cancel(TimerId id);
  bool empty() const { return heap_.empty(); }
  MonoTime next_due() const { return heap_.empty() ? never : heap_.front().due; }
  // Takes the first timer that is due at `now`; empty when there is none.
  std::move_only_function<void()> take_due(MonoTime now);

 private:
  struct Entry {
    MonoTime due;
    uint64_t order;
    uint32_t slot;
    bool before(const Entry& other) const { return due != other.due ? due < other.due : order < other.order; }
  };
  struct Slot {
    std::move_only_function<void()> fire;
    uint32_t position = 0;
    uint32_t generation = 1;
  };

  void remove(uint32_t position);
  void settle(uint32_t position, Entry entry);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  uint64_t order_ = 0;
};

}  // namespace millrace
