// The keys of a GROUP BY and its grouping sets: ROLLUP (a, b) is the sets (a, b), (a) and (); CUBE (a, b) adds (b).
#include <algorithm>

#include "processing/sql/aggregate_planner.h"

namespace millrace::processing::sql {
namespace {

using KeySet = std::vector<size_t>;

KeySet joined(const std::vector<KeySet>& parts, auto&& taken) {
  KeySet set;
  for (size_t i = 0; i < parts.size(); ++i)
    if (taken(i)) set.insert(set.end(), parts[i].begin(), parts[i].end());
  return set;
}

std::vector<KeySet> rollup(const std::vector<KeySet>& parts) {
  std::vector<KeySet> sets;
  for (size_t n = parts.size() + 1; n-- > 0;) sets.push_back(joined(parts, [&](size_t i) { return i < n; }));
  return sets;
}

std::vector<KeySet> cube(const std::vector<KeySet>& parts) {
  std::vector<KeySet> sets;
  for (size_t mask = size_t{1} << parts.size(); mask-- > 0;)
    sets.push_back(joined(parts, [&](size_t i) { return (mask >> (parts.size() - 1 - i) & 1) != 0; }));
  return sets;
}

KeySet united(const KeySet& a, const KeySet& b) {
  KeySet both = a;
  for (size_t key : b)
    if (std::ranges::find(both, key) == both.end()) both.push_back(key);
  return both;
}

}  // namespace

// The group items are multiplied: each combination of their sets is one grouping set.
void AggregatePlanner::collect_keys() {
  sets_ = {{}};
  for (const GroupItem& item : select_.group_by) {
    const std::vector<KeySet> own = sets_of(item);
    std::vector<KeySet> combined;
    for (const KeySet& before : sets_)
      for (const KeySet& set : own) combined.push_back(united(before, set));
    sets_ = std::move(combined);
  }
  const bool full = std::ranges::all_of(sets_, [&](const KeySet& set) { return set.size() == keys_.size(); });
  if (sets_.size() == 1 && full) sets_.clear();
}

std::vector<AggregatePlanner::KeySet> AggregatePlanner::sets_of(const GroupItem& item) {
  std::vector<KeySet> parts;
  for (const auto& part : item.sets) {
    KeySet set;
    for (const NodePtr& node : part) add_key(*node, set);
    parts.push_back(std::move(set));
  }
  switch (item.kind) {
    case GroupItem::Kind::expr: {
      KeySet set;
      if (item.expr->is_call("ROW")) {
        for (const NodePtr& node : item.expr->operands) add_key(*node, set);
      } else {
        add_key(*item.expr, set);
      }
      return {set};
    }
    case GroupItem::Kind::empty:
      return {{}};
    case GroupItem::Kind::grouping_sets:
      for (const GroupItem& nested : item.nested)
        for (KeySet& set : sets_of(nested)) parts.push_back(std::move(set));
      return parts;
    case GroupItem::Kind::rollup:
      return rollup(parts);
    case GroupItem::Kind::cube:
      return cube(parts);
  }
  return {};
}

void AggregatePlanner::add_key(const Node& node, KeySet& set) {
  if (const Node* call = find_aggregate(node))
    fail_validation("Aggregate expression is illegal in GROUP BY clause", call->pos);
  if (is_legacy_window(node)) {
    legacy_window(node);
    return;
  }
  TypedExpr key = Binder(scope_).bind(node);
  const size_t index = find_key(key).value_or(keys_.size());
  if (index == keys_.size()) keys_.push_back(key);
  if (std::ranges::find(set, index) == set.end()) set.push_back(index);
}

std::optional<size_t> AggregatePlanner::find_key(const TypedExpr& expr) const {
  for (size_t i = 0; i < keys_.size(); ++i)
    if (same_expr(keys_[i], expr)) return i;
  return std::nullopt;
}

int AggregatePlanner::key_of_column(int column) const {
  for (size_t i = 0; i < keys_.size(); ++i)
    if (is_column(keys_[i]) && keys_[i]->index == column) return static_cast<int>(i);
  return -1;
}

bool AggregatePlanner::in_every_set(size_t key) const {
  return std::ranges::all_of(sets_, [&](const KeySet& set) { return std::ranges::find(set, key) != set.end(); });
}

std::vector<size_t> AggregatePlanner::plain_keys() const {
  std::vector<size_t> keys;
  for (size_t i = 0; i < keys_.size(); ++i)
    if (!is_border(i)) keys.push_back(i);
  return keys;
}

DataType AggregatePlanner::key_type(size_t key) const {
  DataType type = keys_[key]->type;
  type.attribute = TimeAttribute::none;
  type.nullable = type.nullable || !in_every_set(key);
  return type;
}

}  // namespace millrace::processing::sql
