// What is put on top of a relation whatever the query: a condition, other columns, no duplicates. Adjacent Calcs become
// one.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

std::vector<Field> fields_of(const std::vector<TypedExpr>& outputs, const std::vector<std::string>& names) {
  std::vector<Field> fields;
  for (size_t i = 0; i < outputs.size(); ++i) fields.push_back({names[i], outputs[i]->type});
  return fields;
}

int find_output(const std::vector<TypedExpr>& outputs, int column) {
  for (size_t i = 0; i < outputs.size(); ++i)
    if (is_column(outputs[i]) && outputs[i]->index == column) return static_cast<int>(i);
  return -1;
}

}  // namespace

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

TypedExpr checked_condition(TypedExpr condition, const char* clause) {
  const SourcePosition& at = condition->position;
  if (condition->type.is(TypeRoot::null)) return make_literal(Value(), DataType::boolean(), at);
  if (!condition->type.is(TypeRoot::boolean)) {
    fail_validation(fmt::format("{} clause must be a condition", clause),
                    {at.line, at.column, at.end_line, at.end_column});
  }
  return condition;
}

std::vector<TypedExpr> first_columns(const plan::Node& node, size_t count) {
  std::vector<TypedExpr> columns;
  for (size_t i = 0; i < count; ++i) columns.push_back(column_of(node, static_cast<int>(i)));
  return columns;
}

plan::Changelog merge_changelogs(const std::vector<plan::NodePtr>& inputs) {
  plan::Changelog result = plan::Changelog::insert_only;
  for (const plan::NodePtr& input : inputs) result = std::max(result, input->changelog);
  return result;
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
  auto calc = std::make_shared<plan::Calc>();
  calc->inputs = {input.node};
  calc->condition = condition;
  calc->outputs = first_columns(*input.node, input.node->schema.size());
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

Relation Planner::keep_columns(Relation input, size_t count) {
  std::vector<TypedExpr> outputs = first_columns(*input.node, count);
  std::vector<std::string> names = names_of(input.node->schema);
  names.resize(count);
  return project(std::move(input), std::move(outputs), std::move(names));
}

Relation Planner::rename(Relation input, const std::vector<std::string>& names) {
  bool same = true;
  for (size_t i = 0; i < names.size(); ++i) same = same && input.node->schema[i].name == names[i];
  if (same) return input;
  std::vector<TypedExpr> outputs = first_columns(*input.node, input.node->schema.size());
  std::vector<std::string> all = names_of(input.node->schema);
  std::ranges::copy(names, all.begin());
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

}  // namespace millrace::processing::sql
