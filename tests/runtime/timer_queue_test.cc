// TimerQueue against a sorted list that does the same slowly.
#include "runtime/timer_queue.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/sim/random.h"
#include "tests/sim/seeds.h"

namespace millrace {
namespace {

TEST_CASE("timers fire in order, once, unless cancelled, whatever is scheduled and cancelled in between") {
  sim::for_each_seed(50, [](uint64_t seed) {
    sim::SeededRandom random(seed);
    TimerQueue queue;
    std::map<std::pair<MonoTime, int>, TimerId> expected;
    std::map<TimerId, std::pair<MonoTime, int>> places;
    std::vector<TimerId> all;
    int fired = -1;
    MonoTime now{};
    for (int i = 0; i < 2000; ++i) {
      const uint64_t what = random.below(10);
      if (what < 5) {
        const MonoTime due = now + std::chrono::nanoseconds(random.below(100));
        const TimerId id = queue.add(due, [&fired, i] { fired = i; });
        CHECK(id != 0);
        expected[{due, i}] = id;
        places[id] = {due, i};
        all.push_back(id);
      } else if (what < 7 && !all.empty()) {
        const TimerId id = all[random.below(all.size())];  // perhaps one that has gone
        queue.cancel(id);
        if (const auto found = places.find(id); found != places.end()) {
          expected.erase(found->second);
          places.erase(found);
        }
      } else {
        now += std::chrono::nanoseconds(random.below(40));
        while (std::move_only_function<void()> fire = queue.take_due(now)) {
          fire();
          REQUIRE_FALSE(expected.empty());
          CHECK(expected.begin()->first.second == fired);
          places.erase(expected.begin()->second);
          expected.erase(expected.begin());
        }
        CHECK((expected.empty() || expected.begin()->first.first > now));
      }
      CHECK(queue.next_due() == (expected.empty() ? never : expected.begin()->first.first));
      CHECK(queue.empty() == expected.empty());
    }
  });
}

}  // namespace
}  // namespace millrace
