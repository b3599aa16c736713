// Task<T>: a coroutine that starts when awaited and hands its result, or its exception, to whoever awaits it.
//
//   Task<Offset> append(Bytes batch);
//   Offset at = co_await append(std::move(batch));
//
// A Task runs on the shard that awaits it. Coroutines take their arguments by value. Bind a lambda or a brace-built
// value to a name before awaiting with it. To start one without awaiting it, use a Gate (gate.h).
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "protocol/check.h"
#include "runtime/frame_memory.h"

namespace millrace {

template <class T = void>
class [[nodiscard]] Task;

namespace task_detail {

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) noexcept {
    return done.promise().continuation ? done.promise().continuation : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase : FrameMemory {
  std::coroutine_handle<> continuation;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
};

template <class T>
struct Promise : PromiseBase {
  std::variant<std::monostate, T, std::exception_ptr> result;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    result.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() { result.template emplace<2>(std::current_exception()); }
  T take() {
    if (result.index() == 2) std::rethrow_exception(std::get<2>(std::move(result)));
    check(result.index() == 1);
    return std::get<1>(std::move(result));
  }
};

template <>
struct Promise<void> : PromiseBase {
  std::exception_ptr error;
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void unhandled_exception() { error = std::current_exception(); }
  void take() {
    if (error) std::rethrow_exception(std::move(error));
  }
};

}  // namespace task_detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      Handle handle;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
        handle.promise().continuation = caller;
        return handle;
      }
      T await_resume() { return handle.promise().take(); }
    };
    check(static_cast<bool>(handle_));
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

template <class T>
Task<T> task_detail::Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> task_detail::Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// Starts `task` now and forgets it. An exception that escapes it is a bug: someone must own every failure.
// Prefer Gate::spawn, which can wait for what it started.
void detach(Task<void> task);

}  // namespace millrace
