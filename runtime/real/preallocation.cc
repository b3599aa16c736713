#include "runtime/real/preallocation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace millrace::real {

namespace {

constexpr int64_t grows_from = 1 << 20;   // smaller files are left alone: most partitions stay small
constexpr int64_t most_ahead = 64 << 20;  // what a crash leaves reserved, until the file is opened again

}  // namespace

Preallocation::Preallocation(int64_t size, int64_t allocated) {
  constexpr int64_t one_block = 4096;
  if (allocated > size + one_block) reserved_ = allocated;
}

void Preallocation::make_room(int fd, int64_t end) {
  if (refused_ || end < grows_from || end <= reserved_) return;
  const int64_t until = end + std::clamp(end, grows_from, most_ahead);
  const int64_t from = std::max(reserved_, int64_t{0});
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, from, until - from) == 0) {
    reserved_ = until;
  } else {
    refused_ = true;  // no such call here, or no room: then the write itself will say so
  }
}

void Preallocation::release(int fd) {
  struct stat info{};
  if (reserved_ == 0 || ::fstat(fd, &info) != 0 || reserved_ <= info.st_size) return;
  reserved_ = 0;
  // Truncating to the size it has frees what lies behind. A failure costs room until the next start, no more.
  static_cast<void>(::ftruncate(fd, info.st_size) == 0);
}

}  // namespace millrace::real
