#include "broker/fetch_sessions.h"

#include <algorithm>
#include <unordered_set>

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

struct Hash {
  size_t operator()(const FetchPartition* p) const {
    return std::hash<TopicId>{}(p->id) ^ std::hash<std::string>{}(p->topic) ^
           static_cast<size_t>(p->index.value) * 0x9e3779b97f4a7c15ull;
  }
};
struct Same {
  bool operator()(const FetchPartition* a, const FetchPartition* b) const { return a->same_partition(*b); }
};

// Named twice: the last one counts, at the place of the first.
void merge(std::vector<FetchPartition>& into, std::vector<FetchPartition> updates) {
  if (updates.empty()) return;
  const size_t before = into.size();
  into.reserve(before + updates.size());  // the index points into it
  std::unordered_set<FetchPartition*, Hash, Same> known;
  for (FetchPartition& partition : into) known.insert(&partition);
  for (FetchPartition& update : updates) {
    const auto found = known.find(&update);
    if (found == known.end()) {
      into.push_back(std::move(update));
      known.insert(&into.back());
      continue;
    }
    FetchPartition& kept = **found;
    kept.current_leader_epoch = update.current_leader_epoch;
    kept.last_fetched_epoch = update.last_fetched_epoch;
    kept.offset = update.offset;
    kept.max_bytes = update.max_bytes;
  }
}

void forget(std::vector<FetchPartition>& partitions, const FetchRequest& request, int16_t version) {
  std::vector<FetchPartition> named;
  for (const FetchRequest::ForgottenTopic& topic : request.forgotten_topics) {
    for (const PartitionId index : topic.partitions) {
      FetchPartition& partition = named.emplace_back();
      if (version >= 13) {
        partition.id = topic.id;
      } else {
        partition.topic = topic.name;
      }
      partition.index = index;
    }
  }
  if (named.empty()) return;
  std::unordered_set<FetchPartition*, Hash, Same> forgotten;
  for (FetchPartition& partition : named) forgotten.insert(&partition);
  std::erase_if(partitions, [&](FetchPartition& p) { return forgotten.contains(&p); });
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
  if (session.partitions.empty()) {
    // Nothing is left to follow: answered without a session, which ends.
    sessions_.erase(found);
    return plan;
  }
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
