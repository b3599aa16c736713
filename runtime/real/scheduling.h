// How the kernel shares processors between the threads of this process.
#pragma once

#include <cstdint>

namespace millrace::real {

// For the calling thread, and for those it starts unless they choose again. Linux gives a thread that asks for short
// slices the processor of one with longer slices as soon as it wakes (6.12 on; older kernels choose slices themselves).
enum class Slices : uint8_t { shortest, usual };
void choose_slices(Slices slices, int nicer = 0);  // by so many nice levels
// Only what nobody else wants of the processors.
void run_when_idle();

}  // namespace millrace::real
