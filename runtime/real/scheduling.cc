#include "runtime/real/scheduling.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace millrace::real {

namespace {

constexpr uint64_t shortest_slice = 100'000;  // nanoseconds; the kernel goes no lower

// Of sched_setattr(2), which older libraries lack.
struct SchedulingAttributes {
  uint32_t size = 0;
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;  // of a slice, nanoseconds; 0: as usual
  uint64_t deadline = 0;
  uint64_t period = 0;
};

}  // namespace

// Who was started with another policy keeps it. A kernel that refuses lets threads compete as they did.
void choose_slices(Slices slices, int nicer) {
  constexpr int nicest = 19;
  SchedulingAttributes attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) < 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.size = sizeof attributes;
  attributes.nice = std::min(nicest, attributes.nice + nicer);
  attributes.runtime = slices == Slices::shortest ? shortest_slice : 0;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void run_when_idle() {
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_IDLE, &none);
}

}  // namespace millrace::real
