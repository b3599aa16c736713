// A time as text, letter by letter of a pattern.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "processing/calendar.h"
#include "processing/functions/java_pattern.h"
#include "processing/functions/java_pattern_letters.h"

namespace millrace::processing {

namespace {

std::string padded(int64_t value, int width) { return fmt::format("{:0{}}", value, width); }

void append_padded(std::string& out, int64_t value, int width) {
  if (width == 2 && value >= 0 && value < 100) {
    out += static_cast<char>('0' + value / 10);
    out += static_cast<char>('0' + value % 10);
  } else if (width == 4 && value >= 1000 && value < 10000) {
    append_padded(out, value / 100, 2);
    append_padded(out, value % 100, 2);
  } else {
    out += padded(value, width);
  }
}

// The week of the year in which Sunday begins the week and January 1st is in week 1 (the US calendar).
int us_week(int64_t days_since_epoch, const CivilDate& date) {
  int64_t first = days_from_civil(date.year, 1, 1);
  int64_t first_weekday = floor_mod(first + 4, 7);  // Sunday is 0
  return static_cast<int>((days_since_epoch - first + first_weekday) / 7) + 1;
}

}  // namespace

std::string JavaPattern::format(TimestampValue local, const TimeZone& zone) const {
  const int64_t day = floor_div(local.millis, millis_per_day);
  const int64_t millis = local.millis - day * millis_per_day;
  const CivilDate date = civil_from_days(day);
  const int hour = static_cast<int>(millis / 3'600'000), minute = static_cast<int>(millis / 60'000 % 60);
  const int second = static_cast<int>(millis / 1000 % 60);
  const int64_t nano = millis % 1000 * 1'000'000 + local.nanos;
  const int weekday = iso_day_of_week(day);
  const bool simple = dialect_ == Dialect::simple;

  std::string out;
  for (const Item& item : items_) {
    const int n = item.count;
    switch (item.letter) {
      case 0:
        out += item.text;
        break;
      case 'G':
        out += date.year > 0 ? "AD" : "BC";
        break;
      case 'y':
      case 'Y':
      case 'u':
        if (item.letter == 'u' && simple) {
          append_padded(out, weekday, n);
        } else if (n == 2) {
          append_padded(out, floor_mod(date.year, 100), 2);
        } else {
          if (!simple && n >= 4 && date.year > 9999) out += '+';
          append_padded(out, date.year, n);
        }
        break;
      case 'M':
      case 'L':
        if (n >= 4) {
          out += month_names[static_cast<size_t>(date.month - 1)];
        } else if (n == 3) {
          out += month_names[static_cast<size_t>(date.month - 1)].substr(0, 3);
        } else {
          append_padded(out, date.month, n);
        }
        break;
      case 'd':
        append_padded(out, date.day, n);
        break;
      case 'D':
        append_padded(out, day - days_from_civil(date.year, 1, 1) + 1, n);
        break;
      case 'E':
        out += n >= 4 ? day_names[static_cast<size_t>(weekday - 1)]
                      : day_names[static_cast<size_t>(weekday - 1)].substr(0, 3);
        break;
      case 'e':
      case 'c':
        append_padded(out, weekday % 7 + 1, n);
        break;
      case 'F':
        append_padded(out, (date.day - 1) / 7 + 1, n);
        break;
      case 'w':
        append_padded(out, us_week(day, date), n);
        break;
      case 'W':
        append_padded(out, (date.day + 5 + 7 - weekday % 7) / 7, n);
        break;
      case 'Q':
      case 'q': {
        int quarter = (date.month + 2) / 3;
        if (n >= 4) {
          constexpr std::array<std::string_view, 4> names = {"1st quarter", "2nd quarter", "3rd quarter",
                                                             "4th quarter"};
          out += names[static_cast<size_t>(quarter - 1)];
        } else {
          out += n == 3 ? fmt::format("Q{}", quarter) : padded(quarter, n);
        }
        break;
      }
      case 'a':
        out += hour < 12 ? "AM" : "PM";
        break;
      case 'H':
        append_padded(out, hour, n);
        break;
      case 'k':
        append_padded(out, hour == 0 ? 24 : hour, n);
        break;
      case 'K':
        append_padded(out, hour % 12, n);
        break;
      case 'h':
        append_padded(out, hour % 12 == 0 ? 12 : hour % 12, n);
        break;
      case 'm':
        append_padded(out, minute, n);
        break;
      case 's':
        append_padded(out, second, n);
        break;
      case 'S':
        if (simple) {
          append_padded(out, millis % 1000, n);
        } else {
          std::string digits = fmt::format("{:09}", nano);
          digits.resize(9 + 1, '0');
          out += digits.substr(0, static_cast<size_t>(std::min(n, 9)));
        }
        break;
      case 'n':
        append_padded(out, nano, n);
        break;
      case 'A':
        append_padded(out, millis, n);
        break;
      case 'N':
        append_padded(out, millis * 1'000'000 + local.nanos, n);
        break;
      case 'z':
      case 'V':
        out += zone.name();
        break;
      case 'Z':
      case 'X':
      case 'x':
      case 'O': {
        const int64_t offset = zone.offset_at(zone.to_utc(local.millis)) / 1000;
        int64_t size = offset < 0 ? -offset : offset;
        char sign = offset < 0 ? '-' : '+';
        if (item.letter == 'X' && offset == 0) {
          out += 'Z';
        } else if ((item.letter == 'X' || item.letter == 'x') && n == 1) {
          out += fmt::format("{}{:02}", sign, size / 3600);
        } else if ((item.letter == 'X' || item.letter == 'x') && n >= 3) {
          out += fmt::format("{}{:02}:{:02}", sign, size / 3600, size / 60 % 60);
        } else {
          out += fmt::format("{}{:02}{:02}", sign, size / 3600, size / 60 % 60);
        }
        break;
      }
      default:
        break;
    }
  }
  return out;
}

}  // namespace millrace::processing
