#include "processing/expr.h"

#include <algorithm>

#include "processing/functions/kernel.h"
#include "processing/functions/table.h"

namespace millrace::processing {

// ---- building ----

namespace {

std::shared_ptr<Expr> make(Expr::Kind kind, DataType type, SourcePosition where) {
  auto expr = std::make_shared<Expr>();
  expr->kind = kind;
  expr->type = std::move(type);
  expr->position = where;
  return expr;
}

const Column& literal_column(const Expr& expr) { return *static_cast<const Column*>(expr.prepared.get()); }

}  // namespace

ExprPtr make_column(int index, DataType type, std::string name, SourcePosition where) {
  std::shared_ptr<Expr> expr = make(Expr::Kind::column, std::move(type), where);
  expr->index = index;
  expr->name = std::move(name);
  return expr;
}

ExprPtr make_literal(Value value, DataType type, SourcePosition where) {
  if (value.is_null()) type.nullable = true;
  std::shared_ptr<Expr> expr = make(Expr::Kind::literal, std::move(type), where);
  expr->literal = std::move(value);
  expr->prepared = std::make_shared<const Column>(Column::constant(expr->type, expr->literal, 1));
  return expr;
}

ExprPtr make_null(SourcePosition where) { return make_literal(Value(), DataType(TypeRoot::null), where); }

ExprPtr make_symbol(std::string_view keyword, SourcePosition where) {
  return make_literal(Value::text(keyword), DataType::symbol(), where);
}

ExprPtr make_field(ExprPtr row, int field, SourcePosition where) {
  const Field& f = row->type.fields->at(static_cast<size_t>(field));
  std::shared_ptr<Expr> expr =
      make(Expr::Kind::field, f.type.with_nullable(f.type.nullable || row->type.nullable), where);
  expr->index = field;
  expr->name = f.name;
  expr->deterministic = row->deterministic;
  expr->args.push_back(std::move(row));
  return expr;
}

ExprPtr make_call(std::string_view name, std::vector<ExprPtr> args, SourcePosition where) {
  const Function* function = find_function(name);
  if (function == nullptr) {
    std::vector<DataType> types;
    for (const ExprPtr& arg : args) types.push_back(arg->type);
    refuse_unknown_function(name, types, where);
  }
  Binding binding;
  binding.name = name;
  binding.function = function;
  binding.args = std::move(args);
  binding.where = where;
  binding.deterministic = function->deterministic;
  binding.kernel = function->kernel;
  if (function->bind != nullptr) {
    function->bind(binding);
  } else {
    binding.by_letters();
  }
  if (binding.replacement) return binding.replacement;
  std::shared_ptr<Expr> expr = make(binding.kind, std::move(binding.type), where);
  expr->args = std::move(binding.args);
  expr->name = std::string(name);
  expr->function = function;
  expr->kernel = binding.kernel;
  expr->prepared = std::move(binding.prepared);
  expr->deterministic = binding.deterministic;
  for (const ExprPtr& arg : expr->args) expr->deterministic = expr->deterministic && arg->deterministic;
  return expr;
}

namespace {

// What Flink advises who casts between moments and numbers; empty for other casts.
std::string_view moments_and_numbers(const DataType& from, const DataType& to) {
  if (from.is(TypeRoot::timestamp) && to.is_numeric()) {
    return "The cast from TIMESTAMP type to NUMERIC type is not allowed. It's recommended to use "
           "UNIX_TIMESTAMP(CAST(timestamp_col AS STRING)) instead.";
  }
  if (from.is(TypeRoot::timestamp_ltz) && to.is_numeric()) {
    return "The cast from TIMESTAMP_LTZ type to NUMERIC type is not allowed.";
  }
  if (from.is_numeric() && to.is(TypeRoot::timestamp)) {
    return "The cast from NUMERIC type to TIMESTAMP type is not allowed. It's recommended to use "
           "TO_TIMESTAMP(FROM_UNIXTIME(numeric_col)) instead, note the numeric is in seconds.";
  }
  if (from.is_numeric() && to.is(TypeRoot::timestamp_ltz)) {
    return "The cast from NUMERIC type to TIMESTAMP_LTZ type is not allowed. It's recommended to use "
           "TO_TIMESTAMP_LTZ(numeric_col, precision) instead.";
  }
  return {};
}

}  // namespace

ExprPtr coerce(ExprPtr value, const DataType& to) {
  bool nullable = value->type.nullable;
  if (value->type.root == to.root && same_ignoring_nullability(value->type, to)) return value;
  if (!can_cast_explicitly(value->type, to)) {
    throw PlanFailure(java::code_gen, "Only legacy cast behaviour supports cast from '" + to_string(value->type) +
                                          "' to '" + to_string(to.with_nullable(nullable)) + "'.");
  }
  SourcePosition where = value->position;
  return make_cast(std::move(value), to.with_nullable(nullable), false, where);
}

ExprPtr make_cast(ExprPtr value, const DataType& to, bool try_cast, SourcePosition where) {
  const DataType& from = value->type;
  DataType type = to.with_nullable(from.nullable || try_cast).with_attribute(TimeAttribute::none);
  // A decimal that does not fit becomes NULL, but the type does not say so.
  if (value->kind == Expr::Kind::literal && value->literal.is_null()) {
    return make_literal(Value(), to.with_nullable(true), where);
  }
  if (!can_cast_explicitly(from, to)) {
    if (const std::string_view why = moments_and_numbers(from, to); !why.empty()) {
      throw PlanFailure(java::validation, std::string(why), where);
    }
    throw PlanFailure(
        java::validator,
        "Cast function cannot convert value of type " + planner_text(from) + " to type " + planner_text(to), where);
  }
  std::shared_ptr<Expr> expr = make(Expr::Kind::call, type, where);
  expr->name = try_cast ? "TRY_CAST" : "CAST";
  expr->function = find_function(expr->name);
  expr->kernel = cast_kernel(from, to, try_cast);
  if (expr->kernel == nullptr) {
    throw PlanFailure(java::code_gen, "Unsupported cast from '" + to_string(from) + "' to '" + to_string(to) + "'.");
  }
  expr->deterministic = value->deterministic;
  expr->args.push_back(std::move(value));
  return expr;
}

// ---- walking ----

namespace {

ExprPtr with_args(const Expr& expr, std::vector<ExprPtr> args) {
  auto copy = std::make_shared<Expr>(expr);
  copy->args = std::move(args);
  return copy;
}

void collect_columns(const Expr& expr, std::vector<int>& out) {
  if (expr.kind == Expr::Kind::column) out.push_back(expr.index);
  for (const ExprPtr& arg : expr.args) collect_columns(*arg, out);
}

}  // namespace

ExprPtr remap_columns(const ExprPtr& expr, std::span<const int> mapping) {
  if (expr->kind == Expr::Kind::column) {
    auto copy = std::make_shared<Expr>(*expr);
    copy->index = mapping[static_cast<size_t>(expr->index)];
    return copy;
  }
  if (expr->args.empty()) return expr;
  std::vector<ExprPtr> args;
  for (const ExprPtr& arg : expr->args) args.push_back(remap_columns(arg, mapping));
  return with_args(*expr, std::move(args));
}

std::vector<int> columns_of(const ExprPtr& expr) {
  std::vector<int> columns;
  collect_columns(*expr, columns);
  std::sort(columns.begin(), columns.end());
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  return columns;
}

std::optional<Value> constant_value(const ExprPtr& expr, EvalContext& context) {
  if (expr->kind == Expr::Kind::literal) return expr->literal;
  if (!expr->deterministic || !columns_of(expr).empty()) return std::nullopt;
  Batch nothing;
  nothing.rows = 1;
  try {
    return evaluate(*expr, nothing, context).value(0);
  } catch (const RunFailure&) {
    return std::nullopt;
  }
}

ExprPtr fold_constants(const ExprPtr& expr, EvalContext& context) {
  if (expr->args.empty()) return expr;
  if (std::optional<Value> value = constant_value(expr, context)) {
    return make_literal(std::move(*value), expr->type, expr->position);
  }
  std::vector<ExprPtr> args;
  bool changed = false;
  for (const ExprPtr& arg : expr->args) {
    args.push_back(fold_constants(arg, context));
    changed = changed || args.back() != arg;
  }
  return changed ? with_args(*expr, std::move(args)) : expr;
}

// ---- evaluating ----

namespace {

// A list of rows that owns its numbers.
struct RowList {
  std::vector<uint32_t> numbers;
  Rows rows(size_t size) const { return {numbers.data(), numbers.size(), size}; }
};

bool is_true(const Column& condition, size_t row) { return !condition.is_null(row) && condition.at<uint8_t>(row) != 0; }

// AND when `stop` is 0, OR when it is 1: an argument is only computed for rows that no earlier one has decided.
Column evaluate_logic(const Expr& expr, const Batch& batch, const Rows& rows, EvalContext& context, uint8_t stop) {
  ColumnBuilder out(expr.type);
  out.resize(rows.size);
  std::vector<uint8_t>& values = out.values<uint8_t>();
  std::vector<uint8_t> unknown(rows.size, 0);
  RowList open;
  rows.each([&](size_t r) {
    values[r] = stop ^ 1;
    open.numbers.push_back(static_cast<uint32_t>(r));
  });
  for (const ExprPtr& arg : expr.args) {
    if (open.numbers.empty()) break;
    bool all = open.numbers.size() == rows.count;
    Column side = evaluate(*arg, batch, all ? rows : open.rows(rows.size), context);
    size_t kept = 0;
    for (uint32_t r : open.numbers) {
      if (side.is_null(r)) {
        unknown[r] = 1;
      } else if (side.at<uint8_t>(r) == stop) {
        values[r] = stop;
        unknown[r] = 0;
        continue;
      }
      open.numbers[kept++] = r;
    }
    open.numbers.resize(kept);
  }
  for (uint32_t r : open.numbers) {
    if (unknown[r] != 0) out.set_null(r);
  }
  return out.finish();
}

// Copies the rows of `from` that `list` names to the same rows of `out`.
void scatter(const Column& from, const std::vector<uint32_t>& list, ColumnBuilder& out) {
  auto copy = [&]<class T>(T) {
    Reader<T> in(from);
    std::vector<T>& values = out.values<T>();
    for (uint32_t r : list) {
      if (in.null(r)) {
        out.set_null(r);
      } else {
        values[r] = in[r];
      }
    }
  };
  switch (from.physical()) {
    case Physical::boolean:
      return copy(uint8_t{});
    case Physical::int32:
      return copy(int32_t{});
    case Physical::int64:
      return copy(int64_t{});
    case Physical::float_:
      return copy(float{});
    case Physical::double_:
      return copy(double{});
    case Physical::decimal:
      return copy(Int128{});
    case Physical::text:
      out.keep(from.owner());
      return copy(std::string_view{});
    case Physical::timestamp:
      return copy(TimestampValue{});
    case Physical::boxed:
      return copy(Value{});
  }
}

Column evaluate_case(const Expr& expr, const Batch& batch, const Rows& rows, EvalContext& context) {
  ColumnBuilder out(expr.type);
  out.resize(rows.size);
  RowList open;
  rows.each([&](size_t r) { open.numbers.push_back(static_cast<uint32_t>(r)); });
  for (size_t i = 0; i + 1 < expr.args.size() && !open.numbers.empty(); i += 2) {
    Column when = evaluate(*expr.args[i], batch, open.rows(rows.size), context);
    RowList hit, rest;
    for (uint32_t r : open.numbers) (is_true(when, r) ? hit : rest).numbers.push_back(r);
    if (!hit.numbers.empty()) {
      scatter(evaluate(*expr.args[i + 1], batch, hit.rows(rows.size), context), hit.numbers, out);
    }
    open = std::move(rest);
  }
  if (!open.numbers.empty()) {
    scatter(evaluate(*expr.args.back(), batch, open.rows(rows.size), context), open.numbers, out);
  }
  return out.finish();
}

Column evaluate_field(const Expr& expr, const Batch& batch, const Rows& rows, EvalContext& context) {
  Column row = evaluate(*expr.args[0], batch, rows, context);
  Reader<Value> in(row);
  std::vector<Value> values(rows.size);
  size_t field = static_cast<size_t>(expr.index);
  rows.each([&](size_t r) {
    if (!in.null(r)) values[r] = in[r].items()[field];
  });
  return Column::from_values(expr.type, values);
}

}  // namespace

Column run_boxed(const KernelCall& call, BoxedFunction f) {
  bool once = !call.args.empty() && call.expr.deterministic && call.rows.count > 0;
  for (const Column& arg : call.args) once = once && arg.is_constant();
  std::vector<Value> args(call.args.size());
  auto one = [&](size_t row) {
    for (size_t i = 0; i < args.size(); ++i) args[i] = call.args[i].value(row);
    return f(call, args);
  };
  if (once) return Column::constant(call.expr.type, one(0), call.rows.size);
  std::vector<Value> values(call.rows.size);
  call.rows.each([&](size_t row) { values[row] = one(row); });
  return Column::from_values(call.expr.type, values);
}

Column evaluate(const Expr& expr, const Batch& batch, const Rows& rows, EvalContext& context) {
  switch (expr.kind) {
    case Expr::Kind::column:
      return batch.columns[static_cast<size_t>(expr.index)];
    case Expr::Kind::literal:
      return literal_column(expr).resized(rows.size);
    case Expr::Kind::field:
      return evaluate_field(expr, batch, rows, context);
    case Expr::Kind::and_:
      return evaluate_logic(expr, batch, rows, context, 0);
    case Expr::Kind::or_:
      return evaluate_logic(expr, batch, rows, context, 1);
    case Expr::Kind::case_:
      return evaluate_case(expr, batch, rows, context);
    case Expr::Kind::call:
      break;
  }
  std::vector<Column> args;
  args.reserve(expr.args.size());
  for (const ExprPtr& arg : expr.args) args.push_back(evaluate(*arg, batch, rows, context));
  return expr.kernel({expr, args, rows, context});
}

Column evaluate(const Expr& expr, const Batch& batch, EvalContext& context) {
  Rows rows{nullptr, batch.rows, batch.rows};
  if (batch.selection) rows = {batch.selection->data(), batch.selection->size(), batch.rows};
  return evaluate(expr, batch, rows, context);
}

namespace {

void narrow(const Expr& predicate, const Batch& batch, EvalContext& context, RowList& open) {
  if (open.numbers.empty()) return;
  if (predicate.kind == Expr::Kind::and_) {
    for (const ExprPtr& arg : predicate.args) narrow(*arg, batch, context, open);
    return;
  }
  bool all = open.numbers.size() == batch.rows;
  Rows rows = all ? Rows{nullptr, batch.rows, batch.rows} : open.rows(batch.rows);
  Column condition = evaluate(predicate, batch, rows, context);
  Reader<uint8_t> in(condition);
  size_t kept = 0;
  for (uint32_t r : open.numbers) {
    open.numbers[kept] = r;
    kept += (in[r] != 0 && !in.null(r)) ? 1 : 0;
  }
  open.numbers.resize(kept);
}

}  // namespace

std::vector<uint32_t> filter(const Expr& predicate, const Batch& batch, EvalContext& context) {
  RowList open;
  if (batch.selection) {
    open.numbers = *batch.selection;
  } else {
    open.numbers.resize(batch.rows);
    for (size_t i = 0; i < batch.rows; ++i) open.numbers[i] = static_cast<uint32_t>(i);
  }
  narrow(predicate, batch, context, open);
  return std::move(open.numbers);
}

Value evaluate_row(const Expr& expr, const Row& row, EvalContext& context) {
  Batch batch;
  batch.rows = 1;
  batch.columns.resize(row.size());
  // Columns are typed by the expressions that read them.
  auto fill = [&](auto& self, const Expr& e) -> void {
    if (e.kind == Expr::Kind::column) {
      size_t i = static_cast<size_t>(e.index);
      batch.columns[i] = Column::from_values(e.type, std::span(&row[i], 1));
    }
    for (const ExprPtr& arg : e.args) self(self, *arg);
  };
  fill(fill, expr);
  return evaluate(expr, batch, context).value(0);
}

}  // namespace millrace::processing
