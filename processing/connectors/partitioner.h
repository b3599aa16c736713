// Which partition a record goes to, as Kafka's producer decides it.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::processing {

// The murmur2 hash of Kafka's clients.
uint32_t murmur2(std::string_view bytes);

// The default partitioner's choice for a record with a key.
inline int partition_of_key(std::string_view key, int partitions) {
  return static_cast<int>((murmur2(key) & 0x7fffffffu) % static_cast<uint32_t>(partitions));
}

}  // namespace millrace::processing
