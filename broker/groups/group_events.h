// What happens to a classic group, and what it answers: the vocabulary of the machine in group.h.
//
// A request that cannot be answered at once is parked under its ReplyToken, which only its sender understands; the
// answer comes out of a later step under the same token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/errors.h"
#include "protocol/types.h"
#include "runtime/clock.h"

namespace millrace::broker::groups {

using ReplyToken = uint64_t;
using StoreId = uint64_t;

// Deadlines run on the first clock, what is stored and expires on the second.
struct Moment {
  MonoTime mono;
  Timestamp wall;
};

// A way to assign partitions, by name, with what the member says about itself (for consumers: its subscription).
struct Protocol {
  std::string name{};
  Bytes metadata{};
  friend bool operator==(const Protocol&, const Protocol&) = default;
};

struct Join {
  ReplyToken reply = 0;
  std::string member_id{};  // empty: a new member
  std::optional<std::string> instance_id{};
  std::string client_id{};
  std::string client_host{};
  Millis session_timeout{};
  Millis rebalance_timeout{};
  std::string protocol_type{};
  std::vector<Protocol> protocols{};
  std::string fresh_member_id{};     // for a new member, unique
  bool requires_member_id = false;   // v4+: a new dynamic member first gets its id and joins again with it
  bool can_skip_assignment = false;  // v9+
};

struct Sync {
  ReplyToken reply = 0;
  std::string member_id{};
  std::optional<std::string> instance_id{};
  int32_t generation = -1;
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol_name{};
  std::vector<std::pair<std::string, Bytes>> assignments{};  // by member id; only the leader's count
};

struct Leave {
  struct Member {
    std::string member_id{};  // empty: an administrator removes a static member
    std::optional<std::string> instance_id{};
  };
  ReplyToken reply = 0;
  std::vector<Member> members{};
};

// What became of a Store; `error` is the log's.
struct Stored {
  StoreId id = 0;
  ErrorCode error = ErrorCode::none;
};

// Time has passed.
struct Tick {};

// This broker coordinates the group no longer.
struct Unload {};

struct JoinAnswer {
  struct Member {
    std::string member_id{};
    std::optional<std::string> instance_id{};
    Bytes metadata{};
  };
  ErrorCode error = ErrorCode::none;
  int32_t generation = -1;
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol_name{};
  std::string leader{};
  bool skip_assignment = false;
  std::string member_id{};
  std::vector<Member> members{};  // for the leader only
};

struct SyncAnswer {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol_name{};
  Bytes assignment{};
};

// One code for each member that was to leave, in the request's order.
struct LeaveAnswer {
  ErrorCode error = ErrorCode::none;
  std::vector<ErrorCode> members{};
};

struct Answer {
  ReplyToken reply = 0;
  std::variant<JoinAnswer, SyncAnswer, LeaveAnswer> body;
};

// A group as `__consumer_offsets` keeps it.
struct GroupRecord {
  struct Member {
    std::string member_id{};
    std::optional<std::string> instance_id{};
    std::string client_id{};
    std::string client_host{};
    Millis rebalance_timeout{};
    Millis session_timeout{};
    Bytes subscription{};
    Bytes assignment{};
    friend bool operator==(const Member&, const Member&) = default;
  };
  std::string protocol_type{};
  int32_t generation = 0;
  std::optional<std::string> protocol{};
  std::optional<std::string> leader{};
  Timestamp state_since{-1};  // −1: written before this was kept
  std::vector<Member> members{};
  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

// To be written; the group wants to hear what became of it as Stored{id}.
struct Store {
  StoreId id = 0;
  GroupRecord record;
};

struct Actions {
  std::vector<Answer> answers{};
  std::vector<Store> stores{};
};

}  // namespace millrace::broker::groups
