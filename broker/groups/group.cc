// A group and its requests: sync, leave, heartbeat, commit. Joining is in group_join.cc, how it rebalances in
// group_rebalance.cc.
#include "broker/groups/group.h"

#include <algorithm>
#include <utility>

#include "protocol/check.h"

namespace millrace::broker::groups {

std::string_view name_of(GroupState state) {
  switch (state) {
    case GroupState::empty:
      return "Empty";
    case GroupState::preparing_rebalance:
      return "PreparingRebalance";
    case GroupState::completing_rebalance:
      return "CompletingRebalance";
    case GroupState::stable:
      return "Stable";
    case GroupState::dead:
      return "Dead";
  }
  check(false);
  return {};
}

ErrorCode answer_for_failed_append(ErrorCode error) {
  switch (error) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::not_enough_replicas:
    case ErrorCode::not_enough_replicas_after_append:
    case ErrorCode::request_timed_out:
      return ErrorCode::coordinator_not_available;
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::kafka_storage_error:
      return ErrorCode::not_coordinator;
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
    case ErrorCode::invalid_fetch_size:
      return ErrorCode::unknown_server_error;
    default:
      return error;
  }
}

const Bytes* Group::Member::metadata(std::string_view protocol) const {
  const auto found = std::ranges::find(protocols, protocol, &Protocol::name);
  return found == protocols.end() ? nullptr : &found->metadata;
}

Group::Group(std::string id, const GroupSettings& settings, Moment now)
    : id_(std::move(id)), settings_(settings), state_since_(now.wall) {}

Group::Group(std::string id, const GroupSettings& settings, const GroupRecord& record, Moment now)
    : id_(std::move(id)),
      settings_(settings),
      state_(record.members.empty() ? GroupState::empty : GroupState::stable),
      state_since_(record.state_since),
      generation_(record.generation),
      protocol_(record.protocol),
      leader_(record.leader) {
  if (!record.protocol_type.empty()) protocol_type_ = record.protocol_type;
  if (!record.members.empty() && !protocol_) protocol_ = "";
  for (const GroupRecord::Member& stored : record.members) {
    Member member{
        .instance_id = stored.instance_id,
        .client_id = stored.client_id,
        .client_host = stored.client_host,
        .session_timeout = stored.session_timeout,
        .rebalance_timeout = stored.rebalance_timeout < Millis(0) ? stored.session_timeout : stored.rebalance_timeout,
        .protocols = {{*protocol_, stored.subscription}},
        .assignment = stored.assignment};
    if (member.instance_id) static_members_[*member.instance_id] = stored.member_id;
    members_.insert_or_assign(stored.member_id, std::move(member));
    extend_session(stored.member_id, stored.session_timeout, now);
  }
  if (members_.empty())
    leader_.reset();
  else if (!leader_ || !members_.contains(*leader_))
    leader_ = members_.begin()->first;
  compute_subscribed_topics();
}

Actions Group::step(const Sync& sync, Moment) {
  ErrorCode error = ErrorCode::none;
  if (state_ == GroupState::dead) {
    error = ErrorCode::coordinator_not_available;
  } else if (state_ == GroupState::empty) {
    error = ErrorCode::unknown_member_id;
  } else if (error = validate(sync.member_id, sync.instance_id); error != ErrorCode::none) {
    // as it is
  } else if (sync.generation != generation_) {
    error = ErrorCode::illegal_generation;
  } else if ((sync.protocol_type && protocol_type_ && *sync.protocol_type != *protocol_type_) ||
             (sync.protocol_name && protocol_ && *sync.protocol_name != *protocol_)) {
    error = ErrorCode::inconsistent_group_protocol;
  } else if (state_ == GroupState::preparing_rebalance) {
    error = ErrorCode::rebalance_in_progress;
  }
  if (error != ErrorCode::none) {
    answer_sync(sync.reply, {.error = error});
    return take();
  }

  Member& member = members_.find(sync.member_id)->second;
  sync_received(sync.member_id);
  if (state_ == GroupState::stable) {
    answer_sync(sync.reply,
                {.protocol_type = protocol_type_, .protocol_name = protocol_, .assignment = member.assignment});
    return take();
  }
  finish_sync(member, {.error = ErrorCode::rebalance_in_progress});  // asked before on a connection now gone
  member.syncing = sync.reply;
  if (leader_ == sync.member_id) {
    Pending pending{.kind = Pending::Kind::assignment, .generation = generation_};
    for (const auto& [member_id, assignment] : sync.assignments) pending.assignments[member_id] = assignment;
    GroupRecord written = record(&pending.assignments);
    store(std::move(pending), std::move(written));
  }
  return take();
}

Actions Group::step(const Leave& leave, Moment now) {
  LeaveAnswer answer;
  if (state_ == GroupState::dead) {
    actions_.answers.push_back(
        {leave.reply, LeaveAnswer{.error = ErrorCode::coordinator_not_available, .members = {}}});
    return take();
  }
  bool somebody_left = false;
  for (const Leave::Member& leaving : leave.members) {
    std::string member_id = leaving.member_id;
    ErrorCode error = ErrorCode::none;
    if (member_id.empty()) {
      const auto found = leaving.instance_id ? static_members_.find(*leaving.instance_id) : static_members_.end();
      if (found == static_members_.end())
        error = ErrorCode::unknown_member_id;
      else
        member_id = found->second;
    } else if (!pending_joins_.contains(member_id)) {
      error = validate(member_id, leaving.instance_id);
    }
    answer.members.push_back(error);
    if (error != ErrorCode::none) continue;
    somebody_left = true;
    if (const auto member = members_.find(member_id); member != members_.end()) {
      finish_join(member->second, {.error = ErrorCode::unknown_member_id});
      finish_sync(member->second, {.error = ErrorCode::unknown_member_id});
    }
    remove(member_id);
  }
  if (somebody_left) {
    if (state_ == GroupState::stable || state_ == GroupState::completing_rebalance)
      rebalance_or_complete(now);
    else if (state_ == GroupState::preparing_rebalance)
      maybe_complete_join(now);
  }
  actions_.answers.push_back({leave.reply, std::move(answer)});
  return take();
}

ErrorCode Group::heartbeat(std::string_view member_id, const std::optional<std::string>& instance, int32_t generation,
                           Moment now) {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  if (const ErrorCode error = validate(member_id, instance); error != ErrorCode::none) return error;
  if (generation != generation_) return ErrorCode::illegal_generation;
  if (state_ == GroupState::empty) return ErrorCode::unknown_member_id;
  const auto& [id, member] = *members_.find(member_id);
  extend_session(id, member.session_timeout, now);
  return state_ == GroupState::preparing_rebalance ? ErrorCode::rebalance_in_progress : ErrorCode::none;
}

ErrorCode Group::commit(std::string_view member_id, const std::optional<std::string>& instance, int32_t generation,
                        bool transactional, Moment now) {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  // An administrator, or a consumer that assigns its partitions itself.
  if (generation < 0 && state_ == GroupState::empty) return ErrorCode::none;
  if (generation >= 0 || !member_id.empty() || instance) {
    if (const ErrorCode error = validate(member_id, instance); error != ErrorCode::none) return error;
    if (generation != generation_) return ErrorCode::illegal_generation;
  } else if (!transactional && state_ != GroupState::empty) {
    return ErrorCode::unknown_member_id;
  }
  if (transactional) return ErrorCode::none;
  if (state_ == GroupState::completing_rebalance) return ErrorCode::rebalance_in_progress;
  if (const auto found = members_.find(member_id); found != members_.end()) {
    extend_session(found->first, found->second.session_timeout, now);
  }
  return ErrorCode::none;
}

ErrorCode Group::check_delete() const {
  if (state_ == GroupState::dead) return ErrorCode::group_id_not_found;
  return state_ == GroupState::empty ? ErrorCode::none : ErrorCode::non_empty_group;
}

ErrorCode Group::check_offset_delete() const {
  if (state_ == GroupState::dead) return ErrorCode::group_id_not_found;
  // Of consumers we know which topics they read, and refuse those one by one.
  const bool consumers = protocol_type_ == "consumer";
  return state_ == GroupState::empty || consumers ? ErrorCode::none : ErrorCode::non_empty_group;
}

Group::Retention Group::retention() const {
  if (!protocol_type_) return Retention::since_commit;
  if (state_ == GroupState::empty) return state_since_.value < 0 ? Retention::since_commit : Retention::since_empty;
  const bool knows_topics = protocol_type_ == "consumer" && subscribed_topics_.has_value();
  return state_ == GroupState::stable && knows_topics ? Retention::since_commit : Retention::none;
}

bool Group::is_subscribed_to(std::string_view topic) const {
  if (subscribed_topics_) return subscribed_topics_->contains(topic);
  return protocol_type_ == "consumer";
}

ErrorCode Group::validate(std::string_view member_id, const std::optional<std::string>& instance) const {
  if (instance) {
    const auto existing = static_members_.find(*instance);
    if (existing == static_members_.end()) return ErrorCode::unknown_member_id;
    if (existing->second != member_id) return ErrorCode::fenced_instance_id;
  }
  return members_.contains(member_id) ? ErrorCode::none : ErrorCode::unknown_member_id;
}

void Group::answer_join(ReplyToken reply, JoinAnswer answer) { actions_.answers.push_back({reply, std::move(answer)}); }
void Group::answer_sync(ReplyToken reply, SyncAnswer answer) { actions_.answers.push_back({reply, std::move(answer)}); }

void Group::fail_join(ReplyToken reply, std::string member_id, ErrorCode error) {
  answer_join(reply, {.error = error, .member_id = std::move(member_id)});
}

bool Group::finish_join(Member& member, JoinAnswer answer) {
  if (!member.joining) return false;
  answer_join(*member.joining, std::move(answer));
  member.joining.reset();
  return true;
}

bool Group::finish_sync(Member& member, SyncAnswer answer) {
  if (!member.syncing) return false;
  answer_sync(*member.syncing, std::move(answer));
  member.syncing.reset();
  return true;
}

JoinAnswer Group::current(const std::string& member_id, bool with_members) const {
  return {.error = ErrorCode::none,
          .generation = generation_,
          .protocol_type = protocol_type_,
          .protocol_name = protocol_,
          .leader = leader_.value_or(""),
          .skip_assignment = false,
          .member_id = member_id,
          .members = with_members ? member_list() : std::vector<JoinAnswer::Member>{}};
}

std::vector<JoinAnswer::Member> Group::member_list() const {
  std::vector<JoinAnswer::Member> list;
  list.reserve(members_.size());
  for (const auto& [member_id, member] : members_) {
    const Bytes* metadata = member.metadata(protocol_.value_or(""));
    list.push_back({member_id, member.instance_id, metadata ? *metadata : Bytes()});
  }
  return list;
}

// With the assignments given, or those the members have.
GroupRecord Group::record(const std::map<std::string, Bytes>* assignments) const {
  GroupRecord record{.protocol_type = protocol_type_.value_or(""),
                     .generation = generation_,
                     .protocol = protocol_,
                     .leader = leader_,
                     .state_since = state_since_,
                     .members = {}};
  for (const auto& [member_id, member] : members_) {
    const Bytes* metadata = member.metadata(protocol_.value_or(""));
    Bytes assignment = member.assignment;
    if (assignments) {
      const auto given = assignments->find(member_id);
      assignment = given == assignments->end() ? Bytes() : given->second;
    }
    record.members.push_back({.member_id = member_id,
                              .instance_id = member.instance_id,
                              .client_id = member.client_id,
                              .client_host = member.client_host,
                              .rebalance_timeout = member.rebalance_timeout,
                              .session_timeout = member.session_timeout,
                              .subscription = metadata ? *metadata : Bytes(),
                              .assignment = std::move(assignment)});
  }
  return record;
}

void Group::store(Pending pending, GroupRecord record) {
  const StoreId id = next_store_++;
  actions_.stores.push_back({id, std::move(record)});
  pending_stores_.emplace(id, std::move(pending));
}

Actions Group::take() { return std::exchange(actions_, {}); }

}  // namespace millrace::broker::groups
