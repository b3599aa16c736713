// A text as a time: what each letter of a pattern reads, and the moment that all of it names.
#include <algorithm>
#include <array>

#include "processing/calendar.h"
#include "processing/functions/java_pattern.h"
#include "processing/functions/java_pattern_letters.h"

namespace millrace::processing {

struct JavaPattern::Fields {
  std::optional<int64_t> year, month, day, day_of_year, hour, clock_hour, minute, second, nano, zone_offset;
  std::optional<bool> afternoon;
};

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<int64_t> read_number(std::string_view& text, size_t least, size_t most) {
  size_t n = 0;
  int64_t value = 0;
  while (n < text.size() && n < most && n < 18 && is_digit(text[n])) value = value * 10 + (text[n++] - '0');
  if (n < least) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
  }
  return true;
}

// The number (from 1) of the name the text begins with.
template <size_t N>
std::optional<int64_t> read_name(std::string_view& text, const std::array<std::string_view, N>& names, bool any_case) {
  for (bool whole : {true, false}) {
    for (size_t i = 0; i < N; ++i) {
      std::string_view name = whole ? names[i] : names[i].substr(0, 3);
      std::string_view start = text.substr(0, name.size());
      if (start == name || (any_case && same_ignoring_case(start, name))) {
        text.remove_prefix(name.size());
        return static_cast<int64_t>(i + 1);
      }
    }
  }
  return std::nullopt;
}

std::optional<int64_t> read_offset(std::string_view& text) {
  if (text.starts_with("Z")) {
    text.remove_prefix(1);
    return 0;
  }
  if (text.starts_with("GMT") || text.starts_with("UTC")) {
    text.remove_prefix(3);
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return 0;
  }
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  int64_t sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  std::optional<int64_t> hours = read_number(text, 2, 2), minutes = 0;
  if (!hours) return std::nullopt;
  if (!text.empty() && text[0] == ':') text.remove_prefix(1);
  if (text.size() >= 2 && is_digit(text[0])) minutes = read_number(text, 2, 2);
  return sign * (*hours * 3600 + minutes.value_or(0) * 60) * 1000;
}

}  // namespace

bool JavaPattern::parse_item(const Item& item, std::string_view& text, Fields& fields, int64_t now_year) const {
  const bool simple = dialect_ == Dialect::simple;
  if (item.letter == 0) {
    std::string_view wanted = item.text;
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(wanted.size());
    return true;
  }
  const size_t count = static_cast<size_t>(item.count);
  bool negative = false;
  if (simple) {
    while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
    if (is_number(item.letter, item.count) && text.size() > 1 && text[0] == '-' && is_digit(text[1])) {
      negative = true;
      text.remove_prefix(1);
    }
  }
  auto number = [&](std::optional<int64_t>& field, size_t least, size_t most) {
    size_t before = text.size();
    if (simple) {
      least = 1;
      most = item.next_is_number ? count : 18;
    } else if (item.next_is_number) {
      least = most = count;
    }
    field = read_number(text, least, most);
    if (field && negative) field = -*field;
    return field ? before - text.size() : 0;
  };
  std::optional<int64_t> ignored;
  switch (item.letter) {
    case 'y':
    case 'u':
    case 'Y': {
      if (count == 2) {
        size_t read = number(fields.year, 2, 2);
        if (read == 0) return false;
        if (simple && read != 2) return true;
        int64_t base = simple ? (now_year - 80) : 2000;
        int64_t year = base / 100 * 100 + *fields.year;
        if (year < base) year += 100;
        fields.year = year;
        return true;
      }
      return number(fields.year, count == 1 ? 1 : count, 18) > 0;
    }
    case 'M':
    case 'L':
      if (count >= 3) {
        fields.month = read_name(text, month_names, simple);
        return fields.month.has_value();
      }
      return number(fields.month, count, count == 1 ? 18 : 2) > 0;
    case 'd':
      return number(fields.day, count, count == 1 ? 18 : 2) > 0;
    case 'D':
      return number(fields.day_of_year, count, 3) > 0;
    case 'H':
      return number(fields.hour, count, count == 1 ? 18 : 2) > 0;
    case 'k':
      if (number(fields.hour, count, count == 1 ? 18 : 2) == 0) return false;
      if (*fields.hour == 24) fields.hour = 0;
      return true;
    case 'h':
    case 'K':
      if (number(fields.clock_hour, count, count == 1 ? 18 : 2) == 0) return false;
      if (item.letter == 'h' && *fields.clock_hour == 12) fields.clock_hour = 0;
      return true;
    case 'm':
      return number(fields.minute, count, count == 1 ? 18 : 2) > 0;
    case 's':
      return number(fields.second, count, count == 1 ? 18 : 2) > 0;
    case 'S':
      if (simple) {
        if (number(fields.nano, 1, 9) == 0) return false;
        fields.nano = *fields.nano * 1'000'000;
        return true;
      }
      fields.nano = read_number(text, count, count);
      if (!fields.nano) return false;
      for (size_t i = count; i < 9; ++i) fields.nano = *fields.nano * 10;
      return true;
    case 'n':
      return number(fields.nano, 1, 9) > 0;
    case 'a':
      if (text.size() < 2) return false;
      if (!same_ignoring_case(text.substr(0, 2), "AM") && !same_ignoring_case(text.substr(0, 2), "PM")) return false;
      fields.afternoon = (text[0] | 0x20) == 'p';
      text.remove_prefix(2);
      return true;
    case 'E':
      ignored = read_name(text, day_names, simple);
      return ignored.has_value();
    case 'z':
    case 'Z':
    case 'X':
    case 'x':
      fields.zone_offset = read_offset(text);
      return fields.zone_offset.has_value();
    case 'G':
      if (!text.starts_with("AD") && !text.starts_with("BC")) return false;
      text.remove_prefix(2);
      return true;
    default:
      return number(ignored, 1, 18) > 0;
  }
}

std::optional<JavaPattern::Parsed> JavaPattern::resolve(const Fields& f) const {
  int64_t year = f.year.value_or(1970), month = f.month.value_or(1), day = f.day.value_or(1);
  int64_t hour = f.hour.value_or(0), minute = f.minute.value_or(0), second = f.second.value_or(0);
  if (!f.hour && f.clock_hour) hour = *f.clock_hour + (f.afternoon.value_or(false) ? 12 : 0);
  int64_t nano = f.nano.value_or(0);
  int64_t date;
  if (dialect_ == Dialect::formatter) {
    if (year < 1 || year > 999'999'999 || month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
    if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
    // A day the month does not have means its last.
    day = std::min<int64_t>(day, days_in_month(year, static_cast<int>(month)));
    date = days_from_civil(year, static_cast<int>(month), static_cast<int>(day));
    if (f.day_of_year && !f.month) {
      if (*f.day_of_year < 1 || *f.day_of_year > (is_leap(year) ? 366 : 365)) return std::nullopt;
      date = days_from_civil(year, 1, 1) + *f.day_of_year - 1;
    }
  } else {
    if (year > 10'000'000 || month > 10'000'000 || day > 1'000'000'000 || hour > 1'000'000'000) return std::nullopt;
    int64_t months_since = month - 1;
    year += floor_div(months_since, 12);
    date = days_from_civil(year, static_cast<int>(floor_mod(months_since, 12)) + 1, 1) + day - 1;
    if (f.day_of_year && !f.month) date = days_from_civil(year, 1, 1) + *f.day_of_year - 1;
  }
  int64_t millis = date * millis_per_day + hour * 3'600'000 + minute * 60'000 + second * 1000 + nano / 1'000'000;
  Parsed parsed{{millis, static_cast<int32_t>(nano % 1'000'000)}, false};
  if (f.zone_offset) {
    parsed.time.millis -= *f.zone_offset;
    parsed.zoned = true;
  }
  return parsed;
}

std::optional<JavaPattern::Parsed> JavaPattern::parse(std::string_view text, int64_t now_year) const {
  Fields fields;
  for (const Item& item : items_) {
    if (!parse_item(item, text, fields, now_year)) return std::nullopt;
  }
  if (dialect_ == Dialect::formatter && !text.empty()) return std::nullopt;
  return resolve(fields);
}

}  // namespace millrace::processing
