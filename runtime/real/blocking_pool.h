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
    using Result = std::invoke_result_t<Work&>;
    Call<Work, Result> call(*this, std::move(work));
    co_await call;
    if (call.error) std::rethrow_exception(call.error);
    if constexpr (!std::is_void_v<Result>) co_return std::move(*call.result);
  }

 private:
  template <class Work, class Result>
  struct Call {
    BlockingPool& pool;
    Work work;
    std::optional<std::conditional_t<std::is_void_v<Result>, char, Result>> result;
    std::exception_ptr error;

    Call(BlockingPool& pool_, Work work_) : pool(pool_), work(std::move(work_)) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> self) {
      Shard& home = Shard::current();
      pool.submit([this, &home, self] {
        try {
          if constexpr (std::is_void_v<Result>) {
            work();
          } else {
            result.emplace(work());
          }
        } catch (...) {
          error = std::current_exception();
        }
        home.post([self] { self.resume(); });
      });
    }
    void await_resume() const noexcept {}
  };

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
