// What is left of many logs with one journal when the node dies, again and again.
#include <algorithm>

#include "log/journal.h"
#include "runtime/gate.h"
#include "tests/log/journal_world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

using namespace std::chrono_literals;

// What may happen to a log, again and again, until the crash.
Task<void> live(Life& life, JournalWorld& world, Told& told, sim::SeededRandom dice) {
  const auto wait = [&told](Offset end) -> Task<void> { co_await told.log->wait_for(end, Durability::durable); };
  while (true) {
    const auto batches = dice.between(1, 5);
    for (int64_t i = 0; i < batches; ++i) append_one(told, dice.between(0, 2000));
    if (dice.one_in(2)) co_await wait(told.log->end());
    if (dice.one_in(4)) co_await told.log->wait_for(told.log->end(), Durability::written);
    told.durable = std::max(told.durable, told.log->durable().value);
    if (dice.one_in(3)) co_await sleep_until(after(std::chrono::microseconds(dice.between(0, 2000))));
    told.durable = std::max(told.durable, told.log->durable().value);
    if (dice.one_in(40)) {
      const int64_t end = dice.between(told.start, told.log->end().value);
      told.cutting = end;
      co_await told.log->truncate(Offset(end));
      told.values.resize(static_cast<size_t>(end));
      told.durable = std::min(told.durable, end);
      told.cutting.reset();
      told.epoch = LeaderEpoch(told.epoch.value + 1);
      told.log->begin_epoch(told.epoch);
    }
    if (dice.one_in(60)) {
      told.start = dice.between(told.start, told.durable);
      co_await told.log->delete_before(Offset(told.start));
      co_await told.log->apply_retention(told.log->end());
    }
    if (dice.one_in(80)) {
      told.cutting = 0;
      co_await told.log->close();
      const bool on_disk = told.log->on_disk();
      life.logs.erase(told.name.topic);
      if (on_disk) {
        std::vector<TopicPartition> names{told.name};
        co_await life.directory->delete_partitions(std::move(names), 1ms);
      }
      told.id = {2, world.next_id++};
      told.values.clear();
      told.durable = told.start = 0;
      told.cutting.reset();
      co_await open_one(life, told);
      told.log->begin_epoch(told.epoch);
    }
    if (dice.one_in(30)) {
      std::vector<PartitionPositions> positions;
      PartitionPositions position = co_await positions_of(*told.log, told.name, told.log->end());
      positions.push_back(std::move(position));
      // The others' points are forgotten: recovery reads them whole.
      co_await life.directory->checkpoint(std::move(positions));
    }
  }
}

// What is found must be a beginning of what was appended, and reach what was said to be durable. Answers what is wrong.
Task<std::string> look_at(Told& told) {
  Log& log = *told.log;
  const int64_t least = std::min(told.durable, told.cutting.value_or(told.durable));
  std::string wrong;
  if (log.end().value < least) wrong = "ends before " + std::to_string(least);
  if (log.end().value > static_cast<int64_t>(told.values.size())) wrong = "has more than was appended";
  if (told.cutting != 0 && log.start().value > told.start) wrong = "starts behind " + std::to_string(told.start);
  Offset next = log.start();
  while (wrong.empty() && next < log.end()) {
    const ReadResult part = co_await log.read(next, 1000, log.end(), true);
    if (part.error != ErrorCode::none || part.batches.empty())
      wrong = "cannot be read at " + std::to_string(next.value);
    for (const Bytes& bytes : part.batches) {
      for (const std::string& value : values_of({bytes})) {
        if (value != told.values[static_cast<size_t>(next.value)])
          wrong = "has at " + std::to_string(next.value) + " " + value;
        next = next + 1;
      }
    }
  }
  if (!wrong.empty()) {
    wrong = told.name.topic + ", from " + std::to_string(log.start().value) + " to " + std::to_string(log.end().value) +
            ", " + wrong;
  }
  // From here on this is the truth.
  told.values.resize(static_cast<size_t>(std::min(log.end().value, static_cast<int64_t>(told.values.size()))));
  told.durable = log.end().value;
  told.start = log.start().value;
  told.cutting.reset();
  co_return wrong;
}

// Three crashes in a row, then a clean stop. What was wrong with a log after one of them.
std::string fault_after_crashes(uint64_t seed, sim::Crash kind,
                                const std::function<void(sim::SimDisk&)>& prepare = {}) {
  JournalWorld world(seed);
  if (prepare) prepare(world.disk());
  std::string fault;
  for (int life = 0; life < 4 && fault.empty(); ++life) {
    world.node.start([&](sim::Node&) -> Task<int> {
      Life now;
      co_await open_all(now, world);
      for (Told& told : world.logs) {
        const std::string wrong = co_await look_at(told);
        if (!wrong.empty()) fault = "after " + std::to_string(life) + " crashes: " + wrong;
        told.epoch = LeaderEpoch(std::max(told.epoch, told.log->latest_epoch()).value + 1);
        told.log->begin_epoch(told.epoch);
      }
      if (!fault.empty() || life == 3) {
        co_await close_all(now, world);
        co_return 0;
      }
      Gate gate;
      for (Told& told : world.logs) gate.spawn(live(now, world, told, sim::SeededRandom(world.world.random().next())));
      co_await gate.close();
      co_return 0;
    });
    if (life == 3) {
      world.world.run_until([&] { return !world.node.running(); });
      if (world.node.error()) std::rethrow_exception(world.node.error());
      break;
    }
    world.world.run_for(sim::Duration(world.world.random().between(1'000'000, 200'000'000)));
    if (!world.node.running()) {
      if (world.node.error()) std::rethrow_exception(world.node.error());
      break;
    }
    world.node.crash(kind);
  }
  return fault;
}

}  // namespace

TEST_CASE("what the journal made durable survives power cuts, and nothing that was cut or deleted comes back") {
  sim::for_each_seed(60, [](uint64_t seed) { CHECK(fault_after_crashes(seed, sim::Crash::power) == ""); });
}

TEST_CASE("the journal survives the death of the process") {
  sim::for_each_seed(30, [](uint64_t seed) { CHECK(fault_after_crashes(seed, sim::Crash::process) == ""); });
}

// What a program does that acknowledges before the device has the group.
TEST_CASE("a journal that calls a group durable too early is found out") {
  const auto early = [](sim::SimDisk& disk) { disk.lie_about_syncs(std::string(journal_file_prefix)); };
  int lost = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed)
    lost += fault_after_crashes(seed, sim::Crash::power, early).empty() ? 0 : 1;
  CHECK(lost > 0);
}

// What a program does that uses an extent again without having synced the segments.
TEST_CASE("a checkpoint that does not sync the segments is found out") {
  const auto forgetful = [](sim::SimDisk& disk) { disk.lie_about_syncs(".log"); };
  int lost = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed)
    lost += fault_after_crashes(seed, sim::Crash::power, forgetful).empty() ? 0 : 1;
  CHECK(lost > 0);
}

TEST_CASE("a journal that was not read back outlives a stop, and no marker says that the files are all there is") {
  JournalWorld world(9);
  world.node.start([&](sim::Node&) -> Task<int> {
    Life life;
    co_await open_all(life, world);
    append_one(world.logs[0], 0);
    co_await world.logs[0].log->flush();
    co_await sleep_until(after(50ms));
    append_one(world.logs[0], 0);
    co_await world.logs[0].log->flush();
    co_await sleep_until(never);
    co_return 0;
  });
  world.world.run_for(100ms);
  world.node.crash(sim::Crash::power);
  world.node.start([&](sim::Node&) -> Task<int> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    CHECK(directory->journaled(world.logs[0].id, world.logs[0].name.partition));
    co_await directory->close(7, {});
    co_return 0;
  });
  world.world.run_until([&] { return !world.node.running(); });
  world.run([&]() -> Task<void> {
    Life life;
    co_await open_all(life, world);
    CHECK_FALSE(life.directory->clean_shutdown());
    CHECK(world.logs[0].log->end() == Offset(2));
    co_await close_all(life, world);
  });
}
