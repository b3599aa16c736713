// The group coordinator over a log in memory: members, and groups as a whole.
#include "broker/groups/coordinator.h"

#include "tests/broker/groups/coordinator_world.h"

namespace millrace::broker::groups {
namespace {

using enum ErrorCode;
using namespace protocol;

TEST_CASE("a member joins, syncs, commits, and another broker's coordinator knows it all") {
  CoordinatorWorld w;
  const std::string member = w.stable_member();
  CHECK(member.starts_with("client-"));
  CHECK(member.size() == 7 + 36);
  OffsetCommitRequest request = CoordinatorWorld::commit_request(42);
  request.member_id = member;
  request.generation_id_or_member_epoch = 1;
  request.topics[0].partitions[0].committed_metadata = "note";
  request.topics[0].partitions[0].committed_leader_epoch = LeaderEpoch(3);
  CHECK(w.commit(request) == none);

  CoordinatorWorld next(w.log);
  const auto answer = next.shard.now_or_fail(next.coordinator.fetch(CoordinatorWorld::fetch_request(), true));
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
  CoordinatorWorld w;
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
  CoordinatorWorld w;
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
  CoordinatorWorld w;
  SyncGroupRequest request;
  request.group_id = "g";
  CHECK(w.shard.now_or_fail(w.coordinator.sync({5, "", ""}, request)).error == inconsistent_group_protocol);
  CHECK(w.shard.now_or_fail(w.coordinator.sync({4, "", ""}, request)).error == unknown_member_id);
  request.group_id = "";
  CHECK(w.shard.now_or_fail(w.coordinator.sync({4, "", ""}, request)).error == invalid_group_id);
}

TEST_CASE("leaving an unknown group: each member for itself, and at the top before version 3") {
  CoordinatorWorld w;
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

TEST_CASE("a slot that is taken back waits for the writes of its former life") {
  CoordinatorWorld w;
  w.log->held = true;
  const auto answer = w.begin_commit(CoordinatorWorld::commit_request(2));
  const PartitionId partition(partition_of_group("g", 4));
  w.shard.run([&] {
    w.coordinator.resign(partition);
    w.coordinator.lead(partition);
  });
  CHECK(w.commit(CoordinatorWorld::commit_request(3)) == coordinator_load_in_progress);
  w.log->held = false;
  w.shard.run([&] { w.log->released.notify(); });
  CHECK(answer->has_value());
  CHECK(w.fetch() == 2);
}

TEST_CASE("deleting a group takes its offsets along, for good") {
  CoordinatorWorld w;
  const std::string member = w.stable_member();
  w.commit(CoordinatorWorld::commit_request(3, "other"));
  CHECK(w.remove() == non_empty_group);
  CHECK(w.remove("nope") == group_id_not_found);
  w.shard.pass(Millis(20'000));
  CHECK(w.describe().group_state == "Empty");
  w.commit(CoordinatorWorld::commit_request(4));
  CHECK(w.remove() == none);
  CHECK(w.fetch() == -1);
  CHECK(w.describe().error == group_id_not_found);
  CHECK(w.describe().group_state == "Dead");
  CHECK(w.describe().error_message == "Group g not found.");
  CHECK(w.describe("g", 5).error == none);
  CHECK(w.log->contents().size() == 1);
  CoordinatorWorld next(w.log);
  CHECK(next.fetch() == -1);
  CHECK(next.fetch("other") == 3);
}

TEST_CASE("a deletion that cannot be written did not happen") {
  CoordinatorWorld w;
  w.commit(CoordinatorWorld::commit_request(4));
  w.log->append_says = kafka_storage_error;
  CHECK(w.remove() == not_coordinator);
  w.log->append_says = none;
  CHECK(w.fetch() == 4);
  CHECK(w.remove() == none);
}

TEST_CASE("filters of a listing ignore case and blanks; what nobody knows lists nothing") {
  CoordinatorWorld w;
  w.stable_member();
  w.commit(CoordinatorWorld::commit_request(1, "plain"));
  CHECK(w.list({" sTaBle"}) == std::vector<std::string>{"g consumer Stable Classic"});
  CHECK(w.list({"Empty", "Stable"}).size() == 2);
  CHECK(w.list({"nonsense"}).empty());
  CHECK(w.list({}, {"CLASSIC"}).size() == 2);
  CHECK(w.list({}, {"consumer"}).empty());
  CHECK(w.list({}, {"nonsense"}).empty());
}

TEST_CASE("while its log is read, a group answers that; its members' heartbeats are believed") {
  auto log = std::make_shared<MemoryLog>(4);
  log->reads_held = true;
  CoordinatorWorld w(log);
  CHECK((**w.join(w.join_request())).error == coordinator_load_in_progress);
  CHECK(w.heartbeat("m", 1) == none);
  CHECK(w.commit(CoordinatorWorld::commit_request(1)) == coordinator_load_in_progress);
  CHECK(w.shard.now_or_fail(w.coordinator.fetch(CoordinatorWorld::fetch_request(), true)).error ==
        coordinator_load_in_progress);
  CHECK(w.shard.now_or_fail(w.coordinator.list({5, "", ""}, {})).error == coordinator_load_in_progress);
  CHECK(w.describe().error == coordinator_load_in_progress);
  log->reads_held = false;
  w.shard.run([&] { log->released.notify(); });
  CHECK(w.commit(CoordinatorWorld::commit_request(1)) == none);
}

TEST_CASE("the topic is created when somebody first looks for a group") {
  CoordinatorWorld w(0);
  CHECK((**w.join(w.join_request())).error == not_coordinator);
  w.log->create_says = invalid_replication_factor;
  CHECK(w.shard.now_or_fail(w.coordinator.locate("g")).error() == coordinator_not_available);
  w.log->create_says = none;
  const auto where = w.shard.now_or_fail(w.coordinator.locate("g"));
  REQUIRE(where);
  CHECK(where->value == 'g' % 50);
  CHECK(w.log->created_with.size() == 3);
  CHECK(w.commit(CoordinatorWorld::commit_request(1)) == none);
}

TEST_CASE("giving a partition away answers who waits; taking it back reads the log again") {
  CoordinatorWorld w;
  w.commit(CoordinatorWorld::commit_request(9));
  const auto waiting = w.join(w.join_request());
  CHECK(!waiting->has_value());
  const PartitionId partition(partition_of_group("g", 4));
  w.log->leading = false;
  w.shard.run([&] { w.coordinator.resign(partition); });
  CHECK((*waiting)->error == not_coordinator);
  CHECK(w.commit(CoordinatorWorld::commit_request(10)) == not_coordinator);
  w.log->leading = true;
  w.shard.run([&] { w.coordinator.lead(partition); });
  CHECK(w.fetch() == 9);
}

TEST_CASE("closing answers who waits") {
  CoordinatorWorld w;
  const auto waiting = w.join(w.join_request());
  w.shard.begin(CoordinatorWorld::stop(w.coordinator));
  REQUIRE(waiting->has_value());
  CHECK((*waiting)->error == not_coordinator);
}

}  // namespace
}  // namespace millrace::broker::groups
