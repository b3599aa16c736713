// Queries: SELECT, VALUES, set operations, FROM with all its kinds of tables, MATCH_RECOGNIZE.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/grammar.h"

namespace millrace::processing::sql {

QueryPtr Grammar::query() {
  Nesting nesting(*this);
  Pos pos = peek().pos;
  std::vector<CommonTable> with;
  if (accept("WITH")) {
    accept("RECURSIVE");
    do {
      CommonTable table;
      table.name = simple_name(&table.pos);
      if (accept_symbol("(")) {
        table.columns = name_list();
        expect_symbol(")");
      }
      expect("AS");
      expect_symbol("(");
      table.query = query();
      expect_symbol(")");
      with.push_back(std::move(table));
    } while (accept_symbol(","));
  }
  QueryPtr result = query_body(0);
  bool ordered = is_word("ORDER") || is_word("LIMIT") || is_word("OFFSET") || is_word("FETCH");
  if (!with.empty() || (ordered && (!result->order_by.empty() || result->fetch || result->offset))) {
    // Keep what was in parentheses as it is, and put the rest around it.
    result = std::make_shared<Query>(*result);
  }
  result->with = std::move(with);
  if (accept("ORDER")) {
    expect("BY");
    result->order_by = order_items();
  }
  if (accept("LIMIT")) {
    if (!accept("ALL")) result->fetch = fetch_count();
  }
  if (accept("OFFSET")) {
    result->offset = fetch_count();
    if (!accept("ROWS")) accept("ROW");
  }
  if (accept("FETCH")) {
    if (!accept("FIRST")) expect("NEXT");
    result->fetch = fetch_count();
    if (!accept("ROWS")) expect("ROW");
    expect("ONLY");
  }
  result->pos = pos.to(previous());
  return result;
}

NodePtr Grammar::fetch_count() {
  if (peek().kind != TokenKind::number) fail_here();
  return literal();
}

// UNION and EXCEPT bind alike, INTERSECT binds tighter.
QueryPtr Grammar::query_body(int min_precedence) {
  QueryPtr left = query_term();
  for (int terms = 0;; ++terms) {
    if (terms > kDeepest) fail_too_deep();
    Query::Kind kind = Query::Kind::select;
    int precedence = 0;
    if (is_word("UNION")) {
      kind = Query::Kind::union_;
    } else if (is_word("EXCEPT")) {
      kind = Query::Kind::except;
    } else if (is_word("INTERSECT")) {
      kind = Query::Kind::intersect;
      precedence = 1;
    } else {
      return left;
    }
    if (precedence < min_precedence) return left;
    next();
    auto combined = std::make_shared<Query>();
    combined->kind = kind;
    combined->all = accept("ALL");
    if (!combined->all) accept("DISTINCT");
    combined->left = left;
    combined->right = query_body(precedence + 1);
    combined->pos = left->pos.to(combined->right->pos);
    left = combined;
  }
}

QueryPtr Grammar::query_term() {
  if (is_symbol("(")) {
    Pos pos = peek().pos;
    next();
    QueryPtr inner = query();
    expect_symbol(")");
    inner->pos = pos.to(previous());
    return inner;
  }
  if (is_word("SELECT")) return select();
  if (is_word("VALUES") || is_word("VALUE")) return values();
  if (accept("TABLE")) {  // TABLE t
    auto result = std::make_shared<Query>();
    result->pos = previous();
    auto star = std::make_shared<Node>();
    star->kind = NodeKind::star;
    star->pos = previous();
    result->select.items.push_back({star, {}, {}});
    auto table = std::make_shared<TableRef>();
    table->name = name();
    table->pos = table->name.pos;
    result->select.from = table;
    return result;
  }
  if (!starts_expression()) fail_here();
  NodePtr stray = expression();
  throw SqlError(SqlError::Stage::parse, "org.apache.calcite.runtime.CalciteException",
                 "Non-query expression encountered in illegal context", stray->pos);
}

QueryPtr Grammar::values() {
  auto result = std::make_shared<Query>();
  result->kind = Query::Kind::values;
  result->pos = next().pos;
  do {
    NodePtr row = expression();
    result->rows.push_back(row->is_call("ROW") ? row->operands : std::vector<NodePtr>{row});
  } while (accept_symbol(","));
  result->pos = result->pos.to(previous());
  return result;
}

QueryPtr Grammar::select() {
  auto result = std::make_shared<Query>();
  Select& select = result->select;
  Pos pos = peek().pos;
  expect("SELECT");
  if (peek().kind == TokenKind::hint) option_hints();
  accept("STREAM");
  if (accept("DISTINCT")) {
    select.distinct = true;
  } else {
    accept("ALL");
  }
  do {
    select.items.push_back(select_item());
  } while (accept_symbol(","));
  if (accept("FROM")) {
    select.from = from_clause();
    if (accept("WHERE")) select.where = expression();
    if (accept("GROUP")) {
      expect("BY");
      select.grouped = true;
      select.group_by = group_items();
    }
    if (accept("HAVING")) select.having = expression();
    if (accept("WINDOW")) {
      do {
        std::string window = simple_name();
        expect("AS");
        select.windows.emplace_back(std::move(window), window_spec());
      } while (accept_symbol(","));
    }
    if (accept("QUALIFY")) select.qualify = expression();
  }
  select.pos = pos.to(previous());
  result->pos = select.pos;
  return result;
}

SelectItem Grammar::select_item() {
  SelectItem item;
  if (is_symbol("*")) {
    item.expr = std::make_shared<Node>();
    item.expr->kind = NodeKind::star;
    item.expr->pos = next().pos;
    return item;
  }
  item.expr = expression();
  if (item.expr->kind == NodeKind::star) return item;
  if (accept("AS")) {
    item.alias = simple_name(&item.alias_pos);
  } else if (may_be_name()) {
    item.alias = simple_name(&item.alias_pos);
  }
  return item;
}

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
    size_t begin = at_;
    Pos join_pos = peek().pos;
    bool natural = accept("NATURAL");
    JoinKind kind = JoinKind::inner;
    bool is_join = true;
    if (accept_words({"CROSS", "JOIN"})) {
      kind = JoinKind::cross;
    } else if (accept("JOIN") || accept_words({"INNER", "JOIN"})) {
      kind = JoinKind::inner;
    } else if (is_word("LEFT") || is_word("RIGHT") || is_word("FULL")) {
      std::string side = next().upper;
      kind = side == "LEFT" ? JoinKind::left : side == "RIGHT" ? JoinKind::right : JoinKind::full;
      accept("OUTER");
      expect("JOIN");
    } else {
      is_join = false;
    }
    if (!is_join) {
      if (natural) fail_here();
      at_ = begin;
      return left;
    }
    auto join = std::make_shared<TableRef>();
    join->kind = TableRef::Kind::join;
    join->join = kind;
    join->natural = natural;
    join->left = left;
    join->right = table_primary();
    join->join_pos = join_pos;
    if (accept("ON")) {
      join->condition = expression();
    } else if (accept("USING")) {
      expect_symbol("(");
      join->using_columns = name_list();
      expect_symbol(")");
    }
    join->pos = left->pos.to(previous());
    left = join;
  }
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

void Grammar::table_alias(TableRef& table) {
  bool named = accept("AS");
  if (!named && !may_be_name()) return;
  table.alias = simple_name(&table.alias_pos);
  if (accept_symbol("(")) {
    std::vector<Pos> positions;
    table.alias_columns = name_list(&positions);
    table.alias_columns_pos = positions.front().to(positions.back());
    expect_symbol(")");
  }
}

void Grammar::table_suffixes(TableRefPtr& table) {
  if (is_word("MATCH_RECOGNIZE")) {
    auto match = std::make_shared<TableRef>();
    match->kind = TableRef::Kind::match;
    match->left = table;
    match->match = match_recognize();
    match->pos = table->pos.to(previous());
    table = match;
  }
  table_alias(*table);
  // An alias may stand between the table and MATCH_RECOGNIZE.
  if (is_word("MATCH_RECOGNIZE") && table->kind != TableRef::Kind::match) {
    auto match = std::make_shared<TableRef>();
    match->kind = TableRef::Kind::match;
    match->left = table;
    match->match = match_recognize();
    match->pos = table->pos.to(previous());
    table = match;
    table_alias(*table);
  }
}

std::vector<GroupItem> Grammar::group_items() {
  std::vector<GroupItem> items;
  accept("DISTINCT");
  do {
    items.push_back(group_item());
  } while (accept_symbol(","));
  return items;
}

GroupItem Grammar::group_item() {
  GroupItem item;
  item.pos = peek().pos;
  auto expressions_of = [&]() -> std::vector<NodePtr> {
    if (is_symbol("(") && is_symbol(")", 1)) {
      at_ += 2;
      return {};
    }
    NodePtr node = expression();
    return node->is_call("ROW") ? node->operands : std::vector<NodePtr>{node};
  };
  if (accept_words({"GROUPING", "SETS"})) {
    item.kind = GroupItem::Kind::grouping_sets;
    expect_symbol("(");
    do {
      if (is_word("ROLLUP") || is_word("CUBE") || is_words({"GROUPING", "SETS"})) {
        item.nested.push_back(group_item());
      } else {
        item.sets.push_back(expressions_of());
      }
    } while (accept_symbol(","));
    expect_symbol(")");
  } else if (is_word("ROLLUP") || is_word("CUBE")) {
    item.kind = next().upper == "CUBE" ? GroupItem::Kind::cube : GroupItem::Kind::rollup;
    expect_symbol("(");
    do {
      item.sets.push_back(expressions_of());
    } while (accept_symbol(","));
    expect_symbol(")");
  } else if (is_symbol("(") && is_symbol(")", 1)) {
    at_ += 2;
    item.kind = GroupItem::Kind::empty;
  } else {
    item.expr = expression();
  }
  item.pos = item.pos.to(previous());
  return item;
}

WindowSpec Grammar::window_spec() {
  WindowSpec spec;
  spec.pos = peek().pos;
  expect_symbol("(");
  if (is_name() && !is_word("PARTITION")) spec.base = simple_name();
  if (accept_words({"PARTITION", "BY"})) spec.partition_by = expression_list();
  if (accept_words({"ORDER", "BY"})) spec.order_by = order_items();
  if (is_word("ROWS") || is_word("RANGE")) spec.frame = window_frame();
  expect_symbol(")");
  spec.pos = spec.pos.to(previous());
  return spec;
}

WindowFrame Grammar::window_frame() {
  WindowFrame frame;
  frame.rows = next().upper == "ROWS";
  if (accept("BETWEEN")) {
    frame_bound(frame.lower, frame.lower_offset, false);
    expect("AND");
    frame_bound(frame.upper, frame.upper_offset, true);
  } else {
    frame_bound(frame.lower, frame.lower_offset, false);
  }
  return frame;
}

void Grammar::frame_bound(WindowFrame::Bound& bound, NodePtr& offset, bool upper) {
  using Bound = WindowFrame::Bound;
  if (accept_words({"CURRENT", "ROW"})) {
    bound = Bound::current_row;
  } else if (accept("UNBOUNDED")) {
    bound = upper ? Bound::unbounded_following : Bound::unbounded_preceding;
    if (accept("PRECEDING")) {
      bound = Bound::unbounded_preceding;
    } else {
      expect("FOLLOWING");
      bound = Bound::unbounded_following;
    }
  } else {
    offset = expression();
    if (accept("PRECEDING")) {
      bound = Bound::preceding;
    } else {
      expect("FOLLOWING");
      bound = Bound::following;
    }
  }
}

std::shared_ptr<MatchRecognize> Grammar::match_recognize() {
  using Skip = MatchRecognize::Skip;
  auto match = std::make_shared<MatchRecognize>();
  expect("MATCH_RECOGNIZE");
  expect_symbol("(");
  if (accept_words({"PARTITION", "BY"})) match->partition_by = expression_list();
  if (accept_words({"ORDER", "BY"})) match->order_by = order_items();
  if (accept("MEASURES")) {
    do {
      SelectItem measure;
      if (is_word("FINAL") || is_word("RUNNING")) {
        if (!is_symbol("(", 1) && !is_symbol(".", 1)) next();
      }
      measure.expr = expression();
      expect("AS");
      measure.alias = simple_name(&measure.alias_pos);
      match->measures.push_back(std::move(measure));
    } while (accept_symbol(","));
  }
  if (accept("ONE")) {
    expect_words({"ROW", "PER", "MATCH"});
  } else if (accept("ALL")) {
    expect_words({"ROWS", "PER", "MATCH"});
    match->all_rows = true;
  }
  if (accept("AFTER")) {
    expect_words({"MATCH", "SKIP"});
    if (accept("PAST")) {
      expect_words({"LAST", "ROW"});
    } else {
      expect("TO");
      if (accept_words({"NEXT", "ROW"})) {
        match->skip = Skip::to_next_row;
      } else if (accept("FIRST")) {
        match->skip = Skip::to_first;
        match->skip_variable = simple_name();
      } else {
        accept("LAST");
        match->skip = Skip::to_last;
        match->skip_variable = simple_name();
      }
    }
  }
  expect("PATTERN");
  expect_symbol("(");
  match->strict_start = accept_symbol("^");
  match->pattern = pattern();
  match->strict_end = accept_symbol("$");
  expect_symbol(")");
  if (accept("WITHIN")) match->within = expression();
  if (accept("SUBSET")) {
    do {
      simple_name();
      expect_symbol("=");
      expect_symbol("(");
      name_list();
      expect_symbol(")");
    } while (accept_symbol(","));
  }
  expect("DEFINE");
  do {
    std::string variable = simple_name();
    expect("AS");
    match->define.emplace_back(std::move(variable), expression());
  } while (accept_symbol(","));
  expect_symbol(")");
  return match;
}

PatternPtr Grammar::pattern() {
  Nesting nesting(*this);
  PatternPtr first = pattern_sequence();
  if (!is_symbol("|")) return first;
  auto alternation = std::make_shared<PatternTerm>();
  alternation->kind = PatternTerm::Kind::alternation;
  alternation->terms.push_back(first);
  while (accept_symbol("|")) alternation->terms.push_back(pattern_sequence());
  return alternation;
}

PatternPtr Grammar::pattern_sequence() {
  auto sequence = std::make_shared<PatternTerm>();
  sequence->kind = PatternTerm::Kind::sequence;
  while (is_name() || is_symbol("(") || is_symbol("{") || is_word("PERMUTE"))
    sequence->terms.push_back(pattern_factor());
  if (sequence->terms.empty()) fail_here(true);
  return sequence->terms.size() == 1 ? sequence->terms.front() : sequence;
}

PatternPtr Grammar::pattern_factor() {
  auto term = std::make_shared<PatternTerm>();
  if (accept_symbol("(")) {
    term = pattern();
    expect_symbol(")");
  } else if (accept_symbol("{")) {
    expect_symbol("-");
    term->kind = PatternTerm::Kind::exclude;
    term->terms.push_back(pattern());
    expect_symbol("-");
    expect_symbol("}");
  } else if (accept("PERMUTE")) {
    term->kind = PatternTerm::Kind::permute;
    expect_symbol("(");
    do {
      term->terms.push_back(pattern());
    } while (accept_symbol(","));
    expect_symbol(")");
  } else {
    term->variable = simple_name();
  }
  int min = 1;
  int max = 1;
  if (accept_symbol("*")) {
    min = 0;
    max = -1;
  } else if (accept_symbol("+")) {
    max = -1;
  } else if (accept_symbol("?")) {
    min = 0;
  } else if (is_symbol("{") && !is_symbol("-", 1)) {
    next();
    if (accept_symbol(",")) {
      min = 0;
      max = static_cast<int>(integer());
    } else {
      min = max = static_cast<int>(integer());
      if (accept_symbol(",")) max = is_symbol("}") ? -1 : static_cast<int>(integer());
    }
    expect_symbol("}");
  } else {
    return term;
  }
  auto quantified = std::make_shared<PatternTerm>();
  quantified->kind = PatternTerm::Kind::quantified;
  quantified->terms.push_back(term);
  quantified->min = min;
  quantified->max = max;
  quantified->reluctant = accept_symbol("?");
  return quantified;
}

}  // namespace millrace::processing::sql
