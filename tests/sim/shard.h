// SimShard: a shard of a simulated node. Its queue is first in, first out, as in production; the world decides when it
// runs.
#pragma once

#include <deque>

#include "runtime/timer_queue.h"
#include "tests/sim/world.h"

namespace millrace::sim {

class SimShard final : public Shard, private Clock {
 public:
  SimShard(Node& node, int id, uint64_t seed);
  ~SimShard() override;

  int id() const override { return id_; }
  void post(std::move_only_function<void()> work) override;
  void post_beside(std::move_only_function<void()> work) override;
  Clock& clock() override { return *this; }
  Disk& disk() override;
  Net& net() override { return *net_; }
  Random& random() override { return random_; }
  Node& node() { return node_; }

  bool can_run() const { return !queue_.empty() || timers_.next_due() <= node_.world().now(); }
  bool idle() const { return queue_.empty() && timers_.empty(); }
  MonoTime next_due() const { return timers_.next_due(); }
  // One piece of posted work, or one timer that is due.
  void run_one();
  void start(Task<void> task);
  int still_running() const { return detached(); }
  // Destroys the shard's coroutines, then what is queued.
  void begin_drop() { set_dropping(); }
  void drop();

 private:
  MonoTime now() const override { return node_.world().now(); }
  Timestamp wall_now() const override;
  TimerId schedule(MonoTime due, std::move_only_function<void()> fire) override;
  void cancel(TimerId timer) override;

  Node& node_;
  const int id_;
  SeededRandom random_;
  std::unique_ptr<Net> net_;
  std::deque<std::move_only_function<void()>> queue_;
  TimerQueue timers_;
};

}  // namespace millrace::sim
