// Copies as fast wherever the two pieces lie.
//
// From some kilobytes on the C library leaves copying to one instruction of the processor (rep movsb). On AMD's that is
// ten times slower where the target begins less than a cache line behind the source, counted in their pages: batches
// that are put one behind the other come to lie like that by chance, and a broker then stays slow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace millrace {

inline void copy(std::span<const std::byte> from, std::byte* to) {
  constexpr size_t in_registers = 31 * 64;  // the library copies up to 2 KB in registers, on any processor
  while (!from.empty()) {
    const size_t size = std::min(from.size(), in_registers);
    std::memcpy(to, from.data(), size);
    to += size;
    from = from.subspan(size);
  }
}

}  // namespace millrace
