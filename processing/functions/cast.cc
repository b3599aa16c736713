// CAST and TRY_CAST between every two types Flink allows.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "processing/calendar.h"
#include "processing/datetime_text.h"
#include "processing/functions/kernel.h"
#include "processing/functions/number_text.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

// ---- to text ----

// Cuts to VARCHAR(n), cuts or pads to CHAR(n).
std::string fitted(std::string text, const DataType& to) {
  if (to.precision == max_length) return text;
  size_t limit = static_cast<size_t>(to.precision);
  if (text.size() <= limit && to.root == TypeRoot::varchar) return text;
  size_t length = count_characters(text);
  if (length > limit) return std::string(character_slice(text, 0, limit));
  if (to.root == TypeRoot::character) text.append(limit - length, ' ');
  return text;
}

Column text_to_text(const KernelCall& call) {
  const DataType& to = call.expr.type;
  if (to.root == TypeRoot::varchar && to.precision == max_length) return call.args[0].retyped(to);
  return lift<[](const KernelCall& c, std::string_view v) { return fitted(std::string(v), c.expr.type); }>(call);
}

Column any_to_text(const KernelCall& call) {
  return run_boxed(call, [](const KernelCall& c, std::span<const Value> v) {
    if (v[0].is_null()) return Value();
    return Value::text(fitted(value_text(v[0], c.args[0].type(), c.context.zone), c.expr.type));
  });
}

Kernel to_text(const DataType& from) {
  switch (from.root) {
    case TypeRoot::character:
    case TypeRoot::varchar:
      return text_to_text;
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
      return lift<[](const KernelCall& c, int32_t v) { return fitted(fmt::format_int(v).str(), c.expr.type); }>;
    case TypeRoot::bigint:
      return lift<[](const KernelCall& c, int64_t v) { return fitted(fmt::format_int(v).str(), c.expr.type); }>;
    default:
      return any_to_text;
  }
}

Column to_bytes(const KernelCall& call) {
  return lift<[](const KernelCall& c, std::string_view v) {
    std::string bytes(v);
    size_t limit = static_cast<size_t>(c.expr.type.precision);
    if (bytes.size() > limit) bytes.resize(limit);
    if (c.expr.type.root == TypeRoot::binary) bytes.resize(limit, '\0');
    return bytes;
  }>(call);
}

// ---- from text ----

// The value or, for TRY_CAST, nothing where CAST fails.
template <bool Try, class F>
auto attempt(F parse) -> std::optional<std::remove_cvref_t<decltype(parse())>> {
  if constexpr (Try) {
    try {
      return parse();
    } catch (const RunFailure&) {
      return std::nullopt;
    }
  } else {
    return parse();
  }
}

[[noreturn]] void bad_date_time(std::string_view text) {
  throw RunFailure(java::date_time, fmt::format("For input string: '{}'.", text));
}

[[noreturn]] void bad_time(std::string_view text) {
  throw RunFailure(java::date_time,
                   fmt::format("Invalid time format: '{}'. Expected format: HH:mm:ss[.fff] where HH is "
                               "00-23, mm is 00-59, ss is 00-59",
                               text));
}

[[noreturn]] void bad_timestamp(std::string_view text) {
  throw RunFailure("java.time.format.DateTimeParseException", timestamp_problem(text));
}

template <bool Try>
Kernel from_text(const DataType& to) {
  switch (to.root) {
    case TypeRoot::boolean:
      return lift<[](std::string_view v) { return attempt<Try>([&] { return boolean_from_text(v); }); }>;
    case TypeRoot::tinyint:
      return lift<[](std::string_view v) {
        return attempt<Try>([&] { return static_cast<int32_t>(integer_from_text(v, 8)); });
      }>;
    case TypeRoot::smallint:
      return lift<[](std::string_view v) {
        return attempt<Try>([&] { return static_cast<int32_t>(integer_from_text(v, 16)); });
      }>;
    case TypeRoot::integer:
      return lift<[](std::string_view v) {
        return attempt<Try>([&] { return static_cast<int32_t>(integer_from_text(v, 32)); });
      }>;
    case TypeRoot::bigint:
      return lift<[](std::string_view v) { return attempt<Try>([&] { return integer_from_text(v, 64); }); }>;
    case TypeRoot::float_:
      return lift<[](std::string_view v) { return attempt<Try>([&] { return float_from_text(v); }); }>;
    case TypeRoot::double_:
      return lift<[](std::string_view v) { return attempt<Try>([&] { return double_from_text(v); }); }>;
    case TypeRoot::decimal:
      return lift<[](const KernelCall& c, std::string_view v) {
        return attempt<Try>([&] { return decimal_from_text(v, c.expr.type.precision, c.expr.type.scale); });
      }>;
    case TypeRoot::date:
      return lift<[](std::string_view v) {
        return attempt<Try>([&] {
          std::optional<int32_t> date = parse_date(v);
          if (!date) bad_date_time(v);
          return *date;
        });
      }>;
    case TypeRoot::time:
      return lift<[](std::string_view v) {
        return attempt<Try>([&] {
          std::optional<int32_t> time = parse_time(v);
          if (!time) bad_date_time(v);
          if (*time < 0 || *time >= 86'400'000) bad_time(v);
          return *time;
        });
      }>;
    case TypeRoot::timestamp:
      return lift<[](const KernelCall& c, std::string_view v) {
        return attempt<Try>([&] {
          std::optional<TimestampValue> t = parse_timestamp(v, c.expr.type.precision);
          if (!t) bad_timestamp(v);
          return *t;
        });
      }>;
    case TypeRoot::timestamp_ltz:
      return lift<[](const KernelCall& c, std::string_view v) {
        return attempt<Try>([&] {
          std::optional<TimestampValue> t = parse_timestamp(v, c.expr.type.precision);
          if (!t) bad_timestamp(v);
          return TimestampValue{c.context.zone.to_utc(t->millis), t->nanos};
        });
      }>;
    case TypeRoot::binary:
    case TypeRoot::varbinary:
      return to_bytes;
    default:
      return nullptr;
  }
}

// ---- between numbers ----

// As Java casts: saturating from floating point, NaN to 0.
template <class To, class From>
To saturate(From v) {
  if (std::isnan(v)) return 0;
  if (v <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
  if (v >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
  return static_cast<To>(v);
}

template <class From>
int64_t whole(From v) {
  if constexpr (std::is_floating_point_v<From>)
    return saturate<int64_t>(v);
  else
    return static_cast<int64_t>(v);
}

template <class From>
int32_t whole32(From v) {
  if constexpr (std::is_floating_point_v<From>)
    return saturate<int32_t>(v);
  else
    return static_cast<int32_t>(v);
}

template <class From>
Column integer_to_decimal(const KernelCall& call) {
  const DataType& to = call.expr.type;
  if (call.rows.count == 0) return null_column(to, call.rows.size);
  if (call.args[0].is_constant() || to.scale > 18) {
    return lift<[](const KernelCall& c, From v) { return rescale(v, 0, c.expr.type.scale, c.expr.type.precision); }>(
        call);
  }
  const int64_t factor = static_cast<int64_t>(power_of_ten(to.scale));
  const Int128 limit = power_of_ten(to.precision);
  Reader<From> in(call.args[0]);
  ColumnBuilder out(to);
  out.resize(call.rows.size);
  Int128* slots = out.values<Int128>().data();
  call.rows.each([&](size_t row) {
    slots[row] = Int128{in[row]} * factor;
    if (in.null(row) || slots[row] >= limit || slots[row] <= -limit) out.set_null(row);
  });
  return out.finish();
}

template <class From>
Kernel number_to(const DataType& to) {
  switch (to.root) {
    case TypeRoot::boolean:
      return lift<[](From v) { return v != 0; }>;
    case TypeRoot::tinyint:
      return lift<[](From v) -> int32_t { return static_cast<int8_t>(whole32(v)); }>;
    case TypeRoot::smallint:
      return lift<[](From v) -> int32_t { return static_cast<int16_t>(whole32(v)); }>;
    case TypeRoot::integer:
    case TypeRoot::interval_months:
      return lift<[](From v) { return whole32(v); }>;
    case TypeRoot::bigint:
    case TypeRoot::interval_millis:
      return lift<[](From v) { return whole(v); }>;
    case TypeRoot::float_:
      return lift<[](From v) { return static_cast<float>(v); }>;
    case TypeRoot::double_:
      return lift<[](From v) { return static_cast<double>(v); }>;
    case TypeRoot::decimal:
      if constexpr (std::is_floating_point_v<From>) {
        return lift<[](const KernelCall& c, From v) {
          return decimal_from_double(static_cast<double>(v), c.expr.type.precision, c.expr.type.scale);
        }>;
      } else {
        return integer_to_decimal<From>;
      }
    default:
      return nullptr;
  }
}

int64_t whole_of_decimal(const KernelCall& c, Int128 v) {
  return static_cast<int64_t>(v / power_of_ten(c.args[0].type().scale));
}

Kernel decimal_to(const DataType& to) {
  switch (to.root) {
    case TypeRoot::boolean:
      return lift<[](Int128 v) { return v != 0; }>;
    case TypeRoot::tinyint:
      return lift<[](const KernelCall& c, Int128 v) -> int32_t { return static_cast<int8_t>(whole_of_decimal(c, v)); }>;
    case TypeRoot::smallint:
      return lift<[](const KernelCall& c, Int128 v) -> int32_t {
        return static_cast<int16_t>(whole_of_decimal(c, v));
      }>;
    case TypeRoot::integer:
    case TypeRoot::interval_months:
      return lift<[](const KernelCall& c, Int128 v) { return static_cast<int32_t>(whole_of_decimal(c, v)); }>;
    case TypeRoot::bigint:
    case TypeRoot::interval_millis:
      return lift<[](const KernelCall& c, Int128 v) { return whole_of_decimal(c, v); }>;
    case TypeRoot::float_:
      return lift<[](const KernelCall& c, Int128 v) {
        return static_cast<float>(decimal_to_double(v, c.args[0].type().scale));
      }>;
    case TypeRoot::double_:
      return lift<[](const KernelCall& c, Int128 v) { return decimal_to_double(v, c.args[0].type().scale); }>;
    case TypeRoot::decimal:
      return lift<[](const KernelCall& c, Int128 v) {
        return rescale(v, c.args[0].type().scale, c.expr.type.scale, c.expr.type.precision);
      }>;
    default:
      return nullptr;
  }
}

Kernel boolean_to(const DataType& to) {
  switch (to.root) {
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
      return lift<[](bool v) -> int32_t { return v ? 1 : 0; }>;
    case TypeRoot::bigint:
      return lift<[](bool v) -> int64_t { return v ? 1 : 0; }>;
    case TypeRoot::float_:
      return lift<[](bool v) { return v ? 1.0f : 0.0f; }>;
    case TypeRoot::double_:
      return lift<[](bool v) { return v ? 1.0 : 0.0; }>;
    case TypeRoot::decimal:
      return lift<[](const KernelCall& c, bool v) {
        return rescale(v ? 1 : 0, 0, c.expr.type.scale, c.expr.type.precision);
      }>;
    default:
      return nullptr;
  }
}

// ---- between times ----

TimestampValue in_zone(const KernelCall& c, TimestampValue local) {
  return {c.context.zone.to_utc(local.millis), local.nanos};
}
TimestampValue out_of_zone(const KernelCall& c, TimestampValue t) {
  return {c.context.zone.to_local(t.millis), t.nanos};
}
int32_t cut_time(int64_t millis, int precision) {
  return static_cast<int32_t>(floor_mod(truncate_timestamp({millis, 0}, precision).millis, millis_per_day));
}

Kernel date_to(const DataType& to) {
  if (to.is(TypeRoot::timestamp)) return lift<[](int32_t v) { return TimestampValue{v * millis_per_day, 0}; }>;
  if (to.is(TypeRoot::timestamp_ltz)) {
    return lift<[](const KernelCall& c, int32_t v) { return in_zone(c, {v * millis_per_day, 0}); }>;
  }
  return nullptr;
}

Kernel time_to(const DataType& to) {
  if (to.is(TypeRoot::timestamp)) return lift<[](int32_t v) { return TimestampValue{v, 0}; }>;
  if (to.is(TypeRoot::timestamp_ltz)) {
    return lift<[](const KernelCall& c, int32_t v) { return in_zone(c, {v, 0}); }>;
  }
  return nullptr;
}

// Before 1970 Flink rounds these up: the division truncates.
Kernel timestamp_to(const DataType& to) {
  switch (to.root) {
    case TypeRoot::date:
      return lift<[](TimestampValue t) { return static_cast<int32_t>(t.millis / millis_per_day); }>;
    case TypeRoot::time:
      return lift<[](const KernelCall& c, TimestampValue t) {
        return cut_time(t.millis % millis_per_day, c.expr.type.precision);
      }>;
    case TypeRoot::timestamp:
      return lift<[](const KernelCall& c, TimestampValue t) { return truncate_timestamp(t, c.expr.type.precision); }>;
    case TypeRoot::timestamp_ltz:
      return lift<[](const KernelCall& c, TimestampValue t) {
        return in_zone(c, truncate_timestamp(t, c.expr.type.precision));
      }>;
    default:
      return nullptr;
  }
}

Kernel timestamp_ltz_to(const DataType& to) {
  switch (to.root) {
    case TypeRoot::date:
      return lift<[](const KernelCall& c, TimestampValue t) {
        return static_cast<int32_t>(floor_div(out_of_zone(c, t).millis, millis_per_day));
      }>;
    case TypeRoot::time:
      return lift<[](const KernelCall& c, TimestampValue t) {
        return cut_time(floor_mod(out_of_zone(c, t).millis, millis_per_day), c.expr.type.precision);
      }>;
    case TypeRoot::timestamp:
      return lift<[](const KernelCall& c, TimestampValue t) {
        return truncate_timestamp(out_of_zone(c, t), c.expr.type.precision);
      }>;
    case TypeRoot::timestamp_ltz:
      return lift<[](const KernelCall& c, TimestampValue t) { return truncate_timestamp(t, c.expr.type.precision); }>;
    default:
      return nullptr;
  }
}

// ---- nested ----

Value cast_value(const Value& value, const DataType& from, const DataType& to, const KernelCall& call) {
  if (value.is_null() || same_ignoring_nullability(from, to)) return value;
  Expr expr;
  expr.kind = Expr::Kind::call;
  expr.type = to;
  Column column = Column::constant(from, value, 1);
  Kernel kernel = cast_kernel(from, to, false);
  if (kernel == nullptr) return Value();
  Rows one{nullptr, 1, 1};
  return kernel({expr, std::span(&column, 1), one, call.context}).value(0);
}

Column nested_to_nested(const KernelCall& call) {
  return run_boxed(call, [](const KernelCall& c, std::span<const Value> v) {
    if (v[0].is_null()) return Value();
    const DataType& from = c.args[0].type();
    const DataType& to = c.expr.type;
    std::vector<Value> items = v[0].items();
    for (size_t i = 0; i < items.size(); ++i) {
      size_t child = to.is(TypeRoot::row) ? i : to.is(TypeRoot::map) ? i % 2 : 0;
      if (to.is(TypeRoot::multiset) && i % 2 == 1) continue;  // a count
      items[i] = cast_value(items[i], from.child(child), to.child(child), c);
    }
    return Value::nested(std::move(items));
  });
}

Column unchanged(const KernelCall& call) { return call.args[0].retyped(call.expr.type); }

}  // namespace

Kernel cast_kernel(const DataType& from, const DataType& to, bool try_cast) {
  if (to.is_text()) return to_text(from);
  if (from.root == to.root && !from.is_timestamp() && !from.is(TypeRoot::decimal) && !from.is_nested() &&
      !from.is_bytes()) {
    return unchanged;
  }
  switch (from.root) {
    case TypeRoot::character:
    case TypeRoot::varchar:
      return try_cast ? from_text<true>(to) : from_text<false>(to);
    case TypeRoot::binary:
    case TypeRoot::varbinary:
      return to.is_bytes() ? to_bytes : nullptr;
    case TypeRoot::boolean:
      return boolean_to(to);
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
    case TypeRoot::interval_months:
      return number_to<int32_t>(to);
    case TypeRoot::bigint:
    case TypeRoot::interval_millis:
      return number_to<int64_t>(to);
    case TypeRoot::float_:
      return number_to<float>(to);
    case TypeRoot::double_:
      return number_to<double>(to);
    case TypeRoot::decimal:
      return decimal_to(to);
    case TypeRoot::date:
      return date_to(to);
    case TypeRoot::time:
      return time_to(to);
    case TypeRoot::timestamp:
      return timestamp_to(to);
    case TypeRoot::timestamp_ltz:
      return timestamp_ltz_to(to);
    case TypeRoot::array:
    case TypeRoot::map:
    case TypeRoot::multiset:
    case TypeRoot::row:
      return from.root == to.root ? nested_to_nested : nullptr;
    default:
      return nullptr;
  }
}

namespace {

void refuse_plain_call(Binding& b) { b.refuse_count("2"); }

}  // namespace

std::vector<Function> cast_functions() {
  return {
      Function{{"CAST"}, "conversion", "CAST(a AS type)", "", "", nullptr, refuse_plain_call, true},
      Function{{"TRY_CAST"}, "conversion", "TRY_CAST(a AS type)", "", "", nullptr, refuse_plain_call, true},
  };
}

}  // namespace millrace::processing
