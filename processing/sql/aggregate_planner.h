// GROUP BY, from the group items and outputs of a query to an aggregate and what stands around it:
//
//   input → [Expand, once per grouping set] → WindowAggregate or GroupAggregate → [HAVING] → outputs
//
// When the group keys hold both borders of a window the rows carry, it is a window aggregate: one final row per group
// and window. Otherwise a group lives on and its result is updated. The aggregate's row:
//
//   keys that are no borders, [number of the grouping set], one value per call, [borders and time of the window]
//
//   aggregate.cc           the nodes                aggregate_keys.cc     keys and grouping sets
//   aggregate_windows.cc   which window, if any     aggregate_outputs.cc  what expressions mean over the aggregate's
//   row
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "processing/functions/table.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {

class AggregatePlanner {
 public:
  AggregatePlanner(Planner& planner, Relation input, const Scope& scope, const Select& select,
                   const SelectColumns& columns)
      : planner_(planner), input_(std::move(input)), scope_(scope), select_(select), columns_(columns) {}

  Relation plan();

 private:
  using KeySet = std::vector<size_t>;  // indexes of keys

  // The keys that are borders of the input's window, or its time; −1: not among the keys.
  struct BorderKeys {
    int start = -1;
    int end = -1;
    int time = -1;
    bool contains(size_t key) const {
      const int index = static_cast<int>(key);
      return index == start || index == end || index == time;
    }
  };

  // Keys and grouping sets.
  void collect_keys();
  std::vector<KeySet> sets_of(const GroupItem& item);
  void add_key(const Node& node, KeySet& set);
  std::optional<size_t> find_key(const TypedExpr& expr) const;
  int key_of_column(int column) const;
  bool in_every_set(size_t key) const;
  bool is_border(size_t key) const { return properties_.contains(static_cast<int>(key)); }
  std::vector<size_t> plain_keys() const;  // all but borders
  DataType key_type(size_t key) const;     // of the column of a key above the aggregate

  // Windows.
  void choose_window();
  bool strip_window_function(const WindowTrait& trait, const BorderKeys& borders);
  bool partitioned_like_groups(const plan::WindowTvf& window, const std::vector<TypedExpr>& outputs,
                               const BorderKeys& borders) const;
  bool reads_window_elsewhere(const WindowTrait& trait, const BorderKeys& borders);
  void legacy_window(const Node& node);

  // Outputs.
  void bind_outputs();
  TypedExpr replace(const Node& node);
  TypedExpr aggregate_column(const Node& node);
  TypedExpr grouping(const Node& node);
  TypedExpr key_column(size_t key, SourcePosition at);
  TypedExpr field_of_key(const TypedExpr& field, SourcePosition at);
  TypedExpr legacy_property(const Node& node);
  bool contains_legacy(const Node& node);
  TypedExpr property_column(plan::WindowProperty property, SourcePosition at);
  DataType property_type(plan::WindowProperty property) const;
  size_t key_columns() const { return plain_keys().size() + (sets_.empty() ? 0 : 1); }

  // Nodes.
  void expand_sets();
  std::vector<TypedExpr> key_exprs() const;
  std::vector<Field> result_schema(const std::vector<TypedExpr>& keys) const;
  Relation window_aggregate();
  Relation group_aggregate();

  Planner& planner_;
  Relation input_;
  const Scope& scope_;
  const Select& select_;
  const SelectColumns& columns_;

  std::vector<TypedExpr> keys_;
  std::vector<KeySet> sets_;  // empty: one set with all keys
  std::vector<TypedExpr> expanded_keys_;
  std::vector<AggregateCall> calls_;
  std::map<int, plan::WindowProperty> properties_;   // keys that are borders of the window
  std::vector<plan::WindowProperty> property_list_;  // those the outputs ask for, in the order of their columns
  std::optional<plan::WindowSpec> window_;
  std::optional<plan::WindowAggregate::Attached> attached_;
  DataType result_time_;
  const Node* legacy_node_ = nullptr;  // TUMBLE(ts, …) among the group items
  DataType legacy_time_;
  std::vector<TypedExpr> outputs_;
  TypedExpr having_;
};

}  // namespace millrace::processing::sql
