// Detached tasks: coroutines that belong to their shard instead of to an awaiting coroutine.
#include "runtime/task.h"

#include <cstdio>

#include "runtime/shard.h"

namespace millrace {

namespace task_detail {

// A doubly linked list through the frames, newest first, so that a shard knows what it would have to destroy.
struct DetachedNode {
  Shard& shard = Shard::current();
  DetachedNode* newer = nullptr;
  DetachedNode* older = shard.newest_detached_;
  std::coroutine_handle<> frame;

  DetachedNode() {
    if (older) older->newer = this;
    shard.newest_detached_ = this;
  }
  DetachedNode(const DetachedNode&) = delete;
  ~DetachedNode() {
    (newer ? newer->older : shard.newest_detached_) = older;
    if (older) older->newer = newer;
  }
};

namespace {

struct Detached {
  struct promise_type : DetachedNode, FrameMemory {
    Detached get_return_object() {
      frame = std::coroutine_handle<promise_type>::from_promise(*this);
      return {};
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept {
      try {
        throw;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "millrace: nobody owns this failure: %s\n", error.what());
      } catch (...) {
        std::fprintf(stderr, "millrace: nobody owns this failure\n");
      }
      check(false);
    }
  };
};

Detached run(Task<void> task) { co_await std::move(task); }

}  // namespace
}  // namespace task_detail

void detach(Task<void> task) { task_detail::run(std::move(task)); }

int Shard::detached() const {
  int count = 0;
  for (const task_detail::DetachedNode* node = newest_detached_; node; node = node->older) ++count;
  return count;
}

void Shard::drop_detached() {
  while (newest_detached_) newest_detached_->frame.destroy();
}

}  // namespace millrace
