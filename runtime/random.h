// Random: the only source of unpredictable bits above runtime/. Seeded in the simulator, the kernel's in production.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/types.h"

namespace millrace {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;
  virtual void fill(std::span<std::byte> out) = 0;  // fit for ids and nonces

  // Uniform in [0, bound).
  uint64_t below(uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  // A version 4 uuid whose text does not start with '-', as Kafka's Uuid.randomUuid.
  Uuid uuid();
};

}  // namespace millrace
