#include "tools/bench/histogram.h"

#include <doctest/doctest.h>

#include <random>

namespace millrace::bench {

TEST_CASE("a percentile is within 0.8 % of the exact one, over nine orders of magnitude") {
  std::mt19937_64 random(7);
  std::vector<int64_t> values;
  Histogram histogram;
  for (int i = 0; i < 100'000; ++i) {
    const auto value = static_cast<int64_t>(std::exp2(std::uniform_real_distribution<double>(0, 30)(random)));
    values.push_back(value);
    histogram.record(value);
  }
  std::ranges::sort(values);
  for (const double share : {0.001, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0}) {
    CAPTURE(share);
    const auto exact = static_cast<double>(values[static_cast<size_t>(std::ceil(share * 100'000)) - 1]);
    const auto told = static_cast<double>(histogram.percentile(share));
    CHECK(told >= exact);
    CHECK(told <= exact * 1.008);
  }
  CHECK(histogram.percentile(1.0) == static_cast<uint64_t>(values.back()));
  CHECK(histogram.max() == static_cast<uint64_t>(values.back()));
}

TEST_CASE("small durations are told exactly") {
  Histogram histogram;
  for (int64_t value = 0; value < 200; ++value) histogram.record(value);
  CHECK(histogram.percentile(0.25) == 49);
  CHECK(histogram.percentile(0.5) == 99);
  CHECK(histogram.mean() == 99.5);
}

TEST_CASE("an empty histogram answers zero, and a negative duration counts as none") {
  Histogram histogram;
  CHECK(histogram.percentile(0.99) == 0);
  CHECK(histogram.mean() == 0);
  histogram.record(-5);
  CHECK(histogram.count() == 1);
  CHECK(histogram.max() == 0);
}

TEST_CASE("adding two histograms is recording into one") {
  Histogram one;
  Histogram other;
  Histogram both;
  for (int64_t value = 1; value < 1'000'000; value += 997) {
    (value % 2 == 0 ? one : other).record(value);
    both.record(value);
  }
  one.add(other);
  CHECK(one.filled() == both.filled());
  CHECK(one.count() == both.count());
  CHECK(one.max() == both.max());
  one.clear();
  CHECK(one.count() == 0);
  CHECK(one.filled().empty());
}

TEST_CASE("the largest duration there is has a bucket") {
  Histogram histogram;
  histogram.record(INT64_MAX);
  CHECK(histogram.percentile(0.5) == static_cast<uint64_t>(INT64_MAX));
}

}  // namespace millrace::bench
