// Bytes is a view with a share in the memory it looks at: records travel from the socket to the log and back
// without being copied. Slices share the same owner; a Bytes without an owner looks at static memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace millrace {

class Bytes {
 public:
  Bytes() = default;
  Bytes(std::shared_ptr<const void> owner, std::span<const std::byte> view) : owner_(std::move(owner)), view_(view) {}

  static Bytes copy_of(std::span<const std::byte> source) {
    std::shared_ptr<std::byte[]> memory = std::make_shared_for_overwrite<std::byte[]>(source.size());
    if (!source.empty()) std::memcpy(memory.get(), source.data(), source.size());
    std::span<const std::byte> view(memory.get(), source.size());
    return Bytes(std::move(memory), view);
  }
  static Bytes copy_of(std::string_view text) { return copy_of(std::as_bytes(std::span(text.data(), text.size()))); }
  static Bytes take(std::vector<std::byte> data) {
    auto owner = std::make_shared<const std::vector<std::byte>>(std::move(data));
    std::span<const std::byte> view(owner->data(), owner->size());
    return Bytes(std::move(owner), view);
  }

  const std::byte* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  std::span<const std::byte> span() const { return view_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(view_.data()), view_.size()}; }
  Bytes slice(size_t from, size_t length) const { return Bytes(owner_, view_.subspan(from, length)); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

  friend bool operator==(const Bytes& a, const Bytes& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
  }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> view_;
};

}  // namespace millrace
