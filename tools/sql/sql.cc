// `millrace sql`: Flink SQL against a gateway, from files, from the command line, or at a prompt.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <sstream>

#include "processing/sql/lexer.h"
#include "runtime/real/world.h"
#include "runtime/shard.h"
#include "tools/sql/line_editor.h"
#include "tools/sql/runner.h"
#include "tools/sql/terminal.h"
#include "tools/verbs.h"

namespace millrace::tools {

namespace {

using namespace std::chrono_literals;
using namespace sql;

constexpr size_t most_history = 1000;

struct Script {
  std::string file;  // empty: -e
  std::string text;
};

struct Options {
  std::string endpoint = "http://127.0.0.1:8083";
  std::vector<std::string> files;
  std::vector<std::string> statements;
  std::vector<std::string> properties;
  std::string job;  // to follow
  bool wait = false;
  bool no_wait = false;
  int max_column_width = 0;
};

// Files before -e, each in its order.
std::vector<Script> scripts_of(const Options& options) {
  std::vector<Script> scripts;
  for (const std::string& name : options.files) {
    std::stringstream text;
    if (name == "-") {
      text << std::cin.rdbuf();
    } else {
      std::ifstream file(name);
      if (!file) throw std::runtime_error("cannot read " + name);
      text << file.rdbuf();
    }
    scripts.push_back({name, text.str()});
  }
  for (const std::string& statement : options.statements) scripts.push_back({"", statement});
  if (scripts.empty() && options.job.empty() && !stdin_is_terminal()) {
    std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    scripts.push_back({"-", std::move(text)});
  }
  return scripts;
}

int exit_code(Outcome outcome) {
  switch (outcome) {
    case Outcome::failed:
      return 1;
    case Outcome::interrupted:
      return 130;
    default:
      return 0;
  }
}

Task<Outcome> run_scripts(Runner& runner, std::vector<Script> scripts) {
  for (const Script& script : scripts) {
    for (const processing::sql::ScriptPart& part : processing::sql::split_script(script.text)) {
      const Outcome outcome = co_await runner.run(part.text, script.file, part.first_line);
      if (outcome != Outcome::done) co_return outcome;
    }
  }
  co_return Outcome::done;
}

// --- at a prompt ---

std::string history_file() {
  const char* home = std::getenv("HOME");
  return home == nullptr ? "" : std::string(home) + "/.millrace_history";
}

void load_history(LineEditor& editor) {
  std::ifstream file(history_file());
  for (std::string line; std::getline(file, line);) editor.remember(line);
  std::vector<std::string>& lines = editor.history();
  if (lines.size() > most_history) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(most_history));
  }
}

void append_history(const std::string& line) {
  const std::string name = history_file();
  if (name.empty() || line.empty()) return;
  std::ofstream(name, std::ios::app) << line << '\n';
}

class Prompt {
 public:
  explicit Prompt(RestClient& client, RunnerOptions options)
      : client_(client), runner_(client, options, [this] { return interrupt_typed(); }) {
    load_history(editor_);
  }

  Task<int> run() {
    terminal_.write("Statements end with ';'. HELP; says more, Ctrl-D leaves.\n\n");
    while (true) {
      const std::optional<std::string> line = co_await read_line(text_.empty() ? "Millrace SQL> " : "            > ");
      if (!line) co_return 0;
      text_ += *line + "\n";
      std::vector<processing::sql::ScriptPart> parts = processing::sql::split_script(text_);
      if (parts.empty()) {
        text_.clear();
        continue;
      }
      if (!parts.back().terminated) continue;  // more lines belong to it
      text_.clear();
      for (const processing::sql::ScriptPart& part : parts) {
        const Outcome outcome = co_await runner_.run(part.text, "", 1);
        if (outcome == Outcome::quit) co_return 0;
        if (outcome != Outcome::done) break;
      }
      terminal_.write("\n");
    }
  }

 private:
  // Nothing: the user leaves.
  Task<std::optional<std::string>> read_line(std::string prompt) {
    editor_.begin(std::move(prompt), terminal_.width());
    MonoTime heartbeat = after(60s);
    while (true) {
      terminal_.write(editor_.output());
      if (typed_.empty()) {
        std::optional<std::string> more = terminal_.read(1000);
        if (more && more->empty()) co_return std::nullopt;
        if (more) typed_ = std::move(*more);
      }
      if (typed_.empty() && now() >= heartbeat) {
        heartbeat = after(60s);
        co_await client_.heartbeat();
      }
      while (!typed_.empty()) {
        const LineEditor::Event event = editor_.feed(typed_.front());
        typed_.erase(0, 1);
        if (event == LineEditor::Event::line) {
          terminal_.write(editor_.output());
          editor_.remember(editor_.line());
          append_history(editor_.line());
          co_return editor_.line();
        }
        if (event == LineEditor::Event::interrupt) {
          text_.clear();
          editor_.begin("Millrace SQL> ", terminal_.width());
        }
        if (event == LineEditor::Event::end) {
          terminal_.write(editor_.output());
          co_return std::nullopt;
        }
        if (event == LineEditor::Event::complete) co_await complete();
      }
    }
  }

  Task<void> complete() {
    const std::string before = text_ + editor_.line().substr(0, editor_.cursor());
    std::vector<std::string> words;
    try {
      words = co_await client_.complete(before, before.size());
    } catch (const GatewayError&) {
    }
    size_t begin = before.size();
    while (begin > 0 && (std::isalnum(static_cast<unsigned char>(before[begin - 1])) || before[begin - 1] == '_'))
      --begin;
    const size_t typed = before.size() - begin;
    if (words.size() == 1 && words[0].size() >= typed) {
      editor_.insert(words[0].substr(typed) + " ");
    } else if (words.size() > 1) {
      std::string list;
      for (size_t i = 0; i < words.size() && i < 60; ++i) list += (i == 0 ? "" : "  ") + words[i];
      editor_.print_below(list);
    }
  }

  // While a statement runs, what is typed is kept for the next line, except Ctrl-C.
  bool interrupt_typed() {
    while (std::optional<std::string> more = terminal_.read(0)) {
      if (more->empty()) return true;
      typed_ += *more;
    }
    const size_t at = typed_.find('\x03');
    if (at == std::string::npos) return false;
    typed_.erase(0, at + 1);
    return true;
  }

  RestClient& client_;
  Terminal terminal_;
  LineEditor editor_;
  Runner runner_;
  std::string text_;   // lines of the statement so far
  std::string typed_;  // bytes not looked at yet
};

Task<int> converse(RestClient& client, const Options& options, const bool& stop, std::vector<Script> scripts) {
  RunnerOptions how;
  how.max_column_width = options.max_column_width;
  how.colours = stdout_is_terminal();
  how.progress = stderr_is_terminal();
  if (scripts.empty() && options.job.empty()) {
    Prompt prompt(client, how);
    co_return co_await prompt.run();
  }
  how.wait = options.wait      ? RunnerOptions::Wait::any
             : options.no_wait ? RunnerOptions::Wait::no
                               : RunnerOptions::Wait::bounded;
  Runner runner(client, how, [&stop] { return stop; });
  if (!options.job.empty()) co_return exit_code(co_await runner.follow(options.job));
  co_return exit_code(co_await run_scripts(runner, std::move(scripts)));
}

Task<int> run(real::World& world, const Options& options, std::vector<Script> scripts) {
  bool stop = false;
  world.on_stop_signal([&stop] { stop = true; });
  RestClient client(parse_endpoint(options.endpoint));
  std::map<std::string, std::string> properties;
  for (const std::string& item : options.properties) {
    const size_t equals = item.find('=');
    properties[item.substr(0, equals)] = equals == std::string::npos ? "" : item.substr(equals + 1);
  }
  co_await client.open_session(std::move(properties));
  int code = 1;
  std::string trouble;
  try {
    code = co_await converse(client, options, stop, std::move(scripts));
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  if (!trouble.empty()) fmt::print(stderr, "millrace sql: {}\n", trouble);
  try {
    co_await client.close_session();
  } catch (const std::exception&) {
    // It expires by itself.
  }
  co_return code;
}

}  // namespace

int sql_main(int argc, char** argv) {
  Options options;
  CLI::App app("Runs Flink SQL on a SQL gateway: the one inside of a Millrace broker, or Flink's own.", "millrace sql");
  app.add_option("--endpoint", options.endpoint, "The gateway, http://host:port")->capture_default_str();
  app.add_option("-f,--file", options.files, "A script to run; - reads standard input. May be repeated");
  app.add_option("-e,--execute", options.statements, "Statements to run, after the files. May be repeated");
  app.add_option("-D", options.properties, "A setting of the session, key=value. May be repeated")
      ->allow_extra_args(false);
  app.add_option("--follow", options.job, "Shows how far a job is until it is over");
  app.add_flag("--wait", options.wait, "Waits for every job that a script starts");
  app.add_flag("--no-wait", options.no_wait,
               "Waits for no job; otherwise a script waits for those that end by themselves");
  app.add_option("--max-column-width", options.max_column_width, "Columns of text are cut to this; 30 by default");
  app.footer(
      "Without -f and -e it asks for statements at a prompt, or reads them from standard input when that is no "
      "terminal.\n"
      "A script ends at its first error. Exit code: 0 when all went well, 1 after an error, 2 for wrong usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    std::vector<Script> scripts = scripts_of(options);
    real::World world;
    return world.run([&](real::World& running) { return run(running, options, std::move(scripts)); });
  } catch (const std::invalid_argument& error) {
    fmt::print(stderr, "millrace sql: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "millrace sql: {}: {}\n", options.endpoint, error.what());
    return 1;
  }
}

}  // namespace millrace::tools
