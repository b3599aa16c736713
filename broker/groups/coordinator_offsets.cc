// The coordinator's answers about offsets: commit, fetch, delete.
#include "broker/groups/coordinator.h"
#include "broker/groups/coordinator_request.h"

namespace millrace::broker::groups {

namespace {

protocol::OffsetCommitResponse answer_all(const protocol::OffsetCommitRequest& request, ErrorCode error) {
  protocol::OffsetCommitResponse response;
  for (const protocol::OffsetCommitRequestTopic& topic : request.topics) {
    protocol::OffsetCommitResponseTopic& to = response.topics.emplace_back();
    to.name = topic.name;
    to.id = topic.id;
    for (const protocol::OffsetCommitRequestPartition& partition : topic.partitions) {
      to.partitions.push_back({partition.index, error});
    }
  }
  return response;
}

protocol::OffsetFetchResponseGroupTopicPartition no_offset(PartitionId partition, ErrorCode error = ErrorCode::none) {
  return {partition, Offset(-1), LeaderEpoch(-1), "", error};
}

protocol::OffsetFetchResponseGroupTopicPartition to_answer(PartitionId partition, const CommittedOffset& offset) {
  return {partition, offset.offset, offset.leader_epoch, offset.metadata, ErrorCode::none};
}

// Committed for a topic of that name that has been deleted since.
bool is_of_another_topic(const CommittedOffset& offset, TopicId wanted) {
  return !offset.topic_id.is_zero() && !wanted.is_zero() && offset.topic_id != wanted;
}

}  // namespace

Task<protocol::OffsetCommitResponse> GroupCoordinator::commit(Caller caller, protocol::OffsetCommitRequest request) {
  const Request counted(*this);
  const auto slot = slot_of(request.group_id);
  if (!slot) co_return answer_all(request, slot.error());
  const Moment at = now();
  const int32_t generation = request.generation_id_or_member_epoch;
  if (const EntryPtr entry = find(**slot, request.group_id)) {
    const ErrorCode error = entry->group.commit(request.member_id, request.group_instance_id, generation, false, at);
    if (error != ErrorCode::none) co_return answer_all(request, error);
    arm(*slot, entry);
  } else if (generation >= 0) {
    co_return answer_all(request, caller.version >= 9 ? ErrorCode::group_id_not_found : ErrorCode::illegal_generation);
  }

  protocol::OffsetCommitResponse response = answer_all(request, ErrorCode::none);
  std::vector<Change> changes;
  for (size_t t = 0; t < request.topics.size(); ++t) {
    const protocol::OffsetCommitRequestTopic& topic = request.topics[t];
    for (size_t p = 0; p < topic.partitions.size(); ++p) {
      const protocol::OffsetCommitRequestPartition& partition = topic.partitions[p];
      std::string metadata = partition.committed_metadata.value_or("");
      if (utf16_length(metadata) > static_cast<size_t>(settings_.offset_metadata_max_bytes)) {
        response.topics[t].partitions[p].error = ErrorCode::offset_metadata_too_large;
        continue;
      }
      CommittedOffset value{.offset = partition.committed_offset,
                            .leader_epoch = partition.committed_leader_epoch,
                            .metadata = std::move(metadata),
                            .committed = at.wall,
                            .topic_id = topic.id};
      if (request.retention_time != Millis(-1)) value.expires = at.wall + request.retention_time.count();
      changes.push_back(OffsetChange{request.group_id, topic.name, partition.index, std::move(value)});
    }
  }
  if (changes.empty()) co_return response;
  // Answer after the log has it: the client may never read those records again.
  const ErrorCode error = answer_for_failed_append(co_await write(*slot, std::move(changes)));
  if (error == ErrorCode::none) co_return response;
  for (protocol::OffsetCommitResponseTopic& topic : response.topics) {
    for (protocol::OffsetCommitResponsePartition& partition : topic.partitions) {
      if (partition.error == ErrorCode::none) partition.error = error;
    }
  }
  co_return response;
}

Task<protocol::OffsetFetchResponseGroup> GroupCoordinator::fetch(protocol::OffsetFetchRequestGroup request,
                                                                 bool require_stable) {
  const Request counted(*this);
  protocol::OffsetFetchResponseGroup response;
  response.group_id = request.group_id;
  const auto slot = slot_of(request.group_id);
  if (!slot) {
    response.error = slot.error();
    co_return response;
  }
  if (require_stable) {
    const bool settled = co_await settle(*slot);
    if (!settled) {
      response.error = ErrorCode::not_coordinator;
      co_return response;
    }
  }
  const Offsets& offsets = (*slot)->offsets;
  const bool exists = find(**slot, request.group_id) != nullptr;
  const auto unstable = [&](const std::string& topic, PartitionId partition) {
    return require_stable && offsets.has_pending(request.group_id, topic, partition);
  };

  if (!request.topics) {
    const Offsets::ByTopic* topics = exists ? offsets.topics_of(request.group_id) : nullptr;
    if (topics == nullptr) co_return response;
    for (const auto& [name, partitions] : *topics) {
      protocol::OffsetFetchResponseGroupTopic& topic = response.topics.emplace_back();
      topic.name = name;
      for (const auto& [partition, offset] : partitions) {
        if (!offset.topic_id.is_zero()) topic.id = offset.topic_id;
        topic.partitions.push_back(unstable(name, partition) ? no_offset(partition, ErrorCode::unstable_offset_commit)
                                                             : to_answer(partition, offset));
      }
    }
    co_return response;
  }

  for (const protocol::OffsetFetchRequestGroupTopic& asked : *request.topics) {
    protocol::OffsetFetchResponseGroupTopic& topic = response.topics.emplace_back();
    topic.name = asked.name;
    topic.id = asked.id;
    for (const PartitionId partition : asked.partitions) {
      const CommittedOffset* offset = exists ? offsets.find(request.group_id, asked.name, partition) : nullptr;
      if (exists && unstable(asked.name, partition)) {
        topic.partitions.push_back(no_offset(partition, ErrorCode::unstable_offset_commit));
      } else if (offset == nullptr || is_of_another_topic(*offset, asked.id)) {
        topic.partitions.push_back(no_offset(partition));
      } else {
        topic.partitions.push_back(to_answer(partition, *offset));
      }
    }
  }
  co_return response;
}

Task<protocol::OffsetDeleteResponse> GroupCoordinator::delete_offsets(Caller, protocol::OffsetDeleteRequest request) {
  const Request counted(*this);
  protocol::OffsetDeleteResponse response;
  const auto slot = slot_of_named(request.group_id);
  if (!slot) {
    response.error = slot.error();
    co_return response;
  }
  const bool settled = co_await settle(*slot);
  const EntryPtr entry = settled ? find(**slot, request.group_id) : nullptr;
  if (!settled)
    response.error = ErrorCode::coordinator_not_available;
  else
    response.error = entry ? entry->group.check_offset_delete() : ErrorCode::group_id_not_found;
  if (response.error != ErrorCode::none) co_return response;

  std::vector<Change> changes;
  const Offsets& offsets = (*slot)->offsets;
  for (const protocol::OffsetDeleteRequestTopic& topic : request.topics) {
    protocol::OffsetDeleteResponseTopic& to = response.topics.emplace_back();
    to.name = topic.name;
    const bool read = entry->group.is_subscribed_to(topic.name);
    for (const protocol::OffsetDeleteRequestPartition& partition : topic.partitions) {
      to.partitions.push_back({partition.index, read ? ErrorCode::group_subscribed_to_topic : ErrorCode::none});
      if (read) continue;
      if (offsets.find(request.group_id, topic.name, partition.index) != nullptr ||
          offsets.has_pending(request.group_id, topic.name, partition.index)) {
        changes.push_back(OffsetChange{request.group_id, topic.name, partition.index});
      }
    }
  }
  if (changes.empty()) co_return response;
  const ErrorCode error = answer_for_failed_append(co_await write(*slot, std::move(changes)));
  if (error != ErrorCode::none) {
    response.topics.clear();
    response.error = error;
  }
  co_return response;
}

}  // namespace millrace::broker::groups
