// CRC32C by ISA-L, which folds long inputs with carry-less multiplication.
#include "protocol/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace millrace::protocol {

uint32_t crc32c(std::span<const std::byte> data, uint32_t earlier) {
  constexpr size_t most = 1u << 30;  // the library counts in int
  uint32_t crc = ~earlier;
  while (!data.empty()) {
    const size_t part = std::min(data.size(), most);
    // The library's signature lacks a const; it only reads.
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(data.data()));
    crc = crc32_iscsi(bytes, static_cast<int>(part), crc);
    data = data.subspan(part);
  }
  return ~crc;
}

}  // namespace millrace::protocol
