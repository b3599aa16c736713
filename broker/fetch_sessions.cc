#include "broker/fetch_sessions.h"

#include <algorithm>

namespace millrace::broker {

namespace {

using protocol::FetchRequest;

// A session that was not used for so long may make room for another.
constexpr std::chrono::minutes evictable_after(2);

std::vector<FetchPartition> partitions_of(const FetchRequest& request, int16_t version) {
  std::vector<FetchPartition> partitions;
  for (const FetchRequest::Topic& topic : request.topics) {
    for (const FetchRequest::Partition& wanted : topic.partitions) {
      FetchPartition partition;
      if (version >= 13) {
        partition.id = topic.id;
      } else {
        partition.topic = topic.name;
      }
      partition.index = wanted.index;
      partition.current_leader_epoch = wanted.current_leader_epoch;
      partition.last_fetched_epoch = wanted.last_fetched_epoch;
      partition.offset = wanted.fetch_offset;
      partition.max_bytes = wanted.partition_max_bytes;
      partitions.push_back(std::move(partition));
    }
  }
  return partitions;
}

// Named twice: the last one counts, at the place of the first.
void merge(std::vector<FetchPartition>& into, std::vector<FetchPartition> updates) {
  const bool fresh = into.empty();
  for (FetchPartition& update : updates) {
    const auto known = std::ranges::find_if(into, [&](const FetchPartition& p) { return p.same_partition(update); });
    if (known == into.end()) {
      into.push_back(std::move(update));
      continue;
    }
    if (!fresh) {
      update.told_high_watermark = known->told_high_watermark;
      update.told_last_stable = known->told_last_stable;
      update.told_start = known->told_start;
    }
    *known = std::move(update);
  }
}

void forget(std::vector<FetchPartition>& partitions, const FetchRequest& request, int16_t version) {
  for (const FetchRequest::ForgottenTopic& topic : request.forgotten_topics) {
    for (const PartitionId index : topic.partitions) {
      std::erase_if(partitions, [&](const FetchPartition& p) {
        return p.index == index && (version >= 13 ? p.id == topic.id : p.topic == topic.name);
      });
    }
  }
}

}  // namespace

FetchPlan FetchSessions::plan(const FetchRequest& request, int16_t version, MonoTime now, Random& random) {
  FetchPlan plan;
  const int32_t epoch = version >= 7 ? request.session_epoch : -1;
  const int32_t id = version >= 7 ? request.session_id : 0;
  if (epoch == -1 || epoch == 0) {
    if (id != 0) sessions_.erase(id);
    merge(plan.partitions, partitions_of(request, version));
    if (epoch == 0 && !plan.partitions.empty()) plan.session = open(now, random);
    if (plan.session) {
      plan.session->uses_ids = version >= 13;
      plan.session->partitions = plan.partitions;
    }
    return plan;
  }
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    plan.error = ErrorCode::fetch_session_id_not_found;
    return plan;
  }
  FetchSession& session = *found->second;
  if (session.next_epoch != epoch) {
    plan.error = ErrorCode::invalid_fetch_session_epoch;
    return plan;
  }
  if (session.uses_ids != (version >= 13)) {
    plan.error = ErrorCode::fetch_session_topic_id_error;
    return plan;
  }
  session.next_epoch = epoch == INT32_MAX ? 1 : epoch + 1;
  session.last_used = now;
  merge(session.partitions, partitions_of(request, version));
  forget(session.partitions, request, version);
  plan.session = found->second;
  plan.incremental = true;
  plan.partitions = session.partitions;
  return plan;
}

std::shared_ptr<FetchSession> FetchSessions::open(MonoTime now, Random& random) {
  if (sessions_.size() >= slots_) {
    const auto oldest =
        std::ranges::min_element(sessions_, {}, [](const auto& entry) { return entry.second->last_used; });
    if (oldest == sessions_.end() || now - oldest->second->last_used < evictable_after) return nullptr;
    sessions_.erase(oldest);
  }
  auto session = std::make_shared<FetchSession>();
  do {
    session->id = static_cast<int32_t>(random.below(INT32_MAX - 1) + 1);
  } while (sessions_.contains(session->id));
  session->last_used = now;
  sessions_[session->id] = session;
  return session;
}

void FetchSessions::remember(const FetchPlan& plan, const std::vector<bool>& gave) {
  if (!plan.session) return;
  std::vector<FetchPartition>& kept = plan.session->partitions;
  // Somebody else has used the session meanwhile: what we know of it is stale.
  if (kept.size() != plan.partitions.size()) return;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i].same_partition(plan.partitions[i])) return;
  }
  std::vector<FetchPartition> order;
  for (const bool with_records : {false, true}) {
    for (size_t i = 0; i < kept.size(); ++i) {
      if (gave[i] == with_records) order.push_back(plan.partitions[i]);
    }
  }
  kept = std::move(order);
}

}  // namespace millrace::broker
