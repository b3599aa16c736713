#include "processing/windows/sessions.h"

#include <algorithm>

namespace millrace::processing {

SessionSet::Placed SessionSet::place(Window own) const {
  Placed placed;
  placed.session.window = own;
  auto at = sessions_.upper_bound(own.end);
  while (at != sessions_.begin()) {
    --at;
    const Session& other = at->second;
    if (other.window.end < own.start) break;
    placed.absorbed.push_back(other);
  }
  std::ranges::reverse(placed.absorbed);
  for (const Session& other : placed.absorbed) {
    placed.session.window.start = std::min(placed.session.window.start, other.window.start);
    placed.session.window.end = std::max(placed.session.window.end, other.window.end);
  }
  if (!placed.absorbed.empty()) placed.session.state = placed.absorbed.front().state;
  return placed;
}

void SessionSet::keep(const Placed& placed, int64_t state) {
  retire(placed);
  Session session = placed.session;
  session.state = state;
  sessions_[session.window.start] = session;
}

void SessionSet::retire(const Placed& placed) {
  for (const Session& other : placed.absorbed) sessions_.erase(other.window.start);
}

}  // namespace millrace::processing
