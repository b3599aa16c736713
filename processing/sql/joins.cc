// Joins. The conditions decide the operator: both sides' windows equal, a window join; time bounded on both sides, an
// interval join; FOR SYSTEM_TIME AS OF, a temporal join; else a regular join, which keeps both sides for ever.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/sql/join_conditions.h"
#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

bool same_window(const plan::WindowSpec& a, const plan::WindowSpec& b) {
  return a.kind == b.kind && a.size == b.size && a.slide == b.slide && a.offset == b.offset;
}

}  // namespace

Planner::FromResult Planner::from_join(const TableRef& table, const Scope* outer) {
  FromResult left = from(*table.left, outer);
  const TableRef& right_table = *table.right;
  if (right_table.kind == TableRef::Kind::unnest) {
    if (table.join == JoinKind::right || table.join == JoinKind::full)
      fail_table("RIGHT and FULL joins with UNNEST are not supported.");
    return from_unnest(right_table, std::move(left), table.join == JoinKind::left, table.condition);
  }
  if (right_table.kind == TableRef::Kind::function && right_table.lateral && right_table.function->op != "TUMBLE" &&
      right_table.function->op != "HOP") {
    fail_table(fmt::format("The table function '{}' is not supported.", right_table.function->op));
  }
  FromResult right = from(right_table, outer);
  if (right_table.as_of != nullptr) return temporal_join(table, std::move(left), std::move(right));

  for (const ScopeTable& a : left.scope.tables) {
    for (const ScopeTable& b : right.scope.tables) {
      if (a.name.empty() || a.name != b.name || (!a.path.empty() && !b.path.empty() && a.path != b.path)) continue;
      Pos pos = right_table.alias_pos.known() ? right_table.alias_pos : right_table.pos;
      fail_validation(fmt::format("Duplicate relation name '{}' in FROM clause", b.name), pos);
    }
  }
  int width = static_cast<int>(left.scope.columns.size());
  FromResult result;
  result.scope = left.scope;
  result.scope.hidden.resize(static_cast<size_t>(width));
  for (size_t i = 0; i < right.scope.columns.size(); ++i) {
    result.scope.columns.push_back(right.scope.columns[i]);
    result.scope.hidden.push_back(i < right.scope.hidden.size() && right.scope.hidden[i]);
  }
  for (ScopeTable entry : right.scope.tables) {
    entry.first += width;
    result.scope.tables.push_back(std::move(entry));
  }
  if (!left.scope.star_order.empty() || !right.scope.star_order.empty()) {
    auto append = [&](const Scope& scope, int shift) {
      if (!scope.star_order.empty()) {
        for (int index : scope.star_order) result.scope.star_order.push_back(index + shift);
        return;
      }
      for (size_t i = 0; i < scope.columns.size(); ++i) result.scope.star_order.push_back(static_cast<int>(i) + shift);
    };
    result.scope.star_order.clear();
    append(left.scope, 0);
    append(right.scope, width);
  }
  JoinParts parts;
  parts.kind = table.join == JoinKind::left    ? plan::JoinKind::left
               : table.join == JoinKind::right ? plan::JoinKind::right
               : table.join == JoinKind::full  ? plan::JoinKind::full
                                               : plan::JoinKind::inner;
  std::vector<std::string> common = table.using_columns;
  if (table.natural) {
    for (const Field& field : left.scope.columns) {
      bool shared = std::ranges::any_of(right.scope.columns, [&](const Field& f) { return f.name == field.name; });
      if (shared) common.push_back(field.name);
    }
  }
  if (!common.empty()) {
    std::vector<int> order;
    std::set<int> merged;
    for (const std::string& name : common) {
      auto find = [&](const Scope& scope) {
        auto found = std::ranges::find(scope.columns, name, &Field::name);
        if (found == scope.columns.end())
          fail_validation(fmt::format("Column '{}' not found in any table", name), table.join_pos);
        return static_cast<int>(found - scope.columns.begin());
      };
      int l = find(left.scope);
      int r = find(right.scope) + width;
      const DataType& lt = result.scope.columns[static_cast<size_t>(l)].type;
      const DataType& rt = result.scope.columns[static_cast<size_t>(r)].type;
      parts.conditions.push_back(make_call("=", {make_column(l, lt, name), make_column(r, rt, name)}));
      int kept = table.join == JoinKind::right ? r : l;
      int dropped = table.join == JoinKind::right ? l : r;
      result.scope.hidden[static_cast<size_t>(dropped)] = true;
      order.push_back(kept);
      merged.insert(l);
      merged.insert(r);
    }
    for (int i = 0; i < static_cast<int>(result.scope.columns.size()); ++i)
      if (!merged.contains(i)) order.push_back(i);
    result.scope.star_order = std::move(order);
  }
  if (table.condition != nullptr) {
    if (has_query(*table.condition)) fail_table("Subqueries in join conditions are not supported yet.");
    check_join_equalities(*table.condition, result.scope, width);
    TypedExpr condition = Binder(result.scope).bind(*table.condition);
    if (!condition->type.is(TypeRoot::boolean)) fail_validation("ON clause must be a condition", table.condition->pos);
    for (TypedExpr& part : conjuncts(condition)) parts.conditions.push_back(std::move(part));
  }
  parts.left = left.relation;
  parts.right = right.relation;
  result.relation = make_join(std::move(parts));
  // Outer joins make columns nullable, regular ones stop the time.
  for (size_t i = 0; i < result.scope.columns.size(); ++i)
    result.scope.columns[i].type = result.relation.node->schema[i].type;
  return result;
}

// Chooses the operator. The result has the left columns, then the right ones (semi and anti: the left ones).
Relation Planner::make_join(JoinParts parts) {
  using plan::JoinKind;
  JoinParts original = parts;
  bool inner = parts.kind == JoinKind::inner;
  bool left_only = parts.kind == JoinKind::semi || parts.kind == JoinKind::anti;
  int width = static_cast<int>(parts.left.node->schema.size());
  int right_width = static_cast<int>(parts.right.node->schema.size());

  // Conditions on one side alone go below the join where that changes nothing.
  std::vector<TypedExpr> left_filter;
  std::vector<TypedExpr> right_filter;
  std::vector<TypedExpr> rest;
  for (const TypedExpr& condition : parts.conditions) {
    if (condition->kind == processing::Expr::Kind::literal && !condition->literal.is_null() &&
        condition->literal.as_bool())
      continue;
    Sides sides = sides_of(condition, width);
    bool push_left = inner || parts.kind == JoinKind::right || parts.kind == JoinKind::semi;
    bool push_right = inner || parts.kind == JoinKind::left || left_only;
    if (sides == Sides::left && push_left) {
      left_filter.push_back(condition);
    } else if (sides == Sides::right && push_right) {
      right_filter.push_back(shifted(condition, -width));
    } else {
      rest.push_back(condition);
    }
  }
  Relation left = filter_by(parts.left, conjunction(left_filter));
  Relation right = filter_by(parts.right, conjunction(right_filter));

  bool insert_only =
      left.node->changelog == plan::Changelog::insert_only && right.node->changelog == plan::Changelog::insert_only;
  TimeBounds bounds;
  std::vector<TypedExpr> without_time;
  if (insert_only && !left_only) {
    for (const TypedExpr& condition : rest)
      if (!read_time_bound(bounds, condition, width)) without_time.push_back(condition);
  }
  bool interval = bounds.lower && bounds.upper;
  if (interval) rest = without_time;

  // Equalities become keys; a key that is an expression gets a column of its own.
  std::vector<TypedExpr> left_outputs;
  std::vector<TypedExpr> right_outputs;
  std::vector<std::string> left_names;
  std::vector<std::string> right_names;
  for (int i = 0; i < width; ++i) {
    left_outputs.push_back(column_of(*left.node, i));
    left_names.push_back(left.node->schema[static_cast<size_t>(i)].name);
  }
  for (int i = 0; i < right_width; ++i) {
    right_outputs.push_back(column_of(*right.node, i));
    right_names.push_back(right.node->schema[static_cast<size_t>(i)].name);
  }
  std::vector<int> left_keys;
  std::vector<int> right_keys;
  std::vector<bool> null_equals;
  std::vector<TypedExpr> conditions;
  auto key_column = [](std::vector<TypedExpr>& outputs, std::vector<std::string>& names, const TypedExpr& key) {
    if (is_column(key)) return key->index;
    outputs.push_back(key);
    names.push_back("$key" + std::to_string(outputs.size()));
    return static_cast<int>(outputs.size()) - 1;
  };
  for (const TypedExpr& condition : rest) {
    bool equals = is_call(condition, "=");
    bool null_safe = is_call(condition, "IS NOT DISTINCT FROM");
    if ((equals || null_safe) && condition->args.size() == 2) {
      TypedExpr a = condition->args[0];
      TypedExpr b = condition->args[1];
      if (sides_of(a, width) == Sides::right && sides_of(b, width) == Sides::left) std::swap(a, b);
      if (sides_of(a, width) == Sides::left && sides_of(b, width) == Sides::right) {
        check_key_types(a, b);
        left_keys.push_back(key_column(left_outputs, left_names, materialized(a)));
        right_keys.push_back(key_column(right_outputs, right_names, shifted(materialized(b), -width)));
        null_equals.push_back(null_safe);
        continue;
      }
    }
    conditions.push_back(condition);
  }
  int left_extra = static_cast<int>(left_outputs.size()) - width;
  int right_extra = static_cast<int>(right_outputs.size()) - right_width;
  if (left_extra > 0) left = project(left, left_outputs, left_names);
  if (right_extra > 0) right = project(right, right_outputs, right_names);
  TypedExpr condition = conjunction(conditions);
  if (condition != nullptr && left_extra > 0) {
    std::vector<int> mapping;
    for (int i = 0; i < width + right_width; ++i) mapping.push_back(i < width ? i : i + left_extra);
    condition = remap_columns(condition, mapping);
  }

  // Both sides carry the same windows and their borders are keys.
  std::shared_ptr<plan::JoinBase> node;
  std::optional<WindowTrait> window;
  auto key_pair = [&](int l, int r) {
    for (size_t i = 0; i < left_keys.size(); ++i)
      if (left_keys[i] == l && right_keys[i] == r) return static_cast<int>(i);
    return -1;
  };
  if (insert_only && left.window && right.window && left.window->start >= 0 && right.window->start >= 0 &&
      left.window->end >= 0 && right.window->end >= 0 && same_window(left.window->spec, right.window->spec)) {
    int start = key_pair(left.window->start, right.window->start);
    int end = key_pair(left.window->end, right.window->end);
    if (start >= 0 && end >= 0) {
      auto join = std::make_shared<plan::WindowJoin>();
      join->left_start = left.window->start;
      join->left_end = left.window->end;
      join->right_start = right.window->start;
      join->right_end = right.window->end;
      for (int pair : {std::max(start, end), std::min(start, end)}) {
        left_keys.erase(left_keys.begin() + pair);
        right_keys.erase(right_keys.begin() + pair);
        null_equals.erase(null_equals.begin() + pair);
      }
      window = left.window;
      node = join;
    }
  }
  if (node == nullptr && interval) {
    auto join = std::make_shared<plan::IntervalJoin>();
    join->left_time = bounds.left;
    join->right_time = bounds.right - width;
    join->lower = *bounds.lower;
    join->upper = *bounds.upper;
    join->proctime = left.node->schema[static_cast<size_t>(bounds.left)].type.attribute == TimeAttribute::proctime;
    node = join;
  }
  bool regular = node == nullptr;
  if (regular) node = std::make_shared<plan::Join>();
  node->join = parts.kind;
  node->inputs = {left.node, right.node};
  node->left_keys = left_keys;
  node->right_keys = right_keys;
  node->null_equals = null_equals;
  node->condition = condition;
  bool left_nullable = parts.kind == JoinKind::right || parts.kind == JoinKind::full;
  bool right_nullable = parts.kind == JoinKind::left || parts.kind == JoinKind::full;
  auto add_fields = [&](const plan::Node& side, bool nullable) {
    for (Field field : side.schema) {
      if (regular) field.type.attribute = TimeAttribute::none;
      if (nullable) field.type.nullable = true;
      node->schema.push_back(std::move(field));
    }
  };
  add_fields(*left.node, left_nullable);
  if (!left_only) add_fields(*right.node, right_nullable);
  if (regular) {
    bool only_adds = insert_only && (inner || parts.kind == JoinKind::semi);
    node->changelog = only_adds ? plan::Changelog::insert_only : plan::Changelog::retract;
    // A row of a side whose key is among the join's keys meets at most one row.
    auto covered = [](const std::vector<int>& key, const std::vector<int>& join_keys) {
      return !key.empty() &&
             std::ranges::all_of(key, [&](int k) { return std::ranges::find(join_keys, k) != join_keys.end(); });
    };
    int left_total = static_cast<int>(left.node->schema.size());
    if (left_only) {
      node->upsert_key = left.node->upsert_key;
    } else if (covered(right.node->upsert_key, right_keys) && !left.node->upsert_key.empty() && !left_nullable) {
      node->upsert_key = left.node->upsert_key;
    } else if (covered(left.node->upsert_key, left_keys) && !right.node->upsert_key.empty() && !right_nullable) {
      for (int key : right.node->upsert_key) node->upsert_key.push_back(key + left_total);
    } else if (!left.node->upsert_key.empty() && !right.node->upsert_key.empty() && !left_nullable && !right_nullable) {
      node->upsert_key = left.node->upsert_key;
      for (int key : right.node->upsert_key) node->upsert_key.push_back(key + left_total);
    }
  }
  Relation result{node, window};
  if (left_extra > 0 || right_extra > 0) {
    std::vector<TypedExpr> outputs;
    std::vector<std::string> names;
    int left_total = width + left_extra;
    int count = left_only ? width : width + right_width;
    for (int i = 0; i < count; ++i) {
      int index = i < width ? i : i + left_extra;
      (void)left_total;
      outputs.push_back(column_of(*node, index));
      names.push_back(node->schema[static_cast<size_t>(index)].name);
    }
    result = project(result, std::move(outputs), std::move(names));
  }
  if (inner) {
    joins_[result.node.get()] = std::move(original);
    kept_.push_back(result.node);
  }
  return result;
}

Planner::FromResult Planner::temporal_join(const TableRef& table, FromResult left, FromResult right) {
  int width = static_cast<int>(left.scope.columns.size());
  FromResult result;
  result.scope = left.scope;
  result.scope.hidden.resize(left.scope.columns.size() + right.scope.columns.size());
  for (const Field& field : right.scope.columns) result.scope.columns.push_back(field);
  for (ScopeTable entry : right.scope.tables) {
    entry.first += width;
    result.scope.tables.push_back(std::move(entry));
  }
  if (table.join != JoinKind::inner && table.join != JoinKind::left)
    fail_table("Temporal table join only supports INNER JOIN and LEFT JOIN.");
  TypedExpr time = Binder(left.scope).bind(*table.right->as_of);
  if (!is_column(time) || !time->type.is_time_attribute()) {
    fail_flink_validation(
        "Temporal table join currently only supports 'FOR SYSTEM_TIME AS OF' left table's time attribute field");
  }
  if (time->type.attribute == TimeAttribute::proctime)
    fail_table("Processing-time temporal join is not supported yet.");
  auto node = std::make_shared<plan::TemporalJoin>();
  node->join = table.join == JoinKind::left ? plan::JoinKind::left : plan::JoinKind::inner;
  node->left_time = time->index;
  for (size_t i = 0; i < right.scope.columns.size(); ++i)
    if (right.scope.columns[i].type.attribute == TimeAttribute::rowtime) node->right_time = static_cast<int>(i);
  std::vector<TypedExpr> conditions;
  if (table.condition != nullptr) {
    TypedExpr condition = Binder(result.scope).bind(*table.condition);
    for (const TypedExpr& part : conjuncts(condition)) {
      if (is_call(part, "=") && is_column(part->args[0]) && is_column(part->args[1])) {
        int a = part->args[0]->index;
        int b = part->args[1]->index;
        if (a > b) std::swap(a, b);
        if (a < width && b >= width) {
          node->left_keys.push_back(a);
          node->right_keys.push_back(b - width);
          node->null_equals.push_back(false);
          continue;
        }
      }
      conditions.push_back(part);
    }
  }
  if (node->left_keys.empty()) fail_flink_validation("Currently the join key in Temporal Table Join can not be empty.");
  if (node->right_time < 0) {
    fail_flink_validation(
        "Event-Time Temporal Table Join requires both primary key and row time attribute in versioned table, but "
        "no row time attribute can be found.");
  }
  const std::vector<int>& key = right.relation.node->upsert_key;
  if (key.empty()) {
    fail_flink_validation(
        "Event-Time Temporal Table Join requires both primary key and row time attribute in versioned table, but "
        "no primary key can be found.");
  }
  for (int column : key) {
    if (std::ranges::find(node->right_keys, column) == node->right_keys.end()) {
      fail_flink_validation(
          "Temporal Table Join requires primary key in versioned table, but it is not part of the join key.");
    }
  }
  node->condition = conjunction(conditions);
  node->inputs = {left.relation.node, right.relation.node};
  node->schema = left.relation.node->schema;
  for (Field field : right.relation.node->schema) {
    field.type.attribute = TimeAttribute::none;
    if (node->join == plan::JoinKind::left) field.type.nullable = true;
    node->schema.push_back(std::move(field));
  }
  node->changelog = left.relation.node->changelog;
  result.scope.columns = node->schema;
  result.relation = {node, std::nullopt};
  return result;
}

}  // namespace millrace::processing::sql
