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

// One bit for each of 64 bytes.
struct Block {
  uint64_t quotes;
  uint64_t backslashes;
  uint64_t high;
};

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

using Gathered = QuoteIndex::Gathered;

// What has been found so far, block by block.
struct Gathering {
  uint32_t* to;
  uint32_t base = 0;
  uint64_t carry = 0;
  uint64_t backslashes = 0;
  uint64_t high = 0;
};

[[gnu::always_inline]] inline void add_block(Gathering& all, const Block& block) {
  all.high |= block.high;
  uint64_t quotes = block.quotes;
  if ((block.backslashes | all.carry) != 0) [[unlikely]] {
    all.backslashes = 1;
    quotes = without_escaped(quotes, block.backslashes, all.carry);
  }
  uint32_t* const end = all.to + std::popcount(quotes);
  // Eight at a time, the last ones too many.
  uint32_t* to = all.to;
  do {
    for (int k = 0; k < 8; ++k) {
      to[k] = all.base + static_cast<uint32_t>(std::countr_zero(quotes | uint64_t{1} << 63));
      quotes &= quotes - 1;
    }
    to += 8;
  } while (to < end);
  all.to = end;
  all.base += 64;
}

[[gnu::always_inline]] inline Gathered finish(const Gathering& all, const uint32_t* places) {
  all.to[0] = QuoteIndex::none;
  all.to[1] = QuoteIndex::none;
  return {static_cast<size_t>(all.to - places), all.backslashes != 0, all.high != 0};
}

template <class Way>
Gathered gather(std::string_view text, uint32_t* places) {
  Gathering all{places};
  size_t at = 0;
  for (; at + 64 <= text.size(); at += 64) add_block(all, Way::block(text.data() + at));
  if (at < text.size()) {
    const Tail tail(text, text.size() - at);
    add_block(all, tail.cut(Way::block(tail.from)));
  }
  return finish(all, places);
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
[[gnu::target("avx2,bmi,bmi2,popcnt")]] Gathered gather_avx2(std::string_view text, uint32_t* places) {
  Gathering all{places};
  size_t at = 0;
  for (; at + 64 <= text.size(); at += 64) add_block(all, avx2_block(text.data() + at));
  if (at < text.size()) {
    const Tail tail(text, text.size() - at);
    add_block(all, tail.cut(avx2_block(tail.from)));
  }
  return finish(all, places);
}

#define MILLRACE_AVX512 [[gnu::target("avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt")]]

MILLRACE_AVX512 inline Block avx512_block(__m512i a) {
  return {_mm512_cmpeq_epi8_mask(a, _mm512_set1_epi8('"')), _mm512_cmpeq_epi8_mask(a, _mm512_set1_epi8('\\')),
          _mm512_movepi8_mask(a)};
}
// The places of up to 64 quotes, sixteen at a time. More than sixteen are rare.
MILLRACE_AVX512 inline uint32_t* avx512_put(uint32_t* to, uint64_t quotes, __m512i base, __m512i numbers) {
  const __m512i places = _mm512_maskz_compress_epi8(quotes, numbers);
  const int count = std::popcount(quotes);
  _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_cvtepu8_epi32(_mm512_castsi512_si128(places)), base));
  if (count > 16) [[unlikely]] {
    alignas(64) std::array<uint8_t, 64> bytes;
    _mm512_store_si512(bytes.data(), places);
    for (int k = 16; k < count; k += 16) {
      const __m128i some = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes.data() + k));
      _mm512_storeu_si512(to + k, _mm512_add_epi32(_mm512_cvtepu8_epi32(some), base));
    }
  }
  return to + count;
}
alignas(64) constexpr std::array<uint8_t, 64> from_zero = [] {
  std::array<uint8_t, 64> numbers{};
  for (size_t i = 0; i < 64; ++i) numbers[i] = static_cast<uint8_t>(i);
  return numbers;
}();
// Where there are backslashes.
MILLRACE_AVX512 [[gnu::noinline]] Gathered gather_avx512_escaped(std::string_view text, uint32_t* places) {
  const __m512i numbers = _mm512_load_si512(from_zero.data());
  uint32_t* to = places;
  uint64_t carry = 0, high = 0;
  for (size_t at = 0; at < text.size(); at += 64) {
    const uint64_t there = text.size() - at >= 64 ? ~uint64_t{0} : _bzhi_u64(~uint64_t{0}, text.size() - at);
    const Block block = avx512_block(_mm512_maskz_loadu_epi8(there, text.data() + at));
    high |= block.high;
    const uint64_t quotes = without_escaped(block.quotes, block.backslashes, carry);
    to = avx512_put(to, quotes, _mm512_set1_epi32(static_cast<int>(at)), numbers);
  }
  to[0] = to[1] = QuoteIndex::none;
  return {static_cast<size_t>(to - places), true, high != 0};
}
MILLRACE_AVX512 Gathered gather_avx512(std::string_view text, uint32_t* places) {
  const __m512i numbers = _mm512_load_si512(from_zero.data());
  const __m512i quote = _mm512_set1_epi8('"');
  const __m512i backslash = _mm512_set1_epi8('\\');
  const __m512i step = _mm512_set1_epi32(64);
  __m512i base = _mm512_setzero_si512();
  __m512i all = _mm512_setzero_si512();
  __mmask64 backslashes = 0;
  uint32_t* to = places;
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= 64; left -= 64, at += 64) {
    const __m512i block = _mm512_loadu_si512(at);
    all = _mm512_or_si512(all, block);
    backslashes = _kor_mask64(backslashes, _mm512_cmpeq_epi8_mask(block, backslash));
    to = avx512_put(to, _mm512_cmpeq_epi8_mask(block, quote), base, numbers);
    base = _mm512_add_epi32(base, step);
  }
  if (left > 0) {
    const __m512i block = _mm512_maskz_loadu_epi8(_bzhi_u64(~uint64_t{0}, left), at);
    all = _mm512_or_si512(all, block);
    backslashes = _kor_mask64(backslashes, _mm512_cmpeq_epi8_mask(block, backslash));
    to = avx512_put(to, _mm512_cmpeq_epi8_mask(block, quote), base, numbers);
  }
  if (_cvtmask64_u64(backslashes) != 0) [[unlikely]]
    return gather_avx512_escaped(text, places);
  to[0] = to[1] = QuoteIndex::none;
  return {static_cast<size_t>(to - places), false, _mm512_movepi8_mask(all) != 0};
}

#undef MILLRACE_AVX512

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
  std::array<Gathered (*)(std::string_view, uint32_t*), 4> ways{};
  size_t count = 0;

  Ways() {
    ways[count++] = gather<Portable>;
#if defined(__x86_64__)
    ways[count++] = gather<Sse2>;
    const bool bits =
        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    if (bits && __builtin_cpu_supports("avx2")) ways[count++] = gather_avx2;
    if (bits && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi2"))
      ways[count++] = gather_avx512;
#elif defined(__aarch64__)
    ways[count++] = gather<Neon>;
#endif
  }
};
const Ways all_ways;

}  // namespace

size_t QuoteIndex::ways() { return all_ways.count; }

QuoteIndex::QuoteIndex(size_t way) : build_(all_ways.ways[std::min(way, all_ways.count - 1)]) { reserve(64); }

void QuoteIndex::reserve(size_t size) {
  check(size < none);
  places_.resize((size + 127) / 64 * 64 * 2 + 16);
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
