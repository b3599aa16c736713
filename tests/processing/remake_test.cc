// Output that is made again after a crash, instead of being kept: none of it is lost, and none appears twice.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "processing/engine.h"
#include "processing/jobs/checkpoint.h"
#include "tests/processing/killer.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

namespace millrace::processing {

namespace {

using namespace std::chrono_literals;

constexpr int partitions = 2;
constexpr int rows_at_once = 250;
constexpr int times = 4;

std::string row(int partition, int time, int number) {
  return "{\"id\":" + std::to_string(partition * 1'000'000 + time * 1'000 + number) + ",\"text\":\"" +
         std::string(1500, 'x') + "\"}";
}

struct Watched {
  std::map<int64_t, int> rows;  // how often each id has come out
  size_t checkpoint_bytes = 0;  // the most that one epoch took
  size_t output_bytes = 0;
  int crashes = 0;
};

// A job that copies rows from two partitions as they come, killed at steps drawn from the seed.
Watched copy_rows(uint64_t seed, const std::string& key, const std::string& query, int kills) {
  sim::World world(seed);
  MemoryTopics topics;
  topics.add_topic("rows", partitions);
  topics.add_topic("copies", 2);
  sim::Node& node = world.add_node("engine");
  Watched watched;
  bool stop = false;
  std::string failure;
  Killer killer(world, topics, node, {.kills = kills, .first_from = 3, .first_among = 12, .next_among = 10});
  const auto main = [&](sim::Node&) -> Task<int> {
    EngineOptions options;
    options.epoch_interval = Millis(300);
    Engine engine(topics, topics, options);
    co_await engine.start();
    if (engine.jobs().empty()) {
      const std::map<std::string, std::string> settings;
      std::shared_ptr<EngineSession> session = engine.open_session(settings);
      for (std::string statement :
           {std::string("CREATE TABLE `rows` (id BIGINT, text STRING) WITH ('connector'='kafka','topic'='rows',"
                        "'properties.bootstrap.servers'='x','scan.startup.mode'='earliest-offset','format'='json')"),
            "CREATE TABLE copies (id BIGINT, text STRING, dice DOUBLE) WITH ('connector'='kafka','topic'='copies',"
            "'properties.bootstrap.servers'='x'," +
                key + ")",
            "INSERT INTO copies " + query})
        co_await engine.execute(session, std::move(statement));
    }
    while (!stop) {
      co_await sleep_until(after(20ms));
      for (const JobStatus& job : engine.jobs()) {
        if (job.failure) failure = job.failure->root().message;
        size_t bytes = 0;
        for (const MemoryTopics::Stored& record : topics.records("__millrace_checkpoints-" + job.id, 0))
          bytes = std::max(bytes, record.value.value_or("").size());
        watched.checkpoint_bytes = std::max(watched.checkpoint_bytes, bytes);
      }
    }
    co_await engine.close();
    co_return 0;
  };
  node.start(main);
  for (int time = 0; time < times; ++time) {
    for (int p = 0; p < partitions; ++p) {
      const auto pause = std::chrono::milliseconds(world.random().below(500));
      world.after(700ms * time + pause, [&topics, p, time] {
        std::vector<std::string> values;
        for (int i = 0; i < rows_at_once; ++i) values.push_back(row(p, time, i));
        topics.add_batch("rows", p, 1'700'000'000'000, values);
      });
    }
  }
  const auto done = [&] {
    killer.restart();
    return topics.end("copies", 0) + topics.end("copies", 1) >= partitions * rows_at_once * times;
  };
  CHECK(world.run_until(done, 5min));
  world.run_for(3s);
  stop = true;
  world.run_for(2s);
  CHECK(failure == "");
  watched.crashes = killer.crashes();
  for (int p = 0; p < 2; ++p) {
    for (const MemoryTopics::Stored& record : topics.records("copies", p)) {
      ++watched.rows[std::stoll(record.value->substr(6))];
      watched.output_bytes += record.value->size();
    }
  }
  return watched;
}

void check_each_once(const Watched& watched) {
  CHECK(watched.rows.size() == partitions * rows_at_once * times);
  for (const auto& [id, count] : watched.rows) {
    CAPTURE(id);
    CHECK(count == 1);
  }
}

constexpr const char* json = "'format'='json'";
constexpr const char* keyed = "'key.format'='raw','key.fields'='text','value.format'='json'";
// Made again a row is another one: it must not be made again once it is there.
constexpr const char* query = "SELECT id, text, RAND() FROM `rows`";

Epoch epoch_of_two_sources(Sequence first) {
  Epoch epoch;
  epoch.sources = {
      {.source = 0, .topic = "a", .partition = 0, .position = 90, .stop = 90, .watermark = 9, .finished = true},
      {.source = 0, .topic = "a", .partition = 1, .position = 70, .stop = -1, .watermark = 7, .finished = false},
      {.source = 1, .topic = "b", .partition = 0, .position = 5, .stop = 5, .watermark = 5, .finished = true}};
  const TopicPartition to{"out", PartitionId(3)};
  epoch.sequences[to] = protocol::add_sequence(first, 100).value;
  epoch.remake = Remake{.to = to, .first_sequence = first.value, .count = 100, .steps = {}};
  epoch.remake->steps = {{0, {0, 10, 1}}, {0, {1, 20, 2}}, {40, {0, 50, 4}}, {60, {1, 60, 6}}, {60, {0, 55, 5}}};
  return Epoch::decode([&] {
    std::string text;
    epoch.encode([&](std::string_view piece) { text += piece; });
    return text;
  }());
}

std::vector<int64_t> positions(const Epoch& epoch) {
  std::vector<int64_t> all;
  for (const Epoch::Source& source : epoch.sources) all.push_back(source.position);
  return all;
}

}  // namespace

TEST_CASE("a copied row is there once, however often the job is killed, and no checkpoint has it") {
  sim::for_each_seed(25, [](uint64_t seed) {
    const Watched watched = copy_rows(seed, json, query, 8);
    CHECK(watched.crashes > 0);
    check_each_once(watched);
    CHECK(watched.checkpoint_bytes > 0);
    CHECK(watched.checkpoint_bytes < 2'000);
    CHECK(watched.output_bytes > 3'000'000);
  });
}

TEST_CASE("rows that go to partitions by their keys are kept by checkpoints until they are there") {
  sim::for_each_seed(5, [](uint64_t seed) {
    const Watched watched = copy_rows(seed, keyed, "SELECT id, CAST(id AS STRING) || text, RAND() FROM `rows`", 8);
    check_each_once(watched);
    CHECK(watched.checkpoint_bytes > 100'000);
  });
}

TEST_CASE("a row that does not fit into one batch with those of its piece is kept") {
  sim::for_each_seed(5, [](uint64_t seed) {
    const Watched watched = copy_rows(seed, json, "SELECT id, REPEAT(text, 10), RAND() FROM `rows`", 8);
    check_each_once(watched);
    CHECK(watched.checkpoint_bytes > 100'000);
  });
}

TEST_CASE("an epoch goes back to where the last batch that is there ends") {
  for (const Sequence first : {Sequence(0), Sequence(1000), Sequence(0x7fffffff - 50)}) {
    CAPTURE(first.value);
    const auto last = [&](int32_t n) { return protocol::add_sequence(first, n - 1); };
    const TopicPartition to{"out", PartitionId(3)};

    Epoch none = epoch_of_two_sources(first);
    CHECK(none.go_back(std::nullopt));
    CHECK(positions(none) == std::vector<int64_t>{10, 20, 5});
    CHECK(none.sequences[to] == first.value);
    CHECK(!none.sources[0].finished);
    CHECK(none.sources[2].finished);

    if (first.value > 0) {
      Epoch older = epoch_of_two_sources(first);
      CHECK(older.go_back(Sequence(first.value - 1)));
      CHECK(positions(older) == std::vector<int64_t>{10, 20, 5});
    }

    Epoch one = epoch_of_two_sources(first);
    CHECK(one.go_back(last(40)));
    CHECK(positions(one) == std::vector<int64_t>{50, 20, 5});
    CHECK(one.sources[0].watermark == 4);
    CHECK(one.sequences[to] == protocol::add_sequence(first, 40).value);

    Epoch two = epoch_of_two_sources(first);
    CHECK(two.go_back(last(60)));
    CHECK(positions(two) == std::vector<int64_t>{55, 60, 5});
    CHECK(two.sequences[to] == protocol::add_sequence(first, 60).value);

    Epoch all = epoch_of_two_sources(first);
    CHECK(!all.go_back(last(100)));
    CHECK(positions(all) == std::vector<int64_t>{90, 70, 5});
    CHECK(all.sources[0].finished);
    CHECK(all.sequences[to] == protocol::add_sequence(first, 100).value);
  }
}

}  // namespace millrace::processing
