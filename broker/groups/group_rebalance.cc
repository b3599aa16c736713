// How a group rebalances: the way from one generation to the next, and what time does to it.
#include <algorithm>

#include "broker/groups/consumer_protocol.h"
#include "broker/groups/group.h"
#include "protocol/check.h"

namespace millrace::broker::groups {

void Group::enter(GroupState next, Moment now) {
  previous_ = state_;
  state_ = next;
  state_since_ = now.wall;
}

void Group::rebalance_or_complete(Moment now) {
  if (state_ == GroupState::preparing_rebalance)
    maybe_complete_join(now);
  else
    prepare_rebalance(now);
}

void Group::prepare_rebalance(Moment now) {
  if (state_ == GroupState::completing_rebalance) propagate({}, ErrorCode::rebalance_in_progress, now);
  pending_syncs_.clear();
  sync_due_ = never;

  const bool initial = state_ == GroupState::empty;
  enter(GroupState::preparing_rebalance, now);
  if (initial) {
    initial_ = true;
    initial_delay_ = settings_.initial_rebalance_delay;
    initial_remaining_ = std::max(rebalance_timeout() - initial_delay_, Millis(0));
    join_due_ = now.mono + initial_delay_;
  } else if (all_joined()) {
    complete_join(now);
  } else {
    initial_ = false;
    join_due_ = now.mono + rebalance_timeout();
  }
}

void Group::maybe_complete_join(Moment now) {
  // The first rebalance takes its time even when everybody known is there.
  if (state_ == GroupState::preparing_rebalance && previous_ != GroupState::empty && all_joined()) complete_join(now);
}

void Group::try_complete_initial_join(Moment now) {
  if (!new_member_added_ || initial_remaining_ == Millis(0)) return complete_join(now);
  new_member_added_ = false;
  const Millis delay = std::min(settings_.initial_rebalance_delay, initial_remaining_);
  initial_remaining_ = std::max(initial_remaining_ - initial_delay_, Millis(0));
  initial_delay_ = delay;
  join_due_ = now.mono + delay;
}

void Group::complete_join(Moment now) {
  join_due_ = never;
  initial_ = false;
  new_member_added_ = false;
  std::vector<std::string> missing;
  for (const auto& [member_id, member] : members_) {
    if (!member.joining && !member.instance_id) missing.push_back(member_id);
  }
  for (const std::string& member_id : missing) remove(member_id);

  if (!elect_joined_leader() && !members_.empty()) {
    // Only static members, and none is here: wait until they come or their sessions end.
    join_due_ = now.mono + std::max(rebalance_timeout(), Millis(1'000));
    return;
  }
  next_generation(now);
}

void Group::next_generation(Moment now) {
  ++generation_;
  pending_syncs_.clear();
  sync_due_ = never;
  if (members_.empty()) {
    protocol_.reset();
    compute_subscribed_topics();
    enter(GroupState::empty, now);
    return store({.kind = Pending::Kind::emptied, .generation = generation_}, record());
  }
  protocol_ = select_protocol();
  compute_subscribed_topics();
  enter(GroupState::completing_rebalance, now);
  for (auto& [member_id, member] : members_) {
    finish_join(member, current(member_id, leader_ == member_id));
    extend_session(member_id, member.session_timeout, now);
    member.is_new = false;
    pending_syncs_.insert(member_id);
  }
  sync_due_ = now.mono + rebalance_timeout();
}

Actions Group::step(const Stored& stored, Moment now) {
  auto node = pending_stores_.extract(stored.id);
  if (node.empty()) return take();
  const Pending& pending = node.mapped();
  const ErrorCode error = answer_for_failed_append(stored.error);

  switch (pending.kind) {
    case Pending::Kind::assignment: {
      // Somebody may have joined meanwhile: then this assignment is history.
      if (state_ != GroupState::completing_rebalance || pending.generation != generation_) break;
      propagate(pending.assignments, error, now);
      if (error == ErrorCode::none)
        enter(GroupState::stable, now);
      else
        rebalance_or_complete(now);
      break;
    }
    case Pending::Kind::static_member: {
      const auto found = members_.find(pending.new_id);
      if (found == members_.end()) break;
      Member& member = found->second;
      if (error != ErrorCode::none) {
        JoinAnswer answer = current("", false);
        answer.error = error;
        answer.leader = pending.leader_before;
        finish_join(member, std::move(answer));
        const auto syncing = member.syncing;
        rename_static_member(pending.new_id, pending.old_id) = pending.before;
        if (syncing) answer_sync(*syncing, {.error = ErrorCode::fenced_instance_id});
        end_session(pending.new_id);
        extend_session(pending.old_id, pending.before.session_timeout, now);
        break;
      }
      if (!member.joining) break;
      JoinAnswer answer = current(pending.new_id, false);
      if (pending.can_skip_assignment) {
        answer.skip_assignment = leader_ == pending.new_id;
        if (answer.skip_assignment && state_ != GroupState::preparing_rebalance) answer.members = member_list();
      } else {
        // A leader that cannot be told to skip the assignment must not believe it is one.
        answer.leader = pending.leader_before;
      }
      finish_join(member, std::move(answer));
      extend_session(pending.new_id, member.session_timeout, now);
      break;
    }
    case Pending::Kind::emptied:
      break;  // the older generation in the log has no living members either
    case Pending::Kind::created: {
      if (error == ErrorCode::none) break;
      for (auto& [member_id, member] : members_) {
        finish_join(member, {.error = error, .member_id = ""});
        finish_sync(member, {.error = error});
      }
      kill(now);
      break;
    }
  }
  return take();
}

Actions Group::created(Moment) {
  store(
      {.kind = Pending::Kind::created, .generation = generation_},
      {.protocol_type = "", .generation = 0, .protocol = {}, .leader = {}, .state_since = state_since_, .members = {}});
  return take();
}

Actions Group::loaded(Moment now) {
  if (members_.size() > static_cast<size_t>(settings_.max_size)) prepare_rebalance(now);
  return take();
}

Actions Group::step(Unload, Moment now) {
  for (auto& [member_id, member] : members_) {
    finish_join(member, {.error = ErrorCode::not_coordinator, .member_id = member_id});
    finish_sync(member, {.error = ErrorCode::not_coordinator});
  }
  kill(now);
  return take();
}

void Group::kill(Moment now) {
  enter(GroupState::dead, now);
  members_.clear();
  static_members_.clear();
  pending_joins_.clear();
  pending_syncs_.clear();
  pending_stores_.clear();
  sessions_.clear();
  session_due_.clear();
  join_due_ = sync_due_ = never;
}

MonoTime Group::deadline() const {
  MonoTime due = std::min(join_due_, sync_due_);
  if (!sessions_.empty()) due = std::min(due, sessions_.begin()->first);
  return due;
}

Actions Group::step(Tick, Moment now) {
  while (true) {
    const MonoTime due = deadline();
    if (due > now.mono) break;
    if (join_due_ == due) {
      join_due_ = never;
      if (initial_)
        try_complete_initial_join(now);
      else
        complete_join(now);
    } else if (sync_due_ == due) {
      sync_due_ = never;
      expire_sync(now);
    } else {
      const std::string member_id = sessions_.begin()->second;
      end_session(member_id);
      expire_session(member_id, now);
    }
  }
  return take();
}

void Group::expire_session(const std::string& member_id, Moment now) {
  if (pending_joins_.contains(member_id)) {
    remove(member_id);
    if (state_ == GroupState::preparing_rebalance && all_joined()) complete_join(now);
    return;
  }
  const auto found = members_.find(member_id);
  if (found == members_.end()) return;
  const Member& member = found->second;
  // A parked request is a sign of life; its answer starts the session anew. A new member's is none.
  if (!member.is_new && (member.joining || member.syncing)) return;
  remove_and_rebalance(member_id, now);
}

void Group::remove_and_rebalance(const std::string& member_id, Moment now) {
  Member& member = members_.find(member_id)->second;
  finish_join(member, {.error = ErrorCode::unknown_member_id});
  finish_sync(member, {.error = ErrorCode::unknown_member_id});
  remove(member_id);
  if (state_ == GroupState::stable || state_ == GroupState::completing_rebalance)
    rebalance_or_complete(now);
  else if (state_ == GroupState::preparing_rebalance && all_joined())
    complete_join(now);
}

// Members that were given a generation and never asked for their part of it.
void Group::expire_sync(Moment now) {
  if (state_ != GroupState::completing_rebalance && state_ != GroupState::stable) return;
  if (pending_syncs_.empty()) return;
  const std::vector<std::string> silent(pending_syncs_.begin(), pending_syncs_.end());
  for (const std::string& member_id : silent) {
    if (const auto found = members_.find(member_id); found != members_.end()) {
      finish_join(found->second, {.error = ErrorCode::unknown_member_id});
    }
    remove(member_id);
  }
  prepare_rebalance(now);
}

void Group::remove(std::string_view member_id) {
  if (const auto found = members_.find(member_id); found != members_.end()) {
    if (found->second.instance_id) static_members_.erase(*found->second.instance_id);
    const bool led = leader_ == member_id;
    members_.erase(found);
    if (led) leader_ = members_.empty() ? std::nullopt : std::optional(members_.begin()->first);
  }
  if (const auto pending = pending_joins_.find(member_id); pending != pending_joins_.end())
    pending_joins_.erase(pending);
  if (const auto pending = pending_syncs_.find(member_id); pending != pending_syncs_.end())
    pending_syncs_.erase(pending);
  end_session(member_id);
}

// Keeps the leader when it is here, or takes somebody who is.
bool Group::elect_joined_leader() {
  if (!leader_) return false;
  if (members_.find(*leader_)->second.joining) return true;
  for (const auto& [member_id, member] : members_) {
    if (!member.joining) continue;
    leader_ = member_id;
    return true;
  }
  return false;
}

void Group::propagate(const std::map<std::string, Bytes>& assignments, ErrorCode error, Moment now) {
  for (auto& [member_id, member] : members_) {
    const auto given = assignments.find(member_id);
    member.assignment = error != ErrorCode::none || given == assignments.end() ? Bytes() : given->second;
    SyncAnswer answer{.error = error, .protocol_type = {}, .protocol_name = {}, .assignment = member.assignment};
    if (error == ErrorCode::none) {
      answer.protocol_type = protocol_type_;
      answer.protocol_name = protocol_;
    }
    if (finish_sync(member, std::move(answer))) extend_session(member_id, member.session_timeout, now);
  }
}

// Of the protocols that all members know, the one most of them would choose; each votes for its first.
std::string Group::select_protocol() const {
  std::map<std::string_view, size_t> known_by;
  for (const auto& [member_id, member] : members_) {
    std::set<std::string_view> names;
    for (const Protocol& protocol : member.protocols) names.insert(protocol.name);
    for (const std::string_view name : names) ++known_by[name];
  }
  std::map<std::string_view, size_t> votes;
  for (const auto& [member_id, member] : members_) {
    const auto choice = std::ranges::find_if(
        member.protocols, [&](const Protocol& protocol) { return known_by[protocol.name] == members_.size(); });
    // Nobody gets in who shares no protocol with all others, and who leaves takes none away.
    check(choice != member.protocols.end());
    ++votes[choice->name];
  }
  const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  return std::string(most->first);
}

bool Group::all_joined() const { return pending_joins_.empty() && joining_count() == members_.size(); }

Millis Group::rebalance_timeout() const {
  Millis longest{0};
  for (const auto& [member_id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

void Group::compute_subscribed_topics() {
  subscribed_topics_.reset();
  if (protocol_type_ != "consumer") return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [member_id, member] : members_) {
    const Bytes* metadata = protocol_ ? member.metadata(*protocol_) : nullptr;
    const auto subscription = metadata ? subscribed_topics(metadata->span()) : std::nullopt;
    if (!subscription) return;
    topics.insert(subscription->begin(), subscription->end());
  }
  subscribed_topics_ = std::move(topics);
}

void Group::extend_session(const std::string& member_id, Millis timeout, Moment now) {
  end_session(member_id);
  const MonoTime due = now.mono + std::max(timeout, Millis(0));
  sessions_.emplace(due, member_id);
  session_due_.emplace(member_id, due);
}

void Group::end_session(std::string_view member_id) {
  const auto found = session_due_.find(member_id);
  if (found == session_due_.end()) return;
  sessions_.erase({found->second, found->first});
  session_due_.erase(found);
}

void Group::sync_received(std::string_view member_id) {
  if (const auto pending = pending_syncs_.find(member_id); pending != pending_syncs_.end())
    pending_syncs_.erase(pending);
  if (pending_syncs_.empty()) sync_due_ = never;
}

}  // namespace millrace::broker::groups
