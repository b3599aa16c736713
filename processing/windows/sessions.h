// The open sessions of one key. A row at t opens [t, t + gap) and joins every session that it overlaps or touches.
//
// Each session names the state that holds its rows: merging keeps one state and hands the others over to be merged in.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "processing/windows/assigner.h"

namespace millrace::processing {

class SessionSet {
 public:
  struct Session {
    Window window;
    int64_t state = -1;
  };
  struct Placed {
    Session session;                // where the row belongs; state −1: a new one must be made
    std::vector<Session> absorbed;  // sessions that went into it; the first one's state is session.state
  };

  // Where a row of [start, end) belongs. Nothing is changed until keep() or retire().
  Placed place(Window own) const;
  // Makes what place() found the truth.
  void keep(const Placed& placed, int64_t state);
  void remove(Window window) { sessions_.erase(window.start); }
  // Drops the absorbed sessions without keeping the merged one.
  void retire(const Placed& placed);

  bool empty() const { return sessions_.empty(); }
  const std::map<int64_t, Session>& all() const { return sessions_; }
  void restore(Session session) { sessions_[session.window.start] = session; }

 private:
  std::map<int64_t, Session> sessions_;  // by start; disjoint and not touching
};

}  // namespace millrace::processing
