// Statements that change the catalog: CREATE, ALTER, DROP.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/session_state.h"

namespace millrace::processing::sql {
namespace {

constexpr const char* kValidation = "org.apache.flink.table.api.ValidationException";

void set_option(Options& options, const std::string& key, const std::string& value) {
  auto found = std::ranges::find_if(options, [&](const auto& option) { return option.first == key; });
  if (found != options.end()) {
    found->second = value;
  } else {
    options.emplace_back(key, value);
  }
}

}  // namespace

CatalogTable Session::State::table_from(const CreateTable& create) {
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
void Session::State::inherit(CatalogTable& table, const CreateTable& create) {
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

Planned Session::State::execute(const CreateTable& create) {
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
  check_limits(result.job);
  return result;
}

Planned Session::State::execute(const CreateView& create) {
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
void Session::State::set_view_columns(CatalogTable& view) {
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

Planned Session::State::execute(const CreateOther& create) {
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
    fail_table(
        fmt::format("The function '{}' of class '{}' is not one this engine knows natively.", name, create.class_name));
  }
  return {};
}

Planned Session::State::execute(const Drop& drop) {
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

Planned Session::State::execute(const AlterTable& alter) {
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
            fail_flink_validation(fmt::format(
                "Failed to execute ALTER TABLE statement.\nColumn `{}` already exists in the table.", definition.name));
          }
          table->columns.push_back({definition, definition.type});
        } else {
          if (index < 0) {
            fail_flink_validation(fmt::format(
                "Failed to execute ALTER TABLE statement.\nColumn `{}` does not exist in the table.", definition.name));
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

}  // namespace millrace::processing::sql
