// OVER windows: running aggregates by time, and ROW_NUMBER(), which with a bound on it becomes Top-N, deduplication, or
// a ranking within windows.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

void collect_over(const NodePtr& node, std::vector<const Node*>& calls) {
  if (node == nullptr) return;
  if (node->over != nullptr) {
    calls.push_back(node.get());
    return;
  }
  for (const NodePtr& operand : node->operands) collect_over(operand, calls);
}

// OVER (w ORDER BY …): what the named window says, completed by what is written here.
WindowSpec resolved_window(const WindowSpec& spec, const Scope& scope) {
  if (spec.base.empty()) return spec;
  auto found = scope.windows.find(spec.base);
  if (found == scope.windows.end()) fail_validation(fmt::format("Window '{}' not found", spec.base), spec.pos);
  WindowSpec result = resolved_window(*found->second, scope);
  if (!spec.order_by.empty()) result.order_by = spec.order_by;
  if (spec.frame) result.frame = spec.frame;
  return result;
}

std::string window_text(const WindowSpec& spec) {
  std::string text;
  for (const NodePtr& key : spec.partition_by) text += unparse(*key) + ",";
  text += ";";
  for (const OrderItem& item : spec.order_by) text += unparse(*item.expr) + (item.descending ? " DESC" : "") + ",";
  text += ";";
  if (spec.frame) {
    text += fmt::format("{} {} {}", spec.frame->rows, static_cast<int>(spec.frame->lower),
                        static_cast<int>(spec.frame->upper));
    if (spec.frame->lower_offset != nullptr) text += unparse(*spec.frame->lower_offset);
  }
  return text;
}

// Columns to order or partition by; an expression that is none gets a column of its own behind the others.
class Appended {
 public:
  explicit Appended(const plan::Node& input) : input_(input) {
    for (size_t i = 0; i < input.schema.size(); ++i) {
      outputs_.push_back(column_of(input, static_cast<int>(i)));
      names_.push_back(input.schema[i].name);
    }
  }
  int index_of(const TypedExpr& expr) {
    if (is_column(expr)) return expr->index;
    for (size_t i = input_.schema.size(); i < outputs_.size(); ++i)
      if (same_expr(outputs_[i], expr)) return static_cast<int>(i);
    outputs_.push_back(expr);
    names_.push_back("$" + std::to_string(outputs_.size() - 1));
    return static_cast<int>(outputs_.size() - 1);
  }
  bool any() const { return outputs_.size() > input_.schema.size(); }
  std::vector<TypedExpr>& outputs() { return outputs_; }
  std::vector<std::string>& names() { return names_; }

 private:
  const plan::Node& input_;
  std::vector<TypedExpr> outputs_;
  std::vector<std::string> names_;
};

struct Bound {
  int64_t first = 1;
  std::optional<int64_t> last;
};

// rank <= 3, rank = 1, 2 >= rank, rank BETWEEN 1 AND 2
bool read_bound(const TypedExpr& expr, int rank, Bound& bound) {
  auto is_rank = [&](const TypedExpr& e) {
    TypedExpr inner = e;
    while (inner->kind == processing::Expr::Kind::call && inner->name == "CAST") inner = inner->args[0];
    return is_column(inner) && inner->index == rank;
  };
  auto constant = [](const TypedExpr& e) -> std::optional<int64_t> {
    if (!e->type.is_integral()) return std::nullopt;
    EvalContext context;
    std::optional<Value> value = constant_value(e, context);
    if (!value || value->is_null()) return std::nullopt;
    return value->as_int();
  };
  if (expr->kind != processing::Expr::Kind::call) return false;
  std::string op = expr->name;
  auto at_least = [&](int64_t n) { bound.first = std::max(bound.first, n); };
  auto at_most = [&](int64_t n) { bound.last = bound.last ? std::min(*bound.last, n) : n; };
  if (op == "BETWEEN" && expr->args.size() == 3 && is_rank(expr->args[0])) {
    std::optional<int64_t> low = constant(expr->args[1]);
    std::optional<int64_t> high = constant(expr->args[2]);
    if (!low || !high) return false;
    at_least(*low);
    at_most(*high);
    return true;
  }
  if (expr->args.size() != 2) return false;
  TypedExpr left = expr->args[0];
  TypedExpr right = expr->args[1];
  if (!is_rank(left)) {
    std::swap(left, right);
    op = op == "<" ? ">" : op == "<=" ? ">=" : op == ">" ? "<" : op == ">=" ? "<=" : op;
  }
  if (!is_rank(left)) return false;
  std::optional<int64_t> n = constant(right);
  if (!n || *n == std::numeric_limits<int64_t>::max() || *n == std::numeric_limits<int64_t>::min()) return false;
  if (op == "=") {
    at_least(*n);
    at_most(*n);
  } else if (op == "<=") {
    at_most(*n);
  } else if (op == "<") {
    at_most(*n - 1);
  } else if (op == ">=") {
    at_least(*n);
  } else if (op == ">") {
    at_least(*n + 1);
  } else {
    return false;
  }
  return true;
}

}  // namespace

Relation Planner::over(Relation input, const Scope& scope, const Select& select, const SelectColumns& columns) {
  (void)select;
  std::vector<const Node*> calls;
  for (const SelectItem& item : columns.items) collect_over(item.expr, calls);
  WindowSpec spec = resolved_window(*calls[0]->over, scope);
  for (const Node* call : calls) {
    if (window_text(resolved_window(*call->over, scope)) != window_text(spec)) {
      fail_table(
          "Over Agg: Unsupported use of OVER windows. All aggregates must be computed on the same window. please "
          "re-check "
          "the over window statement.");
    }
  }
  Binder binder(scope);
  Appended appended(*input.node);
  std::vector<int> partition_by;
  for (const NodePtr& key : spec.partition_by) partition_by.push_back(appended.index_of(binder.bind(*key)));
  std::vector<plan::SortKey> order_by;
  for (const OrderItem& item : spec.order_by)
    order_by.push_back(
        {appended.index_of(binder.bind(*item.expr)), item.descending, item.nulls_first.value_or(!item.descending)});
  Relation base = input;
  if (appended.any()) base = project(input, appended.outputs(), appended.names());

  std::map<const Node*, int> results;
  Relation ranked;
  bool ranking = calls[0]->op == "ROW_NUMBER" || calls[0]->op == "RANK" || calls[0]->op == "DENSE_RANK";
  if (ranking) {
    for (const Node* call : calls) {
      if (call->op == "RANK" || call->op == "DENSE_RANK")
        fail_table(fmt::format("{}() on streaming table is not supported currently", call->op));
      if (call->op != "ROW_NUMBER") fail_table("ROW_NUMBER() beside other OVER aggregates is not supported.");
    }
    if (order_by.empty()) fail_validation("ROW_NUMBER() requires ORDER BY", calls[0]->pos);
    auto node = std::make_shared<plan::Rank>();
    node->inputs = {base.node};
    node->schema = base.node->schema;
    node->schema.push_back({"$rank", DataType::bigint().not_null()});
    node->partition_by = partition_by;
    node->order_by = order_by;
    node->emit_rank = true;
    node->changelog = plan::Changelog::retract;
    for (const Node* call : calls) results[call] = static_cast<int>(base.node->schema.size());
    ranked = {node, base.window};
  } else {
    if (base.node->changelog != plan::Changelog::insert_only) {
      // Flink has an operator for it when the order is no time; ours needs rows that are only added.
      fail_table("OverAggregate doesn't support consuming update and delete changes.");
    }
    if (order_by.empty()) {
      fail_table("Over Agg: The window rank function without order by. please re-check the over window statement.");
    }
    auto node = std::make_shared<plan::Over>();
    node->inputs = {base.node};
    node->schema = base.node->schema;
    node->partition_by = partition_by;
    node->order_by = order_by;
    const DataType& order_type = base.node->schema[static_cast<size_t>(order_by[0].column)].type;
    bool by_time = order_type.is_time_attribute();
    if (by_time && order_by[0].descending)
      fail_table("OVER windows' ordering in stream mode must be ascending on time.");
    if (spec.frame) {
      const WindowFrame& frame = *spec.frame;
      node->rows = frame.rows;
      if (frame.upper != WindowFrame::Bound::current_row) {
        fail_table(fmt::format("OVER {} FOLLOWING windows are not supported yet.", frame.rows ? "ROWS" : "RANGE"));
      }
      if (frame.lower == WindowFrame::Bound::current_row) {
        node->preceding = 0;
      } else if (frame.lower == WindowFrame::Bound::preceding) {
        std::optional<int64_t> millis = interval_millis(*frame.lower_offset);
        if (frame.rows) {
          node->preceding = whole_number(*frame.lower_offset);
          if (!node->preceding) fail_validation("ROWS takes a whole number", frame.lower_offset->pos);
        } else {
          if (!millis) fail_validation("RANGE takes an interval of days or less", frame.lower_offset->pos);
          node->preceding = *millis;
        }
      }
    }
    for (const Node* call : calls) {
      std::vector<TypedExpr> args;
      for (const NodePtr& operand : call->operands)
        if (operand->kind != NodeKind::star) args.push_back(binder.bind(*operand));
      AggregateCall aggregate;
      if (call->op == "LAG" || call->op == "LEAD") {
        if (call->op == "LEAD") fail_table("LEAD() needs rows that are still to come; it is not supported on streams.");
        aggregate.name = call->op;
        aggregate.type = args[0]->type.with_nullable(true);
        aggregate.type.attribute = TimeAttribute::none;
        if (args.size() > 2) args[2] = coerce(args[2], aggregate.type.with_nullable(args[2]->type.nullable));
        if (args.size() > 2) aggregate.type.nullable = args[0]->type.nullable || args[2]->type.nullable;
        aggregate.args = std::move(args);
        aggregate.position = where(call->pos);
      } else {
        aggregate = resolve_aggregate(call->op, std::move(args), call->distinct, nullptr, where(call->pos));
      }
      results[call] = static_cast<int>(node->schema.size());
      node->schema.push_back({"w" + std::to_string(node->aggregates.size()), aggregate.type});
      node->aggregates.push_back(std::move(aggregate));
    }
    node->changelog = by_time ? plan::Changelog::insert_only : plan::Changelog::retract;
    ranked = {node, base.window};
  }
  if (ranking) {
    rank_windows_[ranked.node.get()] = base.window;
    kept_.push_back(ranked.node);
  }
  Binder outer(scope, [&](const Node& node) -> TypedExpr {
    auto found = results.find(&node);
    return found == results.end() ? nullptr : column_of(*ranked.node, found->second, where(node.pos));
  });
  std::vector<TypedExpr> outputs;
  for (const SelectItem& item : columns.items) outputs.push_back(outer.bind(*item.expr));
  return project(ranked, std::move(outputs), columns.names);
}

// A condition over ROW_NUMBER() says how many rows a partition keeps.
Relation Planner::bound_rank(Relation relation) {
  auto calc = std::dynamic_pointer_cast<plan::Calc>(relation.node);
  if (calc == nullptr || calc->condition == nullptr) return relation;
  auto rank = std::dynamic_pointer_cast<plan::Rank>(calc->inputs[0]);
  if (rank == nullptr || rank->last) return relation;
  int rank_column = static_cast<int>(rank->schema.size()) - 1;
  Bound bound;
  std::vector<TypedExpr> rest;
  for (const TypedExpr& condition : conjuncts(calc->condition))
    if (!read_bound(condition, rank_column, bound)) rest.push_back(condition);
  if (!bound.last) return relation;
  const plan::NodePtr& input = rank->inputs[0];
  bool insert_only = input->changelog == plan::Changelog::insert_only;
  bool single = bound.first == 1 && bound.last == 1;
  const DataType& order_type = input->schema[static_cast<size_t>(rank->order_by[0].column)].type;
  std::optional<WindowTrait> window = rank_windows_[rank.get()];
  auto in_partition = [&](int column) {
    return column >= 0 && std::ranges::find(rank->partition_by, column) != rank->partition_by.end();
  };

  plan::NodePtr replaced;
  bool rank_is_constant = false;
  std::optional<WindowTrait> result_window;
  if (window && in_partition(window->start) && in_partition(window->end) && insert_only) {
    auto node = std::make_shared<plan::WindowRank>();
    node->window_start = window->start;
    node->window_end = window->end;
    for (int column : rank->partition_by)
      if (column != window->start && column != window->end) node->partition_by.push_back(column);
    node->order_by = rank->order_by;
    node->first = bound.first;
    node->last = *bound.last;
    node->emit_rank = true;
    node->schema = rank->schema;
    replaced = node;
    result_window = window;
  } else if (single && insert_only && rank->order_by.size() == 1 && order_type.is_time_attribute()) {
    auto node = std::make_shared<plan::Deduplicate>();
    node->keys = rank->partition_by;
    node->time_column = rank->order_by[0].column;
    node->proctime = order_type.attribute == TimeAttribute::proctime;
    node->keep_last = rank->order_by[0].descending;
    node->schema = input->schema;
    node->changelog = node->keep_last ? plan::Changelog::retract : plan::Changelog::insert_only;
    node->upsert_key = rank->partition_by;
    replaced = node;
    rank_is_constant = true;
  } else {
    auto node = std::make_shared<plan::Rank>(*rank);
    node->first = bound.first;
    node->last = bound.last;
    node->upsert_key = rank->partition_by;
    if (!single) node->upsert_key.push_back(rank_column);
    replaced = node;
  }
  replaced->inputs = {input};
  auto copy = std::make_shared<plan::Calc>(*calc);
  copy->inputs = {replaced};
  copy->condition = conjunction(rest);
  copy->changelog = replaced->changelog;
  if (rank_is_constant) {
    std::vector<TypedExpr> mapping;
    for (int i = 0; i < rank_column; ++i) mapping.push_back(column_of(*replaced, i));
    mapping.push_back(make_literal(Value::integer(1), DataType::bigint().not_null()));
    for (TypedExpr& output : copy->outputs) output = substitute(output, mapping);
    if (copy->condition != nullptr) copy->condition = substitute(copy->condition, mapping);
  }
  copy->upsert_key.clear();
  for (int key : replaced->upsert_key) {
    auto found =
        std::ranges::find_if(copy->outputs, [&](const TypedExpr& e) { return is_column(e) && e->index == key; });
    if (found == copy->outputs.end()) {
      copy->upsert_key.clear();
      break;
    }
    copy->upsert_key.push_back(static_cast<int>(found - copy->outputs.begin()));
  }
  if (result_window) {
    auto output_of = [&](int column) {
      auto found =
          std::ranges::find_if(copy->outputs, [&](const TypedExpr& e) { return is_column(e) && e->index == column; });
      return found == copy->outputs.end() ? -1 : static_cast<int>(found - copy->outputs.begin());
    };
    result_window->start = output_of(window->start);
    result_window->end = output_of(window->end);
    result_window->time = window->time >= 0 ? output_of(window->time) : -1;
  }
  return {copy, result_window};
}

}  // namespace millrace::processing::sql
