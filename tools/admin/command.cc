// Running an administrative verb.
#include "tools/admin/command.h"

#include <algorithm>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "runtime/real/world.h"

namespace millrace::tools::admin {

void add_bootstrap(CLI::App& app, std::string& brokers) {
  app.add_option("-b,--bootstrap-server", brokers, "Brokers to start from, host:port,…")->capture_default_str();
}

int run(CLI::App& app, int argc, char** argv, const std::string& brokers, std::function<Task<int>(Cluster&)> work) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  try {
    real::World world;
    const auto main = [&](real::World&) -> Task<int> {
      Cluster cluster(parse_addresses(brokers), "millrace-admin");
      co_return co_await work(cluster);
    };
    return world.run(main);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", app.get_name(), error.what());
    return 1;
  }
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print("{}\n", line);
  }
}

std::pair<std::string, std::string> split_setting(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) throw ClientError("a setting is NAME=VALUE, not '" + text + "'");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace millrace::tools::admin
