// + - * / % and unary minus, over numbers, times and intervals. Whole numbers wrap around; dividing one by zero fails.
#include <cmath>
#include <limits>

#include "processing/calendar.h"
#include "processing/functions/kernel.h"
#include "processing/functions/loops.h"

namespace millrace::processing {

namespace {

struct Plus {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(std::make_unsigned_t<T>(a) + std::make_unsigned_t<T>(b));
    else
      return a + b;
  }
};
struct Minus {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(std::make_unsigned_t<T>(a) - std::make_unsigned_t<T>(b));
    else
      return a - b;
  }
};
struct Times {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(std::make_unsigned_t<T>(a) * std::make_unsigned_t<T>(b));
    else
      return a * b;
  }
};
struct DividedBy {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) throw RunFailure(java::arithmetic, "/ by zero");
      if (b == -1) return static_cast<T>(0 - std::make_unsigned_t<T>(a));
      return a / b;
    } else {
      return a / b;
    }
  }
};
struct Modulo {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) throw RunFailure(java::arithmetic, "/ by zero");
      return b == -1 ? 0 : a % b;
    } else {
      return std::fmod(a, b);
    }
  }
};

// TINYINT and SMALLINT live in 32 bits and wrap at their own width.
template <class Op, int Bits>
struct Narrow {
  template <class T>
  static T of(T a, T b) {
    if constexpr (Bits == 8)
      return static_cast<int8_t>(Op::of(a, b));
    else
      return static_cast<int16_t>(Op::of(a, b));
  }
};

template <class T, class Op>
T apply(T a, T b) {
  return Op::of(a, b);
}

// Division fails, so it computes only the rows asked for.
template <class T, class Op, bool Fails>
Kernel loop() {
  if constexpr (Fails && std::is_integral_v<T>) {
    return lift<apply<T, Op>>;
  } else {
    return combine<T, T, Op>;
  }
}

template <class Op, bool Fails>
Kernel numeric_kernel(TypeRoot root) {
  switch (root) {
    case TypeRoot::tinyint:
      return loop<int32_t, Narrow<Op, 8>, Fails>();
    case TypeRoot::smallint:
      return loop<int32_t, Narrow<Op, 16>, Fails>();
    case TypeRoot::integer:
      return loop<int32_t, Op, Fails>();
    case TypeRoot::bigint:
      return loop<int64_t, Op, Fails>();
    case TypeRoot::float_:
      return loop<float, Op, Fails>();
    case TypeRoot::double_:
      return loop<double, Op, Fails>();
    default:
      return nullptr;
  }
}

using DecimalOp = std::optional<Int128> (*)(Int128, int, Int128, int, int, int);

// Most numbers fit 64 bits and most results need no rounding: those are computed here, the others by Op.
template <DecimalOp Op, class Small>
Column decimal_kernel(const KernelCall& call) {
  const DataType &to = call.expr.type, &x = call.args[0].type(), &y = call.args[1].type();
  if (call.rows.count == 0) return null_column(to, call.rows.size);
  const bool multiplies = std::is_same_v<Small, Times>;
  const int natural = multiplies ? x.scale + y.scale : std::max(x.scale, y.scale);
  const int up_x = multiplies ? 0 : natural - x.scale, up_y = multiplies ? 0 : natural - y.scale;
  const bool direct = natural == to.scale && up_x <= 18 && up_y <= 18;
  const Int128 limit = power_of_ten(to.precision);
  const int64_t factor_x = direct ? static_cast<int64_t>(power_of_ten(up_x)) : 1;
  const int64_t factor_y = direct ? static_cast<int64_t>(power_of_ten(up_y)) : 1;
  Reader<Int128> left(call.args[0]), right(call.args[1]);
  ColumnBuilder out(to);
  out.resize(call.rows.size);
  Int128* slots = out.values<Int128>().data();
  call.rows.each([&](size_t row) {
    if (left.null(row) || right.null(row)) {
      out.set_null(row);
      return;
    }
    const Int128 a = left[row], b = right[row];
    const int64_t small_a = static_cast<int64_t>(a), small_b = static_cast<int64_t>(b);
    if (direct && a == small_a && b == small_b) {
      const Int128 result =
          multiplies ? Int128{small_a} * small_b : Small::of(Int128{small_a} * factor_x, Int128{small_b} * factor_y);
      if (result < limit && result > -limit) {
        slots[row] = result;
      } else {
        out.set_null(row);
      }
      return;
    }
    if (std::optional<Int128> result = Op(a, x.scale, b, y.scale, to.precision, to.scale)) {
      slots[row] = *result;
    } else {
      out.set_null(row);
    }
  });
  return out.finish();
}

template <DecimalOp Op>
Column decimal_division_kernel(const KernelCall& call) {
  return lift<[](const KernelCall& c, Int128 a, Int128 b) {
    if (b == 0) throw RunFailure(java::arithmetic, a == 0 ? "Division undefined" : "Division by zero");
    const DataType& to = c.expr.type;
    return Op(a, c.args[0].type().scale, b, c.args[1].type().scale, to.precision, to.scale);
  }>(call);
}

// Both as decimals, if one is; nothing: let the common type decide.
bool bind_decimals(Binding& b, DataType (*result)(const DataType&, const DataType&), Kernel kernel) {
  bool decimals =
      b.arg(0).is_exact() && b.arg(1).is_exact() && (b.arg(0).is(TypeRoot::decimal) || b.arg(1).is(TypeRoot::decimal));
  if (!decimals) return false;
  b.type = result(b.arg(0), b.arg(1));
  b.cast(0, as_decimal(b.arg(0)));
  b.cast(1, as_decimal(b.arg(1)));
  b.kernel = kernel;
  return true;
}

template <class Op, bool Fails>
void bind_numbers(Binding& b) {
  DataType type = common_type(b.arg(0), b.arg(1)).value();
  b.cast(0, type);
  b.cast(1, type);
  b.type = type;
  b.kernel = numeric_kernel<Op, Fails>(type.root);
}

// A NULL takes the other side's type.
void settle_nulls(Binding& b) {
  for (size_t i = 0; i < b.count(); ++i) {
    if (b.arg(i).root != TypeRoot::null) continue;
    DataType other = b.count() == 2 ? b.arg(1 - i) : DataType::integer();
    if (other.root == TypeRoot::null) other = DataType::integer();
    b.cast(i, other);
  }
}

TimestampValue add_to_timestamp(TimestampValue t, int64_t millis) {
  return {static_cast<int64_t>(static_cast<uint64_t>(t.millis) + static_cast<uint64_t>(millis)), t.nanos};
}
TimestampValue add_months_to_timestamp(TimestampValue t, int64_t months) {
  int64_t days = floor_div(t.millis, millis_per_day);
  return {add_months(days, months) * millis_per_day + (t.millis - days * millis_per_day), t.nanos};
}

template <int Sign>
Kernel moving_kernel(const DataType& datetime, const DataType& interval) {
  bool months = interval.is(TypeRoot::interval_months);
  if (datetime.is_timestamp()) {
    if (months) return lift<[](TimestampValue t, int32_t m) { return add_months_to_timestamp(t, Sign * int64_t{m}); }>;
    return lift<[](TimestampValue t, int64_t ms) { return add_to_timestamp(t, Sign * ms); }>;
  }
  if (datetime.is(TypeRoot::date)) {
    if (months)
      return lift<[](int32_t d, int32_t m) { return static_cast<int32_t>(add_months(d, Sign * int64_t{m})); }>;
    return lift<[](int32_t d, int64_t ms) { return static_cast<int32_t>(d + Sign * (ms / millis_per_day)); }>;
  }
  return lift<[](int32_t t, int64_t ms) { return static_cast<int32_t>(floor_mod(t + Sign * ms, millis_per_day)); }>;
}

constexpr std::string_view plus_forms =
    "'<NUMERIC> + <NUMERIC>'\n'<DATETIME_INTERVAL> + <DATETIME_INTERVAL>'\n'<DATETIME> + <DATETIME_INTERVAL>'\n"
    "'<DATETIME_INTERVAL> + <DATETIME>'";
constexpr std::string_view minus_forms =
    "'<NUMERIC> - <NUMERIC>'\n'<DATETIME_INTERVAL> - <DATETIME_INTERVAL>'\n'<DATETIME> - <DATETIME_INTERVAL>'";

// datetime ± interval, interval ± interval
template <int Sign>
bool bind_times(Binding& b) {
  if (Sign > 0 && b.arg(0).is_interval() && b.arg(1).is_datetime()) std::swap(b.args[0], b.args[1]);
  if (b.arg(0).is_interval() && b.arg(0).root == b.arg(1).root) {
    b.type = b.arg(0).with_nullable(b.any_nullable());
    using Op = std::conditional_t<(Sign > 0), Plus, Minus>;
    b.kernel = b.type.is(TypeRoot::interval_months) ? combine<int32_t, int32_t, Op> : combine<int64_t, int64_t, Op>;
    return true;
  }
  if (!b.arg(0).is_datetime() || !b.arg(1).is_interval()) return false;
  if (b.arg(0).is(TypeRoot::time) && b.arg(1).is(TypeRoot::interval_months)) return false;
  if (b.arg(0).is(TypeRoot::date) && b.is_literal(1) && b.arg(1).is(TypeRoot::interval_millis) &&
      b.literal(1).as_int() % millis_per_day != 0) {
    b.cast(0, DataType::timestamp(0));
  }
  b.type = b.arg(0).with_nullable(b.any_nullable()).with_attribute(TimeAttribute::none);
  b.kernel = moving_kernel<Sign>(b.arg(0), b.arg(1));
  return true;
}

void bind_plus(Binding& b) {
  if (b.count() == 1) {
    if (!b.arg(0).is_numeric()) b.refuse("'+<NUMERIC>'");
    b.replacement = b.args[0];
    return;
  }
  settle_nulls(b);
  if (bind_times<1>(b)) return;
  if (!b.arg(0).is_numeric() || !b.arg(1).is_numeric()) b.refuse(plus_forms);
  if (!bind_decimals(b, decimal_plus, decimal_kernel<decimal_add, Plus>)) bind_numbers<Plus, false>(b);
}

void bind_negate(Binding& b) {
  settle_nulls(b);
  if (!b.arg(0).is_numeric() && !b.arg(0).is_interval()) b.refuse("'-<NUMERIC>'\n'-<DATETIME_INTERVAL>'");
  b.type = b.arg(0);
  switch (b.type.root) {
    case TypeRoot::tinyint:
      b.kernel = lift<[](int32_t v) -> int32_t { return static_cast<int8_t>(-v); }>;
      break;
    case TypeRoot::smallint:
      b.kernel = lift<[](int32_t v) -> int32_t { return static_cast<int16_t>(-v); }>;
      break;
    case TypeRoot::integer:
    case TypeRoot::interval_months:
      b.kernel = lift<[](int32_t v) { return Minus::of(0, v); }>;
      break;
    case TypeRoot::bigint:
    case TypeRoot::interval_millis:
      b.kernel = lift<[](int64_t v) { return Minus::of(int64_t{0}, v); }>;
      break;
    case TypeRoot::float_:
      b.kernel = lift<[](float v) { return -v; }>;
      break;
    case TypeRoot::double_:
      b.kernel = lift<[](double v) { return -v; }>;
      break;
    default:
      b.kernel = lift<[](Int128 v) { return -v; }>;
      break;
  }
}

void bind_minus(Binding& b) {
  if (b.count() == 1) return bind_negate(b);
  settle_nulls(b);
  if (bind_times<-1>(b)) return;
  if (!b.arg(0).is_numeric() || !b.arg(1).is_numeric()) b.refuse(minus_forms);
  if (!bind_decimals(b, decimal_plus, decimal_kernel<decimal_subtract, Minus>)) bind_numbers<Minus, false>(b);
}

void bind_times_operator(Binding& b) {
  settle_nulls(b);
  if (b.arg(0).is_numeric() && b.arg(1).is_interval()) std::swap(b.args[0], b.args[1]);
  if (b.arg(0).is_interval() && b.arg(1).is_numeric()) {
    b.cast(1, DataType::bigint());
    b.type = b.arg(0).with_nullable(b.any_nullable());
    b.kernel = b.type.is(TypeRoot::interval_months)
                   ? Kernel(lift<[](int32_t m, int64_t n) { return static_cast<int32_t>(m * n); }>)
                   : Kernel(lift<[](int64_t ms, int64_t n) { return Times::of(ms, n); }>);
    return;
  }
  if (!b.arg(0).is_numeric() || !b.arg(1).is_numeric()) {
    bool interval = b.arg(0).is_interval() || b.arg(1).is_interval();
    b.refuse(interval ? "'<NUMERIC> * <NUMERIC>'\n'<DATETIME_INTERVAL> * <NUMERIC>'\n'<NUMERIC> * <DATETIME_INTERVAL>'"
                      : "'<NUMERIC> * <NUMERIC>'");
  }
  if (!bind_decimals(b, decimal_times, decimal_kernel<decimal_multiply, Times>)) bind_numbers<Times, false>(b);
}

void bind_divide(Binding& b) {
  settle_nulls(b);
  if (!b.arg(0).is_numeric() || !b.arg(1).is_numeric()) b.refuse("'<NUMERIC> / <NUMERIC>'");
  if (!bind_decimals(b, decimal_divide, decimal_division_kernel<decimal_divide>)) bind_numbers<DividedBy, true>(b);
}

void bind_modulo(Binding& b) {
  if (b.count() != 2) b.refuse_count("2");
  settle_nulls(b);
  if (!b.arg(0).is_numeric() || !b.arg(1).is_numeric()) b.refuse("'MOD(<EXACT_NUMERIC>, <EXACT_NUMERIC>)'");
  if (bind_decimals(b, decimal_modulo, decimal_division_kernel<decimal_remainder>)) return;
  DataType result = b.arg(1).with_nullable(b.any_nullable());
  bind_numbers<Modulo, true>(b);
  if (result.root != b.type.root && result.is_integral()) {
    // The remainder has the divisor's type, which it fits.
    Binding inner = b;
    auto wide = std::make_shared<Expr>();
    wide->kind = Expr::Kind::call;
    wide->type = b.type;
    wide->args = b.args;
    wide->name = "MOD";
    wide->function = b.function;
    wide->kernel = b.kernel;
    for (const ExprPtr& arg : b.args) wide->deterministic = wide->deterministic && arg->deterministic;
    b.replacement = coerce(wide, result);
  }
}

}  // namespace

std::vector<Function> arithmetic_functions() {
  auto row = [](std::vector<std::string_view> names, std::string_view usage, void (*bind)(Binding&)) {
    return Function{std::move(names), "arithmetic", usage, "", "", nullptr, bind, true};
  };
  return {row({"+"}, "a + b", bind_plus), row({"-"}, "a - b", bind_minus), row({"*"}, "a * b", bind_times_operator),
          row({"/"}, "a / b", bind_divide), row({"%", "MOD"}, "a % b", bind_modulo)};
}

}  // namespace millrace::processing
