// FROM: tables of the catalog with their computed and metadata columns, views, window functions, UNNEST.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/sql/connectors.h"
#include "processing/sql/literals.h"
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

}  // namespace

void Planner::resolve_table(CatalogTable& table) {
  std::set<std::string> seen;
  for (Column& column : table.columns) {
    const ColumnDef& definition = column.definition;
    if (!seen.insert(definition.name).second) {
      fail_flink_validation(fmt::format("A column named '{}' already exists in the table.", definition.name), {},
                            definition.pos);
    }
    if (definition.kind != ColumnDef::Kind::computed) column.type = definition.type;
  }
  Scope base = own_columns(table, false);
  for (Column& column : table.columns) {
    if (column.definition.kind != ColumnDef::Kind::computed) continue;
    check_table_names(*column.definition.expr, base);
    TypedExpr expr = Binder(base).bind(*column.definition.expr);
    column.type = is_column(expr) ? materialized(expr)->type : expr->type;
  }
  if (table.primary_key) {
    const PrimaryKeyDef& key = *table.primary_key;
    if (key.enforced) {
      fail_flink_validation(
          "Flink doesn't support ENFORCED mode for PRIMARY KEY constraint. ENFORCED/NOT ENFORCED  controls if the "
          "constraint "
          "checks are performed on the incoming/outgoing data. Flink does not own the data therefore the only "
          "supported mode "
          "is the NOT ENFORCED mode");
    }
    for (size_t i = 0; i < key.columns.size(); ++i) {
      int index = table.column_index(key.columns[i]);
      Pos pos = i < key.positions.size() ? key.positions[i] : key.pos;
      if (index < 0) {
        Pos start{pos.line, pos.column, pos.line, pos.column};
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
  if (table.watermark) {
    const WatermarkDef& watermark = *table.watermark;
    const Pos& pos = watermark.column.pos;
    int index = table.column_index(watermark.column.parts[0]);
    DataType type;
    if (index >= 0) type = table.columns[static_cast<size_t>(index)].type;
    for (size_t i = 1; index >= 0 && i < watermark.column.parts.size(); ++i) {
      int field = type.is(TypeRoot::row) ? type.field_index(watermark.column.parts[i]) : -1;
      if (field < 0) {
        index = -1;
      } else {
        type = type.child(static_cast<size_t>(field));
      }
    }
    if (index < 0) {
      fail_flink_validation(
          fmt::format("The rowtime attribute field '{}' is not defined in the table schema, at line {}, "
                      "column {}",
                      watermark.column.text(), pos.line, pos.column),
          {}, {pos.line, pos.column, pos.line, pos.column});
    }
    if (!type.is_timestamp() || type.precision > 3) {
      fail_flink_validation(fmt::format(
          "Invalid data type of time field for watermark definition. The field must be of type TIMESTAMP(p) or "
          "TIMESTAMP_LTZ(p), the supported precision 'p' is from 0 to 3, but the time field type is {}",
          describe_text(type)));
    }
    Scope all = own_columns(table, true);
    check_table_names(*watermark.expr, all);
    TypedExpr expr = Binder(all).bind(*watermark.expr);
    if (!expr->type.is_timestamp() || expr->type.precision > 3) {
      fail_flink_validation(fmt::format(
          "Invalid data type of expression for watermark definition. The field must be of type TIMESTAMP(p) or "
          "TIMESTAMP_LTZ(p), the supported precision 'p' is from 0 to 3, but the watermark expression type is {}",
          describe_text(expr->type)));
    }
    if (expr->type.root != type.root) {
      fail_flink_validation(
          fmt::format("The watermark declaration's output data type '{}' is different from the time field's data "
                      "type '{}'.",
                      describe_text(expr->type), describe_text(type)));
    }
    if (watermark.column.parts.size() == 1) {
      DataType& rowtime = table.columns[static_cast<size_t>(index)].type;
      rowtime.attribute = TimeAttribute::rowtime;
    }
  }
}

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

Relation Planner::scan(const CatalogTable& table, const Options& hints) {
  TableOptions options{table, {}};
  for (const auto& [key, value] : table.options) options.values[key] = value;
  for (const auto& [key, value] : hints) options.values[key] = value;
  check_source(options);

  auto node = std::make_shared<plan::Scan>();
  node->table = table.path.text();
  node->connector = options.values.at("connector");
  node->options = options.values;
  // The source row: physical columns, then metadata columns.
  std::map<std::string, int> source_index;
  for (const Column& column : table.columns) {
    if (column.definition.kind != ColumnDef::Kind::physical) continue;
    source_index[column.definition.name] = static_cast<int>(node->physical.size());
    DataType type = column.type;
    type.attribute = TimeAttribute::none;
    node->physical.push_back({column.definition.name, type});
  }
  node->needed.assign(node->physical.size(), true);
  std::vector<plan::MetadataColumn> readable = readable_metadata(node->connector);
  for (const Column& column : table.columns) {
    const ColumnDef& definition = column.definition;
    if (definition.kind != ColumnDef::Kind::metadata) continue;
    std::string key = definition.metadata_key.value_or(definition.name);
    auto found = std::ranges::find(readable, key, &plan::MetadataColumn::key);
    if (found == readable.end()) {
      std::string keys;
      for (const plan::MetadataColumn& m : readable) keys += (keys.empty() ? "" : "\n") + m.key;
      if (readable.empty()) {
        fail_flink_validation(
            fmt::format("Table '{}' declares metadata columns, but the underlying DynamicTableSource doesn't "
                        "implement the SupportsReadingMetadata interface. Therefore, metadata cannot be read "
                        "from the given source.",
                        table.path.text()));
      }
      fail_flink_validation(
          fmt::format("Invalid metadata key '{}' in column '{}' of table '{}'. The DynamicTableSource class "
                      "'{}' supports the following metadata keys for reading:\n{}",
                      key, definition.name, table.path.text(), source_class(node->connector), keys));
    }
    if (!can_cast_explicitly(found->type, definition.type)) {
      fail_flink_validation(
          fmt::format("Invalid data type for metadata column '{}' of table '{}'. The column cannot be declared "
                      "as '{}' because the type must be castable from metadata type '{}'.",
                      definition.name, table.path.text(), to_string(definition.type), to_string(found->type)));
    }
    source_index[definition.name] = static_cast<int>(node->physical.size() + node->metadata.size());
    node->metadata.push_back(*found);
  }
  // What names mean for the table's own expressions, and the expression each stands for.
  Scope base;
  std::vector<TypedExpr> base_exprs;
  for (const Column& column : table.columns) {
    if (column.definition.kind == ColumnDef::Kind::computed) continue;
    DataType type = column.type;
    type.attribute = TimeAttribute::none;
    int index = source_index.at(column.definition.name);
    TypedExpr expr;
    if (column.definition.kind == ColumnDef::Kind::metadata) {
      const plan::MetadataColumn& metadata = node->metadata[static_cast<size_t>(index) - node->physical.size()];
      expr = make_column(index, metadata.type, column.definition.name);
      if (!same_ignoring_nullability(metadata.type, type)) {
        expr = make_cast(expr, type);
      } else if (expr->type.nullable != type.nullable) {
        expr = make_column(index, type, column.definition.name);
      }
    } else {
      expr = make_column(index, type, column.definition.name);
    }
    base.columns.push_back({column.definition.name, type});
    base_exprs.push_back(expr);
  }
  base.tables.push_back({table.path.object, {}, 0, static_cast<int>(base.columns.size())});

  Scope all;
  size_t next_base = 0;
  for (const Column& column : table.columns) {
    TypedExpr expr;
    if (column.definition.kind == ColumnDef::Kind::computed) {
      expr = substitute(Binder(base).bind(*column.definition.expr), base_exprs);
    } else {
      expr = base_exprs[next_base++];
    }
    DataType type = column.type;
    node->outputs.push_back(expr);
    node->schema.push_back({column.definition.name, type});
    type.attribute = TimeAttribute::none;
    all.columns.push_back({column.definition.name, type});
  }
  all.tables.push_back({table.path.object, {}, 0, static_cast<int>(all.columns.size())});
  if (table.watermark) {
    plan::WatermarkSpec watermark;
    auto name = std::make_shared<Node>();
    name->kind = NodeKind::name;
    name->name = table.watermark->column;
    name->pos = name->name.pos;
    watermark.rowtime = substitute(Binder(all).bind(*name), node->outputs);
    watermark.watermark = substitute(Binder(all).bind(*table.watermark->expr), node->outputs);
    if (table.watermark->column.parts.size() == 1) node->rowtime = table.column_index(table.watermark->column.parts[0]);
    node->watermark = std::move(watermark);
  }
  if (table.primary_key) node->primary_key = table.primary_key->columns;

  if (node->connector != "upsert-kafka") return {node, std::nullopt};
  // The topic's records are the newest rows by key.
  node->changelog = plan::Changelog::upsert;
  auto normalize = std::make_shared<plan::ChangelogNormalize>();
  normalize->inputs = {node};
  normalize->schema = node->schema;
  for (const std::string& key : node->primary_key) normalize->key.push_back(table.column_index(key));
  node->upsert_key = normalize->key;
  normalize->upsert_key = normalize->key;
  normalize->changelog = plan::Changelog::retract;
  return {normalize, std::nullopt};
}

plan::WindowSpec Planner::window_spec(const std::string& name, const std::vector<NodePtr>& arguments,
                                      const Node& function) {
  plan::WindowSpec spec;
  std::vector<int64_t> sizes;
  for (const NodePtr& argument : arguments) {
    std::optional<int64_t> millis = interval_millis(*argument);
    if (!millis && argument->is_call("-") && argument->operands.size() == 1) {
      millis = interval_millis(*argument->operands[0]);
      if (millis) *millis = -*millis;
    }
    if (!millis) {
      fail_validation(
          fmt::format("Cannot apply '{}' to arguments of that kind: its sizes are intervals of days or less", name),
          function.pos);
    }
    sizes.push_back(*millis);
  }
  auto at = [&](size_t i) { return i < sizes.size() ? sizes[i] : 0; };
  if (name == "TUMBLE") {
    spec.kind = plan::WindowSpec::Kind::tumble;
    spec.size = at(0);
    spec.offset = at(1);
  } else if (name == "HOP") {
    spec.kind = plan::WindowSpec::Kind::hop;
    spec.slide = at(0);
    spec.size = at(1);
    spec.offset = at(2);
  } else if (name == "CUMULATE") {
    spec.kind = plan::WindowSpec::Kind::cumulate;
    spec.slide = at(0);
    spec.size = at(1);
    spec.offset = at(2);
  } else {
    spec.kind = plan::WindowSpec::Kind::session;
    spec.size = at(0);
  }
  return spec;
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

// TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND [, offset])
Relation Planner::window_function(const Node& function, const Scope* outer) {
  const std::string& name = function.op;
  std::vector<std::string> parameters =
      name == "TUMBLE"     ? std::vector<std::string>{"DATA", "TIMECOL", "SIZE", "OFFSET"}
      : name == "HOP"      ? std::vector<std::string>{"DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"}
      : name == "CUMULATE" ? std::vector<std::string>{"DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"}
                           : std::vector<std::string>{"DATA", "TIMECOL", "GAP"};
  std::vector<NodePtr> arguments(parameters.size());
  size_t position = 0;
  for (const NodePtr& operand : function.operands) {
    size_t index = position++;
    NodePtr value = operand;
    if (operand->is_call("=>")) {
      auto found = std::ranges::find(parameters, operand->text);
      if (name == "SESSION" && found == parameters.end() && operand->text == "SIZE") found = parameters.end() - 1;
      if (found == parameters.end())
        fail_validation(fmt::format("Unknown argument name '{}' for function '{}'", operand->text, name), operand->pos);
      index = static_cast<size_t>(found - parameters.begin());
      value = operand->operands[0];
    }
    if (index >= arguments.size()) {
      fail_validation(fmt::format("Invalid number of arguments to function '{}'. Was expecting {} arguments", name,
                                  parameters.size() - 1),
                      function.pos);
    }
    arguments[index] = value;
  }
  size_t required = name == "TUMBLE" || name == "SESSION" ? 3 : 4;
  for (size_t i = 0; i < required; ++i) {
    if (arguments[i] != nullptr) continue;
    fail_validation(
        fmt::format("Invalid number of arguments to function '{}'. Was expecting {} arguments", name, required),
        function.pos);
  }
  const Node& data = *arguments[0];
  FromResult input;
  if (data.kind == NodeKind::query || data.query != nullptr) {
    input.relation = relation_of(*data.query, outer);
    input.scope.columns = input.relation.node->schema;
  } else if (data.is_call("TABLE") || data.kind == NodeKind::name) {
    TableRef table;
    table.name = data.name;
    table.pos = data.pos;
    input = from_table(table);
  } else {
    fail_validation(fmt::format("Cannot apply '{}': its first argument is a table", name), data.pos);
  }
  const Node& descriptor = *arguments[1];
  if (!descriptor.is_call("DESCRIPTOR") || descriptor.operands.size() != 1 ||
      descriptor.operands[0]->kind != NodeKind::name)
    fail_validation(fmt::format("Cannot apply '{}': its second argument is DESCRIPTOR(timecol)", name), descriptor.pos);
  const Node& column = *descriptor.operands[0];
  int time_column = -1;
  for (size_t i = 0; i < input.scope.columns.size(); ++i)
    if (input.scope.columns[i].name == column.name.last()) time_column = static_cast<int>(i);
  if (time_column < 0) fail_validation(fmt::format("Unknown identifier '{}'", column.name.text()), column.pos);
  const DataType& type = input.relation.node->schema[static_cast<size_t>(time_column)].type;
  if (!type.is_timestamp()) {
    const char* usage =
        name == "TUMBLE" || name == "SESSION"
            ? "{}(TABLE table_name, DESCRIPTOR(timecol), datetime interval[, datetime interval])"
            : "{}(TABLE table_name, DESCRIPTOR(timecol), datetime interval, datetime interval[, datetime interval])";
    fail_flink_validation(
        fmt::format("The window function {} requires the timecol to be TIMESTAMP or TIMESTAMP_LTZ, but is {}.",
                    fmt::format(fmt::runtime(usage), name), planner_text(type)));
  }
  if (!type.is_time_attribute()) {
    fail_flink_validation(fmt::format("The window function requires the timecol is a time attribute type, but is {}.",
                                      planner_text(type)));
  }
  auto node = std::make_shared<plan::WindowTvf>();
  node->window =
      window_spec(name, {arguments.begin() + 2, std::find(arguments.begin() + 2, arguments.end(), nullptr)}, function);
  node->window.time_column = time_column;
  node->window.proctime = type.attribute == TimeAttribute::proctime;
  node->window.local_time = type.is(TypeRoot::timestamp_ltz);
  for (const NodePtr& key : data.operands) {
    Scope scope = input.scope;
    TypedExpr expr = Binder(scope).bind(*key);
    if (!is_column(expr)) fail_validation("PARTITION BY of a window function takes columns", key->pos);
    node->window.partition_by.push_back(expr->index);
  }
  if (input.relation.node->changelog != plan::Changelog::insert_only &&
      node->window.kind != plan::WindowSpec::Kind::session) {
    // Windows are assigned row by row; changes keep their kind.
    node->changelog = input.relation.node->changelog;
  }
  node->inputs = {input.relation.node};
  node->schema = input.relation.node->schema;
  WindowTrait trait;
  trait.spec = node->window;
  trait.start = static_cast<int>(node->schema.size());
  trait.end = trait.start + 1;
  trait.time = trait.start + 2;
  node->schema.push_back({"window_start", DataType::timestamp(3).not_null()});
  node->schema.push_back({"window_end", DataType::timestamp(3).not_null()});
  node->schema.push_back({"window_time", DataType(type.root, 3).not_null().with_attribute(type.attribute)});
  return {node, trait};
}

Planner::FromResult Planner::from_unnest(const TableRef& table, FromResult left, bool outer_join,
                                         const NodePtr& condition) {
  Binder binder(left.scope);
  auto node = std::make_shared<plan::Unnest>();
  node->collection = binder.bind(*table.array);
  node->outer = outer_join;
  node->ordinality = table.with_ordinality;
  const DataType& type = node->collection->type;
  std::vector<Field> fields;
  if (type.is(TypeRoot::map)) {
    fields = {{"KEY", type.child(0)}, {"VALUE", type.child(1)}};
  } else if (type.is(TypeRoot::array) || type.is(TypeRoot::multiset)) {
    const DataType& element = type.child(0);
    if (element.is(TypeRoot::row)) {
      fields = *element.fields;
    } else {
      fields = {{"EXPR$0", element}};
    }
  } else {
    fail_validation(fmt::format("Cannot apply 'UNNEST' to arguments of type 'UNNEST(<{}>)'. Supported form(s): "
                                "'UNNEST(<MULTISET>)'\n'UNNEST(<ARRAY>)'\n'UNNEST(<MAP>)'",
                                planner_text(type)),
                    table.pos);
  }
  if (node->ordinality) fields.push_back({"ORDINALITY", DataType::integer().not_null()});
  if (!table.alias_columns.empty()) {
    if (table.alias_columns.size() != fields.size())
      fail_validation(
          fmt::format("List of column aliases must have same degree as table; table has {} columns, whereas alias "
                      "list has {} columns",
                      fields.size(), table.alias_columns.size()),
          table.alias_pos);
    for (size_t i = 0; i < fields.size(); ++i) fields[i].name = table.alias_columns[i];
  }
  if (outer_join)
    for (Field& field : fields) field.type.nullable = true;
  node->inputs = {left.relation.node};
  node->schema = left.relation.node->schema;
  node->changelog = left.relation.node->changelog;
  int first = static_cast<int>(node->schema.size());
  for (Field& field : fields) node->schema.push_back(field);
  FromResult result;
  result.scope = left.scope;
  result.scope.columns = node->schema;
  result.scope.tables.push_back({table.alias, {}, first, static_cast<int>(fields.size())});
  result.scope.hidden.resize(node->schema.size());
  if (condition != nullptr) {
    TypedExpr typed = checked_condition(Binder(result.scope).bind(*condition), "ON");
    bool always =
        typed->kind == processing::Expr::Kind::literal && !typed->literal.is_null() && typed->literal.as_bool();
    if (!always) {
      if (outer_join) {
        node->condition = typed;
      } else {
        result.relation = filter_by({node, left.relation.window}, typed);
        return result;
      }
    }
  }
  result.relation = {node, left.relation.window};
  return result;
}

}  // namespace millrace::processing::sql
