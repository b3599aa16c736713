// Whole queries: common tables, VALUES, ORDER BY and LIMIT.
#include "processing/sql/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/literals.h"

namespace millrace::processing::sql {
int ordinal(const Node& node, size_t columns) {
  const std::optional<int64_t> place = whole_number(node);
  if (!place || *place < 1 || *place > static_cast<int64_t>(columns)) fail_validation("Ordinal out of range", node.pos);
  return static_cast<int>(*place) - 1;
}

plan::Plan Planner::plan_query(const Query& query) {
  auto sink = std::make_shared<plan::Sink>();
  Relation relation = relation_of(query);
  sink->target = plan::Sink::Target::client;
  sink->inputs = {relation.node};
  sink->schema = relation.node->schema;
  sink->changelog = relation.node->changelog;
  plan::Plan plan;
  plan.sinks.push_back(sink);
  plan.settings = settings_;
  return plan;
}

std::vector<Field> Planner::query_schema(const Query& query) { return relation_of(query).node->schema; }

Relation Planner::relation_of(const Query& query, const Scope* outer) {
  if (++depth_ > 400) fail_table("The query is nested too deeply.");
  CommonTables saved = common_;
  for (const CommonTable& table : query.with) common_[table.name] = &table;
  Relation result = query_body(query, outer);
  common_ = std::move(saved);
  --depth_;
  return result;
}

Relation Planner::query_body(const Query& query, const Scope* outer) {
  if (query.kind == Query::Kind::select) {
    Selected selected = select(query, outer);
    Relation result = sort_and_limit(std::move(selected.relation), query, selected.sort);
    if (selected.hidden == 0) return result;
    const size_t shown = result.node->schema.size() - selected.hidden;
    return keep_columns(std::move(result), shown);
  }
  Relation result = query.kind == Query::Kind::values ? values(query) : set_operation(query, outer);
  Scope scope;
  scope.columns = result.node->schema;
  std::vector<plan::SortKey> sort;
  for (const OrderItem& item : query.order_by) {
    TypedExpr key = item.expr->is_literal(LiteralKind::exact)
                        ? column_of(*result.node, ordinal(*item.expr, scope.columns.size()))
                        : Binder(scope).bind(*item.expr);
    if (!is_column(key)) fail_table("ORDER BY an expression over a set operation is not supported yet.");
    sort.push_back({key->index, item.descending, item.nulls_first.value_or(!item.descending)});
  }
  return sort_and_limit(std::move(result), query, sort);
}

// Streams can only be sorted by time, or by anything when a LIMIT keeps the result small.
Relation Planner::sort_and_limit(Relation input, const Query& query, const std::vector<plan::SortKey>& sort) {
  auto count = [](const NodePtr& node) {
    const std::optional<int64_t> value = whole_number(*node);
    if (!value) fail_validation(fmt::format("Numeric literal '{}' out of range", node->text), node->pos);
    return *value;
  };
  if (query.fetch == nullptr && query.offset == nullptr) {
    if (sort.empty()) return input;
    const DataType& first = input.node->schema[static_cast<size_t>(sort[0].column)].type;
    if (!first.is_time_attribute()) fail_table("Sort on a non-time-attribute field is not supported.");
    if (sort[0].descending) fail_table("Sort: Primary sort order of a streaming table must be ascending on time.");
    auto node = std::make_shared<plan::TemporalSort>();
    node->inputs = {input.node};
    node->schema = input.node->schema;
    node->order_by = sort;
    return {node, input.window};
  }
  auto node = std::make_shared<plan::SortLimit>();
  node->inputs = {input.node};
  node->schema = input.node->schema;
  node->order_by = sort;
  if (query.offset != nullptr) node->offset = count(query.offset);
  if (query.fetch != nullptr) node->fetch = count(query.fetch);
  const bool stays = sort.empty() && input.node->changelog == plan::Changelog::insert_only;
  node->changelog = stays ? plan::Changelog::insert_only : plan::Changelog::retract;
  if (!stays)
    for (Field& field : node->schema) field.type.attribute = TimeAttribute::none;
  return {node, std::nullopt};
}

Relation Planner::values(const Query& query) {
  Scope nothing;
  Binder binder(nothing);
  std::vector<std::vector<TypedExpr>> rows;
  for (const auto& row : query.rows) {
    if (row.size() != query.rows[0].size())
      fail_validation("Values passed to VALUES operator must have compatible types", query.pos);
    for (const NodePtr& cell : row)
      if (cell->is_literal(LiteralKind::null)) fail_validation("Illegal use of 'NULL'", cell->pos);
    rows.push_back(binder.bind_all(row));
  }
  auto node = std::make_shared<plan::Values>();
  for (size_t column = 0; column < rows[0].size(); ++column) {
    std::vector<DataType> types;
    for (const auto& row : rows) types.push_back(row[column]->type);
    std::optional<DataType> type = common_type(types);
    if (!type) fail_validation("Values passed to VALUES operator must have compatible types", query.pos);
    bool nullable = std::ranges::any_of(types, [](const DataType& t) { return t.nullable; });
    type->nullable = nullable;
    for (auto& row : rows) row[column] = coerce(row[column], *type);
    node->schema.push_back({"EXPR$" + std::to_string(column), *type});
  }
  node->rows = std::move(rows);
  return {node, std::nullopt};
}

}  // namespace millrace::processing::sql
