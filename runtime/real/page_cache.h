// What the page cache has of a file.
#pragma once

#include <cstdint>

namespace millrace::real {

// Whether it has all of [at, at + size): then reading it does not wait for the device, unless memory is short this very
// moment. False where the kernel cannot tell.
bool in_page_cache(int fd, int64_t at, int64_t size);

// Pages of a file may be kept together, and replaced together, in groups of at most so many bytes, aligned.
inline constexpr int64_t largest_page_group = 2 << 20;

}  // namespace millrace::real
