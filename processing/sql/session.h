// The front door of SQL: a session holds a catalog and settings, reads statements, and plans them.
//
//   for (const ScriptPart& part : split_script(script)) {
//     Planned planned = session.execute(part.text);     // throws SqlError
//     if (planned.job) …                                // run it; its sinks say whether rows go to the client
//     if (planned.table) …                              // print it
//   }
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "processing/plan.h"
#include "processing/sql/error.h"
#include "processing/sql/lexer.h"

namespace millrace::processing::sql {

// An answer that needs no job: SHOW, DESCRIBE, EXPLAIN, "OK".
struct ResultTable {
  std::vector<Field> columns;
  std::vector<Row> rows;
};

struct Planned {
  enum class Kind {
    done,    // nothing to show but OK
    table,   // SHOW, DESCRIBE, EXPLAIN: rows in `table`
    query,   // a job whose sink is the client
    insert,  // a job that writes tables (INSERT, statement set, CREATE TABLE … AS)
    show_jobs,
    describe_job,  // job_id
    stop_job,      // job_id, with_savepoint, drain
  };
  Kind kind = Kind::done;
  ResultTable table;
  plan::Plan job;
  std::vector<std::string> insert_tables;  // default_catalog.default_database.o, one per sink: columns of the result
  std::string job_id;
  bool with_savepoint = false;
  bool drain = false;
};

class Session {
 public:
  Session();
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // One statement, with or without its semicolon. Statements about the catalog and the settings take effect.
  Planned execute(std::string_view statement);

  // SET 'key' = 'value'.
  const plan::Options& settings() const;
  void set(std::string key, std::string value);
  void unset(const std::string& key);
  std::string current_catalog() const;
  std::string current_database() const;

  // What would complete the text before the cursor (a byte offset), for interactive clients.
  std::vector<std::string> complete(std::string_view statement, size_t cursor) const;

  // DDL that recreates the catalog, for storing it: statements in order.
  std::vector<std::string> catalog_script() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::processing::sql
