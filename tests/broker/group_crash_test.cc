// Groups through crashes of the whole broker, in the simulated world: a committed offset that was acknowledged never
// goes back, and a member finds its group as it left it.
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"
#include "tests/broker/broker_world.h"
#include "tests/sim/seeds.h"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;
using namespace protocol;

Task<ErrorCode> find_coordinator(Client& client) {
  FindCoordinatorRequest request;
  request.coordinator_keys = {"g"};
  const FindCoordinatorResponse response = co_await client.call(std::move(request));
  co_return response.coordinators.at(0).error;
}

Task<ErrorCode> commit(Client& client, TopicId topic, int64_t offset) {
  OffsetCommitRequest request;
  request.group_id = "g";
  request.topics.resize(1);
  request.topics[0].id = topic;
  request.topics[0].partitions.resize(1);
  request.topics[0].partitions[0].committed_offset = Offset(offset);
  const OffsetCommitResponse response = co_await client.call(std::move(request));
  co_return response.topics.at(0).partitions.at(0).error;
}

// The committed offset; waits until the coordinator has loaded.
Task<int64_t> committed(Client& client, TopicId topic) {
  while (true) {
    OffsetFetchRequest request;
    request.require_stable = true;
    request.groups.resize(1);
    request.groups[0].group_id = "g";
    request.groups[0].topics.emplace();
    request.groups[0].topics->push_back({"", topic, {PartitionId(0)}});
    const OffsetFetchResponse response = co_await client.call(std::move(request));
    if (response.groups.at(0).error == ErrorCode::none) {
      co_return response.groups[0].topics.at(0).partitions.at(0).committed_offset.value;
    }
    co_await sleep_until(after(2ms));
  }
}

struct Committer {
  int64_t tried = 0;
  int64_t acknowledged = -1;  // none yet
  bool stop = false;
};

struct Outcome {
  int64_t tried = 0;
  int64_t acknowledged = 0;
  int64_t found = 0;
  bool went_back = false;
};

Outcome survive(uint64_t seed, sim::Crash kind, Properties overrides) {
  BrokerWorld broker(seed, std::move(overrides), 1 + static_cast<int>(seed % 3));
  const auto committer = std::make_shared<Committer>();
  TopicId topic;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "t");
    const ErrorCode error = co_await find_coordinator(client);
    CHECK(error == ErrorCode::none);
  });
  broker.clients.start([committer, topic](sim::Node&) -> Task<int> {
    std::optional<Client> client;
    while (!committer->stop) {
      bool broken = false;
      try {
        if (!client) client.emplace(co_await connected());
        client->patience = 100ms;
        const int64_t offset = ++committer->tried;
        const ErrorCode error = co_await commit(*client, topic, offset);
        if (error == ErrorCode::none) committer->acknowledged = offset;
      } catch (const NetError&) {
        broken = true;
      }
      if (broken) {
        client.reset();
        co_await sleep_until(after(2ms));
      }
    }
    co_return 0;
  });
  Outcome outcome;
  for (int crash = 0; crash < 3; ++crash) {
    broker.world.run_for(sim::Duration(broker.world.random().between(1'000'000, 150'000'000)));
    broker.node.crash(kind);
    broker.world.run_for(sim::Duration(broker.world.random().between(0, 20'000'000)));
    broker.start();
  }
  broker.world.run_for(300ms);
  committer->stop = true;
  broker.world.run_until([&] { return !broker.clients.running(); });
  outcome.tried = committer->tried;
  outcome.acknowledged = committer->acknowledged;
  const auto look = [&]() -> Task<void> {
    Client client = co_await connected();
    outcome.found = co_await committed(client, topic);
  };
  broker.run(look);
  const int64_t first = outcome.found;
  broker.restart();
  broker.run(look);
  outcome.went_back = outcome.found != first;
  broker.stop();
  return outcome;
}

bool is_kept(const Outcome& outcome) {
  return outcome.found >= outcome.acknowledged && outcome.found <= outcome.tried && !outcome.went_back;
}

TEST_CASE("durable: an acknowledged commit survives power cuts") {
  int64_t total = 0;
  sim::for_each_seed(25, [&](uint64_t seed) {
    const Outcome outcome = survive(seed, sim::Crash::power, {});
    CAPTURE(outcome.found);
    CAPTURE(outcome.acknowledged);
    CHECK(is_kept(outcome));
    total += outcome.acknowledged;
  });
  CHECK(total > 50);
}

TEST_CASE("written: an acknowledged commit survives the death of the process") {
  sim::for_each_seed(20, [&](uint64_t seed) {
    CHECK(is_kept(survive(seed, sim::Crash::process, {{"millrace.ack.durability", "written"}})));
  });
}

TEST_CASE("a member keeps its place in the group while the broker restarts") {
  sim::for_each_seed(10, [](uint64_t seed) {
    BrokerWorld broker(seed, {}, 1 + static_cast<int>(seed % 3));
    std::string member;
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const ErrorCode found = co_await find_coordinator(client);
      CHECK(found == ErrorCode::none);
      JoinGroupRequest join;
      join.group_id = "g";
      join.session_timeout = 10'000ms;
      join.rebalance_timeout = 10'000ms;
      join.protocol_type = "consumer";
      join.protocols.push_back({"range", Bytes::copy_of("subscription")});
      const JoinGroupResponse named = co_await client.call(join);
      CHECK(named.error == ErrorCode::member_id_required);
      join.member_id = named.member_id;
      const JoinGroupResponse joined = co_await client.call(join);
      CHECK(joined.error == ErrorCode::none);
      CHECK(joined.leader == joined.member_id);
      member = joined.member_id;
      SyncGroupRequest sync;
      sync.group_id = "g";
      sync.generation_id = joined.generation_id;
      sync.member_id = member;
      sync.protocol_type = "consumer";
      sync.protocol_name = "range";
      sync.assignments.push_back({member, Bytes::copy_of("everything")});
      const SyncGroupResponse synced = co_await client.call(std::move(sync));
      CHECK(synced.assignment.text() == "everything");
    });
    broker.node.crash(sim::Crash::power);
    broker.start();
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      HeartbeatRequest heartbeat;
      heartbeat.group_id = "g";
      heartbeat.generation_id = 1;
      heartbeat.member_id = member;
      const HeartbeatResponse beat = co_await client.call(heartbeat);
      CHECK(beat.error == ErrorCode::none);
      co_await sleep_until(after(9'000ms));
      SyncGroupRequest sync;
      sync.group_id = "g";
      sync.generation_id = 1;
      sync.member_id = member;
      sync.protocol_type = "consumer";
      sync.protocol_name = "range";
      const SyncGroupResponse synced = co_await client.call(std::move(sync));
      CHECK(synced.error == ErrorCode::none);
      CHECK(synced.assignment.text() == "everything");
      co_await sleep_until(after(10'000ms));
      const HeartbeatResponse late = co_await client.call(heartbeat);
      CHECK(late.error == ErrorCode::unknown_member_id);
    });
    broker.stop();
  });
}

}  // namespace
}  // namespace millrace::broker
