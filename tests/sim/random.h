// SeededRandom: the same numbers for the same seed, on every machine (xoshiro256++).
#pragma once

#include <cstring>

#include "runtime/random.h"

namespace millrace::sim {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) {
    for (uint64_t& word : state_) {  // splitmix64
      seed += 0x9e3779b97f4a7c15ull;
      uint64_t z = seed;
      z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
      z = (z ^ z >> 27) * 0x94d049bb133111ebull;
      word = z ^ z >> 31;
    }
  }
  uint64_t next() override {
    const uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  void fill(std::span<std::byte> out) override {
    while (!out.empty()) {
      const uint64_t word = next();
      const size_t count = out.size() < sizeof word ? out.size() : sizeof word;
      std::memcpy(out.data(), &word, count);
      out = out.subspan(count);
    }
  }
  // In [from, to], both included.
  int64_t between(int64_t from, int64_t to) {
    return from + static_cast<int64_t>(below(static_cast<uint64_t>(to - from) + 1));
  }
  bool one_in(uint64_t n) { return below(n) == 0; }

 private:
  static uint64_t rotate(uint64_t value, int by) { return value << by | value >> (64 - by); }
  uint64_t state_[4];
};

}  // namespace millrace::sim
