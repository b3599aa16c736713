// Random commits and deletions over a log that fails at times, and coordinators that come and go: what was acknowledged
// stays, and nothing is read that nobody wrote.
#include <random>
#include <set>

#include "broker/groups/coordinator.h"
#include "tests/broker/groups/one_shard.h"

namespace millrace::broker::groups {
namespace {

// What a partition's committed offset may be now.
struct Known {
  int64_t acknowledged = -1;
  std::set<int64_t> unsure;  // tried after that, with an error: each may have happened or not
  bool allows(int64_t value) const { return value == acknowledged || unsure.contains(value); }
};

Task<int> stop(GroupCoordinator& coordinator) {
  co_await coordinator.close();
  co_return 0;
}

void run(uint64_t seed) {
  INFO("seed ", seed);
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  OneShard shard;
  MemoryLog log(3);
  std::unique_ptr<GroupCoordinator> coordinator;
  const auto begin = [&] {
    coordinator = std::make_unique<GroupCoordinator>(log, GroupSettings{});
    shard.run([&] { coordinator->start(); });
  };
  const auto end = [&] {
    shard.begin(stop(*coordinator));
    shard.pass(Millis(10'000));
    coordinator.reset();
  };
  begin();
  std::map<std::pair<std::string, int32_t>, Known> known;
  int64_t next = 0;
  for (int step = 0; step < 300; ++step) {
    const std::string group = "g" + std::to_string(below(4));
    const auto partition = static_cast<int32_t>(below(3));
    // The log refuses, breaks, or takes longer than anybody waits.
    const uint64_t mood = below(12);
    log.append_says = mood == 0   ? ErrorCode::not_enough_replicas
                      : mood == 1 ? ErrorCode::kafka_storage_error
                                  : ErrorCode::none;
    log.held = mood == 2;
    const auto outcome = [&](auto result) {
      if (log.held) shard.pass(Millis(5'000));
      REQUIRE(result->has_value());
      return std::move(**result);
    };
    switch (below(10)) {
      case 0: {
        log.append_says = ErrorCode::none;
        log.held = false;
        end();
        begin();
        break;
      }
      case 1: {
        protocol::DeleteGroupsRequest request;
        request.groups_names = {group};
        const auto error =
            outcome(shard.begin(coordinator->remove({2, "", ""}, std::move(request)))).results.at(0).error;
        for (auto& [where, value] : known) {
          if (where.first != group) continue;
          if (error == ErrorCode::none)
            value = {};
          else if (error != ErrorCode::group_id_not_found)
            value.unsure.insert(-1);
        }
        break;
      }
      case 2: {
        protocol::OffsetDeleteRequest request;
        request.group_id = group;
        request.topics.resize(1);
        request.topics[0].name = "t";
        request.topics[0].partitions = {{PartitionId(partition)}};
        const auto error = outcome(shard.begin(coordinator->delete_offsets({0, "", ""}, std::move(request)))).error;
        Known& value = known[{group, partition}];
        if (error == ErrorCode::none)
          value = {};
        else if (error != ErrorCode::group_id_not_found)
          value.unsure.insert(-1);
        break;
      }
      case 3: {
        log.append_says = ErrorCode::none;
        log.held = false;
        shard.pass(Millis(below(20) == 0 ? 900'000 : 1'000));
        break;
      }
      case 4:
      case 5: {
        protocol::OffsetFetchRequestGroup request;
        request.group_id = group;
        request.topics.emplace();
        request.topics->push_back({"t", {}, {PartitionId(partition)}});
        const auto answer = shard.now_or_fail(coordinator->fetch(std::move(request), true));
        REQUIRE(answer.error == ErrorCode::none);
        const int64_t value = answer.topics.at(0).partitions.at(0).committed_offset.value;
        CHECK_MESSAGE((known[{group, partition}].allows(value)), group, " ", partition, " reads ", value,
                      ", acknowledged was ", known[{group, partition}].acknowledged);
        break;
      }
      default: {
        protocol::OffsetCommitRequest request;
        request.group_id = group;
        request.topics.resize(1);
        request.topics[0].name = "t";
        request.topics[0].partitions.resize(1);
        request.topics[0].partitions[0].index = PartitionId(partition);
        request.topics[0].partitions[0].committed_offset = Offset(++next);
        const auto answer = outcome(shard.begin(coordinator->commit({8, "", ""}, std::move(request))));
        Known& value = known[{group, partition}];
        if (answer.topics.at(0).partitions.at(0).error == ErrorCode::none)
          value = {next, {}};
        else
          value.unsure.insert(next);
      }
    }
    log.held = false;
    shard.run([&] { log.released.notify(); });
  }
  log.append_says = ErrorCode::none;
  end();
}

TEST_CASE("what was acknowledged is there after every restart") {
  for (uint64_t seed = 1; seed <= 150; ++seed) run(seed);
}

}  // namespace
}  // namespace millrace::broker::groups
