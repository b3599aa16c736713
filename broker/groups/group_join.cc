// Joining a group: who may, as whom, and what becomes of the generation. How it rebalances is in group_rebalance.cc.
#include <algorithm>
#include <utility>

#include "broker/groups/group.h"
#include "protocol/check.h"

namespace millrace::broker::groups {

Actions Group::step(const Join& join, Moment now) {
  if (!accepts(join.member_id)) {
    remove(join.member_id);
    fail_join(join.reply, "", ErrorCode::group_max_size_reached);
  } else if (state_ == GroupState::dead) {
    fail_join(join.reply, join.member_id, ErrorCode::coordinator_not_available);
  } else if (!supports(join.protocol_type, join.protocols)) {
    fail_join(join.reply, join.member_id, ErrorCode::inconsistent_group_protocol);
  } else if (join.member_id.empty()) {
    join_new(join, now);
  } else {
    join_known(join, now);
  }
  return take();
}

void Group::join_new(const Join& join, Moment now) {
  if (join.instance_id) {
    const auto existing = static_members_.find(*join.instance_id);
    if (existing == static_members_.end()) return add_member(join, join.fresh_member_id, now);
    const std::string old_id = existing->second;
    return replace_static_member(join, old_id, now);
  }
  if (!join.requires_member_id) return add_member(join, join.fresh_member_id, now);
  pending_joins_.insert(join.fresh_member_id);
  extend_session(join.fresh_member_id, join.session_timeout, now);
  fail_join(join.reply, join.fresh_member_id, ErrorCode::member_id_required);
}

void Group::join_known(const Join& join, Moment now) {
  if (pending_joins_.contains(join.member_id)) {
    // Only dynamic members get an id before they join.
    if (join.instance_id) return fail_join(join.reply, join.member_id, ErrorCode::unknown_server_error);
    return add_member(join, join.member_id, now);
  }
  if (const ErrorCode error = validate(join.member_id, join.instance_id); error != ErrorCode::none) {
    return fail_join(join.reply, join.member_id, error);
  }
  Member& member = members_.find(join.member_id)->second;
  const bool leads = leader_ == join.member_id;
  const bool unchanged = member.protocols == join.protocols;
  switch (state_) {
    case GroupState::preparing_rebalance:
      update_member(member, join);
      return rebalance_or_complete(now);
    case GroupState::completing_rebalance:
      // The same again: its answer got lost.
      if (unchanged) return answer_join(join.reply, current(join.member_id, leads));
      update_member(member, join);
      return rebalance_or_complete(now);
    case GroupState::stable:
      // A leader joins again to have partitions assigned anew, for reasons that only it sees.
      if (!leads && unchanged) return answer_join(join.reply, current(join.member_id, false));
      update_member(member, join);
      return rebalance_or_complete(now);
    case GroupState::empty:
    case GroupState::dead:
      return fail_join(join.reply, join.member_id, ErrorCode::unknown_member_id);
  }
}

void Group::add_member(const Join& join, const std::string& member_id, Moment now) {
  if (state_ == GroupState::preparing_rebalance && previous_ == GroupState::empty) new_member_added_ = true;
  if (members_.empty()) protocol_type_ = join.protocol_type;
  if (!leader_) leader_ = member_id;
  if (join.instance_id) static_members_[*join.instance_id] = member_id;
  members_.insert_or_assign(member_id, Member{.instance_id = join.instance_id,
                                              .client_id = join.client_id,
                                              .client_host = join.client_host,
                                              .session_timeout = join.session_timeout,
                                              .rebalance_timeout = join.rebalance_timeout,
                                              .protocols = join.protocols,
                                              .assignment = {},
                                              .is_new = true,
                                              .joining = join.reply,
                                              .syncing = {}});
  pending_joins_.erase(member_id);
  // It cannot heartbeat before it has its answer, and we do not see its connection break: give up on it one day.
  extend_session(member_id, settings_.new_member_join_timeout, now);
  rebalance_or_complete(now);
}

void Group::update_member(Member& member, const Join& join) {
  member.protocols = join.protocols;
  member.rebalance_timeout = join.rebalance_timeout;
  member.session_timeout = join.session_timeout;
  // The former request's connection is gone, or its client would not ask again.
  finish_join(member, {.error = ErrorCode::rebalance_in_progress, .member_id = join.member_id});
  member.joining = join.reply;
}

Group::Member& Group::rename_static_member(const std::string& from, const std::string& to) {
  auto node = members_.extract(from);
  node.key() = to;
  Member& member = members_.insert(std::move(node)).position->second;
  static_members_[*member.instance_id] = to;
  if (leader_ == from) leader_ = to;
  if (pending_syncs_.erase(from) > 0) pending_syncs_.insert(to);
  end_session(from);
  return member;
}

void Group::replace_static_member(const Join& join, const std::string& old_id, Moment now) {
  Pending pending{.kind = Pending::Kind::static_member,
                  .generation = generation_,
                  .assignments = {},
                  .old_id = old_id,
                  .new_id = join.fresh_member_id,
                  .leader_before = leader_.value_or(""),
                  .before = members_.find(old_id)->second,
                  .can_skip_assignment = join.can_skip_assignment};
  pending.before.joining.reset();
  pending.before.syncing.reset();

  Member& member = rename_static_member(old_id, join.fresh_member_id);
  finish_join(member, {.error = ErrorCode::fenced_instance_id, .member_id = old_id});
  finish_sync(member, {.error = ErrorCode::fenced_instance_id});
  member.is_new = false;
  extend_session(join.fresh_member_id, member.session_timeout, now);
  member.protocols = join.protocols;
  member.rebalance_timeout = join.rebalance_timeout;
  member.session_timeout = join.session_timeout;
  member.joining = join.reply;

  switch (state_) {
    case GroupState::stable:
      if (protocol_ == select_protocol()) return store(std::move(pending), record());
      return rebalance_or_complete(now);
    case GroupState::completing_rebalance:
      // The leader may be assigning to the old id at this moment.
      return prepare_rebalance(now);
    case GroupState::preparing_rebalance:
      return maybe_complete_join(now);
    case GroupState::empty:
    case GroupState::dead:
      check(false);
  }
}

// Up to the maximum, the members who are there already first. While rebalancing only those who have joined count:
// so a group above a lowered maximum gets rid of its slowest members.
bool Group::accepts(std::string_view member_id) const {
  const auto maximum = static_cast<size_t>(settings_.max_size);
  const auto found = members_.find(member_id);
  switch (state_) {
    case GroupState::empty:
    case GroupState::dead:
      return true;
    case GroupState::preparing_rebalance:
      return (found != members_.end() && found->second.joining) || joining_count() < maximum;
    case GroupState::completing_rebalance:
    case GroupState::stable:
      return found != members_.end() || members_.size() < maximum;
  }
  return false;
}

size_t Group::supporters(std::string_view protocol) const {
  return static_cast<size_t>(
      std::ranges::count_if(members_, [&](const auto& entry) { return entry.second.metadata(protocol) != nullptr; }));
}

bool Group::supports(std::string_view protocol_type, const std::vector<Protocol>& protocols) const {
  if (state_ == GroupState::empty) return !protocol_type.empty() && !protocols.empty();
  return protocol_type_ == protocol_type && std::ranges::any_of(protocols, [&](const Protocol& protocol) {
           return supporters(protocol.name) == members_.size();
         });
}

size_t Group::joining_count() const {
  return static_cast<size_t>(
      std::ranges::count_if(members_, [](const auto& entry) { return entry.second.joining.has_value(); }));
}

}  // namespace millrace::broker::groups
