// A stored job whose node is killed again and again gives what it would have given undisturbed.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "processing/engine.h"
#include "tests/processing/memory_topics.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

namespace millrace::processing {

namespace {

using namespace std::chrono_literals;

constexpr const char* source_table =
    "CREATE TABLE bids (item STRING, price INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH ("
    "'connector'='kafka','topic'='bids','properties.bootstrap.servers'='x','scan.startup.mode'='earliest-offset',"
    "'format'='json')";
constexpr const char* sink_table =
    "CREATE TABLE totals (item STRING, ws TIMESTAMP(3), n BIGINT, total INT) WITH ("
    "'connector'='kafka','topic'='totals','properties.bootstrap.servers'='x','format'='json')";
constexpr const char* insert =
    "INSERT INTO totals SELECT item, window_start, COUNT(*), SUM(price) FROM TABLE(HOP(TABLE bids, DESCRIPTOR(ts), "
    "INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY item, window_start, window_end";

std::string bid(int second, int price, int item) {
  char text[128];
  std::snprintf(text, sizeof text, "{\"item\":\"%c\",\"price\":%d,\"ts\":\"2024-03-01 12:%02d:%02d\"}", 'A' + item,
                price, second / 60, second % 60);
  return text;
}

// What the node does: resumes stored jobs, submits the job if there is none, and serves until told to stop.
struct Service {
  MemoryTopics& topics;
  bool stop = false;
  std::string failure;

  Task<int> run(sim::Node&) {
    EngineOptions options;
    options.epoch_interval = Millis(300);
    Engine engine(topics, topics, options);
    co_await engine.start();
    if (engine.jobs().empty() && topics.records("totals", 0).empty()) {
      const std::map<std::string, std::string> settings;
      std::shared_ptr<EngineSession> session = engine.open_session(settings);
      for (const char* statement : {source_table, sink_table, insert}) {
        std::string text = statement;
        co_await engine.execute(session, std::move(text));
      }
    }
    while (!stop) {
      co_await sleep_until(after(20ms));
      for (const JobStatus& status : engine.jobs())
        if (status.failure) failure = status.failure->root().message;
    }
    co_await engine.close();
    co_return 0;
  }
};

std::multiset<std::string> output(const MemoryTopics& topics) {
  std::multiset<std::string> rows;
  for (int p = 0; p < 2; ++p)
    for (const MemoryTopics::Stored& record : topics.records("totals", p)) rows.insert(record.value.value_or("null"));
  return rows;
}

// The rows as they should be: every window and item counted by hand.
std::multiset<std::string> expected(const std::vector<std::array<int, 3>>& bids) {
  std::map<std::pair<int, int>, std::pair<int, int>> windows;
  for (const auto& [second, price, item] : bids) {
    for (int start = second / 5 * 5; start > second - 10; start -= 5) {
      auto& [count, total] = windows[{start, item}];
      ++count;
      total += price;
    }
  }
  std::multiset<std::string> rows;
  for (const auto& [window, sums] : windows) {
    char text[160];
    const int start = window.first + 3600;
    std::snprintf(text, sizeof text, "{\"item\":\"%c\",\"ws\":\"2024-03-01 %02d:%02d:%02d\",\"n\":%d,\"total\":%d}",
                  'A' + window.second, 11 + start / 3600, start / 60 % 60, start % 60, sums.first, sums.second);
    rows.insert(text);
  }
  return rows;
}

}  // namespace

TEST_CASE("a job that is killed at any moment neither loses nor repeats a window") {
  sim::for_each_seed(60, [](uint64_t seed) {
    sim::World world(seed);
    MemoryTopics topics;
    topics.add_topic("bids", 2);
    topics.add_topic("totals", 2);
    sim::Node& node = world.add_node("engine");
    Service service{topics, false, {}};
    bool killed = false;
    int64_t steps_left = 3 + static_cast<int64_t>(world.random().below(30));
    topics.before_change = [&] {
      if (--steps_left != 0) return;
      world.after(0ns, [&] {
        node.crash();
        killed = true;
      });
    };
    const auto main = [&service](sim::Node& self) -> Task<int> { return service.run(self); };
    node.start(main);

    std::vector<std::array<int, 3>> bids;
    for (int i = 0; i < 200; ++i) {
      const int second = i;
      const int item = static_cast<int>(world.random().below(3));
      const int price = static_cast<int>(world.random().below(100));
      bids.push_back({second, price, item});
      const int partition = static_cast<int>(world.random().below(2));
      const auto pause = std::chrono::milliseconds(world.random().below(60));
      world.after(20ms * i + pause, [&topics, partition, second, price, item] {
        topics.add("bids", partition, 1'700'000'000'000, std::nullopt, bid(second, price, item));
      });
    }
    // Rows of one partition may be added a little out of order: the watermark must wait for them.
    std::multiset<std::string> want = expected(bids);
    world.after(6s, [&] {
      for (int p = 0; p < 2; ++p) topics.add("bids", p, 1'700'000'000'000, std::nullopt, bid(900, 1, 25));
    });
    int crashes = 0;
    const auto done = [&] {
      if (killed) {
        killed = false;
        ++crashes;
        steps_left = 1 + static_cast<int64_t>(world.random().below(crashes < 20 ? 12 : 100000));
        node.restart();
      }
      return static_cast<size_t>(topics.end("totals", 0) + topics.end("totals", 1)) >= want.size();
    };
    CHECK(world.run_until(done, 5min));
    world.run_for(3s);
    steps_left = 0;
    service.stop = true;
    world.run_for(2s);
    CHECK(service.failure == "");
    CHECK(output(topics) == want);
    CHECK(crashes > 0);
  });
}

}  // namespace millrace::processing
