// Single values of JSON as they mostly stand in records: plain numbers and words. Each function takes one from the
// front of what lies between two pointers, or says no and leaves it to a JsonReader. There is at least one character.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <string_view>

#include "processing/formats/eight_bytes.h"

namespace millrace::processing {

inline uint64_t load8_before(const char* at, const char* end) {
  if (end - at >= 8) [[likely]]
    return load8(at);
  uint64_t bytes = 0;
  std::memcpy(&bytes, at, static_cast<size_t>(end - at));
  return bytes;
}

inline bool is_json_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
inline void skip_space(const char*& at, const char* end) {
  while (at < end && is_json_space(*at)) ++at;
}

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What follows the first eight digits of a whole number: up to eleven more.
[[gnu::noinline]] inline bool more_digits(const char*& at, const char* end, uint64_t& value) {
  static constexpr std::array<uint64_t, 9> powers{1,       10,        100,        1000,       10'000,
                                                  100'000, 1'000'000, 10'000'000, 100'000'000};
  for (const int most : {8, 3}) {
    const uint64_t text = load8_before(at, end);
    const int count = leading_digits(text);
    if (count > most) return false;
    if (count == 0) return true;
    value = value * powers[static_cast<size_t>(count)] + digits_value(text, count);
    at += count;
    if (count < 8) return true;
  }
  return true;
}

// A whole number of up to 19 digits, without an exponent.
[[gnu::always_inline]] inline bool whole_number(const char*& from, const char* end, int64_t& number) {
  const char* at = from;
  const bool negative = *at == '-';
  at += negative ? 1 : 0;
  const uint64_t text = load8_before(at, end);
  const int count = leading_digits(text);
  if (count == 0 || (count > 1 && *at == '0')) return false;
  uint64_t value = digits_value(text, count);
  at += count;
  if (count == 8) {
    const char* rest = at;  // so that `at` need not be in memory
    if (!more_digits(rest, end, value)) return false;
    at = rest;
  }
  if (at < end && (*at == '.' || *at == 'e' || *at == 'E')) return false;
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
  number = negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  from = at;
  return true;
}

// A number that nobody needs.
inline bool skip_number(const char*& at, const char* end) {
  if (*at == '-') ++at;
  if (at == end || !is_digit(*at)) return false;
  if (*at == '0' && at + 1 < end && is_digit(at[1])) return false;
  while (at < end && is_digit(*at)) ++at;
  if (at < end && *at == '.') {
    ++at;
    if (at == end || !is_digit(*at)) return false;
    while (at < end && is_digit(*at)) ++at;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < end && (*at == '+' || *at == '-')) ++at;
    if (at == end || !is_digit(*at)) return false;
    while (at < end && is_digit(*at)) ++at;
  }
  return true;
}

// What follows a word is looked at behind every value.
inline bool take_word(const char*& at, const char* end, std::string_view word) {
  if (static_cast<size_t>(end - at) < word.size() || std::memcmp(at, word.data(), word.size()) != 0) return false;
  at += word.size();
  return true;
}

}  // namespace millrace::processing
