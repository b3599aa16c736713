// `millrace serve [FILE] [--override key=value]…`
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string_view>

#include "broker/serve.h"
#include "tools/verbs.h"

namespace millrace::tools {

namespace {

constexpr const char* help =
    "usage: millrace serve [FILE] [--override key=value]... [--cluster-id ID]\n"
    "\n"
    "Runs a broker until SIGTERM or Ctrl-C.\n"
    "\n"
    "  FILE                   Kafka's server.properties. Without one: a single node on port 9092 that stores\n"
    "                         under ./millrace-data\n"
    "  --override key=value   sets one key on top of the file; may be repeated\n"
    "  --cluster-id ID        for the first start on empty directories, which formats them; random otherwise\n";

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

}  // namespace

int serve_main(int argc, char** argv) {
  broker::ServeOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    // The value of an option that is written as two words or as --option=value.
    const auto value_of = [&](std::string_view name) -> const char* {
      if (argument == name && i + 1 < argc) return argv[++i];
      if (argument.starts_with(name) && argument.size() > name.size() && argument[name.size()] == '=') {
        return argv[i] + name.size() + 1;
      }
      return nullptr;
    };
    if (argument == "--help" || argument == "-h") {
      std::fputs(help, stdout);
      return 0;
    }
    if (const char* item = value_of("--override")) {
      options.overrides.emplace_back(item);
    } else if (const char* id = value_of("--cluster-id")) {
      options.cluster_id = id;
    } else if (!argument.starts_with('-') && !options.properties) {
      std::ifstream file{std::string(argument)};
      if (!file) {
        std::fprintf(stderr, "millrace serve: cannot read %s\n", argv[i]);
        return 1;
      }
      std::ostringstream text;
      text << file.rdbuf();
      options.properties = text.str();
      options.host_name = host_name();
    } else {
      std::fprintf(stderr, "millrace serve: cannot make sense of '%s'\n\n%s", argv[i], help);
      return 2;
    }
  }
  return broker::serve(options);
}

}  // namespace millrace::tools
