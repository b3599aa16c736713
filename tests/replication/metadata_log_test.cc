// The metadata log of a quorum of one, over starts, stops and power cuts.
#include "replication/metadata_log.h"

#include "protocol/record_batch.h"

#include <doctest/doctest.h>

#include "replication/batches.h"
#include "replication/changes.h"
#include "tests/sim/disk.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

namespace millrace::replication {
namespace {

Task<std::unique_ptr<MetadataLog>> opened() {
  log::LogConfig config;
  co_return co_await MetadataLog::open("/data", Uuid{7, 7}, BrokerId(1), config);
}

NewTopic topic_named(std::string name, uint64_t number) {
  NewTopic topic;
  topic.name = std::move(name);
  topic.id = Uuid{number, number};
  topic.replicas = {{BrokerId(1)}};
  return topic;
}

TEST_CASE("the first start writes a LeaderChange and the bootstrap records, and says who leads") {
  sim::World world(1);
  sim::Node& node = world.add_node("n");
  world.run(node, []() -> Task<void> {
    std::unique_ptr<MetadataLog> log = co_await opened();
    co_await log->lead();
    CHECK(log->next_offset() == 10);
    CHECK(log->epoch() == LeaderEpoch(1));
    CHECK(log->image().offset() == 9);
    co_await log->close();
  });
  CHECK(
      node.disk().content("/data/__cluster_metadata-0/quorum-state").value_or("") ==
      R"({"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0})");
  const std::string file = node.disk().content("/data/__cluster_metadata-0/00000000000000000000.log").value_or("");
  protocol::BatchIterator batches(Bytes::copy_of(file));
  const std::optional<protocol::RecordBatch> first = batches.next();
  REQUIRE(first);
  CHECK(first->is_control());
  CHECK(first->leader_epoch() == LeaderEpoch(1));
}

TEST_CASE("a quorum that was formatted as a dynamic one stays one") {
  sim::World world(3);
  sim::Node& node = world.add_node("n");
  node.disk().put(
      "/data/__cluster_metadata-0/quorum-state",
      R"({"leaderId":1,"leaderEpoch":4,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})");
  world.run(node, []() -> Task<void> {
    std::unique_ptr<MetadataLog> log = co_await opened();
    co_await log->lead();
    CHECK(log->epoch() == LeaderEpoch(5));
    co_await log->close();
  });
  CHECK(node.disk().content("/data/__cluster_metadata-0/quorum-state").value_or("") ==
        R"({"leaderId":1,"leaderEpoch":5,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})");
}

TEST_CASE("each start leads in a higher epoch and finds what was decided before") {
  sim::World world(2);
  sim::Node& node = world.add_node("n");
  for (int start = 1; start <= 3; ++start) {
    world.run(node, [start]() -> Task<void> {
      std::unique_ptr<MetadataLog> log = co_await opened();
      CHECK(log->image().topics().size() == static_cast<size_t>(start - 1));
      co_await log->lead();
      CHECK(log->epoch() == LeaderEpoch(start));
      Records records = create_topic(topic_named("t" + std::to_string(start), static_cast<uint64_t>(start)));
      co_await log->append(std::move(records));
      co_await log->close();
    });
  }
}

TEST_CASE("a decision that was answered survives a power cut, with every seed") {
  sim::for_each_seed(100, [](uint64_t seed) {
    sim::World world(seed);
    sim::Node& node = world.add_node("n");
    node.disk().put("/data/meta.properties", "");
    const auto decided = std::make_shared<uint64_t>(0);
    node.start([decided](sim::Node&) -> Task<int> {
      std::unique_ptr<MetadataLog> log = co_await opened();
      co_await log->lead();
      for (uint64_t i = 1;; ++i) {
        Records records = create_topic(topic_named("t" + std::to_string(i), i));
        co_await log->append(std::move(records));
        *decided = i;
      }
    });
    world.run_for(sim::Duration(world.random().between(0, 60'000'000)));
    node.crash(sim::Crash::power);
    world.run(node, [decided]() -> Task<void> {
      std::unique_ptr<MetadataLog> log = co_await opened();
      CHECK(log->image().topics().size() >= *decided);
      co_await log->lead();
      CHECK(log->image().features().at("metadata.version") == 30);
      co_await log->close();
    });
  });
}

TEST_CASE("a snapshot that Kafka has left is the beginning, the log goes on behind it") {
  sim::World world(4);
  sim::Node& node = world.add_node("n");
  world.run(node, []() -> Task<void> {
    std::unique_ptr<MetadataLog> log = co_await opened();
    co_await log->lead();
    Records records = create_topic(topic_named("in-the-log", 1));
    co_await log->append(std::move(records));
    co_await log->close();
  });
  const Bytes snapshot = data_batch(create_topic(topic_named("in-the-snapshot", 2)), Timestamp(0));
  node.disk().put("/data/__cluster_metadata-0/00000000000000000010-0000000001.checkpoint", snapshot.text());
  world.run(node, []() -> Task<void> {
    std::unique_ptr<MetadataLog> log = co_await opened();
    CHECK(log->image().topic("in-the-snapshot"));
    CHECK(log->image().topic("in-the-log"));
    CHECK(log->image().features().empty());  // they stood before the snapshot's end
    co_await log->close();
  });
}

}  // namespace
}  // namespace millrace::replication
