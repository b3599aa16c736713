// What stands between operators: parentheses, subqueries, CASE, CAST, constructors, names; literals and calls have
// files of their own.
#include <algorithm>

#include "processing/sql/grammar.h"
#include "processing/sql/nodes.h"

namespace millrace::processing::sql {

NodePtr Grammar::query_expression(QueryPtr query, Pos pos) {
  NodePtr node = make_node(NodeKind::query, pos.to(query->pos));
  node->query = std::move(query);
  return node;
}

NodePtr Grammar::parenthesized() {
  Pos pos = peek().pos;
  expect_symbol("(");
  if (starts_query()) {
    NodePtr node = query_expression(query(), pos);
    expect_symbol(")");
    node->pos = pos.to(previous());
    return node;
  }
  std::vector<NodePtr> items = expression_list();
  expect_symbol(")");
  pos = pos.to(previous());
  if (items.size() > 1) return make_call("ROW", pos, std::move(items));
  NodePtr inner = items.front();
  if (is_time_unit() && inner->is_call("-")) {  // (a - b) DAY TO SECOND
    NodePtr interval = make_node(NodeKind::symbol, peek().pos);
    interval_qualifier(*interval);
    NodePtr call = make_call("MINUS_DATE", pos.to(previous()), inner->operands);
    call->operands.push_back(interval);
    return call;
  }
  // Parentheses belong to the place of what they hold.
  NodePtr copy = std::make_shared<Node>(*inner);
  copy->pos = pos;
  return copy;
}

// The operands come as: [value], then condition, result, …, and the else branch (null pointer when there is none).
NodePtr Grammar::case_expression() {
  Pos pos = peek().pos;
  expect("CASE");
  NodePtr node = make_node(NodeKind::case_, pos);
  node->op = "SEARCHED";
  if (!is_word("WHEN")) {
    node->op = "SIMPLE";
    node->operands.push_back(expression());
  }
  while (accept("WHEN")) {
    if (node->op == "SIMPLE") {
      std::vector<NodePtr> values = expression_list();
      NodePtr value = values.size() == 1 ? values.front() : make_call("ROW", values.front()->pos, values);
      node->operands.push_back(value);
    } else {
      node->operands.push_back(expression());
    }
    expect("THEN");
    node->operands.push_back(expression());
  }
  if (node->operands.size() < 2) fail_here();
  node->operands.push_back(accept("ELSE") ? expression() : nullptr);
  expect("END");
  node->pos = pos.to(previous());
  return node;
}

NodePtr Grammar::cast_expression() {
  Pos pos = peek().pos;
  NodePtr node = make_node(NodeKind::cast, pos);
  node->op = next().upper;
  expect_symbol("(");
  node->operands.push_back(expression());
  expect("AS");
  node->type = is_word("INTERVAL") ? type_without_suffix() : type();
  expect_symbol(")");
  node->pos = pos.to(previous());
  return node;
}

NodePtr Grammar::sequence_constructor(const std::string& op) {
  Pos pos = peek().pos;
  next();
  NodePtr node = make_call(op, pos, {});
  if (accept_symbol("(")) {  // ARRAY(SELECT …)
    node->op = op + " QUERY";
    node->operands.push_back(query_expression(query(), pos));
    expect_symbol(")");
  } else {
    expect_symbol("[");
    if (!is_symbol("]")) node->operands = expression_list();
    expect_symbol("]");
  }
  node->pos = pos.to(previous());
  return node;
}

NodePtr Grammar::operand() {
  const Token& token = peek();
  if (is_symbol("(")) return parenthesized();
  if (token.kind == TokenKind::symbol && token.text == "?") fail_parse("Illegal use of dynamic parameter", token.pos);
  if (token.kind == TokenKind::word) {
    const std::string& upper = token.upper;
    if (upper == "CASE") return case_expression();
    if ((upper == "CAST" || upper == "TRY_CAST") && is_symbol("(", 1)) return cast_expression();
    if (upper == "EXISTS" || upper == "UNIQUE") {
      Pos pos = next().pos;
      Pos begin = peek().pos;
      expect_symbol("(");
      NodePtr subquery = query_expression(query(), begin);
      expect_symbol(")");
      return make_call(upper, pos.to(previous()), {subquery});
    }
    if ((upper == "ARRAY" || upper == "MAP" || upper == "MULTISET") && (is_symbol("[", 1) || starts_query(2)))
      return sequence_constructor(upper);
    if (upper == "ROW" && is_symbol("(", 1)) {
      Pos pos = next().pos;
      next();
      NodePtr row = make_call("ROW", pos, {});
      if (!is_symbol(")")) row->operands = expression_list();
      expect_symbol(")");
      row->pos = pos.to(previous());
      return row;
    }
    if ((upper == "RUNNING" || upper == "FINAL") && peek(1).kind == TokenKind::word && is_symbol("(", 2)) {
      next();
      return function_call();
    }
    static constexpr std::string_view without_parentheses[] = {"CURRENT_DATE",
                                                               "CURRENT_TIME",
                                                               "CURRENT_TIMESTAMP",
                                                               "LOCALTIME",
                                                               "LOCALTIMESTAMP",
                                                               "CURRENT_CATALOG",
                                                               "CURRENT_USER",
                                                               "SESSION_USER",
                                                               "SYSTEM_USER",
                                                               "USER",
                                                               "PI"};
    if (std::ranges::find(without_parentheses, upper) != std::end(without_parentheses) && !is_symbol("(", 1)) {
      next();
      NodePtr call = make_call(upper, token.pos, {});
      call->op_pos = token.pos;
      return call;
    }
    bool literal_word =
        upper == "NULL" || upper == "TRUE" || upper == "FALSE" || upper == "UNKNOWN" || upper == "INTERVAL" ||
        ((upper == "DATE" || upper == "TIME" || upper == "TIMESTAMP") && peek(1).kind == TokenKind::string);
    if (literal_word) return literal();
    if (is_symbol("(", 1) && starts_expression() && !is_operator(upper)) return function_call();
    if (is_reserved(upper)) fail_here(true);
  } else if (token.kind != TokenKind::quoted) {
    if (starts_expression()) return literal();
    fail_here(true);
  }
  // A name, a star with a prefix, or the call of a function with a qualified name.
  NodePtr node = make_node(NodeKind::name, token.pos);
  node->name = name();
  node->pos = node->name.pos;
  if (is_symbol(".") && is_symbol("*", 1)) {
    at_ += 2;
    node->kind = NodeKind::star;
    node->pos = node->pos.to(previous());
    return node;
  }
  if (is_symbol("(")) {
    if (is_operator(node->name.last()))
      fail_validation("No match found for function signature " + node->name.last() + "()", node->pos);
    NodePtr call = make_call(node->name.last(), node->pos, {});
    call->op_pos = node->pos;
    call->name = node->name;
    call_arguments(*call);
    call_suffixes(*call);
    return call;
  }
  return node;
}

}  // namespace millrace::processing::sql
