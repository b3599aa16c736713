// Metadata and DescribeTopicPartitions: which topics there are and who leads them; Metadata may create what is missing.
#include "protocol/messages/metadata.h"

#include <algorithm>

#include "broker/controller.h"
#include "broker/handlers/handlers.h"
#include "broker/offsets_log.h"
#include "protocol/messages/describe_topic_partitions.h"

namespace millrace::broker {

namespace {

using protocol::DescribeTopicPartitionsRequest;
using protocol::DescribeTopicPartitionsResponse;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

MetadataResponse::Topic describe(const replication::TopicImage& topic, const MetadataRequest& request,
                                 int16_t version) {
  MetadataResponse::Topic answer;
  answer.name = topic.name;
  answer.id = topic.id;
  answer.is_internal = is_internal_topic(topic.name);
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const replication::PartitionImage& image = topic.partitions[i];
    MetadataResponse::Partition partition;
    partition.index = PartitionId(static_cast<int32_t>(i));
    partition.leader_id = image.leader;
    partition.leader_epoch = image.leader_epoch;
    partition.replica_nodes = image.replicas;
    partition.isr_nodes = image.isr;
    if (image.leader.value < 0) {
      partition.error = ErrorCode::leader_not_available;
      partition.offline_replicas = image.replicas;
    }
    answer.partitions.push_back(std::move(partition));
  }
  if (version >= 8 && request.include_topic_authorized_operations) {
    answer.topic_authorized_operations = all_topic_operations;
  }
  return answer;
}

// Creates the topic that a client asked for; it is told to ask again, as by Kafka's controller.
Task<ErrorCode> create_missing(Broker& broker, std::string name) {
  const bool offsets = name == groups::offsets_topic;
  // Nobody here would write the other internal ones as they must be.
  if (is_internal_topic(name) && !offsets) co_return ErrorCode::unknown_topic_or_partition;
  auto create = [&broker, &name, offsets]() -> Task<ErrorCode> {
    TopicWish wish;
    wish.name = name;
    if (offsets) {
      const groups::GroupSettings settings = group_settings(broker.config());
      wish.partitions = settings.offsets_partitions;
      wish.replication_factor = settings.offsets_replication_factor;
      for (auto& [key, value] : groups::offsets_topic_configs(settings)) wish.configs.emplace_back(key, value);
    }
    const TopicOutcome outcome = co_await broker.controller().create_topic(std::move(wish), false);
    co_return outcome.error;
  };
  const ErrorCode error = co_await on(broker.first_shard(), std::move(create));
  switch (error) {
    case ErrorCode::none:
    case ErrorCode::topic_already_exists:
      co_return ErrorCode::unknown_topic_or_partition;
    case ErrorCode::invalid_topic_exception:
      co_return ErrorCode::invalid_topic_exception;
    case ErrorCode::invalid_replication_factor:
      co_return ErrorCode::invalid_replication_factor;
    default:
      co_return ErrorCode::unknown_topic_or_partition;
  }
}

Task<MetadataResponse> metadata(Broker& broker, RequestContext context, MetadataRequest request) {
  const int16_t version = context.version;
  MetadataResponse response;
  const Image image = broker.image();
  const bool all = !request.topics || (version == 0 && request.topics->empty());
  if (!all) {
    for (const MetadataRequest::Topic& wanted : *request.topics) {
      if (wanted.name || !wanted.id.is_zero()) continue;
      // Nothing to look for: Kafka gives up on the whole answer.
      MetadataResponse broken;
      for (const MetadataRequest::Topic& each : *request.topics) {
        MetadataResponse::Topic topic;
        topic.error = ErrorCode::unknown_server_error;
        topic.name = each.name;
        if (version < 12 && !topic.name) topic.name = "";
        topic.id = each.id;
        broken.topics.push_back(std::move(topic));
      }
      if (version >= 13) broken.error = ErrorCode::unknown_server_error;
      co_return broken;
    }
  }
  MetadataResponse::Broker self;
  self.node_id = broker.id();
  const Address& address = broker.advertised(context.peer->listener);
  self.host = address.host;
  self.port = address.port;
  const std::string rack = broker.config().text("broker.rack");
  if (!rack.empty()) self.rack = rack;
  response.brokers.push_back(std::move(self));
  response.cluster_id = broker.cluster_id();
  response.controller_id = broker.id();
  if (version >= 8 && version <= 10 && request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = all_cluster_operations;
  }

  if (all) {
    for (const replication::Topic& topic : image->topics()) {
      response.topics.push_back(describe(*topic, request, version));
    }
    co_return response;
  }
  const bool may_create = request.allow_auto_topic_creation && broker.config().flag("auto.create.topics.enable");
  for (const MetadataRequest::Topic& wanted : *request.topics) {
    const bool by_id = !wanted.id.is_zero();
    const replication::Topic found = by_id ? image->topic(wanted.id) : image->topic(*wanted.name);
    if (found) {
      response.topics.push_back(describe(*found, request, version));
      continue;
    }
    MetadataResponse::Topic missing;
    missing.id = wanted.id;
    if (by_id) {
      missing.error = ErrorCode::unknown_topic_id;
      if (version >= 12) {
        missing.name = std::nullopt;
      } else {
        missing.name = "";
      }
    } else {
      missing.name = *wanted.name;
      missing.is_internal = is_internal_topic(*wanted.name);
      if (!topic_name_fault(*wanted.name).empty()) {
        missing.error = ErrorCode::invalid_topic_exception;
      } else if (may_create) {
        missing.error = co_await create_missing(broker, *wanted.name);
      } else {
        missing.error = ErrorCode::unknown_topic_or_partition;
      }
    }
    response.topics.push_back(std::move(missing));
  }
  co_return response;
}

Task<DescribeTopicPartitionsResponse> describe_topic_partitions(Broker& broker, RequestContext,
                                                                DescribeTopicPartitionsRequest request) {
  DescribeTopicPartitionsResponse response;
  const Image image = broker.image();
  std::vector<std::string> names;
  if (request.topics.empty()) {
    for (const replication::Topic& topic : image->topics()) names.push_back(topic->name);
  } else {
    for (DescribeTopicPartitionsRequest::Topic& topic : request.topics) names.push_back(std::move(topic.name));
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  int32_t first = 0;
  if (request.cursor) {
    const std::string& from = request.cursor->topic_name;
    first = request.cursor->partition_index.value;
    std::erase_if(names, [&](const std::string& name) { return name < from; });
    if (!names.empty() && names.front() != from) first = 0;
  }
  int32_t room = std::min(std::max(request.response_partition_limit, 1),
                          static_cast<int32_t>(broker.config().number("max.request.partition.size.limit")));
  for (const std::string& name : names) {
    DescribeTopicPartitionsResponse::Topic answer;
    answer.name = name;
    answer.is_internal = is_internal_topic(name);
    const replication::Topic topic = image->topic(name);
    if (!topic) {
      answer.error =
          topic_name_fault(name).empty() ? ErrorCode::unknown_topic_or_partition : ErrorCode::invalid_topic_exception;
      response.topics.push_back(std::move(answer));
      first = 0;
      continue;
    }
    if (room == 0) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      response.next_cursor->partition_index = PartitionId(0);
      break;
    }
    answer.id = topic->id;
    answer.topic_authorized_operations = all_topic_operations;
    size_t i = static_cast<size_t>(std::max(first, 0));
    for (; i < topic->partitions.size() && room > 0; ++i, --room) {
      const replication::PartitionImage& partition = topic->partitions[i];
      DescribeTopicPartitionsResponse::Partition out;
      out.index = PartitionId(static_cast<int32_t>(i));
      out.leader_id = partition.leader;
      out.leader_epoch = partition.leader_epoch;
      out.replica_nodes = partition.replicas;
      out.isr_nodes = partition.isr;
      out.eligible_leader_replicas = partition.elr;
      out.last_known_elr = partition.last_known_elr;
      if (partition.leader.value < 0) {
        out.error = ErrorCode::leader_not_available;
        out.offline_replicas = partition.replicas;
      }
      answer.partitions.push_back(std::move(out));
    }
    const bool cut = i < topic->partitions.size();
    response.topics.push_back(std::move(answer));
    first = 0;
    if (cut) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      response.next_cursor->partition_index = PartitionId(static_cast<int32_t>(i));
      break;
    }
  }
  co_return response;
}

}  // namespace

void add_metadata(Dispatch& dispatch, Broker& broker) {
  dispatch.add<MetadataRequest, MetadataResponse>(0, 13, [&broker](RequestContext context, MetadataRequest request) {
    return metadata(broker, std::move(context), std::move(request));
  });
  dispatch.add<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(
      0, 0, [&broker](RequestContext context, DescribeTopicPartitionsRequest request) {
        return describe_topic_partitions(broker, std::move(context), std::move(request));
      });
}

}  // namespace millrace::broker
