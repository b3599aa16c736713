// Comparisons, the logic of three values, IN and BETWEEN.
#include <algorithm>
#include <unordered_set>

#include "processing/functions/kernel.h"
#include "processing/functions/loops.h"

namespace millrace::processing {

std::vector<uint8_t> merged_nulls(const Column& a, const Column& b, size_t size, bool& all_null) {
  std::vector<uint8_t> nulls;
  for (const Column* column : {&a, &b}) {
    const uint8_t* in = column->nulls();
    if (in == nullptr) continue;
    if (column->is_constant()) {
      if (in[0] != 0) all_null = true;
      continue;
    }
    if (nulls.empty()) {
      nulls.assign(in, in + size);
    } else {
      for (size_t i = 0; i < size; ++i) nulls[i] |= in[i];
    }
  }
  return nulls;
}

namespace {

struct Equal {
  template <class T>
  static bool of(const T& a, const T& b) {
    return a == b;
  }
};
struct NotEqual {
  template <class T>
  static bool of(const T& a, const T& b) {
    return !(a == b);
  }
};
struct Less {
  template <class T>
  static bool of(const T& a, const T& b) {
    if constexpr (std::is_same_v<T, Value>)
      return compare(a, b) < 0;
    else
      return a < b;
  }
};
struct LessEqual {
  template <class T>
  static bool of(const T& a, const T& b) {
    if constexpr (std::is_same_v<T, Value>)
      return compare(a, b) <= 0;
    else
      return a <= b;
  }
};
struct Greater {
  template <class T>
  static bool of(const T& a, const T& b) {
    return Less::of(b, a);
  }
};
struct GreaterEqual {
  template <class T>
  static bool of(const T& a, const T& b) {
    return LessEqual::of(b, a);
  }
};

template <class Op>
Column compare_decimals(const KernelCall& call) {
  int left = call.args[0].type().scale, right = call.args[1].type().scale;
  if (left == right) return combine<Int128, uint8_t, Op>(call);
  return lift<[](const KernelCall& c, Int128 a, Int128 b) {
    return Op::of(decimal_compare(a, c.args[0].type().scale, b, c.args[1].type().scale), 0);
  }>(call);
}

template <class Op>
Kernel comparison_kernel(TypeRoot root) {
  switch (physical_of(root)) {
    case Physical::boolean:
      return combine<uint8_t, uint8_t, Op>;
    case Physical::int32:
      return combine<int32_t, uint8_t, Op>;
    case Physical::int64:
      return combine<int64_t, uint8_t, Op>;
    case Physical::float_:
      return combine<float, uint8_t, Op>;
    case Physical::double_:
      return combine<double, uint8_t, Op>;
    case Physical::decimal:
      return compare_decimals<Op>;
    case Physical::text:
      return combine<std::string_view, uint8_t, Op>;
    case Physical::timestamp:
      return combine<TimestampValue, uint8_t, Op>;
    case Physical::boxed:
      break;
  }
  return combine<Value, uint8_t, Op>;
}

Kernel comparison_kernel(std::string_view op, TypeRoot root) {
  if (op == "=") return comparison_kernel<Equal>(root);
  if (op == "<>" || op == "!=") return comparison_kernel<NotEqual>(root);
  if (op == "<") return comparison_kernel<Less>(root);
  if (op == "<=") return comparison_kernel<LessEqual>(root);
  if (op == ">") return comparison_kernel<Greater>(root);
  return comparison_kernel<GreaterEqual>(root);
}

// The type in which two comparable values are compared, as Java's promotion does it.
DataType comparison_type(const Binding& b, const DataType& x, const DataType& y) {
  if (x.is_numeric() && y.is_numeric()) {
    if (x.is(TypeRoot::double_) || y.is(TypeRoot::double_)) return DataType::double_();
    if (x.is_approximate() || y.is_approximate()) {
      bool decimal = x.is(TypeRoot::decimal) || y.is(TypeRoot::decimal);
      return decimal ? DataType::double_() : DataType::float_();
    }
    return common_type(x, y).value();
  }
  if (x.is_timestamp() && y.is_timestamp()) {
    int precision = std::max(x.precision, y.precision);
    return x.is(TypeRoot::timestamp) || y.is(TypeRoot::timestamp) ? DataType::timestamp(precision)
                                                                  : DataType::timestamp_ltz(precision);
  }
  if (x.is_text() != y.is_text()) {
    const DataType& other = x.is_text() ? y : x;
    if (other.is_datetime()) return other;
    b.refuse_text(java::code_gen, "implicit type conversion between " + std::string(root_text(x.root)) + " and " +
                                      std::string(root_text(y.root)) + " is not supported now");
  }
  return common_type(x, y).value_or(x);
}

void settle_nulls(Binding& b) {
  DataType known = DataType::integer();
  for (size_t i = 0; i < b.count(); ++i) {
    if (b.arg(i).root != TypeRoot::null) known = b.arg(i);
  }
  for (size_t i = 0; i < b.count(); ++i) {
    if (b.arg(i).root == TypeRoot::null) b.cast(i, known);
  }
}

void cast_for_comparison(Binding& b) {
  DataType type = comparison_type(b, b.arg(0), b.arg(1));
  for (size_t i = 0; i < 2; ++i) {
    if (b.arg(i).is(TypeRoot::decimal) && type.is(TypeRoot::decimal)) continue;  // compared at their own scales
    if (b.arg(i).is_integral() && type.is(TypeRoot::decimal)) {
      b.cast(i, as_decimal(b.arg(i)));
    } else if (b.arg(i).root != type.root && physical_of(b.arg(i).root) != Physical::text) {
      b.cast(i, type);
    } else if (b.arg(i).is_text() && !type.is_text()) {
      b.cast(i, type);
    } else if (type.is_nested()) {
      b.cast(i, type);
    }
  }
}

void bind_comparison(Binding& b) {
  settle_nulls(b);
  std::string op(b.name == "!=" ? "<>" : b.name);
  if (!comparable(b.arg(0), b.arg(1))) b.refuse("'<COMPARABLE_TYPE> " + op + " <COMPARABLE_TYPE>'");
  cast_for_comparison(b);
  b.result_nullable_if_any(DataType::boolean());
  b.kernel = comparison_kernel(op, b.arg(0).root);
}

// IS [NOT] DISTINCT FROM: null is a value like any other.
template <bool Same>
Column distinctness(const KernelCall& call) {
  return run_boxed(call, [](const KernelCall& c, std::span<const Value> v) {
    bool same;
    if (v[0].is_null() || v[1].is_null()) {
      same = v[0].is_null() && v[1].is_null();
    } else if (c.args[0].type().is(TypeRoot::decimal)) {
      same = decimal_compare(v[0].as_decimal(), c.args[0].type().scale, v[1].as_decimal(), c.args[1].type().scale) == 0;
    } else {
      same = v[0] == v[1];
    }
    return Value::boolean(same == Same);
  });
}

template <bool Same>
void bind_distinct(Binding& b) {
  settle_nulls(b);
  if (!comparable(b.arg(0), b.arg(1))) {
    b.refuse("'<COMPARABLE_TYPE> " + std::string(b.name) + " <COMPARABLE_TYPE>'");
  }
  cast_for_comparison(b);
  b.type = DataType::boolean().not_null();
  b.kernel = distinctness<Same>;
}

// ---- logic ----

template <Expr::Kind Kind>
void bind_and_or(Binding& b) {
  std::vector<ExprPtr> flat;
  for (size_t i = 0; i < b.count(); ++i) {
    if (b.arg(i).root == TypeRoot::null) b.cast(i, DataType::boolean());
    if (b.arg(i).root != TypeRoot::boolean) {
      std::string name(b.name);
      b.refuse("'<BOOLEAN> " + name + " <BOOLEAN>'");
    }
    if (b.args[i]->kind == Kind) {
      flat.insert(flat.end(), b.args[i]->args.begin(), b.args[i]->args.end());
    } else {
      flat.push_back(b.args[i]);
    }
  }
  b.args = std::move(flat);
  b.kind = Kind;
  b.result_nullable_if_any(DataType::boolean());
}

void bind_not(Binding& b) {
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::boolean());
  if (b.arg(0).root != TypeRoot::boolean) b.refuse("'NOT<BOOLEAN>'");
  b.type = b.arg(0);
  b.kernel = lift<[](bool v) { return !v; }>;
}

// A boolean of every row by f(null?, row).
template <class F>
Column tests(const KernelCall& call, F f) {
  const Column& in = call.args[0];
  ColumnBuilder out(call.expr.type);
  out.resize(call.rows.size);
  std::vector<uint8_t>& values = out.values<uint8_t>();
  for (size_t i = 0; i < call.rows.size; ++i) values[i] = f(in.is_null(i), i) ? 1 : 0;
  return out.finish();
}

template <bool Null>
Column null_test(const KernelCall& call) {
  return tests(call, [](bool null, size_t) { return null == Null; });
}

template <bool Wanted, bool Is>
Column truth_test(const KernelCall& call) {
  const Column& in = call.args[0];
  return tests(call, [&](bool null, size_t row) { return (!null && (in.at<uint8_t>(row) != 0) == Wanted) == Is; });
}

template <bool Boolean>
void bind_test(Binding& b) {
  if (b.arg(0).root == TypeRoot::null && Boolean) b.cast(0, DataType::boolean());
  if (Boolean && b.arg(0).root != TypeRoot::boolean) b.refuse("'<BOOLEAN> " + std::string(b.name) + "'");
  b.type = DataType::boolean().not_null();
}

// ---- IN ----

template <class T>
struct InList {
  std::vector<T> few;  // searched one by one
  std::unordered_set<T> many;
  bool has_null = false;
  std::vector<std::string> text;  // owns what views look at

  bool contains(const T& v) const {
    if (!many.empty()) return many.contains(v);
    return std::find(few.begin(), few.end(), v) != few.end();
  }
};

template <class T, bool Is>
Column in_kernel(const KernelCall& call) {
  return lift<[](const KernelCall& c, T v) -> std::optional<bool> {
    const auto& list = prepared<InList<T>>(c);
    if (list.contains(v)) return Is;
    if (list.has_null) return std::nullopt;
    return !Is;
  }>(call);
}

template <class T, bool Is, class F>
void prepare_in(Binding& b, F unbox) {
  auto list = std::make_shared<InList<T>>();
  list->text.reserve(b.count());
  for (size_t i = 1; i < b.count(); ++i) {
    const Value& v = b.args[i]->literal;
    if (v.is_null()) {
      list->has_null = true;
    } else {
      list->few.push_back(unbox(*list, v));
    }
  }
  if (list->few.size() > 16) list->many.insert(list->few.begin(), list->few.end());
  b.args.resize(1);
  b.prepared = std::move(list);
  b.kernel = in_kernel<T, Is>;
}

template <bool Is>
void bind_in(Binding& b) {
  if (b.count() < 2) b.refuse_count("2 or more");
  settle_nulls(b);
  std::vector<DataType> types;
  for (const ExprPtr& arg : b.args) {
    if (!comparable(b.arg(0), arg->type)) {
      b.refuse_text(java::validator, "Values passed to IN operator must have compatible types");
    }
    types.push_back(arg->type);
  }
  std::optional<DataType> type = common_type(types);
  if (!type) type = b.arg(0);
  if (b.arg(0).is_datetime()) type = b.arg(0);
  EvalContext context;
  bool constant = true;
  for (size_t i = 0; i < b.count(); ++i) {
    if (!type->is_text() || !b.arg(i).is_text()) b.cast(i, *type);
    if (i == 0) continue;
    if (std::optional<Value> v = constant_value(b.args[i], context)) {
      b.args[i] = make_literal(std::move(*v), *type, b.args[i]->position);
    } else {
      constant = false;
    }
  }
  DataType result = DataType::boolean().with_nullable(b.any_nullable());
  if (constant) {
    b.type = result;
    switch (physical_of(type->root)) {
      case Physical::int32:
        return prepare_in<int32_t, Is>(b, [](auto&, const Value& v) { return static_cast<int32_t>(v.as_int()); });
      case Physical::int64:
        return prepare_in<int64_t, Is>(b, [](auto&, const Value& v) { return v.as_int(); });
      case Physical::text:
        return prepare_in<std::string_view, Is>(
            b, [](auto& list, const Value& v) { return std::string_view(list.text.emplace_back(v.as_text())); });
      default:
        break;
    }
  }
  // x = a OR x = b …
  std::vector<ExprPtr> tests;
  for (size_t i = 1; i < b.count(); ++i) tests.push_back(make_call("=", {b.args[0], b.args[i]}, b.where));
  ExprPtr any = tests.size() == 1 ? tests[0] : make_call("OR", std::move(tests), b.where);
  b.replacement = Is ? any : make_call("NOT", {any}, b.where);
}

// ---- BETWEEN ----

template <bool Is, bool Symmetric>
void bind_between(Binding& b) {
  if (b.count() != 3) b.refuse_count("3");
  settle_nulls(b);
  if (!comparable(b.arg(0), b.arg(1)) || !comparable(b.arg(0), b.arg(2))) {
    b.refuse("'<COMPARABLE_TYPE> BETWEEN <COMPARABLE_TYPE> AND <COMPARABLE_TYPE>'");
  }
  auto within = [&](const ExprPtr& low, const ExprPtr& high) {
    return make_call("AND", {make_call(">=", {b.args[0], low}, b.where), make_call("<=", {b.args[0], high}, b.where)},
                     b.where);
  };
  ExprPtr inside = within(b.args[1], b.args[2]);
  if (Symmetric) inside = make_call("OR", {inside, within(b.args[2], b.args[1])}, b.where);
  b.replacement = Is ? inside : make_call("NOT", {inside}, b.where);
}

}  // namespace

std::vector<Function> comparison_functions() {
  auto row = [](std::vector<std::string_view> names, std::string_view usage, void (*bind)(Binding&),
                Kernel kernel = nullptr) {
    return Function{std::move(names), "comparison", usage, "", "", kernel, bind, true};
  };
  return {
      row({"="}, "a = b", bind_comparison),
      row({"<>", "!="}, "a <> b", bind_comparison),
      row({"<"}, "a < b", bind_comparison),
      row({"<="}, "a <= b", bind_comparison),
      row({">"}, "a > b", bind_comparison),
      row({">="}, "a >= b", bind_comparison),
      row({"IS DISTINCT FROM"}, "a IS DISTINCT FROM b", bind_distinct<false>),
      row({"IS NOT DISTINCT FROM"}, "a IS NOT DISTINCT FROM b", bind_distinct<true>),
      row({"BETWEEN", "BETWEEN ASYMMETRIC"}, "a BETWEEN b AND c", bind_between<true, false>),
      row({"NOT BETWEEN", "NOT BETWEEN ASYMMETRIC"}, "a NOT BETWEEN b AND c", bind_between<false, false>),
      row({"BETWEEN SYMMETRIC"}, "a BETWEEN SYMMETRIC b AND c", bind_between<true, true>),
      row({"NOT BETWEEN SYMMETRIC"}, "a NOT BETWEEN SYMMETRIC b AND c", bind_between<false, true>),
      row({"IN"}, "a IN (b, …)", bind_in<true>),
      row({"NOT IN"}, "a NOT IN (b, …)", bind_in<false>),
      row({"AND"}, "a AND b", bind_and_or<Expr::Kind::and_>),
      row({"OR"}, "a OR b", bind_and_or<Expr::Kind::or_>),
      row({"NOT"}, "NOT a", bind_not),
      row({"IS NULL"}, "a IS NULL", bind_test<false>, null_test<true>),
      row({"IS NOT NULL"}, "a IS NOT NULL", bind_test<false>, null_test<false>),
      row({"IS TRUE"}, "a IS TRUE", bind_test<true>, truth_test<true, true>),
      row({"IS NOT TRUE"}, "a IS NOT TRUE", bind_test<true>, truth_test<true, false>),
      row({"IS FALSE"}, "a IS FALSE", bind_test<true>, truth_test<false, true>),
      row({"IS NOT FALSE"}, "a IS NOT FALSE", bind_test<true>, truth_test<false, false>),
      row({"IS UNKNOWN"}, "a IS UNKNOWN", bind_test<true>, null_test<true>),
      row({"IS NOT UNKNOWN"}, "a IS NOT UNKNOWN", bind_test<true>, null_test<false>),
  };
}

}  // namespace millrace::processing
