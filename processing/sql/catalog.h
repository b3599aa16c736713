// The names of a session: catalogs, databases, tables and views. Tables keep their definition as written (for SHOW
// CREATE and for planning their expressions where they are read) and their resolved column types.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "processing/sql/ast.h"
#include "processing/types.h"

namespace millrace::processing::sql {

struct ObjectPath {
  std::string catalog, database, object;

  std::string text() const { return catalog + "." + database + "." + object; }
  std::string quoted() const;
  auto operator<=>(const ObjectPath&) const = default;
};

struct Column {
  ColumnDef definition;
  DataType type;  // resolved: of computed columns too, NOT NULL for primary keys, rowtime marked
};

struct CatalogTable {
  ObjectPath path;
  bool temporary = false;
  std::vector<Column> columns;
  std::optional<WatermarkDef> watermark;
  std::optional<PrimaryKeyDef> primary_key;
  std::vector<std::string> partitioned_by;
  Options options;  // in the order written
  std::string comment;

  // A view: its query and the names it was written against.
  bool is_view = false;
  QueryPtr query;
  std::string query_text;
  std::vector<std::string> view_columns;
  std::string view_catalog, view_database;

  std::string option(std::string_view key) const;  // empty: not set
  int column_index(std::string_view name) const;   // −1: none
};
using CatalogTablePtr = std::shared_ptr<const CatalogTable>;

class Catalog {
 public:
  Catalog();

  const std::string& current_catalog() const { return catalog_; }
  const std::string& current_database() const { return database_; }

  // Fills in the current catalog and database.
  ObjectPath qualify(const Name& name) const;
  ObjectPath qualify(const Name& name, const std::string& catalog, const std::string& database) const;
  CatalogTablePtr find(const ObjectPath& path) const;
  // Whether `name` leads to a table: its object, or as catalog.database.object.
  bool has_database(const std::string& catalog, const std::string& database) const;

  void create(CatalogTablePtr table, bool if_not_exists, const char* operation);
  void replace(CatalogTablePtr table);
  // False: there was none.
  bool drop(const ObjectPath& path);
  void rename(const ObjectPath& from, const std::string& to);

  void create_database(const std::string& catalog, const std::string& database, bool if_not_exists);
  void drop_database(const std::string& catalog, const std::string& database, bool if_exists, bool cascade);
  void create_catalog(const std::string& name, bool if_not_exists);
  void drop_catalog(const std::string& name, bool if_exists);
  void use_catalog(const std::string& name);
  void use_database(const std::string& catalog, const std::string& database);

  std::vector<std::string> catalogs() const;
  std::vector<std::string> databases(const std::string& catalog) const;
  std::vector<CatalogTablePtr> objects(const std::string& catalog, const std::string& database) const;  // by name

 private:
  std::string catalog_ = "default_catalog";
  std::string database_ = "default_database";
  std::map<std::string, std::map<std::string, std::string>> databases_;  // catalog → database → (unused comment)
  std::map<ObjectPath, CatalogTablePtr> tables_;
  std::map<ObjectPath, CatalogTablePtr> temporary_;
};

}  // namespace millrace::processing::sql
