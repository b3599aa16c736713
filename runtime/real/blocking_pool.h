// BlockingPool: a few threads for system calls that wait for a device or a name server, or for long computations.
//
// Threads start when there is work and no idle thread, up to the limit, with small stacks: a broker at rest has none.
// Who submits waits for none of them.
#pragma once

#include <semaphore.h>

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "runtime/real/postings.h"
#include "runtime/shard.h"

namespace millrace::real {

int processors();  // of this machine, at least one

class BlockingPool {
 public:
  // `low`: they get a tenth of what others get; `idle`: they run where nobody else wants to, and give way at once.
  enum class Priority { normal, low, idle };
  BlockingPool(int most_threads, size_t stack_bytes, Priority priority = Priority::normal)
      : most_threads_(most_threads), stack_bytes_(stack_bytes), priority_(priority) {
    sem_init(&wanted_, 0, 0);
  }
  ~BlockingPool() {
    stop();
    sem_destroy(&wanted_);
  }
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
  void start_thread();
  void work_until_stopped();
  // Nothing when there is none.
  Postings::Work next();

  const int most_threads_;
  const size_t stack_bytes_;
  const Priority priority_;
  Postings submitted_;
  sem_t wanted_;                  // a piece of work, or that a thread ends
  std::atomic<int> waiting_ = 0;  // submitted and not begun
  std::atomic<int> idle_ = 0;     // threads

  std::mutex starting_;
  std::vector<unsigned long> threads_;  // pthread_t

  std::mutex taking_;  // of the threads among themselves
  std::deque<Postings::Work> queue_;
};

}  // namespace millrace::real
