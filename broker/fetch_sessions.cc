#include "broker/fetch_sessions.h"

#include <algorithm>

namespace millrace::broker {

namespace {

using protocol::FetchRequest;

// A session that was not used for so long may make room for another.
constexpr std::chrono::minutes evictable_after(2);

template <class Topic>
FetchTopic topic_of(const Topic& topic, int16_t version) {
  FetchTopic named;
  if (version >= 13) {
    named.id = topic.id;
  } else {
    named.name = topic.name;
  }
  return named;
}

}  // namespace

// --- what is followed ---

// Named twice: the last one counts, at the place of the first.
void FetchSession::follow(const FetchRequest& request, int16_t version) {
  for (const FetchRequest::Topic& topic : request.topics) {
    if (topic.partitions.empty()) continue;
    auto& [name, partitions] = *topics_.try_emplace(topic_of(topic, version)).first;
    for (const FetchRequest::Partition& wanted : topic.partitions) {
      const auto [at, is_new] = partitions.try_emplace(wanted.index, *this, name, wanted.index);
      FetchPartition& partition = at->second;
      if (is_new || partition.forgotten) {
        partition.forgotten = false;
        partition.turn = next_turn_++;
        partition.told_high_watermark = partition.told_last_stable = partition.told_start = Offset(-2);
        ++following_;
      }
      partition.position = {wanted.current_leader_epoch, wanted.last_fetched_epoch, wanted.fetch_offset,
                            wanted.partition_max_bytes};
      make_due(partition);
    }
  }
}

void FetchSession::forget(const FetchRequest& request, int16_t version) {
  for (const FetchRequest::ForgottenTopic& topic : request.forgotten_topics) {
    const FetchTopic name = topic_of(topic, version);
    for (const PartitionId index : topic.partitions) {
      const auto partitions = topics_.find(name);
      if (partitions == topics_.end()) break;
      const auto at = partitions->second.find(index);
      if (at == partitions->second.end() || at->second.forgotten) continue;
      at->second.forgotten = true;
      --following_;
      drop_if_unused(at->second);
    }
  }
}

void FetchSession::drop_if_unused(FetchPartition& partition) {
  if (!partition.forgotten || partition.due || partition.watched) return;
  const auto topic = topics_.find(partition.topic);
  const PartitionId index = partition.index;
  topic->second.erase(index);
  if (topic->second.empty()) topics_.erase(topic);
}

void FetchSession::asked_with(protocol::IsolationLevel isolation, bool as_replica) {
  if (isolation == isolation_ && as_replica == as_replica_) return;
  isolation_ = isolation;
  as_replica_ = as_replica;
  for (auto& [name, partitions] : topics_) {
    for (auto& [index, partition] : partitions) {
      if (!partition.forgotten) make_due(partition);
    }
  }
}

// --- what is due ---

void FetchSession::make_due(FetchPartition& partition) {
  ++partition.changes;
  if (partition.due) return;
  partition.due = true;
  due_.push_back(&partition);
}

const std::vector<FetchPartition*>& FetchSession::due() {
  woken_ = false;
  std::erase_if(due_, [this](FetchPartition* partition) {
    if (!partition->forgotten) return false;
    partition->due = false;
    drop_if_unused(*partition);
    return true;
  });
  const auto turn = [](const FetchPartition* partition) { return partition->turn; };
  if (!std::ranges::is_sorted(due_, {}, turn)) std::ranges::sort(due_, {}, turn);
  return due_;
}

void FetchSession::rest(const std::vector<Settled>& settled) {
  for (const auto& [partition, changes] : settled) {
    if (partition->changes == changes) partition->due = false;
  }
  std::erase_if(due_, [](const FetchPartition* partition) { return !partition->due; });
}

// --- what changes ---

std::weak_ptr<Watcher> FetchSession::watcher(FetchPartition& partition) {
  return std::shared_ptr<Watcher>(shared_from_this(), &partition);
}

void FetchSession::unwatched(FetchPartition& partition) {
  partition.watched = false;
  drop_if_unused(partition);
}

void FetchPartition::changed() { session.changed(*this); }

void FetchSession::changed(FetchPartition& partition) {
  partition.watched = false;
  if (partition.forgotten) return drop_if_unused(partition);
  make_due(partition);
  wake();
}

void FetchSession::wake() {
  woken_ = true;
  wake_.notify();
}

Task<void> FetchSession::wait(MonoTime deadline) {
  if (!woken_) co_await wake_.wait(deadline);
}

// --- the sessions ---

FetchPlan FetchSessions::plan(const FetchRequest& request, int16_t version, MonoTime now, Random& random) {
  FetchPlan plan;
  const int32_t epoch = version >= 7 ? request.session_epoch : -1;
  const int32_t id = version >= 7 ? request.session_id : 0;
  if (epoch == -1 || epoch == 0) {
    if (id != 0) sessions_.erase(id);
    plan.session = std::make_shared<FetchSession>();
    plan.session->uses_ids = version >= 13;
    plan.session->follow(request, version);
    if (epoch == 0 && plan.session->following() > 0) keep(plan.session, now, random);
    return plan;
  }
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    plan.error = ErrorCode::fetch_session_id_not_found;
    return plan;
  }
  const std::shared_ptr<FetchSession> session = found->second;
  if (session->next_epoch != epoch) {
    plan.error = ErrorCode::invalid_fetch_session_epoch;
    return plan;
  }
  if (session->uses_ids != (version >= 13)) {
    plan.error = ErrorCode::fetch_session_topic_id_error;
    return plan;
  }
  session->next_epoch = plan.next_epoch = epoch == INT32_MAX ? 1 : epoch + 1;
  session->last_used = now;
  session->wake();
  session->follow(request, version);
  session->forget(request, version);
  plan.session = session;
  plan.incremental = true;
  if (session->following() == 0) {
    // Nothing is left to follow: answered without a session, which ends.
    session->id = 0;
    sessions_.erase(found);
  }
  return plan;
}

// Where there is room for it.
void FetchSessions::keep(const std::shared_ptr<FetchSession>& session, MonoTime now, Random& random) {
  if (sessions_.size() >= slots_) {
    const auto oldest =
        std::ranges::min_element(sessions_, {}, [](const auto& entry) { return entry.second->last_used; });
    if (oldest == sessions_.end() || now - oldest->second->last_used < evictable_after) return;
    sessions_.erase(oldest);
  }
  do {
    session->id = static_cast<int32_t>(random.below(INT32_MAX - 1) + 1);
  } while (sessions_.contains(session->id));
  session->last_used = now;
  sessions_[session->id] = session;
}

}  // namespace millrace::broker
