// The window of a GROUP BY: the one its input's rows carry, when both borders are keys, or the older
// GROUP BY TUMBLE(ts, INTERVAL …).
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/aggregate_planner.h"
#include "processing/sql/literals.h"

namespace millrace::processing::sql {
namespace {

constexpr int window_columns = 3;  // start, end and time, behind the columns of a window function's input

bool uses_window(const TypedExpr& expr, int width) {
  if (expr == nullptr) return false;
  return std::ranges::any_of(columns_of(expr), [&](int c) { return c >= width && c < width + window_columns; });
}

bool is_window_column(const TypedExpr& expr, int width) { return is_column(expr) && expr->index >= width; }

void check_multiples(const plan::WindowSpec& spec) {
  using Kind = plan::WindowSpec::Kind;
  if (spec.slide > 0 && spec.size % spec.slide == 0) return;
  if (spec.kind == Kind::hop) {
    fail_table(
        fmt::format("HOP table function based aggregate requires size must be an integral multiple of slide, but got "
                    "size {} ms and slide {} ms",
                    spec.size, spec.slide));
  }
  if (spec.kind == Kind::cumulate) {
    fail_table(fmt::format(
        "CUMULATE table function based aggregate requires maxSize must be an integral multiple of step, but "
        "got maxSize {} ms and step {} ms",
        spec.size, spec.slide));
  }
}

// The same columns over the window function's input; those of the window, which nobody reads, are NULL.
std::shared_ptr<plan::Calc> without_window(const plan::WindowTvf& window, const plan::Calc* calc,
                                           const std::vector<TypedExpr>& outputs, const std::vector<Field>& schema) {
  const int width = static_cast<int>(window.inputs[0]->schema.size());
  auto below = std::make_shared<plan::Calc>();
  below->inputs = window.inputs;
  below->condition = calc == nullptr ? nullptr : calc->condition;
  below->changelog = window.inputs[0]->changelog;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (is_window_column(outputs[i], width)) {
      DataType type = schema[i].type;
      type.attribute = TimeAttribute::none;
      below->outputs.push_back(make_literal(Value(), type.with_nullable(true)));
    } else {
      below->outputs.push_back(outputs[i]);
    }
    below->schema.push_back({schema[i].name, below->outputs.back()->type});
  }
  return below;
}

// Where `column` of the input is among the outputs; added to them when it is not.
int output_of(plan::Calc& calc, int column) {
  int found = -1;
  for (size_t i = 0; i < calc.outputs.size(); ++i)
    if (is_column(calc.outputs[i]) && calc.outputs[i]->index == column) found = static_cast<int>(i);
  if (found >= 0) return found;
  calc.outputs.push_back(column_of(*calc.inputs[0], column));
  calc.schema.push_back({"$time", calc.outputs.back()->type});
  return static_cast<int>(calc.outputs.size()) - 1;
}

[[noreturn]] void fail_no_time(const Node& window, const DataType& first) {
  std::string types;
  std::string supported;
  for (size_t i = 0; i < window.operands.size(); ++i) {
    std::string type = planner_text(first);
    if (i > 0) {
      type = window.operands[i]->is_literal(LiteralKind::interval)
                 ? "INTERVAL " + interval_unit_text(*window.operands[i])
                 : "INTERVAL";
    }
    types += (i > 0 ? ", <" : "<") + type + ">";
    supported += i > 0 ? ", <DATETIME_INTERVAL>" : "<DATETIME>";
  }
  fail_validation(fmt::format("Cannot apply '${0}' to arguments of type '${0}({1})'. Supported form(s): '${0}({2})'",
                              window.op, types, supported),
                  window.pos);
}

}  // namespace

// GROUP BY TUMBLE(ts, INTERVAL …), HOP(ts, slide, size), SESSION(ts, gap)
void AggregatePlanner::legacy_window(const Node& node) {
  legacy_node_ = &node;
  TypedExpr time = Binder(scope_).bind(*node.operands[0]);
  if (!time->type.is_datetime() || time->type.is(TypeRoot::time)) fail_no_time(node, time->type);
  if (!is_column(time) || !time->type.is_time_attribute()) {
    fail_flink_validation("Window can only be defined over a time attribute column, but is not.", {}, {});
  }
  window_ = planner_.window_spec(node.op, {node.operands.begin() + 1, node.operands.end()}, node);
  window_->time_column = time->index;
  window_->proctime = time->type.attribute == TimeAttribute::proctime;
  window_->local_time = time->type.is(TypeRoot::timestamp_ltz);
  legacy_time_ = time->type;
}

// Takes the window's borders out of the keys, and the window function out of the input when nothing else needs it.
void AggregatePlanner::choose_window() {
  if (legacy_node_ != nullptr) return;
  const std::optional<WindowTrait>& trait = input_.window;
  if (!trait || trait->start < 0 || trait->end < 0) return;
  BorderKeys borders{key_of_column(trait->start), key_of_column(trait->end)};
  if (trait->time >= 0) borders.time = key_of_column(trait->time);
  if (borders.start < 0 || borders.end < 0) return;
  if (input_.node->changelog != plan::Changelog::insert_only) return;
  if (!in_every_set(static_cast<size_t>(borders.start)) || !in_every_set(static_cast<size_t>(borders.end))) return;
  check_multiples(trait->spec);
  if (trait->time >= 0) result_time_ = input_.node->schema[static_cast<size_t>(trait->time)].type;
  if (!strip_window_function(*trait, borders)) {
    // Sessions of other keys than the group's are found first, then grouped row by row.
    if (trait->spec.kind == plan::WindowSpec::Kind::session) return;
    window_ = trait->spec;
    attached_ = plan::WindowAggregate::Attached{trait->start, trait->end};
  }
  properties_[borders.start] = plan::WindowProperty::start;
  properties_[borders.end] = plan::WindowProperty::end;
  if (borders.time >= 0) properties_[borders.time] = plan::WindowProperty::time;
}

// Calc over WindowTvf, or WindowTvf alone: aggregate over the function's input instead.
bool AggregatePlanner::strip_window_function(const WindowTrait& trait, const BorderKeys& borders) {
  auto calc = std::dynamic_pointer_cast<plan::Calc>(input_.node);
  auto window = std::dynamic_pointer_cast<plan::WindowTvf>(calc == nullptr ? input_.node : calc->inputs[0]);
  if (window == nullptr) return false;
  const int width = static_cast<int>(window->inputs[0]->schema.size());
  // What the query calls these columns, as columns of the function's output.
  std::vector<TypedExpr> outputs;
  if (calc != nullptr) {
    outputs = calc->outputs;
    if (uses_window(calc->condition, width)) return false;
  } else {
    for (int i = 0; i < width + window_columns; ++i) outputs.push_back(column_of(*window, i));
  }
  const bool session = window->window.kind == plan::WindowSpec::Kind::session;
  if (session && !partitioned_like_groups(*window, outputs, borders)) return false;
  // Nothing but the keys may look at the window columns.
  for (const TypedExpr& output : outputs)
    if (!is_window_column(output, width) && uses_window(output, width)) return false;
  if (reads_window_elsewhere(trait, borders)) return false;

  auto below = without_window(*window, calc.get(), outputs, input_.node->schema);
  window_ = window->window;
  window_->time_column = output_of(*below, window->window.time_column);
  window_->partition_by.clear();
  if (session) {
    for (size_t i = 0; i < keys_.size(); ++i)
      if (!borders.contains(i)) window_->partition_by.push_back(keys_[i]->index);
  }
  input_.node = below;
  return true;
}

// Whether group keys and partition keys are the same columns.
bool AggregatePlanner::partitioned_like_groups(const plan::WindowTvf& window, const std::vector<TypedExpr>& outputs,
                                               const BorderKeys& borders) const {
  if (!sets_.empty()) return false;
  std::vector<int> grouped;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (borders.contains(i)) continue;
    TypedExpr key = substitute(keys_[i], outputs);
    if (!is_column(key)) return false;
    grouped.push_back(key->index);
  }
  std::vector<int> partitioned = window.window.partition_by;
  std::ranges::sort(grouped);
  std::ranges::sort(partitioned);
  return grouped == partitioned;
}

// Arguments of aggregates, and other keys, that read window_start and the like.
bool AggregatePlanner::reads_window_elsewhere(const WindowTrait& trait, const BorderKeys& borders) {
  auto reads = [&](const TypedExpr& expr) {
    if (expr == nullptr) return false;
    return std::ranges::any_of(columns_of(expr),
                               [&](int c) { return c == trait.start || c == trait.end || c == trait.time; });
  };
  for (size_t i = 0; i < keys_.size(); ++i)
    if (!borders.contains(i) && reads(keys_[i])) return true;
  bind_outputs();
  const std::vector<AggregateCall> calls = std::exchange(calls_, {});
  return std::ranges::any_of(
      calls, [&](const AggregateCall& call) { return reads(call.filter) || std::ranges::any_of(call.args, reads); });
}

}  // namespace millrace::processing::sql
