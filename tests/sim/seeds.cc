// Seeds of a test run.
#include "tests/sim/seeds.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace millrace::sim {

namespace {

uint64_t current_seed = 0;
struct sigaction previous_abort{};

void print_seed() {
  char line[64];
  char* end = line + sizeof line;
  char* at = end;
  *--at = '\n';
  uint64_t rest = current_seed;
  do {
    *--at = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  constexpr char text[] = "sim: this was MILLRACE_SEED=";
  at -= sizeof text - 1;
  std::memcpy(at, text, sizeof text - 1);
  const ssize_t ignored = ::write(2, at, static_cast<size_t>(end - at));
  (void)ignored;
}

void on_abort(int) {
  print_seed();
  sigaction(SIGABRT, &previous_abort, nullptr);
  raise(SIGABRT);
}

}  // namespace

void note_seed(uint64_t seed) {
  current_seed = seed;
  struct sigaction now{};
  sigaction(SIGABRT, nullptr, &now);
  if (now.sa_handler != &on_abort) {  // doctest installs its own for every case
    previous_abort = now;
    struct sigaction ours{};
    ours.sa_handler = &on_abort;
    sigaction(SIGABRT, &ours, nullptr);
  }
  static bool told_sanitizer = false;
  if (!told_sanitizer && __sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&print_seed);
  told_sanitizer = true;
}

void for_each_seed(uint64_t count, const std::function<void(uint64_t seed)>& body) {
  uint64_t first = 1;
  if (const char* only = std::getenv("MILLRACE_SEED")) {
    first = std::strtoull(only, nullptr, 10);
    count = 1;
  } else if (const char* many = std::getenv("MILLRACE_SEEDS")) {
    count = std::strtoull(many, nullptr, 10);
  }
  for (uint64_t seed = first; seed < first + count; ++seed) {
    INFO("MILLRACE_SEED=", seed);
    body(seed);
  }
}

}  // namespace millrace::sim
