// The threads of BlockingPool.
#include "runtime/real/blocking_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "runtime/real/system_call.h"

namespace millrace::real {

namespace {
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr size_t least_stack_bytes = 1 << 20;  // their frames are larger
#else
constexpr size_t least_stack_bytes = 64 << 10;
#endif
}  // namespace

int processors() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

void BlockingPool::stop() {
  const std::lock_guard lock(starting_);
  for (size_t thread = 0; thread < threads_.size(); ++thread) sem_post(&wanted_);
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  threads_.clear();
}

void BlockingPool::submit(std::move_only_function<void()> work) {
  const int waiting = waiting_.fetch_add(1) + 1;
  submitted_.put(std::move(work));
  if (idle_.load() < waiting) start_thread();
  sem_post(&wanted_);
}

void BlockingPool::start_thread() {
  const std::lock_guard lock(starting_);
  if (static_cast<int>(threads_.size()) == most_threads_) return;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::max(stack_bytes_, least_stack_bytes));
  // Signals are for shard 0.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const int failed = pthread_create(&thread, &attributes, &BlockingPool::thread_main, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (failed == 0) threads_.push_back(thread);
  check(!threads_.empty());  // without a single thread nothing would ever run
}

void* BlockingPool::thread_main(void* argument) {
  auto* pool = static_cast<BlockingPool*>(argument);
  // A kernel that refuses lets them compete with everybody.
  if (pool->priority_ == Priority::low) {
    constexpr int a_tenth = 10;
    ::setpriority(PRIO_PROCESS, 0, a_tenth);  // of this thread
  } else if (pool->priority_ == Priority::idle) {
    const sched_param none{};
    pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
  }
  pool->work_until_stopped();
  return nullptr;
}

void BlockingPool::work_until_stopped() {
  for (;;) {
    ++idle_;
    uninterrupted([this] { return sem_wait(&wanted_); });
    --idle_;
    Postings::Work work = next();
    if (!work) return;
    --waiting_;
    work();
  }
}

Postings::Work BlockingPool::next() {
  const std::lock_guard lock(taking_);
  if (queue_.empty()) {
    for (Postings::Work& work : submitted_.take()) queue_.push_back(std::move(work));
  }
  if (queue_.empty()) return {};
  Postings::Work first = std::move(queue_.front());
  queue_.pop_front();
  return first;
}

}  // namespace millrace::real
