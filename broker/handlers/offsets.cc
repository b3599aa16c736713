// Positions in partitions: ListOffsets, OffsetForLeaderEpoch, DeleteRecords.
#include <algorithm>

#include "broker/handlers/handlers.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"

namespace millrace::broker {

namespace {

using protocol::DeleteRecordsRequest;
using protocol::DeleteRecordsResponse;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using protocol::OffsetForLeaderEpochRequest;
using protocol::OffsetForLeaderEpochResponse;

// Timestamps with a meaning of their own.
constexpr int64_t latest = -1, earliest = -2, max_timestamp = -3, earliest_local = -4, latest_tiered = -5,
                  earliest_pending_upload = -6;

int16_t first_version_of(int64_t special) {
  switch (special) {
    case max_timestamp:
      return 7;
    case earliest_local:
      return 8;
    case latest_tiered:
      return 9;
    case earliest_pending_upload:
      return 11;
    default:
      return special >= earliest ? 0 : INT16_MAX;
  }
}

// One partition of a request, and where its answer goes.
template <class Wanted, class Answer>
struct Item {
  Shard* owner = nullptr;
  TopicId topic;
  bool compacted = false;
  const Wanted* wanted = nullptr;
  Answer* answer = nullptr;
};

ErrorCode partition_error(const replication::Topic& topic, PartitionId index) {
  const bool there = topic && index.value >= 0 && static_cast<size_t>(index.value) < topic->partitions.size();
  return there ? ErrorCode::none : ErrorCode::unknown_topic_or_partition;
}

using ListItem = Item<ListOffsetsRequest::Partition, ListOffsetsResponse::Partition>;

Task<void> list_one(Broker& broker, ListItem& item, int16_t version, bool committed) {
  const ListOffsetsRequest::Partition& wanted = *item.wanted;
  ListOffsetsResponse::Partition& answer = *item.answer;
  const std::shared_ptr<Partition> partition = co_await broker.partitions().open(item.topic, wanted.index);
  if (!partition || partition->closed()) {
    answer.error = ErrorCode::not_leader_or_follower;
    co_return;
  }
  answer.error = partition->check_epoch(wanted.current_leader_epoch);
  if (answer.error != ErrorCode::none) co_return;
  const int64_t time = wanted.timestamp.value;
  if (version < first_version_of(time)) {
    answer.error = ErrorCode::unsupported_version;
    co_return;
  }
  const Offset limit = committed ? partition->last_stable() : partition->high_watermark();
  log::OffsetAndTimestamp found;
  if (time == latest) {
    found.offset = limit;
    found.epoch = partition->leader_epoch();
  } else if (time == earliest || time == earliest_local) {
    found.offset = partition->start();
    found.epoch = partition->log().epoch_at(partition->start());
  } else if (time == max_timestamp) {
    found = co_await partition->log().find_max_timestamp(limit);
  } else if (time >= 0) {
    found = co_await partition->log().find_time(wanted.timestamp, limit);
  }
  answer.offset = found.offset;
  answer.timestamp = found.timestamp;
  if (version >= 4 && found.offset.value >= 0) answer.leader_epoch = found.epoch;
}

Task<ListOffsetsResponse> list_offsets(Broker& broker, RequestContext context, ListOffsetsRequest request) {
  const int16_t version = context.version;
  ListOffsetsResponse response;
  const Image image = broker.image();
  const bool committed = request.isolation == protocol::IsolationLevel::read_committed;
  const bool known_isolation = committed || request.isolation == protocol::IsolationLevel::read_uncommitted;
  std::vector<ListItem> items;
  response.topics.reserve(request.topics.size());
  for (const ListOffsetsRequest::Topic& topic : request.topics) {
    ListOffsetsResponse::Topic& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.partitions.reserve(topic.partitions.size());
    const replication::Topic found = image->topic(topic.name);
    std::vector<PartitionId> seen;
    for (const ListOffsetsRequest::Partition& wanted : topic.partitions) {
      ListOffsetsResponse::Partition& answer = topic_answer.partitions.emplace_back();
      answer.index = wanted.index;
      if (std::ranges::find(seen, wanted.index) != seen.end()) {
        answer.error = ErrorCode::invalid_request;
        continue;
      }
      seen.push_back(wanted.index);
      answer.error = partition_error(found, wanted.index);
      if (answer.error == ErrorCode::none && !known_isolation) answer.error = ErrorCode::unknown_server_error;
      if (answer.error != ErrorCode::none) continue;
      items.push_back({&broker.owner(found->id, wanted.index), found->id, false, &wanted, &answer});
    }
  }
  auto list_mine = [&broker, version, committed](std::vector<ListItem*> mine) -> Task<void> {
    for (ListItem* item : mine) co_await list_one(broker, *item, version, committed);
  };
  co_await on_owners(broker, items, list_mine);
  co_return response;
}

using EpochItem = Item<OffsetForLeaderEpochRequest::Partition, OffsetForLeaderEpochResponse::Partition>;

Task<OffsetForLeaderEpochResponse> offset_for_leader_epoch(Broker& broker, RequestContext,
                                                           OffsetForLeaderEpochRequest request) {
  OffsetForLeaderEpochResponse response;
  const Image image = broker.image();
  std::vector<EpochItem> items;
  response.topics.reserve(request.topics.size());
  for (const OffsetForLeaderEpochRequest::Topic& topic : request.topics) {
    OffsetForLeaderEpochResponse::Topic& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.partitions.reserve(topic.partitions.size());
    const replication::Topic found = image->topic(topic.name);
    for (const OffsetForLeaderEpochRequest::Partition& wanted : topic.partitions) {
      OffsetForLeaderEpochResponse::Partition& answer = topic_answer.partitions.emplace_back();
      answer.index = wanted.index;
      answer.error = partition_error(found, wanted.index);
      if (answer.error != ErrorCode::none) continue;
      items.push_back({&broker.owner(found->id, wanted.index), found->id, false, &wanted, &answer});
    }
  }
  auto look_up = [&broker](std::vector<EpochItem*> mine) -> Task<void> {
    for (EpochItem* item : mine) {
      const std::shared_ptr<Partition> partition = co_await broker.partitions().open(item->topic, item->wanted->index);
      if (!partition) {
        item->answer->error = ErrorCode::not_leader_or_follower;
        continue;
      }
      item->answer->error = partition->check_epoch(item->wanted->current_leader_epoch);
      if (item->answer->error != ErrorCode::none) continue;
      const auto [epoch, end] = partition->log().end_of_epoch(item->wanted->leader_epoch);
      item->answer->leader_epoch = epoch;
      item->answer->end_offset = end;
    }
    co_return;
  };
  co_await on_owners(broker, items, look_up);
  co_return response;
}

using DeleteItem = Item<DeleteRecordsRequest::Partition, DeleteRecordsResponse::Partition>;

Task<void> delete_one(Broker& broker, DeleteItem& item) {
  DeleteRecordsResponse::Partition& answer = *item.answer;
  const std::shared_ptr<Partition> partition = co_await broker.partitions().open(item.topic, item.wanted->index);
  if (!partition || partition->closed()) {
    answer.error = ErrorCode::not_leader_or_follower;
    co_return;
  }
  if (item.compacted) {
    answer.error = ErrorCode::policy_violation;
    co_return;
  }
  const Offset wanted = item.wanted->offset.value == -1 ? partition->high_watermark() : item.wanted->offset;
  if (wanted.value < 0 || wanted > partition->high_watermark()) {
    answer.error = ErrorCode::offset_out_of_range;
    co_return;
  }
  if (wanted > partition->start()) co_await partition->delete_before(wanted);
  answer.low_watermark = partition->start();
}

Task<DeleteRecordsResponse> delete_records(Broker& broker, RequestContext, DeleteRecordsRequest request) {
  DeleteRecordsResponse response;
  const Image image = broker.image();
  const ConfigLayers layers = broker.layers();
  std::vector<DeleteItem> items;
  response.topics.reserve(request.topics.size());
  for (const DeleteRecordsRequest::Topic& topic : request.topics) {
    DeleteRecordsResponse::Topic& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.partitions.reserve(topic.partitions.size());
    const replication::Topic found = image->topic(topic.name);
    const replication::Settings& settings = image->settings({replication::ResourceType::topic, topic.name});
    const bool deletes = topic_value("cleanup.policy", settings, layers).find("delete") != std::string::npos;
    for (const DeleteRecordsRequest::Partition& wanted : topic.partitions) {
      DeleteRecordsResponse::Partition& answer = topic_answer.partitions.emplace_back();
      answer.index = wanted.index;
      answer.low_watermark = Offset(-1);
      answer.error = partition_error(found, wanted.index);
      if (answer.error == ErrorCode::none && is_internal_topic(topic.name)) {
        answer.error = ErrorCode::invalid_topic_exception;
      }
      if (answer.error != ErrorCode::none) continue;
      items.push_back({&broker.owner(found->id, wanted.index), found->id, !deletes, &wanted, &answer});
    }
  }
  auto delete_mine = [&broker](std::vector<DeleteItem*> mine) -> Task<void> {
    for (DeleteItem* item : mine) co_await delete_one(broker, *item);
  };
  co_await on_owners(broker, items, delete_mine);
  co_return response;
}

}  // namespace

void add_offsets(Dispatch& dispatch, Broker& broker) {
  dispatch.add<ListOffsetsRequest, ListOffsetsResponse>(
      1, 11, [&broker](RequestContext context, ListOffsetsRequest request) {
        return list_offsets(broker, std::move(context), std::move(request));
      });
  dispatch.add<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(
      2, 4, [&broker](RequestContext context, OffsetForLeaderEpochRequest request) {
        return offset_for_leader_epoch(broker, std::move(context), std::move(request));
      });
  dispatch.add<DeleteRecordsRequest, DeleteRecordsResponse>(
      0, 2, [&broker](RequestContext context, DeleteRecordsRequest request) {
        return delete_records(broker, std::move(context), std::move(request));
      });
}

}  // namespace millrace::broker
