#include "processing/sql/literals.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace millrace::processing::sql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads `digits` digits, or one to `digits` when `loose`.
bool read_number(std::string_view& text, int digits, bool loose, int64_t& out) {
  int count = 0;
  out = 0;
  while (count < digits && !text.empty() && is_digit(text.front())) {
    out = out * 10 + (text.front() - '0');
    text.remove_prefix(1);
    ++count;
  }
  return loose ? count > 0 : count == digits;
}

bool read_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t yoe = y - era * 400;
  int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool read_date(std::string_view& text, int64_t& days) {
  int64_t y = 0;
  int64_t m = 0;
  int64_t d = 0;
  if (!read_number(text, 4, false, y) || !read_char(text, '-') || !read_number(text, 2, true, m) ||
      !read_char(text, '-') || !read_number(text, 2, true, d))
    return false;
  static constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
  if (m < 1 || m > 12 || d < 1 || d > lengths[m - 1] + (m == 2 && leap ? 1 : 0)) return false;
  days = days_from_civil(y, m, d);
  return true;
}

// HH:mm:ss[.fraction]; gives milliseconds, the nanoseconds within, and how many fraction digits were written.
bool read_time(std::string_view& text, int64_t& millis, int32_t& nanos, int& digits) {
  int64_t h = 0;
  int64_t m = 0;
  int64_t s = 0;
  if (!read_number(text, 2, true, h) || !read_char(text, ':') || !read_number(text, 2, true, m) ||
      !read_char(text, ':') || !read_number(text, 2, true, s))
    return false;
  if (h > 23 || m > 59 || s > 59) return false;
  int64_t fraction = 0;
  digits = 0;
  if (read_char(text, '.')) {
    while (!text.empty() && is_digit(text.front())) {
      if (digits < 9) {
        fraction = fraction * 10 + (text.front() - '0');
        ++digits;
      }
      text.remove_prefix(1);
    }
    for (int i = digits; i < 9; ++i) fraction *= 10;
  }
  millis = ((h * 60 + m) * 60 + s) * 1000 + fraction / 1000000;
  nanos = static_cast<int32_t>(fraction % 1000000);
  return true;
}

[[noreturn]] void fail_literal(const Node& node, const char* type, const char* format) {
  throw SqlError(SqlError::Stage::plan, "org.apache.calcite.runtime.CalciteException",
                 fmt::format("Illegal {} literal '{}': not in format '{}'", type, node.text, format), node.pos);
}

int utf16_length(std::string_view text) {
  int count = 0;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) count += byte >= 0xF0 ? 2 : 1;
  }
  return count;
}

processing::ExprPtr exact_literal(const Node& node, SourcePosition at) {
  const std::string& text = node.text;
  size_t dot = text.find('.');
  if (dot == std::string::npos) {
    std::string digits = text.substr(std::min(text.find_first_not_of('0'), text.size() - 1));
    if (digits.size() < 19 || (digits.size() == 19 && digits <= "9223372036854775807")) {
      int64_t value = std::stoll(digits);
      return make_literal(Value::integer(value),
                          (value <= 2147483647 ? DataType::integer() : DataType::bigint()).not_null(), at);
    }
    fail_validation(fmt::format("Numeric literal '{}' out of range", text), node.pos);
  }
  // Every digit written counts: 0.908 is a DECIMAL(4, 3).
  int scale = static_cast<int>(text.size() - dot - 1);
  int precision = static_cast<int>(text.size() - 1);
  auto value = parse_decimal(text, std::min(precision, 38), scale);
  // All its digits must make up a BIGINT.
  if (!value || *value > INT64_MAX) fail_validation(fmt::format("Numeric literal '{}' out of range", text), node.pos);
  return make_literal(Value::decimal(*value), DataType::decimal(precision, scale).not_null(), at);
}

struct Interval {
  bool months = false;
  int64_t value = 0;  // months or milliseconds
};

[[noreturn]] void fail_interval(const Node& node) {
  throw SqlError(
      SqlError::Stage::plan, "org.apache.calcite.runtime.CalciteException",
      fmt::format("Illegal interval literal format '{}' for INTERVAL {}", node.text, interval_unit_text(node)),
      node.pos);
}

Interval read_interval(const Node& node) {
  std::string_view text = node.text;
  bool negative = false;
  while (!text.empty() && (text.front() == ' ' || text.front() == '-' || text.front() == '+')) {
    if (text.front() == '-') negative = !negative;
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  auto number = [&]() {
    int64_t value = 0;
    if (!read_number(text, 18, true, value)) fail_interval(node);
    return value;
  };
  Interval result;
  auto fraction = [&]() {
    if (!read_char(text, '.')) return int64_t{0};
    int64_t value = 0;
    int digits = 0;
    while (!text.empty() && is_digit(text.front())) {
      if (digits++ < 3) value = value * 10 + (text.front() - '0');
      text.remove_prefix(1);
    }
    for (; digits < 3; ++digits) value *= 10;
    return value;
  };
  auto add = [&](int64_t amount, int64_t scale) {
    int64_t scaled = 0;
    if (__builtin_mul_overflow(amount, scale, &scaled) || __builtin_add_overflow(result.value, scaled, &result.value))
      fail_interval(node);
  };
  TimeUnit unit = node.from_unit;
  TimeUnit last = node.to_unit == TimeUnit::none ? unit : node.to_unit;
  if (counts_months(unit)) {
    result.months = true;
    add(number(), unit_months(unit));
    if (last != unit) {
      if (!read_char(text, '-')) fail_interval(node);
      add(number(), 1);
    }
  } else {
    static constexpr TimeUnit order[] = {TimeUnit::day, TimeUnit::hour, TimeUnit::minute, TimeUnit::second};
    add(number(), unit_millis(unit));
    const TimeUnit* at = std::ranges::find(order, unit);
    while (last != unit) {
      if (++at == std::end(order)) fail_interval(node);
      if (!read_char(text, *(at - 1) == TimeUnit::day ? ' ' : ':')) fail_interval(node);
      unit = *at;
      add(number(), unit_millis(unit));
    }
    if (last == TimeUnit::second) add(fraction(), 1);
  }
  if (!text.empty()) fail_interval(node);
  if (negative) result.value = -result.value;
  return result;
}

}  // namespace

SourcePosition where(const Pos& pos) { return {pos.line, pos.column, pos.end_line, pos.end_column}; }

std::string interval_unit_text(const Node& node) {
  std::string text = unit_name(node.from_unit);
  if (node.to_unit != TimeUnit::none) text += std::string(" TO ") + unit_name(node.to_unit);
  return text;
}

std::optional<int64_t> whole_number(const Node& node) {
  if (!node.is_literal(LiteralKind::exact)) return std::nullopt;
  int64_t value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [stopped, error] = std::from_chars(node.text.data(), end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

std::optional<int64_t> interval_millis(const Node& node) {
  if (!node.is_literal(LiteralKind::interval)) return std::nullopt;
  Interval interval = read_interval(node);
  if (interval.months) return std::nullopt;
  return interval.value;
}

processing::ExprPtr literal_expr(const Node& node) {
  SourcePosition at = where(node.pos);
  std::string_view text = node.text;
  switch (node.literal) {
    case LiteralKind::null:
      if (node.text == "UNKNOWN") return make_literal(Value(), DataType::boolean(), at);
      return make_null(at);
    case LiteralKind::boolean:
      return make_literal(Value::boolean(node.text == "TRUE"), DataType::boolean().not_null(), at);
    case LiteralKind::exact:
      return exact_literal(node, at);
    case LiteralKind::approximate: {
      const double value = std::strtod(node.text.c_str(), nullptr);  // too small to tell from zero is zero
      if (std::isinf(value)) fail_validation(fmt::format("Numeric literal '{}' out of range", node.text), node.pos);
      return make_literal(Value::double_(value), DataType::double_().not_null(), at);
    }
    case LiteralKind::string:
      return make_literal(Value::text(text), DataType::character(utf16_length(text)).not_null(), at);
    case LiteralKind::binary: {
      std::string bytes;
      auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
      };
      if (text.size() % 2 != 0) {
        throw SqlError(SqlError::Stage::plan, "org.apache.calcite.runtime.CalciteException",
                       "Binary literal string must contain an even number of hexits", node.pos);
      }
      for (size_t i = 0; i + 1 < text.size(); i += 2) {
        int high = digit(text[i]);
        int low = digit(text[i + 1]);
        if (high < 0 || low < 0) {
          throw SqlError(SqlError::Stage::plan, "org.apache.calcite.runtime.CalciteException",
                         "Binary literal string must contain only characters '0' - '9', 'A' - 'F'", node.pos);
        }
        bytes += static_cast<char>(high * 16 + low);
      }
      auto length = static_cast<int32_t>(bytes.size());
      return make_literal(Value::text(std::move(bytes)), DataType::binary(length).not_null(), at);
    }
    case LiteralKind::date: {
      int64_t days = 0;
      if (!read_date(text, days) || !text.empty()) fail_literal(node, "DATE", "yyyy-MM-dd");
      return make_literal(Value::integer(days), DataType::date().not_null(), at);
    }
    case LiteralKind::time: {
      int64_t millis = 0;
      int32_t nanos = 0;
      int digits = 0;
      if (!read_time(text, millis, nanos, digits) || !text.empty()) fail_literal(node, "TIME", "HH:mm:ss");
      return make_literal(Value::integer(millis), DataType::time(digits).not_null(), at);
    }
    case LiteralKind::timestamp: {
      int64_t days = 0;
      int64_t millis = 0;
      int32_t nanos = 0;
      int digits = 0;
      bool date_ok = read_date(text, days);
      if (date_ok && !text.empty())
        date_ok = read_char(text, ' ') && read_time(text, millis, nanos, digits) && text.empty();
      if (!date_ok) fail_literal(node, "TIMESTAMP", "yyyy-MM-dd HH:mm:ss");
      return make_literal(Value::timestamp(TimestampValue{days * 86400000 + millis, nanos}),
                          DataType::timestamp(digits).not_null(), at);
    }
    case LiteralKind::interval: {
      Interval interval = read_interval(node);
      DataType type = interval.months ? DataType::interval_months() : DataType::interval_millis();
      return make_literal(Value::integer(interval.value), type.not_null(), at);
    }
  }
  return make_null(at);
}

}  // namespace millrace::processing::sql
