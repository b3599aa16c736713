// Subqueries in conditions: IN and EXISTS become semi and anti joins, correlated scalars a join with what they depend
// on.
#include <algorithm>

#include "processing/sql/join_conditions.h"
#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {

// x IN (query), EXISTS (query) and their negations: a semi or anti join. The subquery may compare its columns with
// ours.
Relation Planner::subquery_join(Relation input, const Scope& scope, const Query& query, const Node* value, bool negated,
                                Pos pos) {
  int width = static_cast<int>(input.node->schema.size());
  JoinParts parts;
  parts.kind = negated ? plan::JoinKind::anti : plan::JoinKind::semi;
  parts.left = input;
  const Select& select = query.select;
  bool plain = query.kind == Query::Kind::select && !select.grouped && select.having == nullptr && !select.distinct &&
               query.with.empty() && query.fetch == nullptr && query.offset == nullptr && select.from != nullptr;
  if (plain)
    for (const SelectItem& item : select.items)
      plain = plain && find_aggregate(*item.expr) == nullptr && find_over(*item.expr) == nullptr;
  TypedExpr right_value;
  if (plain) {
    FromResult right = from(*select.from, &scope);
    // Names mean the subquery's own columns first, then ours.
    Binder own(right.scope);
    Binder outer(scope);
    Binder both(right.scope, [&](const Node& node) -> TypedExpr {
      if (node.kind != NodeKind::name) return nullptr;
      try {
        return shifted(own.bind(node), width);
      } catch (const SqlError&) {
        return outer.bind(node);
      }
    });
    if (select.where != nullptr) {
      if (has_query(*select.where)) {
        right.relation = filter(right.relation, right.scope, *select.where, "WHERE");
      } else {
        for (TypedExpr& part : conjuncts(both.bind(*select.where))) parts.conditions.push_back(std::move(part));
      }
    }
    if (value != nullptr) {
      SelectColumns columns = select_columns(select, right.scope);
      if (columns.items.size() != 1) fail_validation("Values passed to IN operator must have compatible types", pos);
      right_value = both.bind(*columns.items[0].expr);
    }
    parts.right = right.relation;
  } else {
    parts.right = relation_of(query, &scope);
    if (value != nullptr) {
      if (parts.right.node->schema.size() != 1)
        fail_validation("Values passed to IN operator must have compatible types", pos);
      right_value = shifted(column_of(*parts.right.node, 0), width);
    }
  }
  if (value != nullptr) {
    TypedExpr left_value = Binder(scope).bind(*value);
    bool nullable = left_value->type.nullable || right_value->type.nullable;
    TypedExpr equal = make_call("=", {left_value, right_value}, where(pos));
    // NOT IN is only true when no comparison is true or unknown.
    if (negated && nullable) equal = make_call("IS NOT FALSE", {equal}, where(pos));
    parts.conditions.push_back(equal);
  }
  return make_join(std::move(parts));
}

Relation Planner::filter_with_subqueries(Relation input, const Scope& scope, const Node& condition) {
  if (condition.is_call("AND") && has_query(condition)) {
    // Plain conditions first: they make the join's input smaller.
    bool first = has_query(*condition.operands[0]);
    input = filter_with_subqueries(std::move(input), scope, *condition.operands[first ? 1 : 0]);
    return filter_with_subqueries(std::move(input), scope, *condition.operands[first ? 0 : 1]);
  }
  if (!has_query(condition)) {
    TypedExpr typed = Binder(scope).bind(condition);
    if (!typed->type.is(TypeRoot::boolean) && !typed->type.is(TypeRoot::null))
      fail_validation("WHERE clause must be a condition", condition.pos);
    return filter_by(std::move(input), typed);
  }
  bool negated = condition.is_call("NOT");
  const Node& inner = negated ? *condition.operands[0] : condition;
  if (inner.is_call("EXISTS"))
    return subquery_join(std::move(input), scope, *inner.operands[0]->query, nullptr, negated, inner.pos);
  if ((inner.is_call("IN") || inner.is_call("NOT IN")) && inner.operands[1]->kind == NodeKind::query &&
      !has_query(*inner.operands[0])) {
    return subquery_join(std::move(input), scope, *inner.operands[1]->query, inner.operands[0].get(),
                         negated != (inner.op == "NOT IN"), inner.pos);
  }
  // Scalar subqueries become columns behind the others, and are dropped again.
  Scope own = scope;
  std::map<const Node*, int> columns;
  size_t width = input.node->schema.size();
  Relation base = scalar_subqueries(input, own, {std::make_shared<Node>(condition)}, columns);
  Binder binder(own, [&](const Node& node) -> TypedExpr {
    auto found = columns.find(&node);
    return found == columns.end() ? nullptr : column_of(*base.node, found->second, where(node.pos));
  });
  return keep_columns(filter_by(base, binder.bind(condition)), width);
}

namespace {

void collect_queries(const Node& node, std::vector<const Node*>& queries) {
  if (node.kind == NodeKind::query) queries.push_back(&node);
  for (const NodePtr& operand : node.operands)
    if (operand != nullptr) collect_queries(*operand, queries);
}

}  // namespace

// A scalar subquery whose condition names our columns: its value is computed for each combination of those columns that
// occurs, and joined back. Nothing: it does not name them.
std::optional<Relation> Planner::correlated_subquery(Relation input, const Scope& scope, const Node& node) {
  const Query& query = *node.query;
  const Select& select = query.select;
  bool plain = query.kind == Query::Kind::select && select.from != nullptr && select.where != nullptr &&
               !select.grouped && select.having == nullptr && !select.distinct && query.with.empty() &&
               query.fetch == nullptr && query.order_by.empty() && select.items.size() == 1 &&
               !has_query(*select.where);
  if (!plain) return std::nullopt;
  int width = static_cast<int>(input.node->schema.size());
  FromResult right = from(*select.from, &scope);
  Binder own(right.scope);
  Binder outer(scope);
  Binder both(right.scope, [&](const Node& name) -> TypedExpr {
    if (name.kind != NodeKind::name) return nullptr;
    try {
      return shifted(own.bind(name), width);
    } catch (const SqlError&) {
      return outer.bind(name);
    }
  });
  std::vector<TypedExpr> own_conditions;
  std::vector<TypedExpr> shared_conditions;
  std::vector<int> outer_columns;
  for (const TypedExpr& condition : conjuncts(both.bind(*select.where))) {
    bool names_ours = false;
    for (int column : columns_of(condition)) {
      if (column >= width) continue;
      names_ours = true;
      if (std::ranges::find(outer_columns, column) == outer_columns.end()) outer_columns.push_back(column);
    }
    if (names_ours) {
      shared_conditions.push_back(condition);
    } else {
      own_conditions.push_back(shifted(condition, -width));
    }
  }
  if (shared_conditions.empty()) return std::nullopt;
  const Node& item = *select.items[0].expr;
  const Node* call = find_aggregate(item);
  if (call != nullptr && call != &item)
    fail_table("An expression over aggregates in a correlated subquery is not supported yet.");

  int keys = static_cast<int>(outer_columns.size());
  std::vector<TypedExpr> key_outputs;
  std::vector<std::string> key_names;
  std::vector<int> mapping(static_cast<size_t>(width) + right.scope.columns.size(), 0);
  for (int i = 0; i < keys; ++i) {
    key_outputs.push_back(materialized(column_of(*input.node, outer_columns[static_cast<size_t>(i)])));
    key_names.push_back("$outer" + std::to_string(i));
    mapping[static_cast<size_t>(outer_columns[static_cast<size_t>(i)])] = i;
  }
  for (size_t i = 0; i < right.scope.columns.size(); ++i)
    mapping[static_cast<size_t>(width) + i] = keys + static_cast<int>(i);
  JoinParts inner;
  inner.left = distinct(project(input, key_outputs, key_names));
  inner.right = filter_by(right.relation, conjunction(own_conditions));
  for (const TypedExpr& condition : shared_conditions) inner.conditions.push_back(remap_columns(condition, mapping));
  Relation pairs = make_join(std::move(inner));

  auto group = std::make_shared<plan::GroupAggregate>();
  group->inputs = {pairs.node};
  for (int i = 0; i < keys; ++i) {
    group->keys.push_back(column_of(*pairs.node, i));
    group->schema.push_back({key_names[static_cast<size_t>(i)], group->keys.back()->type});
    group->upsert_key.push_back(i);
  }
  std::vector<TypedExpr> args;
  if (call == nullptr) {
    args.push_back(shifted(materialized(own.bind(item)), keys));
  } else {
    for (const NodePtr& operand : call->operands)
      if (operand->kind != NodeKind::star) args.push_back(shifted(materialized(own.bind(*operand)), keys));
  }
  group->aggregates.push_back(resolve_aggregate(call == nullptr ? "SINGLE_VALUE" : call->op, std::move(args),
                                                call != nullptr && call->distinct));
  group->schema.push_back({"EXPR$0", group->aggregates[0].type});
  group->changelog = plan::Changelog::retract;

  JoinParts back;
  back.kind = plan::JoinKind::left;
  back.left = input;
  back.right = {group, std::nullopt};
  for (int i = 0; i < keys; ++i) {
    back.conditions.push_back(
        make_call("IS NOT DISTINCT FROM", {materialized(column_of(*input.node, outer_columns[static_cast<size_t>(i)])),
                                           shifted(column_of(*group, i), width)}));
  }
  Relation joined = make_join(std::move(back));
  std::vector<TypedExpr> outputs;
  std::vector<std::string> names;
  for (int i = 0; i < width; ++i) {
    outputs.push_back(column_of(*joined.node, i));
    names.push_back(joined.node->schema[static_cast<size_t>(i)].name);
  }
  TypedExpr value = column_of(*joined.node, width + keys);
  if (call != nullptr && call->op == "COUNT")  // no rows count as none
    value = make_call("COALESCE", {value, make_literal(Value::integer(0), DataType::bigint().not_null())});
  outputs.push_back(value);
  names.push_back("EXPR$0");
  return project(joined, std::move(outputs), std::move(names));
}

// Each scalar subquery is joined to every row; without a row its value is NULL.
Relation Planner::scalar_subqueries(Relation input, Scope& scope, const std::vector<NodePtr>& nodes,
                                    std::map<const Node*, int>& columns) {
  std::vector<const Node*> queries;
  for (const NodePtr& node : nodes) collect_queries(*node, queries);
  for (const Node* node : queries) {
    if (std::optional<Relation> joined = correlated_subquery(input, scope, *node)) {
      columns[node] = static_cast<int>(input.node->schema.size());
      input = *joined;
      for (size_t i = 0; i < scope.columns.size(); ++i) scope.columns[i].type = input.node->schema[i].type;
      continue;
    }
    Relation value = relation_of(*node->query, &scope);
    if (value.node->schema.size() != 1)
      fail_validation(
          "Cannot apply '$SCALAR_QUERY' to arguments of type '$SCALAR_QUERY(<RECORDTYPE>)'. Supported form(s): "
          "'$SCALAR_QUERY(<RECORDTYPE(SINGLE FIELD)>)'",
          node->pos);
    const Query& query = *node->query;
    bool single =
        query.kind == Query::Kind::select && !query.select.grouped && query.select.from != nullptr &&
        std::ranges::any_of(query.select.items, [](const SelectItem& i) { return find_aggregate(*i.expr) != nullptr; });
    if (!single) {
      // More than one row fails when the second arrives.
      auto check = std::make_shared<plan::GroupAggregate>();
      check->inputs = {value.node};
      AggregateCall call = resolve_aggregate("SINGLE_VALUE", {column_of(*value.node, 0)});
      call.type.nullable = true;
      check->schema = {{"EXPR$0", call.type}};
      check->aggregates.push_back(std::move(call));
      check->changelog = plan::Changelog::retract;
      value = {check, std::nullopt};
    }
    JoinParts parts;
    parts.kind = plan::JoinKind::left;
    parts.left = input;
    parts.right = value;
    columns[node] = static_cast<int>(input.node->schema.size());
    input = make_join(std::move(parts));
    for (size_t i = 0; i < scope.columns.size(); ++i) scope.columns[i].type = input.node->schema[i].type;
  }
  return input;
}

}  // namespace millrace::processing::sql
