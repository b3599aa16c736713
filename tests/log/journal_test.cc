// Many logs of a directory, made durable by its journal: crashes, and what else may go wrong.
#include "log/journal.h"

#include <algorithm>
#include <cerrno>
#include <map>

#include "log/journal_recovery.h"
#include "log/log_directory.h"
#include "runtime/gate.h"
#include "tests/log/world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

using namespace std::chrono_literals;

constexpr int64_t small_journal = 256 << 10;

LogConfig small_segments(int32_t bytes = 20'000) {
  LogConfig config;
  config.segment_bytes = bytes;
  config.index_interval_bytes = 200;
  config.file_delete_delay = Millis(5);
  config.retention = Millis(-1);  // only what DeleteRecords has left behind
  return config;
}

// A partition, and what the world was told of it. Every batch is one record.
struct Told {
  TopicPartition name;
  TopicId id;
  std::vector<std::string> values;  // by offset
  int64_t durable = 0;              // said to be durable: must be there
  std::optional<int64_t> cutting;   // a truncation, or a deletion (0), that has not returned
  int64_t start = 0;
  LeaderEpoch epoch{0};
  Log* log = nullptr;
};

// One life of the node: goes with its coroutine when it crashes.
struct Life {
  std::unique_ptr<LogDirectory> directory;
  std::map<std::string, std::unique_ptr<Log>> logs;
  LogConfig config = small_segments();
};

struct World : LogWorld {
  explicit World(uint64_t seed) : LogWorld(seed) {
    MetaProperties meta;
    meta.cluster_id = "4L6g3nShT-eMCtK--X86sw";
    meta.node_id = BrokerId(1);
    meta.directory_id = Uuid{1, 5};
    disk().put("/data/meta.properties", format_meta_properties(meta, Timestamp(0)));
    for (int i = 0; i < 3; ++i) {
      Told& log = logs.emplace_back();
      log.name = {"topic" + std::to_string(i), PartitionId(i)};
      log.id = {1, static_cast<uint64_t>(i)};
    }
  }
  std::vector<Told> logs;
  uint64_t next_id = 100;
};

// As the broker does: what nobody knows is set aside, and what has neither directory nor journal is made when it is
// written to.
Task<void> open_one(Life& life, Told& told) {
  LogDirectory& directory = *life.directory;
  const bool there = (co_await Shard::current().disk().stat(directory.partition_path(told.name))).has_value();
  const std::optional<TopicId> found = co_await directory.topic_id_of(told.name);
  if (there && found != told.id) co_await directory.set_aside_stray(told.name);
  std::unique_ptr<Log>& log = life.logs[told.name.topic];
  if (found == told.id || directory.journaled(told.id, told.name.partition)) {
    log = co_await directory.open_log(told.name, told.id, life.config, directory.open_state(told.name));
  } else {
    log = directory.create_log(told.name, told.id, life.config);
  }
  told.log = log.get();
}

Task<void> open_all(Life& life, World& world) {
  life.directory = co_await LogDirectory::open("/data");
  std::vector<Shard*> shards{&Shard::current()};
  co_await life.directory->keep_journals(shards, small_journal);
  for (Told& told : world.logs) co_await open_one(life, told);
  co_await life.directory->finish_recovery();
}

Task<void> close_all(Life& life, World& world) {
  std::vector<PartitionPositions> positions;
  for (Told& told : world.logs) {
    co_await told.log->close();
    PartitionPositions position = co_await positions_of(*told.log, told.name, told.log->end());
    positions.push_back(std::move(position));
  }
  co_await life.directory->close(7, std::move(positions));
}

void append_one(Told& told, int64_t padding) {
  const std::string value = told.name.topic + " of " + std::to_string(told.id.low) + " epoch " +
                            std::to_string(told.epoch.value) + " number " + std::to_string(told.values.size()) +
                            std::string(static_cast<size_t>(padding), '.');
  const AppendResult result = told.log->append(batch_of({value}), told.epoch);
  REQUIRE(result.error == ErrorCode::none);
  REQUIRE(result.base.value == static_cast<int64_t>(told.values.size()));
  told.values.push_back(value);
}

// What may happen to a log, again and again, until the crash.
Task<void> live(Life& life, World& world, Told& told, sim::SeededRandom dice) {
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
  World world(seed);
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

// A log that only takes its seat.
struct Nobody : JournaledLog {
  void journaled(Offset) override {}
  void journal_failed(const DiskError&) override {}
  Task<bool> sync_segments() override { co_return true; }
};

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

TEST_CASE("many logs share a journal's writes, and a clean stop leaves none of it") {
  World world(3);
  for (int i = 3; i < 40; ++i) {
    Told& log = world.logs.emplace_back();
    log.name = {"topic" + std::to_string(i), PartitionId(i)};
    log.id = {1, static_cast<uint64_t>(i)};
  }
  const auto journal_files = [&world] {
    return std::ranges::count_if(world.disk().names("/data"),
                                 [](const std::string& name) { return name.starts_with(journal_file_prefix); });
  };
  world.run([&]() -> Task<void> {
    Life life;
    co_await open_all(life, world);
    CHECK(journal_files() == 0);  // none before something is appended
    append_one(world.logs[0], 0);
    co_await world.logs[0].log->flush();
    co_await sleep_until(after(50ms));
    CHECK(journal_files() > 0);
    for (Told& told : world.logs) {
      append_one(told, 0);  // the first one still syncs what lies before
      co_await told.log->flush();
    }
    const int64_t before = world.disk().syncs();
    Gate gate;
    const auto append = [](Told& told) -> Task<void> {
      append_one(told, 0);
      co_await told.log->flush();
      CHECK(told.log->durable() == told.log->end());
    };
    for (Told& told : world.logs) gate.spawn(append(told));
    co_await gate.close();
    CHECK(world.disk().syncs() - before <= 6);  // not 40; some make files
    co_await close_all(life, world);
    CHECK(journal_files() == 0);
  });
}

TEST_CASE("a journal may be as large as one likes: its files stay as small as recovery reads them") {
  World world(8);
  world.run([&]() -> Task<void> {
    Journal journal("/data", int64_t{1} << 40);
    journal.begin();
    Nobody nobody;
    const std::shared_ptr<Journal::Seat> seat = journal.join(nobody, TopicId{1, 2}, PartitionId(0));
    const bool taken_at_once = seat->append(Offset(0), Offset(1), LeaderEpoch(0), batch_of({"a"}));
    CHECK_FALSE(taken_at_once);
    co_await sleep_until(after(30s));
    CHECK(seat->append(Offset(0), Offset(1), LeaderEpoch(0), batch_of({"a"})));
    const std::optional<DirectoryEntry> extent =
        co_await Shard::current().disk().stat("/data/" + std::string(journal_file_prefix) + "0-0");
    REQUIRE(extent);
    CHECK(extent->size == largest_journal_extent);
    const RecoveredJournal recovered = co_await RecoveredJournal::read(Shard::current().disk(), "/data");
    CHECK_FALSE(recovered.empty());
    seat->leave();
    co_await journal.close(true);
  });
}

TEST_CASE("a small journal has a few files, so that they take large batches, and a larger one more of a usual size") {
  constexpr int64_t kilobyte = 1 << 10;
  constexpr int64_t megabyte = 1 << 20;
  for (const auto& [journal_bytes, file_bytes] :
       {std::pair(8 * megabyte, 512 * kilobyte), std::pair(128 * megabyte, 8 * megabyte),
        std::pair(512 * megabyte, 8 * megabyte)}) {
    CAPTURE(journal_bytes);
    World world(9);
    world.run([&]() -> Task<void> {
      Journal journal("/data", journal_bytes);
      journal.begin();
      Nobody nobody;
      const std::shared_ptr<Journal::Seat> seat = journal.join(nobody, TopicId{1, 2}, PartitionId(0));
      seat->append(Offset(0), Offset(1), LeaderEpoch(0), batch_of({"a"}));  // makes the first file
      co_await sleep_until(after(30s));
      const std::optional<DirectoryEntry> file =
          co_await Shard::current().disk().stat("/data/" + std::string(journal_file_prefix) + "0-0");
      REQUIRE(file);
      CHECK(file->size == file_bytes);
      seat->leave();
      co_await journal.close(true);
    });
  }
}

TEST_CASE("where no journal can be made, every log syncs itself") {
  World world(4);
  world.disk().inject({.call = sim::DiskCall::write, .path = "millrace-journal", .error = ENOSPC, .times = -1});
  world.run([&]() -> Task<void> {
    Life life;
    co_await open_all(life, world);
    for (int i = 0; i < 20; ++i) {
      for (Told& told : world.logs) {
        append_one(told, 100);
        co_await told.log->flush();
      }
    }
    CHECK_FALSE(life.directory->offline());
    co_await close_all(life, world);
  });
}

TEST_CASE("a failed journal write takes its logs and the directory offline, and is not tried again") {
  World world(5);
  world.run([&]() -> Task<void> {
    Life life;
    co_await open_all(life, world);
    Told& first = world.logs[0];
    Told& second = world.logs[1];
    for (int i = 0; i < 30; ++i) {
      append_one(first, 0);
      append_one(second, 0);
      co_await first.log->flush();
      co_await second.log->flush();
      co_await sleep_until(after(1ms));
    }
    world.disk().inject({.call = sim::DiskCall::write, .path = "millrace-journal", .error = EIO, .times = -1});
    append_one(first, 0);
    const bool durable = co_await first.log->wait_for(first.log->end(), Durability::durable, after(1s));
    CHECK_FALSE(durable);
    CHECK(first.log->failed());
    CHECK(second.log->failed());
    co_await yield();
    CHECK(life.directory->offline());
    for (Told& told : world.logs) co_await told.log->close();
    co_await life.directory->abandon();
  });
}

TEST_CASE("a batch larger than the journal's files goes past them, and what follows does not wait for more") {
  World world(6);
  world.run([&]() -> Task<void> {
    Life life;
    life.config = small_segments(1'000'000);
    co_await open_all(life, world);
    Told& told = world.logs[0];
    for (const int64_t padding : {10, 10, 100'000, 10, 100'000, 10}) {
      append_one(told, padding);
      co_await told.log->flush();
      CHECK(told.log->durable() == told.log->end());
      co_await sleep_until(after(5ms));
    }
    co_await close_all(life, world);
  });
}

TEST_CASE("groups are read back as they were written, and nothing is believed that was changed") {
  const BlockMemory memory(3 * block_bytes);
  const std::string text(5000, 'x');
  JournalGroupWriter writer(memory.span());
  writer.add({JournalFrameKind::batch,
              {1, 2},
              PartitionId(3),
              LeaderEpoch(4),
              Offset(5),
              Offset(6),
              std::as_bytes(std::span(text))});
  writer.add({JournalFrameKind::cut, {7, 8}, PartitionId(9), LeaderEpoch(-1), Offset(10), Offset(10), {}});
  const std::span<const std::byte> blocks = writer.finish(11, 12, 13);
  CHECK(blocks.size() == 2 * block_bytes);
  const std::optional<JournalGroup> group = decode_journal_group(blocks);
  REQUIRE(group);
  CHECK(group->generation == 11);
  CHECK(group->sequence == 12);
  CHECK(group->oldest == 13);
  CHECK(group->size == blocks.size());
  REQUIRE(group->frames.size() == 2);
  CHECK(group->frames[0].topic == TopicId{1, 2});
  CHECK(group->frames[0].partition == PartitionId(3));
  CHECK(group->frames[0].epoch == LeaderEpoch(4));
  CHECK(group->frames[0].from == Offset(5));
  CHECK(group->frames[0].end == Offset(6));
  CHECK(Bytes::copy_of(group->frames[0].bytes).text() == text);
  CHECK(group->frames[1].kind == JournalFrameKind::cut);
  CHECK(group->frames[1].from == Offset(10));
  for (size_t at = 0; at < 5000; at += 7) {
    memory.span()[at] ^= std::byte{4};
    CHECK_FALSE(decode_journal_group(blocks));
    memory.span()[at] ^= std::byte{4};
  }
  for (size_t size = 0; size < 5000; size += 61) CHECK_FALSE(decode_journal_group(blocks.first(size)));
}

TEST_CASE("what the journal has waits for a large write, for somebody who wants it in the file, or a moment") {
  World world(7);
  world.run([&]() -> Task<void> {
    Life life;
    life.config = small_segments(10'000'000);
    co_await open_all(life, world);
    Told& told = world.logs[0];
    Log& log = *told.log;
    // Before the journal has its files.
    append_one(told, 0);
    co_await log.flush();
    co_await sleep_until(after(300ms));
    CHECK(log.written() == log.end());

    append_one(told, 0);
    co_await log.flush();
    CHECK(log.written() == Offset(1));
    const ReadResult part = co_await log.read(Offset(0), 1000, log.end(), true);
    CHECK(part.batches.size() == 2);
    co_await sleep_until(after(300ms));
    CHECK(log.written() == log.end());

    append_one(told, 0);
    co_await log.flush();
    CHECK(log.written() == Offset(2));
    for (int i = 0; i < 20; ++i) append_one(told, 55'000);
    co_await log.flush();
    co_await sleep_until(after(50ms));
    CHECK(log.written() == log.end());

    append_one(told, 0);
    co_await log.flush();
    CHECK(log.written() == Offset(23));
    co_await log.roll();
    co_await log.recovery_point();
    CHECK(log.written() == log.end());
    co_await close_all(life, world);
  });
}

TEST_CASE("a journal that was not read back outlives a stop, and no marker says that the files are all there is") {
  World world(9);
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
