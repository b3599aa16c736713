// The cluster and its nodes: DescribeCluster, DescribeLogDirs, DescribeQuorum, ElectLeaders,
// ListPartitionReassignments, and the SASL keys, which have no place on a listener without SASL.
#include <algorithm>
#include <unordered_map>

#include "broker/controller.h"
#include "broker/handlers/handlers.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace millrace::broker {

namespace {

using namespace protocol;

Task<DescribeClusterResponse> describe_cluster(Broker& broker, RequestContext context, DescribeClusterRequest request) {
  DescribeClusterResponse response;
  if (context.version >= 1) response.endpoint_type = request.endpoint_type;
  if (request.endpoint_type != 1) {
    response.error =
        request.endpoint_type == 2 ? ErrorCode::mismatched_endpoint_type : ErrorCode::unsupported_endpoint_type;
    response.error_message = request.endpoint_type == 2
                                 ? "The request was sent to an endpoint of the wrong type: this is a broker's."
                                 : "Unsupported endpoint type " + std::to_string(request.endpoint_type);
    co_return response;
  }
  response.cluster_id = broker.cluster_id();
  response.controller_id = broker.id();
  DescribeClusterResponse::Broker self;
  self.broker_id = broker.id();
  const Address& address = broker.advertised(context.peer->listener);
  self.host = address.host;
  self.port = address.port;
  const std::string rack = broker.config().text("broker.rack");
  if (!rack.empty()) self.rack = rack;
  response.brokers.push_back(std::move(self));
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = all_cluster_operations;
  co_return response;
}

// Bytes of the partitions that have any.
Task<std::unordered_map<TopicPartition, int64_t>> partition_sizes(Broker& broker) {
  using Sizes = std::vector<std::pair<TopicPartition, int64_t>>;
  std::unordered_map<TopicPartition, int64_t> sizes;
  for (Shard* shard : broker.shards()) {
    auto collect = [&broker]() -> Task<Sizes> {
      Sizes mine;
      for (const Partitions::Expected& each : broker.partitions().expected()) {
        co_await broker.partitions().open(each.topic, each.partition);
      }
      for (const std::shared_ptr<Partition>& partition : broker.partitions().all()) {
        mine.emplace_back(partition->name(), partition->log().size());
      }
      co_return mine;
    };
    Sizes mine = co_await on(*shard, std::move(collect));
    for (auto& [name, size] : mine) sizes.emplace(std::move(name), size);
  }
  co_return sizes;
}

// The replicas that were put into the directory with this id, whether or not there is anything in them.
void describe_directory(DescribeLogDirsResponse::Result& result, const Uuid& directory, const Broker& broker,
                        const DescribeLogDirsRequest& request,
                        const std::unordered_map<TopicPartition, int64_t>& sizes) {
  for (const replication::Topic& topic : broker.image()->topics()) {
    const std::string& name = topic->name;
    std::vector<DescribeLogDirsResponse::Partition> partitions;
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const replication::PartitionImage& image = topic->partitions[i];
      const PartitionId index(static_cast<int32_t>(i));
      const auto replica = static_cast<size_t>(std::ranges::find(image.replicas, broker.id()) - image.replicas.begin());
      if (replica >= image.directories.size() || image.directories[replica] != directory) continue;
      const auto wanted = [&](const DescribeLogDirsRequest::Topic& each) {
        return each.name == name && std::ranges::find(each.partitions, index) != each.partitions.end();
      };
      if (request.topics && std::ranges::none_of(*request.topics, wanted)) continue;
      DescribeLogDirsResponse::Partition& partition = partitions.emplace_back();
      partition.index = index;
      const auto size = sizes.find(TopicPartition{name, index});
      partition.partition_size = size == sizes.end() ? 0 : size->second;
    }
    if (partitions.empty()) continue;
    DescribeLogDirsResponse::Topic& answer = result.topics.emplace_back();
    answer.name = name;
    answer.partitions = std::move(partitions);
  }
}

Task<DescribeLogDirsResponse> describe_log_dirs(Broker& broker, RequestContext, DescribeLogDirsRequest request) {
  DescribeLogDirsResponse response;
  const std::unordered_map<TopicPartition, int64_t> sizes = co_await partition_sizes(broker);
  auto list = [&broker]() -> Task<std::vector<std::pair<std::string, Uuid>>> {
    std::vector<std::pair<std::string, Uuid>> dirs;
    for (const auto& dir : broker.controller().storage().dirs()) dirs.emplace_back(dir->path(), Storage::id_of(*dir));
    co_return dirs;
  };
  const std::vector<std::pair<std::string, Uuid>> dirs = co_await on(broker.first_shard(), std::move(list));
  for (const auto& [path, id] : dirs) {
    DescribeLogDirsResponse::Result result;
    result.log_dir = path;
    describe_directory(result, id, broker, request, sizes);
    response.results.push_back(std::move(result));
  }
  co_return response;
}

Task<DescribeQuorumResponse> describe_quorum(Broker& broker, RequestContext context, DescribeQuorumRequest request) {
  DescribeQuorumResponse response;
  struct Position {
    LeaderEpoch epoch;
    Offset end;
    Uuid directory;
    Timestamp now;
  };
  auto ask = [&broker]() -> Task<Position> {
    Controller& controller = broker.controller();
    co_return Position{controller.log().epoch(), controller.log().end(),
                       Storage::id_of(controller.storage().metadata_dir()), Shard::current().clock().wall_now()};
  };
  const Position position = co_await on(broker.first_shard(), std::move(ask));
  for (const DescribeQuorumRequest::Topic& topic : request.topics) {
    DescribeQuorumResponse::Topic& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    for (const DescribeQuorumRequest::Partition& wanted : topic.partitions) {
      DescribeQuorumResponse::Partition& answer = topic_answer.partitions.emplace_back();
      answer.index = wanted.index;
      if (topic.name != "__cluster_metadata" || wanted.index.value != 0) {
        answer.error = ErrorCode::unknown_topic_or_partition;
        answer.leader_id = BrokerId(-1);
        answer.leader_epoch = LeaderEpoch(-1);
        answer.high_watermark = Offset(-1);
        continue;
      }
      answer.leader_id = broker.id();
      answer.leader_epoch = position.epoch;
      answer.high_watermark = position.end;
      DescribeQuorumResponse::ReplicaState voter;
      voter.replica_id = broker.id();
      if (context.version >= 2) voter.replica_directory_id = position.directory;
      voter.log_end_offset = position.end;
      if (context.version >= 1) voter.last_fetch_timestamp = voter.last_caught_up_timestamp = position.now;
      answer.current_voters.push_back(voter);
    }
  }
  if (context.version >= 2) {
    DescribeQuorumResponse::Node node;
    node.node_id = broker.id();
    for (const Endpoint& endpoint : broker.config().controller_listeners()) {
      DescribeQuorumResponse::Listener listener;
      listener.name = endpoint.listener;
      listener.host = endpoint.address.host.empty() ? "localhost" : endpoint.address.host;
      listener.port = endpoint.address.port;
      node.listeners.push_back(std::move(listener));
    }
    response.nodes.push_back(std::move(node));
  }
  co_return response;
}

// With one replica the leader is always the preferred one, and the only one there is.
Task<ElectLeadersResponse> elect_leaders(Broker& broker, RequestContext, ElectLeadersRequest request) {
  ElectLeadersResponse response;
  if (!request.topic_partitions) co_return response;
  const Image image = broker.image();
  for (const ElectLeadersRequest::TopicPartition& topic : *request.topic_partitions) {
    ElectLeadersResponse::ReplicaElectionResult& result = response.replica_election_results.emplace_back();
    result.topic = topic.topic;
    const replication::Topic found = image->topic(topic.topic);
    for (const PartitionId index : topic.partitions) {
      ElectLeadersResponse::PartitionResult& partition = result.partition_result.emplace_back();
      partition.partition_id = index;
      const bool there = found && index.value >= 0 && static_cast<size_t>(index.value) < found->partitions.size();
      partition.error = there ? ErrorCode::election_not_needed : ErrorCode::unknown_topic_or_partition;
      partition.error_message = std::string(message(partition.error));
    }
  }
  co_return response;
}

Task<ListPartitionReassignmentsResponse> list_reassignments(RequestContext, ListPartitionReassignmentsRequest) {
  co_return ListPartitionReassignmentsResponse();  // none can be under way on a single node
}

}  // namespace

void add_cluster(Dispatch& dispatch, Broker& broker) {
  dispatch.add<DescribeClusterRequest, DescribeClusterResponse>(
      0, 2, [&broker](RequestContext context, DescribeClusterRequest request) {
        return describe_cluster(broker, std::move(context), std::move(request));
      });
  dispatch.add<DescribeLogDirsRequest, DescribeLogDirsResponse>(
      1, 5, [&broker](RequestContext context, DescribeLogDirsRequest request) {
        return describe_log_dirs(broker, std::move(context), std::move(request));
      });
  dispatch.add<DescribeQuorumRequest, DescribeQuorumResponse>(
      0, 2, [&broker](RequestContext context, DescribeQuorumRequest request) {
        return describe_quorum(broker, std::move(context), std::move(request));
      });
  dispatch.add<ElectLeadersRequest, ElectLeadersResponse>(
      0, 2, [&broker](RequestContext context, ElectLeadersRequest request) {
        return elect_leaders(broker, std::move(context), std::move(request));
      });
  dispatch.add<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>(0, 0, list_reassignments);
}

}  // namespace millrace::broker
