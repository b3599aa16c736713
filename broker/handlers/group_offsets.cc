#include "broker/handlers/group_offsets.h"

#include <algorithm>

namespace millrace::broker {

namespace {

using groups::Caller;
using groups::TopicDirectory;
using namespace protocol;

constexpr int16_t commit_by_id = 10;
constexpr int16_t fetch_by_id = 10;
constexpr int16_t fetch_many_groups = 8;

bool has(const std::optional<TopicDirectory::Topic>& topic, PartitionId partition) {
  return topic && partition.value >= 0 && partition.value < topic->partitions;
}

// A topic may be named twice in a request; in the answer it stands once, what failed first.
template <class Topic>
Topic& answer_for(std::vector<Topic>& topics, const std::string& name, TopicId id) {
  const auto found = std::ranges::find_if(topics, [&](const Topic& topic) {
    if constexpr (requires { topic.id; })
      return topic.name == name && topic.id == id;
    else
      return topic.name == name;
  });
  if (found != topics.end()) return *found;
  Topic& topic = topics.emplace_back();
  topic.name = name;
  if constexpr (requires { topic.id; }) topic.id = id;
  return topic;
}

template <class Topic>
void merge(std::vector<Topic>& into, std::vector<Topic> from) {
  for (Topic& topic : from) {
    TopicId id{};
    if constexpr (requires { topic.id; }) id = topic.id;
    auto& partitions = answer_for(into, topic.name, id).partitions;
    partitions.insert(partitions.end(), topic.partitions.begin(), topic.partitions.end());
  }
}

OffsetFetchResponseGroupTopic unknown_topic(const OffsetFetchRequestGroupTopic& asked, ErrorCode error) {
  OffsetFetchResponseGroupTopic topic;
  topic.name = asked.name;
  topic.id = asked.id;
  for (const PartitionId partition : asked.partitions) {
    topic.partitions.push_back({partition, Offset(-1), LeaderEpoch(-1), "", error});
  }
  return topic;
}

Task<OffsetFetchResponseGroup> fetch_group(GroupServices* services, int16_t version, OffsetFetchRequestGroup request,
                                           bool require_stable) {
  std::vector<OffsetFetchResponseGroupTopic> failed;
  const bool all = !request.topics;
  if (!all && version >= fetch_by_id) {
    std::vector<OffsetFetchRequestGroupTopic> known;
    for (OffsetFetchRequestGroupTopic& topic : *request.topics) {
      std::optional<std::string> name = services->topics.name_of(topic.id);
      if (!name) {
        failed.push_back(unknown_topic(topic, ErrorCode::unknown_topic_id));
        continue;
      }
      topic.name = std::move(*name);
      known.push_back(std::move(topic));
    }
    request.topics = std::move(known);
  }
  auto work = [services, request = std::move(request), require_stable] {
    return services->coordinator.fetch(request, require_stable);
  };
  OffsetFetchResponseGroup response = co_await on(services->owner, std::move(work));
  if (response.error != ErrorCode::none) co_return response;
  if (all && version >= fetch_by_id) {
    // An answer without an id could not be sent; offsets of topics that are no more stay unsaid.
    std::erase_if(response.topics, [&](OffsetFetchResponseGroupTopic& topic) {
      if (topic.id.is_zero()) {
        if (const auto found = services->topics.find(topic.name)) topic.id = found->id;
      }
      return topic.id.is_zero();
    });
  }
  response.topics.insert(response.topics.end(), failed.begin(), failed.end());
  co_return response;
}

OffsetFetchResponse single(OffsetFetchResponseGroup group, const OffsetFetchRequest& request, int16_t version) {
  OffsetFetchResponse response;
  response.error = group.error;
  if (version < 2 && group.error != ErrorCode::none && request.topics) {
    for (const OffsetFetchRequestTopic& asked : *request.topics) {
      OffsetFetchResponseTopic& topic = response.topics.emplace_back();
      topic.name = asked.name;
      for (const PartitionId partition : asked.partitions) {
        topic.partitions.push_back({partition, Offset(-1), LeaderEpoch(-1), "", group.error});
      }
    }
    return response;
  }
  for (OffsetFetchResponseGroupTopic& from : group.topics) {
    OffsetFetchResponseTopic& topic = response.topics.emplace_back();
    topic.name = std::move(from.name);
    for (OffsetFetchResponseGroupTopicPartition& partition : from.partitions) {
      topic.partitions.push_back({partition.index, partition.committed_offset, partition.committed_leader_epoch,
                                  std::move(partition.metadata), partition.error});
    }
  }
  return response;
}

}  // namespace

Task<OffsetCommitResponse> commit_offsets(GroupServices* services, RequestContext context,
                                          OffsetCommitRequest request) {
  OffsetCommitResponse response;
  std::vector<OffsetCommitRequestTopic> asked = std::exchange(request.topics, {});
  for (OffsetCommitRequestTopic& topic : asked) {
    ErrorCode fault = ErrorCode::unknown_topic_or_partition;
    if (context.version >= commit_by_id) {
      const std::optional<std::string> name = services->topics.name_of(topic.id);
      if (name)
        topic.name = *name;
      else
        fault = ErrorCode::unknown_topic_id;
    }
    const auto known = topic.name.empty() ? std::nullopt : services->topics.find(topic.name);
    // Kept with the offset also when the client knows the name only: a later topic of that name is another one.
    if (context.version < commit_by_id) topic.id = known ? known->id : TopicId{};
    OffsetCommitRequestTopic good;
    good.name = topic.name;
    good.id = topic.id;
    for (OffsetCommitRequestPartition& partition : topic.partitions) {
      if (has(known, partition.index))
        good.partitions.push_back(std::move(partition));
      else
        answer_for(response.topics, topic.name, topic.id).partitions.push_back({partition.index, fault});
    }
    if (!good.partitions.empty()) request.topics.push_back(std::move(good));
  }
  if (request.topics.empty()) co_return response;
  auto work = [services, caller = Caller{context.version, context.client_id, context.client_host()},
               request = std::move(request)] { return services->coordinator.commit(caller, request); };
  OffsetCommitResponse answer = co_await on(services->owner, std::move(work));
  merge(response.topics, std::move(answer.topics));
  co_return response;
}

Task<OffsetFetchResponse> fetch_offsets(GroupServices* services, RequestContext context, OffsetFetchRequest request) {
  if (context.version < fetch_many_groups) {
    OffsetFetchRequestGroup group;
    group.group_id = request.group_id;
    if (request.topics) {
      group.topics.emplace();
      for (const OffsetFetchRequestTopic& topic : *request.topics) {
        group.topics->push_back({topic.name, {}, topic.partitions});
      }
    }
    OffsetFetchResponseGroup answer =
        co_await fetch_group(services, context.version, std::move(group), request.require_stable);
    co_return single(std::move(answer), request, context.version);
  }
  OffsetFetchResponse response;
  for (OffsetFetchRequestGroup& group : request.groups) {
    OffsetFetchResponseGroup answer =
        co_await fetch_group(services, context.version, std::move(group), request.require_stable);
    response.groups.push_back(std::move(answer));
  }
  co_return response;
}

Task<OffsetDeleteResponse> delete_offsets(GroupServices* services, RequestContext context,
                                          OffsetDeleteRequest request) {
  OffsetDeleteResponse response;
  std::vector<OffsetDeleteRequestTopic> asked = std::exchange(request.topics, {});
  for (const OffsetDeleteRequestTopic& topic : asked) {
    const auto known = services->topics.find(topic.name);
    OffsetDeleteRequestTopic good;
    good.name = topic.name;
    for (const OffsetDeleteRequestPartition& partition : topic.partitions) {
      if (has(known, partition.index))
        good.partitions.push_back(partition);
      else
        answer_for(response.topics, topic.name, {})
            .partitions.push_back({partition.index, ErrorCode::unknown_topic_or_partition});
    }
    if (!good.partitions.empty()) request.topics.push_back(std::move(good));
  }
  auto work = [services, caller = Caller{context.version, context.client_id, context.client_host()},
               request = std::move(request)] { return services->coordinator.delete_offsets(caller, request); };
  OffsetDeleteResponse answer = co_await on(services->owner, std::move(work));
  // What is wrong with the group is wrong with all of it.
  if (answer.error != ErrorCode::none) co_return answer;
  merge(response.topics, std::move(answer.topics));
  co_return response;
}

}  // namespace millrace::broker
