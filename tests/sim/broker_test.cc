// The production broker inside the simulated world: it starts, answers, stops, and starts again after any crash.
#include "broker/logging.h"
#include "broker/server.h"

#include <doctest/doctest.h>

#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;

broker::Config config() {
  return broker::Config(broker::parse_properties(R"(
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
advertised.listeners=PLAINTEXT://broker:9092
controller.listener.names=CONTROLLER
controller.quorum.voters=1@broker:9093
log.dirs=/data
offsets.topic.replication.factor=1
)"));
}

// The broker as a process that stops when `stop` is notified.
Node::Main broker_main(std::function<Event*(Event&)> publish_stop) {
  return [publish_stop](Node& node) -> Task<int> {
    Event stop;
    publish_stop(stop);
    broker::ServerOptions options{config(), "broker", std::nullopt};
    broker::Server server(std::move(options), node.shards());
    co_await server.start();
    co_await stop.wait();
    co_await server.stop();
    co_return 0;
  };
}

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

struct BrokerWorld {
  World world;
  Node& broker;
  Node& client;
  Event* stop = nullptr;

  explicit BrokerWorld(uint64_t seed)
      : world(seed), broker(world.add_node("broker", 2)), client(world.add_node("client")) {
    broker::set_logging(broker::Level::error);
    broker.start(broker_main([this](Event& event) { return stop = &event; }));
  }
  bool answers_in(Duration patience) {
    bool answered = false;
    const auto body = [&]() -> Task<void> { answered = co_await answers(patience); };
    world.run(client, body);
    return answered;
  }
};

TEST_CASE("the production broker starts, answers and stops in the simulator") {
  for_each_seed(20, [](uint64_t seed) {
    BrokerWorld it(seed);
    CHECK(it.answers_in(30s));
    it.stop->notify();
    CHECK(it.world.run_until([&] { return !it.broker.running(); }, 1min));
    CHECK(it.broker.result() == 0);
  });
}

TEST_CASE("the broker comes back after a crash at any moment, of its first start, too") {
  for_each_seed(60, [](uint64_t seed) {
    BrokerWorld it(seed);
    for (int crashes = 0; crashes < 4; ++crashes) {
      it.world.run_for(Duration(it.world.random().between(0, 100'000'000)));
      if (it.broker.running()) it.broker.crash(it.world.random().one_in(2) ? Crash::power : Crash::process);
      if (it.broker.error()) std::rethrow_exception(it.broker.error());
      it.broker.restart();
    }
    CHECK(it.answers_in(60s));
  });
}

}  // namespace
}  // namespace millrace::sim
