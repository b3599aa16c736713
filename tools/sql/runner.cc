#include "tools/sql/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "processing/sql/lexer.h"
#include "runtime/shard.h"
#include "tools/sql/tableau.h"

namespace millrace::tools::sql {

namespace {

using namespace std::chrono_literals;

// Between two questions to a gateway that has nothing new.
constexpr auto pause = 50ms;

class Interrupted : public std::exception {};

std::string first_word(const std::string& statement) {
  const auto tokens = processing::sql::tokenize(statement);
  return tokens.empty() ? "" : tokens.front().upper;
}

std::string seconds_since(MonoTime started) {
  return fmt::format("{:.2f} seconds", std::chrono::duration<double>(now() - started).count());
}

// "… line 4, column 3 …"
std::optional<std::pair<int, int>> position_in(const GatewayError& error) {
  for (const std::string& cause : error.causes()) {
    size_t at = 0;
    while ((at = cause.find("line ", at)) != std::string::npos) {
      int line = 0;
      int column = 0;
      if (std::sscanf(cause.c_str() + at, "line %d, column %d", &line, &column) == 2) return std::pair(line, column);
      at += 5;
    }
  }
  return std::nullopt;
}

constexpr const char* help =
    "Statements end with ';' and may span lines.\n"
    "  HELP          this text                    CLEAR       clears the screen\n"
    "  QUIT, EXIT    leaves (so does Ctrl-D)      Ctrl-C      ends a query, or forgets the input\n"
    "  SET; RESET    settings of the session      SHOW JOBS   what runs; STOP JOB '<id>' ends it\n";

}  // namespace

Runner::Runner(RestClient& client, RunnerOptions options, std::function<bool()> interrupted)
    : client_(client), options_(options), interrupted_(std::move(interrupted)) {}

void Runner::print(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

void Runner::info(const std::string& text) {
  print(options_.colours ? "\x1b[34;1m[INFO] " + text + "\x1b[0m" : "[INFO] " + text);
}

void Runner::print_error(const GatewayError& error, const std::string& file, int first_line) {
  const std::string text = "[ERROR] Could not execute SQL statement. Reason:\n" + error.root();
  print(options_.colours ? "\x1b[31;1m" + text + "\x1b[0m" : text);
  if (const auto position = position_in(error)) {
    const auto [line, column] = *position;
    print(file.empty() ? fmt::format("(line {}, column {})", line, column)
                       : fmt::format("({}, line {}, column {})", file, first_line + line - 1, column));
  } else if (!file.empty()) {
    print(fmt::format("({}, in the statement that begins at line {})", file, first_line));
  }
}

Task<Outcome> Runner::run(std::string statement, std::string file, int first_line) {
  const std::string word = first_word(statement);
  if (word.empty()) co_return Outcome::done;
  if (word == "QUIT" || word == "EXIT") co_return Outcome::quit;
  if (word == "HELP") {
    std::fputs(help, stdout);
    co_return Outcome::done;
  }
  if (word == "CLEAR") {
    if (options_.colours) std::fputs("\x1b[H\x1b[2J", stdout);
    co_return Outcome::done;
  }
  Outcome outcome = Outcome::failed;
  bool cancel = false;
  operation_.clear();
  try {
    outcome = co_await execute(std::move(statement));
  } catch (const GatewayError& error) {
    print_error(error, file, first_line);
  } catch (const Interrupted&) {
    outcome = Outcome::interrupted;
    cancel = true;
  }
  if (!operation_.empty()) co_await clean_up(operation_, cancel);
  co_return outcome;
}

Task<void> Runner::clean_up(std::string operation, bool cancel) {
  // A query that gives rows already cannot be cancelled, only closed.
  if (cancel) {
    try {
      co_await client_.cancel(operation);
    } catch (const GatewayError&) {
    }
  }
  try {
    co_await client_.close_operation(operation);
  } catch (const GatewayError&) {
  }
}

Task<Outcome> Runner::execute(std::string statement) {
  const MonoTime started = now();
  operation_ = co_await client_.submit(std::move(statement));
  Page page = co_await ready_page(operation_);
  if (page.is_query) {
    const auto properties = co_await client_.session_properties();
    const auto mode = properties.find("execution.runtime-mode");
    const bool batch = mode != properties.end() && (mode->second == "batch" || mode->second == "BATCH");
    co_return batch ? co_await print_batch(std::move(page), started) : co_await print_query(std::move(page), started);
  }
  if (!page.job_id.empty()) {
    const auto properties = co_await client_.session_properties();
    const auto sync = properties.find("table.dml-sync");
    co_return co_await after_insert(std::move(page), sync != properties.end() && sync->second == "true");
  }
  if (page.has_content) co_return co_await print_table(std::move(page));
  info("Execute statement succeeded.");
  co_return Outcome::done;
}

Task<Page> Runner::ready_page(std::string operation) {
  std::string uri = client_.first_page(operation);
  while (true) {
    const MonoTime asked = now();
    Page page = co_await client_.fetch(uri);
    if (page.ready) co_return page;
    if (interrupted_()) throw Interrupted();
    if (!page.next.empty()) uri = page.next;
    co_await sleep_until(asked + pause);
  }
}

Task<Page> Runner::next_page(Page page) {
  const MonoTime asked = now();
  Page next = co_await client_.fetch(page.next);
  if (next.rows.empty() && !next.end) co_await sleep_until(asked + pause);
  co_return next;
}

Task<int> Runner::column_width() {
  int width = options_.max_column_width;
  if (width == 0) {
    const auto properties = co_await client_.session_properties();
    for (const char* key : {"table.display.max-column-width", "sql-client.display.max-column-width"}) {
      if (const auto at = properties.find(key); at != properties.end() && width == 0)
        width = std::atoi(at->second.c_str());
    }
  }
  co_return width > 3 ? width : 30;
}

Task<Outcome> Runner::print_query(Page page, MonoTime started) {
  const int width = co_await column_width();
  const Tableau table = Tableau::by_type(page.columns, width);
  print(table.border());
  print(table.heading());
  print(table.border());
  size_t count = 0;
  bool interrupted = false;
  while (true) {
    std::string out;
    for (const ResultRow& row : page.rows) out += table.row(row) + "\n";
    count += page.rows.size();
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
    if (page.end || page.next.empty()) break;
    if (interrupted_()) {
      interrupted = true;
      break;
    }
    page = co_await next_page(std::move(page));
  }
  const std::string rows = fmt::format("{} {}", count, count > 1 ? "rows" : "row");
  if (interrupted) {
    print("Query terminated, received a total of " + rows);
    co_return Outcome::interrupted;
  }
  if (count > 0) print(table.border());
  print("Received a total of " + rows + " (" + seconds_since(started) + ")");
  co_return Outcome::done;
}

Task<Outcome> Runner::print_batch(Page page, MonoTime started) {
  const std::vector<Column> columns = page.columns;
  std::vector<ResultRow> rows;
  while (true) {
    rows.insert(rows.end(), std::make_move_iterator(page.rows.begin()), std::make_move_iterator(page.rows.end()));
    if (page.end || page.next.empty()) break;
    if (interrupted_()) throw Interrupted();
    page = co_await next_page(std::move(page));
  }
  print_whole(columns, rows, " (" + seconds_since(started) + ")");
  co_return Outcome::done;
}

Task<Outcome> Runner::print_table(Page page) {
  const std::vector<Column> columns = page.columns;
  std::vector<ResultRow> rows = std::move(page.rows);
  while (!page.end && !page.next.empty()) {
    page = co_await next_page(std::move(page));
    rows.insert(rows.end(), std::make_move_iterator(page.rows.begin()), std::make_move_iterator(page.rows.end()));
  }
  print_whole(columns, rows, "");
  co_return Outcome::done;
}

void Runner::print_whole(const std::vector<Column>& columns, const std::vector<ResultRow>& rows,
                         std::string_view taken) {
  if (rows.empty()) return print("Empty set");
  const Tableau table = Tableau::by_content(columns, rows);
  std::string out = table.border() + "\n" + table.heading() + "\n" + table.border() + "\n";
  for (const ResultRow& row : rows) out += table.row(row) + "\n";
  print(out + table.border());
  print(fmt::format("{} {} in set{}", rows.size(), rows.size() > 1 ? "rows" : "row", taken));
}

Task<Outcome> Runner::after_insert(Page page, bool waited) {
  const std::string job = page.job_id;
  const std::optional<bool> bounded = page.bounded;
  // A job that was waited for tells its failure on the page behind.
  while (!page.end && !page.next.empty()) page = co_await next_page(std::move(page));
  if (waited) {
    info("Complete execution of the SQL update statement.");
    co_return Outcome::done;
  }
  info("Submitting SQL update statement to the cluster...");
  info("SQL update statement has been successfully submitted to the cluster:");
  print("Job ID: " + job + "\n");
  const bool wait = options_.wait == RunnerOptions::Wait::any ||
                    (options_.wait == RunnerOptions::Wait::bounded && bounded.value_or(false));
  if (!wait) co_return Outcome::done;
  co_return co_await wait_for(job, false);
}

Task<Outcome> Runner::follow(std::string job) {
  Outcome outcome = Outcome::failed;
  try {
    outcome = co_await wait_for(job, true);
  } catch (const GatewayError& error) {
    print_error(error, "", 1);
  } catch (const Interrupted&) {
    outcome = Outcome::interrupted;
  }
  co_return outcome;
}

// Our gateway says how far a job is; on another one DESCRIBE JOB says whether it is over.
Task<Outcome> Runner::wait_for(std::string job, bool follow) {
  std::string shown;
  while (true) {
    Json status;
    bool known = true;
    try {
      status = co_await client_.call("GET", "/jobs/" + job);
    } catch (const GatewayError& error) {
      if (error.status() != 404) throw;
      known = false;
    }
    std::string state;
    std::string failure;
    if (known) {
      state = status.at("state").text;
      failure = status.at("root-exception").text;
      std::string line = fmt::format("{}: {} records in, {} out, {} behind", state, status.at("records-in").text,
                                     status.at("records-out").text, status.at("backlog").text);
      if (status.at("watermark").is(Json::Kind::string)) line += ", watermark " + status.at("watermark").text;
      if (status.at("late-dropped").text != "0") line += fmt::format(", {} late", status.at("late-dropped").text);
      if (line != shown) {
        shown = line;
        if (follow) {
          print(line);
        } else if (options_.progress) {
          fmt::print(stderr, "\r{}\x1b[K", line);
        }
      }
    } else {
      const std::string operation = co_await client_.submit("DESCRIBE JOB '" + job + "'");
      const Page page = co_await ready_page(operation);
      if (!page.rows.empty() && page.rows[0].cells.size() > 2) state = page.rows[0].cells[2].value_or("");
      co_await clean_up(operation, false);
    }
    if (state == "FINISHED" || state == "FAILED" || state == "CANCELED" || state.empty()) {
      if (options_.progress && !follow && !shown.empty()) fmt::print(stderr, "\r\x1b[K");
      if (state == "FINISHED") {
        info("Complete execution of the SQL update statement.");
        co_return Outcome::done;
      }
      if (failure.empty()) failure = "The job " + job + (state.empty() ? " is not known." : " is " + state + ".");
      throw GatewayError(failure);
    }
    if (interrupted_()) throw Interrupted();
    co_await sleep_until(after(follow ? 500ms : known ? 100ms : 500ms));
  }
}

}  // namespace millrace::tools::sql
