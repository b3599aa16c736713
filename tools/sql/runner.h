// Runner: statements one after the other against a gateway, their results printed as Flink's client prints them.
#pragma once

#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tools/sql/rest_client.h"

namespace millrace::tools::sql {

struct RunnerOptions {
  enum class Wait : uint8_t { no, bounded, any };
  Wait wait = Wait::no;      // after an INSERT, for which jobs
  int max_column_width = 0;  // 0: as the session says
  bool colours = false;
  bool progress = false;  // a line on stderr while waiting
};

enum class Outcome : uint8_t { done, failed, interrupted, quit };

class Runner {
 public:
  // `interrupted` is asked between pages and says whether the user wants the running statement to end.
  Runner(RestClient& client, RunnerOptions options, std::function<bool()> interrupted);

  // One statement without its semicolon. `place` says where in which file it begins, for errors: "orders.sql", 12.
  Task<Outcome> run(std::string statement, std::string file, int first_line);
  // Until the job is over, showing how far it is.
  Task<Outcome> follow(std::string job);

 private:
  Task<Outcome> execute(std::string statement);
  Task<Page> ready_page(std::string operation);
  Task<Outcome> print_query(Page page, MonoTime started);
  Task<Outcome> print_batch(Page page, MonoTime started);
  Task<Outcome> print_table(Page page);
  // `taken` ends the line that counts the rows.
  void print_whole(const std::vector<Column>& columns, const std::vector<ResultRow>& rows, std::string_view taken);
  Task<Outcome> after_insert(Page page, bool waited);
  Task<Outcome> wait_for(std::string job, bool follow);
  Task<void> clean_up(std::string operation, bool cancel);
  Task<Page> next_page(Page page);
  Task<int> column_width();
  void print(const std::string& line);
  void info(const std::string& text);
  void print_error(const GatewayError& error, const std::string& file, int first_line);

  RestClient& client_;
  const RunnerOptions options_;
  std::function<bool()> interrupted_;
  std::string operation_;  // the one that runs
};

}  // namespace millrace::tools::sql
