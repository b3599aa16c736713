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
  return negatable_predicate(left, min_precedence);
}

// x IS [NOT] NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM y | JSON [VALUE | OBJECT | ARRAY | SCALAR]
NodePtr Grammar::is_predicate(NodePtr left) {
  Pos op_pos = peek().pos;
  size_t begin = at_;
  next();
  std::string op = "IS";
  if (accept("NOT")) op += " NOT";
  if (is_word("NULL") || is_word("TRUE") || is_word("FALSE") || is_word("UNKNOWN")) {
    op += " " + next().upper;
  } else if (accept_words({"DISTINCT", "FROM"})) {
    NodePtr right = expression(is_ + 1);
    NodePtr call = make_call(op + " DISTINCT FROM", left->pos.to(right->pos), {left, right});
    call->op_pos = op_pos;
    call->infix = true;
    return call;
  } else if (accept("JSON")) {
    op += " JSON";
    op +=
        is_word("VALUE") || is_word("OBJECT") || is_word("ARRAY") || is_word("SCALAR") ? " " + next().upper : " VALUE";
  } else {
    fail_at(begin, at_ - begin + 1, true);
  }
  NodePtr call = make_call(op, left->pos.to(previous()), {left});
  call->op_pos = op_pos;
  call->infix = true;
  return call;
}

// x [NOT] BETWEEN … AND … | [NOT] IN (…) | [NOT] LIKE … [ESCAPE …] | [NOT] SIMILAR TO … [ESCAPE …]
bool Grammar::negatable_predicate(NodePtr& left, int min_precedence) {
  size_t ahead = is_word("NOT") ? 1 : 0;
  bool known = is_word("BETWEEN", ahead) || is_word("IN", ahead) || is_word("LIKE", ahead) ||
               (is_word("SIMILAR", ahead) && is_word("TO", ahead + 1));
  if (!known || range < min_precedence) return false;
  std::string negation = ahead == 1 ? "NOT " : "";
  Pos op_pos = peek().pos;
  at_ += ahead;
  std::string op = next().upper;
  NodePtr call;
  if (op == "BETWEEN") {
    bool symmetric = accept("SYMMETRIC");
    if (!symmetric) accept("ASYMMETRIC");
    NodePtr low = expression(range + 1);
    expect("AND");
    NodePtr high = expression(range + 1);
    call =
        make_call(negation + (symmetric ? "BETWEEN SYMMETRIC" : "BETWEEN"), left->pos.to(high->pos), {left, low, high});
  } else if (op == "IN") {
    Pos begin = peek().pos;
    expect_symbol("(");
    call = make_call(negation + "IN", left->pos, {left});
    if (starts_query()) {
      NodePtr right = query_expression(query(), begin);
      call->operands.push_back(right);
    } else {
      for (NodePtr& item : expression_list()) call->operands.push_back(std::move(item));
    }
    expect_symbol(")");
    call->pos = left->pos.to(previous());
  } else {
    if (op == "SIMILAR") {
      expect("TO");
      op = "SIMILAR TO";
    }
    NodePtr pattern = expression(range + 1);
    call = make_call(negation + op, left->pos.to(pattern->pos), {left, pattern});
    if (accept("ESCAPE")) {
      call->operands.push_back(expression(range + 1));
      call->pos = call->pos.to(call->operands.back()->pos);
    }
  }
  call->op_pos = op_pos;
  call->infix = true;
  left = call;
  return true;
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
    interval->text = text_.substr(tokens_[at_ - 1].offset, 0);
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
  if (is_word("INTERVAL")) {
    next();
    NodePtr interval = make_node(NodeKind::symbol, peek().pos);
    interval_qualifier(*interval);
    bool months = interval->from_unit == TimeUnit::year || interval->from_unit == TimeUnit::month ||
                  interval->from_unit == TimeUnit::quarter;
    node->type = months ? DataType::interval_months() : DataType::interval_millis();
  } else {
    node->type = type();
  }
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
    static constexpr std::string_view without_parentheses[] = {
        "CURRENT_DATE",    "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME",   "LOCALTIMESTAMP",
        "CURRENT_CATALOG", "CURRENT_USER", "SESSION_USER",      "SYSTEM_USER", "USER"};
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
