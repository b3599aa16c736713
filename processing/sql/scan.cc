// Reading a table of the catalog: the row its source gives, and the table's columns as expressions over it.
//   source row: physical columns, then metadata columns
//   table row:  the columns in the order of their definition, computed ones among them
#include <fmt/format.h>

#include <algorithm>

#include "processing/sql/connectors.h"
#include "processing/sql/nodes.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

using Kind = ColumnDef::Kind;

DataType plain_type(const Column& column) {
  DataType type = column.type;
  type.attribute = TimeAttribute::none;
  return type;
}

// The metadata a column asks for.
plan::MetadataColumn metadata_of(const Column& column, const CatalogTable& table, const std::string& connector) {
  const ColumnDef& definition = column.definition;
  const std::vector<plan::MetadataColumn> readable = readable_metadata(connector);
  if (readable.empty()) {
    fail_flink_validation(
        fmt::format("Table '{}' declares metadata columns, but the underlying DynamicTableSource doesn't "
                    "implement the SupportsReadingMetadata interface. Therefore, metadata cannot be read "
                    "from the given source.",
                    table.path.text()));
  }
  const std::string key = definition.metadata_key.value_or(definition.name);
  auto found = std::ranges::find(readable, key, &plan::MetadataColumn::key);
  if (found == readable.end()) {
    std::string keys;
    for (const plan::MetadataColumn& m : readable) keys += (keys.empty() ? "" : "\n") + m.key;
    fail_flink_validation(
        fmt::format("Invalid metadata key '{}' in column '{}' of table '{}'. The DynamicTableSource class "
                    "'{}' supports the following metadata keys for reading:\n{}",
                    key, definition.name, table.path.text(), source_class(connector), keys));
  }
  if (!can_cast_explicitly(found->type, definition.type)) {
    fail_flink_validation(
        fmt::format("Invalid data type for metadata column '{}' of table '{}'. The column cannot be declared "
                    "as '{}' because the type must be castable from metadata type '{}'.",
                    definition.name, table.path.text(), to_string(definition.type), to_string(found->type)));
  }
  return *found;
}

void add_source_row(plan::Scan& scan, const CatalogTable& table) {
  for (const Column& column : table.columns)
    if (column.definition.kind == Kind::physical) scan.physical.push_back({column.definition.name, plain_type(column)});
  scan.needed.assign(scan.physical.size(), true);
  for (const Column& column : table.columns)
    if (column.definition.kind == Kind::metadata) scan.metadata.push_back(metadata_of(column, table, scan.connector));
}

TypedExpr metadata_column(const plan::MetadataColumn& metadata, int index, const Column& column) {
  const std::string& name = column.definition.name;
  const DataType type = plain_type(column);
  TypedExpr expr = make_column(index, metadata.type, name);
  if (!same_ignoring_nullability(metadata.type, type)) return make_cast(expr, type);
  return expr->type.nullable == type.nullable ? expr : make_column(index, type, name);
}

// The columns that are not computed, over the source row.
std::vector<TypedExpr> stored_columns(const plan::Scan& scan, const CatalogTable& table) {
  std::vector<TypedExpr> exprs;
  int physical = 0;
  size_t metadata = 0;
  for (const Column& column : table.columns) {
    switch (column.definition.kind) {
      case Kind::physical:
        exprs.push_back(make_column(physical++, plain_type(column), column.definition.name));
        break;
      case Kind::metadata: {
        const int index = static_cast<int>(scan.physical.size() + metadata);
        exprs.push_back(metadata_column(scan.metadata[metadata++], index, column));
        break;
      }
      case Kind::computed:
        break;
    }
  }
  return exprs;
}

// What names mean in the table's own expressions.
Scope scope_of(const CatalogTable& table, bool computed_too) {
  Scope scope;
  for (const Column& column : table.columns)
    if (computed_too || column.definition.kind != Kind::computed)
      scope.columns.push_back({column.definition.name, plain_type(column)});
  scope.tables.push_back({table.path.object, {}, 0, static_cast<int>(scope.columns.size())});
  return scope;
}

void add_table_row(plan::Scan& scan, const CatalogTable& table) {
  const Scope scope = scope_of(table, false);
  const std::vector<TypedExpr> stored = stored_columns(scan, table);
  size_t next_stored = 0;
  for (const Column& column : table.columns) {
    const bool computed = column.definition.kind == Kind::computed;
    scan.outputs.push_back(computed ? substitute(Binder(scope).bind(*column.definition.expr), stored)
                                    : stored[next_stored++]);
    scan.schema.push_back({column.definition.name, column.type});
  }
}

void add_watermark(plan::Scan& scan, const CatalogTable& table) {
  const Scope scope = scope_of(table, true);
  const WatermarkDef& definition = *table.watermark;
  NodePtr name = make_node(NodeKind::name, definition.column.pos);
  name->name = definition.column;
  plan::WatermarkSpec watermark;
  watermark.rowtime = substitute(Binder(scope).bind(*name), scan.outputs);
  watermark.watermark = substitute(Binder(scope).bind(*definition.expr), scan.outputs);
  if (definition.column.parts.size() == 1) scan.rowtime = table.column_index(definition.column.parts[0]);
  scan.watermark = std::move(watermark);
}

// The topic's records are the newest rows by key; each becomes the change it means.
Relation changes_by_key(std::shared_ptr<plan::Scan> scan, const CatalogTable& table) {
  auto normalize = std::make_shared<plan::ChangelogNormalize>();
  normalize->schema = scan->schema;
  for (const std::string& key : scan->primary_key) normalize->key.push_back(table.column_index(key));
  normalize->upsert_key = normalize->key;
  normalize->changelog = plan::Changelog::retract;
  scan->changelog = plan::Changelog::upsert;
  scan->upsert_key = normalize->key;
  normalize->inputs = {std::move(scan)};
  return {normalize, std::nullopt};
}

}  // namespace

Relation Planner::scan(const CatalogTable& table, const Options& hints) {
  TableOptions options{table, {}};
  for (const auto& [key, value] : table.options) options.values[key] = value;
  for (const auto& [key, value] : hints) options.values[key] = value;
  check_source(options);

  auto node = std::make_shared<plan::Scan>();
  node->table = table.path.text();
  node->connector = options.values.at("connector");
  node->options = options.values;
  add_source_row(*node, table);
  add_table_row(*node, table);
  if (table.watermark) add_watermark(*node, table);
  if (table.primary_key) node->primary_key = table.primary_key->columns;
  if (node->connector == "upsert-kafka") return changes_by_key(std::move(node), table);
  return {node, std::nullopt};
}

}  // namespace millrace::processing::sql
