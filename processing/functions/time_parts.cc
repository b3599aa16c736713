// Parts of dates and times: EXTRACT, and YEAR to SECOND.
#include "processing/calendar.h"
#include "processing/functions/kernel.h"
#include "processing/functions/time_unit.h"

namespace millrace::processing {

namespace {

int iso_week(int64_t days, int64_t& year) {
  // The week's Thursday decides the year.
  int64_t thursday = days - iso_day_of_week(days) + 4;
  year = civil_from_days(thursday).year;
  return static_cast<int>((thursday - days_from_civil(year, 1, 1)) / 7) + 1;
}

int64_t part_of_date(TimeUnit unit, int64_t days) {
  CivilDate date = civil_from_days(days);
  int64_t iso_year = date.year;
  switch (unit) {
    case TimeUnit::millennium:
      return date.year > 0 ? (date.year + 999) / 1000 : (date.year - 999) / 1000;
    case TimeUnit::century:
      return date.year > 0 ? (date.year + 99) / 100 : (date.year - 99) / 100;
    case TimeUnit::decade:
      return date.year / 10;
    case TimeUnit::year:
      return date.year;
    case TimeUnit::isoyear:
      iso_week(days, iso_year);
      return iso_year;
    case TimeUnit::quarter:
      return (date.month + 2) / 3;
    case TimeUnit::month:
      return date.month;
    case TimeUnit::week:
      return iso_week(days, iso_year);
    case TimeUnit::day:
      return date.day;
    case TimeUnit::dow:
      return iso_day_of_week(days) % 7 + 1;
    case TimeUnit::isodow:
      return iso_day_of_week(days);
    case TimeUnit::doy:
      return days - days_from_civil(date.year, 1, 1) + 1;
    case TimeUnit::epoch:
      return days * 86'400;
    default:
      return 0;
  }
}

// Divisions truncate: before 1970 the parts of the time of day come out negative, and the date is the next one.
int64_t part_of_time(TimeUnit unit, int64_t millis, int32_t nanos) {
  switch (unit) {
    case TimeUnit::epoch:
      return millis / 1000;
    case TimeUnit::hour:
      return millis % millis_per_day / 3'600'000;
    case TimeUnit::minute:
      return millis % 3'600'000 / 60'000;
    case TimeUnit::second:
      return millis % 60'000 / 1000;
    case TimeUnit::millisecond:
      return millis % 1000;
    case TimeUnit::microsecond:
      return millis % 1000 * 1000 + nanos / 1000;
    case TimeUnit::nanosecond:
      return millis % 1000 * 1'000'000 + nanos;
    default:
      return part_of_date(unit, millis / millis_per_day);
  }
}

struct UnitOf {
  TimeUnit unit;
};

Kernel extract_kernel(const DataType& type, TimeUnit unit) {
  switch (type.root) {
    case TypeRoot::timestamp:
      return lift<[](const KernelCall& c, TimestampValue t) {
        return part_of_time(prepared<UnitOf>(c).unit, t.millis, t.nanos);
      }>;
    case TypeRoot::timestamp_ltz:
      return lift<[](const KernelCall& c, TimestampValue t) {
        return part_of_time(prepared<UnitOf>(c).unit, c.context.zone.to_local(t.millis), t.nanos);
      }>;
    case TypeRoot::date:
      return lift<[](const KernelCall& c, int32_t d) { return part_of_date(prepared<UnitOf>(c).unit, d); }>;
    case TypeRoot::time:
      return lift<[](const KernelCall& c, int32_t t) { return part_of_time(prepared<UnitOf>(c).unit, t, 0); }>;
    case TypeRoot::interval_months:
      if (unit == TimeUnit::year) return lift<[](int32_t m) { return int64_t{m} / 12; }>;
      return lift<[](int32_t m) { return int64_t{m} % 12; }>;
    case TypeRoot::interval_millis:
      if (unit == TimeUnit::day) return lift<[](int64_t ms) { return ms / millis_per_day; }>;
      return lift<[](const KernelCall& c, int64_t ms) { return part_of_time(prepared<UnitOf>(c).unit, ms, 0); }>;
    default:
      return nullptr;
  }
}

void bind_part(Binding& b, TimeUnit unit) {
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::timestamp(3));
  b.type = DataType::bigint().with_nullable(b.any_nullable());
  b.kernel = extract_kernel(b.arg(0), unit);
  if (b.kernel == nullptr) b.refuse("'EXTRACT(<DATETIME_INTERVAL> FROM <DATETIME>)'");
  b.prepared = std::make_shared<UnitOf>(unit);
}

void bind_extract(Binding& b) {
  if (b.count() != 2) b.refuse_count("2");
  TimeUnit unit = time_unit_of(b.symbol(0));
  if (unit == TimeUnit::none) b.refuse("'EXTRACT(<DATETIME_INTERVAL> FROM <DATETIME>)'");
  b.args.erase(b.args.begin());
  bind_part(b, unit);
}

template <TimeUnit U>
void bind_named_part(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  bind_part(b, U);
}

}  // namespace

std::vector<Function> time_part_functions() {
  return {
      {{"EXTRACT"}, "time", "EXTRACT(unit FROM time)", "", "", nullptr, bind_extract},
      {{"YEAR"}, "time", "YEAR(date)", "", "", nullptr, bind_named_part<TimeUnit::year>},
      {{"QUARTER"}, "time", "QUARTER(date)", "", "", nullptr, bind_named_part<TimeUnit::quarter>},
      {{"MONTH"}, "time", "MONTH(date)", "", "", nullptr, bind_named_part<TimeUnit::month>},
      {{"WEEK"}, "time", "WEEK(date)", "", "", nullptr, bind_named_part<TimeUnit::week>},
      {{"DAYOFYEAR"}, "time", "DAYOFYEAR(date)", "", "", nullptr, bind_named_part<TimeUnit::doy>},
      {{"DAYOFMONTH"}, "time", "DAYOFMONTH(date)", "", "", nullptr, bind_named_part<TimeUnit::day>},
      {{"DAYOFWEEK"}, "time", "DAYOFWEEK(date)", "", "", nullptr, bind_named_part<TimeUnit::dow>},
      {{"HOUR"}, "time", "HOUR(timestamp)", "", "", nullptr, bind_named_part<TimeUnit::hour>},
      {{"MINUTE"}, "time", "MINUTE(timestamp)", "", "", nullptr, bind_named_part<TimeUnit::minute>},
      {{"SECOND"}, "time", "SECOND(timestamp)", "", "", nullptr, bind_named_part<TimeUnit::second>},
  };
}

}  // namespace millrace::processing
