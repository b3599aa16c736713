#include "processing/functions/time_unit.h"

#include <array>
#include <string>
#include <utility>

#include "processing/calendar.h"

namespace millrace::processing {

TimeUnit time_unit_of(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  std::string_view key = upper;
  if (key.starts_with("SQL_TSI_")) key.remove_prefix(8);
  static constexpr std::array<std::pair<std::string_view, TimeUnit>, 28> names = {{
      {"MILLENNIUM", TimeUnit::millennium},
      {"CENTURY", TimeUnit::century},
      {"DECADE", TimeUnit::decade},
      {"YEAR", TimeUnit::year},
      {"YEARS", TimeUnit::year},
      {"ISOYEAR", TimeUnit::isoyear},
      {"QUARTER", TimeUnit::quarter},
      {"MONTH", TimeUnit::month},
      {"MONTHS", TimeUnit::month},
      {"WEEK", TimeUnit::week},
      {"DAY", TimeUnit::day},
      {"DAYS", TimeUnit::day},
      {"DOW", TimeUnit::dow},
      {"ISODOW", TimeUnit::isodow},
      {"DOY", TimeUnit::doy},
      {"HOUR", TimeUnit::hour},
      {"HOURS", TimeUnit::hour},
      {"MINUTE", TimeUnit::minute},
      {"MINUTES", TimeUnit::minute},
      {"SECOND", TimeUnit::second},
      {"SECONDS", TimeUnit::second},
      {"MILLISECOND", TimeUnit::millisecond},
      {"MICROSECOND", TimeUnit::microsecond},
      {"NANOSECOND", TimeUnit::nanosecond},
      {"EPOCH", TimeUnit::epoch},
      {"FRAC_SECOND", TimeUnit::microsecond},
      {"YEAR TO MONTH", TimeUnit::month},
      {"DAY TO SECOND", TimeUnit::second},
  }};
  for (const auto& [text, unit] : names) {
    if (key == text) return unit;
  }
  if (key.find(" TO ") != std::string_view::npos) return TimeUnit::second;
  return TimeUnit::none;
}

int64_t unit_millis(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::week:
      return 7 * millis_per_day;
    case TimeUnit::day:
      return millis_per_day;
    case TimeUnit::hour:
      return 3'600'000;
    case TimeUnit::minute:
      return 60'000;
    case TimeUnit::second:
      return 1000;
    default:
      return 1;
  }
}

int64_t unit_months(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::year:
      return 12;
    case TimeUnit::quarter:
      return 3;
    case TimeUnit::month:
      return 1;
    default:
      return 0;
  }
}

}  // namespace millrace::processing
