// Rows on their way to whoever asked.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "processing/connectors/sinks.h"
#include "processing/jobs/job_failure.h"
#include "runtime/event.h"

namespace millrace::processing {

class ResultQueue {
 public:
  explicit ResultQueue(size_t limit = 4096) : limit_(limit) {}

  void push(ResultRow row);
  void end(std::optional<JobFailure> failure);
  bool full() const { return rows_.size() >= limit_; }
  // Waits for rows, the end, or the deadline; takes at most `most`.
  Task<std::vector<ResultRow>> take(size_t most, MonoTime deadline);
  bool ended() const { return ended_ && rows_.empty(); }
  const std::optional<JobFailure>& failure() const { return failure_; }
  Task<void> wait_for_room(MonoTime deadline);
  void wake() { changed_.notify(); }

 private:
  size_t limit_;
  std::deque<ResultRow> rows_;
  bool ended_ = false;
  std::optional<JobFailure> failure_;
  Event changed_;
};

}  // namespace millrace::processing
