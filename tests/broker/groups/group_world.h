// A group with its clock, its log and its clients' mailboxes, for tests of the machine alone.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "broker/groups/group.h"

namespace millrace::broker::groups {

inline Bytes bytes(std::string_view text) { return Bytes::copy_of(text); }

// A consumer's subscription, version 0.
inline Bytes subscription(const std::vector<std::string>& topics) {
  std::string out(2, '\0');
  const auto put = [&](uint32_t v, int width) {
    for (int i = width; i-- > 0;) out.push_back(static_cast<char>(v >> (8 * i)));
  };
  put(static_cast<uint32_t>(topics.size()), 4);
  for (const std::string& topic : topics) {
    put(static_cast<uint32_t>(topic.size()), 2);
    out += topic;
  }
  return bytes(out);
}

class GroupWorld {
 public:
  explicit GroupWorld(GroupSettings with = {}) : settings(with), group("g", settings, now) {}
  GroupWorld(const GroupRecord& record, GroupSettings with = {}) : settings(with), group("g", settings, record, now) {}

  ReplyToken join(std::string member_id, std::vector<Protocol> protocols = {{"range", bytes("m")}},
                  std::optional<std::string> instance = {}, bool requires_id = false, bool can_skip = false) {
    Join event{.reply = ++last_,
               .member_id = std::move(member_id),
               .instance_id = std::move(instance),
               .client_id = "client",
               .client_host = "/127.0.0.1",
               .session_timeout = session_timeout,
               .rebalance_timeout = rebalance_timeout,
               .protocol_type = protocol_type,
               .protocols = std::move(protocols),
               .fresh_member_id = "m" + std::to_string(++members_),
               .requires_member_id = requires_id,
               .can_skip_assignment = can_skip};
    take(group.step(event, now));
    return last_;
  }
  ReplyToken sync(std::string member_id, int32_t generation,
                  std::vector<std::pair<std::string, Bytes>> assignments = {},
                  std::optional<std::string> instance = {}) {
    Sync event{.reply = ++last_,
               .member_id = std::move(member_id),
               .instance_id = std::move(instance),
               .generation = generation,
               .assignments = std::move(assignments)};
    take(group.step(event, now));
    return last_;
  }
  LeaveAnswer leave(std::vector<Leave::Member> members) {
    take(group.step(Leave{.reply = ++last_, .members = std::move(members)}, now));
    return std::get<LeaveAnswer>(answers.at(last_));
  }
  ErrorCode heartbeat(std::string_view member, int32_t generation, std::optional<std::string> instance = {}) {
    return group.heartbeat(member, instance, generation, now);
  }

  // Time passes; whatever falls due happens at its time.
  void pass(Millis time) {
    const MonoTime until = now.mono + time;
    while (group.deadline() <= until) {
      move_to(std::max(group.deadline(), now.mono));
      take(group.step(Tick{}, now));
    }
    move_to(until);
  }

  void take(Actions actions) {
    for (Answer& answer : actions.answers) {
      CHECK_MESSAGE(!answers.contains(answer.reply), "a request is answered once");
      answers[answer.reply] = std::move(answer.body);
    }
    for (Store& store : actions.stores) {
      stores.push_back(std::move(store));
      if (stores_at_once) finish_store(log_says);
    }
  }
  // The oldest store under way ends.
  void finish_store(ErrorCode error = ErrorCode::none) {
    REQUIRE(finished_ < stores.size());
    const StoreId id = stores[finished_++].id;
    take(group.step(Stored{id, error}, now));
  }

  bool answered(ReplyToken token) const { return answers.contains(token); }
  const JoinAnswer& joined(ReplyToken token) const {
    REQUIRE(answered(token));
    return std::get<JoinAnswer>(answers.at(token));
  }
  const SyncAnswer& synced(ReplyToken token) const {
    REQUIRE(answered(token));
    return std::get<SyncAnswer>(answers.at(token));
  }

  // A stable group of `count` dynamic members m1, m2, …, of which m1 leads; generation 1.
  void stabilize(int count, std::vector<Protocol> protocols = {{"range", bytes("m")}}) {
    for (int i = 0; i < count; ++i) join("", protocols);
    while (group.state() == GroupState::preparing_rebalance) pass(Millis(100));
    REQUIRE(group.state() == GroupState::completing_rebalance);
    std::vector<std::pair<std::string, Bytes>> assignments;
    for (const auto& [id, member] : group.members()) assignments.emplace_back(id, bytes("for " + id));
    const std::string leader = *group.leader();
    sync(leader, group.generation(), assignments);
    for (const auto& [id, member] : group.members()) {
      if (id != leader) sync(id, group.generation());
    }
    REQUIRE(group.state() == GroupState::stable);
  }

  GroupSettings settings;
  Moment now{MonoTime(std::chrono::hours(1)), Timestamp(1'700'000'000'000)};
  Group group;
  Millis session_timeout{10'000};
  Millis rebalance_timeout{60'000};
  std::string protocol_type = "consumer";
  std::map<ReplyToken, std::variant<JoinAnswer, SyncAnswer, LeaveAnswer>> answers;
  std::vector<Store> stores;
  bool stores_at_once = true;
  ErrorCode log_says = ErrorCode::none;

 private:
  void move_to(MonoTime to) {
    now.wall = now.wall + std::chrono::duration_cast<Millis>(to - now.mono).count();
    now.mono = to;
  }

  ReplyToken last_ = 0;
  int members_ = 0;
  size_t finished_ = 0;
};

}  // namespace millrace::broker::groups
