// Columns nobody reads are not computed, and not read from the topic: a format then decodes only what the query needs,
// which also decides which malformed fields a query can trip over.
#include <algorithm>
#include <map>
#include <set>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

using Needed = std::set<int>;

void add_columns(Needed& needed, const TypedExpr& expr) {
  if (expr == nullptr) return;
  for (int column : columns_of(expr)) needed.insert(column);
}

// A Scan computes only what is asked for: other outputs become NULL, their source columns are not read.
void prune_scan(plan::Scan& scan, const Needed& needed) {
  std::vector<bool> read(scan.physical.size() + scan.metadata.size(), false);
  auto mark = [&](const TypedExpr& expr) {
    if (expr == nullptr) return;
    for (int column : columns_of(expr)) read[static_cast<size_t>(column)] = true;
  };
  for (size_t i = 0; i < scan.outputs.size(); ++i) {
    if (needed.contains(static_cast<int>(i))) {
      mark(scan.outputs[i]);
    } else {
      scan.outputs[i] = make_literal(Value(), scan.outputs[i]->type.with_nullable(true));
    }
  }
  if (scan.watermark) {
    mark(scan.watermark->rowtime);
    mark(scan.watermark->watermark);
  }
  for (const std::string& key : scan.primary_key)
    for (size_t i = 0; i < scan.physical.size(); ++i)
      if (scan.physical[i].name == key) read[i] = true;
  std::vector<int> mapping(read.size());
  std::vector<plan::MetadataColumn> metadata;
  for (size_t i = 0; i < read.size(); ++i) {
    mapping[i] = static_cast<int>(i);
    if (i < scan.physical.size()) {
      scan.needed[i] = read[i];
    } else {
      mapping[i] = static_cast<int>(scan.physical.size() + metadata.size());
      if (read[i]) metadata.push_back(scan.metadata[i - scan.physical.size()]);
    }
  }
  auto remap = [&](TypedExpr& expr) {
    if (expr != nullptr) expr = remap_columns(expr, mapping);
  };
  for (TypedExpr& output : scan.outputs) remap(output);
  if (scan.watermark) {
    remap(scan.watermark->rowtime);
    remap(scan.watermark->watermark);
  }
  scan.metadata = std::move(metadata);
}

void add_calls(Needed& needed, const std::vector<AggregateCall>& calls) {
  for (const AggregateCall& call : calls) {
    for (const TypedExpr& arg : call.args) add_columns(needed, arg);
    add_columns(needed, call.filter);
  }
}

Needed below(const Needed& needed, int width) {
  Needed result;
  for (int column : needed)
    if (column < width) result.insert(column);
  return result;
}

Needed all_columns(const plan::Node& node) {
  Needed all;
  for (size_t i = 0; i < node.schema.size(); ++i) all.insert(static_cast<int>(i));
  return all;
}

// Tells every node below which of its columns are read. Column numbers stay as they are: a column that is not read is
// NULL. A node that feeds several others is asked once, with all their needs.
class Pruner {
 public:
  void count_readers(const plan::Node& node) {
    for (const plan::NodePtr& input : node.inputs)
      if (readers_[input.get()]++ == 0) count_readers(*input);
  }
  void visit(plan::Node& node, const Needed& needed);

 private:
  void pass_to(plan::Node& node, const Needed& needed) {
    Needed& all = needs_[&node];
    all.insert(needed.begin(), needed.end());
    if (--readers_[&node] == 0) visit(node, all);
  }

  std::map<const plan::Node*, int> readers_;  // that have not said what they need
  std::map<const plan::Node*, Needed> needs_;
};

void Pruner::visit(plan::Node& node, const Needed& needed) {
  auto pass = [&](size_t input, const Needed& columns) { pass_to(*node.inputs[input], columns); };
  int width = node.inputs.empty() ? 0 : static_cast<int>(node.inputs[0]->schema.size());
  switch (node.kind) {
    case plan::Kind::scan:
      prune_scan(static_cast<plan::Scan&>(node), needed);
      return;
    case plan::Kind::values:
      return;
    case plan::Kind::calc: {
      auto& calc = static_cast<plan::Calc&>(node);
      Needed columns;
      add_columns(columns, calc.condition);
      for (size_t i = 0; i < calc.outputs.size(); ++i) {
        if (needed.contains(static_cast<int>(i))) {
          add_columns(columns, calc.outputs[i]);
        } else if (calc.outputs[i]->kind != processing::Expr::Kind::literal) {
          calc.outputs[i] = make_literal(Value(), calc.outputs[i]->type.with_nullable(true));
        }
      }
      pass(0, columns);
      return;
    }
    case plan::Kind::expand: {
      auto& expand = static_cast<plan::Expand&>(node);
      Needed columns;
      for (auto& projection : expand.projections)
        for (size_t i = 0; i < projection.size(); ++i)
          if (needed.contains(static_cast<int>(i))) add_columns(columns, projection[i]);
      for (auto& projection : expand.projections)
        for (size_t i = 0; i < projection.size(); ++i)
          if (!needed.contains(static_cast<int>(i)))
            projection[i] = make_literal(Value(), projection[i]->type.with_nullable(true));
      pass(0, columns);
      return;
    }
    case plan::Kind::unnest: {
      auto& unnest = static_cast<plan::Unnest&>(node);
      Needed columns = below(needed, width);
      add_columns(columns, unnest.collection);
      if (unnest.condition != nullptr)
        for (int column : columns_of(unnest.condition))
          if (column < width) columns.insert(column);
      pass(0, columns);
      return;
    }
    case plan::Kind::window_tvf: {
      auto& tvf = static_cast<plan::WindowTvf&>(node);
      Needed columns = below(needed, width);
      columns.insert(tvf.window.time_column);
      for (int column : tvf.window.partition_by) columns.insert(column);
      pass(0, columns);
      return;
    }
    case plan::Kind::window_aggregate: {
      auto& aggregate = static_cast<plan::WindowAggregate&>(node);
      Needed columns;
      for (const TypedExpr& key : aggregate.keys) add_columns(columns, key);
      add_calls(columns, aggregate.aggregates);
      if (aggregate.attached) {
        if (aggregate.attached->start >= 0) columns.insert(aggregate.attached->start);
        columns.insert(aggregate.attached->end);
      } else {
        columns.insert(aggregate.window.time_column);
      }
      for (int column : aggregate.window.partition_by) columns.insert(column);
      pass(0, columns);
      return;
    }
    case plan::Kind::group_aggregate: {
      auto& aggregate = static_cast<plan::GroupAggregate&>(node);
      Needed columns;
      for (const TypedExpr& key : aggregate.keys) add_columns(columns, key);
      add_calls(columns, aggregate.aggregates);
      pass(0, columns);
      return;
    }
    case plan::Kind::union_all:
      for (size_t i = 0; i < node.inputs.size(); ++i) pass(i, needed);
      return;
    case plan::Kind::over: {
      auto& over = static_cast<plan::Over&>(node);
      Needed columns = below(needed, width);
      for (int key : over.partition_by) columns.insert(key);
      for (const plan::SortKey& key : over.order_by) columns.insert(key.column);
      add_calls(columns, over.aggregates);
      pass(0, columns);
      return;
    }
    case plan::Kind::rank: {
      auto& rank = static_cast<plan::Rank&>(node);
      Needed columns = below(needed, width);
      if (rank.last && rank.emit_rank && !needed.contains(width)) {
        rank.emit_rank = false;
        rank.schema.pop_back();
        std::erase(rank.upsert_key, width);
      }
      for (int key : rank.partition_by) columns.insert(key);
      for (const plan::SortKey& key : rank.order_by) columns.insert(key.column);
      // Rows are told apart by all their columns when they leave again.
      if (node.inputs[0]->changelog != plan::Changelog::insert_only) columns = all_columns(*node.inputs[0]);
      pass(0, columns);
      return;
    }
    case plan::Kind::window_rank: {
      auto& rank = static_cast<plan::WindowRank&>(node);
      Needed columns = below(needed, width);
      if (rank.emit_rank && !needed.contains(width)) {
        rank.emit_rank = false;
        rank.schema.pop_back();
      }
      for (int key : rank.partition_by) columns.insert(key);
      for (const plan::SortKey& key : rank.order_by) columns.insert(key.column);
      columns.insert(rank.window_end);
      if (rank.window_start >= 0) columns.insert(rank.window_start);
      pass(0, columns);
      return;
    }
    case plan::Kind::deduplicate: {
      auto& dedup = static_cast<plan::Deduplicate&>(node);
      Needed columns = below(needed, width);
      for (int key : dedup.keys) columns.insert(key);
      if (dedup.time_column >= 0) columns.insert(dedup.time_column);
      pass(0, columns);
      return;
    }
    case plan::Kind::join:
    case plan::Kind::window_join:
    case plan::Kind::interval_join:
    case plan::Kind::temporal_join: {
      auto& join = static_cast<plan::JoinBase&>(node);
      Needed left;
      Needed right;
      auto add = [&](int column) { column < width ? left.insert(column) : right.insert(column - width); };
      for (int column : needed) add(column);
      for (int key : join.left_keys) left.insert(key);
      for (int key : join.right_keys) right.insert(key);
      if (join.condition != nullptr)
        for (int column : columns_of(join.condition)) add(column);
      auto add_if = [](Needed& set, int column) {
        if (column >= 0) set.insert(column);
      };
      if (node.kind == plan::Kind::window_join) {
        auto& window = static_cast<plan::WindowJoin&>(node);
        add_if(left, window.left_start);
        add_if(left, window.left_end);
        add_if(right, window.right_start);
        add_if(right, window.right_end);
      } else if (node.kind == plan::Kind::interval_join) {
        auto& interval = static_cast<plan::IntervalJoin&>(node);
        add_if(left, interval.left_time);
        add_if(right, interval.right_time);
      } else if (node.kind == plan::Kind::temporal_join) {
        auto& temporal = static_cast<plan::TemporalJoin&>(node);
        add_if(left, temporal.left_time);
        add_if(right, temporal.right_time);
      }
      pass(0, left);
      pass(1, right);
      return;
    }
    case plan::Kind::changelog_normalize:
    case plan::Kind::sort_limit:
    case plan::Kind::temporal_sort:
    case plan::Kind::match:
    case plan::Kind::sink:
      for (size_t i = 0; i < node.inputs.size(); ++i) pass(i, all_columns(*node.inputs[i]));
      return;
  }
}

}  // namespace

void prune(plan::Plan& plan) {
  Pruner pruner;
  for (const auto& sink : plan.sinks) pruner.count_readers(*sink);
  for (const auto& sink : plan.sinks) pruner.visit(*sink, {});
}

}  // namespace millrace::processing::sql
