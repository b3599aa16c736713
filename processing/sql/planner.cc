// Queries: projection, WHERE, set operations, ORDER BY; and how relations are put on top of each other.
#include "processing/sql/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/functions/table.h"
#include "processing/sql/literals.h"

namespace millrace::processing::sql {
namespace {

std::vector<Field> fields_of(const std::vector<TypedExpr>& outputs, const std::vector<std::string>& names) {
  std::vector<Field> fields;
  for (size_t i = 0; i < outputs.size(); ++i) fields.push_back({names[i], outputs[i]->type});
  return fields;
}

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

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

int find_output(const std::vector<TypedExpr>& outputs, int column) {
  for (size_t i = 0; i < outputs.size(); ++i)
    if (is_column(outputs[i]) && outputs[i]->index == column) return static_cast<int>(i);
  return -1;
}

// ORDER BY 2: the index of the column it counts.
int ordinal(const Node& node, size_t columns) {
  const std::optional<int64_t> place = whole_number(node);
  if (!place || *place < 1 || *place > static_cast<int64_t>(columns)) fail_validation("Ordinal out of range", node.pos);
  return static_cast<int>(*place) - 1;
}

}  // namespace

TypedExpr checked_condition(TypedExpr condition, const char* clause) {
  const SourcePosition& at = condition->position;
  if (condition->type.is(TypeRoot::null)) return make_literal(Value(), DataType::boolean(), at);
  if (!condition->type.is(TypeRoot::boolean)) {
    fail_validation(fmt::format("{} clause must be a condition", clause),
                    {at.line, at.column, at.end_line, at.end_column});
  }
  return condition;
}

plan::Changelog merge_changelogs(const std::vector<plan::NodePtr>& inputs) {
  plan::Changelog result = plan::Changelog::insert_only;
  for (const plan::NodePtr& input : inputs) result = std::max(result, input->changelog);
  return result;
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
  std::vector<plan::SortKey> sort;
  Relation result = query_body(query, outer, query.order_by, sort);
  common_ = std::move(saved);
  --depth_;
  return result;
}

Relation Planner::query_body(const Query& query, const Scope* outer, const std::vector<OrderItem>& order_by,
                             std::vector<plan::SortKey>& sort) {
  size_t hidden = 0;
  Relation result;
  switch (query.kind) {
    case Query::Kind::values:
      result = values(query);
      break;
    case Query::Kind::select:
      result = select(query, outer, order_by, sort, hidden);
      break;
    default:
      result = set_operation(query, outer);
      break;
  }
  if (query.kind != Query::Kind::select) {
    for (const OrderItem& item : order_by) {
      Scope scope;
      scope.columns = result.node->schema;
      TypedExpr key;
      if (item.expr->is_literal(LiteralKind::exact)) {
        key = column_of(*result.node, ordinal(*item.expr, scope.columns.size()));
      } else {
        key = Binder(scope).bind(*item.expr);
      }
      if (!is_column(key)) fail_table("ORDER BY an expression over a set operation is not supported yet.");
      sort.push_back({key->index, item.descending, item.nulls_first.value_or(!item.descending)});
    }
  }
  result = sort_and_limit(result, query, sort);
  if (hidden > 0) {
    std::vector<TypedExpr> outputs;
    std::vector<std::string> names;
    for (size_t i = 0; i + hidden < result.node->schema.size(); ++i) {
      outputs.push_back(column_of(*result.node, static_cast<int>(i)));
      names.push_back(result.node->schema[i].name);
    }
    result = project(result, std::move(outputs), std::move(names));
  }
  return result;
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
  bool stays = sort.empty() && input.node->changelog == plan::Changelog::insert_only;
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

SelectColumns Planner::select_columns(const Select& select, const Scope& scope) {
  SelectColumns result;
  size_t ordinal = 0;
  auto add_column = [&](int index, Pos pos) {
    // A name that finds exactly this column: qualified by its table.
    SelectItem item;
    item.expr = std::make_shared<Node>();
    item.expr->kind = NodeKind::name;
    item.expr->pos = pos;
    const std::string& column = scope.columns[static_cast<size_t>(index)].name;
    for (const ScopeTable& table : scope.tables)
      if (index >= table.first && index < table.first + table.count && !table.name.empty())
        item.expr->name.parts.push_back(table.name);
    item.expr->name.parts.push_back(column);
    item.expr->name.positions.assign(item.expr->name.parts.size(), pos);
    item.expr->name.pos = pos;
    item.alias = column;
    result.items.push_back(std::move(item));
    ++ordinal;
  };
  for (const SelectItem& item : select.items) {
    if (item.expr->kind != NodeKind::star) {
      if (item.expr->is_literal(LiteralKind::null)) fail_validation("Illegal use of 'NULL'", item.expr->pos);
      SelectItem copy = item;
      copy.alias = item_name(item, ordinal++);
      result.items.push_back(std::move(copy));
      continue;
    }
    const Name& prefix = item.expr->name;
    if (prefix.parts.empty()) {
      if (scope.tables.empty()) fail_validation("SELECT * requires a FROM clause", item.expr->pos);
      if (!scope.star_order.empty()) {
        for (int index : scope.star_order) add_column(index, item.expr->pos);
        continue;
      }
      for (size_t i = 0; i < scope.columns.size(); ++i)
        if (i >= scope.hidden.size() || !scope.hidden[i]) add_column(static_cast<int>(i), item.expr->pos);
      continue;
    }
    const ScopeTable* found = nullptr;
    for (const ScopeTable& table : scope.tables)
      if (prefix.parts.size() == 1 && table.name == prefix.parts[0]) found = &table;
    if (found != nullptr) {
      for (int i = found->first; i < found->first + found->count; ++i) add_column(i, item.expr->pos);
      continue;
    }
    // row.*: the fields of a column.
    auto node = std::make_shared<Node>();
    node->kind = NodeKind::name;
    node->name = prefix;
    node->pos = item.expr->pos;
    bool is_row_column = std::ranges::any_of(scope.columns, [&](const Field& f) { return f.name == prefix.parts[0]; });
    TypedExpr row = is_row_column ? Binder(scope).bind(*node) : nullptr;
    if (row == nullptr || !row->type.is(TypeRoot::row))
      fail_validation(fmt::format("Unknown identifier '{}'", prefix.text()), item.expr->pos);
    for (const Field& field : *row->type.fields) {
      SelectItem part;
      part.expr = std::make_shared<Node>(*node);
      part.expr->name.parts.push_back(field.name);
      part.expr->name.positions.push_back(item.expr->pos);
      part.alias = field.name;
      result.items.push_back(std::move(part));
      ++ordinal;
    }
  }
  for (const SelectItem& item : result.items) result.names.push_back(item.alias);
  result.names = unique_names(std::move(result.names));
  return result;
}

Relation Planner::select(const Query& query, const Scope* outer, const std::vector<OrderItem>& order_by,
                         std::vector<plan::SortKey>& sort, size_t& hidden) {
  const Select& select = query.select;
  FromResult input;
  if (select.from != nullptr) {
    input = from(*select.from, outer);
  } else {
    auto node = std::make_shared<plan::Values>();
    node->rows.emplace_back();
    input.relation.node = node;
  }
  Scope& scope = input.scope;
  scope.outer = outer;
  for (const auto& [name, spec] : select.windows) scope.windows[name] = &spec;
  if (select.where != nullptr) {
    input.relation = filter(input.relation, scope, *select.where, "WHERE");
    // The condition may have made a join one that keeps time attributes.
    for (size_t i = 0; i < scope.columns.size(); ++i) scope.columns[i].type = input.relation.node->schema[i].type;
  }

  SelectColumns columns = select_columns(select, scope);
  // ORDER BY names an output, counts one, repeats its expression, or needs a column that is not in the output.
  for (const OrderItem& item : order_by) {
    const Node& expr = *item.expr;
    int index = -1;
    if (expr.is_literal(LiteralKind::exact)) {
      index = ordinal(expr, columns.items.size() - columns.hidden);
    }
    for (size_t i = 0; i < columns.items.size() && index < 0; ++i) {
      bool by_name =
          expr.kind == NodeKind::name && expr.name.parts.size() == 1 && columns.names[i] == expr.name.parts[0];
      if (by_name || unparse(*columns.items[i].expr) == unparse(expr)) index = static_cast<int>(i);
    }
    if (index < 0) {
      index = static_cast<int>(columns.items.size());
      columns.items.push_back({item.expr, "$sort" + std::to_string(index), {}});
      columns.names.push_back("$sort" + std::to_string(index));
      ++columns.hidden;
    }
    sort.push_back({index, item.descending, item.nulls_first.value_or(!item.descending)});
  }
  hidden = columns.hidden;

  bool aggregated = select.grouped || select.having != nullptr;
  bool windowed = false;
  for (const SelectItem& item : columns.items) {
    aggregated = aggregated || find_aggregate(*item.expr) != nullptr;
    windowed = windowed || find_over(*item.expr) != nullptr;
  }
  Relation result;
  if (aggregated) {
    result = aggregate(input.relation, scope, select, columns);
  } else if (windowed) {
    result = over(input.relation, scope, select, columns);
  } else {
    std::map<const Node*, int> subqueries;
    std::vector<NodePtr> exprs;
    for (const SelectItem& item : columns.items) exprs.push_back(item.expr);
    Relation base = scalar_subqueries(input.relation, scope, exprs, subqueries);
    Binder binder(scope, [&](const Node& node) -> TypedExpr {
      auto found = subqueries.find(&node);
      return found == subqueries.end() ? nullptr : column_of(*base.node, found->second, where(node.pos));
    });
    std::vector<TypedExpr> outputs = binder.bind_all(exprs);
    result = project(base, std::move(outputs), columns.names);
  }
  if (select.qualify != nullptr) {
    Scope output;
    output.columns = result.node->schema;
    result = filter(result, output, *select.qualify, "QUALIFY");
  }
  if (select.distinct) result = distinct(result);
  return result;
}

Relation Planner::filter(Relation input, const Scope& scope, const Node& condition, const char* clause) {
  if (const Node* call = find_aggregate(condition))
    fail_validation(fmt::format("Aggregate expression is illegal in {} clause", clause), call->pos);
  if (const Node* call = find_over(condition))
    fail_validation(fmt::format("Windowed aggregate expression is illegal in {} clause", clause), call->pos);
  return filter_with_subqueries(std::move(input), scope, condition);
}

// Puts a condition on top; an adjacent Calc takes it in, and a ranking below may take its bounds from it.
Relation Planner::filter_by(Relation input, TypedExpr condition) {
  if (condition == nullptr) return input;
  condition = checked_condition(std::move(condition), "WHERE");
  if (auto join = joins_.find(input.node.get()); join != joins_.end()) {
    JoinParts parts = join->second;
    // Over the join's inputs the times are still time attributes.
    std::vector<TypedExpr> columns;
    for (const Relation* side : {&parts.left, &parts.right})
      for (const Field& field : side->node->schema)
        columns.push_back(make_column(static_cast<int>(columns.size()), field.type, field.name));
    for (TypedExpr& part : conjuncts(condition)) parts.conditions.push_back(substitute(part, columns));
    return make_join(std::move(parts));
  }
  std::vector<TypedExpr> outputs;
  for (size_t i = 0; i < input.node->schema.size(); ++i) outputs.push_back(column_of(*input.node, static_cast<int>(i)));
  std::vector<std::string> names = names_of(input.node->schema);
  auto calc = std::make_shared<plan::Calc>();
  calc->inputs = {input.node};
  calc->condition = condition;
  calc->outputs = outputs;
  calc->schema = input.node->schema;
  calc->changelog = input.node->changelog;
  calc->upsert_key = input.node->upsert_key;
  if (auto below = std::dynamic_pointer_cast<plan::Calc>(input.node)) {
    calc->inputs = below->inputs;
    TypedExpr own = substitute(condition, below->outputs);
    calc->condition = below->condition == nullptr ? own : conjunction({below->condition, own});
    calc->outputs = below->outputs;
  }
  return bound_rank({calc, input.window});
}

Relation Planner::project(Relation input, std::vector<TypedExpr> outputs, std::vector<std::string> names) {
  auto calc = std::make_shared<plan::Calc>();
  calc->inputs = {input.node};
  calc->outputs = std::move(outputs);
  calc->schema = fields_of(calc->outputs, names);
  calc->changelog = input.node->changelog;
  Relation result{calc, input.window};
  if (result.window) {
    result.window->start = find_output(calc->outputs, input.window->start);
    result.window->end = find_output(calc->outputs, input.window->end);
    result.window->time = find_output(calc->outputs, input.window->time);
    if (result.window->start < 0 && result.window->end < 0 && result.window->time < 0) result.window.reset();
  }
  for (int key : input.node->upsert_key) {
    int output = find_output(calc->outputs, key);
    if (output < 0) {
      calc->upsert_key.clear();
      break;
    }
    calc->upsert_key.push_back(output);
  }
  if (auto below = std::dynamic_pointer_cast<plan::Calc>(input.node)) {
    bool random_below = std::ranges::any_of(below->outputs, [](const TypedExpr& e) { return !e->deterministic; });
    if (!random_below) {
      for (TypedExpr& output : calc->outputs) output = substitute(output, below->outputs);
      calc->condition = below->condition;
      calc->inputs = below->inputs;
    }
  }
  return result;
}

Relation Planner::rename(Relation input, const std::vector<std::string>& names) {
  bool same = true;
  for (size_t i = 0; i < names.size(); ++i) same = same && input.node->schema[i].name == names[i];
  if (same) return input;
  std::vector<TypedExpr> outputs;
  std::vector<std::string> all = names_of(input.node->schema);
  for (size_t i = 0; i < input.node->schema.size(); ++i) {
    outputs.push_back(column_of(*input.node, static_cast<int>(i)));
    if (i < names.size()) all[i] = names[i];
  }
  return project(std::move(input), std::move(outputs), std::move(all));
}

Relation Planner::distinct(Relation input) {
  auto node = std::make_shared<plan::GroupAggregate>();
  node->inputs = {input.node};
  node->schema = input.node->schema;
  for (size_t i = 0; i < node->schema.size(); ++i) {
    node->keys.push_back(materialized(column_of(*input.node, static_cast<int>(i))));
    node->schema[i].type.attribute = TimeAttribute::none;
    node->upsert_key.push_back(static_cast<int>(i));
  }
  // Without retractions below, a key appears once and never changes.
  node->changelog = input.node->changelog;
  return {node, std::nullopt};
}

// INTERSECT ALL and EXCEPT ALL: counts each row on either side, then repeats it as often as it stays.
Relation Planner::set_operation_all(bool intersect, Relation left, Relation right) {
  size_t width = left.node->schema.size();
  DataType number = DataType::bigint().not_null();
  auto counted = [&](Relation side, int64_t on_left, int64_t on_right) {
    std::vector<TypedExpr> outputs;
    std::vector<std::string> names = names_of(side.node->schema);
    for (size_t i = 0; i < width; ++i) outputs.push_back(materialized(column_of(*side.node, static_cast<int>(i))));
    for (int64_t value : {on_left, on_right}) outputs.push_back(make_literal(Value::integer(value), number));
    names.insert(names.end(), {"$left", "$right"});
    return project(std::move(side), std::move(outputs), std::move(names));
  };
  auto both = std::make_shared<plan::UnionAll>();
  both->inputs = {counted(left, 1, 0).node, counted(right, 0, 1).node};
  both->schema = both->inputs[0]->schema;
  for (size_t i = 0; i < width; ++i)
    both->schema[i].type.nullable = both->schema[i].type.nullable || both->inputs[1]->schema[i].type.nullable;
  both->changelog = merge_changelogs(both->inputs);
  auto group = std::make_shared<plan::GroupAggregate>();
  group->inputs = {both};
  for (size_t i = 0; i < width; ++i) {
    group->keys.push_back(column_of(*both, static_cast<int>(i)));
    group->schema.push_back(both->schema[i]);
    group->upsert_key.push_back(static_cast<int>(i));
  }
  for (size_t side = 0; side < 2; ++side) {
    group->aggregates.push_back(resolve_aggregate("SUM", {column_of(*both, static_cast<int>(width + side))}));
    group->schema.push_back({side == 0 ? "$left" : "$right", group->aggregates.back().type});
  }
  group->changelog = plan::Changelog::retract;
  TypedExpr l = column_of(*group, static_cast<int>(width));
  TypedExpr r = column_of(*group, static_cast<int>(width) + 1);
  TypedExpr times = intersect ? make_call("CASE", {make_call("<", {l, r}), l, r}) : make_call("-", {l, r});
  TypedExpr zero = make_literal(Value::integer(0), number);
  Relation kept = filter_by({group, std::nullopt}, make_call(">", {times, zero}));
  // An array with as many elements as the row has copies: "x,x,x" cut at the commas.
  auto text = [](const char* value) {
    return make_literal(Value::text(value),
                        DataType::character(static_cast<int32_t>(std::string_view(value).size())).not_null());
  };
  TypedExpr more = make_cast(make_call("-", {times, make_literal(Value::integer(1), number)}), DataType::integer());
  TypedExpr list = make_call("CONCAT", {make_call("REPEAT", {text("x,"), more}), text("x")});
  auto repeat = std::make_shared<plan::Unnest>();
  repeat->inputs = {kept.node};
  repeat->collection = make_call("SPLIT", {list, text(",")});
  repeat->schema = kept.node->schema;
  repeat->schema.push_back({"$copy", DataType::string()});
  repeat->changelog = plan::Changelog::retract;
  std::vector<TypedExpr> outputs;
  for (size_t i = 0; i < width; ++i) outputs.push_back(column_of(*repeat, static_cast<int>(i)));
  return project({repeat, std::nullopt}, std::move(outputs), names_of(left.node->schema));
}

Relation Planner::set_operation(const Query& query, const Scope* outer) {
  const char* name = query.kind == Query::Kind::union_      ? "UNION"
                     : query.kind == Query::Kind::intersect ? "INTERSECT"
                                                            : "EXCEPT";
  std::string operation = std::string(name) + (query.all ? " ALL" : "");
  Relation left = relation_of(*query.left, outer);
  Relation right = relation_of(*query.right, outer);
  size_t width = left.node->schema.size();
  auto list_pos = [](const Query& part) {
    if (part.kind != Query::Kind::select || part.select.items.empty()) return part.pos;
    Pos pos = part.select.items.front().expr->pos;
    const SelectItem& last = part.select.items.back();
    return pos.to(last.alias_pos.known() ? last.alias_pos : last.expr->pos);
  };
  if (right.node->schema.size() != width)
    fail_validation(fmt::format("Column count mismatch in {}", operation), list_pos(*query.right));
  std::vector<TypedExpr> left_outputs;
  std::vector<TypedExpr> right_outputs;
  bool cast_left = false;
  bool cast_right = false;
  for (size_t i = 0; i < width; ++i) {
    const DataType& a = left.node->schema[i].type;
    const DataType& b = right.node->schema[i].type;
    std::optional<DataType> type = common_type(a, b);
    if (!type) {
      Pos pos = list_pos(*query.left);
      if (query.left->kind == Query::Kind::select && i < query.left->select.items.size())
        pos = query.left->select.items[i].expr->pos;
      fail_validation(fmt::format("Type mismatch in column {} of {}", i + 1, operation), pos);
    }
    type->nullable = a.nullable || b.nullable;
    bool keep_time = a.attribute == b.attribute && a.root == b.root && a.precision == b.precision;
    type->attribute = keep_time ? a.attribute : TimeAttribute::none;
    TypedExpr l = column_of(*left.node, static_cast<int>(i));
    TypedExpr r = column_of(*right.node, static_cast<int>(i));
    left_outputs.push_back(keep_time ? l : coerce(materialized(l), *type));
    right_outputs.push_back(keep_time ? r : coerce(materialized(r), *type));
    cast_left = cast_left || !is_column(left_outputs.back());
    cast_right = cast_right || !is_column(right_outputs.back());
  }
  std::vector<std::string> names = names_of(left.node->schema);
  auto nullable = [&](std::vector<TypedExpr>& outputs, const Relation& other) {
    for (size_t i = 0; i < width; ++i) {
      if (!other.node->schema[i].type.nullable || outputs[i]->type.nullable) continue;
      auto copy = std::make_shared<processing::Expr>(*outputs[i]);
      copy->type.nullable = true;
      outputs[i] = copy;
    }
  };
  nullable(left_outputs, right);
  nullable(right_outputs, left);
  if (cast_left) left = project(left, left_outputs, names);
  if (cast_right) right = project(right, right_outputs, names);

  if (query.kind == Query::Kind::union_) {
    auto node = std::make_shared<plan::UnionAll>();
    node->inputs = {left.node, right.node};
    for (size_t i = 0; i < width; ++i) node->schema.push_back({names[i], left_outputs[i]->type});
    node->changelog = merge_changelogs(node->inputs);
    Relation result{node, std::nullopt};
    return query.all ? result : distinct(result);
  }
  if (query.all) return set_operation_all(query.kind == Query::Kind::intersect, left, right);
  // A row of the left that is, or is not, on the right: a semi or anti join in which NULLs are equal.
  Relation rows = distinct(left);
  auto join = std::make_shared<plan::Join>();
  join->join = query.kind == Query::Kind::intersect ? plan::JoinKind::semi : plan::JoinKind::anti;
  join->inputs = {rows.node, right.node};
  join->schema = rows.node->schema;
  for (size_t i = 0; i < width; ++i) {
    join->left_keys.push_back(static_cast<int>(i));
    join->right_keys.push_back(static_cast<int>(i));
    join->null_equals.push_back(true);
  }
  join->upsert_key = rows.node->upsert_key;
  join->changelog = plan::Changelog::retract;
  if (join->join == plan::JoinKind::semi && merge_changelogs(join->inputs) == plan::Changelog::insert_only)
    join->changelog = plan::Changelog::insert_only;
  return {join, std::nullopt};
}

}  // namespace millrace::processing::sql
