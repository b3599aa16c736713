// A stored job whose node is killed again and again gives what it would have given undisturbed.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "processing/engine.h"
#include "tests/processing/killer.h"
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
    Killer killer(world, topics, node, {.kills = 20, .first_from = 3, .first_among = 30, .next_among = 12});
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
    const auto done = [&] {
      killer.restart();
      return static_cast<size_t>(topics.end("totals", 0) + topics.end("totals", 1)) >= want.size();
    };
    CHECK(world.run_until(done, 5min));
    world.run_for(3s);
    killer.stop();
    service.stop = true;
    world.run_for(2s);
    CHECK(service.failure == "");
    CHECK(output(topics) == want);
    CHECK(killer.crashes() > 0);
  });
}

namespace {

// A bounded job over what is there already, killed `kills` times at steps drawn from the world's dice. Gives the output
// topic's records: all of them, or of an upsert table the last value per key.
std::multiset<std::string> run_bounded(uint64_t seed, const std::string& sink_options, const std::string& query,
                                       int kills) {
  sim::World data(seed);  // the rows depend on nothing but the seed
  MemoryTopics topics;
  topics.scan_batches = 3;
  topics.add_topic("bids", 1);
  topics.add_topic("totals", 1);
  for (int i = 0; i < 40; ++i)
    topics.add("bids", 0, 1'700'000'000'000, std::nullopt,
               bid(i * 2 + static_cast<int>(data.random().below(8)), static_cast<int>(data.random().below(50)),
                   static_cast<int>(data.random().below(3))));
  sim::World world(seed);
  sim::Node& node = world.add_node("engine");
  bool over = false;
  std::string failure;
  Killer killer(world, topics, node, {.kills = kills});
  const auto main = [&](sim::Node&) -> Task<int> {
    EngineOptions options;
    options.epoch_interval = Millis(0);
    Engine engine(topics, topics, options);
    co_await engine.start();
    const bool submitted = topics.has("__millrace_jobs") && topics.end("__millrace_jobs", 0) > 0;
    if (!submitted) {
      const std::map<std::string, std::string> settings;
      std::shared_ptr<EngineSession> session = engine.open_session(settings);
      std::string source = source_table;
      source.insert(source.size() - 1,
                    ",'scan.bounded.mode'='latest-offset','scan.watermark.emit.strategy'='on-event'");
      for (std::string statement : {source, "CREATE TABLE totals (" + sink_options, "INSERT INTO totals " + query})
        co_await engine.execute(session, std::move(statement));
    }
    for (const JobStatus& job : engine.jobs()) {
      const std::optional<JobStatus> status = co_await engine.wait_for(job.id, never);
      if (status && status->failure) failure = status->failure->root().message;
    }
    co_await engine.close();
    over = true;
    co_return 0;
  };
  node.start(main);
  const auto done = [&] {
    killer.restart();
    return over;
  };
  CHECK(world.run_until(done, 5min));
  CHECK(failure == "");
  std::multiset<std::string> rows;
  std::map<std::string, std::string> last;
  for (const MemoryTopics::Stored& record : topics.records("totals", 0)) {
    if (!record.key)
      rows.insert(record.value.value_or("null"));
    else if (record.value)
      last[*record.key] = *record.value;
    else
      last.erase(*record.key);
  }
  for (const auto& [key, value] : last) rows.insert(key + value);
  return rows;
}

}  // namespace

TEST_CASE("the state of every operator survives crashes") {
  const std::string append =
      "item STRING, a BIGINT, b BIGINT) WITH ('connector'='kafka','topic'='totals','properties.bootstrap.servers'='x',"
      "'format'='json')";
  const std::string upsert =
      "item STRING, a BIGINT, b BIGINT, PRIMARY KEY (item) NOT ENFORCED) WITH ('connector'='upsert-kafka',"
      "'topic'='totals','properties.bootstrap.servers'='x','key.format'='json','value.format'='json')";
  const std::vector<std::pair<std::string, std::string>> queries{
      {append, "SELECT item, CAST(price AS BIGINT), CAST(1 AS BIGINT) FROM bids WHERE price > 10"},
      {append,
       "SELECT item, SUM(CAST(price AS BIGINT)), COUNT(DISTINCT price) FROM TABLE(CUMULATE(TABLE bids, DESCRIPTOR(ts), "
       "INTERVAL '5' SECOND, INTERVAL '20' SECOND)) GROUP BY item, window_start, window_end"},
      {append,
       "SELECT item, SUM(CAST(price AS BIGINT)), COUNT(*) FROM TABLE(SESSION(TABLE bids PARTITION BY item, "
       "DESCRIPTOR(ts), INTERVAL '6' SECOND)) GROUP BY item, window_start, window_end"},
      {append,
       "SELECT item, SUM(CAST(price AS BIGINT)) OVER (PARTITION BY item ORDER BY ts ROWS BETWEEN 2 PRECEDING AND "
       "CURRENT "
       "ROW), COUNT(*) OVER (PARTITION BY item ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM bids"},
      {append,
       "SELECT item, CAST(price AS BIGINT), rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, "
       "window_end "
       "ORDER BY price DESC) AS rn FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))) WHERE rn <= "
       "2"},
      {append,
       "SELECT l.item, CAST(l.price AS BIGINT), CAST(r.price AS BIGINT) FROM bids l, bids r WHERE l.item = r.item AND "
       "r.ts BETWEEN l.ts AND l.ts + INTERVAL '3' SECOND"},
      {append,
       "SELECT item, CAST(price AS BIGINT), CAST(0 AS BIGINT) FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY item "
       "ORDER "
       "BY ts ASC) AS rn FROM bids) WHERE rn = 1"},
      {append,
       "SELECT item, a, b FROM bids MATCH_RECOGNIZE (PARTITION BY item ORDER BY ts MEASURES CAST(FIRST(X.price) AS "
       "BIGINT) AS a, CAST(Y.price AS BIGINT) AS b PATTERN (X+ Y) DEFINE X AS X.price > 20) AS m"},
      {upsert, "SELECT item, COUNT(*), SUM(CAST(price AS BIGINT)) FROM bids GROUP BY item"},
      {upsert,
       "SELECT l.item, l.n, r.m FROM (SELECT item, COUNT(*) AS n FROM bids GROUP BY item) l JOIN (SELECT item, "
       "MAX(CAST(price AS BIGINT)) AS m FROM bids GROUP BY item) r ON l.item = r.item"},
  };
  for (const auto& [sink, query] : queries) {
    CAPTURE(query);
    sim::for_each_seed(6, [&](uint64_t seed) {
      const std::multiset<std::string> undisturbed = run_bounded(seed, sink, query, 0);
      CHECK(!undisturbed.empty());
      CHECK(run_bounded(seed, sink, query, 6) == undisturbed);
    });
  }
}

TEST_CASE("windows that are emitted in pieces survive crashes between two of them") {
  const std::string sink =
      "item STRING, a BIGINT, b BIGINT) WITH ('connector'='kafka','topic'='totals','properties.bootstrap.servers'='x',"
      "'format'='json')";
  const std::string query =
      "SELECT REPEAT(item, 300), SUM(CAST(price AS BIGINT)), UNIX_TIMESTAMP(CAST(window_end AS STRING)) FROM "
      "TABLE(HOP(TABLE bids, DESCRIPTOR(ts), INTERVAL '0.005' SECOND(1, 3), INTERVAL '200' SECOND)) WHERE ts < "
      "TIMESTAMP "
      "'2024-03-01 12:00:06' GROUP BY item, window_start, window_end";
  sim::for_each_seed(2, [&](uint64_t seed) {
    const std::multiset<std::string> undisturbed = run_bounded(seed, sink, query, 0);
    CHECK(undisturbed.size() >= 40'000);
    CHECK(run_bounded(seed, sink, query, 6) == undisturbed);
  });
}

}  // namespace millrace::processing
