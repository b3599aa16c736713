// Event: coroutines of one shard waiting for something to change.
//
//   while (log.end() < wanted) {
//     if (!co_await changed.wait(deadline)) co_return timed_out;
//   }
#pragma once

#include "runtime/shard.h"

namespace millrace {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  // Those who still wait are woken, as if notified; they must not touch the event again.
  ~Event() { notify(); }

  // Wakes everybody who waits now. They run after the caller has yielded.
  void notify();
  // True when notified, false once `deadline` has passed. Never answers before the caller has yielded.
  Task<bool> wait(MonoTime deadline = never);
  bool has_waiters() const { return oldest_ != nullptr; }

 private:
  struct Waiter;
  Waiter* oldest_ = nullptr;
  Waiter* newest_ = nullptr;
};

}  // namespace millrace
