// Eight characters at a time in one register, the first in the lowest byte: decimal digits to numbers and back.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace millrace::processing {

static_assert(std::endian::native == std::endian::little);

inline uint64_t load8(const char* at) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, at, 8);
  return bytes;
}
inline void store8(char* at, uint64_t bytes) { std::memcpy(at, &bytes, 8); }

constexpr uint64_t top_bits = 0x8080808080808080;
constexpr uint64_t eight_zeros = 0x3030303030303030;

// How many of them are digits before the first that is not.
inline int leading_digits(uint64_t text) {
  const uint64_t digits = text ^ eight_zeros;
  const uint64_t others = ((digits + 0x7676767676767676) | digits) & top_bits;
  return others == 0 ? 8 : std::countr_zero(others) >> 3;
}

// The number that the first `count` (1..8) of them are; they must be digits.
inline uint64_t digits_value(uint64_t text, int count) {
  uint64_t v = (text ^ eight_zeros) << (64 - 8 * count);
  v = (v * 10 + (v >> 8)) & 0x00ff00ff00ff00ff;
  v = (v * 100 + (v >> 16)) & 0x0000ffff0000ffff;
  return (v * 10'000 + (v >> 32)) & 0xffffffff;
}

// The digits of a number below 10^8 as the numbers 0 to 9, leading zeros and all.
inline uint64_t eight_digits(uint32_t value) {
  const uint64_t fours = value / 10'000 | static_cast<uint64_t>(value % 10'000) << 32;
  const uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
  const uint64_t tens = ((twos * 103) >> 10) & 0x000f000f000f000f;
  return tens | (twos - 10 * tens) << 8;
}

// Writes a number and returns where it ends. There is room for 24 characters.
inline char* write_number(char* to, uint64_t value) {
  if (value >= 100'000'000) {
    const uint64_t high = value / 100'000'000;
    to = write_number(to, high);
    store8(to, eight_digits(static_cast<uint32_t>(value % 100'000'000)) | eight_zeros);
    return to + 8;
  }
  const uint64_t digits = eight_digits(static_cast<uint32_t>(value));
  const int zeros = std::countr_zero(digits | uint64_t{1} << 56) >> 3;
  store8(to, (digits | eight_zeros) >> (8 * zeros));
  return to + (8 - zeros);
}
inline char* write_number(char* to, int64_t value) {
  *to = '-';
  const bool negative = value < 0;
  return write_number(to + negative,
                      negative ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value));
}

}  // namespace millrace::processing
