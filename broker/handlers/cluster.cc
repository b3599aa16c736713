// The cluster and its nodes: DescribeCluster, DescribeLogDirs, DescribeQuorum, ElectLeaders,
// ListPartitionReassignments, and the SASL keys, which have no place on a listener without SASL.
#include <algorithm>

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

struct Sized {
  TopicPartition name;
  std::string directory;
  int64_t size = 0;
};

Task<std::vector<Sized>> partition_sizes(Broker& broker) {
  std::vector<Sized> sizes;
  for (Shard* shard : broker.shards()) {
    auto collect = [&broker]() -> Task<std::vector<Sized>> {
      std::vector<Sized> mine;
      for (const std::shared_ptr<Partition>& partition : broker.partitions().all()) {
        mine.push_back({partition->name(), partition->log().directory(), partition->log().size()});
      }
      co_return mine;
    };
    const std::vector<Sized> mine = co_await on(*shard, std::move(collect));
    sizes.insert(sizes.end(), mine.begin(), mine.end());
  }
  std::ranges::sort(sizes, {}, &Sized::name);
  co_return sizes;
}

Task<DescribeLogDirsResponse> describe_log_dirs(Broker& broker, RequestContext, DescribeLogDirsRequest request) {
  DescribeLogDirsResponse response;
  const std::vector<Sized> sizes = co_await partition_sizes(broker);
  const auto wanted = [&](const TopicPartition& name) {
    if (!request.topics) return true;
    for (const DescribeLogDirsRequest::Topic& topic : *request.topics) {
      if (topic.name == name.topic && std::ranges::find(topic.partitions, name.partition) != topic.partitions.end()) {
        return true;
      }
    }
    return false;
  };
  for (const std::string& dir : broker.config().log_dirs()) {
    DescribeLogDirsResponse::Result result;
    result.log_dir = dir;
    for (const Sized& sized : sizes) {
      if (!sized.directory.starts_with(dir + "/") || !wanted(sized.name)) continue;
      if (result.topics.empty() || result.topics.back().name != sized.name.topic) {
        result.topics.emplace_back().name = sized.name.topic;
      }
      DescribeLogDirsResponse::Partition& partition = result.topics.back().partitions.emplace_back();
      partition.index = sized.name.partition;
      partition.partition_size = sized.size;
    }
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
