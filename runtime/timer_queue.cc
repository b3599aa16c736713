// The heap operations of TimerQueue.
#include "runtime/timer_queue.h"

#include "protocol/check.h"

namespace millrace {

TimerId TimerQueue::add(MonoTime due, std::move_only_function<void()> fire) {
  uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.fire = std::move(fire);
  const TimerId id = static_cast<TimerId>(slot.generation) << 32 | index;
  const Entry entry{due, order_++, index};
  heap_.push_back(entry);
  settle(static_cast<uint32_t>(heap_.size() - 1), entry);
  return id;
}

void TimerQueue::cancel(TimerId id) {
  const uint32_t index = static_cast<uint32_t>(id);
  if (index >= slots_.size() || slots_[index].generation != static_cast<uint32_t>(id >> 32)) return;
  // What the closure owns may call back into this queue when it is destroyed.
  const std::move_only_function<void()> dropped = std::move(slots_[index].fire);
  remove(slots_[index].position);
}

std::move_only_function<void()> TimerQueue::take_due(MonoTime now) {
  if (heap_.empty() || heap_.front().due > now) return {};
  std::move_only_function<void()> fire = std::move(slots_[heap_.front().slot].fire);
  remove(0);
  return fire;
}

void TimerQueue::remove(uint32_t position) {
  const uint32_t index = heap_[position].slot;
  Slot& slot = slots_[index];
  slot.fire = nullptr;
  if (++slot.generation == 0) slot.generation = 1;
  free_.push_back(index);
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position < heap_.size()) settle(position, last);
}

// Puts `entry` at `position` or wherever the heap order wants it from there.
void TimerQueue::settle(uint32_t position, Entry entry) {
  const auto place = [this](uint32_t at, const Entry& what) {
    heap_[at] = what;
    slots_[what.slot].position = at;
  };
  while (position > 0) {
    const uint32_t parent = (position - 1) / 2;
    if (!entry.before(heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  for (;;) {
    uint32_t child = position * 2 + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
    if (!heap_[child].before(entry)) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, entry);
}

}  // namespace millrace
