// Memory for very many rows of bytes that come and go: cut from large blocks, so that none has an allocation of its own
// and all of it goes at once. What is given back is for the next row of about that size; when there is none left, the
// blocks go.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "protocol/check.h"

namespace millrace::processing {

class RowStore {
 public:
  // At least one byte.
  void* take(size_t size) {
    check(size > 0);
    ++taken_;
    if (size > largest) {
      auto memory = std::make_unique_for_overwrite<std::byte[]>(size);
      void* const at = memory.get();
      alone_.emplace(at, std::move(memory));
      return at;
    }
    const size_t steps = (size + step - 1) / step;
    if (Free* const again = free_[steps]) {
      free_[steps] = again->next;
      return again;
    }
    if (left_ < steps * step) open_block();
    std::byte* const at = at_;
    at_ += steps * step;
    left_ -= steps * step;
    return at;
  }

  void give_back(void* memory, size_t size) {
    if (--taken_ == 0) return clear();
    if (size > largest) {
      alone_.erase(memory);
      return;
    }
    Free*& first = free_[(size + step - 1) / step];
    first = new (memory) Free{first};
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr size_t step = 16;
  static constexpr size_t largest = 2048;
  static constexpr size_t least_block = 4 << 10;
  static constexpr size_t usual_block = 256 << 10;

  void open_block() {
    left_ = blocks_.size() < 4 ? least_block : usual_block;
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(left_));
    at_ = blocks_.back().get();
  }
  void clear() {
    free_ = {};
    blocks_.clear();
    alone_.clear();
    at_ = nullptr;
    left_ = 0;
  }

  std::array<Free*, largest / step + 1> free_{};
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* at_ = nullptr;  // of the last block, what nobody has had
  size_t left_ = 0;
  std::unordered_map<void*, std::unique_ptr<std::byte[]>> alone_;
  size_t taken_ = 0;
};

}  // namespace millrace::processing
