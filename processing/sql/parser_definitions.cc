// CREATE, ALTER and DROP: of tables with their columns, watermarks and keys, of views, and of the rest.
#include "processing/sql/grammar.h"

namespace millrace::processing::sql {

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
    result.table.partitioned_by = names_in_parentheses();
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
  key.columns = names_in_parentheses(&key.positions);
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
    option.merging = expect_one_of({"INCLUDING", "EXCLUDING", "OVERWRITING"});
    option.feature = expect_one_of(
        {"ALL", "CONSTRAINTS", "DISTRIBUTION", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"});
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
  drop.what = expect_one_of({"TABLE", "VIEW", "DATABASE", "CATALOG", "FUNCTION"});
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
  AlterTable alter;
  alter.is_view = next().upper == "VIEW";
  alter.if_exists = if_exists();
  alter.name = name();
  if (alter.is_view && accept("AS")) {
    alter.kind = AlterTable::Kind::modify;
    size_t begin = at_;
    alter.as_query = query();
    alter.query_text = text_since(begin);
  } else if (accept("RENAME")) {
    alter_rename(alter);
  } else if (is_word("SET") || is_word("RESET")) {
    alter_options(alter);
  } else if (is_word("ADD") || is_word("MODIFY")) {
    alter_schema(alter);
  } else if (accept("DROP")) {
    alter_drop(alter);
  } else {
    fail_here();
  }
  return alter;
}

void Grammar::alter_rename(AlterTable& alter) {
  if (accept("TO")) {
    alter.kind = AlterTable::Kind::rename;
    alter.new_name = name();
    return;
  }
  alter.kind = AlterTable::Kind::rename_column;
  alter.old_column = simple_name();
  expect("TO");
  alter.new_column = simple_name();
}

void Grammar::alter_options(AlterTable& alter) {
  if (accept("SET")) {
    alter.kind = AlterTable::Kind::set;
    alter.options = property_list();
    return;
  }
  expect("RESET");
  alter.kind = AlterTable::Kind::reset;
  expect_symbol("(");
  if (!is_symbol(")")) {
    do {
      alter.keys.push_back(string_literal());
    } while (accept_symbol(","));
  }
  expect_symbol(")");
}

void Grammar::alter_schema(AlterTable& alter) {
  alter.kind = next().upper == "ADD" ? AlterTable::Kind::add : AlterTable::Kind::modify;
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
    if (!accept("FIRST") && accept("AFTER")) simple_name();
  }
}

void Grammar::alter_drop(AlterTable& alter) {
  if (accept_words({"PRIMARY", "KEY"})) {
    alter.kind = AlterTable::Kind::drop_primary_key;
  } else if (accept("WATERMARK")) {
    alter.kind = AlterTable::Kind::drop_watermark;
  } else if (accept("CONSTRAINT")) {
    simple_name();
    alter.kind = AlterTable::Kind::drop_primary_key;
  } else {
    alter.kind = AlterTable::Kind::drop_columns;
    if (is_symbol("(")) {
      alter.keys = names_in_parentheses();
    } else {
      alter.keys = {simple_name()};
    }
  }
}

}  // namespace millrace::processing::sql
