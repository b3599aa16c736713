// What EXTRACT, FLOOR, TIMESTAMPADD and the like are told to count in.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::processing {

enum class TimeUnit : uint8_t {
  none,
  millennium,
  century,
  decade,
  year,
  isoyear,
  quarter,
  month,
  week,
  day,
  dow,
  isodow,
  doy,
  hour,
  minute,
  second,
  millisecond,
  microsecond,
  nanosecond,
  epoch
};

// In any case, also in the plural, as SQL_TSI_… and as the last unit of an interval; `none`: not known.
TimeUnit time_unit_of(std::string_view name);

// From the week to the second; 1 for all others.
int64_t unit_millis(TimeUnit unit);
// How many months a unit of the calendar has, whose length in time differs: years, quarters and months; 0 for others.
int64_t unit_months(TimeUnit unit);
inline bool counts_months(TimeUnit unit) { return unit_months(unit) > 0; }

}  // namespace millrace::processing
