#include "processing/formats/quote_index.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "protocol/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace millrace::processing {

namespace {

using Block = QuoteIndex::Block;

// The last bytes of a text as 64 bytes and how many of these have been seen before. Never reads past the text.
struct Tail {
  alignas(64) std::array<char, 64> padded;
  const char* from;
  int seen = 0;

  Tail(std::string_view text, size_t rest) {
    if (text.size() >= 64) {
      from = text.data() + text.size() - 64;
      seen = static_cast<int>(64 - rest);
    } else {
      padded.fill(0);
      std::memcpy(padded.data(), text.data(), rest);
      from = padded.data();
    }
  }
  Block cut(Block block) const { return {block.quotes >> seen, block.backslashes >> seen, block.high >> seen}; }
};

template <class Way>
void blocks_of(std::string_view text, Block* to) {
  size_t at = 0;
  for (; at + 64 <= text.size(); at += 64) *to++ = Way::block(text.data() + at);
  if (at < text.size()) {
    const Tail tail(text, text.size() - at);
    *to = tail.cut(Way::block(tail.from));
  }
}

// A character is escaped when it follows a backslash that is not escaped itself. `carry`: the block before ended with
// one.
uint64_t without_escaped(uint64_t quotes, uint64_t backslashes, uint64_t& carry) {
  uint64_t escaped = carry;
  uint64_t left = backslashes & ~carry;
  carry = 0;
  while (left != 0) {
    const int at = std::countr_zero(left);
    if (at == 63) {
      carry = 1;
      break;
    }
    escaped |= uint64_t{2} << at;
    left &= ~(uint64_t{3} << at);
  }
  return quotes & ~escaped;
}

struct Portable {
  static Block block(const char* at) {
    Block block{};
    for (unsigned i = 0; i < 64; ++i) {
      block.quotes |= uint64_t{at[i] == '"'} << i;
      block.backslashes |= uint64_t{at[i] == '\\'} << i;
      block.high |= uint64_t{(at[i] & 0x80) != 0} << i;
    }
    return block;
  }
};

#if defined(__x86_64__)

struct Sse2 {
  static uint64_t bits(__m128i a, __m128i b, __m128i c, __m128i d) {
    const auto mask = [](__m128i v) { return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(v))); };
    return mask(a) | (mask(b) << 16) | (mask(c) << 32) | (mask(d) << 48);
  }
  static Block block(const char* at) {
    const auto load = [&](size_t i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i)); };
    const __m128i a = load(0), b = load(16), c = load(32), d = load(48);
    const auto equal = [&](char wanted) {
      const __m128i w = _mm_set1_epi8(wanted);
      return bits(_mm_cmpeq_epi8(a, w), _mm_cmpeq_epi8(b, w), _mm_cmpeq_epi8(c, w), _mm_cmpeq_epi8(d, w));
    };
    return {equal('"'), equal('\\'), bits(a, b, c, d)};
  }
};

// What needs more than every x86-64 has is written without templates and lambdas, which would not inherit the target.
[[gnu::target("avx2")]] inline uint64_t avx2_bits(__m256i a, __m256i b) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(a)) |
         (static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(b))) << 32);
}
[[gnu::target("avx2")]] inline Block avx2_block(const char* at) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
  const __m256i quote = _mm256_set1_epi8('"');
  const __m256i backslash = _mm256_set1_epi8('\\');
  return {avx2_bits(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote)),
          avx2_bits(_mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(b, backslash)), avx2_bits(a, b)};
}
[[gnu::target("avx2")]] void avx2_blocks_of(std::string_view text, Block* to) {
  size_t at = 0;
  for (; at + 64 <= text.size(); at += 64) *to++ = avx2_block(text.data() + at);
  if (at < text.size()) {
    const Tail tail(text, text.size() - at);
    *to = tail.cut(avx2_block(tail.from));
  }
}

[[gnu::target("avx512bw")]] inline Block avx512_block(const char* at) {
  const __m512i a = _mm512_loadu_si512(at);
  return {_mm512_cmpeq_epi8_mask(a, _mm512_set1_epi8('"')), _mm512_cmpeq_epi8_mask(a, _mm512_set1_epi8('\\')),
          _mm512_movepi8_mask(a)};
}
[[gnu::target("avx512bw")]] void avx512_blocks_of(std::string_view text, Block* to) {
  size_t at = 0;
  for (; at + 64 <= text.size(); at += 64) *to++ = avx512_block(text.data() + at);
  if (at < text.size()) {
    const Tail tail(text, text.size() - at);
    *to = tail.cut(avx512_block(tail.from));
  }
}

#elif defined(__aarch64__)

struct Neon {
  static uint64_t bits(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) {
    const uint8x16_t weights = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t ab = vpaddq_u8(vandq_u8(a, weights), vandq_u8(b, weights));
    const uint8x16_t cd = vpaddq_u8(vandq_u8(c, weights), vandq_u8(d, weights));
    const uint8x16_t all = vpaddq_u8(ab, cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
  }
  static Block block(const char* at) {
    const auto load = [&](size_t i) { return vld1q_u8(reinterpret_cast<const uint8_t*>(at + i)); };
    const uint8x16_t a = load(0), b = load(16), c = load(32), d = load(48);
    const auto equal = [&](char wanted) {
      const uint8x16_t w = vdupq_n_u8(static_cast<uint8_t>(wanted));
      return bits(vceqq_u8(a, w), vceqq_u8(b, w), vceqq_u8(c, w), vceqq_u8(d, w));
    };
    const uint8x16_t top = vdupq_n_u8(0x80);
    return {equal('"'), equal('\\'), bits(vcgeq_u8(a, top), vcgeq_u8(b, top), vcgeq_u8(c, top), vcgeq_u8(d, top))};
  }
};

#endif

struct Ways {
  std::array<void (*)(std::string_view, Block*), 4> ways{};
  size_t count = 0;

  Ways() {
    ways[count++] = blocks_of<Portable>;
#if defined(__x86_64__)
    ways[count++] = blocks_of<Sse2>;
    if (__builtin_cpu_supports("avx2")) ways[count++] = avx2_blocks_of;
    if (__builtin_cpu_supports("avx512bw")) ways[count++] = avx512_blocks_of;
#elif defined(__aarch64__)
    ways[count++] = blocks_of<Neon>;
#endif
  }
};
const Ways all_ways;

}  // namespace

size_t QuoteIndex::ways() { return all_ways.count; }

QuoteIndex::QuoteIndex(size_t way) : blocks_of_(all_ways.ways[std::min(way, all_ways.count - 1)]) {}

void QuoteIndex::build(std::string_view text) {
  check(text.size() < none);
  const size_t count = (text.size() + 63) / 64;
  if (blocks_.size() < count) {
    blocks_.resize(count * 2);
    places_.resize(count * 2 * 64 + 16);
  }
  if (places_.empty()) places_.resize(16);
  blocks_of_(text, blocks_.data());
  uint32_t* to = places_.data();
  uint64_t carry = 0;
  uint64_t backslashes = 0;
  uint64_t high = 0;
  for (size_t i = 0; i < count; ++i) {
    const Block& block = blocks_[i];
    high |= block.high;
    uint64_t quotes = block.quotes;
    if ((block.backslashes | carry) != 0) [[unlikely]] {
      backslashes = 1;
      quotes = without_escaped(quotes, block.backslashes, carry);
    }
    const auto base = static_cast<uint32_t>(i * 64);
    uint32_t* const end = to + std::popcount(quotes);
    // Eight at a time, the last ones too many.
    do {
      for (int k = 0; k < 8; ++k) {
        to[k] = base + static_cast<uint32_t>(std::countr_zero(quotes | uint64_t{1} << 63));
        quotes &= quotes - 1;
      }
      to += 8;
    } while (to < end);
    to = end;
  }
  to[0] = none;
  to[1] = none;
  count_ = static_cast<size_t>(to - places_.data());
  escapes_ = backslashes != 0;
  non_ascii_ = high != 0;
}

bool has_whole_characters(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (end - at >= 8) {
      uint64_t eight = 0;
      std::memcpy(&eight, at, 8);
      if ((eight & 0x8080808080808080) == 0) {
        at += 8;
        continue;
      }
    }
    const auto c = static_cast<unsigned char>(*at);
    const int more = c < 0x80 ? 0 : (c & 0xe0) == 0xc0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : (c & 0xf8) == 0xf0 ? 3 : -1;
    if (more < 0 || end - at <= more) return false;
    for (int i = 1; i <= more; ++i)
      if ((static_cast<unsigned char>(at[i]) & 0xc0) != 0x80) return false;
    at += more + 1;
  }
  return true;
}

}  // namespace millrace::processing
