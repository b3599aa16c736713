#include "broker/logging.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <cstdio>

#include "runtime/shard.h"

namespace millrace::broker {

namespace {

struct Logging {
  Level least = Level::info;
  std::function<void(std::string_view)> sink;
};

Logging& logging() {
  static Logging instance;
  return instance;
}

constexpr std::string_view names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

}  // namespace

void log_line(Level level, std::string_view text) {
  const Logging& to = logging();
  if (level < to.least) return;
  const int64_t now = Shard::current().clock().wall_now().value;
  const std::string line = fmt::format("[{:%Y-%m-%d %H:%M:%S},{:03}] {} {}", fmt::gmtime(now / 1000), now % 1000,
                                       names[static_cast<size_t>(level)], text);
  if (to.sink) return to.sink(line);
  std::fwrite((line + "\n").data(), 1, line.size() + 1, stdout);
  std::fflush(stdout);
}

void set_logging(Level least, std::function<void(std::string_view)> sink) { logging() = {least, std::move(sink)}; }

}  // namespace millrace::broker
