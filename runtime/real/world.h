// World: the real one. N shards, each a thread; files, sockets, clocks and random numbers of this machine.
//
//   real::World world(2);
//   world.on_stop_signal([&] { server.stop(); });
//   return world.run([](real::World& w) -> Task<int> { … co_return 0; });
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "runtime/shard.h"

namespace millrace::real {

class RealShard;
struct Process;

class World {
 public:
  // Without `may_use_ring` as where the kernel refuses io_uring.
  explicit World(int shards = 1, bool may_use_ring = true);
  ~World();
  World(const World&) = delete;

  int size() const { return static_cast<int>(shards_.size()); }
  Shard& shard(int index);
  std::vector<Shard*> shards();

  // Runs `main` on shard 0, in the calling thread, with the other shards beside it; stops them all when it has
  // returned, and gives its result or exception. Once per World. `main` must have ended what it started.
  int run(std::function<Task<int>(World&)> main);

  // `stop` is called on shard 0 when SIGTERM or SIGINT arrives. A second signal ends the process at once.
  void on_stop_signal(std::move_only_function<void()> stop);

 private:
  struct Signals;

  std::unique_ptr<Process> process_;
  std::vector<std::unique_ptr<RealShard>> shards_;
  std::unique_ptr<Signals> signals_;
};

}  // namespace millrace::real
