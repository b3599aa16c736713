// SpareThreads: where work beside the shards runs, on processor time that nobody else wants.
//
// Its threads have the kernel's idle policy: a shard that wakes takes their processor at once. Where all processors are
// busy that leaves them some thousandths of one, so work that starves gets a small share at a low ordinary priority.
#pragma once

#include <mutex>

#include "runtime/real/blocking_pool.h"

namespace millrace::real {

// Decides which work that is. Told of everything that is asked for, begins and ends; knows no thread and no clock.
class SpareShare {
 public:
  enum class Lane { idle, ordinary };

  Lane choose(MonoTime now);
  void began(Lane lane, MonoTime asked, MonoTime now);
  // `used`: processor time.
  void ended(Lane lane, MonoTime asked, MonoTime now, std::chrono::nanoseconds used);

 private:
  bool starving_ = false;
  std::chrono::nanoseconds credit_{0};  // of processor time on the ordinary lane
  MonoTime seen_{};
};

class SpareThreads {
 public:
  // From any thread. `work` must not throw.
  void submit(std::move_only_function<void()> work);
  // As BlockingPool's.
  void stop();

 private:
  static constexpr size_t stack_bytes = 8 << 20;  // as the main thread's: expressions nest, patterns backtrack

  std::mutex mutex_;
  SpareShare share_;
  BlockingPool idle_{processors(), stack_bytes, BlockingPool::Priority::idle};
  BlockingPool ordinary_{1, stack_bytes, BlockingPool::Priority::low};
};

}  // namespace millrace::real
