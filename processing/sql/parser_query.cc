// Queries: SELECT, VALUES, set operations; what groups and windows say.
//   query := [WITH …] body [ORDER BY …] [LIMIT n | OFFSET n | FETCH …]
//   body  := term ((UNION | EXCEPT | INTERSECT) [ALL] term)*
//   term  := SELECT … | VALUES … | TABLE name | '(' query ')'
#include "processing/sql/grammar.h"
#include "processing/sql/nodes.h"

namespace millrace::processing::sql {

QueryPtr Grammar::query() {
  Nesting nesting(*this);
  Pos pos = peek().pos;
  std::vector<CommonTable> with;
  if (accept("WITH")) with = common_tables();
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

std::vector<CommonTable> Grammar::common_tables() {
  std::vector<CommonTable> tables;
  accept("RECURSIVE");
  do {
    CommonTable table;
    table.name = simple_name(&table.pos);
    if (is_symbol("(")) table.columns = names_in_parentheses();
    expect("AS");
    expect_symbol("(");
    table.query = query();
    expect_symbol(")");
    tables.push_back(std::move(table));
  } while (accept_symbol(","));
  return tables;
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
    result->select.items.push_back({make_node(NodeKind::star, previous()), {}, {}});
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
    item.expr = make_node(NodeKind::star, next().pos);
    return item;
  }
  item.expr = expression();
  if (item.expr->kind == NodeKind::star) return item;
  if (accept("AS") || may_be_name()) item.alias = simple_name(&item.alias_pos);
  return item;
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

}  // namespace millrace::processing::sql
