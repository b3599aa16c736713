// A coordinator over a log in memory, and the requests its tests make of it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/groups/coordinator.h"
#include "tests/broker/groups/group_world.h"
#include "tests/broker/groups/one_shard.h"

namespace millrace::broker::groups {

struct CoordinatorWorld {
  explicit CoordinatorWorld(int32_t partitions = 4, GroupSettings with = {})
      : CoordinatorWorld(std::make_shared<MemoryLog>(partitions), with) {}
  CoordinatorWorld(std::shared_ptr<MemoryLog> log_, GroupSettings with = {})
      : log(std::move(log_)), coordinator(*log, with) {
    shard.run([&] { coordinator.start(); });
  }
  ~CoordinatorWorld() {
    log->held = log->reads_held = false;
    shard.run([&] { log->released.notify(); });
    shard.begin(stop(coordinator));
    shard.pass(Millis(60'000));
  }
  static Task<int> stop(GroupCoordinator& c) {
    co_await c.close();
    co_return 0;
  }

  protocol::JoinGroupRequest join_request(std::string member = "", std::string group = "g") {
    protocol::JoinGroupRequest request;
    request.group_id = std::move(group);
    request.session_timeout = session_timeout;
    request.rebalance_timeout = Millis(60'000);
    request.member_id = std::move(member);
    request.protocol_type = "consumer";
    request.protocols = {{"range", subscription({"t"})}};
    return request;
  }
  auto join(protocol::JoinGroupRequest request, int16_t version = 3) {
    return shard.begin(coordinator.join({version, "client", "/127.0.0.1"}, std::move(request)));
  }
  protocol::SyncGroupResponse sync(std::string member, int32_t generation, std::string assignment = "x") {
    protocol::SyncGroupRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.generation_id = generation;
    request.assignments = {{member, bytes(assignment)}};
    return shard.now_or_fail(coordinator.sync({4, "client", "/127.0.0.1"}, std::move(request)));
  }
  ErrorCode heartbeat(std::string member, int32_t generation) {
    protocol::HeartbeatRequest request;
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
    REQUIRE(sync(member, 1).error == ErrorCode::none);
    return member;
  }
  static protocol::OffsetCommitRequest commit_request(int64_t offset, std::string group = "g",
                                                      std::string topic = "t") {
    protocol::OffsetCommitRequest request;
    request.group_id = std::move(group);
    request.topics.resize(1);
    request.topics[0].name = std::move(topic);
    request.topics[0].partitions.resize(1);
    request.topics[0].partitions[0].committed_offset = Offset(offset);
    return request;
  }
  auto begin_commit(protocol::OffsetCommitRequest request, int16_t version = 8) {
    return shard.begin(coordinator.commit({version, "", ""}, std::move(request)));
  }
  ErrorCode commit(protocol::OffsetCommitRequest request, int16_t version = 8) {
    const auto answer = begin_commit(std::move(request), version);
    REQUIRE(answer->has_value());
    return (*answer)->topics.at(0).partitions.at(0).error;
  }
  static protocol::OffsetFetchRequestGroup fetch_request(std::string group = "g", TopicId id = {}) {
    protocol::OffsetFetchRequestGroup request;
    request.group_id = std::move(group);
    request.topics.emplace();
    request.topics->push_back({"t", id, {PartitionId(0)}});
    return request;
  }
  int64_t fetch(std::string group = "g") {
    const auto answer = shard.now_or_fail(coordinator.fetch(fetch_request(std::move(group)), true));
    REQUIRE(answer.error == ErrorCode::none);
    return answer.topics.at(0).partitions.at(0).committed_offset.value;
  }
  ErrorCode remove(std::string group = "g") {
    protocol::DeleteGroupsRequest request;
    request.groups_names = {std::move(group)};
    return shard.now_or_fail(coordinator.remove({2, "", ""}, std::move(request))).results.at(0).error;
  }
  protocol::DescribeGroupsResponseGroup describe(std::string group = "g", int16_t version = 6) {
    protocol::DescribeGroupsRequest request;
    request.groups = {std::move(group)};
    return shard.now_or_fail(coordinator.describe({version, "", ""}, std::move(request))).groups.at(0);
  }
  std::vector<std::string> list(std::vector<std::string> states = {}, std::vector<std::string> types = {}) {
    protocol::ListGroupsRequest request;
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

}  // namespace millrace::broker::groups
