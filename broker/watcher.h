// Watcher: who wants to hear that a partition has changed. It is told once for every time it asked (Partition::watch).
#pragma once

#include "runtime/event.h"

namespace millrace::broker {

class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  virtual ~Watcher() = default;

  // On the shard where the watcher was made, whichever the partition's is.
  virtual void changed() = 0;
  Shard& home() const { return home_; }

 private:
  Shard& home_ = Shard::current();
};

// What a long poll waits for.
class Wakeup final : public Watcher {
 public:
  void changed() override {
    fired_ = true;
    fire_.notify();
  }
  Task<void> wait(MonoTime deadline) {
    while (!fired_) {
      const bool notified = co_await fire_.wait(deadline);
      if (!notified) break;
    }
  }

 private:
  Event fire_;
  bool fired_ = false;
};

}  // namespace millrace::broker
