// Function calls: the plain form, its arguments and what may follow it, and those with a syntax of their own.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/grammar.h"
#include "processing/sql/nodes.h"

namespace millrace::processing::sql {
namespace {

constexpr std::string_view kExtractUnits[] = {"YEAR",         "QUARTER",       "MONTH",           "WEEK",
                                              "DAY",          "HOUR",          "MINUTE",          "SECOND",
                                              "DOW",          "DOY",           "ISODOW",          "ISOYEAR",
                                              "EPOCH",        "DECADE",        "CENTURY",         "MILLENNIUM",
                                              "MILLISECOND",  "MICROSECOND",   "NANOSECOND",      "FRAC_SECOND",
                                              "SQL_TSI_DAY",  "SQL_TSI_HOUR",  "SQL_TSI_MINUTE",  "SQL_TSI_SECOND",
                                              "SQL_TSI_WEEK", "SQL_TSI_MONTH", "SQL_TSI_QUARTER", "SQL_TSI_YEAR"};

}  // namespace

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
    std::string parameter = to_upper(next().text);
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
    if (std::ranges::find(kExtractUnits, name_of_unit) == std::end(kExtractUnits)) {
      if (peek().kind != TokenKind::word || is_reserved(peek().upper)) fail_here();
      fail_validation(fmt::format("'{}' is not a valid time frame", peek().text), peek().pos);
    }
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
}  // namespace millrace::processing::sql
