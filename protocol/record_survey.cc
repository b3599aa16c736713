// The walk: varints of one or two bytes, which nearly all are, without a loop.
#include "protocol/record_survey.h"

#include <algorithm>

#include "protocol/varint.h"

namespace millrace::protocol {

namespace {

// What stops the walk at the first thing that is not as it should be.
class Walk {
 public:
  explicit Walk(std::span<const std::byte> bytes)
      : at_(reinterpret_cast<const char*>(bytes.data())), end_(at_ + bytes.size()) {}
  Walk(const char* at, const char* end) : at_(at), end_(end) {}

  bool at_end() const { return at_ == end_; }
  int64_t left() const { return end_ - at_; }

  bool number(int64_t& v) {
    if (end_ - at_ >= 2) [[likely]] {
      const auto low = static_cast<uint8_t>(at_[0]);
      const auto high = static_cast<uint8_t>(at_[1]);
      if (low < 0x80) {
        at_ += 1;
        v = unzigzag(low);
        return true;
      }
      if (high < 0x80) {
        at_ += 2;
        v = unzigzag(static_cast<uint64_t>(low & 0x7f) | static_cast<uint64_t>(high) << 7);
        return true;
      }
    }
    return read_varint(at_, end_, v);
  }
  // Goes over a byte string; `size` is −1 for null.
  bool text(int64_t& size) {
    if (!number(size) || size < -1 || size > left()) return false;
    at_ += std::max<int64_t>(size, 0);
    return true;
  }
  // Cuts off the next `size` bytes.
  Walk cut(int64_t size) {
    const Walk part(at_, at_ + size);
    at_ += size;
    return part;
  }
  void skip_one() { ++at_; }

 private:
  const char* at_;
  const char* end_;
};

bool headers_are_sound(Walk& record) {
  int64_t count = 0;
  if (!record.number(count) || count < 0 || count > record.left()) return false;
  for (; count > 0; --count) {
    int64_t key = 0;
    int64_t value = 0;
    if (!record.text(key) || key < 0 || !record.text(value)) return false;
  }
  return true;
}

}  // namespace

std::optional<RecordSurvey> survey(std::span<const std::byte> records, int32_t count, Timestamp base) {
  RecordSurvey found;
  Walk walk(records);
  for (int32_t index = 0; index < count; ++index) {
    int64_t length = 0;
    if (!walk.number(length) || length < 1 || length > walk.left()) return std::nullopt;
    Walk record = walk.cut(length);
    record.skip_one();  // attributes, unused
    int64_t time = 0;
    int64_t offset = 0;
    int64_t key = 0;
    int64_t value = 0;
    if (!record.number(time) || !record.number(offset) || !record.text(key) || !record.text(value)) return std::nullopt;
    if (!headers_are_sound(record) || !record.at_end()) return std::nullopt;
    const Timestamp at(static_cast<int64_t>(static_cast<uint64_t>(base.value) + static_cast<uint64_t>(time)));
    found.oldest = std::min(found.oldest, at);
    found.newest = std::max(found.newest, at);
    found.all_have_keys &= key >= 0;
    found.consecutive &= offset == index;
  }
  if (!walk.at_end()) return std::nullopt;
  return found;
}

}  // namespace millrace::protocol
