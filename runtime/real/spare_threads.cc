// Two pools, and the accounts of who ran for how long.
#include "runtime/real/spare_threads.h"

#include <time.h>

#include <algorithm>

namespace millrace::real {

namespace {

constexpr std::chrono::milliseconds patience(20);  // longer than a busy moment of the shards
constexpr int least_share = 20;                    // one in so many, of one processor
constexpr std::chrono::milliseconds most_credit(10);

MonoTime wall_time() { return MonoTime(std::chrono::steady_clock::now().time_since_epoch()); }

std::chrono::nanoseconds used_by_this_thread() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

SpareShare::Lane SpareShare::choose(MonoTime now) {
  credit_ = std::min<std::chrono::nanoseconds>(most_credit, credit_ + (now - seen_) / least_share);
  seen_ = now;
  return starving_ && credit_.count() > 0 ? Lane::ordinary : Lane::idle;
}

void SpareShare::began(Lane lane, MonoTime asked, MonoTime now) {
  if (lane == Lane::idle && now - asked > patience) starving_ = true;
}

void SpareShare::ended(Lane lane, MonoTime asked, MonoTime now, std::chrono::nanoseconds used) {
  if (lane == Lane::ordinary)
    credit_ -= used;
  else
    starving_ = now - asked > patience + 10 * used;
}

void SpareThreads::submit(std::move_only_function<void()> work) {
  const MonoTime asked = wall_time();
  SpareShare::Lane lane = SpareShare::Lane::idle;
  // Whoever holds it may have lost its processor to us.
  if (const std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) lane = share_.choose(asked);
  auto accounted = [this, lane, asked, work = std::move(work)]() mutable {
    const MonoTime began = wall_time();
    const std::chrono::nanoseconds before = used_by_this_thread();
    {
      const std::lock_guard lock(mutex_);
      share_.began(lane, asked, began);
    }
    work();
    work = nullptr;
    const std::chrono::nanoseconds used = used_by_this_thread() - before;
    const std::lock_guard lock(mutex_);
    share_.ended(lane, asked, wall_time(), used);
  };
  (lane == SpareShare::Lane::idle ? idle_ : ordinary_).submit(std::move(accounted));
}

void SpareThreads::stop() {
  idle_.stop();
  ordinary_.stop();
}

}  // namespace millrace::real
