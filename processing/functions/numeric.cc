// Mathematics.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "processing/decimal_digits.h"
#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

void bind_time_floor(Binding& b, bool ceil);  // time_rounding.cc

namespace {

// ---- functions of doubles ----

template <double (*F)(double)>
Column math(const KernelCall& call) {
  return lift<[](double v) { return F(v); }>(call);
}

// Computed with more digits than a double has and rounded once, it is the nearest double, as Java's.
double log_10(double v) { return static_cast<double>(std::log10(static_cast<long double>(v))); }
double cotangent(double v) { return 1.0 / std::tan(v); }
double log_2(double v) { return std::log(v) / std::log(2.0); }
double to_degrees(double v) { return v * 57.29577951308232; }
double to_radians(double v) { return v * 0.017453292519943295; }

// ---- per type ----

void need_number(Binding& b) {
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::integer());
  if (!b.arg(0).is_numeric()) b.refuse("'" + std::string(b.function->names[0]) + "(<NUMERIC>)'");
}

void bind_abs(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  need_number(b);
  b.type = b.arg(0);
  switch (physical_of(b.type.root)) {
    case Physical::int32:
      b.kernel = lift<[](const KernelCall& c, int32_t v) {
        const int32_t size = v < 0 ? static_cast<int32_t>(0u - static_cast<uint32_t>(v)) : v;
        if (c.expr.type.root == TypeRoot::tinyint) return int32_t{static_cast<int8_t>(size)};
        return c.expr.type.root == TypeRoot::smallint ? int32_t{static_cast<int16_t>(size)} : size;
      }>;
      break;
    case Physical::int64:
      b.kernel = lift<[](int64_t v) { return v < 0 ? static_cast<int64_t>(0ull - static_cast<uint64_t>(v)) : v; }>;
      break;
    case Physical::float_:
      b.kernel = lift<[](float v) { return std::fabs(v); }>;
      break;
    case Physical::double_:
      b.kernel = lift<[](double v) { return std::fabs(v); }>;
      break;
    default:
      b.kernel = lift<[](Int128 v) { return v < 0 ? -v : v; }>;
  }
}

template <class T>
T sign_of(T v) {
  return v > 0 ? T(1) : v < 0 ? T(-1) : v;
}

void bind_sign(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  need_number(b);
  b.type = b.arg(0);
  switch (physical_of(b.type.root)) {
    case Physical::int32:
      b.kernel = lift<[](int32_t v) { return sign_of(v); }>;
      break;
    case Physical::int64:
      b.kernel = lift<[](int64_t v) { return sign_of(v); }>;
      break;
    case Physical::float_:
      b.kernel = lift<[](float v) { return sign_of(v); }>;
      break;
    case Physical::double_:
      b.kernel = lift<[](double v) { return sign_of(v); }>;
      break;
    default:
      b.kernel = lift<[](const KernelCall& c, Int128 v) {
        return (v > 0 ? 1 : v < 0 ? -1 : 0) * power_of_ten(c.expr.type.scale);
      }>;
  }
}

Column same(const KernelCall& call) { return call.args[0].retyped(call.expr.type); }

// Whole units below or above a decimal.
template <bool Ceil>
Int128 whole_units(Int128 v, int scale) {
  Int128 unit = power_of_ten(scale);
  Int128 whole = v / unit;
  if (v % unit != 0 && (v > 0) == Ceil) whole += Ceil ? 1 : -1;
  return whole;
}

template <bool Ceil>
void bind_floor(Binding& b) {
  if (b.count() == 2) return bind_time_floor(b, Ceil);
  if (b.count() != 1) b.refuse_count("1");
  need_number(b);
  b.type = b.arg(0);
  switch (physical_of(b.type.root)) {
    case Physical::float_:
      b.kernel = lift<[](float v) { return Ceil ? std::ceil(v) : std::floor(v); }>;
      break;
    case Physical::double_:
      b.kernel = lift<[](double v) { return Ceil ? std::ceil(v) : std::floor(v); }>;
      break;
    case Physical::decimal:
      b.type.scale = 0;
      b.kernel = lift<[](const KernelCall& c, Int128 v) { return whole_units<Ceil>(v, c.args[0].type().scale); }>;
      break;
    default:
      b.kernel = same;
  }
}

// ---- ROUND and TRUNCATE: in decimal digits, also of doubles ----

double round_double(double v, int places) {
  if (!std::isfinite(v) || v == 0) return v;
  DecimalDigits digits = shortest_digits(v);
  const int64_t kept = int64_t{digits.point} + places;
  if (kept >= digits.count) return v;
  digits.keep(static_cast<int>(std::max<int64_t>(kept, -1)));
  const double rounded = std::strtod(fmt::format("0.{}e{}", digits.text(), digits.point).c_str(), nullptr);
  return rounded != 0 ? std::copysign(rounded, v) : 0.0;
}

// To a multiple of 10^-places; half up or towards zero.
template <bool Truncate>
std::optional<Int128> rounded_decimal(Int128 v, int scale, int places, const DataType& to) {
  if (places >= scale) return rescale(v, scale, to.scale, to.precision);
  int cut = std::min(scale - places, 38);
  Int128 unit = power_of_ten(cut);
  Int128 whole = Truncate ? v / unit : rescale(v, cut, 0, 38).value_or(0);
  int whole_scale = places;  // whole · 10^-places
  if (whole_scale < 0) {
    Int128 scaled;
    if (whole_scale < -38 || __builtin_mul_overflow(whole, power_of_ten(-whole_scale), &scaled)) {
      return whole == 0 ? std::optional<Int128>(0) : std::nullopt;
    }
    whole = scaled;
    whole_scale = 0;
  }
  return rescale(whole, whole_scale, to.scale, to.precision);
}

template <bool Truncate>
int64_t rounded_integer(int64_t v, int places) {
  if (places >= 0) return v;
  if (places < -18) return 0;
  Int128 unit = power_of_ten(-places);
  Int128 whole = Truncate ? v / unit : rescale(v, -places, 0, 38).value_or(0);
  return static_cast<int64_t>(whole * unit);
}

double truncate_double(double v, int places) {
  std::optional<Int128> decimal = decimal_from_double(v, 38, 18);
  if (!decimal) return v;
  std::optional<Int128> cut = rounded_decimal<true>(*decimal, 18, places, DataType::decimal(38, 18));
  return cut ? decimal_to_double(*cut, 18) : v;
}

// Of 2 and of −2, which is an expression.
std::optional<int64_t> whole_constant(const ExprPtr& expr) {
  if (expr->kind == Expr::Kind::literal && !expr->literal.is_null()) return expr->literal.as_int();
  const bool negated = expr->kind == Expr::Kind::call && expr->name == "-" && expr->args.size() == 1;
  if (!negated) return std::nullopt;
  const std::optional<int64_t> size = whole_constant(expr->args[0]);
  return size ? std::optional(-*size) : std::nullopt;
}

template <bool Truncate>
void bind_round(Binding& b) {
  if (b.count() < 1 || b.count() > 2) b.refuse_count("1 to 2");
  need_number(b);
  if (b.count() == 1) b.args.push_back(make_literal(Value::integer(0), DataType::integer().not_null()));
  if (b.arg(1).root == TypeRoot::null) b.cast(1, DataType::integer());
  if (!b.arg(1).is_integral()) b.refuse("'" + std::string(b.name) + "(<NUMERIC>, <INTEGER>)'");
  b.cast(1, DataType::integer());
  b.type = b.arg(0);
  switch (b.type.root) {
    case TypeRoot::tinyint:
      b.kernel =
          lift<[](int32_t v, int32_t n) -> int32_t { return static_cast<int8_t>(rounded_integer<Truncate>(v, n)); }>;
      break;
    case TypeRoot::smallint:
      b.kernel =
          lift<[](int32_t v, int32_t n) -> int32_t { return static_cast<int16_t>(rounded_integer<Truncate>(v, n)); }>;
      break;
    case TypeRoot::integer:
      b.kernel = lift<[](int32_t v, int32_t n) { return static_cast<int32_t>(rounded_integer<Truncate>(v, n)); }>;
      break;
    case TypeRoot::bigint:
      b.kernel = lift<[](int64_t v, int32_t n) { return rounded_integer<Truncate>(v, n); }>;
      break;
    case TypeRoot::float_:
      b.kernel = lift<[](float v, int32_t n) {
        return static_cast<float>(Truncate ? truncate_double(v, n) : round_double(static_cast<double>(v), n));
      }>;
      break;
    case TypeRoot::double_:
      b.kernel = lift<[](double v, int32_t n) { return Truncate ? truncate_double(v, n) : round_double(v, n); }>;
      break;
    default: {
      if (const std::optional<int64_t> places = whole_constant(b.args[1])) {
        int whole = b.type.precision - b.type.scale;
        if (*places < 0) {
          b.type = DataType::decimal(std::min(38, 1 + whole), 0);
        } else if (*places < b.type.scale) {
          b.type = DataType::decimal(1 + whole + static_cast<int>(*places), static_cast<int>(*places));
        }
      }
      b.kernel = lift<[](const KernelCall& c, Int128 v, int32_t n) {
        return rounded_decimal<Truncate>(v, c.args[0].type().scale, n, c.expr.type);
      }>;
    }
  }
  b.type.nullable = b.any_nullable();
}

// ---- bases and chance ----

std::string hex(std::string_view bytes) {
  std::string out;
  for (char c : bytes) out += fmt::format("{:02X}", static_cast<unsigned char>(c));
  return out;
}

void bind_hex(Binding& b) {
  if (b.count() == 1 && b.arg(0).is_numeric()) {
    b.by_letters("l", "s");
    b.kernel = lift<[](int64_t v) { return fmt::format("{:X}", static_cast<uint64_t>(v)); }>;
  } else {
    b.by_letters("s", "s");
    b.kernel = lift<[](std::string_view v) { return hex(v); }>;
  }
}

uint64_t next_random(EvalContext& context) {
  uint64_t z = (context.random += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

double random_double(EvalContext& context) { return static_cast<double>(next_random(context) >> 11) * 0x1p-53; }

int32_t random_below(EvalContext& context, int32_t bound) {
  if (bound <= 0) throw RunFailure(java::illegal_argument, "bound must be positive");
  return static_cast<int32_t>(next_random(context) % static_cast<uint64_t>(bound));
}

void bind_random(Binding& b) {
  b.by_letters("[i", "");
  b.type = DataType::double_().with_nullable(b.any_nullable());
  b.kernel = b.count() == 0 ? Kernel(lift<[](const KernelCall& c) { return random_double(c.context); }>)
                            : Kernel(lift<[](const KernelCall& c, int32_t) { return random_double(c.context); }>);
}

void bind_random_integer(Binding& b) {
  b.by_letters("i[i", "i");
  b.kernel = b.count() == 1
                 ? Kernel(lift<[](const KernelCall& c, int32_t n) { return random_below(c.context, n); }>)
                 : Kernel(lift<[](const KernelCall& c, int32_t, int32_t n) { return random_below(c.context, n); }>);
}

std::string random_uuid(EvalContext& context) {
  uint64_t high = (next_random(context) & ~0xf000ull) | 0x4000ull;
  uint64_t low = (next_random(context) & 0x3fffffffffffffffull) | 0x8000000000000000ull;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xffff, low >> 48,
                     low & 0xffffffffffffull);
}

void bind_uuid(Binding& b) {
  b.by_letters("", "");
  b.type = DataType::character(36).not_null();
  b.kernel = lift<[](const KernelCall& c) { return random_uuid(c.context); }>;
}

void bind_log(Binding& b) {
  b.by_letters("d[d", "d");
  b.kernel = b.count() == 1 ? Kernel(math<std::log>)
                            : Kernel(lift<[](double base, double v) { return std::log(v) / std::log(base); }>);
}

template <double Value>
double constant() {
  return Value;
}

}  // namespace

std::vector<Function> numeric_functions() {
  auto d = [](std::string_view name, Kernel kernel) {
    return Function{{name}, "numeric", name, "d", "d", kernel, nullptr, true};
  };
  auto custom = [](std::vector<std::string_view> names, std::string_view usage, void (*bind)(Binding&),
                   bool deterministic = true) {
    return Function{std::move(names), "numeric", usage, "", "", nullptr, bind, deterministic};
  };
  return {
      d("ACOS", math<std::acos>),
      d("ASIN", math<std::asin>),
      d("ATAN", math<std::atan>),
      d("COS", math<std::cos>),
      d("COSH", math<std::cosh>),
      d("COT", math<cotangent>),
      d("DEGREES", math<to_degrees>),
      d("EXP", math<std::exp>),
      d("LN", math<std::log>),
      d("LOG10", math<log_10>),
      d("LOG2", math<log_2>),
      d("RADIANS", math<to_radians>),
      d("SIN", math<std::sin>),
      d("SINH", math<std::sinh>),
      d("SQRT", math<std::sqrt>),
      d("TAN", math<std::tan>),
      d("TANH", math<std::tanh>),
      Function{
          {"ATAN2"}, "numeric", "ATAN2(y, x)", "dd", "d", lift<[](double y, double x) { return std::atan2(y, x); }>},
      Function{{"POWER"}, "numeric", "POWER(a, b)", "dd", "d", lift<[](double a, double b) { return std::pow(a, b); }>},
      Function{{"PI"}, "numeric", "PI()", "", "d", lift<[]() { return 3.141592653589793; }>},
      Function{{"E"}, "numeric", "E()", "", "d", lift<[]() { return 2.718281828459045; }>},
      Function{{"BIN"},
               "numeric",
               "BIN(integer)",
               "l",
               "s",
               lift<[](int64_t v) { return fmt::format("{:b}", static_cast<uint64_t>(v)); }>},
      custom({"UUID"}, "UUID()", bind_uuid, false),
      custom({"ABS"}, "ABS(number)", bind_abs),
      custom({"SIGN"}, "SIGN(number)", bind_sign),
      custom({"FLOOR"}, "FLOOR(number) or FLOOR(time TO unit)", bind_floor<false>),
      custom({"CEIL", "CEILING"}, "CEIL(number) or CEIL(time TO unit)", bind_floor<true>),
      custom({"ROUND"}, "ROUND(number[, places])", bind_round<false>),
      custom({"TRUNCATE"}, "TRUNCATE(number[, places])", bind_round<true>),
      custom({"LOG"}, "LOG([base,] number)", bind_log),
      custom({"HEX"}, "HEX(number) or HEX(string)", bind_hex),
      custom({"RAND"}, "RAND([seed])", bind_random, false),
      custom({"RAND_INTEGER"}, "RAND_INTEGER([seed,] bound)", bind_random_integer, false),
  };
}

}  // namespace millrace::processing
