// Values as text: as Flink casts them to strings, and as its client prints them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "processing/calendar.h"
#include "processing/decimal_digits.h"
#include "processing/time_zone.h"
#include "processing/value.h"

namespace millrace::processing {

namespace {

// Java 17 prints a whole number that takes more bits than the type is precise to with more digits than tell it from its
// neighbours: all but those that stand for less than its last bit. 2147483648 as a FLOAT is 2.14748365E9.
template <class F>
std::optional<DecimalDigits> digits_of_whole(F value) {
  constexpr int precision = std::numeric_limits<F>::digits;
  const double size = std::fabs(static_cast<double>(value));
  if (size < std::ldexp(1.0, precision + 1) || size >= 0x1p63) return std::nullopt;
  const int spare_bits = std::ilogb(size) - precision - 1;
  const int spare_digits = spare_bits > 1 ? static_cast<int>(spare_bits * 0.30103) : 0;
  DecimalDigits kept;
  const fmt::format_to_n_result all =
      fmt::format_to_n(kept.digits.data(), kept.digits.size(), "{}", static_cast<uint64_t>(size));
  kept.count = kept.point = static_cast<int>(all.size);
  kept.keep(kept.count - spare_digits);
  while (kept.at(kept.count - 1) == '0') --kept.count;
  return kept;
}

template <class F>
std::string floating_text(F value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::string text = std::signbit(value) ? "-" : "";
  if (value == 0) return text + "0.0";
  const DecimalDigits found = digits_of_whole(value).value_or(shortest_digits(value));
  const std::string_view digits = found.text();
  const F size = std::fabs(value);
  if (size >= F(1e-3) && size < F(1e7)) {
    const size_t point = static_cast<size_t>(std::max(found.point, 0));
    if (found.point <= 0) {
      text += "0.";
      text.append(static_cast<size_t>(-found.point), '0');
      text += digits;
    } else if (point >= digits.size()) {
      text += digits;
      text.append(point - digits.size(), '0');
      text += ".0";
    } else {
      text += digits.substr(0, point);
      text += '.';
      text += digits.substr(point);
    }
    return text;
  }
  text += digits[0];
  text += '.';
  text += digits.size() > 1 ? digits.substr(1) : "0";
  return text + fmt::format("E{}", found.point - 1);
}

void append_fraction(std::string& text, int64_t nanos_of_second, int precision) {
  if (precision <= 0) return;
  std::string digits = fmt::format("{:09}", nanos_of_second);
  text += '.';
  text.append(digits, 0, static_cast<size_t>(std::min(precision, 9)));
}

std::string text_of(const Value& value, const DataType& type, const TimeZone& zone, bool printing) {
  switch (type.root) {
    case TypeRoot::null:
      return "NULL";
    case TypeRoot::boolean:
      return value.as_bool() ? "TRUE" : "FALSE";
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
    case TypeRoot::bigint:
      return fmt::format("{}", value.as_int());
    case TypeRoot::float_:
      return float_text(value.as_float());
    case TypeRoot::double_:
      return double_text(value.as_double());
    case TypeRoot::decimal:
      return decimal_text(value.as_decimal(), type.scale);
    case TypeRoot::character:
    case TypeRoot::varchar:
    case TypeRoot::symbol:
      return value.as_text();
    case TypeRoot::binary:
    case TypeRoot::varbinary: {
      if (!printing) return value.as_text();
      std::string text = "x'";
      for (char c : value.as_text()) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
      return text + "'";
    }
    case TypeRoot::date:
      return date_text(value.as_int());
    case TypeRoot::time:
      return time_text(value.as_int(), type.precision);
    case TypeRoot::timestamp:
      return timestamp_text(value.as_timestamp(), type.precision);
    case TypeRoot::timestamp_ltz: {
      TimestampValue t = value.as_timestamp();
      return timestamp_text({zone.to_local(t.millis), t.nanos}, type.precision);
    }
    case TypeRoot::interval_months:
      return months_text(value.as_int());
    case TypeRoot::interval_millis:
      return millis_interval_text(value.as_int());
    case TypeRoot::array:
    case TypeRoot::row: {
      bool row = type.root == TypeRoot::row;
      std::string text = row ? "(" : "[";
      const std::vector<Value>& items = value.items();
      for (size_t i = 0; i < items.size(); ++i) {
        if (i > 0) text += ", ";
        text += items[i].is_null() ? "NULL" : text_of(items[i], type.child(row ? i : 0), zone, printing);
      }
      return text + (row ? ")" : "]");
    }
    case TypeRoot::map:
    case TypeRoot::multiset: {
      static const DataType count = DataType::integer();
      std::string text = "{";
      const std::vector<Value>& items = value.items();
      for (size_t i = 0; i + 1 < items.size(); i += 2) {
        if (i > 0) text += ", ";
        text += items[i].is_null() ? "NULL" : text_of(items[i], type.child(0), zone, printing);
        text += '=';
        const DataType& value_type = type.root == TypeRoot::map ? type.child(1) : count;
        text += items[i + 1].is_null() ? "NULL" : text_of(items[i + 1], value_type, zone, printing);
      }
      return text + "}";
    }
  }
  return "";
}

}  // namespace

std::string double_text(double value) { return floating_text(value); }
std::string float_text(float value) { return floating_text(value); }

std::string date_text(int64_t days) {
  CivilDate date = civil_from_days(days);
  return fmt::format("{:04}-{:02}-{:02}", date.year % 10'000, date.month, date.day);
}

std::string time_text(int64_t millis, int precision) {
  int64_t seconds = millis / 1000;
  std::string text = fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  append_fraction(text, millis % 1000 * 1'000'000, precision);
  // At least one digit, and no more than it takes.
  while (precision > 1 && text.back() == '0' && text[text.size() - 2] != '.') text.pop_back();
  return text;
}

std::string timestamp_text(TimestampValue value, int precision) {
  int64_t days = floor_div(value.millis, millis_per_day);
  int64_t millis = floor_mod(value.millis, millis_per_day);
  std::string text = date_text(days) + " " + time_text(millis, 0);
  append_fraction(text, millis % 1000 * 1'000'000 + value.nanos, precision);
  return text;
}

std::string months_text(int64_t months) {
  uint64_t size = months < 0 ? -static_cast<uint64_t>(months) : static_cast<uint64_t>(months);
  return fmt::format("{}{}-{:02}", months < 0 ? '-' : '+', size / 12, size % 12);
}

std::string millis_interval_text(int64_t millis) {
  uint64_t size = millis < 0 ? -static_cast<uint64_t>(millis) : static_cast<uint64_t>(millis);
  return fmt::format("{}{} {:02}:{:02}:{:02}.{:03}", millis < 0 ? '-' : '+', size / 86'400'000, size / 3'600'000 % 24,
                     size / 60'000 % 60, size / 1000 % 60, size % 1000);
}

std::string value_text(const Value& value, const DataType& type, const TimeZone& zone) {
  return value.is_null() ? "NULL" : text_of(value, type, zone, false);
}

std::string cell_text(const Value& value, const DataType& type, const TimeZone& zone, std::string_view null_text) {
  return value.is_null() ? std::string(null_text) : text_of(value, type, zone, true);
}

std::string cell_text(const Value& value, const DataType& type) { return cell_text(value, type, TimeZone::utc()); }

std::optional<Int128> decimal_from_double(double value, int precision, int scale) {
  if (!std::isfinite(value)) return std::nullopt;
  return parse_decimal(double_text(value), precision, scale);
}

}  // namespace millrace::processing
