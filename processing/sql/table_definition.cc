// Whether the definition of a table makes sense: the types of its columns, its primary key, its watermark.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/sql/planner.h"

namespace millrace::processing::sql {

namespace {

// Names in a table's own expressions mean its physical and metadata columns.
void check_table_names(const Node& node, const Scope& scope) {
  if (node.kind == NodeKind::name) {
    bool known = std::ranges::any_of(scope.columns, [&](const Field& f) { return f.name == node.name.parts[0]; });
    if (!known) fail_validation(fmt::format("Unknown identifier '{}'", node.name.text()), node.pos);
  }
  for (const NodePtr& operand : node.operands)
    if (operand != nullptr) check_table_names(*operand, scope);
}

Scope own_columns(const CatalogTable& table, bool computed_too) {
  Scope scope;
  for (const Column& column : table.columns) {
    bool computed = column.definition.kind == ColumnDef::Kind::computed;
    if (!computed || computed_too) scope.columns.push_back({column.definition.name, column.type});
  }
  scope.tables.push_back({table.path.object, {}, 0, static_cast<int>(scope.columns.size())});
  return scope;
}

void resolve_columns(CatalogTable& table) {
  std::set<std::string> seen;
  for (Column& column : table.columns) {
    const ColumnDef& definition = column.definition;
    if (!seen.insert(definition.name).second) {
      const std::string name = definition.name;
      if (definition.kind == ColumnDef::Kind::physical) {
        fail_flink_validation(fmt::format("A regular Column named '{}' already exists in the table.", name), {},
                              definition.pos);
      }
      fail_flink_validation(
          fmt::format("A column named '{}' already exists in the table. Duplicate columns exist in the "
                      "{} column and regular column. ",
                      name, definition.kind == ColumnDef::Kind::computed ? "compute" : "metadata"),
          {}, definition.pos);
    }
    if (definition.kind != ColumnDef::Kind::computed) column.type = definition.type;
  }
  const Scope base = own_columns(table, false);
  for (Column& column : table.columns) {
    if (column.definition.kind != ColumnDef::Kind::computed) continue;
    check_table_names(*column.definition.expr, base);
    TypedExpr expr = Binder(base).bind(*column.definition.expr);
    column.type = is_column(expr) ? materialized(expr)->type : expr->type;
  }
}

// Columns of a key cannot be NULL.
void resolve_primary_key(CatalogTable& table) {
  const PrimaryKeyDef& key = *table.primary_key;
  if (key.enforced) {
    fail_flink_validation(
        "Flink doesn't support ENFORCED mode for PRIMARY KEY constraint. ENFORCED/NOT ENFORCED  controls if the "
        "constraint checks are performed on the incoming/outgoing data. Flink does not own the data therefore the only "
        "supported mode is the NOT ENFORCED mode");
  }
  for (size_t i = 0; i < key.columns.size(); ++i) {
    const int index = table.column_index(key.columns[i]);
    const Pos pos = i < key.positions.size() ? key.positions[i] : key.pos;
    if (index < 0) {
      const Pos start{pos.line, pos.column, pos.line, pos.column};
      fail_flink_validation(fmt::format("Primary key column '{}' is not defined in the schema at line {}, column {}",
                                        key.columns[i], pos.line, pos.column),
                            {}, start);
    }
    Column& column = table.columns[static_cast<size_t>(index)];
    if (column.definition.kind != ColumnDef::Kind::physical) {
      fail_flink_validation(fmt::format(
          "Could not create a PRIMARY KEY with column '{}' at line {}, column {}.\nA PRIMARY KEY constraint must "
          "be declared on physical columns.",
          key.columns[i], pos.line, pos.column));
    }
    column.type.nullable = false;
  }
}

// The type of a column, or of a field within one; nothing when there is none of that name.
std::optional<DataType> type_of(const CatalogTable& table, const Name& name) {
  const int index = table.column_index(name.parts[0]);
  if (index < 0) return std::nullopt;
  DataType type = table.columns[static_cast<size_t>(index)].type;
  for (size_t i = 1; i < name.parts.size(); ++i) {
    const int field = type.is(TypeRoot::row) ? type.field_index(name.parts[i]) : -1;
    if (field < 0) return std::nullopt;
    type = DataType(type.child(static_cast<size_t>(field)));
  }
  return type;
}

void check_watermark_type(const DataType& type, const char* whose, const char* also) {
  if (type.is_timestamp() && type.precision <= 3) return;
  fail_flink_validation(
      fmt::format("Invalid data type of {} for watermark definition. The field must be of type TIMESTAMP(p) or "
                  "TIMESTAMP_LTZ(p), the supported precision 'p' is from 0 to 3, but the {} type is {}",
                  whose, also, describe_text(type)));
}

// Makes the column a time attribute.
void resolve_watermark(CatalogTable& table) {
  const WatermarkDef& watermark = *table.watermark;
  const Pos& pos = watermark.column.pos;
  const std::optional<DataType> type = type_of(table, watermark.column);
  if (!type) {
    fail_flink_validation(
        fmt::format("The rowtime attribute field '{}' is not defined in the table schema, at line {}, column {}",
                    watermark.column.text(), pos.line, pos.column),
        {}, {pos.line, pos.column, pos.line, pos.column});
  }
  check_watermark_type(*type, "time field", "time field");
  const Scope all = own_columns(table, true);
  check_table_names(*watermark.expr, all);
  TypedExpr expr = Binder(all).bind(*watermark.expr);
  check_watermark_type(expr->type, "expression", "watermark expression");
  if (expr->type.root != type->root) {
    fail_flink_validation(
        fmt::format("The watermark declaration's output data type '{}' is different from the time field's data "
                    "type '{}'.",
                    describe_text(expr->type), describe_text(*type)));
  }
  if (watermark.column.parts.size() > 1) return;
  const int index = table.column_index(watermark.column.parts[0]);
  table.columns[static_cast<size_t>(index)].type.attribute = TimeAttribute::rowtime;
}

}  // namespace

void Planner::resolve_table(CatalogTable& table) {
  resolve_columns(table);
  if (table.primary_key) resolve_primary_key(table);
  if (table.watermark) resolve_watermark(table);
}

}  // namespace millrace::processing::sql
