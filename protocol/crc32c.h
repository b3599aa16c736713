// CRC32C (Castagnoli), as Kafka's record batches and producer snapshots carry it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::protocol {

// The checksum of `data`; pass the result of an earlier part to go on from there.
uint32_t crc32c(std::span<const std::byte> data, uint32_t earlier = 0);

}  // namespace millrace::protocol
