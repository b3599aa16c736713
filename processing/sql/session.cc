#include "processing/sql/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "processing/failure.h"
#include "processing/functions/table.h"
#include "processing/sql/catalog.h"
#include "processing/sql/parser.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

constexpr const char* kValidation = "org.apache.flink.table.api.ValidationException";

Planned table_of(std::vector<Field> columns, std::vector<Row> rows) {
  Planned result;
  result.kind = Planned::Kind::table;
  result.table = {std::move(columns), std::move(rows)};
  return result;
}

Planned one_column(const char* name, const std::vector<std::string>& values) {
  std::vector<Row> rows;
  for (const std::string& value : values) rows.push_back({Value::text(value)});
  return table_of({{name, DataType::string()}}, std::move(rows));
}

// LIKE with % and _.
bool like(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '%') {
    for (size_t i = 0; i <= text.size(); ++i)
      if (like(text.substr(i), pattern.substr(1))) return true;
    return false;
  }
  return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) && like(text.substr(1), pattern.substr(1));
}

std::vector<std::string> matching(std::vector<std::string> names, const Show& show) {
  if (show.has_like)
    std::erase_if(names, [&](const std::string& name) { return like(name, show.like) == show.not_like; });
  return names;
}

std::string names_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quote_identifier(name);
  return text;
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
  for (const auto& [key, value] : table.options)
    options += (options.empty() ? "" : ",\n") + ("  " + quote_literal(key) + " = " + quote_literal(value));
  if (!options.empty()) text += "\nWITH (\n" + options + "\n)";
  return text + "\n";
}

void set_option(Options& options, const std::string& key, const std::string& value) {
  auto found = std::ranges::find_if(options, [&](const auto& option) { return option.first == key; });
  if (found != options.end()) {
    found->second = value;
  } else {
    options.emplace_back(key, value);
  }
}

}  // namespace

struct Session::State {
  Catalog catalog;
  plan::Options settings;
  std::vector<std::string> functions;  // CREATE FUNCTION: names only
  bool in_statement_set = false;
  StatementSet statement_set;

  Planner planner() { return Planner(catalog, settings); }

  // --- DDL ---

  CatalogTable table_from(const CreateTable& create) {
    CatalogTable table;
    table.path = catalog.qualify(create.name);
    table.temporary = create.temporary;
    if (create.like) inherit(table, create);
    for (const ColumnDef& definition : create.table.columns) {
      auto existing =
          std::ranges::find_if(table.columns, [&](const Column& c) { return c.definition.name == definition.name; });
      if (existing != table.columns.end() && create.like) {
        fail_flink_validation(fmt::format("A column named '{}' already exists in the base table.", definition.name));
      }
      table.columns.push_back({definition, definition.type});
    }
    if (!create.table.watermarks.empty()) table.watermark = create.table.watermarks.front();
    if (create.table.primary_key) table.primary_key = create.table.primary_key;
    if (!create.table.partitioned_by.empty()) table.partitioned_by = create.table.partitioned_by;
    for (const auto& [key, value] : create.table.options) set_option(table.options, key, value);
    if (!create.table.comment.empty()) table.comment = create.table.comment;
    return table;
  }

  // CREATE TABLE … LIKE base (INCLUDING | EXCLUDING | OVERWRITING feature …)
  void inherit(CatalogTable& table, const CreateTable& create) {
    ObjectPath path = catalog.qualify(*create.like);
    CatalogTablePtr base = catalog.find(path);
    if (base == nullptr) {
      const Pos& pos = create.like->pos;
      fail_flink_validation(
          fmt::format("Source table '{}' of the LIKE clause not found in the catalog, at line {}, column {}",
                      path.quoted(), pos.line, pos.column));
    }
    if (base->is_view)
      fail_flink_validation(fmt::format("Source table '{}' of the LIKE clause can not be a VIEW", path.quoted()));
    auto strategy = [&](std::string_view feature) -> std::string {
      std::string all;
      for (const LikeOption& option : create.like_options) {
        if (option.feature == feature) return option.merging;
        if (option.feature == "ALL") all = option.merging;
      }
      if (!all.empty()) return all;
      return feature == "OPTIONS" || feature == "GENERATED" || feature == "METADATA" || feature == "WATERMARKS"
                 ? "OVERWRITING"
                 : "INCLUDING";
    };
    for (const Column& column : base->columns) {
      if (column.definition.kind == ColumnDef::Kind::computed && strategy("GENERATED") == "EXCLUDING") continue;
      if (column.definition.kind == ColumnDef::Kind::metadata && strategy("METADATA") == "EXCLUDING") continue;
      table.columns.push_back({column.definition, column.definition.type});
    }
    if (strategy("WATERMARKS") != "EXCLUDING") table.watermark = base->watermark;
    if (strategy("CONSTRAINTS") != "EXCLUDING") table.primary_key = base->primary_key;
    if (strategy("PARTITIONS") != "EXCLUDING") table.partitioned_by = base->partitioned_by;
    if (strategy("OPTIONS") != "EXCLUDING") {
      table.options = base->options;
      if (strategy("OPTIONS") == "INCLUDING") {
        for (const auto& [key, value] : create.table.options) {
          bool exists = std::ranges::any_of(base->options, [&](const auto& option) { return option.first == key; });
          if (exists)
            fail_flink_validation(
                fmt::format("There already exists an option ['{}' -> '{}']  in the base table. You might want to "
                            "specify EXCLUDING OPTIONS or OVERWRITING OPTIONS.",
                            key, base->option(key)));
        }
      }
    }
  }

  Planned execute(const CreateTable& create) {
    CatalogTable table = table_from(create);
    Planner plan = planner();
    if (create.as_query == nullptr) {
      plan.resolve_table(table);
      if (create.or_replace) catalog.drop(table.path);
      catalog.create(std::make_shared<CatalogTable>(std::move(table)), create.if_not_exists, "CreateTable");
      return {};
    }
    // The query's columns become the table's.
    std::vector<Field> fields = plan.query_schema(*create.as_query);
    std::vector<Column> columns;
    for (const Field& field : fields) {
      ColumnDef definition;
      definition.name = field.name;
      DataType type = field.type;
      type.attribute = TimeAttribute::none;
      definition.type = type;
      columns.push_back({definition, type});
    }
    for (const Column& own : table.columns) {
      auto same =
          std::ranges::find_if(columns, [&](const Column& c) { return c.definition.name == own.definition.name; });
      if (same == columns.end()) {
        columns.push_back(own);
      } else if (own.definition.type.root != TypeRoot::null) {
        *same = own;
      }
    }
    table.columns = std::move(columns);
    plan.resolve_table(table);
    Insert insert;
    insert.table = create.name;
    insert.query = create.as_query;
    if (std::ranges::any_of(table.columns,
                            [&](const Column& c) { return c.definition.kind == ColumnDef::Kind::physical; }) &&
        table.columns.size() != fields.size()) {
      for (const Field& field : fields) {
        insert.columns.push_back(field.name);
        insert.column_positions.emplace_back();
      }
    }
    Planned result;
    result.kind = Planned::Kind::insert;
    result.job.sinks.push_back(plan.plan_insert_into(table, insert));
    result.job.settings = settings;
    result.insert_tables.push_back(table.path.text());
    catalog.create(std::make_shared<CatalogTable>(std::move(table)), create.if_not_exists, "CreateTable");
    share(result.job);
    prune(result.job);
    return result;
  }

  Planned execute(const CreateView& create) {
    auto table = std::make_shared<CatalogTable>();
    table->path = catalog.qualify(create.name);
    table->temporary = create.temporary;
    table->is_view = true;
    table->query = create.query;
    table->query_text = create.query_text;
    table->comment = create.comment;
    table->view_columns = create.columns;
    set_view_columns(*table);
    catalog.create(table, create.if_not_exists, "CreateTable");
    return {};
  }

  // Plans the query once: a view that cannot be read is refused, and its columns are known.
  void set_view_columns(CatalogTable& view) {
    view.view_catalog = catalog.current_catalog();
    view.view_database = catalog.current_database();
    Planner plan = planner();
    std::vector<Field> fields = plan.query_schema(*view.query);
    if (!view.view_columns.empty() && view.view_columns.size() != fields.size()) {
      fail_flink_validation(
          fmt::format("VIEW definition and input fields not match:\n\tDef fields: [{}].\n\tInput fields: [{}].",
                      names_list(view.view_columns), fields.size()));
    }
    view.columns.clear();
    for (size_t i = 0; i < fields.size(); ++i) {
      ColumnDef definition;
      definition.name = view.view_columns.empty() ? fields[i].name : view.view_columns[i];
      definition.type = fields[i].type;
      view.columns.push_back({definition, fields[i].type});
    }
  }

  Planned execute(const CreateOther& create) {
    if (create.what == "DATABASE") {
      const auto& parts = create.name.parts;
      catalog.create_database(parts.size() > 1 ? parts[0] : catalog.current_catalog(), parts.back(),
                              create.if_not_exists);
    } else if (create.what == "CATALOG") {
      catalog.create_catalog(create.name.last(), create.if_not_exists);
    } else {
      std::string name = create.name.last();
      if (std::ranges::find(functions, name) != functions.end() && !create.if_not_exists) {
        throw SqlError(
            SqlError::Stage::plan, kValidation,
            fmt::format("Could not register temporary catalog function. A function '{}' does already exist.", name));
      }
      fail_table(fmt::format("The function '{}' of class '{}' is not one this engine knows natively.", name,
                             create.class_name));
    }
    return {};
  }

  Planned execute(const Drop& drop) {
    if (drop.what == "DATABASE") {
      const auto& parts = drop.name.parts;
      catalog.drop_database(parts.size() > 1 ? parts[0] : catalog.current_catalog(), parts.back(), drop.if_exists,
                            drop.cascade);
      return {};
    }
    if (drop.what == "CATALOG") {
      catalog.drop_catalog(drop.name.last(), drop.if_exists);
      return {};
    }
    if (drop.what == "FUNCTION") {
      if (std::erase(functions, drop.name.last()) == 0 && !drop.if_exists)
        fail_flink_validation(fmt::format("Function {} does not exist.", catalog.qualify(drop.name).text()));
      return {};
    }
    ObjectPath path = catalog.qualify(drop.name);
    CatalogTablePtr table = catalog.find(path);
    bool view = drop.what == "VIEW";
    const char* kind = view ? "View" : "Table";
    if (table == nullptr || table->is_view != view || (drop.temporary && !table->temporary)) {
      if (drop.if_exists) return {};
      fail_flink_validation(fmt::format("{}{} with identifier '{}' does not exist.", drop.temporary ? "Temporary " : "",
                                        drop.temporary ? (view ? "view" : "table") : kind, path.text()));
    }
    if (table->temporary && !drop.temporary) {
      fail_flink_validation(
          fmt::format("Temporary {0} with identifier '{1}' exists. Drop it first before removing the permanent "
                      "{0}.",
                      view ? "view" : "table", path.quoted()));
    }
    catalog.drop(path);
    return {};
  }

  Planned execute(const AlterTable& alter) {
    using Kind = AlterTable::Kind;
    ObjectPath path = catalog.qualify(alter.name);
    CatalogTablePtr found = catalog.find(path);
    const char* kind = alter.is_view ? "View" : "Table";
    if (found == nullptr || found->is_view != alter.is_view) {
      if (alter.if_exists) return {};
      if (found != nullptr && found->is_view) fail_flink_validation("ALTER TABLE for a view is not allowed");
      fail_flink_validation(fmt::format("{} {} doesn't exist or is a temporary table.", kind, path.quoted()));
    }
    if (alter.kind == Kind::rename) {
      catalog.rename(path, alter.new_name.last());
      return {};
    }
    auto table = std::make_shared<CatalogTable>(*found);
    for (Column& column : table->columns) column.type = column.definition.type;
    switch (alter.kind) {
      case Kind::rename_column: {
        int index = table->column_index(alter.old_column);
        auto fail_alter = [&](const std::string& why) {
          fail_flink_validation(fmt::format("Failed to execute ALTER TABLE statement.\n{}", why));
        };
        if (index < 0) fail_alter(fmt::format("The column `{}` does not exist in the base table.", alter.old_column));
        if (table->column_index(alter.new_column) >= 0)
          fail_alter(fmt::format("The column `{}` already existed in table schema.", alter.new_column));
        table->columns[static_cast<size_t>(index)].definition.name = alter.new_column;
        if (table->primary_key)
          for (std::string& key : table->primary_key->columns)
            if (key == alter.old_column) key = alter.new_column;
        break;
      }
      case Kind::set:
        for (const auto& [key, value] : alter.options) set_option(table->options, key, value);
        break;
      case Kind::reset:
        if (alter.keys.empty()) fail_flink_validation("ALTER TABLE RESET does not support empty key");
        for (const std::string& key : alter.keys) {
          if (key == "connector") fail_flink_validation("ALTER TABLE RESET does not support changing 'connector'");
          std::erase_if(table->options, [&](const auto& option) { return option.first == key; });
        }
        break;
      case Kind::add:
      case Kind::modify:
        if (alter.as_query != nullptr) {
          table->query = alter.as_query;
          table->query_text = alter.query_text;
          table->view_columns.clear();
          set_view_columns(*table);
          catalog.replace(table);
          return {};
        }
        for (const ColumnDef& definition : alter.schema.columns) {
          int index = table->column_index(definition.name);
          if (alter.kind == Kind::add) {
            if (index >= 0) {
              fail_flink_validation(
                  fmt::format("Failed to execute ALTER TABLE statement.\nColumn `{}` already exists in the table.",
                              definition.name));
            }
            table->columns.push_back({definition, definition.type});
          } else {
            if (index < 0) {
              fail_flink_validation(
                  fmt::format("Failed to execute ALTER TABLE statement.\nColumn `{}` does not exist in the table.",
                              definition.name));
            }
            table->columns[static_cast<size_t>(index)] = {definition, definition.type};
          }
        }
        if (!alter.schema.watermarks.empty()) table->watermark = alter.schema.watermarks.front();
        if (alter.schema.primary_key) table->primary_key = alter.schema.primary_key;
        break;
      case Kind::drop_columns:
        for (const std::string& name : alter.keys) {
          int index = table->column_index(name);
          if (index < 0) {
            fail_flink_validation(fmt::format(
                "Failed to execute ALTER TABLE statement.\nThe column `{}` does not exist in the base table.", name));
          }
          table->columns.erase(table->columns.begin() + index);
        }
        break;
      case Kind::drop_primary_key:
        if (!table->primary_key)
          fail_flink_validation(
              "Failed to execute ALTER TABLE statement.\nThe base table does not define any primary key.");
        table->primary_key.reset();
        break;
      case Kind::drop_watermark:
        if (!table->watermark)
          fail_flink_validation(
              "Failed to execute ALTER TABLE statement.\nThe base table does not define any watermark strategy.");
        table->watermark.reset();
        break;
      case Kind::rename:
        break;
    }
    planner().resolve_table(*table);
    catalog.replace(table);
    return {};
  }

  // --- DML and queries ---

  Planned execute(const QueryPtr& query) {
    Planned result;
    result.kind = Planned::Kind::query;
    result.job = planner().plan_query(*query);
    share(result.job);
    prune(result.job);
    return result;
  }

  Planned plan_inserts(const std::vector<std::shared_ptr<Insert>>& inserts) {
    Planned result;
    result.kind = Planned::Kind::insert;
    Planner plan = planner();
    for (const auto& insert : inserts) {
      std::shared_ptr<plan::Sink> sink = plan.plan_insert(*insert);
      result.insert_tables.push_back(sink->table);
      result.job.sinks.push_back(std::move(sink));
    }
    result.job.settings = settings;
    share(result.job);
    prune(result.job);
    return result;
  }

  Planned execute(const std::shared_ptr<Insert>& insert) {
    if (in_statement_set) {
      plan_inserts({insert});
      statement_set.inserts.push_back(insert);
      return {};
    }
    return plan_inserts({insert});
  }

  Planned execute(const std::shared_ptr<StatementSet>& set) {
    if (set->inserts.empty()) fail_flink_validation("No statements in the statement set.");
    return plan_inserts(set->inserts);
  }

  Planned execute(const BeginStatementSet&) {
    in_statement_set = true;
    statement_set.inserts.clear();
    return {};
  }

  Planned execute(const EndStatementSet&) {
    if (!in_statement_set)
      fail_flink_validation(
          "No Statement Set to submit. \"END\" statement should be used after \"BEGIN STATEMENT SET\".");
    in_statement_set = false;
    if (statement_set.inserts.empty()) return {};
    return plan_inserts(std::exchange(statement_set.inserts, {}));
  }

  Planned execute(const Explain& explain) {
    Planned inner = std::visit([&](const auto& target) { return execute(target); }, explain.target);
    return table_of({{"result", DataType::string()}}, {{Value::text(plan::to_text(inner.job))}});
  }

  // --- SHOW and friends ---

  Planned execute(const Show& show) {
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
      if (show.has_like)
        std::erase_if(described.table.rows,
                      [&](const Row& row) { return like(row[0].as_text(), show.like) == show.not_like; });
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

  Planned describe_table(const Name& name) {
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
      bool in_key = table->primary_key && std::ranges::find(table->primary_key->columns, definition.name) !=
                                              table->primary_key->columns.end();
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

  Planned execute(const Describe& describe) {
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

  Planned execute(const Use& use) {
    if (use.catalog) {
      catalog.use_catalog(use.name.last());
    } else {
      catalog.use_database(use.name.parts.size() > 1 ? use.name.parts[0] : catalog.current_catalog(), use.name.last());
    }
    return {};
  }

  Planned execute(const SetOption& set) {
    if (set.key) {
      settings[*set.key] = set.value.value_or("");
      return {};
    }
    std::vector<Row> rows;
    for (const auto& [key, value] : settings) rows.push_back({Value::text(key), Value::text(value)});
    return table_of({{"key", DataType::string()}, {"value", DataType::string()}}, std::move(rows));
  }

  Planned execute(const ResetOption& reset) {
    if (reset.key) {
      settings.erase(*reset.key);
    } else {
      settings.clear();
    }
    return {};
  }

  Planned execute(const StopJob& stop) {
    Planned result;
    result.kind = Planned::Kind::stop_job;
    result.job_id = stop.id;
    result.with_savepoint = stop.savepoint;
    result.drain = stop.drain;
    return result;
  }

  Planned execute(const RefusedDml& dml) {
    fail_table(fmt::format("{} statement is not supported for streaming mode now.", dml.what));
  }

  Planned execute(const OtherStatement& other) {
    if (other.what == "JAR") fail_table("Java archives cannot be loaded into this engine.");
    return {};
  }
};

Session::Session() : state_(std::make_unique<State>()) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Planned Session::execute(std::string_view text) {
  try {
    Statement statement = parse_statement(text);
    return std::visit([&](const auto& parsed) { return state_->execute(parsed); }, statement);
  } catch (const PlanFailure& failure) {
    const SourcePosition& at = failure.position();
    throw SqlError(SqlError::Stage::plan, failure.java_class(), failure.message(),
                   {at.line, at.column, at.end_line, at.end_column});
  }
}

const plan::Options& Session::settings() const { return state_->settings; }
void Session::set(std::string key, std::string value) { state_->settings[std::move(key)] = std::move(value); }
std::string Session::current_catalog() const { return state_->catalog.current_catalog(); }
std::string Session::current_database() const { return state_->catalog.current_database(); }

void Session::unset(const std::string& key) { state_->settings.erase(key); }
std::vector<std::string> Session::complete(std::string_view statement, size_t cursor) const {
  std::string_view before = statement.substr(0, std::min(cursor, statement.size()));
  size_t begin = before.size();
  auto part_of_word = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  while (begin > 0 && part_of_word(before[begin - 1])) --begin;
  std::string_view prefix = before.substr(begin);
  std::vector<std::string> result;
  const Catalog& catalog = state_->catalog;
  for (const CatalogTablePtr& object : catalog.objects(catalog.current_catalog(), catalog.current_database()))
    if (object->path.object.starts_with(prefix)) result.push_back(object->path.object);
  static constexpr std::string_view starters[] = {
      "SELECT",    "INSERT INTO", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DESCRIBE", "EXPLAIN", "SHOW TABLES",
      "SHOW JOBS", "STOP JOB",    "SET",          "USE",         "FROM",       "WHERE",    "GROUP BY"};
  for (std::string_view word : starters) {
    bool same =
        word.size() >= prefix.size() && std::ranges::equal(word.substr(0, prefix.size()), prefix, [](char a, char b) {
          return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 32) : b);
        });
    if (same) result.emplace_back(word);
  }
  return result;
}

std::vector<std::string> Session::catalog_script() const {
  const Catalog& catalog = state_->catalog;
  std::vector<std::string> tables;
  std::vector<std::string> views;
  for (const std::string& name : catalog.catalogs())
    for (const std::string& database : catalog.databases(name))
      for (const CatalogTablePtr& object : catalog.objects(name, database))
        (object->is_view ? views : tables).push_back(create_script(*object));
  tables.insert(tables.end(), views.begin(), views.end());
  return tables;
}

}  // namespace millrace::processing::sql
