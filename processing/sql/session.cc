#include "processing/sql/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "processing/failure.h"
#include "processing/sql/parser.h"
#include "processing/sql/session_state.h"

namespace millrace::processing::sql {

Planned table_of(std::vector<Field> columns, std::vector<Row> rows) {
  Planned result;
  result.kind = Planned::Kind::table;
  result.table = {std::move(columns), std::move(rows)};
  return result;
}

Planned Session::State::execute(const QueryPtr& query) {
  Planned result;
  result.kind = Planned::Kind::query;
  result.job = planner().plan_query(*query);
  share(result.job);
  prune(result.job);
  check_limits(result.job);
  return result;
}

Planned Session::State::plan_inserts(const std::vector<std::shared_ptr<Insert>>& inserts) {
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
  check_limits(result.job);
  return result;
}

Planned Session::State::execute(const std::shared_ptr<Insert>& insert) {
  if (in_statement_set) {
    plan_inserts({insert});
    statement_set.inserts.push_back(insert);
    return {};
  }
  return plan_inserts({insert});
}

Planned Session::State::execute(const std::shared_ptr<StatementSet>& set) {
  if (set->inserts.empty()) fail_flink_validation("No statements in the statement set.");
  return plan_inserts(set->inserts);
}

Planned Session::State::execute(const BeginStatementSet&) {
  in_statement_set = true;
  statement_set.inserts.clear();
  return {};
}

Planned Session::State::execute(const EndStatementSet&) {
  if (!in_statement_set)
    fail_flink_validation(
        "No Statement Set to submit. \"END\" statement should be used after \"BEGIN STATEMENT SET\".");
  in_statement_set = false;
  if (statement_set.inserts.empty()) return {};
  return plan_inserts(std::exchange(statement_set.inserts, {}));
}

Planned Session::State::execute(const Explain& explain) {
  Planned inner = std::visit([&](const auto& target) { return execute(target); }, explain.target);
  return table_of({{"result", DataType::string()}}, {{Value::text(plan::to_text(inner.job))}});
}

Planned Session::State::execute(const Use& use) {
  if (use.catalog) {
    catalog.use_catalog(use.name.last());
  } else {
    catalog.use_database(use.name.parts.size() > 1 ? use.name.parts[0] : catalog.current_catalog(), use.name.last());
  }
  return {};
}

Planned Session::State::execute(const SetOption& set) {
  if (set.key) {
    settings[*set.key] = set.value.value_or("");
    return {};
  }
  std::vector<Row> rows;
  for (const auto& [key, value] : settings) rows.push_back({Value::text(key), Value::text(value)});
  return table_of({{"key", DataType::string()}, {"value", DataType::string()}}, std::move(rows));
}

Planned Session::State::execute(const ResetOption& reset) {
  if (reset.key) {
    settings.erase(*reset.key);
  } else {
    settings.clear();
  }
  return {};
}

Planned Session::State::execute(const StopJob& stop) {
  Planned result;
  result.kind = Planned::Kind::stop_job;
  result.job_id = stop.id;
  result.with_savepoint = stop.savepoint;
  result.drain = stop.drain;
  return result;
}

Planned Session::State::execute(const RefusedDml& dml) {
  fail_table(fmt::format("{} statement is not supported for streaming mode now.", dml.what));
}

Planned Session::State::execute(const OtherStatement& other) {
  if (other.what == "JAR") fail_table("Java archives cannot be loaded into this engine.");
  return {};
}

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
