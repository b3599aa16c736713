// Offsets and groups that go: kept long enough, or of topics that are deleted.
#include <algorithm>

#include "broker/groups/coordinator.h"
#include "broker/groups/coordinator_request.h"

namespace millrace::broker::groups {

namespace {

constexpr size_t tombstones_in_a_batch = 1000;

}  // namespace

Task<void> GroupCoordinator::keep_retention() {
  while (!closing_) {
    const MonoTime due = after(settings_.retention_check_interval);
    while (!closing_ && Shard::current().clock().now() < due) co_await stop_.wait(due);
    for (size_t i = 0; i < slots_.size() && !closing_; ++i) {
      const SlotPtr slot = slots_[i];
      if (slot && slot->state == Slot::State::active) co_await expire(slot);
    }
  }
}

Task<void> GroupCoordinator::expire(SlotPtr slot) {
  const bool settled = co_await settle(slot);
  if (!settled) co_return;
  std::vector<Change> changes = expired(*slot, now());
  co_await write_tombstones(slot, std::move(changes));
}

// The offsets that have been kept long enough, and the groups that nothing is left of; those are dropped already.
std::vector<Change> GroupCoordinator::expired(Slot& slot, Moment at) {
  std::vector<Change> changes;
  std::vector<EntryPtr> ended;
  for (const auto& [id, entry] : slot.groups) {
    const Group& group = entry->group;
    const Group::Retention retention = group.retention();
    bool all = true;
    if (const Offsets::ByTopic* topics = slot.offsets.topics_of(id)) {
      if (retention == Group::Retention::none) continue;
      for (const auto& [topic, partitions] : *topics) {
        const bool read = group.is_subscribed_to(topic);
        for (const auto& [partition, offset] : partitions) {
          const Timestamp since = retention == Group::Retention::since_empty ? group.state_since() : offset.committed;
          const bool over =
              offset.expires ? at.wall >= *offset.expires : at.wall - since >= settings_.offsets_retention.count();
          if (read || !over || slot.offsets.has_pending(id, topic, partition))
            all = false;
          else
            changes.push_back(OffsetChange{id, topic, partition});
        }
      }
    }
    const bool nobody_comes = group.state() == GroupState::empty && group.deadline() == never;
    if (!all || !nobody_comes || slot.offsets.has_pending(id)) continue;
    changes.push_back(GroupChange{id});
    ended.push_back(entry);
  }
  for (const EntryPtr& entry : ended) {
    entry->group.kill(at);
    drop(slot, entry);
  }
  return changes;
}

Task<void> GroupCoordinator::write_tombstones(SlotPtr slot, std::vector<Change> changes) {
  for (size_t from = 0; from < changes.size(); from += tombstones_in_a_batch) {
    const size_t to = std::min(changes.size(), from + tombstones_in_a_batch);
    std::vector<Change> batch(changes.begin() + static_cast<ptrdiff_t>(from),
                              changes.begin() + static_cast<ptrdiff_t>(to));
    const ErrorCode error = co_await write(slot, std::move(batch));
    if (error != ErrorCode::none) co_return;
  }
}

Task<void> GroupCoordinator::topics_deleted(std::vector<std::string> topics) {
  const Request counted(*this);
  for (size_t i = 0; i < slots_.size() && !closing_; ++i) {
    const SlotPtr slot = slots_[i];
    if (!slot || slot->state != Slot::State::active) continue;
    const bool settled = co_await settle(slot);
    if (!settled) continue;
    std::vector<Change> changes;
    for (const std::string& topic : topics) {
      for (const std::string& group : slot->offsets.groups_with(topic)) {
        for (const TopicPartition& partition : slot->offsets.partitions_of(group)) {
          if (partition.topic == topic) changes.push_back(OffsetChange{group, topic, partition.partition});
        }
      }
    }
    co_await write_tombstones(slot, std::move(changes));
  }
}

}  // namespace millrace::broker::groups
