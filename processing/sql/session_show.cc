// Statements that tell what is there: SHOW and DESCRIBE.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "processing/functions/like.h"
#include "processing/functions/table.h"
#include "processing/sql/session_state.h"

namespace millrace::processing::sql {
namespace {

Planned one_column(const char* name, const std::vector<std::string>& values) {
  std::vector<Row> rows;
  for (const std::string& value : values) rows.push_back({Value::text(value)});
  return table_of({{name, DataType::string()}}, std::move(rows));
}

// SHOW … [NOT] LIKE: whether this one is shown.
class Filter {
 public:
  explicit Filter(const Show& show) : given_(show.has_like), negated_(show.not_like), pattern_(show.like, "") {}
  bool shows(std::string_view name) const { return !given_ || pattern_.matches(name) != negated_; }

 private:
  bool given_;
  bool negated_;
  LikePattern pattern_;
};

std::vector<std::string> matching(std::vector<std::string> names, const Show& show) {
  const Filter filter(show);
  std::erase_if(names, [&](const std::string& name) { return !filter.shows(name); });
  return names;
}

std::string type_ddl(const DataType& type) {
  switch (type.root) {
    case TypeRoot::varchar:
      return type.precision == max_length ? "VARCHAR(2147483647)" : describe_text(type);
    case TypeRoot::varbinary:
      return type.precision == max_length ? "VARBINARY(2147483647)" : describe_text(type);
    case TypeRoot::timestamp_ltz:
      return fmt::format("TIMESTAMP({}) WITH LOCAL TIME ZONE", type.precision);
    default: {
      DataType plain = type;
      plain.attribute = TimeAttribute::none;
      return describe_text(plain);
    }
  }
}

}  // namespace

std::string names_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quote_identifier(name);
  return text;
}

std::string create_script(const CatalogTable& table) {
  if (table.is_view) {
    std::string columns;
    if (!table.view_columns.empty()) columns = " (" + names_list(table.view_columns) + ")";
    return fmt::format("CREATE {}VIEW {}{}\nAS {}\n", table.temporary ? "TEMPORARY " : "", table.path.quoted(), columns,
                       table.query_text.empty() ? unparse(*table.query) : table.query_text);
  }
  std::string text = fmt::format("CREATE {}TABLE {} (\n", table.temporary ? "TEMPORARY " : "", table.path.quoted());
  std::string body;
  for (const Column& column : table.columns) {
    const ColumnDef& definition = column.definition;
    if (!body.empty()) body += ",\n";
    body += "  " + quote_identifier(definition.name) + " ";
    if (definition.kind == ColumnDef::Kind::computed) {
      body += "AS " + unparse(*definition.expr);
    } else {
      body += type_ddl(column.type);
      if (!column.type.nullable) body += " NOT NULL";
      if (definition.kind == ColumnDef::Kind::metadata) {
        body += " METADATA";
        if (definition.metadata_key) body += " FROM " + quote_literal(*definition.metadata_key);
        if (definition.is_virtual) body += " VIRTUAL";
      }
    }
    if (!definition.comment.empty()) body += " COMMENT " + quote_literal(definition.comment);
  }
  if (table.watermark) {
    std::string column;
    for (const std::string& part : table.watermark->column.parts)
      column += (column.empty() ? "" : ".") + quote_identifier(part);
    body += fmt::format(",\n  WATERMARK FOR {} AS {}", column, unparse(*table.watermark->expr));
  }
  if (table.primary_key) {
    std::string constraint = table.primary_key->constraint;
    if (constraint.empty()) {
      constraint = "PK";
      for (const std::string& key : table.primary_key->columns) constraint += "_" + key;
    }
    body += fmt::format(",\n  CONSTRAINT {} PRIMARY KEY ({}) NOT ENFORCED", quote_identifier(constraint),
                        names_list(table.primary_key->columns));
  }
  text += body + "\n)";
  if (!table.comment.empty()) text += " COMMENT " + quote_literal(table.comment);
  if (!table.partitioned_by.empty()) text += "\nPARTITIONED BY (" + names_list(table.partitioned_by) + ")";
  std::string options;
  for (const auto& [key, value] : std::map(table.options.begin(), table.options.end()))
    options += (options.empty() ? "" : ",\n") + ("  " + quote_literal(key) + " = " + quote_literal(value));
  if (!options.empty()) text += "\nWITH (\n" + options + "\n)";
  return text + "\n";
}

Planned Session::State::execute(const Show& show) {
  const std::string& what = show.what;
  std::string in_catalog = catalog.current_catalog();
  std::string in_database = catalog.current_database();
  if (what == "TABLES" || what == "VIEWS") {
    if (!show.name.parts.empty()) {
      in_database = show.name.last();
      if (show.name.parts.size() > 1) in_catalog = show.name.parts[0];
      if (!catalog.has_database(in_catalog, in_database))
        fail_flink_validation(fmt::format("Database '{}'.'{}' doesn't exist.", in_catalog, in_database));
    }
    std::vector<std::string> names;
    for (const CatalogTablePtr& object : catalog.objects(in_catalog, in_database))
      if (what == "TABLES" || object->is_view) names.push_back(object->path.object);
    return one_column(what == "TABLES" ? "table name" : "view name", matching(std::move(names), show));
  }
  if (what == "DATABASES") {
    if (!show.name.parts.empty()) in_catalog = show.name.last();
    return one_column("database name", matching(catalog.databases(in_catalog), show));
  }
  if (what == "CATALOGS") return one_column("catalog name", matching(catalog.catalogs(), show));
  if (what == "CURRENT CATALOG") return one_column("current catalog name", {in_catalog});
  if (what == "CURRENT DATABASE") return one_column("current database name", {in_database});
  if (what == "MODULES") return one_column("module name", {"core"});
  if (what == "JARS") return one_column("jars", {});
  if (what == "FUNCTIONS") return one_column("function name", matching(function_names(), show));
  if (what == "JOBS") {
    Planned result;
    result.kind = Planned::Kind::show_jobs;
    return result;
  }
  if (what == "COLUMNS") {
    Planned described = describe_table(show.name);
    const Filter filter(show);
    std::erase_if(described.table.rows, [&](const Row& row) { return !filter.shows(row[0].as_text()); });
    return described;
  }
  if (what == "CREATE TABLE" || what == "CREATE VIEW") {
    ObjectPath path = catalog.qualify(show.name);
    CatalogTablePtr table = catalog.find(path);
    bool view = what == "CREATE VIEW";
    if (table == nullptr) {
      fail_flink_validation(fmt::format("Could not execute SHOW {}. {} with identifier {} does not exist.", what,
                                        view ? "View" : "Table", path.quoted()));
    }
    if (table->is_view && !view) {
      fail_table(
          fmt::format("SHOW CREATE TABLE is only supported for tables, but {} is a view. Please use SHOW CREATE VIEW "
                      "instead.",
                      path.quoted()));
    }
    if (!table->is_view && view) {
      fail_table(
          fmt::format("SHOW CREATE VIEW is only supported for views, but {} is a table. Please use SHOW CREATE TABLE "
                      "instead.",
                      path.quoted()));
    }
    return one_column("result", {create_script(*table)});
  }
  return one_column("result", {});
}

Planned Session::State::describe_table(const Name& name) {
  ObjectPath path = catalog.qualify(name);
  CatalogTablePtr table = catalog.find(path);
  if (table == nullptr)
    fail_flink_validation(fmt::format("Tables or views with the identifier '{}' doesn't exist.", path.text()));
  std::vector<Field> columns;
  for (const char* title : {"name", "type", "null", "key", "extras", "watermark"}) {
    columns.push_back({title, std::string_view(title) == "null" ? DataType::boolean() : DataType::string()});
  }
  bool comments = std::ranges::any_of(table->columns, [](const Column& c) { return !c.definition.comment.empty(); });
  if (comments) columns.push_back({"comment", DataType::string()});
  std::vector<Row> rows;
  for (const Column& column : table->columns) {
    const ColumnDef& definition = column.definition;
    Row row = {Value::text(definition.name), Value::text(describe_text(column.type)),
               Value::boolean(column.type.nullable)};
    bool in_key = table->primary_key &&
                  std::ranges::find(table->primary_key->columns, definition.name) != table->primary_key->columns.end();
    if (in_key) {
      std::string keys;
      for (const std::string& key : table->primary_key->columns) keys += (keys.empty() ? "" : ", ") + key;
      row.push_back(Value::text("PRI(" + keys + ")"));
    } else {
      row.emplace_back();
    }
    if (definition.kind == ColumnDef::Kind::computed) {
      row.push_back(Value::text("AS " + unparse(*definition.expr)));
    } else if (definition.kind == ColumnDef::Kind::metadata) {
      std::string extras = "METADATA";
      if (definition.metadata_key) extras += " FROM '" + *definition.metadata_key + "'";
      if (definition.is_virtual) extras += " VIRTUAL";
      row.push_back(Value::text(extras));
    } else {
      row.emplace_back();
    }
    bool marked = table->watermark && table->watermark->column.parts.size() == 1 &&
                  table->watermark->column.last() == definition.name;
    row.push_back(marked ? Value::text(unparse(*table->watermark->expr)) : Value());
    if (comments) row.push_back(definition.comment.empty() ? Value() : Value::text(definition.comment));
    rows.push_back(std::move(row));
  }
  return table_of(std::move(columns), std::move(rows));
}

Planned Session::State::execute(const Describe& describe) {
  if (describe.what == "TABLE") return describe_table(describe.name);
  if (describe.what == "JOB") {
    Planned result;
    result.kind = Planned::Kind::describe_job;
    result.job_id = describe.id;
    return result;
  }
  return table_of({{"info name", DataType::string()}, {"info value", DataType::string()}},
                  {{Value::text("name"), Value::text(describe.name.last())}});
}

}  // namespace millrace::processing::sql
