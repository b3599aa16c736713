// The coordinator's answers to administrators: describe, list and delete groups.
#include <algorithm>
#include <set>

#include "broker/groups/coordinator.h"
#include "broker/groups/coordinator_request.h"

namespace millrace::broker::groups {

namespace {

// Lower case without blanks around, as filters are compared.
std::string folded(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool passes(const std::vector<std::string>& filter, std::string_view value) {
  const std::string wanted = folded(value);
  return filter.empty() || std::ranges::any_of(filter, [&](const std::string& one) { return folded(one) == wanted; });
}

protocol::DescribeGroupsResponseGroup describe_group(const Group& group) {
  protocol::DescribeGroupsResponseGroup to;
  to.group_id = group.id();
  to.group_state = name_of(group.state());
  to.protocol_type = group.protocol_type().value_or("");
  const bool stable = group.state() == GroupState::stable;
  if (stable) to.protocol_data = group.protocol().value_or("");
  for (const auto& [member_id, member] : group.members()) {
    protocol::DescribeGroupsResponseMember& described = to.members.emplace_back();
    described.member_id = member_id;
    described.group_instance_id = member.instance_id;
    described.client_id = member.client_id;
    described.client_host = member.client_host;
    described.member_assignment = member.assignment;
    // Which protocol's metadata counts is known in a stable group only.
    if (const Bytes* metadata = stable ? member.metadata(to.protocol_data) : nullptr) {
      described.member_metadata = *metadata;
    }
  }
  return to;
}

}  // namespace

Task<protocol::DescribeGroupsResponse> GroupCoordinator::describe(Caller caller,
                                                                  protocol::DescribeGroupsRequest request) {
  protocol::DescribeGroupsResponse response;
  for (const std::string& id : request.groups) {
    const auto slot = slot_of(id);
    const EntryPtr entry = slot ? find(**slot, id) : nullptr;
    if (entry) {
      response.groups.push_back(describe_group(entry->group));
      continue;
    }
    protocol::DescribeGroupsResponseGroup& group = response.groups.emplace_back();
    group.group_id = id;
    if (!slot) {
      group.error = slot.error();
      continue;
    }
    group.group_state = name_of(GroupState::dead);
    if (caller.version >= 6) {
      group.error = ErrorCode::group_id_not_found;
      group.error_message = "Group " + id + " not found.";
    }
  }
  co_return response;
}

Task<protocol::ListGroupsResponse> GroupCoordinator::list(Caller caller, protocol::ListGroupsRequest request) {
  protocol::ListGroupsResponse response;
  for (int32_t p = 0; p < log_.partitions(); ++p) {
    const SlotPtr slot = slot_at(PartitionId(p));
    const bool ours = log_.leads(PartitionId(p));
    if (slot->state == Slot::State::idle && ours) load_soon(slot);
    if (slot->state == Slot::State::loading) {
      response.groups.clear();
      response.error = ErrorCode::coordinator_load_in_progress;
      co_return response;
    }
    for (const auto& [id, entry] : slot->groups) {
      const std::string_view state = name_of(entry->group.state());
      if (!passes(request.states_filter, state) || !passes(request.types_filter, "classic")) continue;
      protocol::ListGroupsResponseGroup& group = response.groups.emplace_back();
      group.group_id = id;
      group.protocol_type = entry->group.protocol_type().value_or("");
      if (caller.version >= 4) group.group_state = state;
      if (caller.version >= 5) group.group_type = "Classic";
    }
  }
  co_return response;
}

Task<protocol::DeleteGroupsResponse> GroupCoordinator::remove(Caller, protocol::DeleteGroupsRequest request) {
  const Request counted(*this);
  protocol::DeleteGroupsResponse response;
  std::set<std::string> seen;
  for (const std::string& id : request.groups_names) {
    if (!seen.insert(id).second) continue;
    const ErrorCode error = co_await remove_group(id);
    response.results.push_back({id, error});
  }
  co_return response;
}

Task<ErrorCode> GroupCoordinator::remove_group(std::string id) {
  const auto slot = slot_of(id);
  if (!slot) co_return slot.error();
  const bool settled = co_await settle(*slot);
  if (!settled) co_return ErrorCode::coordinator_not_available;
  const EntryPtr entry = find(**slot, id);
  if (!entry) co_return ErrorCode::group_id_not_found;
  if (const ErrorCode error = entry->group.check_delete(); error != ErrorCode::none) co_return error;

  // Gone from here on: who joins now begins a new group, behind the tombstones in the log.
  entry->group.kill(now());
  drop(**slot, entry);
  std::vector<Change> changes;
  for (const TopicPartition& partition : (*slot)->offsets.partitions_of(id)) {
    changes.push_back(OffsetChange{id, partition.topic, partition.partition});
  }
  changes.push_back(GroupChange{id});
  const ErrorCode error = co_await write(*slot, std::move(changes));
  co_return answer_for_failed_append(error);
}

}  // namespace millrace::broker::groups
