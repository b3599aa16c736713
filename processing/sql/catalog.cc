#include "processing/sql/catalog.h"

#include <fmt/format.h>

#include <utility>

#include "processing/sql/error.h"

namespace millrace::processing::sql {
namespace {

[[noreturn]] void fail_catalog(const char* class_name, std::string message, std::vector<std::string> causes = {}) {
  throw SqlError(SqlError::Stage::plan, std::string("org.apache.flink.table.") + class_name, std::move(message), {},
                 std::move(causes));
}

}  // namespace

std::string ObjectPath::quoted() const {
  return quote_identifier(catalog) + "." + quote_identifier(database) + "." + quote_identifier(object);
}

std::string CatalogTable::option(std::string_view key) const {
  for (const auto& [name, value] : options)
    if (name == key) return value;
  return {};
}

int CatalogTable::column_index(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].definition.name == name) return static_cast<int>(i);
  return -1;
}

Catalog::Catalog() { databases_[catalog_][database_]; }

ObjectPath Catalog::qualify(const Name& name) const { return qualify(name, catalog_, database_); }

ObjectPath Catalog::qualify(const Name& name, const std::string& catalog, const std::string& database) const {
  size_t n = name.parts.size();
  return {n > 2 ? name.parts[n - 3] : catalog, n > 1 ? name.parts[n - 2] : database, name.parts[n - 1]};
}

CatalogTablePtr Catalog::find(const ObjectPath& path) const {
  if (auto found = temporary_.find(path); found != temporary_.end()) return found->second;
  if (auto found = tables_.find(path); found != tables_.end()) return found->second;
  return nullptr;
}

bool Catalog::has_database(const std::string& catalog, const std::string& database) const {
  auto found = databases_.find(catalog);
  return found != databases_.end() && found->second.contains(database);
}

void Catalog::create(CatalogTablePtr table, bool if_not_exists, const char* operation) {
  const ObjectPath& path = table->path;
  auto& store = table->temporary ? temporary_ : tables_;
  if (store.contains(path)) {
    if (if_not_exists) return;
    if (table->temporary) {
      fail_catalog("api.ValidationException",
                   fmt::format("Temporary {} '{}' already exists", table->is_view ? "view" : "table", path.quoted()));
    }
    fail_catalog(
        "catalog.exceptions.TableAlreadyExistException",
        fmt::format("Table (or view) {}.{} already exists in Catalog {}.", path.database, path.object, path.catalog),
        {fmt::format("org.apache.flink.table.api.ValidationException: Could not execute {} in path {}", operation,
                     path.quoted())});
  }
  if (!table->temporary) {
    auto catalog = databases_.find(path.catalog);
    if (catalog == databases_.end())
      fail_catalog("api.ValidationException", fmt::format("Catalog {} does not exist", path.catalog));
    if (!catalog->second.contains(path.database)) {
      fail_catalog("catalog.exceptions.DatabaseNotExistException",
                   fmt::format("Database {} does not exist in Catalog {}.", path.database, path.catalog),
                   {fmt::format("org.apache.flink.table.api.ValidationException: Could not execute {} in path {}",
                                operation, path.quoted())});
    }
  }
  store[path] = std::move(table);
}

void Catalog::replace(CatalogTablePtr table) {
  auto& store = table->temporary ? temporary_ : tables_;
  store[table->path] = std::move(table);
}

bool Catalog::drop(const ObjectPath& path) { return temporary_.erase(path) > 0 || tables_.erase(path) > 0; }

void Catalog::rename(const ObjectPath& from, const std::string& to) {
  CatalogTablePtr table = find(from);
  auto renamed = std::make_shared<CatalogTable>(*table);
  renamed->path.object = to;
  if (find(renamed->path) != nullptr) {
    fail_catalog("catalog.exceptions.TableAlreadyExistException",
                 fmt::format("Table (or view) {}.{} already exists in Catalog {}.", from.database, to, from.catalog));
  }
  drop(from);
  replace(renamed);
}

void Catalog::create_database(const std::string& catalog, const std::string& database, bool if_not_exists) {
  auto found = databases_.find(catalog);
  if (found == databases_.end())
    fail_catalog("api.ValidationException", fmt::format("Catalog {} does not exist", catalog));
  if (found->second.contains(database)) {
    if (if_not_exists) return;
    fail_catalog("catalog.exceptions.DatabaseAlreadyExistException",
                 fmt::format("Database {} already exists in Catalog {}.", database, catalog));
  }
  found->second[database];
}

void Catalog::drop_database(const std::string& catalog, const std::string& database, bool if_exists, bool cascade) {
  auto found = databases_.find(catalog);
  if (found == databases_.end())
    fail_catalog("api.ValidationException", fmt::format("Catalog {} does not exist", catalog));
  if (!found->second.contains(database)) {
    if (if_exists) return;
    fail_catalog("catalog.exceptions.DatabaseNotExistException",
                 fmt::format("Database {} does not exist in Catalog {}.", database, catalog));
  }
  if (catalog == catalog_ && database == database_)
    fail_catalog("api.ValidationException", "Cannot drop a database which is currently in use.");
  for (const CatalogTablePtr& object : objects(catalog, database)) {
    if (!cascade) {
      fail_catalog("catalog.exceptions.DatabaseNotEmptyException",
                   fmt::format("Database {} in catalog {} is not empty.", database, catalog));
    }
    drop(object->path);
  }
  found->second.erase(database);
}

void Catalog::create_catalog(const std::string& name, bool if_not_exists) {
  if (databases_.contains(name)) {
    if (if_not_exists) return;
    fail_catalog("catalog.exceptions.CatalogException", fmt::format("Catalog {} already exists.", name));
  }
  databases_[name]["default"];
}

void Catalog::drop_catalog(const std::string& name, bool if_exists) {
  if (!databases_.contains(name)) {
    if (if_exists) return;
    fail_catalog("catalog.exceptions.CatalogException", fmt::format("Catalog {} does not exist.", name));
  }
  if (name == catalog_)
    fail_catalog("catalog.exceptions.CatalogException", "Cannot drop a catalog which is currently in use.");
  for (const std::string& database : databases(name))
    for (const CatalogTablePtr& object : objects(name, database)) drop(object->path);
  databases_.erase(name);
}

void Catalog::use_catalog(const std::string& name) {
  auto found = databases_.find(name);
  if (found == databases_.end())
    fail_catalog("catalog.exceptions.CatalogException", fmt::format("A catalog with name [{}] does not exist.", name));
  catalog_ = name;
  database_ = name == "default_catalog" ? "default_database" : found->second.begin()->first;
}

void Catalog::use_database(const std::string& catalog, const std::string& database) {
  if (!databases_.contains(catalog))
    fail_catalog("catalog.exceptions.CatalogException",
                 fmt::format("A catalog with name [{}] does not exist.", catalog));
  if (!has_database(catalog, database)) {
    fail_catalog("catalog.exceptions.CatalogException",
                 fmt::format("A database with name [{}] does not exist in the catalog: [{}].", database, catalog));
  }
  catalog_ = catalog;
  database_ = database;
}

std::vector<std::string> Catalog::catalogs() const {
  std::vector<std::string> names;
  for (const auto& [name, databases] : databases_) names.push_back(name);
  return names;
}

std::vector<std::string> Catalog::databases(const std::string& catalog) const {
  std::vector<std::string> names;
  if (auto found = databases_.find(catalog); found != databases_.end())
    for (const auto& [name, unused] : found->second) names.push_back(name);
  return names;
}

std::vector<CatalogTablePtr> Catalog::objects(const std::string& catalog, const std::string& database) const {
  std::map<std::string, CatalogTablePtr> by_name;
  for (const auto* store : {&tables_, &temporary_})
    for (const auto& [path, table] : *store)
      if (path.catalog == catalog && path.database == database) by_name[path.object] = table;
  std::vector<CatalogTablePtr> result;
  for (auto& [name, table] : by_name) result.push_back(table);
  return result;
}

}  // namespace millrace::processing::sql
