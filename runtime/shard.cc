// Which shard is running, and the two waits every shard has.
#include "runtime/shard.h"

namespace millrace {

namespace {

thread_local Shard* running = nullptr;

struct Sleep {
  MonoTime due;
  Shard* shard = nullptr;
  TimerId timer = 0;
  bool asleep = false;

  ~Sleep() {
    if (asleep) shard->clock().cancel(timer);
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) {
    shard = &Shard::current();
    asleep = true;
    timer = shard->clock().schedule(due, [this, self] {
      asleep = false;
      self.resume();
    });
  }
  void await_resume() const noexcept {}
};

}  // namespace

Shard& Shard::current() {
  check(running != nullptr);
  return *running;
}

Shard::Running::Running(Shard* shard) : previous_(std::exchange(running, shard)) {}
Shard::Running::~Running() { running = previous_; }

Task<void> sleep_until(MonoTime due) {
  Sleep sleep{due};
  co_await sleep;
}

}  // namespace millrace
