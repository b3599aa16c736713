// Event: the waiters are a list through their own coroutine frames, so waiting allocates nothing besides the frame.
#include "runtime/event.h"

namespace millrace {

struct Event::Waiter {
  enum class State { idle, waiting, woken };

  Event* event;
  MonoTime deadline;
  Shard* shard = nullptr;
  Waiter* older = nullptr;
  Waiter* newer = nullptr;
  std::coroutine_handle<> frame;
  TimerId timer = 0;
  State state = State::idle;
  bool notified = false;

  Waiter(Event& event_, MonoTime deadline_) : event(&event_), deadline(deadline_) {}
  Waiter(const Waiter&) = delete;
  ~Waiter() {
    if (state == State::waiting) {
      leave();
      return;
    }
    // Its wake-up is on its way and would resume a frame that is gone.
    if (state == State::woken) check(shard->dropping());
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) {
    shard = &Shard::current();
    frame = self;
    state = State::waiting;
    older = event->newest_;
    (older ? older->newer : event->oldest_) = this;
    event->newest_ = this;
    if (deadline != never) {
      timer = shard->clock().schedule(deadline, [this] {
        timer = 0;
        leave();
        resume(false);
      });
    }
  }
  bool await_resume() const noexcept { return notified; }

  void leave() {
    (older ? older->newer : event->oldest_) = newer;
    (newer ? newer->older : event->newest_) = older;
    older = newer = nullptr;
    state = State::woken;
    if (timer != 0) shard->clock().cancel(std::exchange(timer, 0));
  }
  void resume(bool by_notify) {
    notified = by_notify;
    state = State::idle;
    frame.resume();
  }
};

void Event::notify() {
  while (Waiter* waiter = oldest_) {
    waiter->leave();
    waiter->shard->post([waiter] { waiter->resume(true); });
  }
}

Task<bool> Event::wait(MonoTime deadline) {
  Waiter waiter(*this, deadline);
  const bool notified = co_await waiter;
  co_return notified;
}

}  // namespace millrace
