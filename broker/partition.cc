#include "broker/partition.h"

#include <algorithm>

namespace millrace::broker {

namespace {

void tell(const std::weak_ptr<Watcher>& watcher) {
  std::shared_ptr<Watcher> alive = watcher.lock();
  if (!alive) return;
  Shard& home = alive->home();
  if (&home == &Shard::current()) return alive->changed();
  home.post([alive = std::move(alive)] { alive->changed(); });
}

}  // namespace

Partition::Partition(TopicPartition name, std::unique_ptr<log::Log> log, LeaderEpoch epoch, log::Durability level)
    : name_(std::move(name)), log_(std::move(log)), epoch_(epoch), level_(level) {
  // What recovery has read from the files is all there is to agree on with a single replica.
  high_watermark_ = log_->end();
}

void Partition::lead(LeaderEpoch epoch) {
  if (epoch <= epoch_) return;
  epoch_ = epoch;
  log_->begin_epoch(epoch);
  notify();
}

ErrorCode Partition::check_epoch(LeaderEpoch current) const {
  if (current.value == -1 || current == epoch_) return ErrorCode::none;
  return current < epoch_ ? ErrorCode::fenced_leader_epoch : ErrorCode::unknown_leader_epoch;
}

log::AppendResult Partition::append(Bytes batch, log::AppendOptions options) {
  if (closed()) {
    log::AppendResult refused;
    refused.error = ErrorCode::not_leader_or_follower;
    return refused;
  }
  log::AppendResult result = log_->append(std::move(batch), epoch_, options);
  if (result.error == ErrorCode::none && !following_ && high_watermark_ < log_->end()) {
    following_ = true;
    gate_.spawn(follow());
  }
  return result;
}

Task<void> Partition::follow() {
  while (!closed() && !log_->failed() && high_watermark_ < log_->end()) {
    const bool reached = co_await log_->wait_for(log_->end(), level_);
    if (!reached) break;
    set_high_watermark(level_ == log::Durability::durable ? log_->durable() : log_->written());
  }
  following_ = false;
  if (log_->failed()) notify();
}

void Partition::set_high_watermark(Offset offset) {
  if (offset <= high_watermark_) return;
  high_watermark_ = offset;
  notify();
}

void Partition::notify() {
  advanced_.notify();
  const std::vector<std::weak_ptr<Watcher>> watchers = std::exchange(watchers_, {});
  for (const std::weak_ptr<Watcher>& watcher : watchers) tell(watcher);
}

void Partition::watch(std::weak_ptr<Watcher> watcher) {
  // Fetches that ended otherwise leave theirs behind: drop them before the list grows.
  if (watchers_.size() >= prune_at_) {
    std::erase_if(watchers_, [](const std::weak_ptr<Watcher>& left) { return left.expired(); });
    prune_at_ = std::max<size_t>(64, 2 * watchers_.size());
  }
  watchers_.push_back(std::move(watcher));
}

Task<ErrorCode> Partition::wait_for(Offset end, MonoTime deadline) {
  while (high_watermark_ < end) {
    if (log_->failed()) co_return ErrorCode::kafka_storage_error;
    if (closed()) co_return ErrorCode::not_leader_or_follower;
    const bool moved = co_await advanced_.wait(deadline);
    if (!moved && high_watermark_ < end) co_return ErrorCode::request_timed_out;
  }
  co_return ErrorCode::none;
}

Task<ErrorCode> Partition::wait_written(Offset end, MonoTime deadline) {
  const bool written = co_await log_->wait_for(end, log::Durability::written, deadline);
  if (written) co_return ErrorCode::none;
  co_return log_->failed() ? ErrorCode::kafka_storage_error : ErrorCode::request_timed_out;
}

Task<void> Partition::delete_before(Offset start) {
  co_await log_->delete_before(start);
  notify();
}

Task<int> Partition::apply_retention() {
  const Offset before = start();
  const int removed = co_await log_->apply_retention(high_watermark_);
  if (start() != before) notify();
  co_return removed;
}

Task<void> Partition::close() {
  if (closed_) co_return;
  closed_ = true;
  notify();
  co_await gate_.close();
  co_await log_->close();
}

}  // namespace millrace::broker
