// Queue: first in, first out, in one piece of memory. A log has few elements in it most of the time, and mostly none:
// it keeps that little memory, and has none before the first. (A std::deque has half a kilobyte from the beginning, and
// allocates anew as it moves along.)
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace millrace::log {

template <class T>
class Queue {
 public:
  bool empty() const { return first_ == items_.size(); }
  T& front() { return items_[first_]; }
  const T& front() const { return items_[first_]; }
  T& back() { return items_.back(); }
  auto begin() const { return items_.begin() + static_cast<ptrdiff_t>(first_); }
  auto end() const { return items_.end(); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  T pop_front() {
    T item = std::move(items_[first_++]);
    if (empty()) {
      restart();
    } else if (first_ >= most_gone && first_ > items_.size() / 2) {
      items_.erase(items_.begin(), begin());
      first_ = 0;
    }
    return item;
  }
  void pop_back() {
    items_.pop_back();
    if (empty()) restart();
  }

 private:
  static constexpr size_t most_gone = 16;       // before what is left may move to the beginning
  static constexpr size_t most_kept = 4 << 10;  // bytes, while there is nothing in them

  void restart() {
    first_ = 0;
    items_.clear();
    if (items_.capacity() * sizeof(T) > most_kept) std::vector<T>().swap(items_);
  }

  std::vector<T> items_;
  size_t first_ = 0;
};

}  // namespace millrace::log
