// FROM: tables, joins between them, and what can stand where a table can.
#include "processing/sql/grammar.h"

namespace millrace::processing::sql {

// Tables separated by commas are joined from left to right, more loosely than JOIN.
TableRefPtr Grammar::from_clause() {
  TableRefPtr left = join_chain();
  for (int joins = 0; is_symbol(","); ++joins) {
    if (joins > kDeepest) fail_too_deep();
    Pos comma = next().pos;
    auto join = std::make_shared<TableRef>();
    join->kind = TableRef::Kind::join;
    join->join = JoinKind::comma;
    join->left = left;
    join->right = join_chain();
    join->join_pos = comma;
    join->pos = left->pos.to(join->right->pos);
    left = join;
  }
  return left;
}

TableRefPtr Grammar::join_chain() {
  TableRefPtr left = table_primary();
  for (int joins = 0;; ++joins) {
    if (joins > kDeepest) fail_too_deep();
    Pos join_pos = peek().pos;
    bool natural = accept("NATURAL");
    std::optional<JoinKind> kind = join_kind();
    if (!kind) {
      if (natural) fail_here();
      return left;
    }
    auto join = std::make_shared<TableRef>();
    join->kind = TableRef::Kind::join;
    join->join = *kind;
    join->natural = natural;
    join->left = left;
    join->right = table_primary();
    join->join_pos = join_pos;
    if (accept("ON")) {
      join->condition = expression();
    } else if (accept("USING")) {
      join->using_columns = names_in_parentheses();
    }
    join->pos = left->pos.to(previous());
    left = join;
  }
}

std::optional<JoinKind> Grammar::join_kind() {
  if (accept_words({"CROSS", "JOIN"})) return JoinKind::cross;
  if (accept("JOIN") || accept_words({"INNER", "JOIN"})) return JoinKind::inner;
  if (!is_one_of({"LEFT", "RIGHT", "FULL"})) return std::nullopt;
  const std::string side = next().upper;
  accept("OUTER");
  expect("JOIN");
  return side == "LEFT" ? JoinKind::left : side == "RIGHT" ? JoinKind::right : JoinKind::full;
}

TableRefPtr Grammar::table_primary() {
  Nesting nesting(*this);
  auto table = std::make_shared<TableRef>();
  table->pos = peek().pos;
  bool lateral = accept("LATERAL");
  if (is_symbol("(") && starts_query()) {
    table->kind = TableRef::Kind::query;
    table->lateral = lateral;
    expect_symbol("(");
    table->query = query();
    expect_symbol(")");
  } else if (accept_symbol("(")) {
    table = from_clause();
    expect_symbol(")");
  } else if (accept("UNNEST")) {
    table->kind = TableRef::Kind::unnest;
    expect_symbol("(");
    table->array = expression();
    expect_symbol(")");
    if (accept("WITH")) {
      expect("ORDINALITY");
      table->with_ordinality = true;
    }
  } else if (accept("TABLE")) {
    table->kind = TableRef::Kind::function;
    table->lateral = lateral;
    expect_symbol("(");
    table->function = table_function();
    expect_symbol(")");
  } else if (is_word("VALUES")) {
    fail_here();
  } else if (is_name() && is_symbol("(", 1)) {  // a function without TABLE(…)
    table->kind = TableRef::Kind::function;
    table->function = table_function();
  } else {
    table->name = name();
    table->pos = table->name.pos;
    if (peek().kind == TokenKind::hint) table->hints = option_hints();
    if (accept_words({"FOR", "SYSTEM_TIME"})) {
      expect_words({"AS", "OF"});
      table->as_of = expression(7);
    }
  }
  if (table->kind != TableRef::Kind::join) table->pos = table->pos.to(previous());
  table_suffixes(table);
  return table;
}

NodePtr Grammar::table_function() {
  if (!is_name() && !(peek().kind == TokenKind::word && is_symbol("(", 1))) fail_here(true);
  return function_call();
}

// An alias may also stand between the table and MATCH_RECOGNIZE.
void Grammar::table_suffixes(TableRefPtr& table) {
  if (is_word("MATCH_RECOGNIZE")) match_suffix(table);
  table_alias(*table);
  if (is_word("MATCH_RECOGNIZE") && table->kind != TableRef::Kind::match) {
    match_suffix(table);
    table_alias(*table);
  }
}

void Grammar::match_suffix(TableRefPtr& table) {
  auto match = std::make_shared<TableRef>();
  match->kind = TableRef::Kind::match;
  match->left = table;
  match->match = match_recognize();
  match->pos = table->pos.to(previous());
  table = match;
}

void Grammar::table_alias(TableRef& table) {
  bool named = accept("AS");
  if (!named && !may_be_name()) return;
  table.alias = simple_name(&table.alias_pos);
  if (is_symbol("(")) {
    std::vector<Pos> positions;
    table.alias_columns = names_in_parentheses(&positions);
    table.alias_columns_pos = positions.front().to(positions.back());
  }
}

}  // namespace millrace::processing::sql
