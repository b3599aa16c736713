#include "log/leader_epochs.h"

#include <algorithm>

namespace millrace::log {

LeaderEpochs::LeaderEpochs(std::vector<EpochEntry> entries) {
  for (const EpochEntry& entry : entries) assign(entry.epoch, entry.start);
}

bool LeaderEpochs::assign(LeaderEpoch epoch, Offset start) {
  if (epoch.value < 0 || start.value < 0) return false;
  if (!entries_.empty() && entries_.back().epoch == epoch && entries_.back().start <= start) return false;
  while (!entries_.empty() && (entries_.back().epoch >= epoch || entries_.back().start >= start)) entries_.pop_back();
  entries_.push_back({epoch, start});
  return true;
}

bool LeaderEpochs::truncate_from_end(Offset end) {
  const size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start >= end) entries_.pop_back();
  return entries_.size() != before;
}

bool LeaderEpochs::truncate_from_start(Offset start) {
  size_t covered = 0;
  while (covered < entries_.size() && entries_[covered].start <= start) ++covered;
  if (covered == 0 || (covered == 1 && entries_[0].start == start)) return false;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(covered - 1));
  entries_[0].start = start;
  return true;
}

bool LeaderEpochs::clear() {
  const bool changed = !entries_.empty();
  entries_.clear();
  return changed;
}

LeaderEpoch LeaderEpochs::at(Offset offset) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                      [](Offset o, const EpochEntry& e) { return o < e.start; });
  return after == entries_.begin() ? LeaderEpoch(-1) : std::prev(after)->epoch;
}

std::pair<LeaderEpoch, Offset> LeaderEpochs::end_of(LeaderEpoch epoch, Offset log_end) const {
  constexpr std::pair unknown{LeaderEpoch(-1), Offset(-1)};
  if (epoch.value < 0 || entries_.empty()) return unknown;
  if (epoch == latest()) return {epoch, log_end};
  const auto higher = std::upper_bound(entries_.begin(), entries_.end(), epoch,
                                       [](LeaderEpoch wanted, const EpochEntry& e) { return wanted < e.epoch; });
  if (higher == entries_.end()) return unknown;
  if (higher == entries_.begin()) return {epoch, higher->start};
  return {std::prev(higher)->epoch, higher->start};
}

}  // namespace millrace::log
