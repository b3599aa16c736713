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
  // To be awaited: true when notified, false once `deadline` has passed. Never answers before the caller has yielded.
  class Waiter;
  Waiter wait(MonoTime deadline = never);
  bool has_waiters() const { return oldest_ != nullptr; }

 private:
  Waiter* oldest_ = nullptr;
  Waiter* newest_ = nullptr;
};

// The waiters are a list through the frames of those who wait, so waiting allocates nothing.
class Event::Waiter {
 public:
  Waiter(Event& event, MonoTime deadline) : event_(&event), deadline_(deadline) {}
  Waiter(const Waiter&) = delete;
  ~Waiter() {
    if (state_ != State::idle) abandon();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self);
  bool await_resume() const noexcept { return notified_; }

 private:
  friend class Event;
  enum class State : uint8_t { idle, waiting, woken };

  void leave();
  void resume(bool by_notify);
  void abandon();

  Event* event_;
  MonoTime deadline_;
  Shard* shard_ = nullptr;
  Waiter* older_ = nullptr;
  Waiter* newer_ = nullptr;
  std::coroutine_handle<> frame_;
  TimerId timer_ = 0;
  State state_ = State::idle;
  bool notified_ = false;
};

inline Event::Waiter Event::wait(MonoTime deadline) { return Waiter(*this, deadline); }

}  // namespace millrace
