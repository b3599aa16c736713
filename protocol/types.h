// The ids and quantities that Kafka's messages are made of, each a type of its own.
//
// Wire widths: Offset, Timestamp, ProducerId are i64; LeaderEpoch, PartitionId, BrokerId, Sequence are i32;
// ProducerEpoch is i16. −1 means "none" for most of them, as in Kafka.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace millrace {

// A number with a meaning: comparable and hashable, never converted silently.
template <class Tag, class Rep>
struct Id {
  Rep value{};

  constexpr Id() = default;
  explicit constexpr Id(Rep v) : value(v) {}
  friend constexpr auto operator<=>(Id, Id) = default;
};

struct OffsetTag;
struct TimestampTag;
using PartitionId = Id<struct PartitionTag, int32_t>;
using BrokerId = Id<struct BrokerTag, int32_t>;
using LeaderEpoch = Id<struct LeaderEpochTag, int32_t>;
using ProducerId = Id<struct ProducerTag, int64_t>;
using ProducerEpoch = Id<struct ProducerEpochTag, int16_t>;
using Sequence = Id<struct SequenceTag, int32_t>;

// Offsets and timestamps from the wire may be anything, so their arithmetic wraps, as Java's.
constexpr int64_t wrapping_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
constexpr int64_t wrapping_subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

// A position in a partition; the distance between two is a plain number of records.
using Offset = Id<OffsetTag, int64_t>;
constexpr Offset operator+(Offset a, int64_t n) { return Offset(wrapping_add(a.value, n)); }
constexpr Offset operator-(Offset a, int64_t n) { return Offset(wrapping_subtract(a.value, n)); }
constexpr int64_t operator-(Offset a, Offset b) { return wrapping_subtract(a.value, b.value); }

// Milliseconds since 1970-01-01 UTC, as in record batches.
using Timestamp = Id<TimestampTag, int64_t>;
constexpr Timestamp operator+(Timestamp a, int64_t ms) { return Timestamp(wrapping_add(a.value, ms)); }
constexpr int64_t operator-(Timestamp a, Timestamp b) { return wrapping_subtract(a.value, b.value); }

using Millis = std::chrono::milliseconds;

// 128 bits, written as base64url without padding (22 characters), as Kafka does.
struct Uuid {
  uint64_t high = 0;
  uint64_t low = 0;
  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  constexpr bool is_zero() const { return high == 0 && low == 0; }
};
std::string to_string(const Uuid&);
// Throws std::invalid_argument unless it is 22 base64url characters.
Uuid parse_uuid(std::string_view);

using TopicId = Uuid;

struct TopicPartition {
  std::string topic;
  PartitionId partition{};
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

}  // namespace millrace

template <class Tag, class Rep>
struct std::hash<millrace::Id<Tag, Rep>> {
  size_t operator()(millrace::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
template <>
struct std::hash<millrace::Uuid> {
  size_t operator()(const millrace::Uuid& id) const noexcept { return id.high * 0x9e3779b97f4a7c15ull ^ id.low; }
};
template <>
struct std::hash<millrace::TopicPartition> {
  size_t operator()(const millrace::TopicPartition& tp) const noexcept {
    return std::hash<std::string>{}(tp.topic) * 31 + static_cast<size_t>(tp.partition.value);
  }
};
