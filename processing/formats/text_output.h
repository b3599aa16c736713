// The end of a string as a place to write through a pointer: room is asked for before, and the string gets its size at
// the end.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::processing {

class TextOutput {
 public:
  explicit TextOutput(std::string& out) : out_(out) { open(out.size()); }
  ~TextOutput() { out_.resize(size()); }
  TextOutput(const TextOutput&) = delete;

  char* at = nullptr;  // the next character goes here

  size_t size() const { return static_cast<size_t>(at - out_.data()); }
  // At least so much room from `at` on.
  void need(size_t room) {
    if (static_cast<size_t>(end_ - at) < room) [[unlikely]]
      grow(room);
  }
  void put(char c) { *at++ = c; }
  void put(std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  }

 private:
  void open(size_t used) {
    out_.resize_and_overwrite(out_.capacity(), [](char*, size_t size) { return size; });
    at = out_.data() + used;
    end_ = out_.data() + out_.size();
  }
  [[gnu::noinline]] void grow(size_t room) {
    const size_t used = size();
    out_.reserve(std::max(2 * out_.capacity(), used + room));
    open(used);
  }
  std::string& out_;
  char* end_ = nullptr;
};

}  // namespace millrace::processing
