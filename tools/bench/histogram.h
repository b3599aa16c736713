// A log-linear histogram of durations, in the manner of HDR histograms: 128 buckets for every power of two, so that any
// percentile is right within 0.8 %, whatever the range. Recording is one increment.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace millrace::bench {

class Histogram {
 public:
  void record(int64_t nanoseconds) {
    const uint64_t value = nanoseconds < 0 ? 0 : static_cast<uint64_t>(nanoseconds);
    ++buckets_[index(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    largest_ = std::max(largest_, value);
  }

  void add(const Histogram& other) {
    for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    largest_ = std::max(largest_, other.largest_);
  }

  void clear() { *this = Histogram(); }

  uint64_t count() const { return count_; }
  uint64_t max() const { return largest_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  // The value that `share` (0 to 1) of the recorded ones do not exceed: the upper end of its bucket. 0 when empty.
  uint64_t percentile(double share) const {
    if (count_ == 0) return 0;
    const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_))));
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= wanted) return std::min(upper_end(i), largest_);
    }
    return largest_;
  }

  // (upper end, count) of the buckets that hold something, ascending.
  std::vector<std::pair<uint64_t, uint64_t>> filled() const {
    std::vector<std::pair<uint64_t, uint64_t>> result;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i] != 0) result.emplace_back(std::min(upper_end(i), largest_), buckets_[i]);
    }
    return result;
  }

 private:
  static constexpr int step_bits = 7;
  static constexpr uint64_t steps = 1u << step_bits;

  // Below 128 every value has its own bucket; above, the seven bits behind the leading one choose.
  static size_t index(uint64_t value) {
    if (value < steps) return static_cast<size_t>(value);
    const int shift = std::bit_width(value) - 1 - step_bits;
    return static_cast<size_t>((static_cast<uint64_t>(shift) + 1) * steps + ((value >> shift) - steps));
  }
  static uint64_t upper_end(size_t index) {
    if (index < steps) return index;
    const auto shift = static_cast<int>(index / steps) - 1;
    const uint64_t first = (index % steps + steps) << shift;
    return first + ((uint64_t{1} << shift) - 1);
  }

  std::vector<uint64_t> buckets_ = std::vector<uint64_t>((64 - step_bits + 1) * steps);
  uint64_t count_ = 0;
  uint64_t largest_ = 0;
  double sum_ = 0;
};

}  // namespace millrace::bench
