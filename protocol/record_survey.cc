// Two walks: one over records whose lengths and deltas have one or two bytes, which nearly all have, and an exact one
// for whatever record the first does not take.
//
// The first looks at the fields in front of a value in one register. Of records that follow each other many are alike:
// there, only what differs is looked at.
#include "protocol/record_survey.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "protocol/varint.h"

namespace millrace::protocol {

static_assert(std::endian::native == std::endian::little);

namespace {

// What stops the walk at the first thing that is not as it should be.
class Walk {
 public:
  explicit Walk(std::span<const std::byte> bytes)
      : at_(reinterpret_cast<const char*>(bytes.data())), end_(at_ + bytes.size()) {}
  Walk(const char* at, const char* end) : at_(at), end_(end) {}

  const char* at() const { return at_; }
  bool at_end() const { return at_ == end_; }
  int64_t left() const { return end_ - at_; }

  bool number(int64_t& v) { return read_varint(at_, end_, v); }
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

// The number of headers and the headers are all that is left of the record.
bool ends_soundly(Walk& record) {
  int64_t count = 0;
  if (!record.number(count) || count < 0 || count > record.left()) return false;
  for (; count > 0; --count) {
    int64_t key = 0;
    int64_t value = 0;
    if (!record.text(key) || key < 0 || !record.text(value)) return false;
  }
  return record.at_end();
}

template <class T>
[[gnu::always_inline]] inline T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

class Survey {
 public:
  Survey(std::span<const std::byte> records, int32_t count, Timestamp base)
      : at_(reinterpret_cast<const char*>(records.data())), end_(at_ + records.size()), count_(count), base_(base) {}

  std::optional<RecordSurvey> run() {
    // Where times could wrap around, which no clock shows, each is compared by itself.
    constexpr int64_t far = INT64_MAX - largest_short_number;
    const bool times_add_up = base_.value <= far && base_.value >= -far;
    while (index_ < count_) {
      if (times_add_up) pass_usual();
      if (index_ < count_ && !pass_one()) return std::nullopt;
    }
    if (at_ != end_) return std::nullopt;
    if (earliest_ <= latest_) {
      note_time(earliest_);
      note_time(latest_);
    }
    return found_;
  }

 private:
  // Length, attributes, time, offset and the first byte of the key's length, none longer than two bytes.
  using Head = uint64_t;
  static constexpr int64_t largest_short_number = 1 << 13;
  static constexpr uint8_t null_length = 1;           // −1, as it is written
  static constexpr int64_t longest_short_key = 0x3f;  // whose length has one byte
  // What may be looked at of a record before its own length is known to be right.
  static constexpr int64_t least_room = sizeof(Head) + longest_short_key + sizeof(uint16_t);

  // A number of one or two bytes at the front of `from`, as it is written.
  struct Short {
    bool two_bytes;
    bool longer;
    uint32_t raw;

    explicit Short(uint64_t from)
        : two_bytes((from & 0x80) != 0), longer((from & 0x8080) == 0x8080), raw(take(from, high_bits())) {}
    // `high_bits` tells how long it is.
    [[gnu::always_inline]] static uint32_t take(uint64_t from, uint32_t high_bits) {
      return static_cast<uint32_t>(from & 0x7f) | (static_cast<uint32_t>(from >> 1) & high_bits);
    }
    uint32_t high_bits() const { return two_bytes ? 0x3f80 : 0; }
    int size() const { return two_bytes ? 2 : 1; }
    bool negative() const { return (raw & 1) != 0; }
    int32_t value() const { return static_cast<int32_t>(raw >> 1) ^ -static_cast<int32_t>(raw & 1); }
    // Of every number as long as this one that is not negative.
    uint64_t mask() const { return two_bytes ? 0x8081 : 0x81; }
    uint64_t pattern() const { return two_bytes ? 0x80 : 0; }
    // Of nothing but this number.
    uint64_t all_bits() const { return two_bytes ? 0xffff : 0xff; }
  };

  // What records that are like the latest one have in common: which numbers have how many bytes, whether there is a
  // key, no headers, the next offset, and a time that does not go back. Often their lengths, too.
  struct Kind {
    Head mask;
    Head pattern;
    Head step;          // from one record's pattern to the next: the offset
    Head lengths_mask;  // the same and the lengths of record and key; 0: those are not known
    Head lengths;
    int length_size;
    uint32_t length_high_bits;
    int time_at;
    uint16_t time_mask;
    uint16_t time;  // of the latest, as it is written
    int key_at;
    uint8_t key_mask;
    bool long_value;  // its length has two bytes
    uint16_t value_mask;
    int32_t until;  // index of the first record that the step does not lead to
    // By these lengths:
    int64_t size;
    int64_t value_at;
    uint16_t value;  // its length, as it must be written
  };

  // Goes on to the first record that is not as usual.
  void pass_usual() {
    while (index_ < count_ && end_ - at_ >= least_room) {
      const Head head = load<Head>(at_);
      const Short length(head);
      if (length.longer || length.negative()) return;
      const int64_t size = length.size() + length.value();
      if (size > end_ - at_) return;
      const int time_at = length.size() + 1;  // behind the attributes, which are unused
      const Short time(head >> 8 * time_at);
      const int offset_at = time_at + time.size();
      const Short offset(head >> 8 * offset_at);
      if (time.longer || offset.longer) return;
      const int key_at = offset_at + offset.size();
      const auto key = static_cast<uint8_t>(head >> 8 * key_at);
      const bool has_key = key != null_length;
      if (has_key && (key & 0x81) != 0) return;
      const int value_at = key_at + 1 + (has_key ? key >> 1 : 0);
      const Short value(load<uint16_t>(at_ + value_at));
      if (value.longer || value.negative()) return;
      const int64_t headers_at = value_at + value.size() + value.value();
      if (headers_at >= size) return;
      const bool has_headers = headers_at + 1 != size || at_[headers_at] != 0;
      if (has_headers) {
        Walk headers(at_ + headers_at, at_ + size);
        if (!ends_soundly(headers)) return;
      }
      earliest_ = std::min(earliest_, time.value());
      latest_ = std::max(latest_, time.value());
      found_.all_have_keys &= has_key;
      found_.consecutive &= offset.value() == index_;
      at_ += size;
      ++index_;
      if (has_headers || time.negative() || offset.value() != index_ - 1) continue;
      Kind kind{};
      kind.mask = length.mask() | time.mask() << 8 * time_at | offset.all_bits() << 8 * offset_at |
                  (has_key ? Head{0x81} : Head{0xff}) << 8 * key_at;
      kind.step = Head{2} << 8 * offset_at;
      kind.pattern = (head & kind.mask) + kind.step;
      kind.length_size = length.size();
      kind.length_high_bits = length.high_bits();
      kind.time_at = time_at;
      kind.time_mask = static_cast<uint16_t>(time.all_bits());
      kind.time = static_cast<uint16_t>(head >> 8 * time_at) & kind.time_mask;
      kind.key_at = key_at;
      kind.key_mask = has_key ? 0x7e : 0;
      kind.long_value = value.two_bytes;
      kind.value_mask = static_cast<uint16_t>(value.all_bits());
      // The pattern's lowest seven bits of the offset must not run over.
      kind.until = std::min(count_, index_ + static_cast<int32_t>((0x7e - (offset.raw & 0x7e)) / 2));
      if (pass_alike(kind)) latest_ = std::max(latest_, Short(kind.time).value());
    }
  }

  // Goes on to the first record that is not of this kind; whether there was any.
  bool pass_alike(Kind& kind) {
    const char* at = at_;
    int32_t index = index_;
    for (; index < kind.until && end_ - at >= least_room; ++index) {
      const Head head = load<Head>(at);
      if ((head & kind.lengths_mask) != kind.lengths || kind.lengths_mask == 0) {
        if (!take_lengths(head, kind)) break;
      }
      const auto time = static_cast<uint16_t>(load<uint16_t>(at + kind.time_at) & kind.time_mask);
      if (time < kind.time || (load<uint16_t>(at + kind.value_at) & kind.value_mask) != kind.value) break;
      if (kind.size > end_ - at || at[kind.size - 1] != 0) break;
      kind.time = time;
      kind.pattern += kind.step;
      kind.lengths += kind.step;
      at += kind.size;
    }
    const bool any = index > index_;
    at_ = at;
    index_ = index;
    return any;
  }

  // False: the record is not of this kind.
  static bool take_lengths(Head head, Kind& kind) {
    if ((head & kind.mask) != kind.pattern) return false;
    const auto key = static_cast<uint8_t>(static_cast<uint8_t>(head >> 8 * kind.key_at) & kind.key_mask);
    kind.size = kind.length_size + (Short::take(head, kind.length_high_bits) >> 1);
    kind.value_at = kind.key_at + 1 + (key >> 1);
    // The value and the byte that says that there are no headers are all that is left.
    const int64_t left = kind.size - kind.value_at - (kind.long_value ? 2 : 1) - 1;
    if (left < 0 || left >= (kind.long_value ? largest_short_number : longest_short_key + 1)) return false;
    const auto raw = static_cast<uint32_t>(left) << 1;
    kind.value = static_cast<uint16_t>(kind.long_value ? (raw & 0x7f) | 0x80 | (raw & 0x3f80) << 1 : raw);
    const Head all_of_length = kind.length_high_bits == 0 ? 0xff : 0xffff;
    kind.lengths_mask = kind.mask | all_of_length | Head{0xff} << 8 * kind.key_at;
    kind.lengths = head & kind.lengths_mask;
    return true;
  }

  // Any record; false when there is none.
  bool pass_one() {
    Walk walk(at_, end_);
    int64_t length = 0;
    if (!walk.number(length) || length < 1 || length > walk.left()) return false;
    Walk record = walk.cut(length);
    record.skip_one();  // attributes, unused
    int64_t time = 0;
    int64_t offset = 0;
    int64_t key = 0;
    int64_t value = 0;
    if (!record.number(time) || !record.number(offset) || !record.text(key) || !record.text(value)) return false;
    if (!ends_soundly(record)) return false;
    note_time(time);
    found_.all_have_keys &= key >= 0;
    found_.consecutive &= offset == index_;
    at_ = walk.at();
    ++index_;
    return true;
  }

  void note_time(int64_t delta) {
    const Timestamp at(static_cast<int64_t>(static_cast<uint64_t>(base_.value) + static_cast<uint64_t>(delta)));
    found_.oldest = std::min(found_.oldest, at);
    found_.newest = std::max(found_.newest, at);
  }

  const char* at_;
  const char* const end_;
  const int32_t count_;
  const Timestamp base_;
  int32_t index_ = 0;
  int32_t earliest_ = INT32_MAX;  // of the short times
  int32_t latest_ = INT32_MIN;
  RecordSurvey found_;
};

}  // namespace

std::optional<RecordSurvey> survey(std::span<const std::byte> records, int32_t count, Timestamp base) {
  return Survey(records, count, base).run();
}

}  // namespace millrace::protocol
