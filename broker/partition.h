// Partition: the leader's side of one partition: its log, and how far its records may be seen.
//
//   log start <= last stable <= high watermark <= log end
//     The high watermark follows the log at the configured level: `durable` moves it over what a sync has covered,
//     `written` over what the file has. Consumers, groups and jobs read below it; acks=all waits for it.
//
// Lives on its owner shard; only that shard may call it. Holders of the shared pointer may find it closed() after
// a wait: the topic has been deleted, or the broker stops.
#pragma once

#include <memory>
#include <vector>

#include "broker/watcher.h"
#include "log/log.h"
#include "protocol/errors.h"
#include "protocol/types.h"
#include "runtime/event.h"
#include "runtime/gate.h"

namespace millrace::broker {

class Partition {
 public:
  Partition(TopicPartition name, std::unique_ptr<log::Log> log, LeaderEpoch epoch, log::Durability level);

  const TopicPartition& name() const { return name_; }
  TopicId topic_id() const { return log_->topic_id(); }
  log::Log& log() { return *log_; }
  LeaderEpoch leader_epoch() const { return epoch_; }
  void lead(LeaderEpoch epoch);

  Offset start() const { return log_->start(); }
  Offset high_watermark() const { return high_watermark_; }
  Offset last_stable() const { return log_->last_stable(high_watermark_); }

  // fenced_leader_epoch or unknown_leader_epoch where `current` is not ours; −1 is not checked.
  ErrorCode check_epoch(LeaderEpoch current) const;

  // Appends at once, in memory; sees to it that the high watermark will follow.
  log::AppendResult append(Bytes batch, log::AppendOptions options = {});
  // Until the high watermark is at least `end`: none, request_timed_out, or kafka_storage_error/not_leader_or_follower
  // when it never will be.
  Task<ErrorCode> wait_for(Offset end, MonoTime deadline);
  // Until the file has everything below `end`: what acks=1 promises.
  Task<ErrorCode> wait_written(Offset end, MonoTime deadline);

  // Tells `watcher` when next something changes that readers see: the high watermark, the log start, the epoch, or the
  // partition is closed.
  void watch(std::weak_ptr<Watcher> watcher);
  // The high watermark has moved (or the log start), or the partition was closed.
  Event& advanced() { return advanced_; }

  // Tells every watcher, so that long polls look around: the broker is stopping.
  void wake() { notify(); }

  Task<void> delete_before(Offset start);
  // As Log::apply_retention.
  Task<int> apply_retention();
  bool closed() const { return closed_; }
  // Ends every wait, then writes and syncs what is pending.
  Task<void> close();

 private:
  Task<void> follow();  // moves the high watermark until it has caught up with the log's end
  void set_high_watermark(Offset offset);
  void notify();

  TopicPartition name_;
  std::unique_ptr<log::Log> log_;
  LeaderEpoch epoch_;
  log::Durability level_;
  Offset high_watermark_{0};
  bool following_ = false;
  bool closed_ = false;
  Event advanced_;
  std::vector<std::weak_ptr<Watcher>> watchers_;
  size_t prune_at_ = 64;
  Gate gate_;
};

}  // namespace millrace::broker
