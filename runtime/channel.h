// Channel<T>: a queue between coroutines of one shard.
#pragma once

#include <deque>
#include <optional>

#include "runtime/event.h"

namespace millrace {

template <class T>
class Channel {
 public:
  void push(T value) {
    queue_.push_back(std::move(value));
    changed_.notify();
  }
  // What is queued can still be taken; then pop answers nothing.
  void close() {
    closed_ = true;
    changed_.notify();
  }
  // The next value; nothing once closed and empty, or past `deadline`.
  Task<std::optional<T>> pop(MonoTime deadline = never) {
    while (queue_.empty()) {
      if (closed_) co_return std::nullopt;
      const bool notified = co_await changed_.wait(deadline);
      if (!notified && queue_.empty()) co_return std::nullopt;
    }
    std::optional<T> value(std::move(queue_.front()));
    queue_.pop_front();
    co_return value;
  }
  size_t size() const { return queue_.size(); }
  bool closed() const { return closed_; }

 private:
  std::deque<T> queue_;
  bool closed_ = false;
  Event changed_;
};

}  // namespace millrace
