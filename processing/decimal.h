// Decimals are a 128-bit unscaled number; the scale belongs to the type. At most 38 digits, as in Flink.
// Results that need more digits than their type has are nothing (SQL NULL); rounding is half up, away from zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::processing {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

// 10 to the power n, 0 ≤ n ≤ 38.
Int128 power_of_ten(int n);
// How many decimal digits the absolute value has; 1 for 0.
int digits_of(Int128);
inline bool fits(Int128 unscaled, int precision) {
  Int128 limit = power_of_ten(precision);
  return unscaled < limit && unscaled > -limit;
}

// The same number at another scale, rounded half up; nothing when it has more digits than `precision`.
std::optional<Int128> rescale(Int128 unscaled, int from_scale, int to_scale, int precision);

std::optional<Int128> decimal_add(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale);
std::optional<Int128> decimal_subtract(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale);
std::optional<Int128> decimal_multiply(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale);
// The divisor must not be zero.
std::optional<Int128> decimal_divide(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale);
// Truncated remainder, with the dividend's sign. The divisor must not be zero.
std::optional<Int128> decimal_remainder(Int128 a, int a_scale, Int128 b, int b_scale, int precision, int scale);
int decimal_compare(Int128 a, int a_scale, Int128 b, int b_scale);

// "-12.50" for −1250 at scale 2, never scientific.
std::string decimal_text(Int128 unscaled, int scale);
// As Java's BigDecimal.toString prints it, after removing trailing zeros: 1.5, 1E+20, 1E-7.
std::string decimal_scientific_text(Int128 unscaled, int scale);
// Reads [+-]digits[.digits][e[+-]digits]. Nothing: not a number, or it does not fit.
std::optional<Int128> parse_decimal(std::string_view text, int precision, int scale);

double decimal_to_double(Int128 unscaled, int scale);
// Through the shortest text of the double, as BigDecimal.valueOf does.
std::optional<Int128> decimal_from_double(double value, int precision, int scale);

}  // namespace millrace::processing
