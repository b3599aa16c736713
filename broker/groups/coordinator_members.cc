// The coordinator's answers to members: join, sync, heartbeat, leave.
#include <algorithm>

#include "broker/groups/coordinator.h"
#include "broker/groups/coordinator_request.h"

namespace millrace::broker::groups {

namespace {

// Apart from the frame it came in, which would live as long as the member otherwise.
Bytes own(const Bytes& view) { return Bytes::copy_of(view.span()); }

protocol::JoinGroupResponse to_response(JoinAnswer answer, int16_t version) {
  protocol::JoinGroupResponse response;
  response.error = answer.error;
  response.generation_id = answer.generation;
  response.protocol_type = std::move(answer.protocol_type);
  response.protocol_name = std::move(answer.protocol_name);
  if (version < 7 && !response.protocol_name) response.protocol_name = "";
  response.leader = std::move(answer.leader);
  response.skip_assignment = answer.skip_assignment;
  response.member_id = std::move(answer.member_id);
  for (JoinAnswer::Member& member : answer.members) {
    response.members.push_back(
        {std::move(member.member_id), std::move(member.instance_id), std::move(member.metadata)});
  }
  return response;
}

protocol::JoinGroupResponse refuse(ErrorCode error, std::string member_id, int16_t version) {
  return to_response({.error = error, .member_id = std::move(member_id)}, version);
}

}  // namespace

Task<protocol::JoinGroupResponse> GroupCoordinator::join(Caller caller, protocol::JoinGroupRequest request) {
  const Request counted(*this);
  if (request.group_id.empty()) co_return refuse(ErrorCode::invalid_group_id, request.member_id, caller.version);
  if (request.session_timeout < settings_.min_session_timeout ||
      request.session_timeout > settings_.max_session_timeout) {
    co_return refuse(ErrorCode::invalid_session_timeout, request.member_id, caller.version);
  }
  const auto slot = slot_of(request.group_id);
  if (!slot) co_return refuse(slot.error(), "", caller.version);

  EntryPtr entry = find(**slot, request.group_id);
  const bool is_new = entry == nullptr;
  if (is_new) {
    if (!request.member_id.empty()) co_return refuse(ErrorCode::unknown_member_id, request.member_id, caller.version);
    entry = create_group(**slot, request.group_id);
  }
  const ParkedPtr parked = park();
  Join join{.reply = parked->token,
            .member_id = request.member_id,
            .instance_id = request.group_instance_id,
            .client_id = caller.client_id,
            .client_host = caller.client_host,
            .session_timeout = request.session_timeout,
            .rebalance_timeout = caller.version == 0 ? request.session_timeout : request.rebalance_timeout,
            .protocol_type = request.protocol_type,
            .requires_member_id = caller.version >= 4,
            .can_skip_assignment = caller.version >= 9};
  for (const protocol::JoinGroupRequestProtocol& protocol : request.protocols) {
    join.protocols.push_back({protocol.name, own(protocol.metadata)});
  }
  if (join.member_id.empty()) join.fresh_member_id = fresh_member_id(join.instance_id.value_or(caller.client_id));

  Actions actions = entry->group.step(join, now());
  if (is_new && actions.stores.empty()) {
    Actions kept = entry->group.created(now());
    actions.stores = std::move(kept.stores);
  }
  carry_out(*slot, entry, std::move(actions));
  Answer answer = co_await answer_of(parked);
  co_return to_response(std::get<JoinAnswer>(std::move(answer.body)), caller.version);
}

Task<protocol::SyncGroupResponse> GroupCoordinator::sync(Caller caller, protocol::SyncGroupRequest request) {
  const Request counted(*this);
  protocol::SyncGroupResponse response;
  // From version 5 on, a member says what it believes to be syncing.
  if (caller.version >= 5 && (!request.protocol_type || !request.protocol_name)) {
    response.error = ErrorCode::inconsistent_group_protocol;
    co_return response;
  }
  const auto slot = slot_of_named(request.group_id);
  const EntryPtr entry = slot ? find(**slot, request.group_id) : nullptr;
  if (!entry) {
    response.error = slot ? ErrorCode::unknown_member_id : slot.error();
    co_return response;
  }
  const ParkedPtr parked = park();
  Sync sync{.reply = parked->token,
            .member_id = request.member_id,
            .instance_id = request.group_instance_id,
            .generation = request.generation_id,
            .protocol_type = request.protocol_type,
            .protocol_name = request.protocol_name};
  for (const protocol::SyncGroupRequestAssignment& assignment : request.assignments) {
    sync.assignments.emplace_back(assignment.member_id, own(assignment.assignment));
  }
  Actions actions = entry->group.step(sync, now());
  carry_out(*slot, entry, std::move(actions));
  Answer answer = co_await answer_of(parked);
  SyncAnswer& body = std::get<SyncAnswer>(answer.body);
  response.error = body.error;
  response.protocol_type = std::move(body.protocol_type);
  response.protocol_name = std::move(body.protocol_name);
  response.assignment = std::move(body.assignment);
  co_return response;
}

Task<protocol::HeartbeatResponse> GroupCoordinator::heartbeat(Caller, protocol::HeartbeatRequest request) {
  protocol::HeartbeatResponse response;
  const auto slot = slot_of_named(request.group_id);
  if (!slot) {
    // While the group is loading its members are given the benefit of the doubt.
    if (slot.error() != ErrorCode::coordinator_load_in_progress) response.error = slot.error();
    co_return response;
  }
  const EntryPtr entry = find(**slot, request.group_id);
  response.error =
      entry ? entry->group.heartbeat(request.member_id, request.group_instance_id, request.generation_id, now())
            : ErrorCode::unknown_member_id;
  if (entry) arm(*slot, entry);
  co_return response;
}

Task<protocol::LeaveGroupResponse> GroupCoordinator::leave(Caller caller, protocol::LeaveGroupRequest request) {
  const Request counted(*this);
  protocol::LeaveGroupResponse response;
  const auto slot = slot_of_named(request.group_id);
  if (!slot) {
    response.error = slot.error();
    co_return response;
  }
  if (caller.version < 3) request.members = {{request.member_id, std::nullopt, std::nullopt}};

  std::vector<ErrorCode> errors(request.members.size(), ErrorCode::unknown_member_id);
  if (const EntryPtr entry = find(**slot, request.group_id)) {
    const ParkedPtr parked = park();
    Leave leave{.reply = parked->token, .members = {}};
    for (const protocol::LeaveGroupRequestMember& member : request.members) {
      leave.members.push_back({member.member_id, member.group_instance_id});
    }
    Actions actions = entry->group.step(leave, now());
    carry_out(*slot, entry, std::move(actions));
    Answer answer = co_await answer_of(parked);
    LeaveAnswer& body = std::get<LeaveAnswer>(answer.body);
    response.error = body.error;
    errors = std::move(body.members);
  }
  if (response.error != ErrorCode::none) co_return response;
  if (caller.version < 3) {
    response.error = errors.front();
    co_return response;
  }
  for (size_t i = 0; i < request.members.size(); ++i) {
    response.members.push_back({request.members[i].member_id, request.members[i].group_instance_id, errors[i]});
  }
  co_return response;
}

}  // namespace millrace::broker::groups
