// What the administrative verbs share: the -b option, running on a shard, errors as text, and tables.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/client/cluster.h"

namespace CLI {
class App;
}

namespace millrace::tools::admin {

// Adds "-b, --bootstrap-server"; the value is the returned string's, which outlives parsing.
void add_bootstrap(CLI::App& app, std::string& brokers);

// Parses, then runs `work` against the cluster named by `brokers`. Returns the exit code: 2 for wrong usage, 1 for a
// failure.
int run(CLI::App& app, int argc, char** argv, const std::string& brokers, std::function<Task<int>(Cluster&)> work);

// Prints rows in columns, the first row being the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);

// "name=value". Throws ClientError.
std::pair<std::string, std::string> split_setting(const std::string& text);

}  // namespace millrace::tools::admin
