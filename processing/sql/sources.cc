// FROM: which relation a name, a subquery or a function stands for, and what the query then calls its columns.
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {
CatalogTablePtr Planner::find_table(const Name& name) const {
  ObjectPath path =
      view_catalog_.empty() ? catalog_.qualify(name) : catalog_.qualify(name, view_catalog_, view_database_);
  return catalog_.find(path);
}

Planner::FromResult Planner::aliased(Relation relation, const TableRef& table, const std::string& name,
                                     std::vector<std::string> path) {
  FromResult result;
  if (!table.alias_columns.empty()) {
    if (table.alias_columns.size() != relation.node->schema.size()) {
      std::string columns;
      for (const Field& field : relation.node->schema) columns += (columns.empty() ? "'" : ", '") + field.name + "'";
      fail_validation(
          fmt::format("List of column aliases must have same degree as table; table has {} columns ({}), whereas "
                      "alias list has {} columns",
                      relation.node->schema.size(), columns, table.alias_columns.size()),
          table.alias_columns_pos);
    }
    relation = rename(std::move(relation), table.alias_columns);
  }
  result.scope.columns = relation.node->schema;
  ScopeTable entry;
  entry.name = table.alias.empty() ? name : table.alias;
  if (table.alias.empty()) entry.path = std::move(path);
  entry.count = static_cast<int>(relation.node->schema.size());
  result.scope.tables.push_back(std::move(entry));
  result.relation = std::move(relation);
  return result;
}

Planner::FromResult Planner::one_row() {
  auto node = std::make_shared<plan::Values>();
  node->rows.emplace_back();
  FromResult result;
  result.relation.node = node;
  return result;
}

Planner::FromResult Planner::from(const TableRef& table, const Scope* outer) {
  switch (table.kind) {
    case TableRef::Kind::table:
      return from_table(table);
    case TableRef::Kind::query:
      return aliased(relation_of(*table.query, outer), table, "");
    case TableRef::Kind::function:
      return from_function(table, outer);
    case TableRef::Kind::join:
      return from_join(table, outer);
    case TableRef::Kind::match:
      return from_match(table, outer);
    case TableRef::Kind::unnest:
      return from_unnest(table, one_row(), false, nullptr);
  }
  return {};
}

// Says which part of the name leads nowhere, and within what.
void Planner::fail_object_not_found(const Name& name) const {
  size_t n = name.parts.size();
  size_t part = n - 1;
  std::string within;
  if (n > 1) {
    ObjectPath path = catalog_.qualify(name);
    std::vector<std::string> catalogs = catalog_.catalogs();
    if (n > 2 && std::ranges::find(catalogs, path.catalog) == catalogs.end()) {
      part = n - 3;
    } else if (!catalog_.has_database(path.catalog, path.database)) {
      part = n - 2;
      if (n > 2) within = path.catalog;
    } else {
      within = path.catalog + "." + path.database;
    }
  }
  std::string message = fmt::format("Object '{}' not found", name.parts[part]);
  if (!within.empty()) message += fmt::format(" within '{}'", within);
  fail_validation(message, name.positions[part]);
}

Planner::FromResult Planner::from_table(const TableRef& table) {
  const Name& name = table.name;
  if (name.parts.size() == 1) {
    if (auto common = common_.find(name.parts[0]); common != common_.end()) {
      const CommonTable& definition = *common->second;
      CommonTables saved = common_;
      common_.erase(name.parts[0]);
      Relation relation = relation_of(*definition.query);
      common_ = std::move(saved);
      if (!definition.columns.empty()) relation = rename(std::move(relation), definition.columns);
      return aliased(std::move(relation), table, name.parts[0]);
    }
  }
  CatalogTablePtr found = find_table(name);
  if (found == nullptr) fail_object_not_found(name);
  std::vector<std::string> path = {found->path.catalog, found->path.database, found->path.object};
  Relation relation = found->is_view ? view(*found) : scan(*found, table.hints);
  return aliased(std::move(relation), table, found->path.object, std::move(path));
}

Relation Planner::view(const CatalogTable& table) {
  std::string catalog = std::exchange(view_catalog_, table.view_catalog);
  std::string database = std::exchange(view_database_, table.view_database);
  CommonTables saved = std::exchange(common_, {});
  Relation relation = relation_of(*table.query);
  common_ = std::move(saved);
  view_catalog_ = std::move(catalog);
  view_database_ = std::move(database);
  if (!table.view_columns.empty()) relation = rename(std::move(relation), table.view_columns);
  return relation;
}

Planner::FromResult Planner::from_function(const TableRef& table, const Scope* outer) {
  const Node& function = *table.function;
  if (function.op == "TUMBLE" || function.op == "HOP" || function.op == "CUMULATE" || function.op == "SESSION")
    return aliased(window_function(function, outer), table, "");
  if (function.op == "UNNEST") {
    TableRef unnest = table;
    unnest.kind = TableRef::Kind::unnest;
    unnest.array = function.operands[0];
    return from(unnest, outer);
  }
  fail_validation(
      fmt::format("No match found for function signature {}()", function.text.empty() ? function.op : function.text),
      function.pos);
}

}  // namespace millrace::processing::sql
