// BlockingPool: a few threads for system calls that wait for a device or a name server, or for long computations.
//
// Threads start when there is work and no idle thread, up to the limit, with small stacks: a broker at rest has none.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "runtime/shard.h"

namespace millrace::real {

int processors();  // of this machine, at least one

class BlockingPool {
 public:
  // `low`: they get a tenth of what others get; `idle`: they run where nobody else wants to, and give way at once.
  enum class Priority { normal, low, idle };
  BlockingPool(int most_threads, size_t stack_bytes, Priority priority = Priority::normal)
      : most_threads_(most_threads), stack_bytes_(stack_bytes), priority_(priority) {}
  ~BlockingPool() { stop(); }
  BlockingPool(const BlockingPool&) = delete;

  // From any thread. `work` must not throw.
  void submit(std::move_only_function<void()> work);
  // Finishes what is queued and ends the threads. Before the shards go away that calls post back to.
  void stop();

  // Runs `work` on a thread of the pool and continues on this shard with its result or exception.
  template <class Work>
  auto run(Work work) -> Task<std::invoke_result_t<Work&>> {
    const auto to_the_pool = [this](auto run) { submit(std::move(run)); };
    return elsewhere(to_the_pool, std::move(work));
  }

 private:
  static void* thread_main(void* argument);
  void work_until_stopped();

  const int most_threads_;
  const size_t stack_bytes_;
  const Priority priority_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void()>> queue_;
  std::vector<unsigned long> threads_;  // pthread_t
  int idle_ = 0;
  bool stopping_ = false;
};

}  // namespace millrace::real
