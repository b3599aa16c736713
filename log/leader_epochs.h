// Which leader epoch wrote which offsets: the start offset of every epoch, ascending in both.
// Kept in leader-epoch-checkpoint; the end of an epoch is the start of the next one.
#pragma once

#include <utility>
#include <vector>

#include "log/checkpoint.h"

namespace millrace::log {

class LeaderEpochs {
 public:
  LeaderEpochs() = default;
  explicit LeaderEpochs(std::vector<EpochEntry> entries);

  // `epoch` starts at `start`. Entries that this contradicts (a later start or epoch) go; an epoch that is the latest
  // already keeps its start. True when something changed.
  bool assign(LeaderEpoch epoch, Offset start);
  bool truncate_from_end(Offset end);      // forgets epochs that start at or behind `end`
  bool truncate_from_start(Offset start);  // the epoch at `start` begins there now, older ones go
  bool clear();

  LeaderEpoch latest() const { return entries_.empty() ? LeaderEpoch(-1) : entries_.back().epoch; }
  LeaderEpoch at(Offset offset) const;  // −1 when before the first
  // The end of the largest epoch not above `epoch`. Above the latest: {−1, −1}. Below the first: {epoch, start of the
  // first}, so that a reader that far behind truncates to it.
  std::pair<LeaderEpoch, Offset> end_of(LeaderEpoch epoch, Offset log_end) const;
  const std::vector<EpochEntry>& entries() const { return entries_; }

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace millrace::log
