// Joins, and predicates with subqueries, which become semi and anti joins.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

bool has_query(const Node& node) {
  if (node.kind == NodeKind::query) return true;
  return std::ranges::any_of(node.operands, [](const NodePtr& o) { return o != nullptr && has_query(*o); });
}

}  // namespace

Planner::FromResult Planner::from_join(const TableRef& table, const Scope* outer) {
  FromResult left = from(*table.left, outer);
  if (table.right->kind == TableRef::Kind::unnest) {
    if (table.join == JoinKind::right || table.join == JoinKind::full)
      fail_table("RIGHT and FULL joins with UNNEST are not supported.");
    return from_unnest(*table.right, std::move(left), table.join == JoinKind::left, table.condition);
  }
  fail_table("Joins are not supported yet.");
}

Planner::FromResult Planner::from_match(const TableRef&, const Scope*) {
  fail_table("MATCH_RECOGNIZE is not supported yet.");
}

Relation Planner::filter_with_subqueries(Relation input, const Scope& scope, const Node& condition) {
  if (has_query(condition)) fail_table("Subqueries in predicates are not supported yet.");
  TypedExpr typed = Binder(scope).bind(condition);
  if (!typed->type.is(TypeRoot::boolean) && !typed->type.is(TypeRoot::null))
    fail_validation("WHERE clause must be a condition", condition.pos);
  return filter_by(std::move(input), typed);
}

Relation Planner::scalar_subqueries(Relation input, Scope&, const std::vector<NodePtr>& nodes,
                                    std::map<const Node*, int>&) {
  for (const NodePtr& node : nodes)
    if (has_query(*node)) fail_table("Scalar subqueries are not supported yet.");
  return input;
}

}  // namespace millrace::processing::sql
