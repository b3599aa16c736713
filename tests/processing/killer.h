// Killer: crashes a node a while after it has changed the topics, again and again, at changes drawn from the world's
// dice.
//
//   Killer killer(world, topics, node, {.kills = 3});
//   world.run_until([&] { killer.restart(); return over; }, 5min);
#pragma once

#include "tests/processing/memory_topics.h"
#include "tests/sim/world.h"

namespace millrace::processing {

class Killer {
 public:
  struct Odds {
    int kills = 0;           // at most
    int64_t first_from = 1;  // the first comes at one of so many changes from this one on
    uint64_t first_among = 25;
    uint64_t next_among = 25;  // a later one at one of the next so many
  };
  Killer(sim::World& world, MemoryTopics& topics, sim::Node& node, Odds odds)
      : world_(world), topics_(topics), node_(node), odds_(odds) {
    if (odds_.kills > 0)
      changes_left_ = odds_.first_from + static_cast<int64_t>(world_.random().below(odds_.first_among));
    topics_.before_change = [this] {
      if (--changes_left_ != 0) return;
      world_.after(std::chrono::nanoseconds(0), [this] {
        node_.crash();
        killed_ = true;
      });
    };
  }
  ~Killer() { topics_.before_change = nullptr; }
  Killer(const Killer&) = delete;

  // Starts the node again where it was killed.
  void restart() {
    if (!killed_) return;
    killed_ = false;
    ++crashes_;
    changes_left_ = crashes_ < odds_.kills ? 1 + static_cast<int64_t>(world_.random().below(odds_.next_among)) : 0;
    node_.restart();
  }
  void stop() { changes_left_ = 0; }
  int crashes() const { return crashes_; }

 private:
  sim::World& world_;
  MemoryTopics& topics_;
  sim::Node& node_;
  const Odds odds_;
  int64_t changes_left_ = 0;
  bool killed_ = false;
  int crashes_ = 0;
};

}  // namespace millrace::processing
