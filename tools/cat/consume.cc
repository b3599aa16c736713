// -C: one topic, all partitions or one, until the end (-e), a count (-c) or for ever.
#include <fmt/core.h>

#include "runtime/gate.h"
#include "tools/cat/cat.h"
#include "tools/cat/fetcher.h"

namespace millrace::tools::cat {

namespace {

constexpr Millis poll_wait = std::chrono::milliseconds(500);

struct Run {
  Output output;
  std::vector<std::unique_ptr<Fetcher>> fetchers;
  std::exception_ptr failure;
  bool over = false;

  void end() {
    over = true;
    for (const auto& fetcher : fetchers) fetcher->stop();
  }
};

Task<void> follow(Run& run, Fetcher& fetcher, const Options& options) {
  try {
    bool told = false;
    while (!run.over) {
      const Millis wait = options.exit_at_end ? Millis(0) : poll_wait;
      co_await fetcher.poll(run.output, wait);
      run.output.flush();
      if (run.output.done()) run.end();
      if (fetcher.finished()) co_return;
      if (run.over || !fetcher.at_end()) {
        told = false;
        continue;
      }
      if (!told && !options.quiet) {
        fmt::print(stderr, "% Reached end of topic {} [{}] at offset {}{}\n", fetcher.topic(),
                   fetcher.partition().value, fetcher.position().value, options.exit_at_end ? ": exiting" : "");
      }
      told = true;
      if (options.exit_at_end) co_return;
    }
  } catch (...) {
    if (!run.failure) run.failure = std::current_exception();
    run.end();
  }
}

}  // namespace

Task<int> consume(Cluster& cluster, const Options& options) {
  Run run{Output(options), {}, nullptr, false};
  const auto topic = co_await cluster.topic(options.topic, true);
  for (const auto& partition : topic.partitions) {
    if (options.partition >= 0 && partition.index.value != options.partition) continue;
    run.fetchers.push_back(std::make_unique<Fetcher>(cluster, options, options.topic, partition.index));
    co_await run.fetchers.back()->start(options.from, std::nullopt);
  }
  if (run.fetchers.empty())
    throw ClientError(fmt::format("topic '{}' has no partition {}", options.topic, options.partition));
  Gate gate;
  for (const auto& fetcher : run.fetchers) gate.spawn(follow(run, *fetcher, options));
  co_await gate.close();
  run.output.flush();
  if (run.failure) std::rethrow_exception(run.failure);
  co_return 0;
}

}  // namespace millrace::tools::cat
