#include "log/queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

namespace millrace::log {
namespace {

TEST_CASE("a queue holds what a deque holds, whatever is put in and taken out") {
  std::mt19937 dice(1);
  Queue<int> queue;
  std::deque<int> expected;
  for (int step = 0; step < 20'000; ++step) {
    const bool grows = (step / 1000) % 2 == 0;
    if (dice() % 3 == 0 ? !grows : grows) {
      queue.push_back(step);
      expected.push_back(step);
    } else if (!expected.empty() && dice() % 4 == 0) {
      queue.pop_back();
      expected.pop_back();
    } else if (!expected.empty()) {
      REQUIRE(queue.pop_front() == expected.front());
      expected.pop_front();
    }
    REQUIRE(queue.empty() == expected.empty());
    REQUIRE(std::ranges::equal(queue, expected));
    if (!expected.empty()) REQUIRE((queue.front() == expected.front() && queue.back() == expected.back()));
  }
}

TEST_CASE("what was taken out of a queue is let go at once") {
  Queue<std::shared_ptr<int>> queue;
  const auto value = std::make_shared<int>(1);
  queue.push_back(value);
  queue.push_back(value);
  queue.pop_front();
  CHECK(value.use_count() == 2);
  queue.pop_back();
  CHECK(value.use_count() == 1);
}

}  // namespace
}  // namespace millrace::log
