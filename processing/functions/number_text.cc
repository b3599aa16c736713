#include "processing/functions/number_text.h"

#include <double-conversion/double-conversion.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "processing/failure.h"

namespace millrace::processing {

namespace {

[[noreturn]] void bad_number(std::string_view text, std::string_view why) {
  throw RunFailure(java::number_format, fmt::format("For input string: '{}'. {}", text, why));
}

std::string_view trim_java(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

int64_t integer_from_text(std::string_view input, int bits) {
  std::string_view text = trim_java(input);
  if (text.empty()) bad_number(input, "Input is empty.");
  bool negative = text[0] == '-';
  if (negative || text[0] == '+') {
    text.remove_prefix(1);
    if (text.empty()) bad_number(input, "Input has only positive or negative symbol.");
  }
  int64_t value = 0;  // kept negative, which reaches further
  size_t i = 0;
  for (; i < text.size() && text[i] != '.'; ++i) {
    if (!is_digit(text[i])) bad_number(input, "Invalid character found.");
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, text[i] - '0', &value)) {
      bad_number(input, "Overflow.");
    }
  }
  for (++i; i < text.size(); ++i) {
    if (!is_digit(text[i])) bad_number(input, "Invalid character found.");
  }
  int64_t least = bits == 64 ? std::numeric_limits<int64_t>::min() : -(int64_t{1} << (bits - 1));
  if (value < least || (!negative && value == least)) bad_number(input, "Overflow.");
  return negative ? value : -value;
}

std::optional<double> java_double(std::string_view input) {
  std::string_view text = trim_java(input);
  if (text.empty()) return std::nullopt;
  char suffix = text.back();
  if (text.size() > 1 && (suffix == 'd' || suffix == 'D' || suffix == 'f' || suffix == 'F') &&
      text.find_first_of("xX") == std::string_view::npos &&
      (is_digit(text[text.size() - 2]) || text[text.size() - 2] == '.')) {
    text.remove_suffix(1);
  }
  std::string_view size = text;
  if (size[0] == '+' || size[0] == '-') size.remove_prefix(1);
  if (size.empty()) return std::nullopt;
  if (size == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (size == "Infinity") {
    return text[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  if (!is_digit(size[0]) && size[0] != '.') return std::nullopt;
  using double_conversion::StringToDoubleConverter;
  static const StringToDoubleConverter converter(StringToDoubleConverter::NO_FLAGS, 0.0,
                                                 std::numeric_limits<double>::quiet_NaN(), nullptr, nullptr);
  int used = 0;
  double value = converter.StringToDouble(text.data(), static_cast<int>(text.size()), &used);
  if (std::isnan(value) || used != static_cast<int>(text.size())) return std::nullopt;
  return value;
}

double double_from_text(std::string_view text) {
  if (std::optional<double> value = java_double(text)) return *value;
  if (trim_java(text).empty()) throw RunFailure(java::number_format, "empty String");
  throw RunFailure(java::number_format, fmt::format("For input string: \"{}\"", trim_java(text)));
}

float float_from_text(std::string_view text) {
  double value = double_from_text(text);
  if (!std::isfinite(value)) return static_cast<float>(value);
  // Rounding twice may differ from rounding once: read it again as a float.
  std::string plain(trim_java(text));
  while (!plain.empty() && std::string_view("dDfF").find(plain.back()) != std::string_view::npos) plain.pop_back();
  using double_conversion::StringToDoubleConverter;
  static const StringToDoubleConverter converter(StringToDoubleConverter::NO_FLAGS, 0.0, 0.0, nullptr, nullptr);
  int used = 0;
  return converter.StringToFloat(plain.data(), static_cast<int>(plain.size()), &used);
}

bool boolean_from_text(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (std::string_view yes : {"t", "true", "y", "yes", "1"}) {
    if (lower == yes) return true;
  }
  for (std::string_view no : {"f", "false", "n", "no", "0"}) {
    if (lower == no) return false;
  }
  throw RunFailure(java::table, fmt::format("Cannot parse '{}' as BOOLEAN.", text));
}

Int128 decimal_from_text(std::string_view input, int precision, int scale) {
  std::string_view text = trim_java(input);
  if (std::optional<Int128> value = parse_decimal(text, precision, scale)) return *value;
  bad_number(input, "Overflow.");
}

size_t unparsed_index(std::string_view text) {
  // yyyy-M-d H:m:s.f: the first character that does not go on like that.
  size_t at = 0;
  auto digits = [&](size_t most) {
    size_t n = 0;
    while (n < most && at < text.size() && is_digit(text[at])) ++at, ++n;
    return n > 0;
  };
  if (text.size() < 4 || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[2]) || !is_digit(text[3])) return 0;
  digits(9);
  for (char separator : {'-', '-', ' ', ':', ':'}) {
    if (at >= text.size() || text[at] != separator) return at;
    ++at;
    if (!digits(2)) return at;
  }
  return at;
}

}  // namespace millrace::processing
