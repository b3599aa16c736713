// Shard: one thread (or one simulated node) with its own clock, disk, net and random numbers.
//
// Every datum lives on one shard. Another shard asks with
//
//   auto work = [&log, batch]() -> Task<Offset> { co_return co_await log.append(batch); };
//   Offset at = co_await on(owner, std::move(work));
//
// which costs nothing when `owner` is the current shard, and otherwise one hop there and one back. Long computations
// run beside() the shards.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>

#include "runtime/clock.h"
#include "runtime/disk.h"
#include "runtime/net.h"
#include "runtime/random.h"
#include "runtime/task.h"

namespace millrace {

namespace task_detail {
struct DetachedNode;
}

class Shard {
 public:
  virtual ~Shard() = default;
  Shard() = default;
  Shard(const Shard&) = delete;

  virtual int id() const = 0;
  // From any thread: runs `work` on this shard after what is queued already.
  virtual void post(std::move_only_function<void()> work) = 0;
  // Runs `work` on no shard at all, as beside() does. It must not throw.
  virtual void post_beside(std::move_only_function<void()> work) = 0;

  virtual Clock& clock() = 0;
  virtual Disk& disk() = 0;
  virtual Net& net() = 0;
  virtual Random& random() = 0;

  // The shard whose code is running. A bug outside of one.
  static Shard& current();
  // True while the shard's coroutines are destroyed where they stand, as the simulator does when a node crashes:
  // then, and only then, may an object go away while somebody waits for it.
  bool dropping() const { return dropping_; }

 protected:
  // What detach() has started here and has not ended.
  int detached() const;
  // Destroys it, the newest first. Nothing of this shard may be resumed afterwards.
  void drop_detached();
  void set_dropping() { dropping_ = true; }

  // An executor names itself for as long as it runs something.
  class Running {
   public:
    explicit Running(Shard* shard);  // null: what runs here is beside the shards
    ~Running();
    Running(const Running&) = delete;

   private:
    Shard* previous_;
  };

 private:
  friend struct task_detail::DetachedNode;
  task_detail::DetachedNode* newest_detached_ = nullptr;
  bool dropping_ = false;
};

inline MonoTime now() { return Shard::current().clock().now(); }
inline MonoTime after(std::chrono::nanoseconds wait) { return Shard::current().clock().now() + wait; }

namespace shard_detail {
struct Yield {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) {
    Shard::current().post([self] { self.resume(); });
  }
  void await_resume() const noexcept {}
};
}  // namespace shard_detail

// To be awaited: lets everything queued on this shard run first.
inline shard_detail::Yield yield() { return {}; }
// Until `due`; cannot be cut short: for waits that end with their component, use Event::wait.
Task<void> sleep_until(MonoTime due);

namespace shard_detail {
struct Hop {
  Shard& to;
  bool await_ready() const noexcept { return &to == &Shard::current(); }
  void await_suspend(std::coroutine_handle<> self) {
    to.post([self] { self.resume(); });
  }
  void await_resume() const noexcept {}
};

template <class Submit, class Work, class Result>
struct Elsewhere {
  Submit submit;
  Work work;
  std::optional<std::conditional_t<std::is_void_v<Result>, char, Result>> result;
  std::exception_ptr error;

  Elsewhere(Submit submit_, Work work_) : submit(std::move(submit_)), work(std::move(work_)) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) {
    Shard& home = Shard::current();
    submit([this, &home, self] {
      try {
        if constexpr (std::is_void_v<Result>) {
          work();
        } else {
          result.emplace(work());
        }
      } catch (...) {
        error = std::current_exception();
      }
      home.post([self] { self.resume(); });
    });
  }
  void await_resume() const noexcept {}
};
}  // namespace shard_detail

// Runs `work` where `submit`, given something to run, has it run, and continues on this shard with its result or
// exception.
template <class Submit, class Work>
auto elsewhere(Submit submit, Work work) -> Task<std::invoke_result_t<Work&>> {
  using Result = std::invoke_result_t<Work&>;
  shard_detail::Elsewhere<Submit, Work, Result> call(std::move(submit), std::move(work));
  co_await call;
  if (call.error) std::rethrow_exception(call.error);
  if constexpr (!std::is_void_v<Result>) co_return std::move(*call.result);
}

// Runs `work`, a callable that waits for nothing, beside the shards: on a thread that gets what they leave over of the
// processors, and gives a processor back as soon as a shard wants it. For long computations, so that nobody whose
// request has come meanwhile waits for them. It has no shard: no clock, no disk. What it touches belongs to it until it
// has ended; its result or exception comes back here.
template <class Work>
auto beside(Work work) -> Task<std::invoke_result_t<Work&>> {
  const auto submit = [](auto run) { Shard::current().post_beside(std::move(run)); };
  return elsewhere(submit, std::move(work));
}

// Runs `work`, a callable that returns a Task, on `owner` and brings its result or exception back.
template <class Work>
auto on(Shard& owner, Work work) -> std::invoke_result_t<Work&> {
  using Result = decltype(std::declval<std::invoke_result_t<Work&>>().operator co_await().await_resume());
  Shard& home = Shard::current();
  if (&home == &owner) {
    co_return co_await work();
  }
  std::exception_ptr error;
  if constexpr (std::is_void_v<Result>) {
    co_await shard_detail::Hop{owner};
    try {
      co_await work();
    } catch (...) {
      error = std::current_exception();
    }
    co_await shard_detail::Hop{home};
    if (error) std::rethrow_exception(error);
  } else {
    std::optional<Result> result;
    co_await shard_detail::Hop{owner};
    try {
      result.emplace(co_await work());
    } catch (...) {
      error = std::current_exception();
    }
    co_await shard_detail::Hop{home};
    if (error) std::rethrow_exception(error);
    co_return std::move(*result);
  }
}

}  // namespace millrace
