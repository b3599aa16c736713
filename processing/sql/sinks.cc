// INSERT: query columns become the table's columns, with Flink's implicit casts and its refusals.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "processing/sql/connectors.h"
#include "processing/sql/planner.h"

namespace millrace::processing::sql {
namespace {

// "[a: INT, b: STRING]", as the mismatch message prints a schema.
std::string schema_text(const std::vector<Field>& fields) {
  std::string text;
  for (const Field& field : fields) text += (text.empty() ? "" : ", ") + field.name + ": " + to_string(field.type);
  return "[" + text + "]";
}

struct SinkColumn {
  Field field;
  bool metadata = false;
  std::string metadata_key;
};

// The columns of a table that INSERT writes: not computed, not virtual.
std::vector<SinkColumn> sink_columns(const CatalogTable& table) {
  std::vector<SinkColumn> result;
  for (const Column& column : table.columns) {
    const ColumnDef& definition = column.definition;
    if (definition.kind == ColumnDef::Kind::computed) continue;
    if (definition.kind == ColumnDef::Kind::metadata && definition.is_virtual) continue;
    SinkColumn sink;
    DataType type = column.type;
    type.attribute = TimeAttribute::none;
    sink.field = {definition.name, type};
    sink.metadata = definition.kind == ColumnDef::Kind::metadata;
    sink.metadata_key = definition.metadata_key.value_or(definition.name);
    result.push_back(std::move(sink));
  }
  return result;
}

const char* summary(const plan::Node& node) {
  switch (node.kind) {
    case plan::Kind::group_aggregate:
      return "GroupAggregate";
    case plan::Kind::join:
      return "Join";
    case plan::Kind::rank:
      return "Rank";
    case plan::Kind::deduplicate:
      return "Deduplicate";
    case plan::Kind::sort_limit:
      return "SortLimit";
    case plan::Kind::changelog_normalize:
      return "ChangelogNormalize";
    case plan::Kind::over:
      return "OverAggregate";
    default:
      return nullptr;
  }
}

// The node nearest to the sink that makes updates, in the words of EXPLAIN.
std::string update_producer(const plan::Node& node) {
  const plan::Node* at = &node;
  while (summary(*at) == nullptr && !at->inputs.empty()) {
    const plan::Node* next = at->inputs[0].get();
    for (const plan::NodePtr& input : at->inputs)
      if (input->changelog != plan::Changelog::insert_only) next = input.get();
    at = next;
  }
  return plan::to_text(*at);
}

bool makes_deletes(const plan::Node& node) {
  switch (node.kind) {
    case plan::Kind::calc:
      return makes_deletes(*node.inputs[0]);
    case plan::Kind::group_aggregate:
      return node.inputs[0]->changelog != plan::Changelog::insert_only;
    case plan::Kind::deduplicate:
      return node.inputs[0]->changelog != plan::Changelog::insert_only;
    default:
      break;
  }
  return true;
}

void find_sources_without_watermark(const plan::Node& node, std::vector<std::string>& names) {
  if (node.kind == plan::Kind::scan) {
    const auto& scan = static_cast<const plan::Scan&>(node);
    if (!scan.watermark && std::ranges::find(names, scan.table) == names.end()) names.push_back(scan.table);
  }
  for (const plan::NodePtr& input : node.inputs) find_sources_without_watermark(*input, names);
}

// A sink that keeps the newest row per key has no use for -U. It may be left out unless a filter stands in between:
// then the row that no longer passes must be taken back.
bool leave_out_update_before(plan::Node& node) {
  switch (node.kind) {
    case plan::Kind::calc: {
      auto& calc = static_cast<plan::Calc&>(node);
      if (calc.condition != nullptr || !leave_out_update_before(*calc.inputs[0])) return false;
      break;
    }
    case plan::Kind::group_aggregate:
      static_cast<plan::GroupAggregate&>(node).emit_update_before = false;
      break;
    case plan::Kind::changelog_normalize:
      static_cast<plan::ChangelogNormalize&>(node).emit_update_before = false;
      break;
    case plan::Kind::deduplicate:
      static_cast<plan::Deduplicate&>(node).emit_update_before = false;
      break;
    case plan::Kind::rank:
      static_cast<plan::Rank&>(node).emit_update_before = false;
      break;
    default:
      return false;
  }
  if (node.changelog != plan::Changelog::insert_only) node.changelog = plan::Changelog::upsert;
  return true;
}

}  // namespace

std::shared_ptr<plan::Sink> Planner::plan_insert(const Insert& insert) {
  ObjectPath path = catalog_.qualify(insert.table);
  CatalogTablePtr table = catalog_.find(path);
  if (table == nullptr) {
    fail_flink_validation(fmt::format("Cannot find table '{}' in any of the catalogs {}, nor as a temporary table.",
                                      path.quoted(), "[default_catalog]"));
  }
  if (table->is_view) fail_table(fmt::format("Sink '{}' does not exists", path.text()));
  return plan_insert_into(*table, insert);
}

std::shared_ptr<plan::Sink> Planner::plan_insert_into(const CatalogTable& table, const Insert& insert) {
  Relation source = relation_of(*insert.query);
  return sink_for(table, insert, std::move(source));
}

std::shared_ptr<plan::Sink> Planner::sink_for(const CatalogTable& table, const Insert& insert, Relation source) {
  TableOptions options{table, {}};
  for (const auto& [key, value] : table.options) options.values[key] = value;
  for (const auto& [key, value] : insert.hints) options.values[key] = value;
  std::vector<SinkColumn> columns = sink_columns(table);

  // Columns named in the statement take the query's columns in order, the rest is NULL.
  std::vector<TypedExpr> outputs;
  std::vector<Field> wanted;
  for (const SinkColumn& column : columns) wanted.push_back(column.field);
  if (!insert.columns.empty()) {
    std::vector<int> position(columns.size(), -1);
    for (size_t i = 0; i < insert.columns.size(); ++i) {
      auto found =
          std::ranges::find_if(columns, [&](const SinkColumn& c) { return c.field.name == insert.columns[i]; });
      if (found == columns.end())
        fail_validation(fmt::format("Unknown target column '{}'", insert.columns[i]), insert.column_positions[i]);
      int& slot = position[static_cast<size_t>(found - columns.begin())];
      if (slot >= 0)
        fail_validation(fmt::format("Target column '{}' is assigned more than once", insert.columns[i]),
                        insert.column_positions[i]);
      slot = static_cast<int>(i);
    }
    if (source.node->schema.size() != insert.columns.size()) {
      fail_validation("Number of columns must match number of query columns", insert.query->pos);
    }
    for (size_t i = 0; i < columns.size(); ++i) {
      if (position[i] >= 0) {
        outputs.push_back(column_of(*source.node, position[i]));
      } else {
        if (!columns[i].field.type.nullable)
          fail_validation(
              fmt::format("Column '{}' has no default value and does not allow NULLs", columns[i].field.name), {});
        outputs.push_back(make_literal(Value(), columns[i].field.type.with_nullable(true)));
      }
    }
  } else {
    for (size_t i = 0; i < source.node->schema.size(); ++i)
      outputs.push_back(column_of(*source.node, static_cast<int>(i)));
  }
  std::string mismatch;
  if (outputs.size() != columns.size()) {
    mismatch = "Different number of columns.";
  } else {
    for (size_t i = 0; i < columns.size() && mismatch.empty(); ++i) {
      DataType from = outputs[i]->type;
      from.attribute = TimeAttribute::none;
      // NULL in a NOT NULL column is found when it arrives.
      if (!can_cast_implicitly(from.with_nullable(true), columns[i].field.type.with_nullable(true)))
        mismatch = fmt::format("Incompatible types for sink column '{}' at position {}.", columns[i].field.name, i);
    }
  }
  if (!mismatch.empty()) {
    std::vector<Field> query_fields;
    for (size_t i = 0; i < source.node->schema.size(); ++i) {
      Field field = source.node->schema[i];
      field.type.attribute = TimeAttribute::none;
      query_fields.push_back(field);
    }
    fail_flink_validation(
        fmt::format("Column types of query result and sink for '{}' do not match.\nCause: {}\n\nQuery schema: "
                    "{}\nSink schema:  {}",
                    table.path.text(), mismatch, schema_text(query_fields), schema_text(wanted)));
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    DataType to = columns[i].field.type;
    to.nullable = outputs[i]->type.nullable || to.nullable;
    outputs[i] = coerce(materialized(outputs[i]), to);
  }
  check_sink(options);

  auto sink = std::make_shared<plan::Sink>();
  sink->target = plan::Sink::Target::table;
  sink->table = table.path.text();
  sink->connector = options.values.at("connector");
  sink->options = options.values;
  std::vector<plan::MetadataColumn> writable = writable_metadata(sink->connector);
  for (size_t i = 0; i < columns.size(); ++i) {
    sink->schema.push_back(columns[i].field);
    if (!columns[i].field.type.nullable && outputs[i]->type.nullable) sink->not_null.push_back(static_cast<int>(i));
    if (!columns[i].metadata) {
      sink->physical.push_back(columns[i].field);
      sink->physical_columns.push_back(static_cast<int>(i));
      continue;
    }
    auto found = std::ranges::find(writable, columns[i].metadata_key, &plan::MetadataColumn::key);
    if (found == writable.end()) {
      std::string keys;
      for (const plan::MetadataColumn& m : writable) keys += (keys.empty() ? "" : "\n") + m.key;
      if (writable.empty()) {
        fail_flink_validation(
            fmt::format("Table '{}' declares persistable metadata columns, but the underlying DynamicTableSink "
                        "doesn't implement the SupportsWritingMetadata interface. If the column should not be "
                        "persisted, it can be declared with the VIRTUAL keyword.",
                        table.path.text()));
      }
      fail_flink_validation(fmt::format(
          "Invalid metadata key '{}' in column '{}' of table '{}'. The DynamicTableSink class '{}' "
          "supports the following metadata keys for writing: {}",
          columns[i].metadata_key, columns[i].field.name, table.path.text(), sink_class(sink->connector), keys));
    }
    sink->metadata.push_back(*found);
    sink->metadata_columns.push_back(static_cast<int>(i));
    if (!same_ignoring_nullability(found->type, columns[i].field.type))
      outputs[i] = make_cast(outputs[i], found->type.with_nullable(outputs[i]->type.nullable));
  }
  if (table.primary_key)
    for (const std::string& key : table.primary_key->columns)
      for (size_t i = 0; i < columns.size(); ++i)
        if (columns[i].field.name == key) sink->primary_key.push_back(static_cast<int>(i));

  std::vector<std::string> names;
  for (const SinkColumn& column : columns) names.push_back(column.field.name);
  Relation written = project(source, std::move(outputs), std::move(names));
  plan::Node& query = *written.node;
  sink->inputs = {written.node};
  sink->changelog = query.changelog;

  bool updates = query.changelog != plan::Changelog::insert_only;
  if (updates && !takes_updates(sink->connector)) {
    const char* kinds = makes_deletes(*source.node) ? "update and delete" : "update";
    fail_table(fmt::format("Table sink '{}' doesn't support consuming {} changes which is produced by node {}",
                           table.path.text(), kinds, update_producer(query)));
  }
  if (!sink->primary_key.empty() && sink->connector == "upsert-kafka") {
    std::set<int> primary(sink->primary_key.begin(), sink->primary_key.end());
    std::set<int> upsert(query.upsert_key.begin(), query.upsert_key.end());
    // A key whose columns are all in the primary key keeps rows with one primary key apart as well.
    bool covered = !upsert.empty() && std::ranges::includes(primary, upsert);
    if (!insert.conflict.empty()) {
      sink->conflict = insert.conflict == "ERROR"     ? plan::Sink::Conflict::error
                       : insert.conflict == "NOTHING" ? plan::Sink::Conflict::nothing
                                                      : plan::Sink::Conflict::deduplicate;
    }
    if (!covered) {
      auto key_text = [&](const std::vector<int>& key) {
        std::string text;
        for (int i : key) text += (text.empty() ? "" : ", ") + sink->schema[static_cast<size_t>(i)].name;
        return text;
      };
      if (insert.conflict.empty()) {
        std::string upsert_text = query.upsert_key.empty() ? "" : "[" + key_text(query.upsert_key) + "]";
        fail_flink_validation(
            fmt::format("The query has an upsert key that differs from the primary key of the sink table '{}'. Primary "
                        "key: [{}], upsert "
                        "key: {}. This can lead to non-deterministic results when multiple records with different "
                        "upsert keys map to the "
                        "same primary key. Please specify an ON CONFLICT clause to define how conflicts should be "
                        "handled: ON CONFLICT DO "
                        "DEDUPLICATE (update to the latest record, state intensive, since we need to keep the entire "
                        "history), or ON "
                        "CONFLICT DO ERROR (fail on conflict), or ON CONFLICT DO NOTHING (keep first record).",
                        table.path.text(), key_text(sink->primary_key), upsert_text));
      }
      if (insert.conflict != "DEDUPLICATE") {
        std::vector<std::string> missing;
        find_sources_without_watermark(query, missing);
        if (!missing.empty()) {
          std::string list;
          for (const std::string& name : missing) list += (list.empty() ? "" : ", ") + name;
          fail_flink_validation(
              fmt::format("ON CONFLICT DO {} requires all source tables to define watermarks, but the following "
                          "source(s) do not: {}. Please add a WATERMARK declaration to these tables.",
                          insert.conflict, list));
        }
      }
      sink->materialize = true;
    }
    // Without it, -U means: delete, unless +U follows.
    if (covered && updates && leave_out_update_before(query)) sink->changelog = query.changelog;
  }
  return sink;
}

}  // namespace millrace::processing::sql
