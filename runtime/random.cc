// Random ids.
#include "runtime/random.h"

namespace millrace {

Uuid Random::uuid() {
  for (;;) {
    std::byte bits[16];
    fill(bits);
    Uuid id;
    for (int i = 0; i < 8; ++i) {
      id.high = id.high << 8 | std::to_integer<uint64_t>(bits[i]);
      id.low = id.low << 8 | std::to_integer<uint64_t>(bits[i + 8]);
    }
    id.high = (id.high & ~0xf000ull) | 0x4000ull;    // version 4
    id.low = (id.low & ~(3ull << 62)) | 1ull << 63;  // IETF variant
    const uint64_t first_character = id.high >> 58;
    if (first_character != 62) return id;  // 62 is '-', which command lines take for an option
  }
}

}  // namespace millrace
