// Group: one classic consumer group, as a machine that neither waits nor writes.
//
//   Empty ──join──▶ PreparingRebalance ──all joined, or time is up──▶ CompletingRebalance ──sync stored──▶ Stable
//     ▲                  │   ▲                                               │                              │
//     └──nobody left─────┘   └───────── a member comes, changes, fails or leaves ──────────────────────────┘
//   Dead: deleted, or coordinated elsewhere.
//
// In PreparingRebalance the joins of all members are parked; completing it opens a new generation, answers them all,
// and gives the leader the members. In CompletingRebalance the followers' syncs are parked until the leader's
// assignment is on disk. A member lives as long as it heartbeats within its session timeout or has a parked request.
//
//   Actions actions = group.step(join, now);      // answers to give, records to store
//   …
//   if (group.deadline() <= now.mono) actions = group.step(Tick{}, now);
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/groups/group_events.h"
#include "broker/groups/group_settings.h"

namespace millrace::broker::groups {

enum class GroupState { empty, preparing_rebalance, completing_rebalance, stable, dead };
// As Kafka spells it: "PreparingRebalance".
std::string_view name_of(GroupState state);

// Which error a request gets when what it needed could not be written.
ErrorCode answer_for_failed_append(ErrorCode error);

class Group {
 public:
  struct Member {
    std::optional<std::string> instance_id{};
    std::string client_id{};
    std::string client_host{};
    Millis session_timeout{};
    Millis rebalance_timeout{};
    std::vector<Protocol> protocols{};
    Bytes assignment{};
    bool is_new = false;  // has not been in a generation yet: a parked join does not keep it alive
    std::optional<ReplyToken> joining{};
    std::optional<ReplyToken> syncing{};

    const Bytes* metadata(std::string_view protocol) const;
  };

  // An empty group without a protocol: new, or one that only commits offsets.
  Group(std::string id, const GroupSettings& settings, Moment now);
  // As found in the log; every session starts anew.
  Group(std::string id, const GroupSettings& settings, const GroupRecord& record, Moment now);

  Actions step(const Join& join, Moment now);
  Actions step(const Sync& sync, Moment now);
  Actions step(const Leave& leave, Moment now);
  Actions step(const Stored& stored, Moment now);
  Actions step(Tick, Moment now);
  Actions step(Unload, Moment now);
  // For a group that a join has made, when that join stored nothing: keeps the group.
  Actions created(Moment now);
  // For a group just loaded: rebalances one that has become too large.
  Actions loaded(Moment now);
  // The log says so: deleted.
  void kill(Moment now);

  ErrorCode heartbeat(std::string_view member, const std::optional<std::string>& instance, int32_t generation,
                      Moment now);
  // Whether this member may commit offsets. Prolongs its session when it may.
  ErrorCode commit(std::string_view member, const std::optional<std::string>& instance, int32_t generation,
                   bool transactional, Moment now);
  ErrorCode check_delete() const;
  ErrorCode check_offset_delete() const;

  // When time alone changes something; `never` when nothing does.
  MonoTime deadline() const;

  const std::string& id() const { return id_; }
  GroupState state() const { return state_; }
  int32_t generation() const { return generation_; }
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& protocol() const { return protocol_; }
  const std::optional<std::string>& leader() const { return leader_; }
  const std::map<std::string, Member, std::less<>>& members() const { return members_; }
  Timestamp state_since() const { return state_since_; }

  // Whether members read this topic. An unreadable subscription of consumers counts as all topics.
  bool is_subscribed_to(std::string_view topic) const;

  // Since when the retention of its offsets runs: by each offset's commit, by when the group became empty, or not now.
  enum class Retention { none, since_commit, since_empty };
  Retention retention() const;

 private:
  struct Pending;  // a store whose outcome is awaited
  using Members = std::map<std::string, Member, std::less<>>;

  void join_new(const Join& join, Moment now);
  void join_known(const Join& join, Moment now);
  void add_member(const Join& join, const std::string& member_id, Moment now);
  void update_member(Member& member, const Join& join);
  void replace_static_member(const Join& join, const std::string& old_id, Moment now);
  Member& rename_static_member(const std::string& from, const std::string& to);

  void rebalance_or_complete(Moment now);
  void prepare_rebalance(Moment now);
  void maybe_complete_join(Moment now);
  void complete_join(Moment now);
  void try_complete_initial_join(Moment now);
  void expire_session(const std::string& member_id, Moment now);
  void expire_sync(Moment now);
  void remove_and_rebalance(const std::string& member_id, Moment now);
  void remove(std::string_view member_id);
  bool elect_joined_leader();
  void next_generation(Moment now);
  void propagate(const std::map<std::string, Bytes>& assignments, ErrorCode error, Moment now);

  bool accepts(std::string_view member_id) const;
  bool supports(std::string_view protocol_type, const std::vector<Protocol>& protocols) const;
  ErrorCode validate(std::string_view member_id, const std::optional<std::string>& instance) const;
  size_t supporters(std::string_view protocol) const;
  std::string select_protocol() const;
  size_t joining_count() const;
  bool all_joined() const;
  Millis rebalance_timeout() const;
  void compute_subscribed_topics();
  void enter(GroupState next, Moment now);

  void extend_session(const std::string& member_id, Millis timeout, Moment now);
  void end_session(std::string_view member_id);
  void sync_received(std::string_view member_id);

  void answer_join(ReplyToken reply, JoinAnswer answer);
  void answer_sync(ReplyToken reply, SyncAnswer answer);
  void fail_join(ReplyToken reply, std::string member_id, ErrorCode error);
  bool finish_join(Member& member, JoinAnswer answer);
  bool finish_sync(Member& member, SyncAnswer answer);
  JoinAnswer current(const std::string& member_id, bool with_members) const;
  std::vector<JoinAnswer::Member> member_list() const;
  GroupRecord record(const std::map<std::string, Bytes>* assignments = nullptr) const;
  void store(Pending pending, GroupRecord record);
  Actions take();

  std::string id_;
  const GroupSettings& settings_;
  GroupState state_ = GroupState::empty;
  GroupState previous_ = GroupState::dead;
  Timestamp state_since_{-1};
  int32_t generation_ = 0;
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_;
  std::optional<std::string> leader_;
  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id → member id
  std::set<std::string, std::less<>> pending_joins_;                // ids given out, not yet joined with
  std::set<std::string, std::less<>> pending_syncs_;
  std::optional<std::set<std::string, std::less<>>> subscribed_topics_;

  // Sessions of members and of ids in pending_joins_, earliest first; and one timer each for joins and syncs.
  std::set<std::pair<MonoTime, std::string>> sessions_;
  std::map<std::string, MonoTime, std::less<>> session_due_;
  MonoTime join_due_ = never;
  MonoTime sync_due_ = never;
  // The first rebalance of an empty group waits for more members: another delay for each one in which one came.
  bool initial_ = false;
  bool new_member_added_ = false;
  Millis initial_delay_{};
  Millis initial_remaining_{};

  struct Pending {
    enum class Kind { assignment, static_member, emptied, created };
    Kind kind = Kind::emptied;
    int32_t generation = 0;
    std::map<std::string, Bytes> assignments{};
    // A replaced static member, to undo it.
    std::string old_id{};
    std::string new_id{};
    std::string leader_before{};
    Member before{};
    bool can_skip_assignment = false;
  };
  std::map<StoreId, Pending> pending_stores_;
  StoreId next_store_ = 1;
  Actions actions_;
};

}  // namespace millrace::broker::groups
