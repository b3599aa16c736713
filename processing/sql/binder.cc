// Names and expressions: a syntax tree becomes a typed expression over the columns of a scope.
#include <fmt/format.h>

#include <algorithm>

#include "processing/functions/table.h"
#include "processing/sql/literals.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

// Calls `visit` for the node and everything below it, subqueries left out; stops at the first non-null answer.
template <class Visit>
const Node* search(const Node& node, Visit visit) {
  if (const Node* found = visit(node)) return found;
  for (const NodePtr& operand : node.operands) {
    if (operand == nullptr) continue;
    if (const Node* found = search(*operand, visit)) return found;
  }
  return nullptr;
}

// x + 0, x - 0, x * 1 and x / 1 are x, as for Flink's optimizer: it shows with -0.0.
TypedExpr identity_operand(const Node& node, const std::vector<TypedExpr>& args) {
  if (args.size() != 2 || !args[0]->type.is_numeric() || !args[1]->type.is_numeric()) return nullptr;
  auto is = [&](size_t i, const char* digit) {
    const Node& operand = *node.operands[i];
    return operand.is_literal(LiteralKind::exact) && operand.text == digit;
  };
  if (node.op == "+") return is(1, "0") ? args[0] : is(0, "0") ? args[1] : nullptr;
  if (node.op == "-") return is(1, "0") ? args[0] : nullptr;
  if (node.op == "*") return is(1, "1") ? args[0] : is(0, "1") ? args[1] : nullptr;
  if (node.op == "/") return is(1, "1") ? args[0] : nullptr;
  return nullptr;
}

}  // namespace

const Node* find_aggregate(const Node& node) {
  if (node.kind == NodeKind::call) {
    if (node.over != nullptr) {
      for (const NodePtr& operand : node.operands)
        if (const Node* found = find_aggregate(*operand)) return found;
      for (const NodePtr& item : node.over->partition_by)
        if (const Node* found = find_aggregate(*item)) return found;
      for (const OrderItem& item : node.over->order_by)
        if (const Node* found = find_aggregate(*item.expr)) return found;
      return nullptr;
    }
    bool group_function = node.op == "GROUPING" || node.op == "GROUPING_ID";
    if (!node.infix && (group_function || is_aggregate_function(node.op))) return &node;
  }
  for (const NodePtr& operand : node.operands) {
    if (operand == nullptr) continue;
    if (const Node* found = find_aggregate(*operand)) return found;
  }
  return nullptr;
}

const Node* find_over(const Node& node) {
  return search(node, [](const Node& n) { return n.over != nullptr ? &n : nullptr; });
}

bool is_legacy_window(const Node& node) {
  return node.kind == NodeKind::call && (node.op == "TUMBLE" || node.op == "HOP" || node.op == "SESSION") &&
         node.operands.size() >= 2;
}

bool is_column(const TypedExpr& expr) { return expr != nullptr && expr->kind == processing::Expr::Kind::column; }

bool same_expr(const TypedExpr& a, const TypedExpr& b) {
  if (a == b) return true;
  if (a == nullptr || b == nullptr || a->kind != b->kind) return false;
  if (a->index != b->index || a->function != b->function || a->args.size() != b->args.size()) return false;
  if (a->kind == processing::Expr::Kind::literal && !(a->literal == b->literal)) return false;
  if (a->kind != processing::Expr::Kind::column && !(a->type == b->type)) return false;
  if (a->kind == processing::Expr::Kind::call && !a->deterministic) return false;
  for (size_t i = 0; i < a->args.size(); ++i)
    if (!same_expr(a->args[i], b->args[i])) return false;
  return true;
}

TypedExpr column_of(const plan::Node& node, int index, SourcePosition at) {
  const Field& field = node.schema[static_cast<size_t>(index)];
  return make_column(index, field.type, field.name, at);
}

TypedExpr substitute(const TypedExpr& expr, const std::vector<TypedExpr>& outputs) {
  if (expr->kind == processing::Expr::Kind::column) return outputs[static_cast<size_t>(expr->index)];
  if (expr->args.empty()) return expr;
  auto copy = std::make_shared<processing::Expr>(*expr);
  for (TypedExpr& arg : copy->args) {
    arg = substitute(arg, outputs);
    copy->deterministic = copy->deterministic && arg->deterministic;
  }
  return copy;
}

std::vector<TypedExpr> conjuncts(const TypedExpr& condition) {
  if (condition == nullptr) return {};
  if (condition->kind != processing::Expr::Kind::and_) return {condition};
  std::vector<TypedExpr> result;
  for (const TypedExpr& arg : condition->args)
    for (TypedExpr& part : conjuncts(arg)) result.push_back(std::move(part));
  return result;
}

TypedExpr conjunction(const std::vector<TypedExpr>& conditions) {
  TypedExpr result;
  for (const TypedExpr& condition : conditions)
    result = result == nullptr ? condition : make_call("AND", {result, condition});
  return result;
}

TypedExpr materialized(TypedExpr expr) {
  if (expr->type.attribute == TimeAttribute::none) return expr;
  auto copy = std::make_shared<processing::Expr>(*expr);
  copy->type.attribute = TimeAttribute::none;
  return copy;
}

std::vector<TypedExpr> Binder::bind_all(const std::vector<NodePtr>& nodes) {
  std::vector<TypedExpr> result;
  result.reserve(nodes.size());
  for (const NodePtr& node : nodes) result.push_back(bind(*node));
  return result;
}

TypedExpr Binder::bind(const Node& node) {
  if (intercept_) {
    if (TypedExpr replaced = intercept_(node)) return replaced;
  }
  switch (node.kind) {
    case NodeKind::literal:
      return literal_expr(node);
    case NodeKind::name:
      return bind_name(node);
    case NodeKind::symbol: {
      std::string text = node.text;
      if (text.empty()) text = interval_unit_text(node);
      return make_symbol(text, where(node.pos));
    }
    case NodeKind::call:
      return bind_call(node);
    case NodeKind::case_:
      return bind_case(node);
    case NodeKind::cast: {
      TypedExpr value = bind(*node.operands[0]);
      bool nullable = node.op == "TRY_CAST" || value->type.nullable;
      return materialized(make_cast(value, node.type.with_nullable(nullable), node.op == "TRY_CAST", where(node.pos)));
    }
    case NodeKind::star:
      fail_validation("Unknown identifier '*'", node.pos);
    case NodeKind::query:
      fail_table("A subquery in this place is not supported yet.");
  }
  return nullptr;
}

TypedExpr Binder::fields_of(TypedExpr value, const Node& node, size_t from, const std::string& table) {
  const Name& name = node.name;
  for (size_t i = from; i < name.parts.size(); ++i) {
    int field = value->type.is(TypeRoot::row) ? value->type.field_index(name.parts[i]) : -1;
    if (field < 0) {
      std::string path;
      for (size_t k = from - 1; k <= i; ++k) path += (path.empty() ? "" : ".") + name.parts[k];
      fail_validation(fmt::format("Column '{}' not found in table '{}'", path, table), node.pos);
    }
    value = make_field(value, field, where(node.pos));
  }
  return value;
}

// Looks for the first part as a column of any table, then for a table with that name. Inner scopes hide outer ones.
TypedExpr Binder::bind_name(const Node& node) {
  const Name& name = node.name;
  const std::string& first = name.parts[0];
  auto column_in = [&](int begin, int end, std::string_view wanted) {
    for (int i = begin; i < end; ++i)
      if (scope_.columns[static_cast<size_t>(i)].name == wanted) return i;
    return -1;
  };
  auto typed = [&](int index) {
    const Field& field = scope_.columns[static_cast<size_t>(index)];
    return make_column(index, field.type, field.name, where(node.pos));
  };
  auto suggestion = [&](int begin, int end, const std::string& wanted) -> std::string {
    for (int i = begin; i < end; ++i) {
      const std::string& candidate = scope_.columns[static_cast<size_t>(i)].name;
      if (equal_ignoring_case(candidate, wanted)) return fmt::format("; did you mean '{}'?", candidate);
    }
    return {};
  };
  // table.column, db.table.column, catalog.db.table.column
  if (name.parts.size() > 1) {
    for (const ScopeTable& table : scope_.tables) {
      size_t used = 0;
      if (table.name == first) {
        used = 1;
      } else if (!table.path.empty()) {
        for (size_t n = std::min(table.path.size(), name.parts.size() - 1); n >= 1 && used == 0; --n) {
          if (std::equal(name.parts.begin(), name.parts.begin() + static_cast<long>(n),
                         table.path.end() - static_cast<long>(n)))
            used = n;
        }
      }
      if (used == 0) continue;
      int index = column_in(table.first, table.first + table.count, name.parts[used]);
      if (index < 0) {
        // The first part may be a column that is named like the table.
        if (column_in(0, static_cast<int>(scope_.columns.size()), first) >= 0) break;
        fail_validation(fmt::format("Column '{}' not found in table '{}'{}", name.parts[used], table.name,
                                    suggestion(table.first, table.first + table.count, name.parts[used])),
                        name.positions[used]);
      }
      return fields_of(typed(index), node, used + 1, table.name);
    }
  }
  int found = -1;
  for (size_t i = 0; i < scope_.columns.size(); ++i) {
    if (scope_.columns[i].name != first) continue;
    if (i < scope_.hidden.size() && scope_.hidden[i]) continue;
    if (found >= 0) fail_validation(fmt::format("Column '{}' is ambiguous", first), name.positions[0]);
    found = static_cast<int>(i);
  }
  if (found >= 0) {
    std::string table;
    for (const ScopeTable& t : scope_.tables)
      if (found >= t.first && found < t.first + t.count) table = t.name;
    return fields_of(typed(found), node, 1, table);
  }
  if (name.parts.size() > 1) fail_validation(fmt::format("Table '{}' not found", first), name.positions[0]);
  fail_validation(fmt::format("Column '{}' not found in any table{}", first,
                              suggestion(0, static_cast<int>(scope_.columns.size()), first)),
                  node.pos);
}

TypedExpr Binder::bind_case(const Node& node) {
  std::vector<TypedExpr> args;
  size_t i = 0;
  const Node* value = nullptr;
  if (node.op == "SIMPLE") value = node.operands[i++].get();
  for (; i + 1 < node.operands.size(); i += 2) {
    const Node& when = *node.operands[i];
    if (value != nullptr) {
      args.push_back(make_call("=", {bind(*value), bind(when)}, where(when.pos)));
    } else {
      args.push_back(bind(when));
    }
    args.push_back(bind(*node.operands[i + 1]));
  }
  const NodePtr& otherwise = node.operands.back();
  args.push_back(otherwise != nullptr ? bind(*otherwise) : make_null(where(node.pos)));
  return materialized(make_call("CASE", std::move(args), where(node.pos)));
}

TypedExpr Binder::bind_call(const Node& node) {
  SourcePosition at = where(node.pos);
  if (node.over != nullptr) fail_validation("Windowed aggregate expression is illegal in this place", node.pos);
  for (const char* window : {"TUMBLE", "HOP", "SESSION"}) {
    for (const char* what : {"_START", "_END", "_ROWTIME", "_PROCTIME"}) {
      if (node.op != std::string(window) + what) continue;
      fail_validation(
          fmt::format("Call to auxiliary group function '{}' must have matching call to group function '${}' in "
                      "GROUP BY clause",
                      node.op, window),
          node.pos);
    }
  }
  if (node.op == "DOT" && !node.operands.empty()) {
    TypedExpr row = bind(*node.operands[0]);
    int field = row->type.is(TypeRoot::row) ? row->type.field_index(node.text) : -1;
    if (field < 0) fail_validation(fmt::format("Unknown field '{}'", node.text), node.pos);
    return make_field(row, field, at);
  }
  if (node.op == "EXISTS" || node.op == "UNIQUE" || node.op.ends_with(" SOME") || node.op.ends_with(" ALL"))
    fail_table("A subquery in this place is not supported yet.");
  if (!node.infix && (is_aggregate_function(node.op) && find_function(node.op) == nullptr))
    fail_validation("Aggregate expression is illegal in this place", node.pos);
  std::vector<TypedExpr> args = bind_all(node.operands);
  if (node.op == "+" && args.size() == 1) return args[0];
  if (node.text == "RETURNING" && node.op.starts_with("JSON_")) {
    // JSON_VALUE(… RETURNING type): the conversion is the cast's, the behaviours stay the function's.
    TypedExpr value = make_call(node.op, std::move(args), at);
    return make_cast(value, node.type.with_nullable(true), true, at);
  }
  const std::string& name = node.text.empty() || node.infix ? node.op : node.text;
  TypedExpr identity = identity_operand(node, args);
  TypedExpr call = make_call(name, std::move(args), at);
  if (identity != nullptr) return coerce(materialized(identity), call->type);
  return node.op == "PROCTIME" ? call : materialized(call);
}

}  // namespace millrace::processing::sql
