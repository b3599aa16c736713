// Incremental fetch sessions (KIP-227): the broker remembers which partitions a consumer follows, so that requests name
// only what has changed and answers carry only what is new.
//
//   (id, epoch)   (0, −1) no session   (any, 0) open one, forgetting `id`   (id, −1) close it   (id, n) the n-th
//   request
//
//   followed, or its position moved → due → looked at ─┬─ more to read, or an error: stays due
//                                      ↑               └─ all is told: rests, and is watched
//                                      └── changed ──────────────────────────┘
//
// A request costs what is due, however many partitions rest. One without a session has a session to itself.
//
// Pure bookkeeping: reading is fetch.cc's.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/watcher.h"
#include "protocol/messages/fetch.h"
#include "runtime/random.h"

namespace millrace::broker {

class FetchSession;

struct FetchTopic {
  TopicId id;        // from v13 on
  std::string name;  // requests below v13
  friend auto operator<=>(const FetchTopic&, const FetchTopic&) = default;
};

// Where the consumer stands in a partition.
struct FetchPosition {
  LeaderEpoch current_leader_epoch{-1};
  LeaderEpoch last_fetched_epoch{-1};
  Offset offset{0};
  int32_t max_bytes = 0;
};

// One partition that is followed.
struct FetchPartition final : Watcher {
  FetchPartition(FetchSession& of, const FetchTopic& in, PartitionId which) : session(of), topic(in), index(which) {}
  void changed() override;

  FetchSession& session;
  const FetchTopic& topic;
  PartitionId index;
  FetchPosition position;
  uint64_t turn = 0;       // the lowest is read first
  uint64_t changes = 0;    // that we know of
  bool due = false;        // and listed as such
  bool watched = false;    // the next change will be told
  bool forgotten = false;  // stays only for as long as it is one of these two

  // What the consumer was last told.
  Offset told_high_watermark{-2};
  Offset told_last_stable{-2};
  Offset told_start{-2};
};

class FetchSession : public std::enable_shared_from_this<FetchSession> {
 public:
  // As the request says: `follow` what it names, `forget` what it names as forgotten.
  void follow(const protocol::FetchRequest& request, int16_t version);
  void forget(const protocol::FetchRequest& request, int16_t version);
  size_t following() const { return following_; }
  // What a consumer may see depends on how it asks: all is due where that has changed.
  void asked_with(protocol::IsolationLevel isolation, bool as_replica);

  // Those that may have something new for the consumer, in their turns. Valid until the next call of anything here.
  const std::vector<FetchPartition*>& due();
  // These were looked at when they had changed so often, and the consumer knows all there is.
  struct Settled {
    FetchPartition* partition;
    uint64_t changes;
  };
  void rest(const std::vector<Settled>& settled);
  // It gave records: all others have their turns before it.
  void put_behind(FetchPartition& partition) { partition.turn = next_turn_++; }

  // To be given to the partition's watch(); `partition.watched` says whether it was, or will be.
  std::weak_ptr<Watcher> watcher(FetchPartition& partition);
  // It was not given after all. The partition may be forgotten meanwhile.
  void unwatched(FetchPartition& partition);
  // Until something has changed since due(), or the session is used anew.
  Task<void> wait(MonoTime deadline);

  int32_t id = 0;  // 0: of one request
  int32_t next_epoch = 1;
  bool uses_ids = false;
  MonoTime last_used{};

 private:
  friend class FetchSessions;
  friend struct FetchPartition;
  using Partitions = std::map<PartitionId, FetchPartition>;

  void changed(FetchPartition& partition);
  void make_due(FetchPartition& partition);
  void drop_if_unused(FetchPartition& partition);
  void wake();

  std::map<FetchTopic, Partitions> topics_;
  std::vector<FetchPartition*> due_;
  size_t following_ = 0;
  uint64_t next_turn_ = 0;
  protocol::IsolationLevel isolation_{};
  bool as_replica_ = false;
  bool woken_ = false;
  Event wake_;
};

// How one request is to be served.
struct FetchPlan {
  ErrorCode error = ErrorCode::none;  // an answer with this and nothing else
  std::shared_ptr<FetchSession> session;
  bool incremental = false;  // answer only what is new
  int32_t next_epoch = 1;

  // Another request has come in the session meanwhile: what this one knows of it is stale.
  bool overtaken() const { return session->next_epoch != next_epoch; }
};

class FetchSessions {
 public:
  explicit FetchSessions(size_t slots) : slots_(slots) {}

  FetchPlan plan(const protocol::FetchRequest& request, int16_t version, MonoTime now, Random& random);
  void close(int32_t id) { sessions_.erase(id); }
  size_t size() const { return sessions_.size(); }

 private:
  void keep(const std::shared_ptr<FetchSession>& session, MonoTime now, Random& random);

  size_t slots_;
  std::unordered_map<int32_t, std::shared_ptr<FetchSession>> sessions_;
};

}  // namespace millrace::broker
