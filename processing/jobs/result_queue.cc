#include "processing/jobs/result_queue.h"

namespace millrace::processing {

void ResultQueue::push(ResultRow row) {
  rows_.push_back(std::move(row));
  changed_.notify();
}

void ResultQueue::end(std::optional<JobFailure> failure) {
  if (ended_) return;
  ended_ = true;
  failure_ = std::move(failure);
  changed_.notify();
}

Task<std::vector<ResultRow>> ResultQueue::take(size_t most, MonoTime deadline) {
  while (rows_.empty() && !ended_) {
    const bool notified = co_await changed_.wait(deadline);
    if (!notified) break;
  }
  std::vector<ResultRow> taken;
  while (!rows_.empty() && taken.size() < most) {
    taken.push_back(std::move(rows_.front()));
    rows_.pop_front();
  }
  if (!taken.empty()) changed_.notify();
  co_return taken;
}

Task<void> ResultQueue::wait_for_room(MonoTime deadline) { co_await changed_.wait(deadline); }

}  // namespace millrace::processing
