// The nodes of a GROUP BY.
#include <algorithm>

#include "processing/sql/aggregate_planner.h"

namespace millrace::processing::sql {
namespace {

const char* column_name(plan::WindowProperty property) {
  switch (property) {
    case plan::WindowProperty::start:
      return "window_start";
    case plan::WindowProperty::end:
      return "window_end";
    case plan::WindowProperty::time:
      break;
  }
  return "window_time";
}

}  // namespace

Relation Planner::aggregate(Relation input, const Scope& scope, const Select& select, const SelectColumns& columns) {
  return AggregatePlanner(*this, std::move(input), scope, select, columns).plan();
}

Relation AggregatePlanner::plan() {
  collect_keys();
  choose_window();
  bind_outputs();  // finds the aggregate calls
  if (!sets_.empty()) expand_sets();
  bind_outputs();  // now that all calls are known, so are the columns behind them
  Relation result = window_ ? window_aggregate() : group_aggregate();
  if (having_ != nullptr) result = planner_.filter_by(result, having_);
  return planner_.project(result, outputs_, columns_.names);
}

// Each row once per grouping set, with NULL for the keys the set leaves out, and the number of the set.
void AggregatePlanner::expand_sets() {
  auto expand = std::make_shared<plan::Expand>();
  expand->inputs = {input_.node};
  expand->changelog = input_.node->changelog;
  expand->schema = input_.node->schema;
  const size_t width = expand->schema.size();
  const std::vector<size_t> plain = plain_keys();
  for (size_t key : plain) expand->schema.push_back({"$key" + std::to_string(key), key_type(key)});
  expand->schema.push_back({"$e", DataType::bigint().not_null()});
  for (size_t set = 0; set < sets_.size(); ++set) {
    std::vector<TypedExpr> projection = first_columns(*input_.node, width);
    for (size_t key : plain) {
      const bool kept = std::ranges::find(sets_[set], key) != sets_[set].end();
      DataType type = expand->schema[projection.size()].type;
      projection.push_back(kept ? materialized(keys_[key]) : make_literal(Value(), type.with_nullable(true)));
    }
    projection.push_back(make_literal(Value::integer(static_cast<int64_t>(set)), DataType::bigint().not_null()));
    expand->projections.push_back(std::move(projection));
  }
  input_.node = expand;
  for (size_t i = width; i < expand->schema.size(); ++i)
    expanded_keys_.push_back(column_of(*expand, static_cast<int>(i)));
}

std::vector<TypedExpr> AggregatePlanner::key_exprs() const {
  if (!sets_.empty()) return expanded_keys_;
  std::vector<TypedExpr> result;
  for (size_t key : plain_keys()) result.push_back(materialized(keys_[key]));
  return result;
}

std::vector<Field> AggregatePlanner::result_schema(const std::vector<TypedExpr>& keys) const {
  std::vector<Field> schema;
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool named = is_column(keys[i]) && !keys[i]->name.empty();
    schema.push_back({named ? keys[i]->name : "$f" + std::to_string(i), keys[i]->type});
  }
  // A call that is an output as it stands is called like the output.
  for (const AggregateCall& call : calls_) {
    std::string name = "$f" + std::to_string(schema.size());
    for (size_t k = 0; k < outputs_.size(); ++k)
      if (is_column(outputs_[k]) && outputs_[k]->index == static_cast<int>(schema.size())) name = columns_.names[k];
    schema.push_back({name, call.type});
  }
  return schema;
}

Relation AggregatePlanner::window_aggregate() {
  using Property = plan::WindowProperty;
  const std::vector<TypedExpr> keys = key_exprs();
  auto node = std::make_shared<plan::WindowAggregate>();
  node->inputs = {input_.node};
  node->window = *window_;
  node->attached = attached_;
  node->keys = keys;
  node->aggregates = calls_;
  // The borders always come along, so that windows above know them.
  for (Property p : {Property::start, Property::end, Property::time})
    if (std::ranges::find(property_list_, p) == property_list_.end()) property_list_.push_back(p);
  node->properties = property_list_;
  node->schema = result_schema(keys);
  for (Property p : property_list_) node->schema.push_back({column_name(p), property_type(p)});
  node->emits_time_attribute = true;
  auto position = [&](Property p) {
    return static_cast<int>(keys.size() + calls_.size()) +
           static_cast<int>(std::ranges::find(property_list_, p) - property_list_.begin());
  };
  WindowTrait trait;
  trait.spec = *window_;
  trait.start = position(Property::start);
  trait.end = position(Property::end);
  trait.time = position(Property::time);
  return {node, trait};
}

Relation AggregatePlanner::group_aggregate() {
  auto node = std::make_shared<plan::GroupAggregate>();
  node->inputs = {input_.node};
  node->keys = key_exprs();
  node->aggregates = calls_;
  node->schema = result_schema(node->keys);
  for (size_t i = 0; i < node->keys.size(); ++i) node->upsert_key.push_back(static_cast<int>(i));
  const bool only_keys = calls_.empty() && input_.node->changelog == plan::Changelog::insert_only;
  node->changelog = only_keys ? plan::Changelog::insert_only : plan::Changelog::retract;
  return {node, std::nullopt};
}

}  // namespace millrace::processing::sql
