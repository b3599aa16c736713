// Free frames by size, a list each.
#include "runtime/frame_memory.h"

#include <cstdint>
#include <new>

namespace millrace::task_detail {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)

// They know who uses a frame after its end, as long as no other one takes its place.
void* FrameMemory::operator new(size_t bytes) { return ::operator new(bytes); }
void FrameMemory::operator delete(void* frame, size_t bytes) noexcept { ::operator delete(frame, bytes); }

#else

namespace {

constexpr size_t step = 64;
constexpr size_t classes = 48;
constexpr uint32_t most_kept = 128;  // of a size

struct Free {
  Free* next;
};
struct Kept {
  Free* latest;
  uint32_t count;
};
// Left to the kernel when a thread ends: those that run coroutines live as long as the process.
constinit thread_local Kept kept[classes] = {};

}  // namespace

void* FrameMemory::operator new(size_t bytes) {
  const size_t index = (bytes - 1) / step;
  if (index >= classes) return ::operator new(bytes);
  Kept& here = kept[index];
  if (here.latest == nullptr) return ::operator new((index + 1) * step);
  --here.count;
  Free* const frame = here.latest;
  here.latest = frame->next;
  return frame;
}

void FrameMemory::operator delete(void* frame, size_t bytes) noexcept {
  const size_t index = (bytes - 1) / step;
  if (index >= classes) return ::operator delete(frame, bytes);
  Kept& here = kept[index];
  if (here.count >= most_kept) return ::operator delete(frame, (index + 1) * step);
  ++here.count;
  here.latest = ::new (frame) Free{here.latest};
}

#endif

}  // namespace millrace::task_detail
