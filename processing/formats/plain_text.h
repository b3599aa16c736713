// Copying text up to the first character that JSON written as bytes cannot carry as it is: a quote, a backslash, a
// control character, or the lead byte of something beyond the basic plane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "processing/formats/eight_bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace millrace::processing {

inline bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0xf0 && c != '"' && c != '\\';
}

#if defined(__SSE2__)

using Sixteen = __m128i;
inline Sixteen load16(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
inline void store16(char* at, Sixteen bytes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(at), bytes); }
inline Sixteen sixteen(uint64_t low, uint64_t high) {
  return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}
inline bool all_plain(Sixteen bytes) {
  const __m128i bad =
      _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
                   _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes),
                                _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(static_cast<char>(0xf0))), bytes)));
  return _mm_movemask_epi8(bad) == 0;
}

#elif defined(__aarch64__)

using Sixteen = uint8x16_t;
inline Sixteen load16(const char* at) { return vld1q_u8(reinterpret_cast<const uint8_t*>(at)); }
inline void store16(char* at, Sixteen bytes) { vst1q_u8(reinterpret_cast<uint8_t*>(at), bytes); }
inline Sixteen sixteen(uint64_t low, uint64_t high) {
  return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}
inline bool all_plain(Sixteen bytes) {
  const uint8x16_t bad = vorrq_u8(vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('"')), vceqq_u8(bytes, vdupq_n_u8('\\'))),
                                  vorrq_u8(vcltq_u8(bytes, vdupq_n_u8(0x20)), vcgeq_u8(bytes, vdupq_n_u8(0xf0))));
  return vmaxvq_u8(bad) == 0;
}

#else

struct Sixteen {
  char bytes[16];
};
inline Sixteen load16(const char* at) {
  Sixteen all;
  std::memcpy(all.bytes, at, 16);
  return all;
}
inline void store16(char* at, Sixteen all) { std::memcpy(at, all.bytes, 16); }
inline Sixteen sixteen(uint64_t low, uint64_t high) {
  Sixteen all;
  store8(all.bytes, low);
  store8(all.bytes + 8, high);
  return all;
}
inline bool all_plain(Sixteen all) {
  bool plain = true;
  for (const char c : all.bytes) plain = plain && is_plain(c);
  return plain;
}

#endif

// Whether all of it is plain. Then it has been copied, and up to 15 bytes behind it written over; otherwise nothing is
// said about what lies there.
inline bool copy_plain(char* to, const char* from, size_t size) {
  if (size >= 16) {
    size_t at = 0;
    for (; at + 16 <= size; at += 16) {
      const Sixteen bytes = load16(from + at);
      store16(to + at, bytes);
      if (!all_plain(bytes)) [[unlikely]]
        return false;
    }
    const Sixteen last = load16(from + size - 16);
    store16(to + size - 16, last);
    return all_plain(last);
  }
  // Put together from parts that overlap; the rest is filled with something plain.
  uint64_t low = 0, high = eight_zeros;
  if (size >= 8) {
    low = load8(from);
    if (size > 8) {
      const auto gone = static_cast<int>(8 * (16 - size));
      high = (load8(from + size - 8) >> gone) | (eight_zeros << (64 - gone));
    }
  } else {
    uint32_t first = 0, last = 0;
    if (size >= 4) {
      std::memcpy(&first, from, 4);
      std::memcpy(&last, from + size - 4, 4);
      low = first | static_cast<uint64_t>(last) << (8 * (size - 4));
    } else {
      for (size_t i = 0; i < size; ++i) low |= uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
    }
    low |= eight_zeros << (8 * size);
  }
  const Sixteen bytes = sixteen(low, high);
  store16(to, bytes);
  return all_plain(bytes);
}

}  // namespace millrace::processing
