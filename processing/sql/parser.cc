// Statements: which one it is; INSERT, EXPLAIN, SHOW and other short ones. Definitions are in parser_definitions.cc.
#include "processing/sql/parser.h"

#include "processing/sql/grammar.h"

namespace millrace::processing::sql {
namespace {}  // namespace

Statement parse_statement(std::string_view text) { return Grammar(text).statement(); }

Statement Grammar::statement() {
  Statement result = any_statement();
  if (!at_end()) fail_here();
  return result;
}

Statement Grammar::any_statement() {
  if (is_word("CREATE")) return create();
  if (is_word("DROP")) return drop();
  if (is_word("ALTER")) return alter();
  if (is_word("INSERT")) return insert();
  if (is_word("EXPLAIN")) return explain();
  if (is_word("SHOW")) return show();
  if (is_word("DESCRIBE") || is_word("DESC")) return describe();
  if (accept_words({"BEGIN", "STATEMENT", "SET"})) return BeginStatementSet{};
  if (accept("END")) return EndStatementSet{};
  if (is_words({"EXECUTE", "STATEMENT"}) || is_words({"STATEMENT", "SET"})) return statement_set();
  if (accept("EXECUTE")) {  // EXECUTE SELECT …, EXECUTE INSERT …
    if (is_word("INSERT")) return insert();
    return query();
  }
  if (accept("USE")) return use();
  if (accept("SET")) return set_option();
  if (accept("RESET")) return reset_option();
  if (accept_words({"STOP", "JOB"})) return stop_job();
  if (is_word("UPDATE") || is_word("DELETE")) return refused_dml();
  if (accept("LOAD") || accept("UNLOAD")) return module();
  if (accept("ADD") || accept("REMOVE")) return jar();
  if (accept_words({"ANALYZE", "TABLE"})) return analyze();
  return query();
}

Use Grammar::use() {
  Use use;
  use.catalog = accept("CATALOG");
  use.name = name();
  return use;
}

SetOption Grammar::set_option() {
  SetOption set;
  if (peek().kind == TokenKind::string) {
    set.key = string_literal();
    expect_symbol("=");
    set.value = string_literal();
  }
  return set;
}

ResetOption Grammar::reset_option() {
  ResetOption reset;
  if (peek().kind == TokenKind::string) reset.key = string_literal();
  return reset;
}

StopJob Grammar::stop_job() {
  StopJob stop;
  stop.id = string_literal();
  while (accept("WITH")) {
    if (accept("SAVEPOINT")) {
      stop.savepoint = true;
    } else {
      expect("DRAIN");
      stop.drain = true;
    }
  }
  return stop;
}

RefusedDml Grammar::refused_dml() {
  RefusedDml refused{next().upper};
  if (refused.what == "DELETE") expect("FROM");
  name();
  if (refused.what == "UPDATE") {
    expect("SET");
    do {
      simple_name();
      expect_symbol("=");
      expression();
    } while (accept_symbol(","));
  }
  if (accept("WHERE")) expression();
  return refused;
}

OtherStatement Grammar::module() {
  expect("MODULE");
  simple_name();
  if (accept("WITH")) property_list();
  return {"MODULE"};
}

OtherStatement Grammar::jar() {
  expect("JAR");
  string_literal();
  return {"JAR"};
}

OtherStatement Grammar::analyze() {
  name();
  while (!at_end()) next();
  return {"ANALYZE TABLE"};
}

std::shared_ptr<Insert> Grammar::insert() {
  auto result = std::make_shared<Insert>();
  result->pos = peek().pos;
  expect("INSERT");
  result->overwrite = accept("OVERWRITE");
  if (!result->overwrite) expect("INTO");
  accept("TABLE");
  result->table = name();
  if (peek().kind == TokenKind::hint) result->hints = option_hints();
  if (accept("PARTITION")) {
    expect_symbol("(");
    do {
      std::string column = simple_name();
      expect_symbol("=");
      result->partition.emplace_back(std::move(column), literal());
    } while (accept_symbol(","));
    expect_symbol(")");
  }
  if (is_symbol("(") && !starts_query(1)) {
    result->columns = names_in_parentheses(&result->column_positions);
  }
  result->query = query();
  if (accept_words({"ON", "CONFLICT"})) {
    expect("DO");
    result->conflict = expect_one_of({"ERROR", "NOTHING", "DEDUPLICATE"});
  }
  return result;
}

std::shared_ptr<StatementSet> Grammar::statement_set() {
  auto result = std::make_shared<StatementSet>();
  accept("EXECUTE");
  expect_words({"STATEMENT", "SET"});
  expect("BEGIN");
  while (!accept("END")) {
    result->inserts.push_back(insert());
    expect_symbol(";");
  }
  return result;
}

Statement Grammar::explain() {
  expect("EXPLAIN");
  Explain explain;
  if (!accept_words({"PLAN", "FOR"})) {
    while (is_one_of({"ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"})) {
      explain.details.push_back(next().upper);
      if (!accept_symbol(",")) break;
    }
  }
  if (is_word("INSERT")) {
    explain.target = insert();
  } else if (is_words({"STATEMENT", "SET"}) || is_words({"EXECUTE", "STATEMENT"})) {
    explain.target = statement_set();
  } else {
    explain.target = query();
  }
  return explain;
}

Statement Grammar::show() {
  expect("SHOW");
  Show show;
  accept("USER");
  if (accept("CREATE")) {
    show.what = "CREATE " + expect_one_of({"TABLE", "VIEW", "CATALOG"});
    show.name = name();
    return show;
  }
  if (accept("CURRENT")) {
    show.what = "CURRENT " + expect_one_of({"CATALOG", "DATABASE"});
    return show;
  }
  accept("FULL");
  show.what = expect_one_of(
      {"TABLES", "VIEWS", "DATABASES", "CATALOGS", "JOBS", "COLUMNS", "MODULES", "FUNCTIONS", "JARS", "PARTITIONS"});
  if (show.what == "PARTITIONS") {
    show.name = name();
    return show;
  }
  if (show.what == "COLUMNS" && !is_word("FROM") && !is_word("IN")) fail_here();
  if (accept("FROM") || accept("IN")) show.name = name();
  if (is_word("LIKE") || is_word("ILIKE") || is_word("NOT")) {
    show.not_like = accept("NOT");
    if (!accept("LIKE")) expect("ILIKE");
    show.has_like = true;
    show.like = string_literal();
  }
  return show;
}

Statement Grammar::describe() {
  next();
  Describe describe;
  describe.what = "TABLE";
  if (is_word("JOB") && peek(1).kind == TokenKind::string) {
    next();
    describe.what = "JOB";
    describe.id = string_literal();
    return describe;
  }
  if (is_word("CATALOG") || is_word("DATABASE") || is_word("FUNCTION")) describe.what = next().upper;
  accept("TABLE");
  accept("EXTENDED");
  describe.name = name();
  return describe;
}

}  // namespace millrace::processing::sql
