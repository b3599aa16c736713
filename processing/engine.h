// The engine: sessions that take Flink SQL, and the jobs they start. What a front end needs, and nothing of any
// protocol.
//
//   Engine engine(reader, writer, {});
//   co_await engine.start();                                   // stored jobs go on
//   auto session = engine.open_session({{"execution.runtime-mode", "streaming"}});
//   StatementResult result = co_await engine.execute(session, "SELECT …");   // throws sql::SqlError
//   for (;;) {
//     Page page = co_await result.rows->next(1000, deadline);
//     … page.rows …  if (page.end) break;                      // page.failure: why the job failed
//   }
//   engine.cancel(result.job_id);                              // when the reader goes away before the end
//   co_await engine.close();                                   // jobs stop; stored ones go on after the next start
//
// All of it belongs to one shard.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "processing/jobs/job.h"
#include "processing/jobs/job_store.h"
#include "processing/ports.h"
#include "processing/sql/session.h"
#include "runtime/gate.h"

namespace millrace::processing {

struct Page {
  std::vector<ResultRow> rows;
  bool end = false;
  std::optional<JobFailure> failure;
};

class RowStream {
 public:
  virtual ~RowStream() = default;
  // At most `most` rows; waits for the first one, the end, or the deadline.
  virtual Task<Page> next(size_t most, MonoTime deadline) = 0;
};

struct StatementResult {
  enum class Kind { success, success_with_content };  // "OK", or rows
  Kind kind = Kind::success;
  bool is_query = false;        // rows of a running job
  bool bounded = false;         // of a job: it ends by itself
  bool insert_only = true;      // of a query: no row is ever taken back
  std::vector<int> upsert_key;  // of a query that updates without -U: the columns whose last row wins
  std::vector<Field> columns;
  std::string job_id;  // empty: no job
  std::shared_ptr<RowStream> rows;
};

struct EngineOptions {
  bool store_jobs = true;  // INSERT jobs survive a restart
  Millis epoch_interval{1000};
  std::function<void(std::string)> print;  // lines of the print connector
  std::function<void(std::string)> log;    // what an operator of the broker should know
};

class EngineSession {
 public:
  sql::Session sql;
  TimeZone zone() const;  // table.local-time-zone
  std::string setting(const std::string& key, const std::string& otherwise = "") const;
};

class Engine {
 public:
  Engine(TopicReader& reader, TopicWriter& writer, EngineOptions options);
  ~Engine();

  Task<void> start();
  Task<void> close();

  std::shared_ptr<EngineSession> open_session(const std::map<std::string, std::string>& settings);
  Task<StatementResult> execute(std::shared_ptr<EngineSession> session, std::string statement);

  // False: no such job, or it is over.
  bool cancel(const std::string& job_id);
  std::vector<JobStatus> jobs() const;  // the newest last; some that are over are still there
  std::optional<JobStatus> job(const std::string& job_id) const;
  // Until the job is over; nothing when there is no such job, or past the deadline.
  Task<std::optional<JobStatus>> wait_for(std::string job_id, MonoTime deadline);

 private:
  struct Entry {
    std::shared_ptr<Job> job;
    bool stored = false;
  };

  std::string new_job_id();
  Task<StatementResult> start_query(std::shared_ptr<EngineSession> session, sql::Planned planned);
  Task<StatementResult> start_insert(std::shared_ptr<EngineSession> session, sql::Planned planned,
                                     std::string statement);
  StatementResult show_jobs(const std::string& only) const;
  Task<StatementResult> stop_job(sql::Planned planned);
  void launch(JobSetup setup);
  Task<void> run(std::string id, Entry entry);
  Task<void> resume(JobDefinition definition);
  void forget_old();
  void log(const std::string& line) const;

  TopicReader& reader_;
  TopicWriter& writer_;
  EngineOptions options_;
  JobStore store_;
  std::map<std::string, Entry> jobs_;
  std::vector<std::string> order_;
  Gate running_;
  Event changed_;
  bool closing_ = false;
};

}  // namespace millrace::processing
