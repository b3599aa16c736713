// Variable-length integers of record batches: seven bits a byte, low bits first; signed ones are zig-zagged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace millrace::protocol {

constexpr uint64_t zigzag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
constexpr int64_t unzigzag(uint64_t v) { return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1); }

constexpr size_t unsigned_varint_size(uint64_t v) {
  size_t size = 1;
  for (; v >= 0x80; v >>= 7) ++size;
  return size;
}
constexpr size_t varint_size(int64_t v) { return unsigned_varint_size(zigzag(v)); }

inline void append_unsigned_varint(std::string& out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out.push_back(static_cast<char>(v | 0x80));
  out.push_back(static_cast<char>(v));
}
inline void append_varint(std::string& out, int64_t v) { append_unsigned_varint(out, zigzag(v)); }

// Writes one where there is room for ten bytes; returns where it ends.
inline char* write_unsigned_varint(char* to, uint64_t v) {
  for (; v >= 0x80; v >>= 7) *to++ = static_cast<char>(v | 0x80);
  *to++ = static_cast<char>(v);
  return to;
}
inline char* write_varint(char* to, int64_t v) { return write_unsigned_varint(to, zigzag(v)); }

// Reads one and moves `at` behind it; false when it ends early or is longer than ten bytes.
inline bool read_long_varint(const char*& at, const char* end, uint64_t& v) {
  v = 0;
  for (int shift = 0; shift < 70 && at < end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*at++);
    v |= static_cast<uint64_t>(byte & 0x7f) << (shift & 63);
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}
[[gnu::always_inline]] inline bool read_unsigned_varint(const char*& at, const char* end, uint64_t& v) {
  if (end - at >= 2) {  // most have one or two bytes
    const auto first = static_cast<uint8_t>(at[0]);
    const auto second = static_cast<uint8_t>(at[1]);
    if (first < 0x80) {
      v = first;
      ++at;
      return true;
    }
    if (second < 0x80) {
      v = (first & 0x7fu) | static_cast<uint64_t>(second) << 7;
      at += 2;
      return true;
    }
  }
  const char* place = at;
  const bool good = read_long_varint(place, end, v);
  at = place;
  return good;
}
[[gnu::always_inline]] inline bool read_varint(const char*& at, const char* end, int64_t& v) {
  uint64_t raw = 0;
  if (!read_unsigned_varint(at, end, raw)) return false;
  v = unzigzag(raw);
  return true;
}

}  // namespace millrace::protocol
