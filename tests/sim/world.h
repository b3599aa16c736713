// The simulated world: computers, their disks and the network between them, in one thread and in virtual time.
//
//   sim::World world(seed);
//   sim::Node& node = world.add_node("broker", 2);          // two shards
//   node.start([](sim::Node& self) -> Task<int> { … });      // a process: runs until its main returns, or it crashes
//   world.run_until([&] { return served == 100; }, 30s);
//   node.crash(sim::Crash::power);                           // coroutines gone, unsynced bytes lost or torn
//   node.restart();
//
// Everything above the seams is the production code. Whatever could happen in any order happens in an order drawn from
// the seed: which shard runs next, how long a message or a write takes, where a read is cut. The same seed gives the
// same run, and trace() is the same number.
//
// Crash: the process's coroutines are destroyed where they stand, the newest detached one first and main last, so what
// main owns outlives what it started. Destructors run (they free memory and close what is open); nothing is resumed.
// Call crash() from the test or from World::at, never from a coroutine of the node itself.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "runtime/shard.h"
#include "tests/sim/random.h"

namespace millrace::sim {

class Network;
class Node;
class SimDisk;
class SimShard;
class World;

using Duration = std::chrono::nanoseconds;

enum class Crash {
  process,  // as SIGKILL: the kernel keeps what was written and closes the connections
  power,    // what was not synced is lost, kept or torn; the peers hear nothing
};

class Node {
 public:
  using Main = std::function<Task<int>(Node&)>;

  Node(World& world, int index, std::string name, int shards);
  ~Node();
  Node(const Node&) = delete;

  // Starts a process. Kept for restart(). Its main must have ended what it started when it returns.
  void start(Main main);
  void restart();
  void crash(Crash kind = Crash::process);

  bool running() const { return running_; }
  // How the last process ended by itself: its result, or the exception that left main. Nothing after a crash.
  std::optional<int> result() const { return result_; }
  std::exception_ptr error() const { return error_; }

  const std::string& name() const { return name_; }
  const std::string& ip() const { return ip_; }  // as others see it; name(), ip() and (inside) localhost reach the node
  int index() const { return index_; }
  bool powered() const { return powered_; }
  World& world() { return world_; }
  SimDisk& disk() { return *disk_; }
  std::vector<Shard*> shards();
  // How far the node's wall clock is from the world's.
  void set_wall_skew(Millis skew) { wall_skew_ = skew; }
  Millis wall_skew() const { return wall_skew_; }

 private:
  friend class World;
  friend class SimShard;
  static Task<void> run_main(Node& node);
  void make_shards();
  void drop_shards();
  void end_if_finished();

  World& world_;
  const int index_;
  const std::string name_;
  const std::string ip_;
  const int shard_count_;
  Millis wall_skew_{0};
  Main main_;
  std::unique_ptr<SimDisk> disk_;
  std::vector<std::unique_ptr<SimShard>> shards_;
  bool running_ = false;
  bool finished_ = false;
  bool powered_ = true;
  std::optional<int> result_;
  std::exception_ptr error_;
};

class World {
 public:
  explicit World(uint64_t seed);
  ~World();
  World(const World&) = delete;

  uint64_t seed() const { return seed_; }
  Node& add_node(std::string name, int shards = 1);
  Node& node(std::string_view name_or_ip);
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  Network& net() { return *net_; }
  SeededRandom& random() { return random_; }  // the world's own dice; tests may throw them too

  MonoTime now() const { return now_; }
  // Calls `what` then, outside of any node.
  void at(MonoTime due, std::move_only_function<void()> what);
  void after(Duration wait, std::move_only_function<void()> what) { at(now_ + wait, std::move(what)); }

  // True as soon as `done`; false once `limit` has passed or nothing can happen any more.
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::minutes(10));
  void run_for(Duration time);
  // Until nothing is left to happen: no work, no message, no timer. False when `limit` passed before.
  bool run_until_quiescent(Duration limit = std::chrono::minutes(10));
  // Starts `body` as the process of `node` and runs the world until it has ended; throws what it threw, and
  // std::runtime_error when it did not end in time.
  void run(Node& node, std::function<Task<void>()> body, Duration limit = std::chrono::minutes(10));

  // A digest of everything that has happened, in order.
  uint64_t trace() const { return trace_; }
  void mix_into_trace(uint64_t value);
  uint64_t steps() const { return steps_; }

 private:
  friend class SimShard;
  struct Happening {
    MonoTime due;
    uint64_t tie;  // random, so that what is due together happens in any order
    uint64_t order;
    mutable std::move_only_function<void()> what;
    bool operator<(const Happening& other) const {  // std::priority_queue has the largest on top
      if (due != other.due) return due > other.due;
      if (tie != other.tie) return tie > other.tie;
      return order > other.order;
    }
  };

  // One thing; false when nothing can happen up to `limit`.
  bool step(MonoTime limit);
  MonoTime next_due() const;

  const uint64_t seed_;
  SeededRandom random_;
  MonoTime now_{std::chrono::seconds(1000)};
  uint64_t trace_ = 0xcbf29ce484222325ull;
  uint64_t steps_ = 0;
  uint64_t happenings_scheduled_ = 0;
  std::unique_ptr<Network> net_;
  std::priority_queue<Happening> happenings_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace millrace::sim
