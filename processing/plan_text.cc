// Plans as text, for EXPLAIN and for messages: GroupAggregate(groupBy=[item], select=[item, COUNT(*) AS EXPR$1])
#include <fmt/format.h>

#include "processing/plan.h"

namespace millrace::processing::plan {
namespace {

using Names = std::vector<std::string>;

Names names_of(const std::vector<Field>& schema) {
  Names names;
  for (const Field& field : schema) names.push_back(field.name);
  return names;
}

std::string join(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string expr_text(const ExprPtr& expr, const Names& columns) {
  if (expr == nullptr) return "true";
  switch (expr->kind) {
    case Expr::Kind::column: {
      auto index = static_cast<size_t>(expr->index);
      return index < columns.size() ? columns[index] : fmt::format("${}", expr->index);
    }
    case Expr::Kind::field:
      return expr_text(expr->args[0], columns) + "." + expr->name;
    case Expr::Kind::literal: {
      if (expr->literal.is_null()) return "null:" + describe_text(expr->type);
      if (expr->type.is(TypeRoot::symbol)) return expr->literal.as_text();
      std::string text = cell_text(expr->literal, expr->type);
      return expr->type.is_text() ? "'" + text + "'" : text;
    }
    case Expr::Kind::and_:
    case Expr::Kind::or_: {
      std::string text;
      for (const ExprPtr& arg : expr->args)
        text += (text.empty() ? "(" : expr->kind == Expr::Kind::and_ ? " AND " : " OR ") + expr_text(arg, columns);
      return text + ")";
    }
    case Expr::Kind::case_:
    case Expr::Kind::call: {
      std::string name = expr->kind == Expr::Kind::case_ ? "CASE" : expr->name;
      bool word = name.empty() || (name[0] >= 'A' && name[0] <= 'Z') || (name[0] >= 'a' && name[0] <= 'z');
      if (!word && expr->args.size() == 2)
        return "(" + expr_text(expr->args[0], columns) + " " + name + " " + expr_text(expr->args[1], columns) + ")";
      Names args;
      for (const ExprPtr& arg : expr->args) args.push_back(expr_text(arg, columns));
      return name + "(" + join(args) + ")";
    }
  }
  return {};
}

std::string calls_text(const std::vector<AggregateCall>& calls, const Names& columns, const std::vector<Field>& schema,
                       size_t first) {
  std::string text;
  for (size_t i = 0; i < calls.size(); ++i) {
    Names args;
    for (const ExprPtr& arg : calls[i].args) args.push_back(expr_text(arg, columns));
    if (!text.empty()) text += ", ";
    text +=
        fmt::format("{}({}{})", calls[i].name, calls[i].distinct ? "DISTINCT " : "", args.empty() ? "*" : join(args));
    if (calls[i].filter != nullptr) text += " FILTER " + expr_text(calls[i].filter, columns);
    if (first + i < schema.size()) text += " AS " + schema[first + i].name;
  }
  return text;
}

std::string select_text(const std::vector<ExprPtr>& outputs, const Names& columns, const std::vector<Field>& schema) {
  std::string text;
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::string one = expr_text(outputs[i], columns);
    if (one != schema[i].name) one += " AS " + schema[i].name;
    text += (text.empty() ? "" : ", ") + one;
  }
  return text;
}

std::string keys_text(const std::vector<int>& keys, const Names& columns) {
  Names names;
  for (int key : keys) names.push_back(columns[static_cast<size_t>(key)]);
  return join(names);
}

std::string order_text(const std::vector<SortKey>& keys, const Names& columns) {
  Names names;
  for (const SortKey& key : keys)
    names.push_back(columns[static_cast<size_t>(key.column)] + (key.descending ? " DESC" : " ASC"));
  return join(names);
}

std::string exprs_text(const std::vector<ExprPtr>& exprs, const Names& columns) {
  Names names;
  for (const ExprPtr& expr : exprs) names.push_back(expr_text(expr, columns));
  return join(names);
}

std::string window_text(const WindowSpec& window, const Names& columns) {
  const char* kinds[] = {"TUMBLE", "HOP", "CUMULATE", "SESSION"};
  std::string time = window.time_column >= 0 && static_cast<size_t>(window.time_column) < columns.size()
                         ? columns[static_cast<size_t>(window.time_column)]
                         : "window_time";
  std::string text = fmt::format("{}(time_col=[{}]", kinds[static_cast<int>(window.kind)], time);
  if (window.kind == WindowSpec::Kind::session) {
    text += fmt::format(", gap=[{} ms]", window.size);
  } else {
    text += fmt::format(", size=[{} ms]", window.size);
  }
  if (window.slide > 0) text += fmt::format(", slide=[{} ms]", window.slide);
  if (window.offset != 0) text += fmt::format(", offset=[{} ms]", window.offset);
  return text + ")";
}

const char* join_text(JoinKind kind) {
  const char* names[] = {"InnerJoin",     "LeftOuterJoin", "RightOuterJoin",
                         "FullOuterJoin", "LeftSemiJoin",  "LeftAntiJoin"};
  return names[static_cast<int>(kind)];
}

std::string join_base_text(const char* name, const JoinBase& join_node) {
  Names left = names_of(join_node.inputs[0]->schema);
  Names right = names_of(join_node.inputs[1]->schema);
  Names both = left;
  both.insert(both.end(), right.begin(), right.end());
  Names where;
  for (size_t i = 0; i < join_node.left_keys.size(); ++i)
    where.push_back(left[static_cast<size_t>(join_node.left_keys[i])] + " = " +
                    right[static_cast<size_t>(join_node.right_keys[i])]);
  if (join_node.condition != nullptr) where.push_back(expr_text(join_node.condition, both));
  return fmt::format("{}(joinType=[{}], where=[{}], select=[{}])", name, join_text(join_node.join), join(where),
                     join(names_of(join_node.schema)));
}

std::string line(const Node& node) {
  Names columns = node.inputs.empty() ? Names() : names_of(node.inputs[0]->schema);
  switch (node.kind) {
    case Kind::scan: {
      const auto& scan = static_cast<const Scan&>(node);
      std::string table;
      for (char c : scan.table) table += c == '.' ? std::string(", ") : std::string(1, c);
      Names fields;
      for (size_t i = 0; i < scan.physical.size(); ++i)
        if (scan.needed[i]) fields.push_back(scan.physical[i].name);
      for (const MetadataColumn& metadata : scan.metadata) fields.push_back("$" + metadata.key);
      std::string text = fmt::format("TableSourceScan(table=[[{}]], fields=[{}]", table, join(fields));
      if (scan.watermark) {
        Names source = names_of(scan.physical);
        for (const MetadataColumn& metadata : scan.metadata) source.push_back("$" + metadata.key);
        text += fmt::format(", watermark=[{}]", expr_text(scan.watermark->watermark, source));
      }
      return text + ")";
    }
    case Kind::values:
      return fmt::format("Values(tuples=[{} rows])", static_cast<const Values&>(node).rows.size());
    case Kind::calc: {
      const auto& calc = static_cast<const Calc&>(node);
      std::string text = fmt::format("Calc(select=[{}]", select_text(calc.outputs, columns, node.schema));
      if (calc.condition != nullptr) text += ", where=[" + expr_text(calc.condition, columns) + "]";
      return text + ")";
    }
    case Kind::expand:
      return fmt::format("Expand(projects=[{} sets])", static_cast<const Expand&>(node).projections.size());
    case Kind::unnest:
      return fmt::format("Correlate(invocation=[UNNEST({})])",
                         expr_text(static_cast<const Unnest&>(node).collection, columns));
    case Kind::union_all:
      return fmt::format("Union(all=[true], union=[{}])", join(names_of(node.schema)));
    case Kind::window_tvf:
      return fmt::format("WindowTableFunction(window=[{}])",
                         window_text(static_cast<const WindowTvf&>(node).window, columns));
    case Kind::window_aggregate: {
      const auto& aggregate = static_cast<const WindowAggregate&>(node);
      return fmt::format("WindowAggregate(groupBy=[{}], window=[{}], select=[{}])", exprs_text(aggregate.keys, columns),
                         window_text(aggregate.window, columns),
                         calls_text(aggregate.aggregates, columns, node.schema, aggregate.keys.size()));
    }
    case Kind::group_aggregate: {
      const auto& aggregate = static_cast<const GroupAggregate&>(node);
      std::string keys = exprs_text(aggregate.keys, columns);
      std::string calls = calls_text(aggregate.aggregates, columns, node.schema, aggregate.keys.size());
      std::string by = keys.empty() ? "" : "groupBy=[" + keys + "], ";
      return fmt::format("GroupAggregate({}select=[{}{}{}])", by, keys, keys.empty() || calls.empty() ? "" : ", ",
                         calls);
    }
    case Kind::changelog_normalize:
      return fmt::format("ChangelogNormalize(key=[{}])",
                         keys_text(static_cast<const ChangelogNormalize&>(node).key, columns));
    case Kind::rank: {
      const auto& rank = static_cast<const Rank&>(node);
      std::string range = rank.last ? fmt::format("rankStart={}, rankEnd={}", rank.first, *rank.last) : "all";
      return fmt::format("Rank(rankType=[ROW_NUMBER], rankRange=[{}], partitionBy=[{}], orderBy=[{}], select=[{}])",
                         range, keys_text(rank.partition_by, columns), order_text(rank.order_by, columns),
                         join(names_of(node.schema)));
    }
    case Kind::deduplicate: {
      const auto& dedup = static_cast<const Deduplicate&>(node);
      return fmt::format("Deduplicate(keep=[{}Row], key=[{}], order=[{}])", dedup.keep_last ? "Last" : "First",
                         keys_text(dedup.keys, columns), dedup.proctime ? "PROCTIME" : "ROWTIME");
    }
    case Kind::window_rank: {
      const auto& rank = static_cast<const WindowRank&>(node);
      return fmt::format("WindowRank(rankRange=[rankStart={}, rankEnd={}], partitionBy=[{}], orderBy=[{}])", rank.first,
                         rank.last, keys_text(rank.partition_by, columns), order_text(rank.order_by, columns));
    }
    case Kind::over: {
      const auto& over = static_cast<const Over&>(node);
      return fmt::format("OverAggregate(partitionBy=[{}], orderBy=[{}], select=[{}])",
                         keys_text(over.partition_by, columns), order_text(over.order_by, columns),
                         calls_text(over.aggregates, columns, node.schema, columns.size()));
    }
    case Kind::sort_limit: {
      const auto& sort = static_cast<const SortLimit&>(node);
      return fmt::format("SortLimit(orderBy=[{}], offset=[{}], fetch=[{}])", order_text(sort.order_by, columns),
                         sort.offset, sort.fetch ? std::to_string(*sort.fetch) : "unlimited");
    }
    case Kind::temporal_sort:
      return fmt::format("TemporalSort(orderBy=[{}])",
                         order_text(static_cast<const TemporalSort&>(node).order_by, columns));
    case Kind::join:
      return join_base_text("Join", static_cast<const JoinBase&>(node));
    case Kind::window_join:
      return join_base_text("WindowJoin", static_cast<const JoinBase&>(node));
    case Kind::interval_join:
      return join_base_text("IntervalJoin", static_cast<const JoinBase&>(node));
    case Kind::temporal_join:
      return join_base_text("TemporalJoin", static_cast<const JoinBase&>(node));
    case Kind::match:
      return fmt::format("Match(select=[{}])", join(names_of(node.schema)));
    case Kind::sink: {
      const auto& sink = static_cast<const Sink&>(node);
      return fmt::format("Sink(table=[{}], fields=[{}])",
                         sink.target == Sink::Target::client ? "*anonymous_collect$1*" : sink.table,
                         join(names_of(node.schema)));
    }
  }
  return {};
}

const char* changelog_text(Changelog changelog) {
  switch (changelog) {
    case Changelog::insert_only:
      return "I";
    case Changelog::upsert:
      return "I,UA,D";
    case Changelog::retract:
      return "I,UB,UA,D";
  }
  return "";
}

void tree(const Node& node, int depth, std::string& text) {
  for (int i = 1; i < depth; ++i) text += "   ";
  if (depth > 0) text += "+- ";
  std::string own = line(node);
  if (node.kind != Kind::sink && own.ends_with(')')) {
    own.pop_back();
    own += fmt::format(", changelogMode=[{}])", changelog_text(node.changelog));
  }
  text += own + "\n";
  for (const NodePtr& input : node.inputs) tree(*input, depth + 1, text);
}

}  // namespace

std::string to_text(const Node& node) { return line(node); }

std::string to_text(const Plan& plan) {
  std::string text = "== Optimized Physical Plan ==\n";
  for (const auto& sink : plan.sinks) {
    tree(*sink, 0, text);
    text += "\n";
  }
  return text;
}

}  // namespace millrace::processing::plan
