// Statements, and the ground the other rules stand on: tokens, names, mistakes.
#include "processing/sql/parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/grammar.h"

namespace millrace::processing::sql {
namespace {

std::string escaped(std::string_view image) {
  std::string result;
  for (char c : image) {
    if (c == '\'' || c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

Statement parse_statement(std::string_view text) { return Grammar(text).statement(); }

std::string Name::text() const {
  std::string result;
  for (const std::string& part : parts) {
    if (!result.empty()) result += '.';
    result += part;
  }
  return result;
}

bool Grammar::is_word(std::string_view upper, size_t ahead) const {
  return peek(ahead).kind == TokenKind::word && peek(ahead).upper == upper;
}

bool Grammar::is_words(std::initializer_list<std::string_view> upper) const {
  size_t ahead = 0;
  return std::ranges::all_of(upper, [&](std::string_view word) { return is_word(word, ahead++); });
}

bool Grammar::is_symbol(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == TokenKind::symbol && peek(ahead).text == text;
}

bool Grammar::accept(std::string_view upper) {
  if (!is_word(upper)) return false;
  next();
  return true;
}

bool Grammar::accept_words(std::initializer_list<std::string_view> upper) {
  if (!is_words(upper)) return false;
  at_ += upper.size();
  return true;
}

bool Grammar::accept_symbol(std::string_view text) {
  if (!is_symbol(text)) return false;
  next();
  return true;
}

void Grammar::expect(std::string_view upper) {
  if (!accept(upper)) fail_here();
}

void Grammar::expect_words(std::initializer_list<std::string_view> upper) {
  for (std::string_view word : upper) expect(word);
}

void Grammar::expect_symbol(std::string_view text) {
  if (!accept_symbol(text)) fail_here();
}

void Grammar::fail_too_deep() { fail_parse("The statement is nested too deeply.", peek().pos); }

void Grammar::fail_here(bool name_allowed) { fail_at(at_, 1, name_allowed || name_probed_at_ == at_); }

void Grammar::fail_at(size_t index, size_t count, bool name_allowed) {
  const Token& first = tokens_[std::min(index, tokens_.size() - 1)];
  Pos pos{first.pos.line, first.pos.column, first.pos.line, first.pos.column};
  if (first.kind == TokenKind::bad && first.image != "'" && first.image != "`" && first.image != "\"") {
    throw SqlError(SqlError::Stage::parse, "org.apache.flink.sql.parser.impl.TokenMgrError",
                   fmt::format("Lexical error at line {}, column {}.  Encountered: \"{}\" ({}), after : \"\"", pos.line,
                               pos.column, first.image, static_cast<int>(static_cast<unsigned char>(first.image[0]))),
                   pos);
  }
  if (name_allowed && first.kind == TokenKind::word && is_keyword(first.upper)) {
    fail_parse(fmt::format("Incorrect syntax near the keyword '{}' at line {}, column {}.", first.image, first.pos.line,
                           first.pos.column),
               pos);
  }
  std::string found;
  for (size_t i = index; i < index + count && i < tokens_.size(); ++i) {
    if (!found.empty()) found += ' ';
    found += tokens_[i].kind == TokenKind::end ? "<EOF>" : escaped(tokens_[i].image);
  }
  fail_parse(fmt::format("Encountered \"{}\" at line {}, column {}.", found, first.pos.line, first.pos.column), pos);
}

bool Grammar::is_name(size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == TokenKind::quoted || (token.kind == TokenKind::word && !is_reserved(token.upper));
}

bool Grammar::may_be_name() {
  if (is_name()) return true;
  name_probed_at_ = at_;
  return false;
}

std::string Grammar::simple_name(Pos* pos) {
  if (!is_name()) fail_here(true);
  const Token& token = next();
  if (pos != nullptr) *pos = token.pos;
  return token.text;
}

Name Grammar::name() {
  Name result;
  do {
    Pos pos;
    result.parts.push_back(simple_name(&pos));
    result.positions.push_back(pos);
  } while (is_symbol(".") && !is_symbol("*", 1) && accept_symbol("."));
  result.pos = result.positions.front().to(result.positions.back());
  return result;
}

std::vector<std::string> Grammar::name_list(std::vector<Pos>* positions) {
  std::vector<std::string> names;
  do {
    Pos pos;
    names.push_back(simple_name(&pos));
    if (positions != nullptr) positions->push_back(pos);
  } while (accept_symbol(","));
  return names;
}

std::string Grammar::string_literal() {
  if (peek().kind != TokenKind::string) fail_here();
  return next().text;
}

long long Grammar::integer() {
  bool digits = peek().kind == TokenKind::number && peek().text.find('.') == std::string::npos;
  if (!digits || peek().text.size() > 18) fail_here();
  return std::stoll(next().text);
}

Options Grammar::property_list() {
  Options options;
  expect_symbol("(");
  if (accept_symbol(")")) return options;
  do {
    std::string key = string_literal();
    expect_symbol("=");
    options.emplace_back(std::move(key), string_literal());
  } while (accept_symbol(","));
  expect_symbol(")");
  return options;
}

// The hint's opening has been seen: OPTIONS('key'='value', …) */ . Other hints are read over.
Options Grammar::option_hints() {
  Options options;
  while (peek().kind == TokenKind::hint) {
    next();
    while (!(is_symbol("*") && is_symbol("/", 1))) {
      if (at_end()) fail_here();
      if (is_word("OPTIONS") && is_symbol("(", 1)) {
        next();
        for (auto& option : property_list()) options.push_back(std::move(option));
      } else {
        next();
      }
    }
    at_ += 2;
  }
  return options;
}

std::string Grammar::text_since(size_t token_index) const {
  size_t begin = tokens_[token_index].offset;
  const Token& last = tokens_[at_ > 0 ? at_ - 1 : 0];
  return std::string(text_.substr(begin, last.offset + last.image.size() - begin));
}

bool Grammar::if_exists() { return accept_words({"IF", "EXISTS"}); }
bool Grammar::if_not_exists() { return accept_words({"IF", "NOT", "EXISTS"}); }

Statement Grammar::statement() {
  Statement result = [&]() -> Statement {
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
    if (accept("USE")) {
      Use use;
      use.catalog = accept("CATALOG");
      use.name = name();
      return use;
    }
    if (accept("SET")) {
      SetOption set;
      if (peek().kind == TokenKind::string) {
        set.key = string_literal();
        expect_symbol("=");
        set.value = string_literal();
      }
      return set;
    }
    if (accept("RESET")) {
      ResetOption reset;
      if (peek().kind == TokenKind::string) reset.key = string_literal();
      return reset;
    }
    if (accept_words({"STOP", "JOB"})) {
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
    if (is_word("UPDATE") || is_word("DELETE")) {
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
    if (accept("LOAD") || accept("UNLOAD")) {
      expect("MODULE");
      simple_name();
      if (accept("WITH")) property_list();
      return OtherStatement{"MODULE"};
    }
    if (accept("ADD") || accept("REMOVE")) {
      expect("JAR");
      string_literal();
      return OtherStatement{"JAR"};
    }
    if (accept_words({"ANALYZE", "TABLE"})) {
      name();
      while (!at_end()) next();
      return OtherStatement{"ANALYZE TABLE"};
    }
    return query();
  }();
  if (!at_end()) fail_here();
  return result;
}

Statement Grammar::create() {
  expect("CREATE");
  bool or_replace = accept_words({"OR", "REPLACE"});
  bool temporary = accept("TEMPORARY");
  accept("SYSTEM");
  if (accept("TABLE")) return create_table(temporary, or_replace);
  if (accept("VIEW")) return create_view(temporary);
  if (is_word("CATALOG") || is_word("DATABASE") || is_word("FUNCTION")) return create_other(temporary);
  fail_here();
}

CreateTable Grammar::create_table(bool temporary, bool or_replace) {
  CreateTable result;
  result.temporary = temporary;
  result.or_replace = or_replace;
  result.if_not_exists = if_not_exists();
  result.name = name();
  if (is_symbol("(")) table_elements(result.table);
  if (accept("COMMENT")) result.table.comment = string_literal();
  if (accept_words({"DISTRIBUTED", "INTO"}) || accept_words({"DISTRIBUTED", "BY"})) {
    while (!at_end() && !is_word("WITH") && !is_word("AS") && !is_word("LIKE") && !is_word("PARTITIONED")) next();
  }
  if (accept_words({"PARTITIONED", "BY"})) {
    expect_symbol("(");
    result.table.partitioned_by = name_list();
    expect_symbol(")");
  }
  if (accept("WITH")) result.table.options = property_list();
  if (accept("LIKE")) {
    result.like = name();
    if (is_symbol("(")) result.like_options = like_options();
  } else if (accept("AS")) {
    result.as_query = query();
  }
  return result;
}

void Grammar::table_elements(TableDef& table) {
  expect_symbol("(");
  if (accept_symbol(")")) return;
  do {
    if (is_word("WATERMARK")) {
      if (!table.watermarks.empty()) fail_parse("Multiple WATERMARK declarations are not supported yet.", {});
      table.watermarks.push_back(watermark());
    } else if (is_word("PRIMARY") || is_word("CONSTRAINT") || is_word("UNIQUE")) {
      Pos pos = peek().pos;
      std::string constraint;
      if (accept("CONSTRAINT")) constraint = simple_name();
      if (is_word("UNIQUE")) fail_parse("UNIQUE constraint is not supported yet", peek().pos);
      expect_words({"PRIMARY", "KEY"});
      PrimaryKeyDef key = primary_key_tail(std::move(constraint));
      key.pos = pos.to(previous());
      if (table.primary_key) fail_parse("Duplicate primary key definition", pos);
      table.primary_key = std::move(key);
    } else {
      ColumnDef definition = column();
      if (definition.primary_key && !table.primary_key)
        table.primary_key = PrimaryKeyDef{{}, {definition.name}, {definition.pos}, false, definition.pos};
      table.columns.push_back(std::move(definition));
    }
  } while (accept_symbol(","));
  expect_symbol(")");
}

ColumnDef Grammar::column() {
  ColumnDef column;
  column.name = simple_name(&column.pos);
  if (accept("AS")) {
    column.kind = ColumnDef::Kind::computed;
    column.expr = expression();
  } else {
    // A name alone is a column of CREATE TABLE … AS, its type is the query's.
    if (is_symbol(",") || is_symbol(")")) return column;
    column.type = type();
    if (accept("METADATA")) {
      column.kind = ColumnDef::Kind::metadata;
      if (accept("FROM")) column.metadata_key = string_literal();
      column.is_virtual = accept("VIRTUAL");
    } else if (is_word("PRIMARY") || is_word("CONSTRAINT")) {
      if (accept("CONSTRAINT")) simple_name();
      expect_words({"PRIMARY", "KEY"});
      expect_words({"NOT", "ENFORCED"});
      column.primary_key = true;
    }
  }
  if (accept("COMMENT")) column.comment = string_literal();
  return column;
}

WatermarkDef Grammar::watermark() {
  WatermarkDef watermark;
  watermark.pos = peek().pos;
  expect("WATERMARK");
  expect("FOR");
  watermark.column = name();
  expect("AS");
  watermark.expr = expression();
  return watermark;
}

PrimaryKeyDef Grammar::primary_key_tail(std::string constraint) {
  PrimaryKeyDef key;
  key.constraint = std::move(constraint);
  expect_symbol("(");
  key.columns = name_list(&key.positions);
  expect_symbol(")");
  if (accept_words({"NOT", "ENFORCED"})) {
    key.enforced = false;
  } else {
    accept("ENFORCED");
    key.enforced = true;
  }
  return key;
}

std::vector<LikeOption> Grammar::like_options() {
  std::vector<LikeOption> options;
  expect_symbol("(");
  while (!accept_symbol(")")) {
    LikeOption option;
    if (!is_word("INCLUDING") && !is_word("EXCLUDING") && !is_word("OVERWRITING")) fail_here();
    option.merging = next().upper;
    static constexpr std::string_view features[] = {"ALL",      "CONSTRAINTS", "DISTRIBUTION", "GENERATED",
                                                    "METADATA", "OPTIONS",     "PARTITIONS",   "WATERMARKS"};
    if (peek().kind != TokenKind::word || std::ranges::find(features, peek().upper) == std::end(features)) fail_here();
    option.feature = next().upper;
    options.push_back(std::move(option));
  }
  return options;
}

CreateView Grammar::create_view(bool temporary) {
  CreateView view;
  view.temporary = temporary;
  view.if_not_exists = if_not_exists();
  view.name = name();
  if (accept_symbol("(")) {
    do {
      view.columns.push_back(simple_name());
      if (accept("COMMENT")) string_literal();
    } while (accept_symbol(","));
    expect_symbol(")");
  }
  if (accept("COMMENT")) view.comment = string_literal();
  expect("AS");
  size_t begin = at_;
  view.query = query();
  view.query_text = text_since(begin);
  return view;
}

CreateOther Grammar::create_other(bool temporary) {
  CreateOther result;
  result.what = next().upper;
  result.temporary = temporary;
  result.if_not_exists = if_not_exists();
  result.name = name();
  if (result.what == "FUNCTION") {
    expect("AS");
    result.class_name = string_literal();
    if (accept("LANGUAGE")) next();
    if (accept("USING")) {
      while (!at_end()) next();
    }
    return result;
  }
  if (accept("COMMENT")) result.comment = string_literal();
  if (accept("WITH")) result.options = property_list();
  return result;
}

Statement Grammar::drop() {
  expect("DROP");
  Drop drop;
  drop.temporary = accept("TEMPORARY");
  accept("SYSTEM");
  static constexpr std::string_view kinds[] = {"TABLE", "VIEW", "DATABASE", "CATALOG", "FUNCTION"};
  if (peek().kind != TokenKind::word || std::ranges::find(kinds, peek().upper) == std::end(kinds)) fail_here();
  drop.what = next().upper;
  drop.if_exists = if_exists();
  drop.name = name();
  if (drop.what == "DATABASE") {
    drop.cascade = accept("CASCADE");
    if (!drop.cascade) accept("RESTRICT");
  }
  return drop;
}

Statement Grammar::alter() {
  expect("ALTER");
  if (is_word("TABLE") || is_word("VIEW")) return alter_table();
  if (accept("DATABASE")) {
    name();
    expect("SET");
    property_list();
    return OtherStatement{"ALTER DATABASE"};
  }
  if (accept("CATALOG")) {
    name();
    while (!at_end()) next();
    return OtherStatement{"ALTER CATALOG"};
  }
  fail_here();
}

AlterTable Grammar::alter_table() {
  using Kind = AlterTable::Kind;
  AlterTable alter;
  alter.is_view = next().upper == "VIEW";
  alter.if_exists = if_exists();
  alter.name = name();
  if (alter.is_view && accept("AS")) {
    alter.kind = Kind::modify;
    size_t begin = at_;
    alter.as_query = query();
    alter.query_text = text_since(begin);
  } else if (accept("RENAME")) {
    if (accept("TO")) {
      alter.kind = Kind::rename;
      alter.new_name = name();
    } else {
      alter.kind = Kind::rename_column;
      alter.old_column = simple_name();
      expect("TO");
      alter.new_column = simple_name();
    }
  } else if (accept("SET")) {
    alter.kind = Kind::set;
    alter.options = property_list();
  } else if (accept("RESET")) {
    alter.kind = Kind::reset;
    expect_symbol("(");
    if (!is_symbol(")")) {
      do {
        alter.keys.push_back(string_literal());
      } while (accept_symbol(","));
    }
    expect_symbol(")");
  } else if (is_word("ADD") || is_word("MODIFY")) {
    alter.kind = next().upper == "ADD" ? Kind::add : Kind::modify;
    if (is_symbol("(")) {
      table_elements(alter.schema);
    } else if (is_word("WATERMARK")) {
      alter.schema.watermarks.push_back(watermark());
    } else if (is_word("PRIMARY") || is_word("CONSTRAINT")) {
      std::string constraint;
      if (accept("CONSTRAINT")) constraint = simple_name();
      expect_words({"PRIMARY", "KEY"});
      alter.schema.primary_key = primary_key_tail(std::move(constraint));
    } else {
      alter.schema.columns.push_back(column());
      if (accept("FIRST")) {
      } else if (accept("AFTER")) {
        simple_name();
      }
    }
  } else if (accept("DROP")) {
    if (accept_words({"PRIMARY", "KEY"})) {
      alter.kind = Kind::drop_primary_key;
    } else if (accept("WATERMARK")) {
      alter.kind = Kind::drop_watermark;
    } else if (accept("CONSTRAINT")) {
      simple_name();
      alter.kind = Kind::drop_primary_key;
    } else {
      alter.kind = Kind::drop_columns;
      if (accept_symbol("(")) {
        alter.keys = name_list();
        expect_symbol(")");
      } else {
        alter.keys = {simple_name()};
      }
    }
  } else {
    fail_here();
  }
  return alter;
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
    expect_symbol("(");
    result->columns = name_list(&result->column_positions);
    expect_symbol(")");
  }
  result->query = query();
  if (accept_words({"ON", "CONFLICT"})) {
    expect("DO");
    if (!is_word("ERROR") && !is_word("NOTHING") && !is_word("DEDUPLICATE")) fail_here();
    result->conflict = next().upper;
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
  if (accept_words({"PLAN", "FOR"})) {
  } else {
    static constexpr std::string_view details[] = {"ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN",
                                                   "PLAN_ADVICE"};
    auto is_detail = [&] {
      return peek().kind == TokenKind::word && std::ranges::find(details, peek().upper) != std::end(details);
    };
    while (is_detail()) {
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
    if (!is_word("TABLE") && !is_word("VIEW") && !is_word("CATALOG")) fail_here();
    show.what = "CREATE " + next().upper;
    show.name = name();
    return show;
  }
  if (accept("CURRENT")) {
    if (!is_word("CATALOG") && !is_word("DATABASE")) fail_here();
    show.what = "CURRENT " + next().upper;
    return show;
  }
  accept("FULL");
  static constexpr std::string_view kinds[] = {"TABLES",  "VIEWS",   "DATABASES", "CATALOGS", "JOBS",
                                               "COLUMNS", "MODULES", "FUNCTIONS", "JARS",     "PARTITIONS"};
  if (peek().kind != TokenKind::word || std::ranges::find(kinds, peek().upper) == std::end(kinds)) fail_here();
  show.what = next().upper;
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
