#include "processing/decimal.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace millrace::processing {

namespace {

constexpr auto powers = [] {
  std::array<Int128, 39> table{};
  table[0] = 1;
  for (size_t i = 1; i < table.size(); ++i) table[i] = table[i - 1] * 10;
  return table;
}();

Uint128 magnitude(Int128 v) { return v < 0 ? -static_cast<Uint128>(v) : static_cast<Uint128>(v); }
Int128 with_sign(Uint128 v, bool negative) { return negative ? -static_cast<Int128>(v) : static_cast<Int128>(v); }

// 256 bits, for products and for dividends with many fraction digits.
struct Wide {
  Uint128 high = 0;
  Uint128 low = 0;
};

Wide multiply_wide(Uint128 a, Uint128 b) {
  constexpr Uint128 mask = ~uint64_t{0};
  Uint128 a0 = a & mask, a1 = a >> 64, b0 = b & mask, b1 = b >> 64;
  Uint128 low = a0 * b0, middle1 = a1 * b0, middle2 = a0 * b1;
  Uint128 carry = (low >> 64) + (middle1 & mask) + (middle2 & mask);
  return {a1 * b1 + (middle1 >> 64) + (middle2 >> 64) + (carry >> 64), (low & mask) | (carry << 64)};
}

struct Quotient {
  Wide quotient;
  Uint128 remainder = 0;
};

// Divisors stay below 2^127, so the remainder never loses its top bit.
Quotient divide_wide(Wide n, Uint128 d) {
  if (n.high == 0) return {{0, n.low / d}, n.low % d};
  Quotient result;
  result.quotient.high = n.high / d;
  Uint128 remainder = n.high % d;
  Uint128 low = 0;
  for (int bit = 127; bit >= 0; --bit) {
    remainder = (remainder << 1) | ((n.low >> bit) & 1);
    low <<= 1;
    if (remainder >= d) {
      remainder -= d;
      low |= 1;
    }
  }
  result.quotient.low = low;
  result.remainder = remainder;
  return result;
}

// n / d rounded half up, with a sign, if it has at most `precision` digits.
std::optional<Int128> rounded(Wide n, Uint128 d, bool negative, int precision) {
  Quotient q = divide_wide(n, d);
  if (q.quotient.high != 0) return std::nullopt;
  Uint128 value = q.quotient.low;
  if (q.remainder >= d - q.remainder) ++value;
  if (value >= static_cast<Uint128>(powers[static_cast<size_t>(precision)])) return std::nullopt;
  return with_sign(value, negative);
}

// 128-bit multiplication with an overflow check is slow; most numbers are small.
bool is_small(Int128 v) { return v == static_cast<int64_t>(v); }
Int128 small_product(Int128 a, Int128 b) { return Int128{static_cast<int64_t>(a)} * static_cast<int64_t>(b); }

std::optional<Int128> checked(Int128 value, int precision) {
  if (!fits(value, precision)) return std::nullopt;
  return value;
}

}  // namespace

Int128 power_of_ten(int n) { return powers[static_cast<size_t>(n)]; }

int digits_of(Int128 v) {
  Uint128 m = magnitude(v);
  int digits = 1;
  while (digits < 39 && m >= static_cast<Uint128>(powers[static_cast<size_t>(digits)])) ++digits;
  return digits;
}

std::optional<Int128> rescale(Int128 unscaled, int from, int to, int precision) {
  if (to == from) return checked(unscaled, precision);
  if (to > from) {
    int up = to - from;
    if (up <= 18 && is_small(unscaled))
      return checked(small_product(unscaled, powers[static_cast<size_t>(up)]), precision);
    if (up > 38) return unscaled == 0 ? std::optional<Int128>(0) : std::nullopt;
    Int128 result;
    if (__builtin_mul_overflow(unscaled, powers[static_cast<size_t>(up)], &result)) return std::nullopt;
    return checked(result, precision);
  }
  int down = from - to;
  if (down > 38) return Int128{0};
  return rounded({0, magnitude(unscaled)}, static_cast<Uint128>(powers[static_cast<size_t>(down)]), unscaled < 0,
                 precision);
}

std::optional<Int128> decimal_add(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale) {
  int common = std::max(a_scale, b_scale);
  if (is_small(a) && is_small(b) && common - std::min(a_scale, b_scale) <= 18) {
    Int128 small = small_product(a, powers[static_cast<size_t>(common - a_scale)]) +
                   small_product(b, powers[static_cast<size_t>(common - b_scale)]);
    return rescale(small, common, scale, precision);
  }
  Int128 x, y, sum;
  if (__builtin_mul_overflow(a, powers[static_cast<size_t>(common - a_scale)], &x) ||
      __builtin_mul_overflow(b, powers[static_cast<size_t>(common - b_scale)], &y) ||
      __builtin_add_overflow(x, y, &sum)) {
    return std::nullopt;
  }
  return rescale(sum, common, scale, precision);
}

std::optional<Int128> decimal_subtract(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale) {
  return decimal_add(a, a_scale, -b, b_scale, precision, scale);
}

std::optional<Int128> decimal_multiply(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale) {
  int down = a_scale + b_scale - scale;
  if (is_small(a) && is_small(b) && down <= 38) {
    return rescale(small_product(a, b), a_scale + b_scale, scale, precision);
  }
  Int128 product;
  if (!__builtin_mul_overflow(a, b, &product) && down <= 38)
    return rescale(product, a_scale + b_scale, scale, precision);
  bool negative = (a < 0) != (b < 0);
  Wide wide = multiply_wide(magnitude(a), magnitude(b));
  if (down < 0) return std::nullopt;  // the product alone has more than 38 digits
  while (down > 38) {                 // the cut digits do not matter but for a tie, which 38 more digits never are
    wide = divide_wide(wide, 10).quotient;
    --down;
  }
  return rounded(wide, static_cast<Uint128>(powers[static_cast<size_t>(down)]), negative, precision);
}

std::optional<Int128> decimal_divide(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale) {
  bool negative = (a < 0) != (b < 0);
  int up = scale + b_scale - a_scale;
  if (up < 0) {
    std::optional<Int128> divisor = rescale(b, b_scale, b_scale - up, 38);
    if (!divisor) return Int128{0};
    return rounded({0, magnitude(a)}, magnitude(*divisor), negative, precision);
  }
  Wide wide{0, magnitude(a)};
  while (up > 0) {
    int step = std::min(up, 38);
    if (wide.high != 0) return std::nullopt;
    wide = multiply_wide(wide.low, static_cast<Uint128>(powers[static_cast<size_t>(step)]));
    up -= step;
  }
  return rounded(wide, magnitude(b), negative, precision);
}

std::optional<Int128> decimal_remainder(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale) {
  int common = std::max(a_scale, b_scale);
  Int128 x, y;
  if (__builtin_mul_overflow(b, powers[static_cast<size_t>(common - b_scale)], &y)) return std::nullopt;
  if (__builtin_mul_overflow(a, powers[static_cast<size_t>(common - a_scale)], &x)) {
    Wide wide = multiply_wide(magnitude(a), static_cast<Uint128>(powers[static_cast<size_t>(common - a_scale)]));
    x = with_sign(divide_wide(wide, magnitude(y)).remainder, a < 0);
    return rescale(x, common, scale, precision);
  }
  return rescale(x % y, common, scale, precision);
}

int decimal_compare(Int128 a, int a_scale, Int128 b, int b_scale) {
  if (a_scale == b_scale) return a < b ? -1 : a > b ? 1 : 0;
  if ((a < 0) != (b < 0)) return a < b ? -1 : 1;
  int common = std::max(a_scale, b_scale);
  Wide x = multiply_wide(magnitude(a), static_cast<Uint128>(powers[static_cast<size_t>(common - a_scale)]));
  Wide y = multiply_wide(magnitude(b), static_cast<Uint128>(powers[static_cast<size_t>(common - b_scale)]));
  int order = x.high != y.high ? (x.high < y.high ? -1 : 1) : x.low != y.low ? (x.low < y.low ? -1 : 1) : 0;
  return a < 0 ? -order : order;
}

namespace {

std::string digits_text(Uint128 v) {
  char buffer[40];
  char* at = buffer + sizeof buffer;
  do {
    *--at = static_cast<char>('0' + static_cast<int>(v % 10));
    v /= 10;
  } while (v != 0);
  return std::string(at, static_cast<size_t>(buffer + sizeof buffer - at));
}

}  // namespace

std::string decimal_text(Int128 unscaled, int scale) {
  std::string digits = digits_text(magnitude(unscaled));
  if (scale > 0) {
    size_t n = static_cast<size_t>(scale);
    if (digits.size() <= n) digits.insert(0, n + 1 - digits.size(), '0');
    digits.insert(digits.size() - n, ".");
  }
  return unscaled < 0 ? "-" + digits : digits;
}

std::string decimal_scientific_text(Int128 unscaled, int scale) {
  if (unscaled == 0) return "0";
  while (unscaled % 10 == 0) {
    unscaled /= 10;
    --scale;
  }
  std::string digits = digits_text(magnitude(unscaled));
  int exponent = -scale + static_cast<int>(digits.size()) - 1;
  std::string text;
  if (scale >= 0 && exponent >= -6) {
    text = decimal_text(magnitude(unscaled) > 0 ? static_cast<Int128>(magnitude(unscaled)) : 0, scale);
  } else {
    text = digits.substr(0, 1);
    if (digits.size() > 1) text += "." + digits.substr(1);
    text += exponent >= 0 ? "E+" : "E-";
    text += std::to_string(std::abs(exponent));
  }
  return unscaled < 0 ? "-" + text : text;
}

std::optional<Int128> parse_decimal(std::string_view text, int precision, int scale) {
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  // Collect up to 60 significant digits; further ones can only matter as zeros.
  std::string digits;
  int fraction = 0;
  bool seen_point = false, seen_digit = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    char c = text[i];
    if (c == '.' && !seen_point) {
      seen_point = true;
    } else if (c >= '0' && c <= '9') {
      seen_digit = true;
      if (digits.size() < 200 || c != '0') {
        if (!digits.empty() || c != '0') digits.push_back(c);
        if (seen_point) ++fraction;
      } else if (!seen_point) {
        --fraction;
      }
    } else {
      break;
    }
  }
  if (!seen_digit) return std::nullopt;
  int64_t exponent = 0;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
    ++i;
    bool minus = false;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) minus = text[i++] == '-';
    if (i == text.size()) return std::nullopt;
    for (; i < text.size(); ++i) {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      exponent = std::min<int64_t>(exponent * 10 + (text[i] - '0'), 1000000);
    }
    if (minus) exponent = -exponent;
  }
  if (digits.empty()) return Int128{0};
  // value = digits · 10^(exponent − fraction); wanted: value · 10^scale, rounded.
  int64_t shift = exponent - fraction + scale;
  int64_t kept = static_cast<int64_t>(digits.size()) + shift;  // digits of the result
  if (kept < 0) return Int128{0};
  if (kept > precision && kept > 38) return std::nullopt;
  bool up = false;
  if (shift < 0) {
    up = digits[static_cast<size_t>(kept)] >= '5';
    digits.resize(static_cast<size_t>(kept));
  } else {
    digits.append(static_cast<size_t>(shift), '0');
  }
  Int128 value = 0;
  for (char c : digits) value = value * 10 + (c - '0');
  if (up) ++value;
  if (!fits(value, precision)) return std::nullopt;
  return negative ? -value : value;
}

double decimal_to_double(Int128 unscaled, int scale) {
  if (scale == 0) return static_cast<double>(unscaled);
  constexpr Int128 exact = Int128{1} << 53;
  if (scale <= 22 && unscaled < exact && unscaled > -exact) {
    return static_cast<double>(unscaled) / static_cast<double>(powers[static_cast<size_t>(scale)]);
  }
  return std::strtod(decimal_text(unscaled, scale).c_str(), nullptr);
}

}  // namespace millrace::processing
