// The production broker inside the simulated world: it starts, answers, stops, and starts again after any crash.
#include <doctest/doctest.h>

#include "tests/broker/broker_world.h"
#include "tests/sim/seeds.h"

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;

// Whether the broker answers ApiVersions v0 before `patience` is over; tries until then.
Task<bool> answers(Duration patience) {
  const MonoTime deadline = after(patience);
  while (now() < deadline) {
    bool failed = false;
    try {
      const Address address{"broker", 9092};
      std::unique_ptr<Connection> connection = co_await Shard::current().net().connect(address, deadline);
      // size, key 18, version 0, correlation id 7, no client id
      std::vector<Bytes> request{Bytes::copy_of(std::string_view("\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff", 14))};
      co_await connection->write(std::move(request), deadline);
      std::string answer;
      while (answer.size() < 10) {
        std::byte buffer[100];
        const size_t got = co_await connection->read_some(buffer, deadline);
        if (got == 0) break;
        answer.append(reinterpret_cast<const char*>(buffer), got);
      }
      if (answer.size() >= 10) {
        CHECK(answer.substr(4, 4) == std::string("\0\0\0\x07", 4));
        CHECK(answer.substr(8, 2) == std::string("\0\0", 2));
        co_return true;
      }
    } catch (const NetError&) {
      failed = true;
    }
    if (failed) co_await sleep_until(after(20ms));
  }
  co_return false;
}

bool answers_in(broker::BrokerWorld& it, Duration patience) {
  bool answered = false;
  const auto body = [&]() -> Task<void> { answered = co_await answers(patience); };
  it.run(body);
  return answered;
}

TEST_CASE("the production broker starts, answers and stops in the simulator") {
  for_each_seed(20, [](uint64_t seed) {
    broker::BrokerWorld it(seed, {}, 2);
    CHECK(answers_in(it, 30s));
    it.stop();
    CHECK(it.node.result() == 0);
  });
}

TEST_CASE("the broker comes back after a crash at any moment, of its first start, too") {
  for_each_seed(60, [](uint64_t seed) {
    broker::BrokerWorld it(seed, {}, 2);
    for (int crashes = 0; crashes < 4; ++crashes) {
      it.world.run_for(Duration(it.world.random().between(0, 100'000'000)));
      if (it.node.running()) it.node.crash(it.world.random().one_in(2) ? Crash::power : Crash::process);
      if (it.node.error()) std::rethrow_exception(it.node.error());
      it.node.restart();
    }
    CHECK(answers_in(it, 60s));
  });
}

}  // namespace
}  // namespace millrace::sim
