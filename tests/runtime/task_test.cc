// Coroutines, their clock and their company: Task, Event, Gate, Channel, on().
#include <stdexcept>

#include "runtime/channel.h"
#include "runtime/gate.h"
#include "tests/runtime/each_world.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using test::in_each_world;

Task<int> plus_one(int n) { co_return n + 1; }
Task<int> throws_with(std::string what) {
  co_await yield();
  throw std::runtime_error(what);
}

TEST_CASE("a task runs when awaited, and brings its result or its exception") {
  in_each_world([](std::string) -> Task<void> {
    bool started = false;
    const auto start = [&]() -> Task<int> {
      started = true;
      co_return 7;
    };
    Task<int> task = start();
    CHECK_FALSE(started);
    const int seven = co_await std::move(task);
    CHECK(seven == 7);
    std::string error;
    try {
      const int never_there = co_await throws_with("as told");
      CHECK(never_there == 0);
    } catch (const std::runtime_error& failed) {
      error = failed.what();
    }
    CHECK(error == "as told");
  });
}

TEST_CASE("two hundred thousand tasks that are ready at once need no stack") {
  in_each_world([](std::string) -> Task<void> {
    int n = 0;
    while (n < 200'000) n = co_await plus_one(n);
    CHECK(n == 200'000);
  });
}

TEST_CASE("work beside the shards brings its result or its exception back to where it was asked for") {
  in_each_world([](std::string) -> Task<void> {
    Shard& home = Shard::current();
    auto add = [] { return std::make_unique<int>(40 + 2); };
    const std::unique_ptr<int> sum = co_await beside(std::move(add));
    CHECK(*sum == 42);
    CHECK(&Shard::current() == &home);
    std::string error;
    try {
      auto fail = [] { throw std::runtime_error("as told"); };
      co_await beside(std::move(fail));
    } catch (const std::runtime_error& failed) {
      error = failed.what();
    }
    CHECK(error == "as told");
    CHECK(&Shard::current() == &home);
  });
}

TEST_CASE("what many have running beside the shards all ends") {
  in_each_world([](std::string) -> Task<void> {
    std::vector<int> squares(200);
    Gate gate;
    const auto square = [&squares](int n) -> Task<void> {
      auto work = [n] { return n * n; };
      squares[static_cast<size_t>(n)] = co_await beside(std::move(work));
    };
    for (int n = 0; n < 200; ++n) gate.spawn(square(n));
    co_await gate.close();
    for (int n = 0; n < 200; ++n) CHECK(squares[static_cast<size_t>(n)] == n * n);
  });
}

TEST_CASE("yielding lets what is queued run first") {
  in_each_world([](std::string) -> Task<void> {
    std::string order;
    Shard::current().post([&] { order += "a"; });
    Shard::current().post([&] { order += "b"; });
    order += "0";
    co_await yield();
    order += "c";
    CHECK(order == "0abc");
  });
}

TEST_CASE("timers fire in order of what they are due, and not when cancelled") {
  in_each_world([](std::string) -> Task<void> {
    std::string order;
    Clock& clock = Shard::current().clock();
    const MonoTime start = now();
    const TimerId late = clock.schedule(start + 20ms, [&] { order += "late"; });
    clock.schedule(start + 10ms, [&] { order += "b"; });
    clock.schedule(start + 5ms, [&] { order += "a"; });
    clock.schedule(start + 10ms, [&] { order += "c"; });
    clock.schedule(start - 1ms, [&] { order += "0"; });
    clock.cancel(late);
    co_await sleep_until(start + 30ms);
    CHECK(now() >= start + 30ms);
    CHECK(order == "0abc");
    clock.cancel(late);
    CHECK(clock.wall_now() > Timestamp(1'600'000'000'000));
  });
}

TEST_CASE("an event wakes all who wait, once they are waiting, after the notifier has yielded") {
  in_each_world([](std::string) -> Task<void> {
    Event event;
    Gate gate;
    int woken = 0;
    const auto wait = [&]() -> Task<void> {
      const bool notified = co_await event.wait();
      if (notified) ++woken;
    };
    event.notify();  // nobody waits: forgotten
    gate.spawn(wait());
    gate.spawn(wait());
    CHECK(event.has_waiters());
    event.notify();
    CHECK_FALSE(event.has_waiters());
    CHECK(woken == 0);
    co_await yield();
    CHECK(woken == 2);
    co_await gate.close();
  });
}

TEST_CASE("waiting for an event ends at the deadline") {
  in_each_world([](std::string) -> Task<void> {
    Event event;
    const MonoTime deadline = after(5ms);
    const bool notified = co_await event.wait(deadline);
    CHECK_FALSE(notified);
    CHECK(now() >= deadline);
    const bool at_once = co_await event.wait(now());
    CHECK_FALSE(at_once);
    CHECK_FALSE(event.has_waiters());

    // A notification cancels the deadline.
    Gate gate;
    const auto notify = [&]() -> Task<void> {
      event.notify();
      co_return;
    };
    const auto notify_soon = [&]() -> Task<void> {
      co_await yield();
      co_await notify();
    };
    gate.spawn(notify_soon());
    const bool in_time = co_await event.wait(after(10s));
    CHECK(in_time);
    co_await gate.close();
  });
}

TEST_CASE("an event that goes away wakes those who wait for it") {
  in_each_world([](std::string) -> Task<void> {
    auto event = std::make_unique<Event>();
    Gate gate;
    bool woken = false;
    const auto wait = [&]() -> Task<void> { woken = co_await event->wait(after(10s)); };
    gate.spawn(wait());
    event = nullptr;
    co_await gate.close();
    CHECK(woken);
  });
}

TEST_CASE("closing a gate waits for what runs, and drops what comes later unstarted") {
  in_each_world([](std::string) -> Task<void> {
    Gate gate;
    int ended = 0;
    bool dropped_ran = false;
    const auto slow = [&](std::chrono::milliseconds time) -> Task<void> {
      co_await sleep_until(after(time));
      CHECK(gate.closing());
      ++ended;
    };
    gate.spawn(slow(3ms));
    gate.spawn(slow(6ms));
    CHECK(gate.running() == 2);
    const auto too_late = [&]() -> Task<void> {
      dropped_ran = true;
      co_return;
    };
    Gate closers;
    const auto close = [&]() -> Task<void> { co_await gate.close(); };
    closers.spawn(close());
    gate.spawn(too_late());
    co_await gate.close();
    CHECK(ended == 2);
    CHECK(gate.running() == 0);
    CHECK_FALSE(dropped_ran);
    co_await gate.close();
    co_await closers.close();
  });
}

TEST_CASE("a channel gives values in order, then says it is closed") {
  in_each_world([](std::string) -> Task<void> {
    Channel<int> channel;
    Gate gate;
    std::vector<int> got;
    const auto take = [&]() -> Task<void> {
      while (const std::optional<int> value = co_await channel.pop()) got.push_back(*value);
    };
    gate.spawn(take());
    channel.push(1);
    co_await yield();
    channel.push(2);
    channel.push(3);
    channel.close();
    co_await gate.close();
    CHECK(got == std::vector<int>{1, 2, 3});
    const std::optional<int> after_close = co_await channel.pop();
    CHECK_FALSE(after_close.has_value());

    Channel<int> empty;
    const std::optional<int> timed_out = co_await empty.pop(after(2ms));
    CHECK_FALSE(timed_out.has_value());
  });
}

TEST_CASE("work on another shard runs there, and its result or exception comes home") {
  in_each_world(3, [](std::vector<Shard*> shards) -> Task<void> {
    Shard& home = Shard::current();
    CHECK(&home == shards[0]);
    const auto where = []() -> Task<int> {
      co_await yield();
      co_return Shard::current().id();
    };
    for (Shard* shard : shards) {
      const int id = co_await on(*shard, where);
      CHECK(id == shard->id());
      CHECK(&Shard::current() == &home);
    }
    const auto fail = []() -> Task<int> {
      const int never_there = co_await throws_with("from afar");
      co_return never_there;
    };
    std::string error;
    try {
      const int never_there = co_await on(*shards[2], fail);
      CHECK(never_there == 0);
    } catch (const std::runtime_error& failed) {
      error = failed.what();
    }
    CHECK(error == "from afar");
    CHECK(&Shard::current() == &home);
  });
}

TEST_CASE("two shards can ask each other thousands of times at once") {
  in_each_world(2, [](std::vector<Shard*> shards) -> Task<void> {
    struct Counter {
      int64_t value = 0;
    };
    Counter here;   // owned by shard 0
    Counter there;  // owned by shard 1
    const auto ask = [](Shard& owner, Counter& counter, int times) -> Task<void> {
      const auto add = [&counter]() -> Task<int64_t> { co_return ++counter.value; };
      int64_t last = 0;
      for (int i = 0; i < times; ++i) {
        const int64_t value = co_await on(owner, add);
        check(value > last);
        last = value;
      }
    };
    Gate gate;
    constexpr int askers = 10;
    constexpr int times = 500;
    for (int i = 0; i < askers; ++i) gate.spawn(ask(*shards[1], there, times));
    const auto from_there = [&]() -> Task<void> {
      const auto all = [&]() -> Task<void> {
        Gate inner;
        for (int i = 0; i < askers; ++i) inner.spawn(ask(*shards[0], here, times));
        co_await inner.close();
      };
      co_await on(*shards[1], all);
    };
    gate.spawn(from_there());
    co_await gate.close();
    CHECK(here.value == askers * times);
    const auto look = [&]() -> Task<int64_t> { co_return there.value; };
    const int64_t there_value = co_await on(*shards[1], look);
    CHECK(there_value == askers * times);
  });
}

TEST_CASE("random uuids are of version 4, differ, and never begin with a dash") {
  in_each_world([](std::string) -> Task<void> {
    Random& random = Shard::current().random();
    Uuid last;
    bool dashes = false;
    bool versions = true;
    for (int i = 0; i < 2000; ++i) {
      const Uuid id = random.uuid();
      CHECK(id != last);
      last = id;
      dashes = dashes || to_string(id).starts_with('-');
      versions = versions && (id.high >> 12 & 15) == 4 && id.low >> 62 == 2;
    }
    CHECK_FALSE(dashes);
    CHECK(versions);
    CHECK(random.below(10) < 10);
    co_return;
  });
}

}  // namespace
}  // namespace millrace
