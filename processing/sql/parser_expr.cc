// Expressions and types.
//
//   precedence, loosest first:  OR  AND  NOT  IS  = <> < >  BETWEEN IN LIKE  + -  * / % ||  unary + -  [ ] .
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/grammar.h"

namespace millrace::processing::sql {
namespace {

enum Precedence { lowest, or_, and_, not_, is_, comparison, range, additive, multiplicative, unary };

NodePtr make_node(NodeKind kind, Pos pos) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->pos = pos;
  return node;
}

NodePtr make_call(std::string op, Pos pos, std::vector<NodePtr> operands) {
  NodePtr node = make_node(NodeKind::call, pos);
  node->op = std::move(op);
  node->operands = std::move(operands);
  return node;
}

NodePtr make_literal(LiteralKind kind, std::string text, Pos pos) {
  NodePtr node = make_node(NodeKind::literal, pos);
  node->literal = kind;
  node->text = std::move(text);
  return node;
}

std::string singular(const std::string& unit) {
  static constexpr std::string_view plurals[] = {"YEARS",   "MONTHS",  "DAYS",  "HOURS",
                                                 "MINUTES", "SECONDS", "WEEKS", "QUARTERS"};
  return std::ranges::find(plurals, unit) == std::end(plurals) ? unit : unit.substr(0, unit.size() - 1);
}

constexpr std::pair<std::string_view, TimeUnit> kIntervalUnits[] = {
    {"YEAR", TimeUnit::year},     {"QUARTER", TimeUnit::quarter}, {"MONTH", TimeUnit::month},
    {"WEEK", TimeUnit::week},     {"DAY", TimeUnit::day},         {"HOUR", TimeUnit::hour},
    {"MINUTE", TimeUnit::minute}, {"SECOND", TimeUnit::second},
};

constexpr std::string_view kExtractUnits[] = {"YEAR",         "QUARTER",       "MONTH",           "WEEK",
                                              "DAY",          "HOUR",          "MINUTE",          "SECOND",
                                              "DOW",          "DOY",           "ISODOW",          "ISOYEAR",
                                              "EPOCH",        "DECADE",        "CENTURY",         "MILLENNIUM",
                                              "MILLISECOND",  "MICROSECOND",   "NANOSECOND",      "FRAC_SECOND",
                                              "SQL_TSI_DAY",  "SQL_TSI_HOUR",  "SQL_TSI_MINUTE",  "SQL_TSI_SECOND",
                                              "SQL_TSI_WEEK", "SQL_TSI_MONTH", "SQL_TSI_QUARTER", "SQL_TSI_YEAR"};

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// U&'\00e9': four hex digits behind the escape character; the character doubled is itself.
std::string undo_unicode(std::string_view text, char escape, Pos pos) {
  std::string result;
  uint32_t high = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != escape) {
      result += text[i];
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == escape) {
      result += escape;
      ++i;
      continue;
    }
    uint32_t code = 0;
    bool valid = i + 4 < text.size();
    for (size_t k = 1; valid && k <= 4; ++k) {
      char c = text[i + k];
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
      valid = digit >= 0;
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    if (!valid)
      fail_parse(fmt::format("Unicode escape sequence starting at character {} is not exactly four hex digits", i),
                 pos);
    i += 4;
    if (code >= 0xD800 && code < 0xDC00) {
      high = code;
    } else if (code >= 0xDC00 && code < 0xE000 && high != 0) {
      append_utf8(result, 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00));
      high = 0;
    } else {
      append_utf8(result, code);
    }
  }
  return result;
}

}  // namespace

bool Grammar::is_time_unit(size_t ahead) const {
  if (peek(ahead).kind != TokenKind::word) return false;
  std::string unit = singular(peek(ahead).upper);
  return std::ranges::any_of(kIntervalUnits, [&](const auto& entry) { return entry.first == unit; });
}

TimeUnit Grammar::time_unit() {
  if (!is_time_unit()) fail_here();
  std::string unit = singular(next().upper);
  return std::ranges::find(kIntervalUnits, std::string_view(unit), &std::pair<std::string_view, TimeUnit>::first)
      ->second;
}

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

NodePtr Grammar::literal() {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::number:
      next();
      return make_literal(LiteralKind::exact, token.text, token.pos);
    case TokenKind::approximate:
      next();
      return make_literal(LiteralKind::approximate, token.text, token.pos);
    case TokenKind::binary: {
      next();
      return make_literal(LiteralKind::binary, token.text, token.pos);
    }
    case TokenKind::unicode: {
      next();
      std::string text = token.text;
      Pos pos = token.pos;
      char escape = '\\';
      if (accept("UESCAPE")) escape = string_literal().front();
      return make_literal(LiteralKind::string, undo_unicode(text, escape, pos), pos);
    }
    case TokenKind::string: {
      std::string text = next().text;
      Pos pos = token.pos;
      while (peek().kind == TokenKind::string) {
        text += peek().text;
        pos = pos.to(peek().pos);
        next();
      }
      return make_literal(LiteralKind::string, text, pos);
    }
    default:
      break;
  }
  if (token.kind == TokenKind::symbol && (token.text == "-" || token.text == "+")) return prefix();
  if (token.kind != TokenKind::word) fail_here();
  Pos pos = token.pos;
  const std::string& upper = token.upper;
  if (upper == "NULL") {
    next();
    return make_literal(LiteralKind::null, "NULL", pos);
  }
  if (upper == "TRUE" || upper == "FALSE") {
    next();
    return make_literal(LiteralKind::boolean, upper, pos);
  }
  if (upper == "UNKNOWN") {
    next();
    NodePtr node = make_literal(LiteralKind::null, "UNKNOWN", pos);
    return node;
  }
  if (upper == "INTERVAL") return interval_literal();
  if ((upper == "DATE" || upper == "TIME" || upper == "TIMESTAMP") && peek(1).kind == TokenKind::string) {
    LiteralKind kind = upper == "DATE"   ? LiteralKind::date
                       : upper == "TIME" ? LiteralKind::time
                                         : LiteralKind::timestamp;
    next();
    std::string text = string_literal();
    return make_literal(kind, text, pos.to(previous()));
  }
  fail_here();
}

NodePtr Grammar::interval_literal() {
  Pos pos = peek().pos;
  expect("INTERVAL");
  bool negative = false;
  if (accept_symbol("-")) {
    negative = true;
  } else {
    accept_symbol("+");
  }
  std::string text = string_literal();
  NodePtr node = make_literal(LiteralKind::interval, negative ? "-" + text : text, pos);
  interval_qualifier(*node);
  node->pos = pos.to(previous());
  return node;
}

// DAY(2) TO SECOND(3)
void Grammar::interval_qualifier(Node& interval) {
  interval.from_unit = time_unit();
  interval.to_unit = TimeUnit::none;
  if (accept_symbol("(")) {
    interval.unit_precision = static_cast<int>(integer());
    if (accept_symbol(",")) integer();
    expect_symbol(")");
  }
  if (accept("TO")) {
    interval.to_unit = time_unit();
    if (accept_symbol("(")) {
      integer();
      expect_symbol(")");
    }
  }
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
    if (is_symbol("(", 1) && starts_expression()) return function_call();
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
    NodePtr call = make_call(node->name.last(), node->pos, {});
    call->op_pos = node->pos;
    call->name = node->name;
    call_arguments(*call);
    call_suffixes(*call);
    return call;
  }
  return node;
}

NodePtr Grammar::function_call() {
  const Token& token = next();
  std::string upper = token.upper;
  if (NodePtr special = special_call(upper)) return special;
  if (upper.starts_with("JSON_") && upper != "JSON_STRING" && upper != "JSON_QUOTE" && upper != "JSON_UNQUOTE" &&
      upper != "JSON_LENGTH") {
    if (NodePtr json = json_call(upper)) return json;
  }
  NodePtr call = make_call(upper, token.pos, {});
  call->text = token.text;  // as written
  call->op_pos = token.pos;
  call_arguments(*call);
  call_suffixes(*call);
  return call;
}

NodePtr Grammar::call_argument() {
  Pos pos = peek().pos;
  if ((peek().kind == TokenKind::word || peek().kind == TokenKind::quoted) && is_symbol("=>", 1)) {
    std::string parameter = next().text;
    for (char& c : parameter) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    next();
    NodePtr argument = call_argument();
    NodePtr named = make_call("=>", pos.to(argument->pos), {argument});
    named->text = parameter;
    return named;
  }
  if (accept("TABLE")) {
    NodePtr table = make_call("TABLE", pos, {});
    if (is_symbol("(")) {
      expect_symbol("(");
      table->query = query();
      expect_symbol(")");
    } else {
      table->name = name();
    }
    if (accept_words({"PARTITION", "BY"})) {
      bool parens = accept_symbol("(");
      table->operands.push_back(expression());
      // Without parentheses the list ends where the next argument begins: the names before DESCRIPTOR.
      while (is_symbol(",") && (parens || (is_name(1) && !is_symbol("(", 2) && !is_symbol("=>", 2)))) {
        next();
        table->operands.push_back(expression());
      }
      if (parens) expect_symbol(")");
    }
    if (accept_words({"ORDER", "BY"})) table->within_group = order_items();
    table->pos = pos.to(previous());
    return table;
  }
  if (starts_query() && !is_symbol("(")) return query_expression(query(), pos);
  if (is_symbol("*")) {
    NodePtr star = make_node(NodeKind::star, next().pos);
    return star;
  }
  return expression();
}

void Grammar::call_arguments(Node& call) {
  expect_symbol("(");
  if (accept_symbol(")")) {
    call.pos = call.pos.to(previous());
    return;
  }
  if (is_symbol("*")) {  // COUNT(*)
    call.operands.push_back(make_node(NodeKind::star, next().pos));
    expect_symbol(")");
    call.pos = call.pos.to(previous());
    return;
  }
  if (accept("DISTINCT")) {
    call.distinct = true;
  } else {
    accept("ALL");
  }
  do {
    call.operands.push_back(call_argument());
  } while (accept_symbol(","));
  if (accept_words({"ORDER", "BY"})) call.within_group = order_items();
  expect_symbol(")");
  call.pos = call.pos.to(previous());
}

// FILTER (WHERE …), WITHIN GROUP (ORDER BY …), IGNORE NULLS, OVER …
void Grammar::call_suffixes(Node& call) {
  if (accept_words({"IGNORE", "NULLS"})) {
    call.ignore_nulls = true;
  } else {
    accept_words({"RESPECT", "NULLS"});
  }
  if (is_words({"WITHIN", "GROUP"})) {
    at_ += 2;
    expect_symbol("(");
    expect_words({"ORDER", "BY"});
    call.within_group = order_items();
    expect_symbol(")");
  }
  if (is_word("FILTER") && is_symbol("(", 1)) {
    at_ += 2;
    expect("WHERE");
    call.filter = expression();
    expect_symbol(")");
  }
  if (is_word("OVER")) {
    next();
    if (is_symbol("(")) {
      call.over = std::make_shared<WindowSpec>(window_spec());
    } else {
      call.over = std::make_shared<WindowSpec>();
      call.over->pos = peek().pos;
      call.over->base = simple_name();
    }
  }
  call.pos = call.pos.to(previous());
}

// Functions with keywords among their arguments. The function's name has been read. Nothing: an ordinary call.
NodePtr Grammar::special_call(const std::string& upper) {
  Pos pos = previous();
  auto done = [&](std::string op, std::vector<NodePtr> operands) {
    expect_symbol(")");
    NodePtr call = make_call(std::move(op), pos.to(previous()), std::move(operands));
    call->op_pos = pos;
    return call;
  };
  auto unit = [&]() {
    if (peek().kind != TokenKind::word) fail_here();
    std::string name_of_unit = singular(peek().upper);
    if (std::ranges::find(kExtractUnits, name_of_unit) == std::end(kExtractUnits)) fail_here();
    Pos at = next().pos;
    if (name_of_unit.starts_with("SQL_TSI_")) name_of_unit = name_of_unit.substr(8);
    return symbol(name_of_unit, at);
  };
  if (upper == "EXTRACT") {
    expect_symbol("(");
    NodePtr what = unit();
    expect("FROM");
    NodePtr from = expression();
    return done(upper, {what, from});
  }
  if (upper == "TIMESTAMPADD" || upper == "TIMESTAMPDIFF") {
    expect_symbol("(");
    NodePtr what = unit();
    expect_symbol(",");
    NodePtr first = expression();
    expect_symbol(",");
    NodePtr second = expression();
    return done(upper, {what, first, second});
  }
  if (upper == "FLOOR" || upper == "CEIL" || upper == "CEILING") {
    expect_symbol("(");
    NodePtr value = expression();
    std::vector<NodePtr> operands = {value};
    if (accept("TO")) operands.push_back(unit());
    return done(upper == "CEILING" ? "CEIL" : upper, std::move(operands));
  }
  if (upper == "POSITION") {
    expect_symbol("(");
    std::vector<NodePtr> operands = {expression(Precedence::range + 1)};
    expect("IN");
    operands.push_back(expression());
    if (accept("FROM")) operands.push_back(expression());
    return done(upper, std::move(operands));
  }
  if (upper == "OVERLAY") {
    expect_symbol("(");
    std::vector<NodePtr> operands = {expression()};
    if (accept_symbol(",")) {
      for (NodePtr& item : expression_list()) operands.push_back(std::move(item));
    } else {
      expect("PLACING");
      operands.push_back(expression());
      expect("FROM");
      operands.push_back(expression());
      if (accept("FOR")) operands.push_back(expression());
    }
    return done(upper, std::move(operands));
  }
  if (upper == "SUBSTRING") {
    expect_symbol("(");
    std::vector<NodePtr> operands = {expression()};
    if (!accept("FROM")) expect_symbol(",");
    operands.push_back(expression());
    if (accept("FOR") || accept_symbol(",")) operands.push_back(expression());
    return done(upper, std::move(operands));
  }
  if (upper == "TRIM") {
    expect_symbol("(");
    NodePtr side = symbol("BOTH", pos);
    NodePtr characters = make_literal(LiteralKind::string, " ", pos);
    NodePtr value;
    bool explicit_side = is_word("BOTH") || is_word("LEADING") || is_word("TRAILING");
    if (explicit_side) side = symbol(peek().upper, next().pos);
    if (explicit_side && accept("FROM")) {
      value = expression();
    } else {
      value = expression();
      if (accept("FROM")) {
        characters = value;
        value = expression();
      } else if (explicit_side) {
        fail_here();
      }
    }
    return done(upper, {side, characters, value});
  }
  if (upper == "CONVERT" || upper == "TRANSLATE") {
    expect_symbol("(");
    std::vector<NodePtr> operands = {expression()};
    if (accept("USING")) {
      operands.push_back(symbol(simple_name(), previous()));
      return done(upper + " USING", std::move(operands));
    }
    while (accept_symbol(",")) operands.push_back(expression());
    return done(upper, std::move(operands));
  }
  return nullptr;
}

// JSON functions keep their clauses as symbols behind the arguments, each followed by its operand where it has one:
//   JSON_VALUE(doc, path, …  "NULL ON EMPTY" | "ERROR ON EMPTY" | "DEFAULT ON EMPTY" value | … ON ERROR
// RETURNING is kept in Node::type.
NodePtr Grammar::json_call(const std::string& upper) {
  Pos pos = previous();
  NodePtr call = make_call(upper, pos, {});
  call->op_pos = pos;
  if (upper == "JSON_EXISTS" || upper == "JSON_VALUE" || upper == "JSON_QUERY") {
    expect_symbol("(");
    call->operands.push_back(expression());
    accept_words({"FORMAT", "JSON"});
    expect_symbol(",");
    call->operands.push_back(expression());
    json_behaviors(*call);
  } else if (upper == "JSON_OBJECT" || upper == "JSON_OBJECTAGG") {
    expect_symbol("(");
    if (!is_symbol(")") && !is_word("NULL") && !is_word("ABSENT")) {
      do {
        accept("KEY");
        call->operands.push_back(expression());
        if (!accept("VALUE") && !accept_symbol(":")) expect_symbol(",");
        call->operands.push_back(expression());
        accept_words({"FORMAT", "JSON"});
      } while (accept_symbol(","));
    }
    json_behaviors(*call);
  } else if (upper == "JSON_ARRAY" || upper == "JSON_ARRAYAGG") {
    expect_symbol("(");
    if (!is_symbol(")") && !is_words({"NULL", "ON"}) && !is_word("ABSENT")) {
      do {
        call->operands.push_back(expression());
        accept_words({"FORMAT", "JSON"});
      } while (accept_symbol(","));
    }
    if (accept_words({"ORDER", "BY"})) call->within_group = order_items();
    json_behaviors(*call);
  } else {
    return nullptr;
  }
  expect_symbol(")");
  call->pos = pos.to(previous());
  call_suffixes(*call);
  return call;
}

void Grammar::json_behaviors(Node& call) {
  while (!is_symbol(")")) {
    Pos pos = peek().pos;
    if (accept("RETURNING")) {
      call.type = type();
      call.text = "RETURNING";
      continue;
    }
    if (is_word("WITH") || is_word("WITHOUT")) {
      std::string text = next().upper;
      if (is_word("CONDITIONAL") || is_word("UNCONDITIONAL")) text += " " + next().upper;
      accept("ARRAY");
      expect("WRAPPER");
      if (text == "WITH") text = "WITH UNCONDITIONAL";
      if (text == "WITHOUT ARRAY") text = "WITHOUT";
      call.operands.push_back(symbol(text + " WRAPPER", pos));
      continue;
    }
    std::string text;
    NodePtr value;
    if (accept("EMPTY")) {
      text = "EMPTY ";
      if (!is_word("ARRAY") && !is_word("OBJECT")) fail_here();
      text += next().upper;
    } else if (accept("DEFAULT")) {
      text = "DEFAULT";
      value = expression();
    } else if (is_word("NULL") || is_word("ERROR") || is_word("TRUE") || is_word("FALSE") || is_word("UNKNOWN") ||
               is_word("ABSENT")) {
      text = next().upper;
    } else {
      fail_here();
    }
    expect("ON");
    if (!is_word("EMPTY") && !is_word("ERROR") && !is_word("NULL")) fail_here();
    text += " ON " + next().upper;
    call.operands.push_back(symbol(text, pos));
    if (value != nullptr) call.operands.push_back(value);
  }
}

int Grammar::limited_integer(int least, int most, const std::string& what) {
  const long long value = integer();
  if (value < least || value > most) fail_flink_validation(what + " (both inclusive).");
  return static_cast<int>(value);
}

int Grammar::type_argument(int otherwise, int least, int most, const char* what) {
  if (!accept_symbol("(")) return otherwise;
  int result = limited_integer(least, most, fmt::format("{} must be between {} and {}", what, least, most));
  expect_symbol(")");
  return result;
}

DataType Grammar::type() {
  Nesting nesting(*this);
  DataType result = type_without_suffix();
  while (true) {
    if (accept_words({"NOT", "NULL"})) {
      result = result.not_null();
    } else if (accept("NULL")) {
    } else if (accept("ARRAY")) {
      result = DataType::array(result);
    } else if (accept("MULTISET")) {
      result = DataType::multiset(result);
    } else {
      return result;
    }
  }
}

DataType Grammar::row_type() {
  std::vector<Field> fields;
  bool angled = is_symbol("<");
  if (!angled && !is_symbol("<>")) expect_symbol("(");
  if (accept_symbol("<>")) return DataType::row({});
  if (angled) next();
  const char* close = angled ? ">" : ")";
  if (!is_symbol(close)) {
    do {
      std::string field = simple_name();
      fields.push_back({std::move(field), type()});
      if (peek().kind == TokenKind::string) next();  // a comment
    } while (accept_symbol(","));
  }
  expect_symbol(close);
  return DataType::row(std::move(fields));
}

DataType Grammar::type_without_suffix() {
  if (peek().kind == TokenKind::quoted) {
    Name type_name = name();
    fail_validation("Unknown identifier '" + type_name.text() + "'", type_name.pos);
  }
  if (peek().kind != TokenKind::word) fail_here(true);
  const Token& token = next();
  const std::string& upper = token.upper;
  if (upper == "BOOLEAN") return DataType::boolean();
  if (upper == "TINYINT") return DataType::tinyint();
  if (upper == "SMALLINT") return DataType::smallint();
  if (upper == "INT" || upper == "INTEGER") return DataType::integer();
  if (upper == "BIGINT") return DataType::bigint();
  if (upper == "FLOAT" || upper == "REAL") return DataType::float_();
  if (upper == "DOUBLE") {
    accept("PRECISION");
    return DataType::double_();
  }
  if (upper == "DECIMAL" || upper == "DEC" || upper == "NUMERIC") {
    int precision = 10;
    int scale = 0;
    if (accept_symbol("(")) {
      precision = limited_integer(1, max_decimal_precision, "Decimal precision must be between 1 and 38");
      if (accept_symbol(",")) {
        scale = limited_integer(0, precision,
                                fmt::format("Decimal scale must be between 0 and the precision {}", precision));
      }
      expect_symbol(")");
    }
    return DataType::decimal(precision, scale);
  }
  if (upper == "STRING") return DataType::string();
  if (upper == "BYTES") return DataType::bytes();
  if (upper == "VARCHAR" || ((upper == "CHAR" || upper == "CHARACTER") && accept("VARYING")))
    return DataType::varchar(type_argument(max_length, 1, max_length, "Variable character string length"));
  if (upper == "CHAR" || upper == "CHARACTER")
    return DataType::character(type_argument(1, 1, max_length, "Character string length"));
  if (upper == "VARBINARY" || (upper == "BINARY" && accept("VARYING")))
    return DataType::varbinary(type_argument(max_length, 1, max_length, "Variable binary string length"));
  if (upper == "BINARY") return DataType::binary(type_argument(1, 1, max_length, "Binary string length"));
  if (upper == "DATE") return DataType::date();
  if (upper == "TIME") {
    int precision = type_argument(0, 0, 9, "Time precision");
    accept_words({"WITHOUT", "TIME", "ZONE"});
    return DataType::time(precision);
  }
  if (upper == "TIMESTAMP_LTZ")
    return DataType::timestamp_ltz(type_argument(6, 0, 9, "Timestamp with local time zone precision"));
  if (upper == "TIMESTAMP") {
    int precision = type_argument(6, 0, 9, "Timestamp precision");
    if (accept_words({"WITH", "LOCAL", "TIME", "ZONE"})) return DataType::timestamp_ltz(precision);
    accept_words({"WITHOUT", "TIME", "ZONE"});
    return DataType::timestamp(precision);
  }
  if (upper == "INTERVAL") {
    Node interval;
    interval_qualifier(interval);
    bool months = interval.from_unit == TimeUnit::year || interval.from_unit == TimeUnit::month ||
                  interval.from_unit == TimeUnit::quarter;
    return months ? DataType::interval_months() : DataType::interval_millis();
  }
  if (upper == "ARRAY" || upper == "MULTISET") {
    expect_symbol("<");
    DataType element = type();
    expect_symbol(">");
    return upper == "ARRAY" ? DataType::array(element) : DataType::multiset(element);
  }
  if (upper == "MAP") {
    expect_symbol("<");
    DataType key = type();
    expect_symbol(",");
    DataType value = type();
    expect_symbol(">");
    return DataType::map(key, value);
  }
  if (upper == "ROW") return row_type();
  --at_;
  if (is_reserved(upper)) fail_here(true);
  Name type_name = name();
  fail_validation("Unknown identifier '" + type_name.text() + "'", type_name.pos);
}

}  // namespace millrace::processing::sql
