// UNNEST: a row for each element of an array, multiset or map; joined with the row it is in.
#include <fmt/format.h>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

// The columns an element gives.
std::vector<Field> element_columns(const DataType& type, Pos pos) {
  if (type.is(TypeRoot::map)) return {{"KEY", type.child(0)}, {"VALUE", type.child(1)}};
  if (!type.is(TypeRoot::array) && !type.is(TypeRoot::multiset)) {
    fail_validation(fmt::format("Cannot apply 'UNNEST' to arguments of type 'UNNEST(<{}>)'. Supported form(s): "
                                "'UNNEST(<MULTISET>)'\n'UNNEST(<ARRAY>)'\n'UNNEST(<MAP>)'",
                                planner_text(type)),
                    pos);
  }
  const DataType& element = type.child(0);
  if (element.is(TypeRoot::row)) return *element.fields;
  return {{"EXPR$0", element}};
}

bool is_true(const TypedExpr& expr) {
  return expr->kind == processing::Expr::Kind::literal && !expr->literal.is_null() && expr->literal.as_bool();
}

}  // namespace

Planner::FromResult Planner::from_unnest(const TableRef& table, FromResult left, bool outer_join,
                                         const NodePtr& condition) {
  Binder binder(left.scope);
  auto node = std::make_shared<plan::Unnest>();
  node->collection = binder.bind(*table.array);
  node->outer = outer_join;
  node->ordinality = table.with_ordinality;
  std::vector<Field> fields = element_columns(node->collection->type, table.pos);
  if (node->ordinality) fields.push_back({"ORDINALITY", DataType::integer().not_null()});
  if (!table.alias_columns.empty()) {
    if (table.alias_columns.size() != fields.size())
      fail_validation(
          fmt::format("List of column aliases must have same degree as table; table has {} columns, whereas alias "
                      "list has {} columns",
                      fields.size(), table.alias_columns.size()),
          table.alias_pos);
    for (size_t i = 0; i < fields.size(); ++i) fields[i].name = table.alias_columns[i];
  }
  if (outer_join)
    for (Field& field : fields) field.type.nullable = true;
  node->inputs = {left.relation.node};
  node->schema = left.relation.node->schema;
  node->changelog = left.relation.node->changelog;
  int first = static_cast<int>(node->schema.size());
  for (Field& field : fields) node->schema.push_back(field);
  FromResult result;
  result.scope = left.scope;
  result.scope.columns = node->schema;
  result.scope.tables.push_back({table.alias, {}, first, static_cast<int>(fields.size())});
  result.scope.hidden.resize(node->schema.size());
  if (condition != nullptr) {
    TypedExpr typed = checked_condition(Binder(result.scope).bind(*condition), "ON");
    if (!is_true(typed)) {
      if (!outer_join) {
        result.relation = filter_by({node, left.relation.window}, typed);
        return result;
      }
      node->condition = typed;
    }
  }
  result.relation = {node, left.relation.window};
  return result;
}

}  // namespace millrace::processing::sql
