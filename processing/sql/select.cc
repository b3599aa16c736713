// SELECT: FROM, WHERE, then an aggregate, a window over rows or a plain projection, and what ORDER BY wants to see.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/sql/literals.h"
#include "processing/sql/nodes.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

// A name that is taken gets a number: cid, cid0, cid1.
std::vector<std::string> unique_names(std::vector<std::string> names) {
  std::set<std::string> used;
  for (std::string& name : names) {
    std::string candidate = name;
    for (int i = 0; used.contains(candidate); ++i) candidate = name + std::to_string(i);
    used.insert(candidate);
    name = candidate;
  }
  return names;
}

std::string item_name(const SelectItem& item, size_t ordinal) {
  if (!item.alias.empty()) return item.alias;
  if (item.expr->kind == NodeKind::name) return item.expr->name.last();
  return "EXPR$" + std::to_string(ordinal);
}

NodePtr name_node(Name name, Pos pos) {
  NodePtr node = make_node(NodeKind::name, pos);
  node->name = std::move(name);
  return node;
}

// A name that finds exactly this column: qualified by its table.
SelectItem column_item(const Scope& scope, int index, Pos pos) {
  const std::string& column = scope.columns[static_cast<size_t>(index)].name;
  Name name;
  for (const ScopeTable& table : scope.tables)
    if (index >= table.first && index < table.first + table.count && !table.name.empty())
      name.parts.push_back(table.name);
  name.parts.push_back(column);
  name.positions.assign(name.parts.size(), pos);
  name.pos = pos;
  return {name_node(std::move(name), pos), column, {}};
}

// The columns that * means.
std::vector<SelectItem> all_columns(const Scope& scope, Pos pos) {
  if (scope.tables.empty()) fail_validation("SELECT * requires a FROM clause", pos);
  std::vector<SelectItem> items;
  for (int index : scope.star_order) items.push_back(column_item(scope, index, pos));
  if (!items.empty()) return items;
  for (size_t i = 0; i < scope.columns.size(); ++i)
    if (i >= scope.hidden.size() || !scope.hidden[i]) items.push_back(column_item(scope, static_cast<int>(i), pos));
  return items;
}

// row.*: the fields of a column.
std::vector<SelectItem> fields_of_column(const Scope& scope, const Name& name, Pos pos) {
  const NodePtr node = name_node(name, pos);
  const bool is_column = std::ranges::any_of(scope.columns, [&](const Field& f) { return f.name == name.parts[0]; });
  TypedExpr row = is_column ? Binder(scope).bind(*node) : nullptr;
  if (row == nullptr || !row->type.is(TypeRoot::row))
    fail_validation(fmt::format("Unknown identifier '{}'", name.text()), pos);
  std::vector<SelectItem> items;
  for (const Field& field : *row->type.fields) {
    SelectItem item;
    item.expr = std::make_shared<Node>(*node);
    item.expr->name.parts.push_back(field.name);
    item.expr->name.positions.push_back(pos);
    item.alias = field.name;
    items.push_back(std::move(item));
  }
  return items;
}

// *, table.* or row.*
std::vector<SelectItem> expanded(const Node& star, const Scope& scope) {
  const Name& prefix = star.name;
  if (prefix.parts.empty()) return all_columns(scope, star.pos);
  const ScopeTable* found = nullptr;
  for (const ScopeTable& table : scope.tables)
    if (prefix.parts.size() == 1 && table.name == prefix.parts[0]) found = &table;
  if (found == nullptr) return fields_of_column(scope, prefix, star.pos);
  std::vector<SelectItem> items;
  for (int i = found->first; i < found->first + found->count; ++i) items.push_back(column_item(scope, i, star.pos));
  return items;
}

// ORDER BY names an output, counts one, repeats its expression, or needs a column that is not in the output: that one
// is added behind the others.
plan::SortKey sort_key(const OrderItem& item, SelectColumns& columns) {
  const Node& expr = *item.expr;
  int index = -1;
  if (expr.is_literal(LiteralKind::exact)) index = ordinal(expr, columns.items.size() - columns.hidden);
  for (size_t i = 0; i < columns.items.size() && index < 0; ++i) {
    const bool by_name =
        expr.kind == NodeKind::name && expr.name.parts.size() == 1 && columns.names[i] == expr.name.parts[0];
    if (by_name || unparse(*columns.items[i].expr) == unparse(expr)) index = static_cast<int>(i);
  }
  if (index < 0) {
    index = static_cast<int>(columns.items.size());
    columns.items.push_back({item.expr, "$sort" + std::to_string(index), {}});
    columns.names.push_back("$sort" + std::to_string(index));
    ++columns.hidden;
  }
  return {index, item.descending, item.nulls_first.value_or(!item.descending)};
}

}  // namespace

SelectColumns Planner::select_columns(const Select& select, const Scope& scope) {
  SelectColumns result;
  for (const SelectItem& item : select.items) {
    if (item.expr->kind == NodeKind::star) {
      for (SelectItem& column : expanded(*item.expr, scope)) result.items.push_back(std::move(column));
      continue;
    }
    if (item.expr->is_literal(LiteralKind::null)) fail_validation("Illegal use of 'NULL'", item.expr->pos);
    SelectItem copy = item;
    copy.alias = item_name(item, result.items.size());
    result.items.push_back(std::move(copy));
  }
  for (const SelectItem& item : result.items) result.names.push_back(item.alias);
  result.names = unique_names(std::move(result.names));
  return result;
}

Planner::Selected Planner::select(const Query& query, const Scope* outer) {
  const Select& select = query.select;
  FromResult input = select.from != nullptr ? from(*select.from, outer) : one_row();
  Scope& scope = input.scope;
  scope.outer = outer;
  for (const auto& [name, spec] : select.windows) scope.windows[name] = &spec;
  if (select.where != nullptr) {
    input.relation = filter(input.relation, scope, *select.where, "WHERE");
    // The condition may have made a join one that keeps time attributes.
    for (size_t i = 0; i < scope.columns.size(); ++i) scope.columns[i].type = input.relation.node->schema[i].type;
  }

  SelectColumns columns = select_columns(select, scope);
  Selected result;
  for (const OrderItem& item : query.order_by) result.sort.push_back(sort_key(item, columns));
  result.hidden = columns.hidden;

  const auto& items = columns.items;
  const bool aggregated = select.grouped || select.having != nullptr ||
                          std::ranges::any_of(items, [](const auto& item) { return find_aggregate(*item.expr); });
  const bool windowed = std::ranges::any_of(items, [](const auto& item) { return find_over(*item.expr); });
  if (aggregated) {
    result.relation = aggregate(input.relation, scope, select, columns);
  } else if (windowed) {
    result.relation = over(input.relation, scope, select, columns);
  } else {
    result.relation = plain_outputs(input.relation, scope, columns);
  }
  if (select.qualify != nullptr) {
    Scope output;
    output.columns = result.relation.node->schema;
    result.relation = filter(result.relation, output, *select.qualify, "QUALIFY");
  }
  if (select.distinct) result.relation = distinct(result.relation);
  return result;
}

// Outputs without aggregates and OVER; scalar subqueries among them become columns of the input.
Relation Planner::plain_outputs(Relation input, Scope& scope, const SelectColumns& columns) {
  std::map<const Node*, int> subqueries;
  std::vector<NodePtr> exprs;
  for (const SelectItem& item : columns.items) exprs.push_back(item.expr);
  Relation base = scalar_subqueries(input, scope, exprs, subqueries);
  Binder binder(scope, [&](const Node& node) -> TypedExpr {
    auto found = subqueries.find(&node);
    return found == subqueries.end() ? nullptr : column_of(*base.node, found->second, where(node.pos));
  });
  std::vector<TypedExpr> outputs = binder.bind_all(exprs);
  return project(base, std::move(outputs), columns.names);
}

Relation Planner::filter(Relation input, const Scope& scope, const Node& condition, const char* clause) {
  if (const Node* call = find_aggregate(condition))
    fail_validation(fmt::format("Aggregate expression is illegal in {} clause", clause), call->pos);
  if (const Node* call = find_over(condition))
    fail_validation(fmt::format("Windowed aggregate expression is illegal in {} clause", clause), call->pos);
  return filter_with_subqueries(std::move(input), scope, condition);
}

}  // namespace millrace::processing::sql
