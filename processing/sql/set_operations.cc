// UNION, INTERSECT and EXCEPT, with and without ALL.
#include <fmt/format.h>

#include <algorithm>

#include "processing/functions/table.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

// Where a query's outputs stand.
Pos outputs_pos(const Query& query) {
  if (query.kind != Query::Kind::select || query.select.items.empty()) return query.pos;
  const SelectItem& last = query.select.items.back();
  return query.select.items.front().expr->pos.to(last.alias_pos.known() ? last.alias_pos : last.expr->pos);
}

Pos output_pos(const Query& query, size_t column) {
  const auto& items = query.select.items;
  if (query.kind == Query::Kind::select && column < items.size()) return items[column].expr->pos;
  return outputs_pos(query);
}

std::string name_of(const Query& query) {
  const char* name = query.kind == Query::Kind::union_      ? "UNION"
                     : query.kind == Query::Kind::intersect ? "INTERSECT"
                                                            : "EXCEPT";
  return std::string(name) + (query.all ? " ALL" : "");
}

// Columns that are NULL on the other side may be NULL here.
void make_nullable_like(std::vector<TypedExpr>& outputs, const Relation& other) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!other.node->schema[i].type.nullable || outputs[i]->type.nullable) continue;
    auto copy = std::make_shared<processing::Expr>(*outputs[i]);
    copy->type.nullable = true;
    outputs[i] = copy;
  }
}

const DataType& count_type() {
  static const DataType type = DataType::bigint().not_null();
  return type;
}

}  // namespace

Relation Planner::set_operation(const Query& query, const Scope* outer) {
  Relation left = relation_of(*query.left, outer);
  Relation right = relation_of(*query.right, outer);
  std::vector<Field> schema = align_columns(query, left, right);
  if (query.kind == Query::Kind::union_) {
    auto node = std::make_shared<plan::UnionAll>();
    node->inputs = {left.node, right.node};
    node->schema = std::move(schema);
    node->changelog = merge_changelogs(node->inputs);
    Relation result{node, std::nullopt};
    return query.all ? result : distinct(result);
  }
  const bool intersect = query.kind == Query::Kind::intersect;
  return query.all ? set_operation_all(intersect, left, right) : distinct_rows_in(intersect, left, right);
}

// Gives both sides the same types, and returns the columns of both together.
std::vector<Field> Planner::align_columns(const Query& query, Relation& left, Relation& right) {
  const size_t width = left.node->schema.size();
  if (right.node->schema.size() != width)
    fail_validation(fmt::format("Column count mismatch in {}", name_of(query)), outputs_pos(*query.right));
  std::vector<TypedExpr> left_outputs;
  std::vector<TypedExpr> right_outputs;
  for (size_t i = 0; i < width; ++i) {
    const DataType& a = left.node->schema[i].type;
    const DataType& b = right.node->schema[i].type;
    std::optional<DataType> type = common_type(a, b);
    if (!type)
      fail_validation(fmt::format("Type mismatch in column {} of {}", i + 1, name_of(query)),
                      output_pos(*query.left, i));
    type->nullable = a.nullable || b.nullable;
    const bool keep_time = a.attribute == b.attribute && a.root == b.root && a.precision == b.precision;
    type->attribute = keep_time ? a.attribute : TimeAttribute::none;
    TypedExpr l = column_of(*left.node, static_cast<int>(i));
    TypedExpr r = column_of(*right.node, static_cast<int>(i));
    left_outputs.push_back(keep_time ? l : coerce(materialized(l), *type));
    right_outputs.push_back(keep_time ? r : coerce(materialized(r), *type));
  }
  const bool cast_left = !std::ranges::all_of(left_outputs, is_column);
  const bool cast_right = !std::ranges::all_of(right_outputs, is_column);
  make_nullable_like(left_outputs, right);
  make_nullable_like(right_outputs, left);
  const std::vector<std::string> names = names_of(left.node->schema);
  if (cast_left) left = project(left, left_outputs, names);
  if (cast_right) right = project(right, right_outputs, names);
  std::vector<Field> schema;
  for (size_t i = 0; i < width; ++i) schema.push_back({names[i], left_outputs[i]->type});
  return schema;
}

// A row of the left that is, or is not, on the right: a semi or anti join in which NULLs are equal.
Relation Planner::distinct_rows_in(bool intersect, Relation left, Relation right) {
  Relation rows = distinct(std::move(left));
  auto join = std::make_shared<plan::Join>();
  join->join = intersect ? plan::JoinKind::semi : plan::JoinKind::anti;
  join->inputs = {rows.node, right.node};
  join->schema = rows.node->schema;
  for (size_t i = 0; i < join->schema.size(); ++i) {
    join->left_keys.push_back(static_cast<int>(i));
    join->right_keys.push_back(static_cast<int>(i));
    join->null_equals.push_back(true);
  }
  join->upsert_key = rows.node->upsert_key;
  const bool only_inserts = intersect && merge_changelogs(join->inputs) == plan::Changelog::insert_only;
  join->changelog = only_inserts ? plan::Changelog::insert_only : plan::Changelog::retract;
  return {join, std::nullopt};
}

// INTERSECT ALL and EXCEPT ALL: counts each row on either side, then repeats it as often as it stays.
Relation Planner::set_operation_all(bool intersect, Relation left, Relation right) {
  const size_t width = left.node->schema.size();
  auto counts = count_on_each_side(std::move(left), std::move(right));
  TypedExpr l = column_of(*counts, static_cast<int>(width));
  TypedExpr r = column_of(*counts, static_cast<int>(width) + 1);
  TypedExpr times = intersect ? make_call("CASE", {make_call("<", {l, r}), l, r}) : make_call("-", {l, r});
  TypedExpr zero = make_literal(Value::integer(0), count_type());
  Relation kept = filter_by({counts, std::nullopt}, make_call(">", {times, zero}));
  return keep_columns(repeated(std::move(kept), times), width);
}

// The rows of both sides once each, with how often they are on the left and on the right.
plan::NodePtr Planner::count_on_each_side(Relation left, Relation right) {
  const size_t width = left.node->schema.size();
  auto counted = [&](Relation side, int64_t on_left, int64_t on_right) {
    std::vector<TypedExpr> outputs;
    std::vector<std::string> names = names_of(side.node->schema);
    for (TypedExpr& column : first_columns(*side.node, width)) outputs.push_back(materialized(std::move(column)));
    for (int64_t value : {on_left, on_right}) outputs.push_back(make_literal(Value::integer(value), count_type()));
    names.insert(names.end(), {"$left", "$right"});
    return project(std::move(side), std::move(outputs), std::move(names));
  };
  auto both = std::make_shared<plan::UnionAll>();
  both->inputs = {counted(std::move(left), 1, 0).node, counted(std::move(right), 0, 1).node};
  both->schema = both->inputs[0]->schema;
  for (size_t i = 0; i < width; ++i)
    both->schema[i].type.nullable = both->schema[i].type.nullable || both->inputs[1]->schema[i].type.nullable;
  both->changelog = merge_changelogs(both->inputs);
  auto group = std::make_shared<plan::GroupAggregate>();
  group->inputs = {both};
  group->keys = first_columns(*both, width);
  for (size_t i = 0; i < width; ++i) {
    group->schema.push_back(both->schema[i]);
    group->upsert_key.push_back(static_cast<int>(i));
  }
  for (size_t side = 0; side < 2; ++side) {
    group->aggregates.push_back(resolve_aggregate("SUM", {column_of(*both, static_cast<int>(width + side))}));
    group->schema.push_back({side == 0 ? "$left" : "$right", group->aggregates.back().type});
  }
  group->changelog = plan::Changelog::retract;
  return group;
}

// Each row `times` times, with a column behind: it is unnested with an array of as many elements, "x,x,x" cut at the
// commas.
Relation Planner::repeated(Relation rows, const TypedExpr& times) {
  auto text = [](const char* value) {
    return make_literal(Value::text(value),
                        DataType::character(static_cast<int32_t>(std::string_view(value).size())).not_null());
  };
  TypedExpr one = make_literal(Value::integer(1), count_type());
  TypedExpr more = make_cast(make_call("-", {times, one}), DataType::integer());
  TypedExpr list = make_call("CONCAT", {make_call("REPEAT", {text("x,"), more}), text("x")});
  auto repeat = std::make_shared<plan::Unnest>();
  repeat->inputs = {rows.node};
  repeat->collection = make_call("SPLIT", {list, text(",")});
  repeat->schema = rows.node->schema;
  repeat->schema.push_back({"$copy", DataType::string()});
  repeat->changelog = plan::Changelog::retract;
  return {repeat, std::nullopt};
}

}  // namespace millrace::processing::sql
