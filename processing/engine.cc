#include "processing/engine.h"

#include <algorithm>
#include <cstdio>

#include "processing/connectors/table_options.h"
#include "runtime/shard.h"

namespace millrace::processing {

namespace {

constexpr size_t kept_jobs = 100;

class FixedRows final : public RowStream {
 public:
  explicit FixedRows(std::vector<Row> rows) : rows_(std::move(rows)) {}
  Task<Page> next(size_t most, MonoTime) override {
    Page page;
    while (at_ < rows_.size() && page.rows.size() < most) page.rows.push_back({RowKind::insert, rows_[at_++]});
    page.end = at_ == rows_.size();
    co_return page;
  }

 private:
  std::vector<Row> rows_;
  size_t at_ = 0;
};

class FailedRows final : public RowStream {
 public:
  explicit FailedRows(JobFailure failure) : failure_(std::move(failure)) {}
  Task<Page> next(size_t, MonoTime) override {
    Page page;
    page.end = true;
    page.failure = failure_;
    co_return page;
  }

 private:
  JobFailure failure_;
};

class QueryRows final : public RowStream {
 public:
  explicit QueryRows(std::shared_ptr<ResultQueue> queue) : queue_(std::move(queue)) {}
  Task<Page> next(size_t most, MonoTime deadline) override {
    Page page;
    page.rows = co_await queue_->take(most, deadline);
    page.end = queue_->ended();
    if (page.end) page.failure = queue_->failure();
    co_return page;
  }

 private:
  std::shared_ptr<ResultQueue> queue_;
};

StatementResult table(std::vector<Field> columns, std::vector<Row> rows) {
  StatementResult result;
  result.kind = StatementResult::Kind::success_with_content;
  result.columns = std::move(columns);
  result.rows = std::make_shared<FixedRows>(std::move(rows));
  return result;
}

StatementResult done() {
  std::vector<Row> rows{{Value::text("OK")}};
  StatementResult result = table({{"result", DataType::string()}}, std::move(rows));
  result.kind = StatementResult::Kind::success;
  return result;
}

std::string hash_of(const plan::Plan& plan) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : plan::to_text(plan)) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

// Whether every source ends by itself.
bool is_bounded(const plan::Node& node) {
  if (node.kind == plan::Kind::scan) {
    const auto& scan = static_cast<const plan::Scan&>(node);
    if (scan.connector == "datagen") {
      return scan.options.contains("number-of-rows") ||
             std::ranges::any_of(scan.options, [](const auto& option) { return option.second == "sequence"; });
    }
    const auto mode = scan.options.find("scan.bounded.mode");
    return mode != scan.options.end() && mode->second != "unbounded";
  }
  return std::ranges::all_of(node.inputs, [](const plan::NodePtr& input) { return is_bounded(*input); });
}

bool is_bounded(const plan::Plan& plan) {
  return std::ranges::all_of(plan.sinks, [](const auto& sink) { return is_bounded(*sink); });
}

bool writes_topics(const plan::Plan& plan) {
  return std::ranges::any_of(
      plan.sinks, [](const auto& sink) { return sink->connector == "kafka" || sink->connector == "upsert-kafka"; });
}

}  // namespace

TimeZone EngineSession::zone() const {
  if (const std::optional<TimeZone> found = TimeZone::find(setting("table.local-time-zone", "UTC"))) return *found;
  return TimeZone::utc();
}

std::string EngineSession::setting(const std::string& key, const std::string& otherwise) const {
  const auto at = sql.settings().find(key);
  return at == sql.settings().end() ? otherwise : at->second;
}

Engine::Engine(TopicReader& reader, TopicWriter& writer, EngineOptions options)
    : reader_(reader), writer_(writer), options_(std::move(options)), store_(reader, writer) {}

Engine::~Engine() = default;

void Engine::log(const std::string& line) const {
  if (options_.log) options_.log(line);
}

Task<void> Engine::start() {
  if (!options_.store_jobs) co_return;
  std::vector<JobDefinition> definitions = co_await store_.load();
  for (JobDefinition& definition : definitions) co_await resume(std::move(definition));
}

Task<void> Engine::resume(JobDefinition definition) {
  const std::string id = definition.id;
  std::string refused;
  JobSetup setup;
  try {
    sql::Session session;
    for (const auto& [key, value] : definition.settings) session.set(key, value);
    for (const std::string& statement : definition.setup) session.execute(statement);
    sql::Planned planned = session.execute(definition.statement);
    if (hash_of(planned.job) != definition.plan_hash) refused = "its plan has changed; stop it and submit it again";
    setup.id = id;
    setup.name = definition.name;
    setup.plan = std::move(planned.job);
    setup.stored = true;
  } catch (const std::exception& error) {
    refused = error.what();
  }
  if (!refused.empty()) {
    log("the stored job " + id + " (" + definition.name + ") does not go on: " + refused);
    co_return;
  }
  log("the stored job " + id + " (" + definition.name + ") goes on");
  launch(std::move(setup));
}

Task<void> Engine::close() {
  closing_ = true;
  for (const auto& [id, entry] : jobs_) {
    if (is_over(entry.job->state())) continue;
    if (entry.stored)
      entry.job->suspend();
    else
      entry.job->stop(false, false);
  }
  co_await running_.close();
}

std::shared_ptr<EngineSession> Engine::open_session(const std::map<std::string, std::string>& settings) {
  auto session = std::make_shared<EngineSession>();
  for (const auto& [key, value] : settings) session->sql.set(key, value);
  return session;
}

std::string Engine::new_job_id() {
  Random& random = Shard::current().random();
  char text[40];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(random.next()),
                static_cast<unsigned long long>(random.next()));
  return text;
}

Task<StatementResult> Engine::execute(std::shared_ptr<EngineSession> session, std::string statement) {
  sql::Planned planned = session->sql.execute(statement);
  switch (planned.kind) {
    case sql::Planned::Kind::done:
      co_return done();
    case sql::Planned::Kind::table:
      co_return table(std::move(planned.table.columns), std::move(planned.table.rows));
    case sql::Planned::Kind::query:
      co_return co_await start_query(std::move(session), std::move(planned));
    case sql::Planned::Kind::insert:
      co_return co_await start_insert(std::move(session), std::move(planned), std::move(statement));
    case sql::Planned::Kind::show_jobs:
      co_return show_jobs("");
    case sql::Planned::Kind::describe_job: {
      if (!jobs_.contains(planned.job_id))
        throw sql::SqlError(sql::SqlError::Stage::plan, "org.apache.flink.table.api.ValidationException",
                            "Job " + planned.job_id + " not found.");
      co_return show_jobs(planned.job_id);
    }
    case sql::Planned::Kind::stop_job:
      co_return co_await stop_job(std::move(planned));
  }
  co_return done();
}

Task<StatementResult> Engine::start_query(std::shared_ptr<EngineSession> session, sql::Planned planned) {
  StatementResult result;
  result.kind = StatementResult::Kind::success_with_content;
  result.is_query = true;
  const plan::Sink& sink = *planned.job.sinks.front();
  result.columns = sink.schema;
  const plan::Node& last = *sink.inputs.front();
  result.insert_only = last.changelog == plan::Changelog::insert_only;
  if (last.changelog == plan::Changelog::upsert) result.upsert_key = last.upsert_key;
  result.bounded = is_bounded(planned.job);
  const auto queue = std::make_shared<ResultQueue>();
  JobSetup setup;
  setup.id = new_job_id();
  setup.name = session->setting("pipeline.name", "collect");
  setup.plan = std::move(planned.job);
  setup.results = queue;
  result.job_id = setup.id;
  result.rows = std::make_shared<QueryRows>(queue);
  launch(std::move(setup));
  co_return result;
}

Task<StatementResult> Engine::start_insert(std::shared_ptr<EngineSession> session, sql::Planned planned,
                                           std::string statement) {
  JobSetup setup;
  setup.id = new_job_id();
  std::string tables;
  for (const std::string& name : planned.insert_tables) tables += (tables.empty() ? "" : ",") + name;
  setup.name = session->setting("pipeline.name", "insert-into_" + tables);
  setup.plan = std::move(planned.job);
  setup.stored = options_.store_jobs && writes_topics(setup.plan);
  if (setup.stored) {
    JobDefinition definition;
    definition.id = setup.id;
    definition.name = setup.name;
    definition.statement = statement;
    definition.plan_hash = hash_of(setup.plan);
    definition.created = Shard::current().clock().wall_now().value;
    definition.settings = session->sql.settings();
    definition.setup = session->sql.catalog_script();
    const ErrorCode error = co_await store_.put(std::move(definition));
    if (error != ErrorCode::none)
      throw sql::SqlError(sql::SqlError::Stage::plan, "org.apache.flink.table.api.TableException",
                          "The job could not be stored: " + std::string(name(error)));
  }
  const std::string id = setup.id;
  const bool bounded = is_bounded(setup.plan);
  launch(std::move(setup));
  std::vector<Row> rows{{Value::text(id)}};
  StatementResult result = table({{"job id", DataType::string()}}, std::move(rows));
  result.job_id = id;
  result.bounded = bounded;
  if (session->setting("table.dml-sync", "false") == "true") {
    const std::optional<JobStatus> status = co_await wait_for(id, never);
    if (status && status->failure) result.rows = std::make_shared<FailedRows>(*status->failure);
  }
  co_return result;
}

StatementResult Engine::show_jobs(const std::string& only) const {
  std::vector<Field> columns{{"job id", DataType::string()},
                             {"job name", DataType::string()},
                             {"status", DataType::string()},
                             {"start time", DataType::timestamp_ltz(3)}};
  // Flink has no such column: it only appears when there is something to say.
  bool warned = false;
  for (const JobStatus& status : jobs()) warned = warned || !status.warnings.empty();
  if (warned) columns.push_back({"warning", DataType::string()});
  std::vector<Row> rows;
  for (const JobStatus& status : jobs()) {
    if (!only.empty() && status.id != only) continue;
    Row row{Value::text(status.id), Value::text(status.name), Value::text(to_text(status.state)),
            Value::timestamp(status.started)};
    if (warned) {
      std::string text;
      for (const std::string& warning : status.warnings) text += (text.empty() ? "" : "; ") + warning;
      row.push_back(text.empty() ? Value() : Value::text(text));
    }
    rows.push_back(std::move(row));
  }
  return table(std::move(columns), std::move(rows));
}

Task<StatementResult> Engine::stop_job(sql::Planned planned) {
  const auto at = jobs_.find(planned.job_id);
  if (at == jobs_.end())
    throw sql::SqlError(sql::SqlError::Stage::plan, "org.apache.flink.table.api.TableException",
                        "Could not stop job " + planned.job_id + ": there is no such job.");
  at->second.job->stop(true, planned.drain);
  co_await wait_for(planned.job_id, after(std::chrono::seconds(30)));
  if (planned.with_savepoint)
    throw sql::SqlError(sql::SqlError::Stage::plan, "org.apache.flink.table.api.TableException",
                        "The job " + planned.job_id +
                            " was stopped, but savepoints are not there yet: it cannot be started from where it was.");
  co_return done();
}

bool Engine::cancel(const std::string& job_id) {
  const auto at = jobs_.find(job_id);
  if (at == jobs_.end() || is_over(at->second.job->state())) return false;
  at->second.job->stop(false, false);
  return true;
}

std::vector<JobStatus> Engine::jobs() const {
  std::vector<JobStatus> all;
  for (const std::string& id : order_) all.push_back(jobs_.at(id).job->status());
  return all;
}

std::optional<JobStatus> Engine::job(const std::string& job_id) const {
  const auto at = jobs_.find(job_id);
  if (at == jobs_.end()) return std::nullopt;
  return at->second.job->status();
}

Task<std::optional<JobStatus>> Engine::wait_for(std::string job_id, MonoTime deadline) {
  for (;;) {
    const auto at = jobs_.find(job_id);
    if (at == jobs_.end()) co_return std::nullopt;
    if (is_over(at->second.job->state())) co_return at->second.job->status();
    if (closing_) co_return std::nullopt;
    const bool notified = co_await changed_.wait(deadline);
    if (!notified) co_return std::nullopt;
  }
}

void Engine::launch(JobSetup setup) {
  setup.print = options_.print;
  setup.epoch_interval = options_.epoch_interval;
  const std::string id = setup.id;
  Entry entry;
  entry.stored = setup.stored;
  entry.job = std::make_shared<Job>(reader_, writer_, std::move(setup));
  jobs_[id] = entry;
  order_.push_back(id);
  forget_old();
  running_.spawn(run(id, entry));
}

Task<void> Engine::run(std::string id, Entry entry) {
  co_await entry.job->run();
  // A suspended job is not over: its definition and checkpoints stay.
  if (is_over(entry.job->state()) && entry.stored) {
    try {
      const ErrorCode error = co_await store_.remove(id);
      if (error == ErrorCode::none)
        co_await entry.job->forget();
      else
        log("the definition of job " + id + " could not be removed: " + std::string(name(error)));
    } catch (const std::exception& error) {
      log("the definition of job " + id + " could not be removed: " + error.what());
    }
  }
  const JobStatus status = entry.job->status();
  if (status.state == JobState::failed && status.failure)
    log("job " + id + " (" + status.name + ") failed: " + status.failure->root().type + ": " +
        status.failure->root().message);
  changed_.notify();
}

void Engine::forget_old() {
  size_t over = 0;
  for (const std::string& id : order_) over += is_over(jobs_.at(id).job->state()) ? 1 : 0;
  for (size_t i = 0; i < order_.size() && over > kept_jobs;) {
    if (!is_over(jobs_.at(order_[i]).job->state())) {
      ++i;
      continue;
    }
    jobs_.erase(order_[i]);
    order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(i));
    --over;
  }
}

}  // namespace millrace::processing
