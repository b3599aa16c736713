// What a join's conditions say: which side each belongs to, what may be compared, and whether they bound time.
// Columns below `width` are those of the left side.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {

inline bool is_call(const TypedExpr& expr, std::string_view name) {
  return expr->kind == processing::Expr::Kind::call && expr->name == name;
}

enum class Sides { none, left, right, both };
Sides sides_of(const TypedExpr& expr, int width);

// The same over columns that lie `by` further on.
TypedExpr shifted(const TypedExpr& expr, int by);

// Flink joins on keys of one type; it refuses to convert between kinds of values.
void check_key_types(const TypedExpr& left, const TypedExpr& right);
// Equalities between the sides, before the expression itself would be refused in other words.
void check_join_equalities(const Node& condition, const Scope& scope, int width);

bool has_query(const Node& node);

// right time − left time lies between lower and upper, in milliseconds.
struct TimeBounds {
  int left = -1;
  int right = -1;
  std::optional<int64_t> lower;
  std::optional<int64_t> upper;
};
// True when the condition does nothing but bound time further.
bool read_time_bound(TimeBounds& bounds, const TypedExpr& condition, int width);

}  // namespace millrace::processing::sql
