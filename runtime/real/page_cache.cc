#include "runtime/real/page_cache.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace millrace::real {

namespace {

// Of Linux 6.5; libraries are older. The number is the same on every architecture but Alpha.
constexpr long cachestat_call = 451;
constexpr int64_t page_bytes = 4096;

struct CacheRange {
  uint64_t at;
  uint64_t size;
};
struct CacheState {
  uint64_t cached;
  uint64_t dirty;
  uint64_t being_written;
  uint64_t evicted;
  uint64_t recently_evicted;
};

}  // namespace

bool in_page_cache(int fd, int64_t at, int64_t size) {
  if (size <= 0 || ::sysconf(_SC_PAGESIZE) != page_bytes) return false;
  CacheRange range{static_cast<uint64_t>(at), static_cast<uint64_t>(size)};
  CacheState state{};
  if (::syscall(cachestat_call, fd, &range, &state, 0) != 0) return false;
  const int64_t pages = (at + size - 1) / page_bytes - at / page_bytes + 1;
  return state.cached >= static_cast<uint64_t>(pages);
}

}  // namespace millrace::real
