// The group APIs as bytes, through the dispatch table, in every version.
#include "broker/handlers/group_handlers.h"

#include "protocol/messages/join_group.h"
#include "tests/broker/groups/group_world.h"
#include "tests/broker/groups/one_shard.h"

namespace millrace::broker {
namespace {

using enum ErrorCode;
using namespace protocol;
using groups::GroupCoordinator;

struct Topics final : groups::TopicDirectory {
  std::optional<Topic> find(std::string_view name) const override {
    const auto found = topics.find(std::string(name));
    return found == topics.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::string> name_of(TopicId id) const override {
    for (const auto& [name, topic] : topics) {
      if (topic.id == id) return name;
    }
    return std::nullopt;
  }
  std::map<std::string, Topic> topics{{"t", {{1, 1}, 2}}, {"u", {{2, 2}, 1}}};
};

struct World {
  World() {
    finder.add(CoordinatorType::group, [this](RequestContext, std::string key) { return locate(std::move(key)); });
    add_group_handlers(dispatch, services);
    shard.run([&] { coordinator.start(); });
  }
  ~World() {
    shard.begin(stop(coordinator));
    shard.pass(Millis(10'000));
  }
  static Task<int> stop(GroupCoordinator& c) {
    co_await c.close();
    co_return 0;
  }
  Task<Located> locate(std::string key) {
    const auto where = co_await coordinator.locate(std::move(key));
    if (!where) co_return Located{where.error()};
    co_return Located{none, BrokerId(1), "broker", 9092};
  }

  template <class Request>
  auto begin(const Request& request, int16_t version) {
    REQUIRE(dispatch.serves(Request::key, version));
    Writer writer;
    request.encode(writer, version);
    RequestContext context;
    context.api_key = Request::key;
    context.version = version;
    context.client_id = "client";
    return shard.begin(dispatch.handle(context, writer.finish_whole()));
  }
  template <class Request>
  static typename Request::Response read(const std::optional<std::optional<std::vector<Bytes>>>& result,
                                         int16_t version) {
    REQUIRE(result);
    std::string whole;
    for (const Bytes& piece : **result) whole += piece.text();
    Reader reader(Bytes::copy_of(whole));
    CHECK(reader.i32() == static_cast<int32_t>(whole.size() - 4));
    CHECK(reader.i32() == 0);  // the correlation id
    if (protocol::response_header_version<Request>(version) == 1) reader.skip_tagged();
    typename Request::Response response;
    response.decode(reader, version);
    REQUIRE(reader.ok());
    CHECK(reader.remaining() == 0);
    return response;
  }
  template <class Request>
  typename Request::Response ask(const Request& request, int16_t version) {
    return read<Request>(*begin(request, version), version);
  }

  OffsetCommitRequest commit_request(int16_t version, std::string topic = "t", TopicId id = {1, 1}) {
    OffsetCommitRequest request;
    request.group_id = "g" + std::to_string(version);
    auto& to = request.topics.emplace_back();
    if (version < 10)
      to.name = std::move(topic);
    else
      to.id = id;
    for (const int32_t p : {0, 1, 2}) {
      auto& partition = to.partitions.emplace_back();
      partition.index = PartitionId(p);
      partition.committed_offset = Offset(100 + p);
    }
    return request;
  }

  groups::OneShard shard;
  groups::MemoryLog log{4};
  GroupCoordinator coordinator{log, {}};
  Topics topics;
  CoordinatorFinder finder;
  GroupServices services{shard, coordinator, topics, finder};
  Dispatch dispatch;
};

TEST_CASE("the table serves the versions Kafka 4.3 does") {
  World w;
  const std::vector<ApiRange> expected{{8, 2, 10}, {9, 1, 10}, {10, 0, 6}, {11, 0, 9}, {12, 0, 4}, {13, 0, 5},
                                       {14, 0, 5}, {15, 0, 6}, {16, 0, 5}, {42, 0, 2}, {47, 0, 0}};
  CHECK(w.dispatch.advertised() == expected);
}

TEST_CASE("a member's life in every version of the protocol") {
  for (int16_t v = 0; v <= 9; ++v) {
    INFO("JoinGroup version ", v);
    World w;
    const auto at_most = [&](int16_t highest) { return std::min(v, highest); };
    JoinGroupRequest join;
    join.group_id = "g";
    join.session_timeout = Millis(10'000);
    if (v >= 1) join.rebalance_timeout = Millis(10'000);
    join.protocol_type = "consumer";
    join.protocols = {{"range", groups::subscription({"t"})}};
    if (v >= 4) {
      const JoinGroupResponse named = w.ask(join, v);
      REQUIRE(named.error == member_id_required);
      join.member_id = named.member_id;
    }
    const auto parked = w.begin(join, v);
    CHECK(!parked->has_value());
    w.shard.pass(Millis(3'000));
    const JoinGroupResponse joined = World::read<JoinGroupRequest>(*parked, v);
    REQUIRE(joined.error == none);
    CHECK(joined.leader == joined.member_id);
    CHECK(joined.protocol_name == "range");
    CHECK(joined.members.size() == 1);

    const int16_t sync_version = at_most(5);
    SyncGroupRequest sync;
    sync.group_id = "g";
    sync.generation_id = 1;
    sync.member_id = joined.member_id;
    if (sync_version >= 5) {
      sync.protocol_type = "consumer";
      sync.protocol_name = "range";
    }
    sync.assignments = {{joined.member_id, groups::bytes("all")}};
    CHECK(w.ask(sync, sync_version).assignment.text() == "all");

    HeartbeatRequest heartbeat;
    heartbeat.group_id = "g";
    heartbeat.generation_id = 1;
    heartbeat.member_id = joined.member_id;
    CHECK(w.ask(heartbeat, at_most(4)).error == none);

    DescribeGroupsRequest describe;
    describe.groups = {"g"};
    describe.include_authorized_operations = v >= 3;
    const auto described = w.ask(describe, at_most(6)).groups.at(0);
    CHECK(described.group_state == "Stable");
    CHECK(described.members.at(0).member_assignment.text() == "all");
    CHECK(described.authorized_operations == (v >= 3 ? all_group_operations : INT32_MIN));

    CHECK(w.ask(ListGroupsRequest{}, at_most(5)).groups.at(0).protocol_type == "consumer");

    DeleteGroupsRequest remove;
    remove.groups_names = {"g", "g", "nope"};
    auto removed = w.ask(remove, at_most(2)).results;
    REQUIRE(removed.size() == 2);
    CHECK(removed[0].error == non_empty_group);
    CHECK(removed[1].error == group_id_not_found);

    LeaveGroupRequest leave;
    leave.group_id = "g";
    const int16_t leave_version = at_most(5);
    if (leave_version < 3)
      leave.member_id = joined.member_id;
    else
      leave.members = {{joined.member_id, {}, {}}};
    CHECK(w.ask(leave, leave_version).error == none);
    CHECK(w.ask(remove, at_most(2)).results.at(0).error == none);
  }
}

TEST_CASE("offsets are committed and fetched in every version; partitions that do not exist are refused") {
  World w;
  for (int16_t v = 2; v <= 10; ++v) {
    INFO("OffsetCommit version ", v);
    const OffsetCommitResponse response = w.ask(w.commit_request(v), v);
    REQUIRE(response.topics.size() == 1);
    const auto& partitions = response.topics[0].partitions;
    REQUIRE(partitions.size() == 3);
    CHECK(partitions[0] == OffsetCommitResponsePartition{PartitionId(2), unknown_topic_or_partition});
    CHECK(partitions[1].error == none);
    CHECK(response.topics[0].id == (v == 10 ? TopicId{1, 1} : TopicId{}));

    const OffsetCommitResponse unknown = w.ask(w.commit_request(v, "nope", {9, 9}), v);
    CHECK(unknown.topics.at(0).partitions.at(0).error == (v == 10 ? unknown_topic_id : unknown_topic_or_partition));
  }
  for (int16_t v = 1; v <= 10; ++v) {
    INFO("OffsetFetch version ", v);
    OffsetFetchRequest request;
    const std::vector<PartitionId> indexes{PartitionId(0), PartitionId(2)};
    if (v < 8) {
      request.group_id = "g5";
      request.topics->push_back({"t", indexes});
      const auto response = w.ask(request, v);
      CHECK(response.topics.at(0).partitions.at(0).committed_offset == Offset(100));
      CHECK(response.topics.at(0).partitions.at(1).committed_offset == Offset(-1));
      CHECK(response.topics.at(0).partitions.at(1).error == none);
      if (v >= 2) {
        request.topics.reset();
        CHECK(w.ask(request, v).topics.at(0).partitions.size() == 2);
      }
      continue;
    }
    for (const std::string group : {"g5", "g10"}) {
      auto& asked = request.groups.emplace_back();
      asked.group_id = group;
      asked.topics.emplace();
      if (v < 10)
        asked.topics->push_back({"t", {}, indexes});
      else
        asked.topics->push_back({"", {9, 9}, indexes}), asked.topics->push_back({"", {1, 1}, indexes});
    }
    auto& all = request.groups.emplace_back();
    all.group_id = "g7";
    const auto response = w.ask(request, v);
    REQUIRE(response.groups.size() == 3);
    const auto& topics = response.groups[1].topics;
    CHECK(topics.at(0).partitions.at(0).committed_offset == Offset(100));
    if (v == 10) {
      CHECK(topics.at(0).id == TopicId{1, 1});
      CHECK(topics.at(1).partitions.at(0).error == unknown_topic_id);
      CHECK(topics.at(1).partitions.at(0).metadata == "");
      CHECK(response.groups[2].topics.at(0).id == TopicId{1, 1});
    }
    CHECK(response.groups[2].topics.at(0).partitions.size() == 2);
  }
}

TEST_CASE("a topic created again under its old name starts without the offsets of the first") {
  World w;
  w.ask(w.commit_request(10), 10);
  w.ask(w.commit_request(9), 9);
  w.topics.topics["t"].id = {7, 7};
  OffsetFetchRequest request;
  auto& group = request.groups.emplace_back();
  group.group_id = "g10";
  group.topics.emplace();
  group.topics->push_back({"", {7, 7}, {PartitionId(0)}});
  CHECK(w.ask(request, 10).groups.at(0).topics.at(0).partitions.at(0).committed_offset == Offset(-1));
  group.group_id = "g9";
  CHECK(w.ask(request, 10).groups.at(0).topics.at(0).partitions.at(0).committed_offset == Offset(-1));
}

TEST_CASE("deleting offsets says what does not exist, and the group's fault above all") {
  World w;
  w.ask(w.commit_request(5), 5);
  OffsetDeleteRequest request;
  request.group_id = "g5";
  request.topics.resize(2);
  request.topics[0].name = "t";
  request.topics[0].partitions = {{PartitionId(0)}, {PartitionId(7)}};
  request.topics[1].name = "nope";
  request.topics[1].partitions = {{PartitionId(0)}};
  const auto response = w.ask(request, 0);
  CHECK(response.error == none);
  REQUIRE(response.topics.size() == 2);
  CHECK(response.topics[0].partitions == std::vector<OffsetDeleteResponsePartition>{
                                             {PartitionId(7), unknown_topic_or_partition}, {PartitionId(0), none}});
  request.group_id = "nobody";
  CHECK(w.ask(request, 0).error == group_id_not_found);
  CHECK(w.ask(request, 0).topics.empty());
}

TEST_CASE("coordinators are found in every version") {
  World w;
  for (int16_t v = 0; v <= 6; ++v) {
    INFO("version ", v);
    FindCoordinatorRequest request;
    if (v < 4) {
      request.coordinator_key = "";
      const auto response = w.ask(request, v);
      CHECK(response.error == none);
      CHECK(response.node_id == BrokerId(1));
      CHECK(response.host == "broker");
      CHECK(response.port == 9092);
      if (v == 0) continue;
      CHECK(response.error_message == "NONE");
      request.key_type = 1;
      CHECK(w.ask(request, v).error == coordinator_not_available);
      request.key_type = 9;
      CHECK(w.ask(request, v).error == invalid_request);
      CHECK(w.ask(request, v).node_id == BrokerId(-1));
      CHECK(w.ask(request, v).port == -1);
      continue;
    }
    request.coordinator_keys = {"a", ""};
    const auto response = w.ask(request, v);
    REQUIRE(response.coordinators.size() == 2);
    CHECK(response.coordinators[0].key == "a");
    CHECK(response.coordinators[1].node_id == BrokerId(1));
    CHECK(response.coordinators[1].error == none);
    request.key_type = 2;
    CHECK(w.ask(request, v).coordinators.at(0).error == invalid_request);
    request.key_type = -1;
    CHECK(w.ask(request, v).coordinators.at(0).error == invalid_request);
  }
}

TEST_CASE("the key of a share coordinator names a group, a topic id and a partition") {
  CHECK(is_share_key("g:AAAAAAAAAAAAAAAAAAAAAQ:0"));
  CHECK(is_share_key("a:b:AAAAAAAAAAAAAAAAAAAAAQ:7"));
  for (const auto* bad :
       {"", ":", "::", " :AAAAAAAAAAAAAAAAAAAAAQ:0", "g", "g:AAAAAAAAAAAAAAAAAAAAAQ", "g:AAAAAAAAAAAAAAAAAAAAAQ:-1",
        "g:AAAAAAAAAAAAAAAAAAAAAQ:x", "g:AAAAAAAAAAAAAAAAAAAAAQ:", ":AAAAAAAAAAAAAAAAAAAAAQ:0", "g:short:0"}) {
    CHECK_MESSAGE(!is_share_key(bad), bad);
  }
}

}  // namespace
}  // namespace millrace::broker
