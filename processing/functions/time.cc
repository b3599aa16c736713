// Parts of dates and times, rounding them, moving them, and the clock.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "processing/calendar.h"
#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

enum class Unit : uint8_t {
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

Unit unit_of(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  std::string_view key = upper;
  if (key.starts_with("SQL_TSI_")) key.remove_prefix(8);
  static constexpr std::array<std::pair<std::string_view, Unit>, 28> names = {{
      {"MILLENNIUM", Unit::millennium},
      {"CENTURY", Unit::century},
      {"DECADE", Unit::decade},
      {"YEAR", Unit::year},
      {"YEARS", Unit::year},
      {"ISOYEAR", Unit::isoyear},
      {"QUARTER", Unit::quarter},
      {"MONTH", Unit::month},
      {"MONTHS", Unit::month},
      {"WEEK", Unit::week},
      {"DAY", Unit::day},
      {"DAYS", Unit::day},
      {"DOW", Unit::dow},
      {"ISODOW", Unit::isodow},
      {"DOY", Unit::doy},
      {"HOUR", Unit::hour},
      {"HOURS", Unit::hour},
      {"MINUTE", Unit::minute},
      {"MINUTES", Unit::minute},
      {"SECOND", Unit::second},
      {"SECONDS", Unit::second},
      {"MILLISECOND", Unit::millisecond},
      {"MICROSECOND", Unit::microsecond},
      {"NANOSECOND", Unit::nanosecond},
      {"EPOCH", Unit::epoch},
      {"FRAC_SECOND", Unit::microsecond},
      {"YEAR TO MONTH", Unit::month},
      {"DAY TO SECOND", Unit::second},
  }};
  for (const auto& [text, unit] : names) {
    if (key == text) return unit;
  }
  if (key.find(" TO ") != std::string_view::npos) return Unit::second;
  return Unit::none;
}

// ---- parts ----

int iso_week(int64_t days, int64_t& year) {
  // The week's Thursday decides the year.
  int64_t thursday = days - iso_day_of_week(days) + 4;
  year = civil_from_days(thursday).year;
  return static_cast<int>((thursday - days_from_civil(year, 1, 1)) / 7) + 1;
}

int64_t part_of_date(Unit unit, int64_t days) {
  CivilDate date = civil_from_days(days);
  int64_t iso_year = date.year;
  switch (unit) {
    case Unit::millennium:
      return date.year > 0 ? (date.year + 999) / 1000 : (date.year - 999) / 1000;
    case Unit::century:
      return date.year > 0 ? (date.year + 99) / 100 : (date.year - 99) / 100;
    case Unit::decade:
      return date.year / 10;
    case Unit::year:
      return date.year;
    case Unit::isoyear:
      iso_week(days, iso_year);
      return iso_year;
    case Unit::quarter:
      return (date.month + 2) / 3;
    case Unit::month:
      return date.month;
    case Unit::week:
      return iso_week(days, iso_year);
    case Unit::day:
      return date.day;
    case Unit::dow:
      return iso_day_of_week(days) % 7 + 1;
    case Unit::isodow:
      return iso_day_of_week(days);
    case Unit::doy:
      return days - days_from_civil(date.year, 1, 1) + 1;
    case Unit::epoch:
      return days * 86'400;
    default:
      return 0;
  }
}

// Divisions truncate: before 1970 the parts of the time of day come out negative, and the date is the next one.
int64_t part_of_time(Unit unit, int64_t millis, int32_t nanos) {
  switch (unit) {
    case Unit::epoch:
      return millis / 1000;
    case Unit::hour:
      return millis % millis_per_day / 3'600'000;
    case Unit::minute:
      return millis % 3'600'000 / 60'000;
    case Unit::second:
      return millis % 60'000 / 1000;
    case Unit::millisecond:
      return millis % 1000;
    case Unit::microsecond:
      return millis % 1000 * 1000 + nanos / 1000;
    case Unit::nanosecond:
      return millis % 1000 * 1'000'000 + nanos;
    default:
      return part_of_date(unit, millis / millis_per_day);
  }
}

struct UnitOf {
  Unit unit;
};

Kernel extract_kernel(const DataType& type, Unit unit) {
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
      if (unit == Unit::year) return lift<[](int32_t m) { return int64_t{m} / 12; }>;
      return lift<[](int32_t m) { return int64_t{m} % 12; }>;
    case TypeRoot::interval_millis:
      if (unit == Unit::day) return lift<[](int64_t ms) { return ms / millis_per_day; }>;
      return lift<[](const KernelCall& c, int64_t ms) { return part_of_time(prepared<UnitOf>(c).unit, ms, 0); }>;
    default:
      return nullptr;
  }
}

void bind_part(Binding& b, Unit unit) {
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::timestamp(3));
  b.type = DataType::bigint().with_nullable(b.any_nullable());
  b.kernel = extract_kernel(b.arg(0), unit);
  if (b.kernel == nullptr) b.refuse("'EXTRACT(<DATETIME_INTERVAL> FROM <DATETIME>)'");
  b.prepared = std::make_shared<UnitOf>(unit);
}

void bind_extract(Binding& b) {
  if (b.count() != 2) b.refuse_count("2");
  Unit unit = unit_of(b.symbol(0));
  if (unit == Unit::none) b.refuse("'EXTRACT(<DATETIME_INTERVAL> FROM <DATETIME>)'");
  b.args.erase(b.args.begin());
  bind_part(b, unit);
}

template <Unit U>
void bind_named_part(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  bind_part(b, U);
}

// ---- FLOOR and CEIL ----

int64_t round_date(Unit unit, int64_t days, bool ceil) {
  CivilDate date = civil_from_days(days);
  int64_t year = date.year;
  auto first_of = [](int64_t y) { return days_from_civil(y, 1, 1); };
  switch (unit) {
    case Unit::millennium:
      return first_of(1000 * ((year + 999) / 1000) + (ceil ? 1 : -999));
    case Unit::century:
      return first_of(100 * ((year + 99) / 100) + (ceil ? 1 : -99));
    case Unit::decade:
      return first_of(10 * (year / 10 + (ceil ? 1 : 0)));
    case Unit::year:
      return first_of(ceil && (date.month > 1 || date.day > 1) ? year + 1 : year);
    case Unit::quarter: {
      int quarter = (date.month + 2) / 3 + (ceil && (date.month > 1 || date.day > 1) ? 1 : 0);
      return days_from_civil(year, quarter * 3 - 2, 1);
    }
    case Unit::month:
      return days_from_civil(year, date.month + (ceil && date.day > 1 ? 1 : 0), 1);
    case Unit::week: {
      int offset = iso_day_of_week(days) % 7;  // Sunday begins the week
      if (ceil && offset > 0) offset -= 7;
      return days - offset;
    }
    default:
      return days;
  }
}

int64_t unit_millis(Unit unit) {
  switch (unit) {
    case Unit::day:
      return millis_per_day;
    case Unit::hour:
      return 3'600'000;
    case Unit::minute:
      return 60'000;
    case Unit::second:
      return 1000;
    default:
      return 1;
  }
}

int64_t round_millis(Unit unit, int64_t millis, bool ceil) {
  if (unit >= Unit::day) {
    int64_t step = unit_millis(unit);
    int64_t floor = floor_div(millis, step) * step;
    return ceil && floor != millis ? floor + step : floor;
  }
  return round_date(unit, millis / millis_per_day, ceil) * millis_per_day;
}

struct Rounding {
  Unit unit;
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
        return static_cast<int32_t>(r.unit > Unit::day ? round_millis(r.unit, t, r.ceil) : 0);
      }>;
    default:
      return nullptr;
  }
}

// ---- moving and measuring ----

int32_t months_between_dates(int64_t a, int64_t b) {
  if (a < b) return -months_between_dates(b, a);
  int64_t m = (a - b) / 31;
  while (add_months(b, m) < a && add_months(b, m + 1) <= a) ++m;
  return static_cast<int32_t>(m);
}

int32_t months_between(int64_t a, int64_t b) {
  int64_t day_a = floor_div(a, millis_per_day), day_b = floor_div(b, millis_per_day);
  int32_t months = months_between_dates(day_a, day_b);
  if (add_months(day_b, months) == day_a && floor_mod(a, millis_per_day) < floor_mod(b, millis_per_day)) --months;
  return months;
}

// Both as timestamps of one kind; milliseconds are enough.
void cast_to_moments(Binding& b, size_t first) {
  bool ltz = b.arg(first).is(TypeRoot::timestamp_ltz) && b.arg(first + 1).is(TypeRoot::timestamp_ltz);
  for (size_t i = first; i < first + 2; ++i) {
    if (!b.arg(i).is_datetime() && b.arg(i).root != TypeRoot::null) {
      b.refuse("'" + std::string(b.function->names[0]) + "(<ANY>, <DATETIME>, <DATETIME>)'");
    }
    b.cast(i, ltz ? DataType::timestamp_ltz(3) : DataType::timestamp(3));
  }
}

void bind_timestampdiff(Binding& b) {
  if (b.count() != 3) b.refuse_count("3");
  Unit unit = unit_of(b.symbol(0));
  b.args.erase(b.args.begin());
  cast_to_moments(b, 0);
  b.type = DataType::integer().with_nullable(b.any_nullable());
  switch (unit) {
    case Unit::year:
      b.kernel = lift<[](TimestampValue x, TimestampValue y) { return months_between(y.millis, x.millis) / 12; }>;
      break;
    case Unit::quarter:
      b.kernel = lift<[](TimestampValue x, TimestampValue y) { return months_between(y.millis, x.millis) / 3; }>;
      break;
    case Unit::month:
      b.kernel = lift<[](TimestampValue x, TimestampValue y) { return months_between(y.millis, x.millis); }>;
      break;
    default:
      b.prepared = std::make_shared<int64_t>(unit == Unit::week ? 7 * millis_per_day : unit_millis(unit));
      b.kernel = lift<[](const KernelCall& c, TimestampValue x, TimestampValue y) {
        return static_cast<int32_t>((y.millis - x.millis) / prepared<int64_t>(c));
      }>;
  }
}

void bind_timestampadd(Binding& b) {
  if (b.count() != 3) b.refuse_count("3");
  Unit unit = unit_of(b.symbol(0));
  if (b.arg(1).root == TypeRoot::null) b.cast(1, DataType::integer());
  if (!b.arg(1).is_integral() || !b.arg(2).is_datetime()) {
    b.refuse("'TIMESTAMPADD(<ANY>, <INTEGER>, <DATETIME>)'");
  }
  bool months = unit == Unit::year || unit == Unit::quarter || unit == Unit::month;
  int64_t step = unit == Unit::year      ? 12
                 : unit == Unit::quarter ? 3
                 : unit == Unit::month   ? 1
                 : unit == Unit::week    ? 7 * millis_per_day
                                         : unit_millis(unit);
  if (b.arg(2).is(TypeRoot::date) && unit > Unit::day) b.cast(2, DataType::timestamp(0));
  DataType type = months ? DataType::interval_months() : DataType::interval_millis();
  ExprPtr interval = make_call("*", {make_literal(Value::integer(step), type.not_null()), b.args[1]}, b.where);
  b.replacement = make_call("+", {b.args[2], interval}, b.where);
}

void bind_minus_date(Binding& b) {
  if (b.count() != 3) b.refuse_count("3");
  Unit unit = unit_of(b.symbol(2));
  b.args.pop_back();
  cast_to_moments(b, 0);
  bool months = unit == Unit::year || unit == Unit::quarter || unit == Unit::month;
  b.type = (months ? DataType::interval_months() : DataType::interval_millis()).with_nullable(b.any_nullable());
  b.kernel = months
                 ? Kernel(lift<[](TimestampValue x, TimestampValue y) { return months_between(x.millis, y.millis); }>)
                 : Kernel(lift<[](TimestampValue x, TimestampValue y) { return x.millis - y.millis; }>);
}

// (a, b) OVERLAPS (c, d); the second of a pair is an end or a length.
void bind_overlaps(Binding& b) {
  if (b.count() != 4) b.refuse_count("4");
  for (size_t i : {size_t{1}, size_t{3}}) {
    if (b.arg(i).is_interval()) b.args[i] = make_call("+", {b.args[i - 1], b.args[i]}, b.where);
  }
  auto pick = [&](const char* which, size_t i) { return make_call(which, {b.args[i], b.args[i + 1]}, b.where); };
  b.replacement = make_call("AND",
                            {make_call(">=", {pick("GREATEST", 0), pick("LEAST", 2)}, b.where),
                             make_call(">=", {pick("GREATEST", 2), pick("LEAST", 0)}, b.where)},
                            b.where);
}

// ---- the clock ----

template <class F>
void bind_clock(Binding& b, DataType type, F kernel) {
  if (b.count() > 1) b.refuse_count("0");
  b.args.clear();  // a precision changes nothing
  b.type = type.not_null();
  b.kernel = kernel;
}

void bind_now(Binding& b) {
  bind_clock(b, DataType::timestamp_ltz(3), lift<[](const KernelCall& c) { return c.context.now; }>);
}
void bind_proctime(Binding& b) {
  bind_now(b);
  b.type.attribute = TimeAttribute::proctime;
}
void bind_local_timestamp(Binding& b) {
  bind_clock(b, DataType::timestamp(3), lift<[](const KernelCall& c) {
               return TimestampValue{c.context.zone.to_local(c.context.now.millis), c.context.now.nanos};
             }>);
}
void bind_current_date(Binding& b) {
  bind_clock(b, DataType::date(), lift<[](const KernelCall& c) {
               return static_cast<int32_t>(floor_div(c.context.zone.to_local(c.context.now.millis), millis_per_day));
             }>);
}
void bind_current_time(Binding& b) {
  bind_clock(b, DataType::time(0), lift<[](const KernelCall& c) {
               int64_t local = floor_mod(c.context.zone.to_local(c.context.now.millis), millis_per_day);
               return static_cast<int32_t>(local / 1000 * 1000);
             }>);
}

void bind_current_watermark(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  if (b.arg(0).attribute != TimeAttribute::rowtime) {
    b.refuse_text(java::validation, "The argument of CURRENT_WATERMARK() must be a rowtime attribute, but was '" +
                                        to_string(b.arg(0)) + "'.");
  }
  b.type = b.arg(0).with_nullable(true).with_attribute(TimeAttribute::none);
  b.kernel = lift<[](const KernelCall& c, TimestampValue) -> std::optional<TimestampValue> {
    if (!c.context.watermark) return std::nullopt;
    return TimestampValue{*c.context.watermark, 0};
  }>;
  b.deterministic = false;
}

}  // namespace

void bind_time_floor(Binding& b, bool ceil) {
  bool symbol_first = !b.symbol(0).empty();
  Unit unit = unit_of(b.symbol(symbol_first ? 0 : 1));
  std::string form = std::string("'") + (ceil ? "CEIL" : "FLOOR") + "(<DATETIME> TO <TIME_UNIT>)'";
  if (unit == Unit::none) b.refuse(form);
  b.args.erase(b.args.begin() + (symbol_first ? 0 : 1));
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::timestamp(3));
  b.type = b.arg(0).with_attribute(TimeAttribute::none);
  b.kernel = rounding_kernel(b.type);
  if (b.kernel == nullptr) b.refuse(form);
  b.prepared = std::make_shared<Rounding>(unit, ceil);
}

std::vector<Function> time_functions() {
  auto row = [](std::vector<std::string_view> names, std::string_view usage, void (*bind)(Binding&),
                bool deterministic = true) {
    return Function{std::move(names), "time", usage, "", "", nullptr, bind, deterministic};
  };
  return {
      row({"EXTRACT"}, "EXTRACT(unit FROM time)", bind_extract),
      row({"YEAR"}, "YEAR(date)", bind_named_part<Unit::year>),
      row({"QUARTER"}, "QUARTER(date)", bind_named_part<Unit::quarter>),
      row({"MONTH"}, "MONTH(date)", bind_named_part<Unit::month>),
      row({"WEEK"}, "WEEK(date)", bind_named_part<Unit::week>),
      row({"DAYOFYEAR"}, "DAYOFYEAR(date)", bind_named_part<Unit::doy>),
      row({"DAYOFMONTH"}, "DAYOFMONTH(date)", bind_named_part<Unit::day>),
      row({"DAYOFWEEK"}, "DAYOFWEEK(date)", bind_named_part<Unit::dow>),
      row({"HOUR"}, "HOUR(timestamp)", bind_named_part<Unit::hour>),
      row({"MINUTE"}, "MINUTE(timestamp)", bind_named_part<Unit::minute>),
      row({"SECOND"}, "SECOND(timestamp)", bind_named_part<Unit::second>),
      row({"TIMESTAMPADD"}, "TIMESTAMPADD(unit, n, time)", bind_timestampadd),
      row({"TIMESTAMPDIFF"}, "TIMESTAMPDIFF(unit, a, b)", bind_timestampdiff),
      row({"MINUS_DATE"}, "(a - b) unit", bind_minus_date),
      row({"OVERLAPS"}, "(a, b) OVERLAPS (c, d)", bind_overlaps),
      row({"CURRENT_TIMESTAMP", "NOW", "CURRENT_ROW_TIMESTAMP"}, "CURRENT_TIMESTAMP", bind_now, false),
      row({"LOCALTIMESTAMP"}, "LOCALTIMESTAMP", bind_local_timestamp, false),
      row({"CURRENT_DATE"}, "CURRENT_DATE", bind_current_date, false),
      row({"CURRENT_TIME", "LOCALTIME"}, "LOCALTIME", bind_current_time, false),
      row({"PROCTIME"}, "PROCTIME()", bind_proctime, false),
      row({"CURRENT_WATERMARK"}, "CURRENT_WATERMARK(rowtime)", bind_current_watermark, false),
  };
}

}  // namespace millrace::processing
