#include "processing/sql/join_conditions.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::processing::sql {
namespace {

using Kind = processing::Expr::Kind;

// A column under casts that Flink puts in by itself.
TypedExpr without_cast(TypedExpr expr) {
  while (is_call(expr, "CAST")) expr = expr->args[0];
  return expr;
}

// time column + offset, in milliseconds.
struct TimePoint {
  int column = -1;
  int64_t offset = 0;
};

std::optional<TimePoint> time_point(const TypedExpr& expr) {
  if (is_column(expr)) {
    if (!expr->type.is_time_attribute()) return std::nullopt;
    return TimePoint{expr->index, 0};
  }
  if (is_call(expr, "CAST")) return time_point(expr->args[0]);
  bool plus = is_call(expr, "+");
  bool minus = is_call(expr, "-");
  if ((!plus && !minus) || expr->args.size() != 2) return std::nullopt;
  std::optional<TimePoint> point = time_point(expr->args[0]);
  const TypedExpr& interval = expr->args[1];
  if (!point || !interval->type.is(TypeRoot::interval_millis)) return std::nullopt;
  EvalContext context;
  std::optional<Value> value = constant_value(interval, context);
  if (!value || value->is_null()) return std::nullopt;
  point->offset += plus ? value->as_int() : -value->as_int();
  return point;
}

// a <= b, of points on different sides: whether it bounds the same pair of columns.
bool add_bound(TimeBounds& bounds, const TypedExpr& smaller, const TypedExpr& greater, bool strict, int width) {
  std::optional<TimePoint> a = time_point(smaller);
  std::optional<TimePoint> b = time_point(greater);
  if (!a || !b || (a->column < width) == (b->column < width)) return false;
  int left = a->column < width ? a->column : b->column;
  int right = a->column < width ? b->column : a->column;
  if (bounds.left >= 0 && (bounds.left != left || bounds.right != right)) return false;
  bounds.left = left;
  bounds.right = right;
  int64_t gap = strict ? 1 : 0;
  if (a->column < width) {
    // left + a <= right + b: right − left >= a − b
    int64_t lower = a->offset - b->offset + gap;
    bounds.lower = bounds.lower ? std::max(*bounds.lower, lower) : lower;
  } else {
    // right + a <= left + b: right − left <= b − a
    int64_t upper = b->offset - a->offset - gap;
    bounds.upper = bounds.upper ? std::min(*bounds.upper, upper) : upper;
  }
  return true;
}

}  // namespace

Sides sides_of(const TypedExpr& expr, int width) {
  bool left = false;
  bool right = false;
  for (int column : columns_of(expr)) (column < width ? left : right) = true;
  return left ? (right ? Sides::both : Sides::left) : right ? Sides::right : Sides::none;
}

TypedExpr shifted(const TypedExpr& expr, int by) {
  if (expr->kind == Kind::column) return make_column(expr->index + by, expr->type, expr->name, expr->position);
  if (expr->args.empty()) return expr;
  auto copy = std::make_shared<processing::Expr>(*expr);
  for (TypedExpr& arg : copy->args) arg = shifted(arg, by);
  return copy;
}

void check_key_types(const TypedExpr& left, const TypedExpr& right) {
  const DataType& a = without_cast(left)->type;
  const DataType& b = without_cast(right)->type;
  auto family = [](const DataType& t) {
    if (t.is_numeric()) return 1;
    if (t.is_text()) return 2;
    if (t.is_bytes()) return 3;
    return 10 + static_cast<int>(t.root);
  };
  if (family(a) != family(b)) {
    fail_table(fmt::format("implicit type conversion between {} and {} is not supported on join's condition now",
                           planner_text(a), planner_text(b)));
  }
}

void check_join_equalities(const Node& condition, const Scope& scope, int width) {
  if (condition.is_call("AND")) {
    for (const NodePtr& operand : condition.operands) check_join_equalities(*operand, scope, width);
    return;
  }
  if (!condition.is_call("=")) return;
  TypedExpr left = Binder(scope).bind(*condition.operands[0]);
  TypedExpr right = Binder(scope).bind(*condition.operands[1]);
  Sides a = sides_of(left, width);
  Sides b = sides_of(right, width);
  if ((a == Sides::left && b == Sides::right) || (a == Sides::right && b == Sides::left)) check_key_types(left, right);
}

bool has_query(const Node& node) {
  if (node.kind == NodeKind::query) return true;
  return std::ranges::any_of(node.operands, [](const NodePtr& o) { return o != nullptr && has_query(*o); });
}

bool read_time_bound(TimeBounds& bounds, const TypedExpr& condition, int width) {
  if (condition->kind != Kind::call) return false;
  const auto& args = condition->args;
  const std::string& op = condition->name;
  if (op == "BETWEEN" && args.size() == 3) {
    TimeBounds copy = bounds;
    if (!add_bound(copy, args[1], args[0], false, width) || !add_bound(copy, args[0], args[2], false, width))
      return false;
    bounds = copy;
    return true;
  }
  if (args.size() != 2) return false;
  if (op == "<" || op == "<=") return add_bound(bounds, args[0], args[1], op == "<", width);
  if (op == ">" || op == ">=") return add_bound(bounds, args[1], args[0], op == ">", width);
  if (op == "=") {
    TimeBounds copy = bounds;
    if (!add_bound(copy, args[0], args[1], false, width) || !add_bound(copy, args[1], args[0], false, width))
      return false;
    bounds = copy;
    return true;
  }
  return false;
}

}  // namespace millrace::processing::sql
