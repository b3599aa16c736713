// The offsets groups commit: when they count, who may read them, how they go.
#include "tests/broker/groups/coordinator_world.h"

namespace millrace::broker::groups {
namespace {

using enum ErrorCode;
using namespace protocol;

TEST_CASE("a commit is answered and seen only once the log has it") {
  CoordinatorWorld w;
  REQUIRE(w.commit(CoordinatorWorld::commit_request(1)) == none);
  w.log->held = true;
  const auto answer = w.begin_commit(CoordinatorWorld::commit_request(2));
  CHECK(!answer->has_value());
  const auto unstable = w.shard.now_or_fail(w.coordinator.fetch(CoordinatorWorld::fetch_request(), false));
  CHECK(unstable.topics[0].partitions[0].committed_offset == Offset(1));
  const auto stable = w.shard.begin(w.coordinator.fetch(CoordinatorWorld::fetch_request(), true));
  CHECK(!stable->has_value());
  w.log->held = false;
  w.shard.run([&] { w.log->released.notify(); });
  REQUIRE(answer->has_value());
  CHECK((*stable)->topics[0].partitions[0].committed_offset == Offset(2));
}

TEST_CASE("a commit that the log does not take is told so and does not count") {
  CoordinatorWorld w;
  REQUIRE(w.commit(CoordinatorWorld::commit_request(1)) == none);
  w.log->append_says = not_enough_replicas;
  CHECK(w.commit(CoordinatorWorld::commit_request(2)) == coordinator_not_available);
  w.log->append_says = kafka_storage_error;
  CHECK(w.commit(CoordinatorWorld::commit_request(3)) == not_coordinator);
  CHECK(w.fetch() == 1);
}

TEST_CASE("a commit that takes too long is answered so, and counts when the log has it after all") {
  CoordinatorWorld w;
  w.log->held = true;
  const auto answer = w.begin_commit(CoordinatorWorld::commit_request(2));
  w.shard.pass(Millis(4'999));
  CHECK(!answer->has_value());
  w.shard.pass(Millis(1));
  CHECK((*answer)->topics[0].partitions[0].error == coordinator_not_available);
  const auto stable = w.shard.begin(w.coordinator.fetch(CoordinatorWorld::fetch_request(), true));
  w.shard.pass(Millis(5'000));
  CHECK((*stable)->error == not_coordinator);
  w.log->held = false;
  w.shard.run([&] { w.log->released.notify(); });
  CHECK(w.fetch() == 2);
}

TEST_CASE("what a commit must know about its group") {
  CoordinatorWorld w;
  OffsetCommitRequest request = CoordinatorWorld::commit_request(1);
  request.member_id = "m";
  request.generation_id_or_member_epoch = 1;
  CHECK(w.commit(request, 8) == illegal_generation);
  CHECK(w.commit(request, 9) == group_id_not_found);
  CHECK(w.commit(CoordinatorWorld::commit_request(1, ""), 8) == none);
  CHECK(w.fetch("") == 1);
  request = CoordinatorWorld::commit_request(5);
  request.topics[0].partitions[0].committed_metadata = std::string(4097, 'x');
  CHECK(w.commit(request) == offset_metadata_too_large);
  request.topics[0].partitions[0].committed_metadata = std::string(4096, 'x');
  CHECK(w.commit(request) == none);
  CHECK(w.list() == std::vector<std::string>{"  Empty Classic", "g  Empty Classic"});
}

TEST_CASE("what nobody has committed reads as -1 without an error") {
  CoordinatorWorld w;
  const auto check_answer = [&] {
    const auto answer = w.shard.now_or_fail(w.coordinator.fetch(CoordinatorWorld::fetch_request(), true));
    const auto& partition = answer.topics.at(0).partitions.at(0);
    CHECK(answer.error == none);
    CHECK(partition.committed_offset == Offset(-1));
    CHECK(partition.committed_leader_epoch == LeaderEpoch(-1));
    CHECK(partition.metadata == "");
    CHECK(partition.error == none);
  };
  check_answer();
  REQUIRE(w.commit(CoordinatorWorld::commit_request(1, "g", "other")) == none);
  check_answer();
}

TEST_CASE("an offset committed for a topic that was replaced does not count for the new one") {
  CoordinatorWorld w;
  OffsetCommitRequest request = CoordinatorWorld::commit_request(7);
  request.topics[0].id = Uuid{1, 1};
  REQUIRE(w.commit(request, 10) == none);
  const auto by = [&](TopicId id) {
    return w.shard.now_or_fail(w.coordinator.fetch(CoordinatorWorld::fetch_request("g", id), true))
        .topics[0]
        .partitions[0]
        .committed_offset.value;
  };
  CHECK(by({1, 1}) == 7);
  CHECK(by({}) == 7);
  CHECK(by({2, 2}) == -1);
}

TEST_CASE("all offsets of a group come when it names no topics") {
  CoordinatorWorld w;
  w.commit(CoordinatorWorld::commit_request(1, "g", "a"));
  w.commit(CoordinatorWorld::commit_request(2, "g", "b"));
  OffsetFetchRequestGroup request;
  request.group_id = "g";
  const auto answer = w.shard.now_or_fail(w.coordinator.fetch(request, true));
  REQUIRE(answer.topics.size() == 2);
  CHECK(answer.topics[1].name == "b");
  CHECK(answer.topics[1].partitions[0].committed_offset == Offset(2));
}

TEST_CASE("offsets can be deleted one by one, not under the members who read them") {
  CoordinatorWorld w;
  w.stable_member();
  OffsetDeleteRequest request;
  request.group_id = "g";
  request.topics.resize(2);
  request.topics[0].name = "t";
  request.topics[0].partitions = {{PartitionId(0)}};
  request.topics[1].name = "u";
  request.topics[1].partitions = {{PartitionId(0)}};
  const auto ask = [&] { return w.shard.now_or_fail(w.coordinator.delete_offsets({0, "", ""}, request)); };
  auto answer = ask();
  CHECK(answer.error == none);
  CHECK(answer.topics[0].partitions[0].error == group_subscribed_to_topic);
  CHECK(answer.topics[1].partitions[0].error == none);
  w.shard.pass(Millis(20'000));
  w.commit(CoordinatorWorld::commit_request(4));
  CHECK(ask().topics[0].partitions[0].error == none);
  CHECK(w.fetch() == -1);
  request.group_id = "nope";
  CHECK(ask().error == group_id_not_found);
  request.group_id = "";
  CHECK(ask().error == invalid_group_id);
}

TEST_CASE("offsets of a group without members expire a week after it became empty, and the group with them") {
  CoordinatorWorld w;
  w.session_timeout = Millis(90'000);
  const std::string member = w.stable_member();
  OffsetCommitRequest request = CoordinatorWorld::commit_request(1);
  request.member_id = member;
  request.generation_id_or_member_epoch = 1;
  w.commit(request);
  w.commit(CoordinatorWorld::commit_request(2, "plain"));
  for (int minute = 0; minute < 24 * 60 * 8; ++minute) {
    w.shard.pass(Millis(60'000));
    REQUIRE(w.heartbeat(member, 1) == none);
  }
  // The group without members is gone after a week; the one that reads its topic keeps what it committed.
  CHECK(w.fetch("plain") == -1);
  CHECK(w.describe("plain").error == group_id_not_found);
  CHECK(w.fetch() == 1);

  w.shard.pass(Millis(90'000));
  CHECK(w.describe().group_state == "Empty");
  w.shard.pass(Millis(7LL * 24 * 3'600'000 - 700'000));
  CHECK(w.fetch() == 1);
  w.shard.pass(Millis(1'300'000));
  CHECK(w.fetch() == -1);
  CHECK(w.describe().error == group_id_not_found);
  CHECK(w.log->contents().empty());
}

TEST_CASE("an offset with its own retention goes by that") {
  CoordinatorWorld w;
  OffsetCommitRequest request = CoordinatorWorld::commit_request(1);
  request.retention_time = Millis(3'600'000);
  w.commit(request, 4);
  w.shard.pass(Millis(3'500'000));
  CHECK(w.fetch() == 1);
  w.shard.pass(Millis(700'000));
  CHECK(w.fetch() == -1);
}

TEST_CASE("offsets of deleted topics are forgotten") {
  CoordinatorWorld w;
  w.commit(CoordinatorWorld::commit_request(1, "g", "t"));
  w.commit(CoordinatorWorld::commit_request(2, "g", "u"));
  const auto forget = [](GroupCoordinator& c) -> Task<int> {
    std::vector<std::string> topics{"t"};
    co_await c.topics_deleted(std::move(topics));
    co_return 0;
  };
  w.shard.now_or_fail(forget(w.coordinator));
  CHECK(w.fetch() == -1);
  CHECK(w.log->contents().size() == 1);
}

TEST_CASE("a transaction's offsets in the log stay unstable until its end, also over a restart") {
  CoordinatorWorld w;
  const PartitionId partition(partition_of_group("g", 4));
  const CommittedOffset value{.offset = Offset(5)};
  BatchOptions options;
  options.producer_id = ProducerId(7);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = Sequence(0);
  options.transactional = true;
  const Bytes batch = batch_of({OffsetChange{"g", "t", PartitionId(0), value}}, Timestamp(1), options);
  w.shard.now_or_fail(w.log->append(partition, batch));
  {
    CoordinatorWorld open(w.log);
    const auto answer = open.shard.now_or_fail(open.coordinator.fetch(CoordinatorWorld::fetch_request(), true));
    CHECK(answer.topics[0].partitions[0].error == unstable_offset_commit);
    CHECK(answer.topics[0].partitions[0].committed_offset == Offset(-1));
    CHECK(open.fetch("h") == -1);
    open.shard.run([&] { open.coordinator.end_transaction(partition, ProducerId(7), true); });
    CHECK(open.fetch() == 5);
  }
  options.base_sequence = Sequence(-1);
  options.control = true;
  BatchBuilder marker(options);
  marker.add(Timestamp(1), std::string_view("\0\0\0\1", 4), std::string_view("\0\0\0\0\0\0", 6));
  w.shard.now_or_fail(w.log->append(partition, marker.build()));
  CoordinatorWorld next(w.log);
  CHECK(next.fetch() == 5);
}

}  // namespace
}  // namespace millrace::broker::groups
