// What the coordinator reads from its slots' logs, and writes to them.
#include <algorithm>

#include "broker/groups/coordinator.h"
#include "protocol/record_batch.h"

namespace millrace::broker::groups {

namespace {

constexpr size_t page_bytes = 1 << 20;

// Whether a control record ends a transaction, and how.
std::optional<bool> transaction_end(const protocol::RecordView& record) {
  if (!record.key || record.key->size() < 4) return std::nullopt;
  const auto type = protocol::load_big<int16_t>(reinterpret_cast<const std::byte*>(record.key->data()) + 2);
  if (type != 0 && type != 1) return std::nullopt;
  return type == 1;
}

}  // namespace

void GroupCoordinator::load_soon(const SlotPtr& slot) {
  slot->state = Slot::State::loading;
  gate_.spawn(load(slot));
}

Task<void> GroupCoordinator::load(SlotPtr slot) {
  while (slot->before && !slot->before->is_quiet()) co_await slot->before->changed.wait();
  slot->before.reset();
  std::map<std::string, GroupRecord> groups;
  bool complete = false;
  try {
    complete = co_await replay(*slot, groups);
  } catch (const std::exception&) {
    // Reading failed: whoever owns the log directory takes it offline. The next request tries again.
  }
  if (slot->state != Slot::State::loading) co_return;
  if (!complete) {
    slot->offsets.clear();
    slot->groups.clear();
    slot->state = Slot::State::idle;
    slot->changed.notify();
    co_return;
  }
  const Moment at = now();
  for (const auto& [id, record] : groups) {
    slot->groups.insert_or_assign(id, std::make_shared<Entry>(Group(id, settings_, record, at)));
  }
  slot->state = Slot::State::active;
  slot->changed.notify();
  const auto loaded = slot->groups;
  for (const auto& [id, entry] : loaded) {
    Actions actions = entry->group.loaded(at);
    carry_out(slot, entry, std::move(actions));
  }
}

// Everything in the log, in order; what is left in `groups` exists. False when it could not be read.
Task<bool> GroupCoordinator::replay(Slot& slot, std::map<std::string, GroupRecord>& groups) {
  Offset from{0};
  while (slot.state == Slot::State::loading) {
    const OffsetsLog::Page page = co_await log_.read(slot.partition, from, page_bytes);
    if (page.error != ErrorCode::none) co_return false;
    if (page.batches.empty()) break;
    for (const Bytes& piece : page.batches) {
      protocol::BatchIterator batches(piece);
      while (const std::optional<protocol::RecordBatch> batch = batches.next()) {
        const bool seen = batch->last_offset() < from;
        from = std::max(from, batch->next_offset());
        if (seen) continue;
        replay(slot, *batch, groups);
      }
      if (batches.rest() > 0) co_return false;
    }
  }
  co_return true;
}

void GroupCoordinator::replay(Slot& slot, const protocol::RecordBatch& batch,
                              std::map<std::string, GroupRecord>& groups) {
  protocol::RecordReader records(batch);
  while (const std::optional<protocol::RecordView> record = records.next()) {
    if (batch.is_control()) {
      if (const auto committed = transaction_end(*record)) slot.offsets.complete(batch.producer_id(), *committed);
      continue;
    }
    std::optional<Change> change = read_change(*record);
    if (!change) continue;
    if (auto* group = std::get_if<GroupChange>(&*change)) {
      slot.groups.erase(group->group);
      if (group->value)
        groups.insert_or_assign(group->group, std::move(*group->value));
      else
        groups.erase(group->group);
      continue;
    }
    const OffsetChange& offset = std::get<OffsetChange>(*change);
    if (batch.is_transactional() && offset.value) {
      slot.offsets.put_pending(batch.producer_id(), offset.group, offset.topic, offset.partition, *offset.value);
    } else {
      apply(slot, offset, record->offset);
    }
    if (offset.value && !groups.contains(offset.group) && !find(slot, offset.group)) create_group(slot, offset.group);
  }
}

Task<ErrorCode> GroupCoordinator::write(SlotPtr slot, std::vector<Change> changes) {
  if (closing_) co_return ErrorCode::not_coordinator;
  const auto outcome = std::make_shared<Outcome>();
  gate_.spawn(perform(slot, std::move(changes), outcome));
  const MonoTime deadline = after(settings_.commit_timeout);
  while (!outcome->error) {
    const bool in_time = co_await outcome->known.wait(deadline);
    if (!in_time && !outcome->error) co_return ErrorCode::request_timed_out;
  }
  co_return *outcome->error;
}

Task<void> GroupCoordinator::perform(SlotPtr slot, std::vector<Change> changes, std::shared_ptr<Outcome> outcome) {
  const uint64_t ticket = slot->writes_begun++;
  Bytes batch = batch_of(changes, now().wall);
  OffsetsLog::Appended appended;
  try {
    appended = co_await log_.append(slot->partition, std::move(batch));
  } catch (const std::exception&) {
    appended.error = ErrorCode::kafka_storage_error;
  }
  while (slot->writes_settled != ticket) co_await slot->changed.wait();
  const bool ours = slot->state == Slot::State::active;
  if (appended.error == ErrorCode::none && ours) {
    Offset at = appended.base;
    for (const Change& change : changes) {
      if (const auto* offset = std::get_if<OffsetChange>(&change)) apply(*slot, *offset, at);
      at = at + 1;
    }
  }
  ++slot->writes_settled;
  slot->changed.notify();
  outcome->error = appended.error;
  outcome->known.notify();
  if (appended.error == ErrorCode::none || !ours) co_return;
  // A group that was to be deleted is gone from memory already; and of a broken log nobody knows what it holds.
  const bool too_early = std::ranges::any_of(changes, [](const Change& change) {
    const auto* group = std::get_if<GroupChange>(&change);
    return group != nullptr && !group->value;
  });
  if (too_early || appended.error == ErrorCode::kafka_storage_error) reload(slot);
}

void GroupCoordinator::apply(Slot& slot, const OffsetChange& change, Offset at) {
  if (!change.value) return slot.offsets.remove(change.group, change.topic, change.partition);
  CommittedOffset value = *change.value;
  value.at = at;
  slot.offsets.put(change.group, change.topic, change.partition, std::move(value));
  // Whoever only commits has a group too: an empty one without a protocol.
  if (slot.state == Slot::State::active && !find(slot, change.group)) create_group(slot, change.group);
}

Task<bool> GroupCoordinator::settle(SlotPtr slot) {
  const uint64_t until = slot->writes_begun;
  const MonoTime deadline = after(settings_.commit_timeout);
  while (slot->writes_settled < until && slot->state == Slot::State::active) {
    const bool in_time = co_await slot->changed.wait(deadline);
    if (!in_time) co_return false;
  }
  co_return slot->state == Slot::State::active;
}

void GroupCoordinator::end_transaction(PartitionId partition, ProducerId producer, bool committed) {
  const SlotPtr slot = slot_at(partition);
  if (slot->state != Slot::State::active) return;
  const std::vector<std::string> groups = slot->offsets.pending_groups(producer);
  slot->offsets.complete(producer, committed);
  for (const std::string& group : groups) {
    if (!find(*slot, group)) create_group(*slot, group);
  }
}

}  // namespace millrace::broker::groups
