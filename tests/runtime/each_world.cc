// The two worlds a contract case runs in.
#include "tests/runtime/each_world.h"

#include <stdlib.h>

#include <filesystem>

#include "runtime/real/world.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

namespace millrace::test {

namespace {

constexpr uint64_t seeds = 10;

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
  SUBCASE("simulated") {
    sim::for_each_seed(seeds, [&](uint64_t seed) {
      sim::World world(seed);
      sim::Node& node = world.add_node("here");
      const auto body = [&]() -> Task<void> {
        const std::string directory = "/scratch";
        co_await node.shards().front()->disk().make_directories(directory);
        co_await run_case(directory);
      };
      world.run(node, body);
    });
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
  SUBCASE("simulated") {
    sim::for_each_seed(seeds, [&](uint64_t seed) {
      sim::World world(seed);
      sim::Node& node = world.add_node("here", shards);
      const auto body = [&]() -> Task<void> { co_await run_case(node.shards()); };
      world.run(node, body);
    });
  }
}

}  // namespace millrace::test
