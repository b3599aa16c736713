// Short words for building expressions in tests, and for reading their results as Flink's client prints them.
//
// shown(expression) evaluates with constant arguments, and again with every literal turned into a column of a batch
// (beside nulls and rows outside the selection): both ways must agree.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "processing/datetime_text.h"
#include "processing/expr.h"
#include "processing/functions/aggregate.h"
#include "processing/functions/table.h"

namespace millrace::processing::testing {

inline ExprPtr i(int64_t v) { return make_literal(Value::integer(v), DataType::integer().not_null()); }
inline ExprPtr tiny(int64_t v) { return make_literal(Value::integer(v), DataType::tinyint().not_null()); }
inline ExprPtr l(int64_t v) { return make_literal(Value::integer(v), DataType::bigint().not_null()); }
inline ExprPtr d(double v) { return make_literal(Value::double_(v), DataType::double_().not_null()); }
inline ExprPtr f(float v) { return make_literal(Value::float_(v), DataType::float_().not_null()); }
inline ExprPtr s(std::string v) { return make_literal(Value::text(std::move(v)), DataType::string().not_null()); }
inline ExprPtr chars(std::string v) {
  int32_t n = static_cast<int32_t>(v.size());
  return make_literal(Value::text(std::move(v)), DataType::character(n).not_null());
}
inline ExprPtr bytes(std::string v) { return make_literal(Value::text(std::move(v)), DataType::bytes().not_null()); }
inline ExprPtr b(bool v) { return make_literal(Value::boolean(v), DataType::boolean().not_null()); }
inline ExprPtr dec(std::string_view text, int precision, int scale) {
  return make_literal(Value::decimal(parse_decimal(text, precision, scale).value()),
                      DataType::decimal(precision, scale).not_null());
}
inline ExprPtr date(std::string_view text) {
  return make_literal(Value::integer(parse_date(text).value()), DataType::date().not_null());
}
inline ExprPtr time(std::string_view text) {
  return make_literal(Value::integer(parse_time(text).value()), DataType::time(0).not_null());
}
inline ExprPtr ts(std::string_view text, int precision = 3) {
  return make_literal(Value::timestamp(parse_timestamp(text, 9).value()), DataType::timestamp(precision).not_null());
}
inline ExprPtr ltz(int64_t millis) {
  return make_literal(Value::timestamp(millis), DataType::timestamp_ltz(3).not_null());
}
inline ExprPtr none(DataType type) { return make_literal(Value(), type.with_nullable(true)); }
inline ExprPtr sym(std::string_view keyword) { return make_symbol(keyword); }
inline ExprPtr call(std::string_view name, std::vector<ExprPtr> args = {}) { return make_call(name, std::move(args)); }
inline ExprPtr cast(ExprPtr value, DataType to) { return make_cast(std::move(value), to); }
inline ExprPtr try_cast(ExprPtr value, DataType to) { return make_cast(std::move(value), to, true); }

inline EvalContext context(std::string_view zone = "UTC") {
  EvalContext c;
  c.zone = TimeZone::find(zone).value();
  c.now = {1'700'000'000'123, 0};
  return c;
}

// Literals as columns: row 1 holds the value, row 0 null, row 2 the value again but outside the selection.
inline ExprPtr as_columns(const ExprPtr& expr, Batch& batch) {
  if (expr->kind == Expr::Kind::literal && expr->type.root != TypeRoot::symbol) {
    std::vector<Value> values = {Value(), expr->literal, Value()};
    batch.columns.push_back(Column::from_values(expr->type, values));
    return make_column(static_cast<int>(batch.columns.size()) - 1, expr->type.with_nullable(true));
  }
  if (expr->args.empty()) return expr;
  auto copy = std::make_shared<Expr>(*expr);
  for (ExprPtr& arg : copy->args) arg = as_columns(arg, batch);
  return copy;
}

inline std::string shown(const ExprPtr& expr, EvalContext c = context()) {
  Batch nothing;
  nothing.rows = 1;
  EvalContext again = c;
  std::string constant = cell_text(evaluate(*expr, nothing, c).value(0), expr->type, c.zone);
  Batch batch;
  batch.rows = 3;
  ExprPtr over_columns = as_columns(expr, batch);
  batch.selection = std::vector<uint32_t>{1};
  std::string columnar = cell_text(evaluate(*over_columns, batch, again).value(1), expr->type, c.zone);
  CHECK(columnar == constant);
  return constant;
}
inline std::string shown_in(std::string_view zone, const ExprPtr& expr) { return shown(expr, context(zone)); }

inline std::string type_of(const ExprPtr& expr) { return to_string(expr->type); }

// "class: message" of the failure, at planning or when it runs.
template <class F>
std::string failure(F f) {
  try {
    f();
  } catch (const SqlFailure& e) {
    return e.java_class() + ": " + e.what();
  }
  return "no failure";
}
inline std::string run_failure(const ExprPtr& expr) {
  return failure([&] { shown(expr); });
}

}  // namespace millrace::processing::testing
