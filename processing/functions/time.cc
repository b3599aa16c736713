// Moving dates and times, and measuring what is between two.
#include "processing/calendar.h"
#include "processing/functions/kernel.h"
#include "processing/functions/time_unit.h"

namespace millrace::processing {

namespace {

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
  TimeUnit unit = time_unit_of(b.symbol(0));
  b.args.erase(b.args.begin());
  if (b.arg(0).is(TypeRoot::timestamp_ltz) != b.arg(1).is(TypeRoot::timestamp_ltz) && b.arg(0).is_datetime() &&
      b.arg(1).is_datetime()) {
    b.refuse_text(java::code_gen, "TIMESTAMP_LTZ only supports diff between the same type.");
  }
  cast_to_moments(b, 0);
  b.type = DataType::integer().with_nullable(b.any_nullable());
  switch (unit) {
    case TimeUnit::year:
      b.kernel = lift<[](TimestampValue x, TimestampValue y) { return months_between(y.millis, x.millis) / 12; }>;
      break;
    case TimeUnit::quarter:
      b.kernel = lift<[](TimestampValue x, TimestampValue y) { return months_between(y.millis, x.millis) / 3; }>;
      break;
    case TimeUnit::month:
      b.kernel = lift<[](TimestampValue x, TimestampValue y) { return months_between(y.millis, x.millis); }>;
      break;
    default:
      b.prepared = std::make_shared<int64_t>(unit_millis(unit));
      b.kernel = lift<[](const KernelCall& c, TimestampValue x, TimestampValue y) {
        return static_cast<int32_t>((y.millis - x.millis) / prepared<int64_t>(c));
      }>;
  }
}

void bind_timestampadd(Binding& b) {
  if (b.count() != 3) b.refuse_count("3");
  TimeUnit unit = time_unit_of(b.symbol(0));
  if (b.arg(1).root == TypeRoot::null) b.cast(1, DataType::integer());
  if (!b.arg(1).is_integral() || !b.arg(2).is_datetime()) {
    b.refuse("'TIMESTAMPADD(<ANY>, <INTEGER>, <DATETIME>)'");
  }
  const bool months = counts_months(unit);
  const int64_t step = months ? unit_months(unit) : unit_millis(unit);
  if (b.arg(2).is(TypeRoot::date) && unit > TimeUnit::day) b.cast(2, DataType::timestamp(6));
  DataType type = months ? DataType::interval_months() : DataType::interval_millis();
  ExprPtr interval = make_call("*", {make_literal(Value::integer(step), type.not_null()), b.args[1]}, b.where);
  b.replacement = make_call("+", {b.args[2], interval}, b.where);
}

void bind_minus_date(Binding& b) {
  if (b.count() != 3) b.refuse_count("3");
  TimeUnit unit = time_unit_of(b.symbol(2));
  b.args.pop_back();
  cast_to_moments(b, 0);
  const bool months = counts_months(unit);
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
  // In order where they are not; where one is NULL, as if they were not.
  const auto pick = [&](bool begin, size_t i) {
    const ExprPtr &x = b.args[i], &y = b.args[i + 1];
    return make_call("IF", {make_call("<=", {x, y}, b.where), begin ? x : y, begin ? y : x}, b.where);
  };
  b.replacement = make_call("AND",
                            {make_call(">=", {pick(false, 0), pick(true, 2)}, b.where),
                             make_call(">=", {pick(false, 2), pick(true, 0)}, b.where)},
                            b.where);
}

}  // namespace

std::vector<Function> time_functions() {
  return {
      {{"TIMESTAMPADD"}, "time", "TIMESTAMPADD(unit, n, time)", "", "", nullptr, bind_timestampadd},
      {{"TIMESTAMPDIFF"}, "time", "TIMESTAMPDIFF(unit, a, b)", "", "", nullptr, bind_timestampdiff},
      {{"MINUS_DATE"}, "time", "(a - b) unit", "", "", nullptr, bind_minus_date},
      {{"OVERLAPS"}, "time", "(a, b) OVERLAPS (c, d)", "", "", nullptr, bind_overlaps},
  };
}

}  // namespace millrace::processing
