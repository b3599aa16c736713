// Gate: the tasks a component has started, so that closing it can wait for them.
//
//   gate_.spawn(serve(std::move(connection)));
//   …
//   co_await gate_.close();        // nothing new starts; returns when the last one has ended
//
// Tasks look at closing() or are woken by their component's events; the gate does not cancel them.
#pragma once

#include "runtime/event.h"

namespace millrace {

class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  ~Gate();  // a bug while tasks run

  // Starts `task`, or drops it unstarted when the gate is closing. It must not throw.
  void spawn(Task<void> task);
  bool closing() const { return closing_; }
  int running() const { return running_; }
  // May be awaited by several, and again once closed.
  Task<void> close();

 private:
  class Counted;
  static Task<void> run(Gate& gate, Task<void> task);

  int running_ = 0;
  bool closing_ = false;
  Event empty_;
};

}  // namespace millrace
