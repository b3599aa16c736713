#include "processing/formats/number_text.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace millrace::processing {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [+-](digits[.digits*] | .digits)[e[+-]digits], all of `text`.
bool is_number(std::string_view text) {
  size_t at = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
  size_t digits = 0;
  while (at < text.size() && is_digit(text[at])) ++at, ++digits;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && is_digit(text[at])) ++at, ++digits;
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == from) return false;
  }
  return at == text.size();
}

template <class T>
std::optional<T> parse_real(std::string_view text) {
  text = java_trim(text);
  std::string_view body = text;
  bool negative = false;
  if (!body.empty() && (body.front() == '+' || body.front() == '-')) {
    negative = body.front() == '-';
    body.remove_prefix(1);
  }
  if (body == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (body == "Infinity") return negative ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
  if (!body.empty() && (body.back() == 'f' || body.back() == 'F' || body.back() == 'd' || body.back() == 'D'))
    body.remove_suffix(1);
  if (body.empty() || body.front() == '+' || body.front() == '-' || !is_number(body)) return std::nullopt;
  T value{};
  const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), value);
  if (error == std::errc::result_out_of_range) {
    // Too large or too small: tell the two apart by the exponent of the first digit that is not zero.
    const size_t e = body.find_first_of("eE");
    const std::string_view mantissa = body.substr(0, e);
    double exponent = 0;
    if (e != std::string_view::npos) {
      std::string_view digits = body.substr(e + 1);
      if (digits.starts_with('+')) digits.remove_prefix(1);
      int64_t wide = 0;
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), wide);
      exponent = parsed.ec == std::errc() ? static_cast<double>(wide) : (digits.starts_with('-') ? -1e18 : 1e18);
    }
    const size_t first = mantissa.find_first_of("123456789");
    if (first == std::string_view::npos) {
      value = 0;
    } else {
      const size_t point = mantissa.find('.');
      const auto whole = static_cast<double>(point == std::string_view::npos ? mantissa.size() : point);
      const double magnitude = exponent + whole - static_cast<double>(first);
      value = magnitude > 0 ? std::numeric_limits<T>::infinity() : T(0);
    }
  } else if (error != std::errc() || end != body.data() + body.size()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

}  // namespace

std::string_view java_trim(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

std::optional<int64_t> parse_integer(std::string_view text, int64_t least, int64_t most) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) { return parse_real<double>(text); }
std::optional<float> parse_float(std::string_view text) { return parse_real<float>(text); }

bool is_decimal_text(std::string_view text) { return is_number(text); }

std::string stripped_decimal_text(std::string_view number) {
  // unscaled digits and scale, then Java's BigDecimal.toString
  bool negative = false;
  std::string digits;
  int64_t scale = 0;
  size_t at = 0;
  if (number.starts_with('-')) negative = true, ++at;
  bool fraction = false;
  for (; at < number.size(); ++at) {
    const char c = number[at];
    if (c == '.') {
      fraction = true;
    } else if (is_digit(c)) {
      digits.push_back(c);
      if (fraction) ++scale;
    } else {
      std::string_view exponent = number.substr(at + 1);
      if (exponent.starts_with('+')) exponent.remove_prefix(1);
      int64_t e = 0;
      std::from_chars(exponent.data(), exponent.data() + exponent.size(), e);
      scale -= e;
      break;
    }
  }
  const size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return "0";
  digits.erase(0, first);
  while (digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
    --scale;
  }
  std::string out = negative ? "-" : "";
  const int64_t exponent = static_cast<int64_t>(digits.size()) - 1 - scale;
  if (scale == 0) return out + digits;
  if (scale > 0 && exponent >= -6) {
    const int64_t whole = static_cast<int64_t>(digits.size()) - scale;
    if (whole > 0)
      return out + digits.substr(0, static_cast<size_t>(whole)) + "." + digits.substr(static_cast<size_t>(whole));
    return out + "0." + std::string(static_cast<size_t>(-whole), '0') + digits;
  }
  out += digits[0];
  if (digits.size() > 1) out += "." + digits.substr(1);
  out += exponent > 0 ? "E+" : "E";
  return out + std::to_string(exponent);
}

}  // namespace millrace::processing
