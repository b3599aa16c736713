// GroupCoordinator: drives the classic groups of this broker, and keeps what they commit.
//
//   group id ── hash ──▶ partition of `__consumer_offsets` = slot:  groups, committed offsets
//     A slot is idle (not ours, or not looked at yet), loading (its log is being replayed) or active.
//
// What a group decides is in group.h; here its answers find their waiters, its records reach the log, and its one timer
// fires. Offsets count once the log has acknowledged them: a commit is answered after that, and a fetch sees nothing
// earlier. Writes to one slot are applied in the order in which they were begun.
//
// Lives on one shard, with everything it touches; handlers of other shards come over with on(). Requests arrive with
// topic names and ids resolved already, see handlers/group_handlers.h.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/groups/group.h"
#include "broker/groups/group_records.h"
#include "broker/groups/offsets.h"
#include "broker/groups/offsets_log.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"
#include "runtime/gate.h"

namespace millrace::broker::groups {

// What a request says beside its body.
struct Caller {
  int16_t version = 0;
  std::string client_id;
  std::string client_host;  // "/127.0.0.1"
};

class GroupCoordinator {
 public:
  GroupCoordinator(OffsetsLog& log, GroupSettings settings);
  ~GroupCoordinator();
  GroupCoordinator(const GroupCoordinator&) = delete;

  // Begins to load what this broker leads; requests that come earlier than that are told so.
  void start();
  // Answers everybody who waits, and ends.
  Task<void> close();

  // Leadership of a partition of the topic has come or gone.
  void lead(PartitionId partition);
  void resign(PartitionId partition);
  // Their offsets mean nothing any more.
  Task<void> topics_deleted(std::vector<std::string> topics);
  // The log has a transaction's end: its offsets count, or never were.
  void end_transaction(PartitionId partition, ProducerId producer, bool committed);

  // Where this group is coordinated, creating `__consumer_offsets` when it does not exist, and waiting a while for the
  // partition to be loaded when it is ours.
  Task<std::expected<PartitionId, ErrorCode>> locate(std::string group);

  Task<protocol::JoinGroupResponse> join(Caller caller, protocol::JoinGroupRequest request);
  Task<protocol::SyncGroupResponse> sync(Caller caller, protocol::SyncGroupRequest request);
  Task<protocol::HeartbeatResponse> heartbeat(Caller caller, protocol::HeartbeatRequest request);
  Task<protocol::LeaveGroupResponse> leave(Caller caller, protocol::LeaveGroupRequest request);

  Task<protocol::OffsetCommitResponse> commit(Caller caller, protocol::OffsetCommitRequest request);
  // All topics of the group when it names none; the answers carry names, and ids where they are known.
  Task<protocol::OffsetFetchResponseGroup> fetch(protocol::OffsetFetchRequestGroup request, bool require_stable);
  Task<protocol::OffsetDeleteResponse> delete_offsets(Caller caller, protocol::OffsetDeleteRequest request);

  Task<protocol::DescribeGroupsResponse> describe(Caller caller, protocol::DescribeGroupsRequest request);
  Task<protocol::ListGroupsResponse> list(Caller caller, protocol::ListGroupsRequest request);
  Task<protocol::DeleteGroupsResponse> remove(Caller caller, protocol::DeleteGroupsRequest request);

  const GroupSettings& settings() const { return settings_; }

 private:
  struct Entry {
    explicit Entry(Group g) : group(std::move(g)) {}
    Group group;
    TimerId timer = 0;
    MonoTime timer_at = never;
  };
  struct Slot {
    enum class State { idle, loading, active, gone };
    explicit Slot(PartitionId p) : partition(p) {}
    PartitionId partition;
    State state = State::idle;
    std::map<std::string, std::shared_ptr<Entry>, std::less<>> groups;
    Offsets offsets;
    uint64_t writes_begun = 0;
    uint64_t writes_settled = 0;
    Event changed;  // state or writes_settled
    // What this one takes the place of, while writes of it are under way: they must end before the log is read.
    std::shared_ptr<Slot> before;
    bool is_quiet() const { return writes_settled == writes_begun; }
  };
  using SlotPtr = std::shared_ptr<Slot>;
  using EntryPtr = std::shared_ptr<Entry>;
  // A request on its way: close() waits for it.
  class Request;
  struct Parked {
    ReplyToken token = 0;
    std::optional<Answer> answer;
    Event answered;
  };
  using ParkedPtr = std::shared_ptr<Parked>;

  Moment now() const;
  SlotPtr slot_at(PartitionId partition);
  std::expected<SlotPtr, ErrorCode> slot_of(std::string_view group);
  // The same where a group must have a name.
  std::expected<SlotPtr, ErrorCode> slot_of_named(std::string_view group);
  static EntryPtr find(const Slot& slot, std::string_view group);
  EntryPtr create_group(Slot& slot, const std::string& group);

  void load_soon(const SlotPtr& slot);
  Task<void> load(SlotPtr slot);
  Task<bool> replay(Slot& slot, std::map<std::string, GroupRecord>& groups);
  void replay(Slot& slot, const protocol::RecordBatch& batch, std::map<std::string, GroupRecord>& groups);
  void unload(const SlotPtr& slot);
  // Forgets what memory says and reads the log again.
  void reload(const SlotPtr& slot);

  // Answers once the log has acknowledged the changes and they are applied, or when that takes too long; they may
  // still be then.
  Task<ErrorCode> write(SlotPtr slot, std::vector<Change> changes);
  struct Outcome {
    std::optional<ErrorCode> error;
    Event known;
  };
  Task<void> perform(SlotPtr slot, std::vector<Change> changes, std::shared_ptr<Outcome> outcome);
  void apply(Slot& slot, const OffsetChange& change, Offset at);
  // Until every write begun so far is settled; false when that takes too long or the slot is gone.
  Task<bool> settle(SlotPtr slot);

  // Lets a group's actions happen.
  void carry_out(const SlotPtr& slot, const EntryPtr& entry, Actions actions);
  Task<void> store(SlotPtr slot, EntryPtr entry, Store what);
  void arm(const SlotPtr& slot, const EntryPtr& entry);
  void drop(Slot& slot, const EntryPtr& entry);
  ParkedPtr park();
  static Task<Answer> answer_of(ParkedPtr parked);
  std::string fresh_member_id(std::string_view prefix);

  Task<void> keep_retention();
  Task<void> expire(SlotPtr slot);
  std::vector<Change> expired(Slot& slot, Moment at);
  Task<void> write_tombstones(SlotPtr slot, std::vector<Change> changes);
  Task<ErrorCode> remove_group(std::string group);

  OffsetsLog& log_;
  const GroupSettings settings_;
  std::vector<SlotPtr> slots_;
  std::unordered_map<ReplyToken, ParkedPtr> parked_;  // not answered yet
  ReplyToken last_token_ = 0;
  bool closing_ = false;
  Event stop_;
  int requests_ = 0;
  Event requests_ended_;
  Gate gate_;
};

}  // namespace millrace::broker::groups
