// Crashes: coroutines go, and of the disk what was not synced.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "runtime/channel.h"
#include "runtime/gate.h"
#include "tests/sim/disk.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;

std::vector<Bytes> parts(std::string_view text) { return {Bytes::copy_of(text)}; }

// Appends numbered lines of 100 bytes, and says how many it believes safe after each sync. The planted bug: `early`
// says so before the sync.
struct Journal {
  int written = 0;
  int safe = 0;
  bool early = false;

  Task<int> run() {
    Disk& disk = Shard::current().disk();
    co_await disk.make_directories("/data");
    co_await disk.sync_directory("/");
    std::unique_ptr<File> file = co_await disk.open("/data/journal", OpenMode::write);
    co_await disk.sync_directory("/data");
    for (;;) {
      std::string line = std::to_string(written);
      line.resize(99, '.');
      co_await file->write(int64_t{written} * 100, parts(line + "\n"));
      ++written;
      if (early) safe = written;
      const int covered = written;
      if (written % 3 == 0) {
        co_await file->sync();
        safe = covered;
      }
    }
  }
};

int lines_kept(Node& node) {
  const std::string content = node.disk().content("/data/journal").value_or("");
  int lines = 0;
  for (size_t at = 0; at + 100 <= content.size(); at += 100) {
    std::string line = std::to_string(lines);
    line.resize(99, '.');
    if (content.substr(at, 100) != line + "\n") break;
    ++lines;
  }
  return lines;
}

// How many of the seeds lose a line that was called safe.
int losses(bool early, Crash kind) {
  int lost = 0;
  for_each_seed(60, [&](uint64_t seed) {
    World world(seed);
    Node& node = world.add_node("n");
    Journal journal;
    journal.early = early;
    node.start([&](Node&) -> Task<int> {
      const int result = co_await journal.run();
      co_return result;
    });
    world.run_for(Duration(world.random().between(1'000'000, 50'000'000)));
    node.crash(kind);
    if (lines_kept(node) < journal.safe) ++lost;
  });
  return lost;
}

TEST_CASE("what was synced survives a power cut, with every seed") { CHECK(losses(false, Crash::power) == 0); }

TEST_CASE("a planted bug, saying so before the sync, is caught by power cuts") {
  CHECK(losses(true, Crash::power) > 20);
}

TEST_CASE("a crash of the process alone loses nothing that was written") { CHECK(losses(true, Crash::process) == 0); }

TEST_CASE("an unsynced write may be torn at any sector") {
  std::set<std::string> outcomes;
  for_each_seed(200, [&](uint64_t seed) {
    World world(seed);
    Node& node = world.add_node("n");
    node.disk().put("/f", std::string(2048, 'o'));
    node.start([](Node&) -> Task<int> {
      std::unique_ptr<File> file = co_await Shard::current().disk().open("/f", OpenMode::write);
      co_await file->write(0, parts(std::string(2048, 'n')));
      co_await sleep_until(never);
      co_return 0;
    });
    world.run_for(10ms);
    CHECK(node.disk().content("/f") == std::string(2048, 'n'));
    node.crash(Crash::power);
    const std::string content = node.disk().content("/f").value_or("");
    REQUIRE(content.size() == 2048);
    std::string sectors;
    for (size_t at = 0; at < content.size(); at += 512) {
      CHECK(content.substr(at, 512) == std::string(512, content[at]));
      sectors += content[at];
    }
    outcomes.insert(sectors);
  });
  CHECK(outcomes.size() == 16);
}

TEST_CASE("of block writes that a power cut overtakes any part survives, of finished ones everything") {
  std::set<std::string> outcomes;
  for_each_seed(200, [&](uint64_t seed) {
    World world(seed);
    Node& node = world.add_node("n");
    node.disk().put("/f", std::string(3 * block_bytes, 'o'));
    std::set<int> finished;
    node.start([&](Node&) -> Task<int> {
      const std::unique_ptr<BlockFile> file = co_await Shard::current().disk().open_blocks("/f");
      const BlockMemory memory(block_bytes);
      std::memset(memory.span().data(), 'n', memory.size());
      Gate gate;
      const auto write = [&](int block) -> Task<void> {
        co_await file->write_durable(block * static_cast<int64_t>(block_bytes), memory.span());
        finished.insert(block);
      };
      for (const int block : {2, 0, 1}) gate.spawn(write(block));
      co_await sleep_until(never);
      co_return 0;
    });
    world.run_for(Duration(world.random().between(0, 4'000'000)));
    node.crash(Crash::power);
    const std::string content = node.disk().content("/f").value_or("");
    REQUIRE(content.size() == 3 * block_bytes);
    std::string blocks;
    for (int block = 0; block < 3; ++block) {
      const std::string text = content.substr(static_cast<size_t>(block) * block_bytes, block_bytes);
      const bool whole = text == std::string(block_bytes, 'n');
      const bool nothing = text == std::string(block_bytes, 'o');
      if (finished.contains(block)) CHECK(whole);
      blocks += whole ? 'n' : nothing ? 'o' : 't';
    }
    outcomes.insert(blocks);
  });
  CHECK(outcomes.size() > 8);
}

TEST_CASE("a new name may be lost until its directory is synced, and then never is") {
  int kept = 0;
  int lost = 0;
  for_each_seed(100, [&](uint64_t seed) {
    World world(seed);
    Node& node = world.add_node("n");
    node.disk().put("/d/there", "x");
    const auto body = []() -> Task<void> {
      Disk& disk = Shard::current().disk();
      co_await write_file_atomically(disk, "/d/synced", "all of it");
      std::unique_ptr<File> file = co_await disk.open("/d/unsynced", OpenMode::write);
      co_await file->write(0, parts("text"));
      co_await file->sync();
    };
    world.run(node, body);
    node.start([](Node&) -> Task<int> { co_return 0; });
    node.crash(Crash::power);
    CHECK(node.disk().content("/d/there") == "x");
    CHECK(node.disk().content("/d/synced") == "all of it");
    const std::optional<std::string> unsynced = node.disk().content("/d/unsynced");
    ++(unsynced ? kept : lost);
    if (unsynced) CHECK(*unsynced == "text");
  });
  CHECK(kept > 10);
  CHECK(lost > 10);
}

TEST_CASE("replacing a file atomically leaves the old or the new content, whenever the power goes") {
  int old_content = 0;
  int new_content = 0;
  for_each_seed(150, [&](uint64_t seed) {
    World world(seed);
    Node& node = world.add_node("n");
    node.disk().put("/d/f", "old");
    node.start([](Node&) -> Task<int> {
      co_await write_file_atomically(Shard::current().disk(), "/d/f", "new");
      co_await sleep_until(never);
      co_return 0;
    });
    world.run_for(Duration(world.random().between(0, 8'000'000)));
    node.crash(Crash::power);
    const std::optional<std::string> content = node.disk().content("/d/f");
    REQUIRE(content.has_value());
    CHECK((*content == "old" || *content == "new"));
    ++(*content == "old" ? old_content : new_content);
  });
  CHECK(old_content > 10);
  CHECK(new_content > 10);
}

TEST_CASE("a failed sync is told once, and what it covered is not made safe by the next") {
  World world(1);
  Node& node = world.add_node("n");
  node.disk().put("/f", "safe");
  node.disk().inject({.call = DiskCall::sync, .path = "/f", .error = EIO});
  int failures = 0;
  node.start([&](Node&) -> Task<int> {
    std::unique_ptr<File> file = co_await Shard::current().disk().open("/f", OpenMode::write);
    co_await file->write(0, parts("gone"));
    try {
      co_await file->sync();
    } catch (const DiskError& failed) {
      CHECK(failed.error() == EIO);
      ++failures;
    }
    co_await file->sync();
    co_await sleep_until(never);
    co_return 0;
  });
  world.run_for(1s);
  CHECK(failures == 1);
  node.crash(Crash::power);
  CHECK(node.disk().content("/f") == "safe");
}

TEST_CASE("a full disk takes what fits and says so") {
  World world(3);
  Node& node = world.add_node("n");
  node.disk().set_capacity(1000);
  const auto body = []() -> Task<void> {
    std::unique_ptr<File> file = co_await Shard::current().disk().open("/f", OpenMode::write);
    co_await file->write(0, parts(std::string(900, 'a')));
    int error = 0;
    try {
      co_await file->write(900, parts(std::string(200, 'b')));
    } catch (const DiskError& failed) {
      error = failed.error();
    }
    CHECK(error == ENOSPC);
    co_await file->write(0, parts(std::string(900, 'c')));  // no growth, no complaint
  };
  world.run(node, body);
  CHECK(node.disk().content("/f") == std::string(900, 'c') + std::string(100, 'b'));
}

TEST_CASE("a crash ends every coroutine where it stands, and frees what it held") {
  struct Tracked {
    explicit Tracked(int& alive_) : alive(alive_) { ++alive; }
    ~Tracked() { --alive; }
    int& alive;
  };
  for_each_seed(100, [](uint64_t seed) {
    World world(seed);
    Node& node = world.add_node("n", 2);
    int alive = 0;
    int resumed_after_crash = 0;
    bool crashed = false;
    const auto main = [&](Node& self) -> Task<int> {
      const Tracked tracked(alive);
      Gate gate;
      Event event;
      Channel<int> channel;
      Shard& other = *self.shards()[1];
      const auto wait = [&]() -> Task<void> {
        const Tracked held(alive);
        for (;;) {
          co_await event.wait(after(3ms));
          if (crashed) ++resumed_after_crash;
        }
      };
      const auto notify = [&]() -> Task<void> {
        const Tracked held(alive);
        for (;;) {
          co_await sleep_until(after(1ms));
          event.notify();
          channel.push(1);
        }
      };
      const auto take = [&]() -> Task<void> {
        const Tracked held(alive);
        while (co_await channel.pop()) {
        }
      };
      const auto hop = [&]() -> Task<void> {
        const Tracked held(alive);
        const auto there = [&]() -> Task<void> {
          const Tracked held_there(alive);
          co_await sleep_until(after(500us));
        };
        for (;;) co_await on(other, there);
      };
      const auto write = [&]() -> Task<void> {
        const Tracked held(alive);
        std::unique_ptr<File> file = co_await Shard::current().disk().open("/f", OpenMode::write);
        for (int64_t at = 0;; at += 4) {
          co_await file->write(at, parts("text"));
          co_await file->sync();
        }
      };
      gate.spawn(wait());
      gate.spawn(notify());
      gate.spawn(take());
      gate.spawn(hop());
      gate.spawn(write());
      co_await gate.close();
      co_return 0;
    };
    node.start(main);
    world.run_for(Duration(world.random().between(0, 20'000'000)));
    node.crash(world.random().one_in(2) ? Crash::power : Crash::process);
    crashed = true;
    CHECK(alive == 0);
    CHECK_FALSE(node.running());
    node.restart();
    crashed = false;
    world.run_for(5ms);
    CHECK(alive > 3);
    node.crash();
    CHECK(alive == 0);
    CHECK(resumed_after_crash == 0);
  });
}

TEST_CASE("a lock dies with its process") {
  World world(5);
  Node& node = world.add_node("n");
  bool got = false;
  node.start([&](Node&) -> Task<int> {
    std::unique_ptr<FileLock> lock = co_await Shard::current().disk().lock("/.lock");
    got = lock != nullptr;
    co_await sleep_until(never);
    co_return 0;
  });
  world.run_for(1s);
  CHECK(got);
  got = false;
  node.crash();
  node.restart();
  world.run_for(1s);
  CHECK(got);
}

}  // namespace
}  // namespace millrace::sim
