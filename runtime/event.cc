// Waiting for an event, and being woken.
#include "runtime/event.h"

namespace millrace {

void Event::Waiter::await_suspend(std::coroutine_handle<> self) {
  shard_ = &Shard::current();
  frame_ = self;
  state_ = State::waiting;
  older_ = event_->newest_;
  (older_ ? older_->newer_ : event_->oldest_) = this;
  event_->newest_ = this;
  if (deadline_ != never) {
    timer_ = shard_->clock().schedule(deadline_, [this] {
      timer_ = 0;
      leave();
      resume(false);
    });
  }
}

void Event::Waiter::leave() {
  (older_ ? older_->newer_ : event_->oldest_) = newer_;
  (newer_ ? newer_->older_ : event_->newest_) = older_;
  older_ = newer_ = nullptr;
  state_ = State::woken;
  if (timer_ != 0) shard_->clock().cancel(std::exchange(timer_, 0));
}

void Event::Waiter::resume(bool by_notify) {
  notified_ = by_notify;
  state_ = State::idle;
  frame_.resume();
}

// The frame is destroyed while it waits.
void Event::Waiter::abandon() {
  if (state_ == State::waiting) {
    leave();
    return;
  }
  // Its wake-up is on its way and would resume a frame that is gone.
  check(shard_->dropping());
}

void Event::notify() {
  while (Waiter* waiter = oldest_) {
    waiter->leave();
    waiter->shard_->post([waiter] { waiter->resume(true); });
  }
}

}  // namespace millrace
