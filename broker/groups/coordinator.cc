// The coordinator's own life: its slots, and what groups decide. Their log and retention, and the answers to requests,
// are in the coordinator_*.cc beside.
#include "broker/groups/coordinator.h"

#include "broker/groups/coordinator_request.h"

namespace millrace::broker::groups {

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

std::expected<GroupCoordinator::SlotPtr, ErrorCode> GroupCoordinator::slot_of_named(std::string_view group) {
  if (group.empty()) return std::unexpected(ErrorCode::invalid_group_id);
  return slot_of(group);
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

}  // namespace millrace::broker::groups
