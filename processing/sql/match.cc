// MATCH_RECOGNIZE: a pattern of row variables over rows in the order of time, one result row per match.
//
// What an expression wants to know of the rows mapped so far becomes a slot: the first or last row of a variable, or an
// aggregate over its rows. Expressions then read slots like columns.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/functions/table.h"
#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

using Slot = plan::Match::Slot;

// As Flink prints a pattern in its refusals.
std::string pattern_text(const PatternTerm& term) {
  switch (term.kind) {
    case PatternTerm::Kind::variable:
      return "_UTF-16LE'" + term.variable + "'";
    case PatternTerm::Kind::alternation:
      return "|(" + pattern_text(*term.terms[0]) + ", " + pattern_text(*term.terms[1]) + ")";
    case PatternTerm::Kind::quantified:
      return fmt::format("PATTERN_QUANTIFIER({}, {}, {}, {})", pattern_text(*term.terms[0]), term.min, term.max,
                         term.reluctant);
    default: {
      std::string text;
      for (const PatternPtr& part : term.terms) text += (text.empty() ? "" : ", ") + pattern_text(*part);
      return (term.kind == PatternTerm::Kind::permute ? "PATTERN_PERMUTE(" : "PATTERN_CONCAT(") + text + ")";
    }
  }
}

void flatten(const PatternTerm& term, std::vector<plan::Match::Term>& terms) {
  auto refuse = [&](const PatternTerm& what, const char* why) {
    fail_table(fmt::format("Expression not supported: {}{}", pattern_text(what), why));
  };
  switch (term.kind) {
    case PatternTerm::Kind::variable: {
      plan::Match::Term one;
      one.variable = term.variable;
      terms.push_back(std::move(one));
      return;
    }
    case PatternTerm::Kind::sequence:
      for (const PatternPtr& part : term.terms) flatten(*part, terms);
      return;
    case PatternTerm::Kind::quantified: {
      const PatternTerm& inner = *term.terms[0];
      if (inner.kind != PatternTerm::Kind::variable) refuse(inner, " Group patterns are not supported yet.");
      plan::Match::Term one;
      one.variable = inner.variable;
      one.min = term.min;
      one.max = term.max;
      one.greedy = !term.reluctant;
      terms.push_back(std::move(one));
      return;
    }
    case PatternTerm::Kind::alternation:
      refuse(term, ". Currently, CEP doesn't support branching patterns.");
      return;
    case PatternTerm::Kind::permute:
      refuse(term, ". Currently, CEP doesn't support PERMUTE patterns.");
      return;
    case PatternTerm::Kind::exclude:
      refuse(term, ". Currently, CEP doesn't support '{-' '-}' patterns.");
      return;
  }
}

// Binds one expression of MEASURES or DEFINE.
class MatchBinder {
 public:
  // `current`: the variable whose condition this is; empty for measures. Slots are columns from `first_slot` on.
  MatchBinder(const Scope& input, const std::set<std::string>& variables, std::string current, int first_slot)
      : input_(input), variables_(variables), current_(std::move(current)), first_slot_(first_slot) {}

  TypedExpr bind(const Node& node) {
    Binder binder(input_, [&](const Node& n) { return replace(n); });
    return binder.bind(node);
  }
  std::vector<Slot>& slots() { return slots_; }

 private:
  bool is_variable_name(const Node& node) const {
    return node.kind == NodeKind::name && node.name.parts.size() > 1 && variables_.contains(node.name.parts[0]);
  }

  static std::shared_ptr<Node> without_variable(const Node& node) {
    auto copy = std::make_shared<Node>(node);
    copy->name.parts.erase(copy->name.parts.begin());
    copy->name.positions.erase(copy->name.positions.begin());
    return copy;
  }

  // The expression over one row, and the variable its columns belong to ("*": any).
  TypedExpr over_row(const Node& node, std::string& variable) {
    variable = "*";
    Binder binder(input_, [&](const Node& n) -> TypedExpr {
      if (!is_variable_name(n)) return nullptr;
      const std::string& named = n.name.parts[0];
      if (variable != "*" && variable != named)
        fail_flink_validation("Aggregation must be applied to a single pattern variable");
      variable = named;
      return Binder(input_).bind(*without_variable(n));
    });
    return materialized(binder.bind(node));
  }

  TypedExpr slot(Slot slot, const Node& node) {
    DataType type = slot.type;
    for (size_t i = 0; i < slots_.size(); ++i) {
      const Slot& known = slots_[i];
      if (known.kind == slot.kind && known.kind != Slot::Kind::aggregate && known.variable == slot.variable &&
          known.offset == slot.offset && known.current_row == slot.current_row && same_expr(known.value, slot.value))
        return make_column(first_slot_ + static_cast<int>(i), type, "", where(node.pos));
    }
    slots_.push_back(std::move(slot));
    return make_column(first_slot_ + static_cast<int>(slots_.size()) - 1, type, "", where(node.pos));
  }

  TypedExpr replace(const Node& node) {
    if (node.kind == NodeKind::name) {
      bool qualified = is_variable_name(node);
      std::string variable = qualified ? node.name.parts[0] : "*";
      TypedExpr value = Binder(input_).bind(qualified ? *without_variable(node) : node);
      if (!current_.empty() && (variable == "*" || variable == current_)) return materialized(value);
      Slot last;
      last.variable = variable;
      last.value = materialized(value);
      last.type = last.value->type.with_nullable(true);
      return slot(std::move(last), node);
    }
    if (node.kind != NodeKind::call) return nullptr;
    if (node.op == "FIRST" || node.op == "LAST") {
      Slot row;
      row.kind = node.op == "FIRST" ? Slot::Kind::first : Slot::Kind::last;
      row.value = over_row(*node.operands[0], row.variable);
      if (node.operands.size() > 1) {
        const std::optional<int64_t> offset = whole_number(*node.operands[1]);
        if (!offset) fail_validation(fmt::format("{} takes a constant offset", node.op), node.pos);
        row.offset = *offset;
      }
      row.current_row = row.variable == current_;
      row.type = row.value->type.with_nullable(true);
      return slot(std::move(row), node);
    }
    if (node.op == "PREV" || node.op == "NEXT" || node.op == "CLASSIFIER" || node.op == "MATCH_NUMBER")
      fail_flink_validation(fmt::format("{}() is not supported in MATCH_RECOGNIZE.", node.op));
    if (node.op == "MATCH_ROWTIME" || node.op == "MATCH_PROCTIME") {
      for (size_t i = 0; i < input_.columns.size(); ++i) {
        if (!input_.columns[i].type.is_time_attribute()) continue;
        Slot last;
        last.variable = "*";
        last.value = materialized(make_column(static_cast<int>(i), input_.columns[i].type, input_.columns[i].name));
        last.type = input_.columns[i].type.not_null();
        return slot(std::move(last), node);
      }
    }
    if (find_aggregate(node) == &node) {
      Slot aggregate;
      aggregate.kind = Slot::Kind::aggregate;
      aggregate.variable = "*";
      std::vector<TypedExpr> args;
      for (const NodePtr& operand : node.operands) {
        if (operand->kind == NodeKind::star) {  // COUNT(*), COUNT(A.*)
          if (!operand->name.parts.empty()) aggregate.variable = operand->name.parts[0];
          continue;
        }
        args.push_back(over_row(*operand, aggregate.variable));
      }
      if (node.distinct)
        fail_flink_validation("Aggregate functions with DISTINCT are not supported in MATCH_RECOGNIZE.");
      aggregate.aggregate = resolve_aggregate(node.op, std::move(args), false, nullptr, where(node.pos));
      aggregate.current_row = !current_.empty() && (aggregate.variable == current_ || aggregate.variable == "*");
      bool counts = aggregate.aggregate.name == "COUNT";
      aggregate.type = aggregate.aggregate.type.with_nullable(!counts);
      return slot(std::move(aggregate), node);
    }
    return nullptr;
  }

  const Scope& input_;
  const std::set<std::string>& variables_;
  std::string current_;
  int first_slot_;
  std::vector<Slot> slots_;
};

}  // namespace

Planner::FromResult Planner::from_match(const TableRef& table, const Scope* outer) {
  const MatchRecognize& match = *table.match;
  FromResult input = from(*table.left, outer);
  auto node = std::make_shared<plan::Match>();
  node->inputs = {input.relation.node};
  if (input.relation.node->changelog != plan::Changelog::insert_only)
    fail_table("Match Recognize doesn't support consuming update and delete changes.");
  if (match.all_rows) {
    fail_table(
        "All rows per match mode is not supported yet.",
        {"org.apache.flink.table.api.TableException: Cannot generate a valid execution plan for the given query:"});
  }
  flatten(*match.pattern, node->pattern);
  if (std::ranges::all_of(node->pattern, [](const auto& term) { return term.min == 0; })) {
    fail_table(
        "Patterns that can produce empty matches are not supported. There must be at least one non-optional state.");
  }
  const plan::Match::Term& last = node->pattern.back();
  if (last.greedy && (last.max < 0 || last.max > last.min)) {
    fail_table(
        "Greedy quantifiers are not allowed as the last element of a Pattern yet. Finish your pattern with either a "
        "simple "
        "variable or reluctant quantifier.");
  }
  std::set<std::string> variables;
  for (const plan::Match::Term& term : node->pattern) variables.insert(term.variable);
  for (const auto& [variable, condition] : match.define) {
    if (!variables.contains(variable)) fail_validation(fmt::format("Unknown pattern '{}'", variable), condition->pos);
  }
  if (!match.skip_variable.empty() && !variables.contains(match.skip_variable))
    fail_validation(fmt::format("Unknown pattern '{}'", match.skip_variable), table.pos);

  Binder columns(input.scope);
  for (const NodePtr& key : match.partition_by) {
    TypedExpr column = columns.bind(*key);
    if (!is_column(column)) fail_validation("PARTITION BY of MATCH_RECOGNIZE takes columns", key->pos);
    node->partition_by.push_back(column->index);
    node->schema.push_back({input.scope.columns[static_cast<size_t>(column->index)].name, materialized(column)->type});
  }
  for (const OrderItem& item : match.order_by) {
    TypedExpr column = columns.bind(*item.expr);
    if (!is_column(column)) fail_validation("ORDER BY of MATCH_RECOGNIZE takes columns", item.expr->pos);
    node->order_by.push_back({column->index, item.descending, item.nulls_first.value_or(!item.descending)});
  }
  if (node->order_by.empty() ||
      !input.scope.columns[static_cast<size_t>(node->order_by[0].column)].type.is_time_attribute())
    fail_flink_validation("You must specify either rowtime or proctime for order by as the first one.");
  if (node->order_by[0].descending)
    fail_flink_validation("Primary sort order of a streaming table must be ascending on time.");

  int width = static_cast<int>(input.scope.columns.size());
  for (plan::Match::Term& term : node->pattern) {
    auto found = std::ranges::find(match.define, term.variable, &std::pair<std::string, NodePtr>::first);
    if (found == match.define.end()) continue;
    MatchBinder binder(input.scope, variables, term.variable, width);
    term.define = binder.bind(*found->second);
    if (!term.define->type.is(TypeRoot::boolean))
      fail_validation("DEFINE clause must be a condition", found->second->pos);
    term.slots = std::move(binder.slots());
  }
  MatchBinder measures(input.scope, variables, "", 0);
  for (const SelectItem& measure : match.measures) {
    node->measures.push_back(measures.bind(*measure.expr));
    node->schema.push_back({measure.alias, node->measures.back()->type});
  }
  node->slots = std::move(measures.slots());
  using Skip = MatchRecognize::Skip;
  node->skip = match.skip == Skip::past_last_row ? plan::Match::Skip::past_last_row
               : match.skip == Skip::to_next_row ? plan::Match::Skip::to_next_row
               : match.skip == Skip::to_first    ? plan::Match::Skip::to_first
                                                 : plan::Match::Skip::to_last;
  node->skip_variable = match.skip_variable;
  if (match.within != nullptr) {
    node->within = interval_millis(*match.within);
    if (!node->within) {
      fail_table("Only constant intervals with millisecond resolution are supported as time constraints of patterns.");
    }
  }
  return aliased({node, std::nullopt}, table, "");
}

}  // namespace millrace::processing::sql
