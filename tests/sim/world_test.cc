// The simulated world itself: determinism, time, and a network that misbehaves.
#include "tests/sim/world.h"

#include <doctest/doctest.h>

#include <set>
#include <stdexcept>

#include "runtime/gate.h"
#include "tests/sim/net.h"
#include "tests/sim/seeds.h"

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;

std::vector<Bytes> parts(std::string_view text) { return {Bytes::copy_of(text)}; }
Net& net() { return Shard::current().net(); }

// Answers every byte with the same byte, on port 9, on every shard, until its node crashes.
Task<void> echo(std::unique_ptr<Connection> connection) {
  try {
    for (;;) {
      std::byte buffer[64];
      const size_t got = co_await connection->read_some(buffer);
      if (got == 0) break;
      const std::span<const std::byte> heard(buffer, got);
      std::vector<Bytes> answer{Bytes::copy_of(heard)};
      co_await connection->write(std::move(answer));
    }
  } catch (const NetError&) {
  }
}

Task<int> echo_server(Node& node) {
  Gate gate;
  const auto serve = [&](Shard& shard) -> Task<void> {
    const auto there = [&]() -> Task<void> {
      Gate sessions;
      const Address address{"", 9};
      std::unique_ptr<Listener> listener = co_await net().listen(address);
      for (;;) {
        std::unique_ptr<Connection> connection = co_await listener->accept();
        sessions.spawn(echo(std::move(connection)));
      }
    };
    co_await on(shard, there);
  };
  for (Shard* shard : node.shards()) gate.spawn(serve(*shard));
  co_await gate.close();
  co_return 0;
}

Task<std::string> ask(Connection& connection, std::string text, Duration patience) {
  const MonoTime deadline = after(patience);
  co_await connection.write(parts(text), deadline);
  std::string heard;
  while (heard.size() < text.size()) {
    std::byte buffer[64];
    const size_t got = co_await connection.read_some(buffer, deadline);
    if (got == 0) break;
    heard.append(reinterpret_cast<const char*>(buffer), got);
  }
  co_return heard;
}

// The text of what `task` throws; empty when it does not.
Task<std::string> failure(Task<std::string> task) {
  try {
    const std::string ignored = co_await std::move(task);
  } catch (const NetError& failed) {
    co_return failed.what();
  }
  co_return "";
}

// A busy world: three clients of a server of two shards, a crash and a restart. Its trace.
uint64_t busy_trace(uint64_t seed) {
  World world(seed);
  Node& server = world.add_node("server", 2);
  server.start(echo_server);
  int answered = 0;
  for (int i = 0; i < 3; ++i) {
    Node& client = world.add_node("client" + std::to_string(i));
    client.start([&answered](Node&) -> Task<int> {
      for (int round = 0; round < 20; ++round) {
        bool failed = false;
        try {
          const Address address{"server", 9};
          std::unique_ptr<Connection> connection = co_await net().connect(address, after(1s));
          const std::string heard = co_await ask(*connection, "round " + std::to_string(round), 1s);
          if (!heard.empty()) ++answered;
        } catch (const NetError&) {
          failed = true;
        }
        if (failed) co_await sleep_until(after(10ms));
      }
      co_return 0;
    });
  }
  world.after(5ms, [&] { server.crash(); });
  world.after(20ms, [&] { server.restart(); });
  const bool done = world.run_until([&] {
    for (size_t i = 1; i < world.nodes().size(); ++i) {
      if (world.nodes()[i]->running()) return false;
    }
    return true;
  });
  CHECK(done);
  CHECK(answered > 20);
  return world.trace();
}

TEST_CASE("the same seed gives the same run, another seed another") {
  std::set<uint64_t> traces;
  size_t runs = 0;
  for_each_seed(20, [&](uint64_t seed) {
    const uint64_t trace = busy_trace(seed);
    CHECK(trace == busy_trace(seed));
    traces.insert(trace);
    ++runs;
  });
  CHECK(traces.size() == runs);
}

TEST_CASE("years pass in an instant when there is nothing to do") {
  World world(1);
  Node& node = world.add_node("n");
  int64_t wall_passed = 0;
  const auto body = [&]() -> Task<void> {
    const Timestamp start = Shard::current().clock().wall_now();
    co_await sleep_until(after(24h * 365 * 10));
    wall_passed = Shard::current().clock().wall_now() - start;
  };
  world.run(node, body, 24h * 365 * 11);
  CHECK(wall_passed >= 10LL * 365 * 86'400'000);
  CHECK(world.steps() < 100);
}

TEST_CASE("wall clocks may disagree; monotonic time does not care") {
  World world(1);
  Node& node = world.add_node("n");
  node.set_wall_skew(-Millis(5000));
  Node& other = world.add_node("m");
  Timestamp here;
  Timestamp there;
  const auto look = [&](Timestamp& at) {
    return [&]() -> Task<void> {
      at = Shard::current().clock().wall_now();
      co_return;
    };
  };
  world.run(node, look(here));
  world.run(other, look(there));
  CHECK(there - here == 5000);
}

TEST_CASE("ready work of different shards runs in different orders under different seeds") {
  std::set<std::string> orders;
  for_each_seed(100, [&](uint64_t seed) {
    World world(seed);
    Node& node = world.add_node("n", 3);
    std::string order;
    const auto body = [&]() -> Task<void> {
      Gate gate;
      const auto visit = [&](Shard& shard) -> Task<void> {
        const auto there = [&]() -> Task<void> {
          order += static_cast<char>('0' + shard.id());
          co_return;
        };
        co_await on(shard, there);
      };
      for (Shard* shard : node.shards()) gate.spawn(visit(*shard));
      co_await gate.close();
    };
    world.run(node, body);
    CHECK(order.size() == 3);
    orders.insert(order);
  });
  CHECK(orders.size() == 2);  // shard 0 is here; the other two in either order
}

TEST_CASE("what a main throws ends its process and is told") {
  World world(1);
  Node& node = world.add_node("n");
  node.start([](Node&) -> Task<int> {
    co_await yield();
    throw std::runtime_error("no disk");
  });
  CHECK(world.run_until([&] { return !node.running(); }));
  CHECK(node.error());
  CHECK_FALSE(node.result().has_value());
  const auto body = []() -> Task<void> {
    co_await yield();
    throw std::runtime_error("again");
  };
  CHECK_THROWS_WITH(world.run(node, body), "again");
  const auto forever = []() -> Task<void> { co_await sleep_until(never); };
  CHECK_THROWS_AS(world.run(node, forever, 1s), std::runtime_error);
}

struct Link {
  World world;
  Node& server;
  Node& client;
  explicit Link(uint64_t seed) : world(seed), server(world.add_node("server")), client(world.add_node("client")) {
    server.start(echo_server);
  }
};

TEST_CASE("a cut link says nothing; once healed, everything arrives") {
  for_each_seed(50, [](uint64_t seed) {
    Link link(seed);
    const auto body = [&]() -> Task<void> {
      const Address address{"server", 9};
      std::unique_ptr<Connection> connection = co_await net().connect(address, after(1s));
      // The way there, or the way back.
      const bool there = link.world.random().one_in(2);
      Node& from = there ? link.client : link.server;
      Node& to = there ? link.server : link.client;
      link.world.net().cut(from, to);
      co_await connection->write(parts("lost?"));
      std::byte buffer[10];
      bool timed_out = false;
      try {
        const size_t got = co_await connection->read_some(buffer, after(5s));
        CHECK(got == 0);
      } catch (const NetError&) {
        timed_out = true;
      }
      CHECK(timed_out);
      link.world.net().heal(from, to);
      const std::string heard = co_await ask(*connection, "", 5s);
      std::string all;
      while (all.size() < 5) {
        const size_t got = co_await connection->read_some(buffer, after(5s));
        REQUIRE(got > 0);
        all.append(reinterpret_cast<const char*>(buffer), got);
      }
      CHECK(all == "lost?");
    };
    link.world.run(link.client, body);
  });
}

TEST_CASE("connecting through a partition times out; to a dead process it is refused") {
  for_each_seed(20, [](uint64_t seed) {
    Link link(seed);
    const auto connect = []() -> Task<std::string> {
      const Address address{"server", 9};
      std::unique_ptr<Connection> connection = co_await net().connect(address, after(1s));
      co_return "connected";
    };
    const auto body = [&]() -> Task<void> {
      link.world.net().partition({&link.client}, {&link.server});
      const std::string cut = co_await failure(connect());
      CHECK(cut.find("timed out") != std::string::npos);
      link.world.net().heal_all();
      link.server.crash();
      const std::string dead = co_await failure(connect());
      CHECK(dead.find("refused") != std::string::npos);
      link.server.restart();
      co_await sleep_until(after(1ms));
      const std::string alive = co_await failure(connect());
      CHECK(alive.empty());
      link.server.crash(Crash::power);
      const std::string dark = co_await failure(connect());
      CHECK(dark.find("timed out") != std::string::npos);
    };
    link.world.run(link.client, body);
  });
}

TEST_CASE("the peers of a crashed process hear it at once, of a dark computer only when it is back") {
  for_each_seed(40, [](uint64_t seed) {
    Link link(seed);
    const auto body = [&]() -> Task<void> {
      const Address address{"server", 9};
      std::unique_ptr<Connection> first = co_await net().connect(address, after(1s));
      const std::string hello = co_await ask(*first, "hello", 1s);
      CHECK(hello == "hello");
      link.server.crash();
      const std::string cut_off = co_await failure(ask(*first, "anybody?", 1s));
      CHECK(cut_off.find("timed out") == std::string::npos);
      link.server.restart();
      co_await sleep_until(after(1ms));

      std::unique_ptr<Connection> second = co_await net().connect(address, after(1s));
      const std::string again = co_await ask(*second, "hello", 1s);
      CHECK(again == "hello");
      link.server.crash(Crash::power);
      const std::string silence = co_await failure(ask(*second, "anybody?", 5s));
      CHECK(silence.find("timed out") != std::string::npos);
      link.server.restart();
      const std::string reset = co_await failure(ask(*second, "and now?", 5s));
      CHECK(reset.find("timed out") == std::string::npos);
      CHECK_FALSE(reset.empty());
    };
    link.world.run(link.client, body);
  });
}

TEST_CASE("a reset in mid-stream is told to both ends") {
  for_each_seed(20, [](uint64_t seed) {
    Link link(seed);
    const auto body = [&]() -> Task<void> {
      const Address address{"server", 9};
      std::unique_ptr<Connection> connection = co_await net().connect(address, after(1s));
      const std::string hello = co_await ask(*connection, "hello", 1s);
      CHECK(hello == "hello");
      const int reset = link.world.net().reset_connections(link.client, link.server);
      CHECK(reset == 1);
      const std::string error = co_await failure(ask(*connection, "more", 1s));
      CHECK_FALSE(error.empty());
    };
    link.world.run(link.client, body);
    link.world.run_for(1s);
    CHECK(link.world.net().connections() == 0);
  });
}

TEST_CASE("a world that has done everything is quiescent") {
  Link link(1);
  const auto body = [&]() -> Task<void> {
    const Address address{"server", 9};
    std::unique_ptr<Connection> connection = co_await net().connect(address, after(1s));
    const std::string hello = co_await ask(*connection, "hello", 1s);
    CHECK(hello == "hello");
  };
  link.world.run(link.client, body);
  CHECK(link.world.run_until_quiescent(1s));
}

}  // namespace
}  // namespace millrace::sim
