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
  while (!input.empty() && input.front() == ' ') input.remove_prefix(1);
  while (!input.empty() && input.back() == ' ') input.remove_suffix(1);
  std::string_view text = input;
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
  std::optional<Int128> value = parse_decimal(text, precision, scale);
  if (precision <= 18 && input.size() <= 18) {
    // Short ones are read digit by digit; leading zeros count as digits.
    int64_t digits = 0, fraction = 0;
    size_t i = 0;
    for (bool point = false; i < text.size() && (is_digit(text[i]) || text[i] == '.' || i == 0); ++i) {
      if (text[i] == '.') point = true;
      if (!is_digit(text[i])) continue;
      ++digits;
      fraction += point ? 1 : 0;
    }
    bool plain = i == text.size();
    if (!value || (plain && digits - fraction + scale > precision)) bad_number(input, "Overflow.");
    return *value;
  }
  if (value) return *value;
  for (char c : text) {
    if (!is_digit(c) && std::string_view("+-.eE").find(c) == std::string_view::npos) {
      throw RunFailure(java::number_format,
                       fmt::format("Character {} is neither a decimal digit number, decimal point, nor \"e\" notation "
                                   "exponential mark.",
                                   c));
    }
  }
  bad_number(input, "Overflow.");
}

std::string timestamp_problem(std::string_view text) {
  // yyyy-M-d, then perhaps " H:m:s" and a fraction.
  size_t at = 0;
  auto number = [&](size_t least, size_t most) -> std::optional<int64_t> {
    size_t begin = at;
    int64_t value = 0;
    while (at - begin < most && at < text.size() && is_digit(text[at])) value = value * 10 + (text[at++] - '0');
    if (at - begin < least) {
      at = begin;
      return std::nullopt;
    }
    return value;
  };
  auto literal = [&](char c) { return at < text.size() && text[at] == c && ++at > 0; };
  auto stopped = [&] { return fmt::format("Text '{}' could not be parsed at index {}", text, at); };
  auto out_of_range = [&](std::string_view field, int low, int high, int64_t value) {
    return fmt::format("Text '{}' could not be parsed: Invalid value for {} (valid values {} - {}): {}", text, field,
                       low, high, value);
  };
  std::optional<int64_t> month, day, hour, minute, second;
  if (!number(4, 18) || !literal('-') || !(month = number(1, 2)) || !literal('-') || !(day = number(1, 2))) {
    return stopped();
  }
  if (at < text.size()) {
    size_t date_end = at;
    bool read = literal(' ') && (hour = number(1, 2)) && literal(':') && (minute = number(1, 2)) && literal(':') &&
                (second = number(1, 2));
    if (read && literal('.')) number(0, 9);
    if (!read) at = date_end;
    if (at < text.size())
      return fmt::format("Text '{}' could not be parsed, unparsed text found at index {}", text, at);
  }
  if (*month < 1 || *month > 12) return out_of_range("MonthOfYear", 1, 12, *month);
  if (*day < 1 || *day > 31) return out_of_range("DayOfMonth", 1, 31, *day);
  if (hour && *hour > 23) return out_of_range("HourOfDay", 0, 23, *hour);
  if (minute && *minute > 59) return out_of_range("MinuteOfHour", 0, 59, *minute);
  if (second && *second > 59) return out_of_range("SecondOfMinute", 0, 59, *second);
  return stopped();
}

}  // namespace millrace::processing
