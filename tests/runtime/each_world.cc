// The two worlds a contract case runs in.
#include "tests/runtime/each_world.h"

#include <stdlib.h>

#include <filesystem>

#include "runtime/real/world.h"

namespace millrace::test {

namespace {

struct ScratchDirectory {
  std::string path;
  ScratchDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "millrace-test-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path); }
};

}  // namespace

void in_each_world(const Case& run_case) {
  SUBCASE("on this machine") {
    const ScratchDirectory scratch;
    real::World world;
    const auto main = [&](real::World&) -> Task<int> {
      co_await run_case(scratch.path);
      co_return 0;
    };
    world.run(main);
  }
}

void in_each_world(int shards, const ShardsCase& run_case) {
  SUBCASE("on this machine") {
    real::World world(shards);
    const auto main = [&](real::World& w) -> Task<int> {
      co_await run_case(w.shards());
      co_return 0;
    };
    world.run(main);
  }
}

}  // namespace millrace::test
