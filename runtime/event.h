// Event: coroutines of one shard waiting for something to change.
//
//   while (log.end() < wanted) {
//     if (!co_await changed.wait(deadline)) co_return timed_out;
//   }
#pragma once

#include <list>
#include <memory>

#include "runtime/shard.h"

namespace millrace {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  ~Event() { notify(); }

  // Wakes everybody who waits now. They run after the caller has yielded.
  void notify();
  // True when notified, false once `deadline` has passed.
  Task<bool> wait(MonoTime deadline = never);
  bool has_waiters() const { return !waiters_.empty(); }

 private:
  struct Waiter;
  std::list<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace millrace
