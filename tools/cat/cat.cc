// `millrace cat`: reads the flags and runs one mode on a shard of its own.
#include "tools/cat/cat.h"

#include <csignal>
#include <cstdlib>
#include <string_view>

#include <fmt/core.h>

#include "runtime/real/world.h"
#include "tools/verbs.h"

namespace millrace::tools {

namespace {

using cat::Mode;
using cat::Options;

Task<int> run(const Options& options) {
  Cluster cluster(parse_addresses(options.brokers), options.property("client.id", "millrace-cat"));
  switch (options.mode) {
    case Mode::produce:
      co_return co_await cat::produce(cluster, options);
    case Mode::consume:
      co_return co_await cat::consume(cluster, options);
    case Mode::group:
      co_return co_await cat::consume_as_member(cluster, options);
    case Mode::list:
      co_return co_await cat::list(cluster, options);
    case Mode::query:
      co_return co_await cat::query(cluster, options);
  }
  co_return 2;
}

}  // namespace

int cat_main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--help" || std::string_view(argv[i]) == "-h") {
      fmt::print("{}\n", cat::usage);
      return 0;
    }
  }
  try {
    const Options options = cat::parse_options(argc, argv);
    std::signal(SIGPIPE, SIG_IGN);
    real::World world;
    return world.run([&options](real::World&) { return run(options); });
  } catch (const cat::UsageError& error) {
    fmt::print(stderr, "millrace cat: {}\n\n{}\n", error.what(), cat::usage);
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "millrace cat: {}\n", error.what());
    return 1;
  }
}

}  // namespace millrace::tools
