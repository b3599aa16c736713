// Jobs as a user meets them: they run until stopped, say what they do, and wait for nobody they need not wait for.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "processing/engine.h"
#include "tests/processing/memory_topics.h"
#include "tests/sim/world.h"

namespace millrace::processing {

namespace {

using namespace std::chrono_literals;

constexpr const char* bids =
    "CREATE TABLE bids (item STRING, price INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ("
    "'connector'='kafka','topic'='bids','properties.bootstrap.servers'='x','scan.startup.mode'='earliest-offset',"
    "'format'='json')";
constexpr const char* totals =
    "CREATE TABLE totals (item STRING, total INT) WITH ("
    "'connector'='kafka','topic'='totals','properties.bootstrap.servers'='x','format'='json')";
constexpr const char* insert =
    "INSERT INTO totals SELECT item, SUM(price) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND)) "
    "GROUP BY item, window_start, window_end";

std::string bid(const char* item, int price, int second) {
  char text[512];
  std::snprintf(text, sizeof text, "{\"item\":\"%s\",\"price\":%d,\"ts\":\"2024-03-01 12:00:%02d\"}", item, price,
                second);
  return text;
}

// Runs `body` with an engine over topics bids (two partitions) and totals.
void with_engine(const std::function<Task<void>(Engine&, MemoryTopics&)>& body) {
  sim::World world(7);
  MemoryTopics topics;
  topics.add_topic("bids", 2);
  topics.add_topic("totals", 1);
  sim::Node& node = world.add_node("engine");
  const auto main = [&]() -> Task<void> {
    Engine engine(topics, topics, {});
    co_await body(engine, topics);
    co_await engine.close();
  };
  world.run(node, main);
}

Task<StatementResult> run(Engine& engine, std::shared_ptr<EngineSession> session, std::string statement) {
  co_return co_await engine.execute(std::move(session), std::move(statement));
}

std::vector<std::string> values(const MemoryTopics& topics) {
  std::vector<std::string> all;
  for (const MemoryTopics::Stored& record : topics.records("totals", 0)) all.push_back(*record.value);
  return all;
}

}  // namespace

TEST_CASE("an empty partition holds windows back until it counts as idle, and SHOW JOBS says so") {
  for (const bool idle_timeout : {false, true}) {
    with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
      const std::map<std::string, std::string> settings{{"table.exec.source.idle-timeout", idle_timeout ? "1 s" : "0"}};
      auto session = engine.open_session(settings);
      for (const char* statement : {bids, totals}) co_await run(engine, session, statement);
      const StatementResult job = co_await run(engine, session, insert);
      topics.add("bids", 0, 1, std::nullopt, bid("A", 1, 1));
      topics.add("bids", 0, 2, std::nullopt, bid("A", 2, 30));
      co_await sleep_until(after(5s));
      const JobStatus status = *engine.job(job.job_id);
      CHECK(status.state == JobState::running);
      CHECK(status.records_in == 2);
      CHECK(status.partitions.size() == 2);
      if (idle_timeout) {
        CHECK(values(topics) == std::vector<std::string>{R"({"item":"A","total":1})"});
        CHECK(status.warnings.empty());
      } else {
        CHECK(values(topics).empty());
        CHECK(status.warnings.size() == 1);
        const StatementResult jobs = co_await run(engine, session, "SHOW JOBS");
        CHECK(jobs.columns.back().name == "warning");
      }
    });
  }
}

TEST_CASE("a row behind the watermark is dropped and counted") {
  with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
    const std::map<std::string, std::string> settings{{"table.exec.source.idle-timeout", "1 s"}};
    auto session = engine.open_session(settings);
    for (const char* statement : {bids, totals}) co_await run(engine, session, statement);
    const StatementResult job = co_await run(engine, session, insert);
    topics.add("bids", 0, 1, std::nullopt, bid("A", 1, 25));
    co_await sleep_until(after(3s));
    topics.add("bids", 0, 1, std::nullopt, bid("A", 2, 5));
    co_await sleep_until(after(3s));
    CHECK(engine.job(job.job_id)->late_dropped == 1);
    CHECK(engine.job(job.job_id)->watermark == 1709294425000);
  });
}

TEST_CASE("a stopped job is over for good, and its checkpoints are gone") {
  with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
    const std::map<std::string, std::string> none;
    auto session = engine.open_session(none);
    for (const char* statement : {bids, totals}) co_await run(engine, session, statement);
    const StatementResult job = co_await run(engine, session, insert);
    CHECK(job.job_id.size() == 32);
    topics.add("bids", 0, 1, std::nullopt, bid("A", 1, 1));
    co_await sleep_until(after(2s));
    CHECK(topics.has("__millrace_checkpoints-" + job.job_id));
    std::string stop = "STOP JOB '" + job.job_id + "' WITH DRAIN";
    co_await run(engine, session, std::move(stop));
    CHECK(engine.job(job.job_id)->state == JobState::canceled);
    CHECK(values(topics) == std::vector<std::string>{R"({"item":"A","total":1})"});
    co_await sleep_until(after(1s));
    CHECK(!topics.has("__millrace_checkpoints-" + job.job_id));
    CHECK(!topics.records("__millrace_jobs", 0).back().value.has_value());
  });
}

TEST_CASE("a query waits while nobody takes its rows, and ends when it is cancelled") {
  with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
    for (int i = 0; i < 20'000; ++i) topics.add("bids", 0, 1, std::nullopt, bid("A", i, 1));
    const std::map<std::string, std::string> none;
    auto session = engine.open_session(none);
    co_await run(engine, session, bids);
    const StatementResult query = co_await run(engine, session, "SELECT price FROM bids");
    CHECK(query.is_query);
    CHECK(query.insert_only);
    co_await sleep_until(after(5s));
    CHECK(engine.job(query.job_id)->records_in < 20'000);
    size_t taken = 0;
    while (taken < 20'000) {
      const Page page = co_await query.rows->next(500, after(10s));
      CHECK(!page.rows.empty());
      taken += page.rows.size();
    }
    CHECK(engine.cancel(query.job_id));
    const Page last = co_await query.rows->next(1, after(10s));
    CHECK(last.end);
    CHECK(!engine.cancel(query.job_id));
  });
}

TEST_CASE("an epoch's output may be larger than a batch") {
  with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
    const std::string item(1000, 'x');
    for (int i = 0; i < 1'500; ++i) {
      std::string record = "{\"item\":\"" + item + "\",\"price\":" + std::to_string(i) + "}";
      topics.add("bids", 0, 1, std::nullopt, std::move(record));
    }
    const std::map<std::string, std::string> none;
    auto session = engine.open_session(none);
    for (const char* statement : {bids, totals}) co_await run(engine, session, statement);
    const StatementResult job = co_await run(engine, session, "INSERT INTO totals SELECT item, price FROM bids");
    co_await sleep_until(after(5s));
    CHECK(engine.job(job.job_id)->state == JobState::running);
    const std::vector<std::string> rows = values(topics);
    REQUIRE(rows.size() == 1'500);
    for (size_t i = 0; i < rows.size(); ++i) CHECK(rows[i].ends_with(",\"total\":" + std::to_string(i) + "}"));
  });
}

TEST_CASE("a watermark that completes very many windows at once makes several epochs, and each window once") {
  with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
    const std::map<std::string, std::string> settings{{"table.exec.source.idle-timeout", "1 s"}};
    auto session = engine.open_session(settings);
    constexpr const char* sink =
        "CREATE TABLE totals (item STRING, ends TIMESTAMP(3), n BIGINT) WITH ("
        "'connector'='kafka','topic'='totals','properties.bootstrap.servers'='x','format'='json')";
    for (const char* statement : {bids, sink}) co_await run(engine, session, statement);
    const StatementResult job =
        co_await run(engine, session,
                     "INSERT INTO totals SELECT item, window_end, COUNT(*) FROM TABLE(HOP(TABLE bids, DESCRIPTOR(ts), "
                     "INTERVAL '0.001' SECOND(1, 3), INTERVAL '40' SECOND)) GROUP BY item, window_start, window_end");
    const std::string item(300, 'A');
    topics.add("bids", 0, 1, std::nullopt, bid(item.c_str(), 1, 1));
    co_await sleep_until(after(3s));
    const int64_t before = engine.job(job.job_id)->epochs;
    CHECK(values(topics).size() == 1);  // the first window that the row is in
    topics.add("bids", 0, 1, std::nullopt, bid("B", 1, 59));
    co_await sleep_until(after(5s));
    CHECK(engine.job(job.job_id)->state == JobState::running);
    CHECK(engine.job(job.job_id)->epochs >= before + 2);
    const std::vector<std::string> rows = values(topics);
    REQUIRE(rows.size() == 40'001);
    CHECK(std::set<std::string>(rows.begin(), rows.end()).size() == rows.size());
    const std::string first = R"({"item":")" + item + R"(","ends":"2024-03-01 12:00:01.001","n":1})";
    const std::string last = R"({"item":")" + item + R"(","ends":"2024-03-01 12:00:41","n":1})";
    CHECK(rows.front() == first);
    CHECK(rows[39'999] == last);
    CHECK(rows.back() == R"({"item":"B","ends":"2024-03-01 12:00:59.001","n":1})");
  });
}

TEST_CASE("rows that each become very many are worked off in several epochs") {
  with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
    const std::map<std::string, std::string> settings;
    auto session = engine.open_session(settings);
    for (const char* statement : {bids, totals}) co_await run(engine, session, statement);
    const std::string item(300, 'A');
    std::vector<std::string> records;
    for (int second = 0; second < 5; ++second) records.push_back(bid(item.c_str(), second, second));
    topics.add_batch("bids", 0, 1, records);
    const StatementResult job =
        co_await run(engine, session,
                     "INSERT INTO totals SELECT item, price FROM TABLE(CUMULATE(TABLE bids, DESCRIPTOR(ts), "
                     "INTERVAL '0.001' SECOND(1, 3), INTERVAL '20' SECOND))");
    co_await sleep_until(after(5s));
    CHECK(engine.job(job.job_id)->records_in == 5);
    CHECK(engine.job(job.job_id)->epochs >= 4);
    std::map<std::string, int> counts;
    for (const std::string& row : values(topics)) ++counts[row.substr(item.size() + 11)];
    const std::map<std::string, int> windows{{R"("total":0})", 20'000},
                                             {R"("total":1})", 19'000},
                                             {R"("total":2})", 18'000},
                                             {R"("total":3})", 17'000},
                                             {R"("total":4})", 16'000}};
    CHECK(counts == windows);
  });
}

TEST_CASE("a table that a job reads in two places is read once") {
  with_engine([&](Engine& engine, MemoryTopics& topics) -> Task<void> {
    for (int i = 0; i < 10; ++i) topics.add("bids", 0, 1, std::nullopt, bid(i % 2 == 0 ? "A" : "B", i, 1));
    const std::map<std::string, std::string> none;
    auto session = engine.open_session(none);
    for (const char* statement : {bids, totals}) co_await run(engine, session, statement);
    const StatementResult job = co_await run(engine, session,
                                             "EXECUTE STATEMENT SET BEGIN "
                                             "INSERT INTO totals SELECT item, price FROM bids WHERE item = 'A'; "
                                             "INSERT INTO totals SELECT item, -price FROM bids WHERE price > 7; END");
    co_await sleep_until(after(5s));
    CHECK(engine.job(job.job_id)->records_in == 10);
    std::vector<std::string> rows = values(topics);
    std::ranges::sort(rows);
    CHECK(rows == std::vector<std::string>{R"({"item":"A","total":-8})", R"({"item":"A","total":0})",
                                           R"({"item":"A","total":2})", R"({"item":"A","total":4})",
                                           R"({"item":"A","total":6})", R"({"item":"A","total":8})",
                                           R"({"item":"B","total":-9})"});
  });
}

}  // namespace millrace::processing
