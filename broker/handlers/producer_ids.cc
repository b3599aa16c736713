// Producer identities: InitProducerId for idempotent producers, DescribeProducers.
#include "broker/controller.h"
#include "broker/handlers/handlers.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/init_producer_id.h"

namespace millrace::broker {

namespace {

using protocol::DescribeProducersRequest;
using protocol::DescribeProducersResponse;
using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;

Task<InitProducerIdResponse> init_producer_id(Broker& broker, RequestContext, InitProducerIdRequest request) {
  InitProducerIdResponse response;
  response.producer_epoch = ProducerEpoch(-1);
  if (request.transactional_id) {
    // Without a transaction coordinator there is nothing to wait for: an error that clients do not retry.
    response.error = request.transactional_id->empty() ? ErrorCode::invalid_request : ErrorCode::unsupported_version;
    co_return response;
  }
  auto take = [&broker]() -> Task<ProducerId> { co_return co_await broker.controller().next_producer_id(); };
  response.producer_id = co_await on(broker.first_shard(), std::move(take));
  response.producer_epoch = ProducerEpoch(0);
  co_return response;
}

struct Item {
  Shard* owner = nullptr;
  TopicId topic;
  DescribeProducersResponse::Partition* answer = nullptr;
};

Task<DescribeProducersResponse> describe_producers(Broker& broker, RequestContext, DescribeProducersRequest request) {
  DescribeProducersResponse response;
  const Image image = broker.image();
  std::vector<Item> items;
  response.topics.reserve(request.topics.size());
  for (const DescribeProducersRequest::Topic& topic : request.topics) {
    DescribeProducersResponse::Topic& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.partitions.reserve(topic.partitions.size());
    const replication::Topic found = image->topic(topic.name);
    for (const PartitionId index : topic.partitions) {
      DescribeProducersResponse::Partition& answer = topic_answer.partitions.emplace_back();
      answer.index = index;
      if (!found || index.value < 0 || static_cast<size_t>(index.value) >= found->partitions.size()) {
        answer.error = ErrorCode::unknown_topic_or_partition;
        continue;
      }
      items.push_back({&broker.owner(found->id, index), found->id, &answer});
    }
  }
  auto describe_mine = [&broker](std::vector<Item*> mine) -> Task<void> {
    for (Item* item : mine) {
      const std::shared_ptr<Partition> partition = co_await broker.partitions().open(item->topic, item->answer->index);
      if (!partition) {
        item->answer->error = ErrorCode::not_leader_or_follower;
        continue;
      }
      for (const log::ProducerSummary& producer : partition->log().producers()) {
        DescribeProducersResponse::ActiveProducer out;
        out.producer_id = producer.id;
        out.producer_epoch = producer.epoch.value;
        out.last_sequence = producer.last_sequence;
        out.last_timestamp = producer.last_timestamp;
        out.coordinator_epoch = producer.coordinator_epoch;
        out.current_txn_start_offset = producer.transaction_start;
        item->answer->active_producers.push_back(out);
      }
    }
    co_return;
  };
  co_await on_owners(broker, items, describe_mine);
  co_return response;
}

}  // namespace

void add_producer_ids(Dispatch& dispatch, Broker& broker) {
  dispatch.add<InitProducerIdRequest, InitProducerIdResponse>(
      0, 5, [&broker](RequestContext context, InitProducerIdRequest request) {
        return init_producer_id(broker, std::move(context), std::move(request));
      });
  dispatch.add<DescribeProducersRequest, DescribeProducersResponse>(
      0, 0, [&broker](RequestContext context, DescribeProducersRequest request) {
        return describe_producers(broker, std::move(context), std::move(request));
      });
}

}  // namespace millrace::broker
