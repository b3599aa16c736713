// What the runtime layer costs: user time per request and answer over loopback, time to start, memory at rest.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "runtime/gate.h"
#include "runtime/real/world.h"

namespace millrace {
namespace {

constexpr int connections = 64;
constexpr int rounds = 3000;

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

rusage usage() {
  rusage now{};
  getrusage(RUSAGE_SELF, &now);
  return now;
}

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

Task<void> answer(std::unique_ptr<Connection> connection) {
  std::byte buffer[256];
  for (;;) {
    const size_t got = co_await connection->read_some(buffer, after(std::chrono::minutes(1)));
    if (got == 0) co_return;
    const std::span<const std::byte> heard(buffer, got);
    std::vector<Bytes> parts{Bytes::copy_of(heard)};
    co_await connection->write(std::move(parts));
  }
}

Task<void> ask(Address address) {
  std::unique_ptr<Connection> connection = co_await Shard::current().net().connect(address, never);
  std::byte buffer[256];
  const Bytes question = Bytes::copy_of(std::string(64, 'q'));
  for (int i = 0; i < rounds; ++i) {
    std::vector<Bytes> parts{question};
    co_await connection->write(std::move(parts));
    size_t got = 0;
    while (got < question.size()) {
      got += co_await connection->read_some(buffer, after(std::chrono::minutes(1)));
    }
  }
}

Task<int> measure(real::World&) {
  std::printf("resident at rest: %ld KiB\n", resident_kib());
  const Address any{"127.0.0.1", 0};
  std::unique_ptr<Listener> listener = co_await Shard::current().net().listen(any);
  Gate gate;
  const rusage before = usage();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < connections; ++i) gate.spawn(ask(listener->local()));
  Gate sessions;
  for (int i = 0; i < connections; ++i) {
    std::unique_ptr<Connection> connection = co_await listener->accept();
    sessions.spawn(answer(std::move(connection)));
  }
  co_await gate.close();
  co_await sessions.close();
  const rusage after_all = usage();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double total = double{connections} * rounds;
  // Each round is two messages, both ends of which are in this thread.
  const double user = (seconds(after_all.ru_utime) - seconds(before.ru_utime)) / total / 2 * 1e6;
  const double system = (seconds(after_all.ru_stime) - seconds(before.ru_stime)) / total / 2 * 1e6;
  std::printf("%.0f round trips/s; per message written and read: %.2f us user, %.2f us system\n", total / wall, user,
              system);
  co_return 0;
}

}  // namespace
}  // namespace millrace

int main() {
  const auto start = std::chrono::steady_clock::now();
  {
    millrace::real::World world(2);
    const auto nothing = [](millrace::real::World&) -> millrace::Task<int> { co_return 0; };
    world.run(nothing);
  }
  const auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  std::printf("start and stop of two shards: %.2f ms\n", took);
  millrace::real::World world;
  return world.run(millrace::measure);
}
