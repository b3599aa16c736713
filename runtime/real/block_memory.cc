// Memory that is written from past the page cache. Large pieces lie on huge pages where the kernel has any to give: it
// then looks up one page instead of hundreds, and the device gets what is written as one piece.
#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "runtime/disk.h"

namespace millrace {

namespace {

constexpr size_t huge_page_bytes = 2 << 20;

size_t whole(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

BlockMemory::BlockMemory(size_t least_bytes) : size_(whole(least_bytes, block_bytes)) {
  if (size_ == 0) return;
  const bool huge = size_ >= huge_page_bytes / 2;
  const size_t alignment = huge ? huge_page_bytes : block_bytes;
  const size_t room = whole(size_, alignment);
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, room)));
  if (!memory_) throw std::bad_alloc();
  if (huge) ::madvise(memory_.get(), room, MADV_HUGEPAGE);
}

void BlockMemory::Free::operator()(std::byte* memory) const { std::free(memory); }

}  // namespace millrace
