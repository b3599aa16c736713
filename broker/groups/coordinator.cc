// The coordinator's own life: slots, their log, timers, retention. What it answers is in the coordinator_*.cc beside.
#include "broker/groups/coordinator.h"

#include <algorithm>

#include "broker/groups/coordinator_request.h"
#include "protocol/record_batch.h"

namespace millrace::broker::groups {

namespace {

constexpr size_t page_bytes = 1 << 20;
constexpr size_t tombstones_in_a_batch = 1000;

// Whether a control record ends a transaction, and how.
std::optional<bool> transaction_end(const protocol::RecordView& record) {
  if (!record.key || record.key->size() < 4) return std::nullopt;
  const auto type = protocol::load_big<int16_t>(reinterpret_cast<const std::byte*>(record.key->data()) + 2);
  if (type != 0 && type != 1) return std::nullopt;
  return type == 1;
}

}  // namespace

GroupCoordinator::GroupCoordinator(OffsetsLog& log, GroupSettings settings)
    : log_(log), settings_(std::move(settings)) {}

GroupCoordinator::~GroupCoordinator() { check(requests_ == 0); }

Moment GroupCoordinator::now() const {
  Clock& clock = Shard::current().clock();
  return {clock.now(), clock.wall_now()};
}

void GroupCoordinator::start() {
  for (int32_t p = 0; p < log_.partitions(); ++p) {
    if (log_.leads(PartitionId(p))) lead(PartitionId(p));
  }
  gate_.spawn(keep_retention());
}

Task<void> GroupCoordinator::close() {
  closing_ = true;
  const std::vector<SlotPtr> slots = slots_;
  for (const SlotPtr& slot : slots) {
    if (slot) unload(slot);
  }
  stop_.notify();
  while (requests_ > 0) co_await requests_ended_.wait();
  co_await gate_.close();
}

// --- slots ---

GroupCoordinator::SlotPtr GroupCoordinator::slot_at(PartitionId partition) {
  const auto index = static_cast<size_t>(partition.value);
  if (slots_.size() <= index) slots_.resize(index + 1);
  if (!slots_[index]) slots_[index] = std::make_shared<Slot>(partition);
  return slots_[index];
}

std::expected<GroupCoordinator::SlotPtr, ErrorCode> GroupCoordinator::slot_of(std::string_view group) {
  const int32_t partitions = log_.partitions();
  if (closing_ || partitions == 0) return std::unexpected(ErrorCode::not_coordinator);
  const PartitionId partition(partition_of_group(group, partitions));
  SlotPtr slot = slot_at(partition);
  if (slot->state == Slot::State::idle) {
    if (!log_.leads(partition)) return std::unexpected(ErrorCode::not_coordinator);
    load_soon(slot);
  }
  if (slot->state == Slot::State::active) return slot;
  return std::unexpected(ErrorCode::coordinator_load_in_progress);
}

GroupCoordinator::EntryPtr GroupCoordinator::find(const Slot& slot, std::string_view group) {
  const auto found = slot.groups.find(group);
  return found == slot.groups.end() ? nullptr : found->second;
}

GroupCoordinator::EntryPtr GroupCoordinator::create_group(Slot& slot, const std::string& group) {
  EntryPtr entry = std::make_shared<Entry>(Group(group, settings_, now()));
  slot.groups.insert_or_assign(group, entry);
  return entry;
}

void GroupCoordinator::lead(PartitionId partition) {
  const SlotPtr slot = slot_at(partition);
  if (slot->state == Slot::State::idle) load_soon(slot);
}

void GroupCoordinator::resign(PartitionId partition) { unload(slot_at(partition)); }

void GroupCoordinator::unload(const SlotPtr& slot) {
  slot->state = Slot::State::gone;
  slot->changed.notify();
  const auto groups = std::exchange(slot->groups, {});
  for (const auto& [id, entry] : groups) {
    Actions actions = entry->group.step(Unload{}, now());
    carry_out(slot, entry, std::move(actions));
  }
  slot->offsets.clear();
  SlotPtr& place = slots_[static_cast<size_t>(slot->partition.value)];
  if (place != slot) return;
  place = std::make_shared<Slot>(slot->partition);
  if (!slot->is_quiet()) place->before = slot;
}

void GroupCoordinator::reload(const SlotPtr& slot) {
  if (slot->state == Slot::State::gone || closing_) return;
  const PartitionId partition = slot->partition;
  unload(slot);
  if (log_.leads(partition)) lead(partition);
}

Task<std::expected<PartitionId, ErrorCode>> GroupCoordinator::locate(std::string group) {
  const Request counted(*this);
  if (closing_) co_return std::unexpected(ErrorCode::coordinator_not_available);
  if (log_.partitions() == 0) {
    auto configs = offsets_topic_configs(settings_);
    const ErrorCode error =
        co_await log_.create(settings_.offsets_partitions, settings_.offsets_replication_factor, std::move(configs));
    if (error != ErrorCode::none || log_.partitions() == 0) {
      co_return std::unexpected(ErrorCode::coordinator_not_available);
    }
  }
  const PartitionId partition(partition_of_group(group, log_.partitions()));
  const MonoTime deadline = after(settings_.commit_timeout);
  while (!closing_ && log_.leads(partition)) {
    const SlotPtr slot = slot_at(partition);
    if (slot->state == Slot::State::idle) load_soon(slot);
    if (slot->state == Slot::State::active) break;
    const bool in_time = co_await slot->changed.wait(deadline);
    // A client that comes now is told that we are loading; it need not look for us again.
    if (!in_time) break;
  }
  if (closing_) co_return std::unexpected(ErrorCode::coordinator_not_available);
  co_return partition;
}

// --- loading ---

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
        protocol::RecordReader records(*batch);
        while (const std::optional<protocol::RecordView> record = records.next()) {
          if (batch->is_control()) {
            if (const auto committed = transaction_end(*record))
              slot.offsets.complete(batch->producer_id(), *committed);
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
          if (batch->is_transactional() && offset.value) {
            slot.offsets.put_pending(batch->producer_id(), offset.group, offset.topic, offset.partition, *offset.value);
          } else {
            apply(slot, offset, record->offset);
          }
          if (offset.value && !groups.contains(offset.group) && !find(slot, offset.group)) {
            create_group(slot, offset.group);
          }
        }
      }
      if (batches.rest() > 0) co_return false;
    }
  }
  co_return true;
}

// --- writing ---

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

// --- what groups decide ---

void GroupCoordinator::carry_out(const SlotPtr& slot, const EntryPtr& entry, Actions actions) {
  for (Answer& answer : actions.answers) {
    auto node = parked_.extract(answer.reply);
    if (node.empty()) continue;
    node.mapped()->answer = std::move(answer);
    node.mapped()->answered.notify();
  }
  for (Store& what : actions.stores) gate_.spawn(store(slot, entry, std::move(what)));
  if (entry->group.state() == GroupState::dead)
    drop(*slot, entry);
  else
    arm(slot, entry);
}

Task<void> GroupCoordinator::store(SlotPtr slot, EntryPtr entry, Store what) {
  std::vector<Change> changes;
  changes.push_back(GroupChange{entry->group.id(), std::move(what.record)});
  const ErrorCode error = co_await write(slot, std::move(changes));
  Actions actions = entry->group.step(Stored{what.id, error}, now());
  carry_out(slot, entry, std::move(actions));
}

// One timer for each group, at or before its deadline: most deadlines only move away, and are looked at again then.
void GroupCoordinator::arm(const SlotPtr& slot, const EntryPtr& entry) {
  const MonoTime due = entry->group.deadline();
  if (due >= entry->timer_at) return;
  Clock& clock = Shard::current().clock();
  if (entry->timer != 0) clock.cancel(entry->timer);
  entry->timer_at = due;
  entry->timer = clock.schedule(due, [this, slot, entry] {
    entry->timer = 0;
    entry->timer_at = never;
    Actions actions = entry->group.step(Tick{}, now());
    carry_out(slot, entry, std::move(actions));
  });
}

void GroupCoordinator::drop(Slot& slot, const EntryPtr& entry) {
  if (entry->timer != 0) Shard::current().clock().cancel(std::exchange(entry->timer, 0));
  entry->timer_at = never;
  const auto found = slot.groups.find(entry->group.id());
  if (found != slot.groups.end() && found->second == entry) slot.groups.erase(found);
}

GroupCoordinator::ParkedPtr GroupCoordinator::park() {
  ParkedPtr parked = std::make_shared<Parked>();
  parked->token = ++last_token_;
  parked_.emplace(parked->token, parked);
  return parked;
}

Task<Answer> GroupCoordinator::answer_of(ParkedPtr parked) {
  while (!parked->answer) co_await parked->answered.wait();
  co_return std::move(*parked->answer);
}

// "<prefix>-<uuid>", the uuid as Java writes it.
std::string GroupCoordinator::fresh_member_id(std::string_view prefix) {
  const Uuid uuid = Shard::current().random().uuid();
  static constexpr char digits[] = "0123456789abcdef";
  std::string id(prefix);
  for (int i = 0; i < 32; ++i) {
    if (i == 0 || i == 8 || i == 12 || i == 16 || i == 20) id += '-';
    const uint64_t half = i < 16 ? uuid.high : uuid.low;
    id += digits[(half >> (60 - 4 * (i % 16))) & 15];
  }
  return id;
}

// --- retention ---

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
