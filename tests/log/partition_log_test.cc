// The files a partition has, and those a clean stop leaves.
#include "tests/log/world.h"

using namespace millrace;
using namespace millrace::log;

TEST_CASE("a clean stop leaves the files that Kafka leaves") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->begin_epoch(LeaderEpoch(0));
    log->append(batch_of({"a"}), LeaderEpoch(0));
    co_await log->close();
  });
  CHECK(world.files() == std::vector<std::string>{"00000000000000000000.index", "00000000000000000000.log",
                                                  "00000000000000000000.timeindex", "00000000000000000001.snapshot",
                                                  "leader-epoch-checkpoint", "partition.metadata"});
  CHECK(world.content("00000000000000000000.index").empty());
  CHECK(world.content("00000000000000000000.timeindex").size() == 12);
  CHECK(world.content("00000000000000000001.snapshot").size() == 10);
  CHECK(world.content("leader-epoch-checkpoint") == "0\n1\n0 0\n");
  CHECK(world.content("partition.metadata") == "version: 0\ntopic_id: " + to_string(orders_id));
}

TEST_CASE("an empty partition leaves empty files and no snapshot") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->begin_epoch(LeaderEpoch(0));
    co_await log->close();
  });
  CHECK(world.files() == std::vector<std::string>{"00000000000000000000.index", "00000000000000000000.log",
                                                  "00000000000000000000.timeindex", "partition.metadata"});
  CHECK(world.content("00000000000000000000.log").empty());
}

TEST_CASE("no file is opened before there is data") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    co_return;
  });
  CHECK(world.files() == std::vector<std::string>{"partition.metadata"});
}
