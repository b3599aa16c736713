// CASE, COALESCE, IF, NULLIF, GREATEST, LEAST and tests of text.
#include <re2/re2.h>

#include <algorithm>

#include "processing/functions/kernel.h"
#include "processing/functions/number_text.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

DataType mixed_type(const Binding& b, std::span<const DataType> types, const char* java_class = java::validator,
                    const char* refusal = "Illegal mixing of types in CASE or COALESCE statement") {
  std::optional<DataType> type = common_type(types);
  if (!type) b.refuse_text(java_class, refusal);
  if (type->root == TypeRoot::null) {
    b.refuse_text(java::validator, "ELSE clause or at least one THEN clause must be non-NULL");
  }
  return *type;
}

void cast_to(Binding& b, size_t i, const DataType& type) {
  if (b.arg(i).is_text() && type.is_text()) return;  // their lengths differ, their bytes do not
  b.cast(i, type);
}

void bind_case(Binding& b) {
  std::vector<DataType> results;
  for (size_t i = 0; i < b.count(); ++i) {
    bool condition = i % 2 == 0 && i + 1 < b.count();
    if (!condition) {
      results.push_back(b.arg(i));
      continue;
    }
    if (b.arg(i).root == TypeRoot::null) b.cast(i, DataType::boolean());
    if (b.arg(i).root != TypeRoot::boolean) {
      b.refuse_text(java::validator, "Expected a boolean type");
    }
  }
  DataType type = mixed_type(b, results);
  for (size_t i = 0; i < b.count(); ++i) {
    if (i % 2 == 1 || i + 1 == b.count()) cast_to(b, i, type);
  }
  b.type = type.with_attribute(TimeAttribute::none);
  b.kind = Expr::Kind::case_;
}

void bind_if(Binding& b) {
  if (b.count() != 3) b.refuse_count("3");
  bind_case(b);
}

void bind_coalesce(Binding& b) {
  if (b.count() == 0) b.refuse_count("1");
  std::vector<DataType> types;
  for (const ExprPtr& arg : b.args) types.push_back(arg->type);
  DataType type = mixed_type(b, types, java::validation, "Invalid input arguments.");
  bool nullable = std::all_of(types.begin(), types.end(), [](const DataType& t) { return t.nullable; });
  // The arguments are evaluated one after the other, as far as needed.
  std::vector<ExprPtr> cases;
  for (size_t i = 0; i < b.count(); ++i) {
    cast_to(b, i, type);
    if (i + 1 < b.count()) cases.push_back(make_call("IS NOT NULL", {b.args[i]}, b.where));
    cases.push_back(b.args[i]);
  }
  if (b.count() == 1) {
    b.replacement = b.args[0];
    return;
  }
  b.args = std::move(cases);
  b.type = type.with_nullable(nullable).with_attribute(TimeAttribute::none);
  b.kind = Expr::Kind::case_;
}

void bind_nullif(Binding& b) {
  if (b.count() != 2) b.refuse_count("2");
  ExprPtr equal = make_call("=", {b.args[0], b.args[1]}, b.where);
  ExprPtr value = b.args[0];
  b.args = {equal, make_literal(Value(), value->type), value};
  b.type = value->type.with_nullable(true).with_attribute(TimeAttribute::none);
  b.kind = Expr::Kind::case_;
}

// The greatest or least; NULL when one is.
template <bool Greatest>
Column extreme(const KernelCall& call) {
  return run_boxed(call, [](const KernelCall&, std::span<const Value> values) {
    const Value* best = &values[0];
    for (const Value& v : values) {
      if (v.is_null()) return Value();
      if (Greatest ? compare(*best, v) < 0 : compare(v, *best) < 0) best = &v;
    }
    return *best;
  });
}

void bind_extreme(Binding& b) {
  if (b.count() == 0) b.refuse_count("1");
  std::vector<DataType> types;
  for (const ExprPtr& arg : b.args) types.push_back(arg->type);
  for (size_t i = 1; i < types.size(); ++i) {
    if (common_type(types[0], types[i])) continue;
    b.refuse_text(java::validation,
                  "All types in a comparison should support both 'EQUALS' and 'ORDER' comparison with each other. Can "
                  "not compare " +
                      to_string(types[0]) + " with " + to_string(types[i]));
  }
  DataType type = mixed_type(b, types);
  for (size_t i = 0; i < b.count(); ++i) cast_to(b, i, type);
  b.type = type.with_nullable(b.any_nullable()).with_attribute(TimeAttribute::none);
}

void bind_type_of(Binding& b) {
  if (b.count() < 1 || b.count() > 2) b.refuse_count("1 to 2");
  std::string text = to_string(b.arg(0));
  if (b.arg(0).is_interval()) {
    text = b.arg(0).is(TypeRoot::interval_months) ? "INTERVAL MONTH" : "INTERVAL SECOND(3)";
    if (!b.arg(0).nullable) text += " NOT NULL";
  }
  const bool written_out = b.count() == 2 && b.is_literal(1) && b.literal(1).as_bool();
  for (const std::string_view name : {"STRING", "BYTES"}) {
    if (!written_out || !text.starts_with(name)) continue;
    text.replace(0, name.size(), name == "STRING" ? "VARCHAR(2147483647)" : "VARBINARY(2147483647)");
  }
  b.replacement = make_literal(Value::text(std::move(text)), DataType::string().not_null(), b.where);
}

bool is_number(std::string_view text) { return java_double(text).has_value(); }

// False for NULL too.
template <bool (*Test)(std::string_view)>
Column text_test(const KernelCall& call) {
  const Column& in = call.args[0];
  ColumnBuilder out(call.expr.type);
  out.resize(call.rows.size);
  std::vector<uint8_t>& values = out.values<uint8_t>();
  call.rows.each([&](size_t r) { values[r] = !in.is_null(r) && Test(in.at<std::string_view>(r)) ? 1 : 0; });
  return out.finish();
}

bool is_alpha(std::string_view text) {
  static const re2::RE2 letters("\\p{L}+");
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), letters);
}
bool is_digits(std::string_view text) {
  static const re2::RE2 digits("\\p{Nd}+");
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), digits);
}

template <bool (*Test)(std::string_view), bool Numbers>
void bind_text_test(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  b.type = DataType::boolean().not_null();
  if (b.arg(0).is_numeric()) {
    b.replacement = make_literal(Value::boolean(Numbers), b.type, b.where);
    return;
  }
  b.by_letters("s", "");
  b.kernel = text_test<Test>;
}

}  // namespace

std::vector<Function> conditional_functions() {
  auto row = [](std::vector<std::string_view> names, std::string_view usage, void (*bind)(Binding&),
                Kernel kernel = nullptr) {
    return Function{std::move(names), "conditional", usage, "", "", kernel, bind, true};
  };
  return {
      row({"CASE"}, "CASE WHEN a THEN b … ELSE c END", bind_case),
      row({"IF"}, "IF(condition, a, b)", bind_if),
      row({"COALESCE"}, "COALESCE(a, b, …)", bind_coalesce),
      row({"IFNULL", "NVL"}, "IFNULL(a, b)", bind_coalesce),
      row({"NULLIF"}, "NULLIF(a, b)", bind_nullif),
      row({"GREATEST"}, "GREATEST(a, b, …)", bind_extreme, extreme<true>),
      row({"LEAST"}, "LEAST(a, b, …)", bind_extreme, extreme<false>),
      row({"TYPEOF"}, "TYPEOF(value)", bind_type_of),
      row({"IS_ALPHA"}, "IS_ALPHA(string)", bind_text_test<is_alpha, false>),
      row({"IS_DECIMAL"}, "IS_DECIMAL(string)", bind_text_test<is_number, true>),
      row({"IS_DIGIT"}, "IS_DIGIT(string)", bind_text_test<is_digits, true>),
  };
}

}  // namespace millrace::processing
