// The group coordinator over a log in memory.
#include "broker/groups/coordinator.h"

#include "tests/broker/groups/group_world.h"
#include "tests/broker/groups/one_shard.h"

namespace millrace::broker::groups {
namespace {

using enum ErrorCode;
using namespace protocol;

struct World {
  explicit World(int32_t partitions = 4, GroupSettings with = {})
      : World(std::make_shared<MemoryLog>(partitions), with) {}
  World(std::shared_ptr<MemoryLog> log_, GroupSettings with = {}) : log(std::move(log_)), coordinator(*log, with) {
    shard.run([&] { coordinator.start(); });
  }
  ~World() {
    log->held = log->reads_held = false;
    shard.run([&] { log->released.notify(); });
    shard.begin(stop(coordinator));
    shard.pass(Millis(60'000));
  }
  static Task<int> stop(GroupCoordinator& c) {
    co_await c.close();
    co_return 0;
  }

  JoinGroupRequest join_request(std::string member = "", std::string group = "g") {
    JoinGroupRequest request;
    request.group_id = std::move(group);
    request.session_timeout = session_timeout;
    request.rebalance_timeout = Millis(60'000);
    request.member_id = std::move(member);
    request.protocol_type = "consumer";
    request.protocols = {{"range", subscription({"t"})}};
    return request;
  }
  auto join(JoinGroupRequest request, int16_t version = 3) {
    return shard.begin(coordinator.join({version, "client", "/127.0.0.1"}, std::move(request)));
  }
  SyncGroupResponse sync(std::string member, int32_t generation, std::string assignment = "x") {
    SyncGroupRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.generation_id = generation;
    request.assignments = {{member, bytes(assignment)}};
    return shard.now_or_fail(coordinator.sync({4, "client", "/127.0.0.1"}, std::move(request)));
  }
  ErrorCode heartbeat(std::string member, int32_t generation) {
    HeartbeatRequest request;
    request.group_id = "g";
    request.member_id = std::move(member);
    request.generation_id = generation;
    return shard.now_or_fail(coordinator.heartbeat({4, "", ""}, std::move(request))).error;
  }
  // A group "g" of one member, stable.
  std::string stable_member() {
    const auto answer = join(join_request());
    shard.pass(Millis(3'000));
    REQUIRE(answer->has_value());
    const std::string member = (*answer)->member_id;
    REQUIRE(sync(member, 1).error == none);
    return member;
  }
  static OffsetCommitRequest commit_request(int64_t offset, std::string group = "g", std::string topic = "t") {
    OffsetCommitRequest request;
    request.group_id = std::move(group);
    request.topics.resize(1);
    request.topics[0].name = std::move(topic);
    request.topics[0].partitions.resize(1);
    request.topics[0].partitions[0].committed_offset = Offset(offset);
    return request;
  }
  auto begin_commit(OffsetCommitRequest request, int16_t version = 8) {
    return shard.begin(coordinator.commit({version, "", ""}, std::move(request)));
  }
  ErrorCode commit(OffsetCommitRequest request, int16_t version = 8) {
    const auto answer = begin_commit(std::move(request), version);
    REQUIRE(answer->has_value());
    return (*answer)->topics.at(0).partitions.at(0).error;
  }
  static OffsetFetchRequestGroup fetch_request(std::string group = "g", TopicId id = {}) {
    OffsetFetchRequestGroup request;
    request.group_id = std::move(group);
    request.topics.emplace();
    request.topics->push_back({"t", id, {PartitionId(0)}});
    return request;
  }
  int64_t fetch(std::string group = "g") {
    const auto answer = shard.now_or_fail(coordinator.fetch(fetch_request(std::move(group)), true));
    REQUIRE(answer.error == none);
    return answer.topics.at(0).partitions.at(0).committed_offset.value;
  }
  ErrorCode remove(std::string group = "g") {
    DeleteGroupsRequest request;
    request.groups_names = {std::move(group)};
    return shard.now_or_fail(coordinator.remove({2, "", ""}, std::move(request))).results.at(0).error;
  }
  DescribeGroupsResponseGroup describe(std::string group = "g", int16_t version = 6) {
    DescribeGroupsRequest request;
    request.groups = {std::move(group)};
    return shard.now_or_fail(coordinator.describe({version, "", ""}, std::move(request))).groups.at(0);
  }
  std::vector<std::string> list(std::vector<std::string> states = {}, std::vector<std::string> types = {}) {
    ListGroupsRequest request;
    request.states_filter = std::move(states);
    request.types_filter = std::move(types);
    std::vector<std::string> out;
    for (const auto& g : shard.now_or_fail(coordinator.list({5, "", ""}, std::move(request))).groups) {
      out.push_back(g.group_id + " " + g.protocol_type + " " + g.group_state + " " + g.group_type);
    }
    return out;
  }

  Millis session_timeout{10'000};
  OneShard shard;
  std::shared_ptr<MemoryLog> log;
  GroupCoordinator coordinator;
};

TEST_CASE("a member joins, syncs, commits, and another broker's coordinator knows it all") {
  World w;
  const std::string member = w.stable_member();
  CHECK(member.starts_with("client-"));
  CHECK(member.size() == 7 + 36);
  OffsetCommitRequest request = World::commit_request(42);
  request.member_id = member;
  request.generation_id_or_member_epoch = 1;
  request.topics[0].partitions[0].committed_metadata = "note";
  request.topics[0].partitions[0].committed_leader_epoch = LeaderEpoch(3);
  CHECK(w.commit(request) == none);

  World next(w.log);
  const auto answer = next.shard.now_or_fail(next.coordinator.fetch(World::fetch_request(), true));
  const auto& partition = answer.topics.at(0).partitions.at(0);
  CHECK(partition.committed_offset == Offset(42));
  CHECK(partition.committed_leader_epoch == LeaderEpoch(3));
  CHECK(partition.metadata == "note");
  CHECK(next.heartbeat(member, 1) == none);
  CHECK(next.sync(member, 1).assignment.text() == "x");
  const auto described = next.describe();
  CHECK(described.group_state == "Stable");
  CHECK(described.protocol_data == "range");
  REQUIRE(described.members.size() == 1);
  CHECK(described.members[0].client_host == "/127.0.0.1");
  CHECK(described.members[0].member_assignment.text() == "x");
  CHECK(described.members[0].member_metadata == subscription({"t"}));
}

TEST_CASE("a new group is kept in the log from its first join on, also when that only gave an id") {
  World w;
  const auto answer = w.join(w.join_request(), 5);
  CHECK((*answer)->error == member_id_required);
  const auto contents = w.log->contents();
  REQUIRE(contents.size() == 1);
  const auto& group = std::get<GroupChange>(contents.begin()->second);
  CHECK(group.value->protocol_type == "");
  CHECK(group.value->generation == 0);
  CHECK(group.value->members.empty());
}

TEST_CASE("what join refuses before it looks for the group") {
  World w;
  const auto with = [&](auto change, int16_t version = 9) {
    JoinGroupRequest request = w.join_request();
    change(request);
    return **w.join(std::move(request), version);
  };
  CHECK(with([](auto& r) { r.group_id = ""; }).error == invalid_group_id);
  CHECK(with([](auto& r) { r.session_timeout = Millis(5'999); }).error == invalid_session_timeout);
  CHECK(with([](auto& r) { r.session_timeout = Millis(1'800'001); }).error == invalid_session_timeout);
  CHECK(with([](auto& r) { r.member_id = "m"; }).error == unknown_member_id);
  CHECK(with([](auto& r) { r.member_id = "m"; }).member_id == "m");
  CHECK(with([](auto& r) { r.protocols.clear(); }).error == inconsistent_group_protocol);
  CHECK(!with([](auto& r) { r.protocols.clear(); }, 7).protocol_name);
  CHECK(with([](auto& r) { r.protocols.clear(); }, 6).protocol_name == "");
}

TEST_CASE("a sync must say what it syncs from version 5 on") {
  World w;
  SyncGroupRequest request;
  request.group_id = "g";
  CHECK(w.shard.now_or_fail(w.coordinator.sync({5, "", ""}, request)).error == inconsistent_group_protocol);
  CHECK(w.shard.now_or_fail(w.coordinator.sync({4, "", ""}, request)).error == unknown_member_id);
  request.group_id = "";
  CHECK(w.shard.now_or_fail(w.coordinator.sync({4, "", ""}, request)).error == invalid_group_id);
}

TEST_CASE("leaving an unknown group: each member for itself, and at the top before version 3") {
  World w;
  LeaveGroupRequest request;
  request.group_id = "nope";
  request.members = {{"m", {}, {}}};
  const auto each = w.shard.now_or_fail(w.coordinator.leave({3, "", ""}, request));
  CHECK(each.error == none);
  CHECK(each.members.at(0).error == unknown_member_id);
  request.members.clear();
  request.member_id = "m";
  const auto top = w.shard.now_or_fail(w.coordinator.leave({2, "", ""}, request));
  CHECK(top.error == unknown_member_id);
  CHECK(top.members.empty());
  request.group_id = "";
  CHECK(w.shard.now_or_fail(w.coordinator.leave({3, "", ""}, request)).error == invalid_group_id);
}

TEST_CASE("a commit is answered and seen only once the log has it") {
  World w;
  REQUIRE(w.commit(World::commit_request(1)) == none);
  w.log->held = true;
  const auto answer = w.begin_commit(World::commit_request(2));
  CHECK(!answer->has_value());
  const auto unstable = w.shard.now_or_fail(w.coordinator.fetch(World::fetch_request(), false));
  CHECK(unstable.topics[0].partitions[0].committed_offset == Offset(1));
  const auto stable = w.shard.begin(w.coordinator.fetch(World::fetch_request(), true));
  CHECK(!stable->has_value());
  w.log->held = false;
  w.shard.run([&] { w.log->released.notify(); });
  REQUIRE(answer->has_value());
  CHECK((*stable)->topics[0].partitions[0].committed_offset == Offset(2));
}

TEST_CASE("a commit that the log does not take is told so and does not count") {
  World w;
  REQUIRE(w.commit(World::commit_request(1)) == none);
  w.log->append_says = not_enough_replicas;
  CHECK(w.commit(World::commit_request(2)) == coordinator_not_available);
  w.log->append_says = kafka_storage_error;
  CHECK(w.commit(World::commit_request(3)) == not_coordinator);
  CHECK(w.fetch() == 1);
}

TEST_CASE("a commit that takes too long is answered so, and counts when the log has it after all") {
  World w;
  w.log->held = true;
  const auto answer = w.begin_commit(World::commit_request(2));
  w.shard.pass(Millis(4'999));
  CHECK(!answer->has_value());
  w.shard.pass(Millis(1));
  CHECK((*answer)->topics[0].partitions[0].error == coordinator_not_available);
  const auto stable = w.shard.begin(w.coordinator.fetch(World::fetch_request(), true));
  w.shard.pass(Millis(5'000));
  CHECK((*stable)->error == not_coordinator);
  w.log->held = false;
  w.shard.run([&] { w.log->released.notify(); });
  CHECK(w.fetch() == 2);
}

TEST_CASE("a slot that is taken back waits for the writes of its former life") {
  World w;
  w.log->held = true;
  const auto answer = w.begin_commit(World::commit_request(2));
  const PartitionId partition(partition_of_group("g", 4));
  w.shard.run([&] {
    w.coordinator.resign(partition);
    w.coordinator.lead(partition);
  });
  CHECK(w.commit(World::commit_request(3)) == coordinator_load_in_progress);
  w.log->held = false;
  w.shard.run([&] { w.log->released.notify(); });
  CHECK(answer->has_value());
  CHECK(w.fetch() == 2);
}

TEST_CASE("what a commit must know about its group") {
  World w;
  OffsetCommitRequest request = World::commit_request(1);
  request.member_id = "m";
  request.generation_id_or_member_epoch = 1;
  CHECK(w.commit(request, 8) == illegal_generation);
  CHECK(w.commit(request, 9) == group_id_not_found);
  CHECK(w.commit(World::commit_request(1, ""), 8) == none);
  CHECK(w.fetch("") == 1);
  request = World::commit_request(5);
  request.topics[0].partitions[0].committed_metadata = std::string(4097, 'x');
  CHECK(w.commit(request) == offset_metadata_too_large);
  request.topics[0].partitions[0].committed_metadata = std::string(4096, 'x');
  CHECK(w.commit(request) == none);
  CHECK(w.list() == std::vector<std::string>{"  Empty Classic", "g  Empty Classic"});
}

TEST_CASE("what nobody has committed reads as -1 without an error") {
  World w;
  const auto check_answer = [&] {
    const auto answer = w.shard.now_or_fail(w.coordinator.fetch(World::fetch_request(), true));
    const auto& partition = answer.topics.at(0).partitions.at(0);
    CHECK(answer.error == none);
    CHECK(partition.committed_offset == Offset(-1));
    CHECK(partition.committed_leader_epoch == LeaderEpoch(-1));
    CHECK(partition.metadata == "");
    CHECK(partition.error == none);
  };
  check_answer();
  REQUIRE(w.commit(World::commit_request(1, "g", "other")) == none);
  check_answer();
}

TEST_CASE("an offset committed for a topic that was replaced does not count for the new one") {
  World w;
  OffsetCommitRequest request = World::commit_request(7);
  request.topics[0].id = Uuid{1, 1};
  REQUIRE(w.commit(request, 10) == none);
  const auto by = [&](TopicId id) {
    return w.shard.now_or_fail(w.coordinator.fetch(World::fetch_request("g", id), true))
        .topics[0]
        .partitions[0]
        .committed_offset.value;
  };
  CHECK(by({1, 1}) == 7);
  CHECK(by({}) == 7);
  CHECK(by({2, 2}) == -1);
}

TEST_CASE("all offsets of a group come when it names no topics") {
  World w;
  w.commit(World::commit_request(1, "g", "a"));
  w.commit(World::commit_request(2, "g", "b"));
  OffsetFetchRequestGroup request;
  request.group_id = "g";
  const auto answer = w.shard.now_or_fail(w.coordinator.fetch(request, true));
  REQUIRE(answer.topics.size() == 2);
  CHECK(answer.topics[1].name == "b");
  CHECK(answer.topics[1].partitions[0].committed_offset == Offset(2));
}

TEST_CASE("deleting a group takes its offsets along, for good") {
  World w;
  const std::string member = w.stable_member();
  w.commit(World::commit_request(3, "other"));
  CHECK(w.remove() == non_empty_group);
  CHECK(w.remove("nope") == group_id_not_found);
  w.shard.pass(Millis(20'000));
  CHECK(w.describe().group_state == "Empty");
  w.commit(World::commit_request(4));
  CHECK(w.remove() == none);
  CHECK(w.fetch() == -1);
  CHECK(w.describe().error == group_id_not_found);
  CHECK(w.describe().group_state == "Dead");
  CHECK(w.describe().error_message == "Group g not found.");
  CHECK(w.describe("g", 5).error == none);
  CHECK(w.log->contents().size() == 1);
  World next(w.log);
  CHECK(next.fetch() == -1);
  CHECK(next.fetch("other") == 3);
}

TEST_CASE("a deletion that cannot be written did not happen") {
  World w;
  w.commit(World::commit_request(4));
  w.log->append_says = kafka_storage_error;
  CHECK(w.remove() == not_coordinator);
  w.log->append_says = none;
  CHECK(w.fetch() == 4);
  CHECK(w.remove() == none);
}

TEST_CASE("offsets can be deleted one by one, not under the members who read them") {
  World w;
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
  w.commit(World::commit_request(4));
  CHECK(ask().topics[0].partitions[0].error == none);
  CHECK(w.fetch() == -1);
  request.group_id = "nope";
  CHECK(ask().error == group_id_not_found);
  request.group_id = "";
  CHECK(ask().error == invalid_group_id);
}

TEST_CASE("filters of a listing ignore case and blanks; what nobody knows lists nothing") {
  World w;
  w.stable_member();
  w.commit(World::commit_request(1, "plain"));
  CHECK(w.list({" sTaBle"}) == std::vector<std::string>{"g consumer Stable Classic"});
  CHECK(w.list({"Empty", "Stable"}).size() == 2);
  CHECK(w.list({"nonsense"}).empty());
  CHECK(w.list({}, {"CLASSIC"}).size() == 2);
  CHECK(w.list({}, {"consumer"}).empty());
  CHECK(w.list({}, {"nonsense"}).empty());
}

TEST_CASE("offsets of a group without members expire a week after it became empty, and the group with them") {
  World w;
  w.session_timeout = Millis(90'000);
  const std::string member = w.stable_member();
  OffsetCommitRequest request = World::commit_request(1);
  request.member_id = member;
  request.generation_id_or_member_epoch = 1;
  w.commit(request);
  w.commit(World::commit_request(2, "plain"));
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
  World w;
  OffsetCommitRequest request = World::commit_request(1);
  request.retention_time = Millis(3'600'000);
  w.commit(request, 4);
  w.shard.pass(Millis(3'500'000));
  CHECK(w.fetch() == 1);
  w.shard.pass(Millis(700'000));
  CHECK(w.fetch() == -1);
}

TEST_CASE("while its log is read, a group answers that; its members' heartbeats are believed") {
  auto log = std::make_shared<MemoryLog>(4);
  log->reads_held = true;
  World w(log);
  CHECK((**w.join(w.join_request())).error == coordinator_load_in_progress);
  CHECK(w.heartbeat("m", 1) == none);
  CHECK(w.commit(World::commit_request(1)) == coordinator_load_in_progress);
  CHECK(w.shard.now_or_fail(w.coordinator.fetch(World::fetch_request(), true)).error == coordinator_load_in_progress);
  CHECK(w.shard.now_or_fail(w.coordinator.list({5, "", ""}, {})).error == coordinator_load_in_progress);
  CHECK(w.describe().error == coordinator_load_in_progress);
  log->reads_held = false;
  w.shard.run([&] { log->released.notify(); });
  CHECK(w.commit(World::commit_request(1)) == none);
}

TEST_CASE("the topic is created when somebody first looks for a group") {
  World w(0);
  CHECK((**w.join(w.join_request())).error == not_coordinator);
  w.log->create_says = invalid_replication_factor;
  CHECK(w.shard.now_or_fail(w.coordinator.locate("g")).error() == coordinator_not_available);
  w.log->create_says = none;
  const auto where = w.shard.now_or_fail(w.coordinator.locate("g"));
  REQUIRE(where);
  CHECK(where->value == 'g' % 50);
  CHECK(w.log->created_with.size() == 3);
  CHECK(w.commit(World::commit_request(1)) == none);
}

TEST_CASE("giving a partition away answers who waits; taking it back reads the log again") {
  World w;
  w.commit(World::commit_request(9));
  const auto waiting = w.join(w.join_request());
  CHECK(!waiting->has_value());
  const PartitionId partition(partition_of_group("g", 4));
  w.log->leading = false;
  w.shard.run([&] { w.coordinator.resign(partition); });
  CHECK((*waiting)->error == not_coordinator);
  CHECK(w.commit(World::commit_request(10)) == not_coordinator);
  w.log->leading = true;
  w.shard.run([&] { w.coordinator.lead(partition); });
  CHECK(w.fetch() == 9);
}

TEST_CASE("closing answers who waits") {
  World w;
  const auto waiting = w.join(w.join_request());
  w.shard.begin(World::stop(w.coordinator));
  REQUIRE(waiting->has_value());
  CHECK((*waiting)->error == not_coordinator);
}

TEST_CASE("offsets of deleted topics are forgotten") {
  World w;
  w.commit(World::commit_request(1, "g", "t"));
  w.commit(World::commit_request(2, "g", "u"));
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
  World w;
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
    World open(w.log);
    const auto answer = open.shard.now_or_fail(open.coordinator.fetch(World::fetch_request(), true));
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
  World next(w.log);
  CHECK(next.fetch() == 5);
}

}  // namespace
}  // namespace millrace::broker::groups
