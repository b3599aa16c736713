#include "processing/datetime_text.h"

#include <algorithm>

#include "processing/calendar.h"

namespace millrace::processing {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

// Digits only, at most nine of them.
std::optional<int> digits(std::string_view text) {
  text = trim(text);
  if (text.empty() || text.size() > 9) return std::nullopt;
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

bool valid_date(int year, int month, int day) {
  return year >= 0 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

// Reads between `least` and `most` digits off the front.
std::optional<int> take_digits(std::string_view& text, size_t least, size_t most) {
  size_t n = 0;
  int value = 0;
  while (n < text.size() && n < most && text[n] >= '0' && text[n] <= '9') value = value * 10 + (text[n++] - '0');
  if (n < least) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// The first three digits, rounded by the fourth.
int millis_of_fraction(std::string_view text) {
  int millis = 0, unit = 100;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] >= '0' && text[i] <= '9') millis += unit * (text[i] - '0');
    if (unit < 10) {
      if (i + 1 < text.size() && text[i + 1] >= '5') ++millis;
      break;
    }
    unit /= 10;
  }
  return millis;
}

}  // namespace

std::optional<int32_t> parse_date(std::string_view text) {
  size_t space = text.find(' ');
  if (space != std::string_view::npos && space > 0) text = text.substr(0, space);
  size_t first = text.find('-');
  std::optional<int> year = digits(text.substr(0, first)), month = 1, day = 1;
  if (first != std::string_view::npos) {
    size_t second = text.find('-', first + 1);
    if (second == std::string_view::npos) {
      month = digits(text.substr(first + 1));
    } else {
      month = digits(text.substr(first + 1, second - first - 1));
      day = digits(text.substr(second + 1));
    }
  }
  if (!year || !month || !day || !valid_date(*year, *month, *day)) return std::nullopt;
  return static_cast<int32_t>(days_from_civil(*year, *month, *day));
}

std::optional<int32_t> parse_time(std::string_view text) {
  int sign = -1;
  std::optional<int> zone_hour = 0, zone_minute = 0;
  size_t zone = text.find('-');
  if (zone == std::string_view::npos) {
    zone = text.find('+');
    sign = 1;
  }
  if (zone != std::string_view::npos) {
    std::string_view offset = text.substr(zone + 1);
    text = text.substr(0, zone);
    size_t colon = offset.find(':');
    zone_hour = digits(offset.substr(0, colon));
    if (colon != std::string_view::npos) zone_minute = digits(offset.substr(colon + 1));
  }
  std::optional<int> hour, minute = 0, second = 0;
  int millis = 0;
  size_t colon = text.find(':');
  hour = digits(text.substr(0, colon));
  if (colon != std::string_view::npos) {
    size_t colon2 = text.find(':', colon + 1);
    if (colon2 == std::string_view::npos) {
      minute = digits(text.substr(colon + 1));
    } else {
      minute = digits(text.substr(colon + 1, colon2 - colon - 1));
      size_t dot = text.find('.', colon2);
      if (dot == std::string_view::npos) {
        second = digits(text.substr(colon2 + 1));
      } else {
        second = digits(text.substr(colon2 + 1, dot - colon2 - 1));
        millis = millis_of_fraction(trim(text.substr(dot + 1)));
      }
    }
  }
  if (!zone_hour || !zone_minute || !hour || !minute || !second) return std::nullopt;
  int64_t total = (int64_t{*hour} + sign * *zone_hour) * 3'600'000 + (int64_t{*minute} + sign * *zone_minute) * 60'000 +
                  int64_t{*second} * 1000 + millis;
  return static_cast<int32_t>(total);
}

std::optional<TimestampValue> parse_timestamp(std::string_view text, int precision) {
  std::optional<int> year = take_digits(text, 4, 9);
  if (!year || !take(text, '-')) return std::nullopt;
  std::optional<int> month = take_digits(text, 1, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  std::optional<int> day = take_digits(text, 1, 2);
  if (!day || *year < 1 || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
  // A day the month does not have means its last, as for Java's formatters.
  int64_t seconds = days_from_civil(*year, *month, std::min(*day, days_in_month(*year, *month))) * 86'400;
  int64_t nanos = 0;
  if (!text.empty()) {
    if (!take(text, ' ')) return std::nullopt;
    std::optional<int> hour = take_digits(text, 1, 2);
    if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
    std::optional<int> minute = take_digits(text, 1, 2);
    if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
    std::optional<int> second = take_digits(text, 1, 2);
    if (!second || *second > 59) return std::nullopt;
    seconds += *hour * 3600 + *minute * 60 + *second;
    if (take(text, '.')) {
      size_t before = text.size();
      std::optional<int> fraction = take_digits(text, 0, 9);
      nanos = *fraction;
      for (size_t n = before - text.size(); n < 9; ++n) nanos *= 10;
    }
    if (!text.empty()) return std::nullopt;
  }
  int64_t unit = 1;
  for (int p = precision; p < 9; ++p) unit *= 10;
  nanos -= nanos % unit;
  return TimestampValue{seconds * 1000 + nanos / 1'000'000, static_cast<int32_t>(nanos % 1'000'000)};
}

TimestampValue truncate_timestamp(TimestampValue value, int precision) {
  constexpr int64_t powers[] = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000};
  if (precision >= 9) return value;
  if (precision > 3) {
    int64_t unit = powers[9 - precision];
    return {value.millis, static_cast<int32_t>(value.nanos / unit * unit)};
  }
  int64_t unit = powers[3 - precision];
  return {value.millis / unit * unit, 0};
}

}  // namespace millrace::processing
