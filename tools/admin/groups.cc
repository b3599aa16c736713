// `millrace groups`: list, describe with lag, reset offsets, delete.
#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"
#include "tools/admin/command.h"
#include "tools/verbs.h"

namespace millrace::tools {

namespace {

constexpr int16_t last_fetch_version_for_one_group = 7;
constexpr int16_t last_commit_version_with_names = 9;
constexpr Timestamp latest(-1);
constexpr Timestamp earliest(-2);

struct Wanted {
  std::string action;
  std::vector<std::string> groups;
  std::string topic;
  std::string to;
};

Task<Offset> offset_at(Cluster& cluster, std::string topic, protocol::MetadataResponsePartition partition,
                       Timestamp time) {
  BrokerConnection* leader = co_await cluster.broker(partition.leader_id);
  protocol::ListOffsetsRequest request;
  request.replica_id = BrokerId(-1);
  protocol::ListOffsetsRequestTopic asked;
  asked.name = topic;
  protocol::ListOffsetsRequestPartition which;
  which.index = partition.index;
  which.timestamp = time;
  asked.partitions.push_back(which);
  request.topics.push_back(std::move(asked));
  const auto answer = co_await leader->call(request);
  const auto& found = answer.topics.at(0).partitions.at(0);
  if (found.error != ErrorCode::none) throw ClientError(topic + ": " + describe(found.error));
  co_return found.offset;
}

Task<int> list(Cluster& cluster) {
  const auto metadata = co_await cluster.metadata(std::vector<std::string>{});
  std::vector<std::vector<std::string>> rows = {{"GROUP", "STATE", "TYPE"}};
  for (const auto& broker : metadata.brokers) {
    BrokerConnection* connection = co_await cluster.broker(broker.node_id);
    const protocol::ListGroupsRequest request;
    const auto answer = co_await connection->call(request);
    if (answer.error != ErrorCode::none) throw ClientError(describe(answer.error));
    for (const auto& group : answer.groups) rows.push_back({group.group_id, group.group_state, group.group_type});
  }
  std::sort(rows.begin() + 1, rows.end());
  admin::print_table(rows);
  co_return 0;
}

Task<int> describe_group(Cluster& cluster, std::string group) {
  const BrokerId coordinator = co_await cluster.coordinator(group);
  BrokerConnection* connection = co_await cluster.broker(coordinator);
  protocol::DescribeGroupsRequest request;
  request.groups = {group};
  const auto described = co_await connection->call(request);
  const auto& info = described.groups.at(0);
  if (info.error != ErrorCode::none) throw ClientError("group '" + group + "': " + describe(info.error));
  fmt::print("{}  {}  {} members{}\n", group, info.group_state, info.members.size(),
             info.protocol_data.empty() ? "" : "  assignor " + info.protocol_data);
  for (const auto& member : info.members)
    fmt::print("  member {}  client {}  host {}\n", member.member_id, member.client_id, member.client_host);

  protocol::OffsetFetchRequest fetch;
  fetch.group_id = group;
  fetch.topics.reset();
  const auto offsets = co_await connection->call(fetch, last_fetch_version_for_one_group);
  std::vector<std::vector<std::string>> rows = {{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG"}};
  for (const auto& topic : offsets.topics) {
    const auto known = co_await cluster.topic(topic.name, false);
    for (const auto& committed : topic.partitions) {
      for (const auto& partition : known.partitions) {
        if (partition.index != committed.index) continue;
        const Offset end = co_await offset_at(cluster, topic.name, partition, latest);
        rows.push_back({topic.name, std::to_string(committed.index.value),
                        std::to_string(committed.committed_offset.value), std::to_string(end.value),
                        std::to_string(end - committed.committed_offset)});
      }
    }
  }
  if (rows.size() > 1) admin::print_table(rows);
  co_return 0;
}

Task<int> remove(Cluster& cluster, const Wanted& wanted) {
  int code = 0;
  for (const std::string& group : wanted.groups) {
    const BrokerId coordinator = co_await cluster.coordinator(group);
    BrokerConnection* connection = co_await cluster.broker(coordinator);
    protocol::DeleteGroupsRequest request;
    request.groups_names = {group};
    const auto answer = co_await connection->call(request);
    const ErrorCode error = answer.results.at(0).error;
    if (error != ErrorCode::none) {
      fmt::print(stderr, "{}: {}\n", group, describe(error));
      code = 1;
    } else {
      fmt::print("deleted {}\n", group);
    }
  }
  co_return code;
}

// The group must have no members; Kafka refuses otherwise.
Task<int> reset(Cluster& cluster, const Wanted& wanted) {
  const auto topic = co_await cluster.topic(wanted.topic, false);
  const std::string group = wanted.groups.at(0);
  protocol::OffsetCommitRequest request;
  request.group_id = group;
  protocol::OffsetCommitRequestTopic commits;
  commits.name = wanted.topic;
  for (const auto& partition : topic.partitions) {
    Offset to;
    if (wanted.to == "earliest") {
      to = co_await offset_at(cluster, wanted.topic, partition, earliest);
    } else if (wanted.to == "latest") {
      to = co_await offset_at(cluster, wanted.topic, partition, latest);
    } else {
      to = Offset(std::stoll(wanted.to));
    }
    protocol::OffsetCommitRequestPartition commit;
    commit.index = partition.index;
    commit.committed_offset = to;
    commit.committed_metadata = "";
    commits.partitions.push_back(std::move(commit));
    fmt::print("{} [{}] to {}\n", wanted.topic, partition.index.value, to.value);
  }
  request.topics.push_back(std::move(commits));
  const BrokerId coordinator = co_await cluster.coordinator(group);
  BrokerConnection* connection = co_await cluster.broker(coordinator);
  const auto answer = co_await connection->call(request, last_commit_version_with_names);
  for (const auto& result : answer.topics.at(0).partitions) {
    if (result.error != ErrorCode::none)
      throw ClientError(fmt::format("{} [{}]: {}", wanted.topic, result.index.value, describe(result.error)));
  }
  co_return 0;
}

Task<int> act(Cluster& cluster, const Wanted& wanted) {
  if (wanted.action == "list") co_return co_await list(cluster);
  if (wanted.action == "delete") co_return co_await remove(cluster, wanted);
  if (wanted.action == "reset") co_return co_await reset(cluster, wanted);
  for (const std::string& group : wanted.groups) (void)co_await describe_group(cluster, group);
  co_return 0;
}

}  // namespace

int groups_main(int argc, char** argv) {
  CLI::App app("Consumer groups of a cluster", "millrace groups");
  std::string brokers = "localhost:9092";
  Wanted wanted;
  admin::add_bootstrap(app, brokers);
  app.require_subcommand(1);
  const auto action = [&](const char* name, const char* does) {
    CLI::App* sub = app.add_subcommand(name, does);
    sub->callback([&wanted, name] { wanted.action = name; });
    sub->fallthrough();
    return sub;
  };
  action("list", "Names, states and types");
  action("describe", "Members, committed offsets and lag")->add_option("group", wanted.groups, "Groups")->required();
  action("delete", "Delete groups without members")->add_option("group", wanted.groups, "Groups")->required();
  CLI::App* reset_app = action("reset", "Move the committed offsets of a group without members");
  reset_app->add_option("group", wanted.groups, "The group")->required()->expected(1);
  reset_app->add_option("-t,--topic", wanted.topic, "The topic")->required();
  reset_app->add_option("--to", wanted.to, "earliest, latest or an offset")->required();
  return admin::run(app, argc, argv, brokers, [&wanted](Cluster& cluster) { return act(cluster, wanted); });
}

}  // namespace millrace::tools
