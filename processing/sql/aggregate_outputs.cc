// What the outputs and HAVING of a query with GROUP BY mean over the aggregate's row: calls, keys and borders become
// its columns; anything else that reads the input is refused.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/aggregate_planner.h"
#include "processing/sql/literals.h"

namespace millrace::processing::sql {
namespace {

bool same_call(const AggregateCall& a, const AggregateCall& b) {
  if (a.name != b.name || a.distinct != b.distinct || a.options != b.options) return false;
  if ((a.filter == nullptr) != (b.filter == nullptr)) return false;
  if (a.filter != nullptr && !same_expr(a.filter, b.filter)) return false;
  return std::ranges::equal(a.args, b.args, same_expr);
}

}  // namespace

void AggregatePlanner::bind_outputs() {
  Binder binder(scope_, [&](const Node& node) { return replace(node); });
  having_ = nullptr;
  if (select_.having != nullptr) {
    having_ = binder.bind(*select_.having);
    if (!having_->type.is(TypeRoot::boolean)) fail_validation("HAVING clause must be a condition", select_.having->pos);
  }
  outputs_.clear();
  for (const SelectItem& item : columns_.items) {
    if (find_over(*item.expr) != nullptr) fail_table("OVER in a query with GROUP BY is not supported yet.");
    outputs_.push_back(binder.bind(*item.expr));
  }
}

// The column that stands for the expression; null when its parts are to be looked at.
TypedExpr AggregatePlanner::replace(const Node& node) {
  if (node.kind == NodeKind::literal || node.kind == NodeKind::symbol) return nullptr;
  if (node.kind == NodeKind::call && (node.op == "GROUPING" || node.op == "GROUPING_ID" || node.op == "GROUP_ID"))
    return grouping(node);
  if (find_aggregate(node) == &node) return aggregate_column(node);
  if (TypedExpr property = legacy_property(node)) return property;
  if (find_aggregate(node) != nullptr || find_over(node) != nullptr) return nullptr;
  if (node.kind == NodeKind::query) return nullptr;
  if (contains_legacy(node)) return nullptr;
  TypedExpr base = Binder(scope_).bind(node);
  if (std::optional<size_t> key = find_key(base)) return key_column(*key, where(node.pos));
  if (node.kind != NodeKind::name) return nullptr;
  if (TypedExpr field = field_of_key(base, where(node.pos))) return field;
  fail_validation(fmt::format("Expression '{}' is not being grouped", node.name.text()), node.pos);
}

TypedExpr AggregatePlanner::aggregate_column(const Node& node) {
  Binder base(scope_, [&](const Node& inner) -> TypedExpr {
    if (const Node* nested = find_aggregate(inner); nested == &inner)
      fail_validation("Aggregate expressions cannot be nested", node.pos);
    return nullptr;
  });
  std::vector<TypedExpr> args;
  for (const NodePtr& operand : node.operands) {
    if (operand->kind == NodeKind::star) continue;  // COUNT(*)
    args.push_back(base.bind(*operand));
  }
  TypedExpr filter;
  if (node.filter != nullptr) {
    filter = base.bind(*node.filter);
    if (!filter->type.is(TypeRoot::boolean)) fail_validation("FILTER clause must be a condition", node.filter->pos);
  }
  AggregateCall call = resolve_aggregate(node.op, std::move(args), node.distinct, filter, where(node.pos));
  const bool counts = call.name == "COUNT" || call.name == "APPROX_COUNT_DISTINCT" || call.name == "REGR_COUNT";
  if (!counts && (keys_.empty() || filter != nullptr)) call.type.nullable = true;
  size_t index = 0;
  while (index < calls_.size() && !same_call(calls_[index], call)) ++index;
  if (index == calls_.size()) calls_.push_back(std::move(call));
  return make_column(static_cast<int>(key_columns() + index), calls_[index].type, "", where(node.pos));
}

// GROUPING(a, b): one bit per argument, 1 when the row's grouping set leaves it out.
TypedExpr AggregatePlanner::grouping(const Node& node) {
  KeySet wanted;
  for (const NodePtr& operand : node.operands) {
    std::optional<size_t> key = find_key(Binder(scope_).bind(*operand));
    if (!key)
      fail_validation(fmt::format("Argument to {} operator must be a grouped expression", node.op), operand->pos);
    wanted.push_back(*key);
  }
  DataType type = DataType::bigint().not_null();
  if (sets_.empty()) return make_literal(Value::integer(0), type, where(node.pos));
  std::vector<TypedExpr> branches;
  TypedExpr id = make_column(static_cast<int>(key_columns() - 1), DataType::bigint().not_null());
  for (size_t set = 0; set < sets_.size(); ++set) {
    int64_t bits = 0;
    for (size_t key : wanted) bits = bits * 2 + (std::ranges::find(sets_[set], key) == sets_[set].end() ? 1 : 0);
    TypedExpr value = make_literal(Value::integer(bits), type);
    if (set + 1 < sets_.size()) {
      branches.push_back(make_call("=", {id, make_literal(Value::integer(static_cast<int64_t>(set)), type)}));
    }
    branches.push_back(value);
  }
  return sets_.size() == 1 ? branches[0] : make_call("CASE", branches, where(node.pos));
}

TypedExpr AggregatePlanner::key_column(size_t key, SourcePosition at) {
  auto property = properties_.find(static_cast<int>(key));
  if (property != properties_.end()) return property_column(property->second, at);
  const std::vector<size_t> plain = plain_keys();
  const auto position = std::ranges::find(plain, key) - plain.begin();
  return make_column(static_cast<int>(position), key_type(key), "", at);
}

// A field of a row that is a key; null when it is none.
TypedExpr AggregatePlanner::field_of_key(const TypedExpr& field, SourcePosition at) {
  for (size_t key = 0; key < keys_.size(); ++key) {
    std::vector<int> path;
    TypedExpr inner = field;
    while (inner->kind == processing::Expr::Kind::field && !same_expr(inner, keys_[key])) {
      path.push_back(inner->index);
      inner = inner->args[0];
    }
    if (!same_expr(inner, keys_[key])) continue;
    TypedExpr value = key_column(key, at);
    for (size_t k = path.size(); k-- > 0;) value = make_field(value, path[k], at);
    return value;
  }
  return nullptr;
}

// TUMBLE_START(ts, …) and the like.
TypedExpr AggregatePlanner::legacy_property(const Node& node) {
  if (legacy_node_ == nullptr || node.kind != NodeKind::call) return nullptr;
  const std::string& window = legacy_node_->op;
  if (!node.op.starts_with(window + "_") || node.operands.size() != legacy_node_->operands.size()) return nullptr;
  std::string what = node.op.substr(window.size() + 1);
  for (size_t i = 0; i < node.operands.size(); ++i)
    if (unparse(*node.operands[i]) != unparse(*legacy_node_->operands[i])) return nullptr;
  if (what == "START") return property_column(plan::WindowProperty::start, where(node.pos));
  if (what == "END") return property_column(plan::WindowProperty::end, where(node.pos));
  if (what == "ROWTIME" || what == "PROCTIME") return property_column(plan::WindowProperty::time, where(node.pos));
  return nullptr;
}

bool AggregatePlanner::contains_legacy(const Node& node) {
  if (legacy_node_ == nullptr) return false;
  if (legacy_property(node) != nullptr) return true;
  return std::ranges::any_of(node.operands, [&](const NodePtr& o) { return o != nullptr && contains_legacy(*o); });
}

TypedExpr AggregatePlanner::property_column(plan::WindowProperty property, SourcePosition at) {
  size_t index = 0;
  while (index < property_list_.size() && property_list_[index] != property) ++index;
  if (index == property_list_.size()) property_list_.push_back(property);
  return make_column(static_cast<int>(key_columns() + calls_.size() + index), property_type(property), "", at);
}

DataType AggregatePlanner::property_type(plan::WindowProperty property) const {
  if (property != plan::WindowProperty::time) return DataType::timestamp(3).not_null();
  if (legacy_node_ != nullptr) return DataType(legacy_time_.root, 3).not_null().with_attribute(legacy_time_.attribute);
  if (result_time_.is_timestamp()) return result_time_;
  return DataType::timestamp(3).not_null().with_attribute(TimeAttribute::rowtime);
}

}  // namespace millrace::processing::sql
