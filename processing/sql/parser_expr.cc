// Expressions.
//
//   precedence, loosest first:  OR  AND  NOT  IS  = <> < >  BETWEEN IN LIKE  + -  * / % ||  unary + -  [ ] .
#include <algorithm>

#include "processing/sql/grammar.h"
#include "processing/sql/nodes.h"

namespace millrace::processing::sql {

NodePtr Grammar::symbol(std::string text, Pos pos) {
  NodePtr node = make_node(NodeKind::symbol, pos);
  node->text = std::move(text);
  return node;
}

bool Grammar::starts_query(size_t ahead) const {
  while (is_symbol("(", ahead)) ++ahead;
  return is_word("SELECT", ahead) || is_word("WITH", ahead) || is_word("VALUES", ahead);
}

bool Grammar::starts_expression(size_t ahead) const {
  const Token& token = peek(ahead);
  switch (token.kind) {
    case TokenKind::word: {
      if (!is_reserved(token.upper) || is_reserved_function(token.upper)) return true;
      static constexpr std::string_view starters[] = {"NOT",           "EXISTS",
                                                      "CASE",          "CAST",
                                                      "TRY_CAST",      "TRUE",
                                                      "FALSE",         "UNKNOWN",
                                                      "NULL",          "DATE",
                                                      "TIME",          "TIMESTAMP",
                                                      "INTERVAL",      "ARRAY",
                                                      "MAP",           "MULTISET",
                                                      "ROW",           "EXTRACT",
                                                      "POSITION",      "CONVERT",
                                                      "TRANSLATE",     "OVERLAY",
                                                      "CEIL",          "SUBSTRING",
                                                      "TRIM",          "PREV",
                                                      "NEXT",          "RUNNING",
                                                      "JSON_VALUE",    "JSON_EXISTS",
                                                      "JSON_QUERY",    "JSON_OBJECT",
                                                      "JSON_ARRAY",    "JSON_OBJECTAGG",
                                                      "JSON_ARRAYAGG", "MATCH_NUMBER",
                                                      "SYSTEM_USER",   "SESSION_USER",
                                                      "CURRENT_USER",  "CURSOR",
                                                      "UNIQUE",        "TREAT",
                                                      "HASH",          "IF",
                                                      "STRING",        "RAW"};
      return std::ranges::find(starters, token.upper) != std::end(starters) || is_symbol("(", ahead + 1);
    }
    case TokenKind::quoted:
    case TokenKind::string:
    case TokenKind::unicode:
    case TokenKind::binary:
    case TokenKind::number:
    case TokenKind::approximate:
      return true;
    case TokenKind::symbol:
      return token.text == "(" || token.text == "+" || token.text == "-" || token.text == "?";
    default:
      return false;
  }
}

std::vector<NodePtr> Grammar::expression_list() {
  std::vector<NodePtr> list;
  do {
    list.push_back(expression());
  } while (accept_symbol(","));
  return list;
}

std::vector<OrderItem> Grammar::order_items() {
  std::vector<OrderItem> items;
  do {
    OrderItem item;
    item.expr = expression();
    if (accept("DESC")) {
      item.descending = true;
    } else {
      accept("ASC");
    }
    if (accept("NULLS")) {
      item.nulls_first = accept("FIRST");
      if (!*item.nulls_first) expect("LAST");
    }
    items.push_back(std::move(item));
  } while (accept_symbol(","));
  return items;
}

NodePtr Grammar::expression(int min_precedence) {
  Nesting nesting(*this);
  NodePtr left = prefix();
  // a + b + c is a tree that leans to the left: as deep as it is long.
  for (int terms = 0; infix(left, min_precedence); ++terms)
    if (terms > 2 * kDeepest) fail_too_deep();
  return left;
}

NodePtr Grammar::prefix() {
  Pos pos = peek().pos;
  if (accept("NOT")) {
    NodePtr operand = expression(Precedence::not_);
    NodePtr call = make_call("NOT", pos.to(operand->pos), {operand});
    call->op_pos = pos;
    return call;
  }
  for (const char* sign : {"-", "+"}) {
    if (!is_symbol(sign)) continue;
    if (!starts_expression(1)) fail_at(at_, 2, true);
    next();
    NodePtr operand = expression(Precedence::unary);
    NodePtr call = make_call(sign, pos.to(operand->pos), {operand});
    call->op_pos = pos;
    return call;
  }
  return postfix(operand());
}

NodePtr Grammar::binary(NodePtr left, std::string op, size_t op_tokens, int precedence) {
  if (!starts_expression(op_tokens)) fail_at(at_, op_tokens + 1, true);
  Pos op_pos = peek().pos;
  at_ += op_tokens;
  if ((is_word("SOME") || is_word("ANY") || is_word("ALL")) && is_symbol("(", 1)) {
    std::string quantifier = next().upper == "ALL" ? "ALL" : "SOME";
    Pos begin = peek().pos;
    expect_symbol("(");
    NodePtr right = query_expression(query(), begin);
    expect_symbol(")");
    right->pos = begin.to(previous());
    NodePtr call = make_call(op + " " + quantifier, left->pos.to(right->pos), {left, right});
    call->op_pos = op_pos;
    return call;
  }
  NodePtr right = expression(precedence + 1);
  NodePtr call = make_call(std::move(op), left->pos.to(right->pos), {left, right});
  call->op_pos = op_pos;
  call->infix = true;
  return call;
}

bool Grammar::infix(NodePtr& left, int min_precedence) {
  const Token& token = peek();
  auto allowed = [&](int precedence) { return precedence >= min_precedence; };
  if (token.kind == TokenKind::symbol) {
    static constexpr std::pair<std::string_view, int> operators[] = {
        {"=", comparison},     {"<>", comparison},    {"!=", comparison},     {"<", comparison}, {">", comparison},
        {"<=", comparison},    {">=", comparison},    {"+", additive},        {"-", additive},   {"*", multiplicative},
        {"/", multiplicative}, {"%", multiplicative}, {"||", multiplicative},
    };
    for (const auto& [text, precedence] : operators) {
      if (token.text != text) continue;
      if (!allowed(precedence)) return false;
      if (text == "!=") {
        throw SqlError(SqlError::Stage::parse, "org.apache.calcite.runtime.CalciteException",
                       "Bang equal '!=' is not allowed under the current SQL conformance level", token.pos);
      }
      left = binary(left, std::string(text), 1, precedence);
      return true;
    }
    return false;
  }
  if (token.kind != TokenKind::word) return false;
  if (token.upper == "OR" && allowed(or_)) {
    left = binary(left, "OR", 1, or_);
    return true;
  }
  if (token.upper == "AND" && allowed(and_)) {
    left = binary(left, "AND", 1, and_);
    return true;
  }
  if (token.upper == "IS" && allowed(is_)) {
    left = is_predicate(left);
    return true;
  }
  return overlaps_predicate(left, min_precedence) || negatable_predicate(left, min_precedence);
}

NodePtr Grammar::postfix(NodePtr expr) {
  for (int steps = 0;; ++steps) {
    if (steps > kDeepest) fail_too_deep();
    if (is_symbol("[")) {
      next();
      NodePtr index = expression();
      expect_symbol("]");
      expr = make_call("ITEM", expr->pos.to(previous()), {expr, index});
    } else if (is_symbol(".") && expr->kind != NodeKind::name) {
      next();
      Pos field_pos;
      std::string field = simple_name(&field_pos);
      NodePtr call = make_call("DOT", expr->pos.to(field_pos), {expr});
      call->text = field;
      expr = call;
    } else {
      return expr;
    }
  }
}

}  // namespace millrace::processing::sql
