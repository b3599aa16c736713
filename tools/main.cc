// The one binary: `millrace VERB …`. Each verb reads its own arguments.
#include <cstdio>
#include <cstring>
#include <string_view>

#include "tools/verbs.h"

namespace millrace::tools {

namespace {

struct Verb {
  std::string_view name;
  int (*run)(int argc, char** argv);
  const char* does;
};

constexpr Verb verbs[] = {
    {"serve", serve_main, "run a broker"},
    {"cat", cat_main, "produce and consume like kcat: -P -C -L -Q -G"},
    {"topics", topics_main, "list, describe, create, grow, configure and delete topics"},
    {"groups", groups_main, "list, describe, reset and delete consumer groups"},
    {"sql", sql_main, "run Flink SQL: scripts, statements or a prompt"},
    {"dump-log", dump_log_main, "show the files of a log directory"},
};

void print_usage(std::FILE* to) {
  std::fputs("usage: millrace VERB [arguments]\n\n", to);
  for (const Verb& verb : verbs) std::fprintf(to, "  %-10s %s\n", verb.name.data(), verb.does);
  std::fputs("\n`millrace VERB --help` says more.\n", to);
}

}  // namespace

}  // namespace millrace::tools

int main(int argc, char** argv) {
  using namespace millrace::tools;
  const std::string_view name = argc > 1 ? argv[1] : "";
  for (const Verb& verb : verbs) {
    if (verb.name == name) return verb.run(argc - 1, argv + 1);
  }
  if (name == "--help" || name == "-h" || name == "help") {
    print_usage(stdout);
    return 0;
  }
  if (name == "--version" || name == "version") {
    std::puts("millrace " MILLRACE_VERSION);
    return 0;
  }
  if (!name.empty()) std::fprintf(stderr, "millrace: there is no verb '%s'\n\n", argv[1]);
  print_usage(stderr);
  return 2;
}
