// Incremental fetch sessions (KIP-227): the broker remembers which partitions a consumer follows, so that requests name
// only what has changed and answers carry only what is new.
//
//   (id, epoch)   (0, −1) no session   (any, 0) open one, forgetting `id`   (id, −1) close it   (id, n) the n-th
//   request
//
// Pure bookkeeping: reading and waiting is fetch.cc's.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "protocol/messages/fetch.h"
#include "runtime/clock.h"
#include "runtime/random.h"

namespace millrace::broker {

// One partition that is to be read, as the request or the session has it.
struct FetchPartition {
  std::string topic;  // requests below v13
  TopicId id;         // from v13 on
  PartitionId index;
  LeaderEpoch current_leader_epoch{-1};
  LeaderEpoch last_fetched_epoch{-1};
  Offset offset{0};
  int32_t max_bytes = 0;

  // What the consumer was last told.
  Offset told_high_watermark{-2};
  Offset told_last_stable{-2};
  Offset told_start{-2};

  bool same_partition(const FetchPartition& other) const {
    return index == other.index && id == other.id && topic == other.topic;
  }
};

struct FetchSession {
  int32_t id = 0;
  int32_t next_epoch = 1;
  bool uses_ids = false;
  MonoTime last_used{};
  std::vector<FetchPartition> partitions;
};

// How one request is to be served.
struct FetchPlan {
  ErrorCode error = ErrorCode::none;  // an answer with this and nothing else
  std::shared_ptr<FetchSession> session;
  bool incremental = false;  // answer only what is new
  std::vector<FetchPartition> partitions;
};

class FetchSessions {
 public:
  explicit FetchSessions(size_t slots) : slots_(slots) {}

  FetchPlan plan(const protocol::FetchRequest& request, int16_t version, MonoTime now, Random& random);
  // Takes over what the consumer has been told, and puts the partitions that gave records behind the others, so that
  // all get their turn. `gave` stands beside `plan.partitions`.
  void remember(const FetchPlan& plan, const std::vector<bool>& gave);
  size_t size() const { return sessions_.size(); }

 private:
  std::shared_ptr<FetchSession> open(MonoTime now, Random& random);

  size_t slots_;
  std::unordered_map<int32_t, std::shared_ptr<FetchSession>> sessions_;
};

}  // namespace millrace::broker
