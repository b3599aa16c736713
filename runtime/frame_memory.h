// FrameMemory: where coroutine frames live. A dozen come and go with every request, so each thread keeps those that
// have ended for the next ones of their size, the latest first: it is in the cache.
//
// A promise that derives from it has its frames there. They may end on another thread than they began on.
#pragma once

#include <cstddef>

namespace millrace::task_detail {

struct FrameMemory {
  static void* operator new(size_t bytes);
  static void operator delete(void* frame, size_t bytes) noexcept;
};

}  // namespace millrace::task_detail
