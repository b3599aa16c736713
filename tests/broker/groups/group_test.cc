// The rules of the group machine, one by one.
#include "broker/groups/group.h"

#include "tests/broker/groups/group_world.h"

namespace millrace::broker::groups {
namespace {

using enum ErrorCode;

TEST_CASE("the first member waits for the initial delay, leads, and gets the members") {
  GroupWorld w;
  const auto token = w.join("");
  w.pass(Millis(2'999));
  CHECK(!w.answered(token));
  w.pass(Millis(1));
  const JoinAnswer& answer = w.joined(token);
  CHECK(answer.error == none);
  CHECK(answer.generation == 1);
  CHECK(answer.leader == "m1");
  CHECK(answer.member_id == "m1");
  CHECK(answer.protocol_type == "consumer");
  CHECK(answer.protocol_name == "range");
  REQUIRE(answer.members.size() == 1);
  CHECK(answer.members[0].metadata.text() == "m");
  CHECK(w.group.state() == GroupState::completing_rebalance);
}

TEST_CASE("each member that comes during the initial delay prolongs it, up to the rebalance timeout") {
  GroupWorld w;
  w.rebalance_timeout = Millis(8'000);
  const auto first = w.join("");
  for (int i = 0; i < 10; ++i) {
    w.pass(Millis(1'000));
    if (!w.answered(first)) w.join("");
  }
  // 3 s, 3 s, and the 2 s that remain.
  CHECK(w.joined(first).members.size() == 8);
}

TEST_CASE("an initial delay of zero ends with the next tick") {
  GroupWorld w({.initial_rebalance_delay = Millis(0)});
  const auto token = w.join("");
  w.pass(Millis(0));
  CHECK(w.joined(token).generation == 1);
}

TEST_CASE("a new dynamic member gets its id first, and is forgotten when it does not come back") {
  GroupWorld w;
  const auto token = w.join("", {{"range", bytes("m")}}, {}, true);
  CHECK(w.joined(token).error == member_id_required);
  CHECK(w.joined(token).member_id == "m1");
  CHECK(w.group.state() == GroupState::empty);
  w.pass(Millis(9'999));
  const auto again = w.join("m1");
  w.pass(Millis(3'000));
  CHECK(w.joined(again).error == none);

  GroupWorld late;
  late.join("", {{"range", bytes("m")}}, {}, true);
  late.pass(Millis(10'000));
  CHECK(late.joined(late.join("m1")).error == unknown_member_id);
}

TEST_CASE("a rebalance waits for ids that were given out and not joined with yet") {
  GroupWorld w;
  w.stabilize(1);
  w.join("", {{"range", bytes("m")}}, {}, true);
  const auto leader = w.join("m1");
  CHECK(!w.answered(leader));
  w.pass(Millis(9'000));
  const auto second = w.join("m2");
  CHECK(w.joined(leader).generation == 2);
  CHECK(w.joined(leader).members.size() == 2);
  CHECK(w.joined(second).members.empty());
  CHECK(w.joined(second).leader == "m1");
}

TEST_CASE("static members need no id first") {
  GroupWorld w;
  const auto token = w.join("", {{"range", bytes("m")}}, "i1", true);
  w.pass(Millis(3'000));
  CHECK(w.joined(token).error == none);
  CHECK(w.joined(token).members[0].instance_id == "i1");
}

TEST_CASE("no protocols, no type, or none in common is refused") {
  GroupWorld w;
  CHECK(w.joined(w.join("", {})).error == inconsistent_group_protocol);
  w.protocol_type = "";
  CHECK(w.joined(w.join("")).error == inconsistent_group_protocol);
  w.protocol_type = "consumer";
  w.join("");
  CHECK(w.joined(w.join("", {{"sticky", bytes("m")}})).error == inconsistent_group_protocol);
  w.protocol_type = "connect";
  CHECK(w.joined(w.join("")).error == inconsistent_group_protocol);
}

TEST_CASE("the protocol is the one most members prefer among those all know") {
  GroupWorld w;
  const Bytes m = bytes("m");
  const auto first = w.join("", {{"a", m}, {"b", m}, {"c", m}});
  w.join("", {{"x", m}, {"b", m}, {"c", m}});
  w.join("", {{"b", m}, {"c", m}});
  w.join("", {{"c", m}, {"b", m}});
  w.pass(Millis(60'000));
  CHECK(w.joined(first).protocol_name == "b");
}

TEST_CASE("followers' syncs wait for the leader's, and the leader's for the log") {
  GroupWorld w;
  w.stores_at_once = false;
  w.join("");
  w.join("");
  w.pass(Millis(6'000));
  const auto follower = w.sync("m2", 1);
  CHECK(!w.answered(follower));
  const auto leader = w.sync("m1", 1, {{"m1", bytes("1")}, {"m2", bytes("2")}});
  CHECK(!w.answered(leader));
  CHECK(w.group.commit("m1", {}, 1, false, w.now) == rebalance_in_progress);
  CHECK(w.heartbeat("m1", 1) == none);
  REQUIRE(w.stores.size() == 1);
  CHECK(w.stores[0].record.members[1].assignment.text() == "2");
  w.finish_store();
  CHECK(w.synced(leader).assignment.text() == "1");
  CHECK(w.synced(follower).assignment.text() == "2");
  CHECK(w.synced(follower).protocol_name == "range");
  CHECK(w.group.state() == GroupState::stable);
  CHECK(w.synced(w.sync("m2", 1)).assignment.text() == "2");
}

TEST_CASE("an assignment that cannot be stored sends everybody back to join") {
  GroupWorld w;
  w.stores_at_once = false;
  w.join("");
  w.join("");
  w.pass(Millis(6'000));
  const auto follower = w.sync("m2", 1);
  const auto leader = w.sync("m1", 1, {});
  w.finish_store(not_enough_replicas);
  CHECK(w.synced(leader).error == coordinator_not_available);
  CHECK(w.synced(follower).error == coordinator_not_available);
  CHECK(w.group.state() == GroupState::preparing_rebalance);
}

TEST_CASE("an assignment stored too late is history") {
  GroupWorld w;
  w.stores_at_once = false;
  w.join("");
  w.pass(Millis(3'000));
  const auto leader = w.sync("m1", 1, {{"m1", bytes("1")}});
  w.join("");
  CHECK(w.synced(leader).error == rebalance_in_progress);
  w.finish_store();
  CHECK(w.group.state() == GroupState::preparing_rebalance);
}

TEST_CASE("what sync checks") {
  GroupWorld w;
  CHECK(w.synced(w.sync("m1", 1)).error == unknown_member_id);
  w.stabilize(2);
  CHECK(w.synced(w.sync("nobody", 1)).error == unknown_member_id);
  CHECK(w.synced(w.sync("m1", 2)).error == illegal_generation);
  CHECK(w.synced(w.sync("m1", 1, {}, "i9")).error == unknown_member_id);
  Sync wrong{.reply = 900, .member_id = "m1", .generation = 1, .protocol_type = "connect"};
  w.take(w.group.step(wrong, w.now));
  CHECK(w.synced(900).error == inconsistent_group_protocol);
  wrong = {.reply = 901, .member_id = "m1", .generation = 1, .protocol_name = "sticky"};
  w.take(w.group.step(wrong, w.now));
  CHECK(w.synced(901).error == inconsistent_group_protocol);
  w.join("");
  CHECK(w.synced(w.sync("m1", 1)).error == rebalance_in_progress);
}

TEST_CASE("a follower that joins again unchanged changes nothing; a changed one, and the leader, rebalance") {
  GroupWorld w;
  w.stabilize(2);
  CHECK(w.joined(w.join("m2")).generation == 1);
  CHECK(w.group.state() == GroupState::stable);

  SUBCASE("changed follower") {
    const auto token = w.join("m2", {{"range", bytes("other")}});
    CHECK(!w.answered(token));
    CHECK(w.heartbeat("m1", 1) == rebalance_in_progress);
    CHECK(w.group.commit("m1", {}, 1, false, w.now) == none);
    w.join("m1");
    CHECK(w.joined(token).generation == 2);
  }
  SUBCASE("leader") {
    w.join("m1");
    CHECK(w.group.state() == GroupState::preparing_rebalance);
  }
}

TEST_CASE("members that do not join in time are out, and somebody here leads") {
  GroupWorld w;
  w.session_timeout = Millis(300'000);
  w.stabilize(3);
  const auto second = w.join("m2", {{"range", bytes("other")}});
  const auto third = w.join("m3");
  w.pass(Millis(59'999));
  CHECK(!w.answered(second));
  w.pass(Millis(1));
  CHECK(w.joined(second).leader == "m2");
  CHECK(w.joined(second).members.size() == 2);
  CHECK(w.joined(third).generation == 2);
  CHECK(w.heartbeat("m1", 1) == unknown_member_id);
}

TEST_CASE("a silent member is out after its session timeout") {
  GroupWorld w;
  w.stabilize(2);
  for (int i = 0; i < 4; ++i) {
    w.pass(Millis(5'000));
    CHECK(w.heartbeat("m1", 1) == (i < 1 ? none : rebalance_in_progress));
  }
  const auto token = w.join("m1");
  CHECK(w.joined(token).generation == 2);
  CHECK(w.joined(token).members.size() == 1);
}

TEST_CASE("a commit keeps the session") {
  GroupWorld w;
  w.stabilize(1);
  for (int i = 0; i < 5; ++i) {
    w.pass(Millis(9'000));
    CHECK(w.group.commit("m1", {}, 1, false, w.now) == none);
  }
}

TEST_CASE("members that got their generation and never sync are out after the rebalance timeout") {
  GroupWorld w;
  w.session_timeout = Millis(300'000);
  w.join("");
  w.join("");
  w.pass(Millis(6'000));
  const auto follower = w.sync("m2", 1);
  w.pass(Millis(60'000));
  CHECK(w.synced(follower).error == rebalance_in_progress);
  const auto token = w.join("m2");
  CHECK(w.joined(token).members.size() == 1);
  CHECK(w.joined(token).leader == "m2");
}

TEST_CASE("a new member whose join nobody answers is given up after five minutes") {
  GroupWorld w;
  w.session_timeout = Millis(1'000'000);
  w.rebalance_timeout = Millis(1'000'000);
  w.stabilize(1);
  const auto token = w.join("");
  w.pass(Millis(299'999));
  CHECK(!w.answered(token));
  w.pass(Millis(1));
  CHECK(w.joined(token).error == unknown_member_id);
}

TEST_CASE("leaving: for oneself, by instance id, twice, and unknown") {
  GroupWorld w;
  w.stabilize(2);
  const auto third = w.join("", {{"range", bytes("m")}}, "i3");
  w.join("m1");
  w.join("m2");
  const std::string static_id = w.joined(third).member_id;
  const LeaveAnswer answer = w.leave({{"m1", {}}, {"m1", {}}, {"", "i3"}, {"", "i4"}, {"", {}}, {"m2", "i3"}});
  CHECK(answer.error == none);
  CHECK(answer.members ==
        std::vector{none, unknown_member_id, none, unknown_member_id, unknown_member_id, unknown_member_id});
  CHECK(w.leave({}).members.empty());
  CHECK(w.leave({{"m2", {}}}).members == std::vector{none});
  CHECK(w.group.state() == GroupState::empty);
  CHECK(w.group.generation() == 3);
  CHECK(w.stores.back().record.members.empty());
  CHECK(w.stores.back().record.generation == 3);
  CHECK(!w.stores.back().record.protocol);
  CHECK(w.stores.back().record.protocol_type == "consumer");
}

TEST_CASE("the old id of a static member is fenced, an unknown instance is unknown") {
  GroupWorld w;
  const auto first = w.join("", {{"range", bytes("m")}}, "i1");
  w.pass(Millis(3'000));
  w.sync("m1", 1, {{"m1", bytes("a")}}, "i1");
  CHECK(w.joined(first).leader == "m1");

  SUBCASE("it comes back and is told to skip the assignment") {
    const auto again = w.join("", {{"range", bytes("m")}}, "i1", true, true);
    const JoinAnswer& answer = w.joined(again);
    CHECK(answer.member_id == "m2");
    CHECK(answer.generation == 1);
    CHECK(answer.skip_assignment);
    CHECK(answer.leader == "m2");
    CHECK(answer.members.size() == 1);
    CHECK(w.synced(w.sync("m2", 1, {}, "i1")).assignment.text() == "a");
    CHECK(w.heartbeat("m1", 1, "i1") == fenced_instance_id);
    CHECK(w.heartbeat("m2", 1, "i9") == unknown_member_id);
    CHECK(w.joined(w.join("m1", {{"range", bytes("m")}}, "i1")).error == fenced_instance_id);
    CHECK(w.leave({{"m1", "i1"}}).members == std::vector{fenced_instance_id});
  }
  SUBCASE("before version 9 it sees the old leader, so that it does not assign") {
    const auto again = w.join("", {{"range", bytes("m")}}, "i1", true);
    CHECK(w.joined(again).leader == "m1");
    CHECK(!w.joined(again).skip_assignment);
    CHECK(w.joined(again).members.empty());
  }
  SUBCASE("it cannot be stored: the old id lives on") {
    w.log_says = request_timed_out;
    const auto again = w.join("", {{"range", bytes("m")}}, "i1", true, true);
    CHECK(w.joined(again).error == coordinator_not_available);
    CHECK(w.heartbeat("m1", 1, "i1") == none);
    CHECK(w.heartbeat("m2", 1) == unknown_member_id);
  }
  SUBCASE("with another protocol it rebalances") {
    const auto again = w.join("", {{"sticky", bytes("m")}, {"range", bytes("m")}}, "i1", true, true);
    CHECK(w.joined(again).generation == 2);
    CHECK(w.joined(again).protocol_name == "sticky");
  }
}

TEST_CASE("a static member that comes twice during a rebalance fences its first join") {
  GroupWorld w;
  const auto first = w.join("", {{"range", bytes("m")}}, "i1");
  const auto second = w.join("", {{"range", bytes("m")}}, "i1");
  CHECK(w.joined(first).error == fenced_instance_id);
  CHECK(w.joined(first).member_id == "m1");
  w.pass(Millis(10'000));
  CHECK(w.joined(second).members.size() == 1);
}

TEST_CASE("a group takes no more members than its maximum") {
  GroupWorld w({.max_size = 2});
  w.stabilize(2);
  CHECK(w.joined(w.join("")).error == group_max_size_reached);
  CHECK(w.joined(w.join("")).member_id.empty());
  const auto m1 = w.join("m1");
  CHECK(w.group.state() == GroupState::preparing_rebalance);
  w.join("m2");
  CHECK(w.joined(m1).generation == 2);
}

TEST_CASE("what a commit needs: a generation, or an empty group") {
  GroupWorld w;
  CHECK(w.group.commit("", {}, -1, false, w.now) == none);
  CHECK(w.group.commit("m1", {}, 3, false, w.now) == unknown_member_id);
  w.stabilize(1);
  CHECK(w.group.commit("", {}, -1, false, w.now) == unknown_member_id);
  CHECK(w.group.commit("", {}, -1, true, w.now) == none);
  CHECK(w.group.commit("m1", {}, 1, false, w.now) == none);
  CHECK(w.group.commit("m1", {}, 0, false, w.now) == illegal_generation);
  CHECK(w.group.commit("m1", {}, -1, false, w.now) == illegal_generation);
  CHECK(w.group.commit("m1", "i1", 1, false, w.now) == unknown_member_id);
}

TEST_CASE("a group loads as it was stored, and its members have a whole session to show up") {
  GroupWorld w;
  w.stabilize(3, {{"range", subscription({"t1", "t2"})}});
  GroupWorld loaded(w.stores.back().record);
  loaded.take(loaded.group.loaded(loaded.now));
  CHECK(loaded.group.state() == GroupState::stable);
  CHECK(loaded.group.leader() == "m1");
  CHECK(loaded.group.generation() == 1);
  CHECK(loaded.synced(loaded.sync("m3", 1)).assignment.text() == "for m3");
  CHECK(loaded.group.is_subscribed_to("t2"));
  CHECK(!loaded.group.is_subscribed_to("t3"));
  loaded.pass(Millis(9'999));
  CHECK(loaded.heartbeat("m2", 1) == none);
  loaded.pass(Millis(1));
  CHECK(loaded.group.state() == GroupState::preparing_rebalance);
  CHECK(loaded.joined(loaded.join("m2", {{"range", subscription({"t1"})}})).generation == 2);

  GroupWorld small(w.stores.back().record, {.max_size = 2});
  small.take(small.group.loaded(small.now));
  CHECK(small.group.state() == GroupState::preparing_rebalance);
}

TEST_CASE("offsets are kept while members read the topic") {
  GroupWorld w;
  CHECK(w.group.retention() == Group::Retention::since_commit);
  CHECK(!w.group.is_subscribed_to("t"));
  w.stabilize(1, {{"range", subscription({"t"})}});
  CHECK(w.group.retention() == Group::Retention::since_commit);
  CHECK(w.group.is_subscribed_to("t"));
  CHECK(!w.group.is_subscribed_to("u"));
  CHECK(w.group.check_offset_delete() == none);
  CHECK(w.group.check_delete() == non_empty_group);
  w.join("m1", {{"range", bytes("junk")}});
  CHECK(w.group.is_subscribed_to("u"));
  w.leave({{"m1", {}}});
  CHECK(w.group.retention() == Group::Retention::since_empty);
  CHECK(!w.group.is_subscribed_to("t"));
  CHECK(w.group.check_delete() == none);

  GroupWorld other;
  other.protocol_type = "connect";
  other.stabilize(1);
  CHECK(other.group.check_offset_delete() == non_empty_group);
  CHECK(other.group.retention() == Group::Retention::none);
}

TEST_CASE("giving the group away answers everybody") {
  GroupWorld w;
  const auto token = w.join("");
  w.take(w.group.step(Unload{}, w.now));
  CHECK(w.joined(token).error == not_coordinator);
  CHECK(w.group.state() == GroupState::dead);
  CHECK(w.group.deadline() == never);
  CHECK(w.joined(w.join("")).error == coordinator_not_available);
  CHECK(w.heartbeat("m1", 1) == coordinator_not_available);
}

TEST_CASE("a new group that cannot be stored answers its joins and is no more") {
  GroupWorld w;
  w.stores_at_once = false;
  const auto token = w.join("");
  w.take(w.group.created(w.now));
  CHECK(w.stores[0].record.protocol_type == "");
  CHECK(w.stores[0].record.generation == 0);
  w.finish_store(not_leader_or_follower);
  CHECK(w.joined(token).error == not_coordinator);
  CHECK(w.group.state() == GroupState::dead);
}

TEST_CASE("a year of heartbeats is one generation") {
  GroupWorld w;
  w.session_timeout = Millis(1'800'000);
  w.stabilize(2);
  for (int i = 0; i < 365 * 48; ++i) {
    w.pass(Millis(1'799'999));
    REQUIRE(w.heartbeat("m1", 1) == none);
    REQUIRE(w.heartbeat("m2", 1) == none);
  }
  w.pass(Millis(1'800'000));
  CHECK(w.group.state() == GroupState::empty);
}

TEST_CASE("a rebalance timeout of zero leaves no time to sync") {
  GroupWorld w;
  w.rebalance_timeout = Millis(0);
  const auto token = w.join("");
  w.pass(Millis(3'000));
  CHECK(w.joined(token).error == none);
  CHECK(w.synced(w.sync("m1", 1)).error == unknown_member_id);
}

}  // namespace
}  // namespace millrace::broker::groups
