// FLOOR and CEIL of dates and times.
#include "processing/calendar.h"
#include "processing/functions/kernel.h"
#include "processing/functions/time_unit.h"

namespace millrace::processing {

namespace {

int64_t round_date(TimeUnit unit, int64_t days, bool ceil) {
  CivilDate date = civil_from_days(days);
  int64_t year = date.year;
  auto first_of = [](int64_t y) { return days_from_civil(y, 1, 1); };
  switch (unit) {
    case TimeUnit::millennium:
      return first_of(1000 * ((year + 999) / 1000) + (ceil ? 1 : -999));
    case TimeUnit::century:
      return first_of(100 * ((year + 99) / 100) + (ceil ? 1 : -99));
    case TimeUnit::decade:
      return first_of(10 * (year / 10 + (ceil ? 1 : 0)));
    case TimeUnit::year:
      return first_of(ceil && (date.month > 1 || date.day > 1) ? year + 1 : year);
    case TimeUnit::quarter: {
      int quarter = (date.month + 2) / 3 + (ceil && (date.month > 1 || date.day > 1) ? 1 : 0);
      return days_from_civil(year, quarter * 3 - 2, 1);
    }
    case TimeUnit::month:
      return days_from_civil(year, date.month + (ceil && date.day > 1 ? 1 : 0), 1);
    case TimeUnit::week: {
      int offset = iso_day_of_week(days) % 7;  // Sunday begins the week
      if (ceil && offset > 0) offset -= 7;
      return days - offset;
    }
    default:
      return days;
  }
}

int64_t round_millis(TimeUnit unit, int64_t millis, bool ceil) {
  if (unit >= TimeUnit::day) {
    int64_t step = unit_millis(unit);
    int64_t floor = floor_div(millis, step) * step;
    return ceil && floor != millis ? floor + step : floor;
  }
  return round_date(unit, millis / millis_per_day, ceil) * millis_per_day;
}

struct Rounding {
  TimeUnit unit;
  bool ceil;
};

Kernel rounding_kernel(const DataType& type) {
  switch (type.root) {
    case TypeRoot::timestamp:
      return lift<[](const KernelCall& c, TimestampValue t) {
        const Rounding& r = prepared<Rounding>(c);
        return TimestampValue{round_millis(r.unit, t.millis, r.ceil), 0};
      }>;
    case TypeRoot::timestamp_ltz:
      // The offset of the moment itself is used for the result too, also where the clocks change in between.
      return lift<[](const KernelCall& c, TimestampValue t) {
        const Rounding& r = prepared<Rounding>(c);
        int64_t offset = c.context.zone.offset_at(t.millis);
        return TimestampValue{round_millis(r.unit, t.millis + offset, r.ceil) - offset, 0};
      }>;
    case TypeRoot::date:
      return lift<[](const KernelCall& c, int32_t d) {
        const Rounding& r = prepared<Rounding>(c);
        return static_cast<int32_t>(round_date(r.unit, d, r.ceil));
      }>;
    case TypeRoot::time:
      return lift<[](const KernelCall& c, int32_t t) {
        const Rounding& r = prepared<Rounding>(c);
        return static_cast<int32_t>(r.unit > TimeUnit::day ? round_millis(r.unit, t, r.ceil) : 0);
      }>;
    default:
      return nullptr;
  }
}

}  // namespace

void bind_time_floor(Binding& b, bool ceil) {
  bool symbol_first = !b.symbol(0).empty();
  TimeUnit unit = time_unit_of(b.symbol(symbol_first ? 0 : 1));
  std::string form = std::string("'") + (ceil ? "CEIL" : "FLOOR") + "(<DATETIME> TO <TIME_UNIT>)'";
  if (unit == TimeUnit::none) b.refuse(form);
  b.args.erase(b.args.begin() + (symbol_first ? 0 : 1));
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::timestamp(3));
  b.type = b.arg(0).with_attribute(TimeAttribute::none);
  b.kernel = rounding_kernel(b.type);
  if (b.kernel == nullptr) b.refuse(form);
  b.prepared = std::make_shared<Rounding>(unit, ceil);
}

}  // namespace millrace::processing
