// What a log is after the process or the power went away.
#include <algorithm>

#include "runtime/gate.h"
#include "tests/log/world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

LogConfig small_segments() {
  LogConfig config;
  config.segment_bytes = 1500;
  config.index_interval_bytes = 200;
  return config;
}

// What the world was told before the crash.
struct Told {
  int64_t durable = 0;   // said to be durable: must be there
  int64_t appended = 0;  // ever given an offset: nothing beyond may be there
  int64_t recovery_point = 0;
};

// Produces until the crash; record i says "value i". Every producer batch carries sequences.
Task<int> produce_forever(sim::Node& node, Told& told, LogConfig config, OpenState state) {
  std::unique_ptr<Log> log = co_await open_orders(config, state);
  Gate gate;
  sim::SeededRandom dice(node.world().random().next());
  int64_t next = log->end().value;
  std::optional<ProducerSummary> known = log->producer(ProducerId(1));
  int32_t sequence = known ? known->last_sequence.value + 1 : 0;
  LeaderEpoch epoch(log->latest_epoch().value + 1);
  log->begin_epoch(epoch);
  while (true) {
    const auto batches = dice.between(1, 4);
    for (int64_t i = 0; i < batches; ++i) {
      std::vector<std::string> values;
      const auto records = dice.between(1, 3);
      for (int64_t r = 0; r < records; ++r) {
        values.push_back("value " + std::to_string(next++) +
                         std::string(static_cast<size_t>(dice.between(0, 300)), '.'));
      }
      const bool transactional = true;
      const AppendResult result = log->append(batch_of(values, from_producer(1, 0, sequence, transactional)), epoch);
      check(result.error == ErrorCode::none);
      sequence += static_cast<int32_t>(values.size());
      told.appended = log->end().value;
    }
    if (dice.one_in(5)) {
      log->append(marker(1, 0, dice.one_in(2)), epoch, {.client = false});
      ++next;
      told.appended = log->end().value;
    }
    // Somebody waits for a sync while others go on appending.
    auto wait = [&log](Offset end) -> Task<void> { co_await log->wait_for(end, Durability::durable); };
    if (dice.one_in(3)) gate.spawn(wait(log->end()));
    if (dice.one_in(4)) co_await log->wait_for(log->end(), Durability::written);
    co_await sleep_until(after(std::chrono::microseconds(dice.between(0, 500))));
    told.durable = std::max(told.durable, log->durable().value);
    if (dice.one_in(20)) {
      const Offset point = co_await log->recovery_point();
      told.recovery_point = std::max(told.recovery_point, point.value);
    }
  }
}

// The log is a prefix of what was appended, and reaches the last durable record at least.
void check_prefix(Log& log, const Told& told, const std::vector<std::string>& values) {
  CHECK(log.end().value >= told.durable);
  CHECK(log.end().value <= told.appended);
  CHECK(log.start() == Offset(0));
  CHECK(static_cast<int64_t>(values.size()) == log.end().value);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string expected = "value " + std::to_string(i);
    const bool is_marker = values[i].size() == 6 && values[i][0] == '\0';
    const bool matches = is_marker || (values[i].starts_with(expected) &&
                                       values[i].find_first_not_of('.', expected.size()) == std::string::npos);
    REQUIRE(matches);
  }
}

// What a checkpoint may say: the last recovery point or an older one.
OpenState after_crash(sim::World& world, const Told& told) {
  OpenState state;
  state.recovery_point = Offset(world.random().between(0, told.recovery_point));
  return state;
}

void crash_again_and_again(uint64_t seed, sim::Crash kind, LogConfig config) {
  LogWorld world(seed);
  // In half of the worlds writes take as long as syncs.
  if (seed % 2 == 0) world.disk().set_call_time(std::chrono::milliseconds(3));
  Told told;
  for (int round = 0; round < 4; ++round) {
    const OpenState state = after_crash(world.world, told);
    world.node.start([&](sim::Node& node) { return produce_forever(node, told, config, state); });
    world.world.run_for(Millis(world.world.random().between(0, 60)));
    if (!world.node.running()) {
      if (world.node.error()) std::rethrow_exception(world.node.error());
      FAIL("the producer ended");
    }
    world.node.crash(kind);
    const OpenState found = after_crash(world.world, told);
    world.run([&]() -> Task<void> {
      std::unique_ptr<Log> log = co_await open_orders(config, found);
      const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
      check_prefix(*log, told, values);
      CHECK(log->durable() == log->end());
      // What is there now is what later rounds must find.
      told.durable = told.appended = told.recovery_point = log->end().value;
      const std::vector<ProducerSummary> producers = log->producers();
      const std::pair epochs = log->end_of_epoch(log->latest_epoch());
      const Offset stable = log->last_stable(log->end());
      co_await log->close();
      // Producers, epochs and transactions are the same however the directory is read.
      for (int way = 0; way < 2; ++way) {
        OpenState again{.clean_shutdown = way == 0};
        log = co_await open_orders(config, again);
        CHECK(log->end().value == told.durable);
        const std::vector<ProducerSummary> now_known = log->producers();
        REQUIRE(now_known.size() == producers.size());
        for (size_t i = 0; i < producers.size(); ++i) {
          CHECK(now_known[i].last_sequence == producers[i].last_sequence);
          CHECK(now_known[i].transaction_start == producers[i].transaction_start);
        }
        CHECK(log->end_of_epoch(log->latest_epoch()) == epochs);
        CHECK(log->last_stable(log->end()) == stable);
        const ReadResult rebuilt = co_await log->read(Offset(0), 1 << 20, log->end(), true, true);
        CHECK(rebuilt.error == ErrorCode::none);
        co_await log->close();
      }
    });
  }
}

}  // namespace

TEST_CASE("after power cuts the log is a prefix that ends at or behind the last durable record") {
  sim::for_each_seed(150, [](uint64_t seed) { crash_again_and_again(seed, sim::Crash::power, small_segments()); });
}

TEST_CASE("after power cuts a compacted log, too, is such a prefix") {
  LogConfig config = small_segments();
  config.cleanup_compact = true;
  config.cleanup_delete = false;
  sim::for_each_seed(100, [&](uint64_t seed) { crash_again_and_again(seed, sim::Crash::power, config); });
}

TEST_CASE("after the process is killed nothing that was written is lost") {
  sim::for_each_seed(50, [](uint64_t seed) { crash_again_and_again(seed, sim::Crash::process, small_segments()); });
}

TEST_CASE("what is durable once a killed process runs again survives the power cut that follows") {
  sim::for_each_seed(150, [](uint64_t seed) {
    LogWorld world(seed);
    Told told;
    const LogConfig config = small_segments();
    for (const sim::Crash kind : {sim::Crash::process, sim::Crash::power}) {
      const OpenState state = after_crash(world.world, told);
      world.node.start([&](sim::Node& node) { return produce_forever(node, told, config, state); });
      const int64_t most = kind == sim::Crash::process ? 2000 : 20000;
      world.world.run_for(std::chrono::microseconds(world.world.random().between(0, most)));
      world.node.crash(kind);
    }
    const OpenState found = after_crash(world.world, told);
    world.run([&]() -> Task<void> {
      std::unique_ptr<Log> log = co_await open_orders(config, found);
      const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
      check_prefix(*log, told, values);
      co_await log->close();
    });
  });
}

TEST_CASE("truncation survives power cuts: what was cut never comes back between what was appended later") {
  sim::for_each_seed(150, [](uint64_t seed) {
    LogWorld world(seed);
    int64_t durable_after = -1;
    int64_t cut = 0;
    bool truncated = false;
    auto work = [&](sim::Node& node) -> Task<int> {
      std::unique_ptr<Log> log = co_await open_orders(small_segments());
      // One batch, one sector: whatever mixture of old and new sectors survives looks like batches.
      const auto sector = [](const std::string& value) {
        const size_t rest = batch_of({value + std::string(200, '.')}).size() - 200;
        return batch_of({value + std::string(512 - rest, '.')});
      };
      for (int i = 0; i < 40; ++i) log->append(sector("old " + std::to_string(i)), LeaderEpoch(0));
      if (node.world().random().one_in(2)) co_await log->flush();
      const int64_t to = node.world().random().between(0, 40);
      co_await log->truncate(Offset(to));
      cut = to;
      truncated = true;
      for (int i = 0; i < 40; ++i) log->append(sector("new " + std::to_string(to + i)), LeaderEpoch(1));
      co_await log->flush();
      durable_after = log->durable().value;
      co_await sleep_until(never - std::chrono::hours(1));
      co_return 0;
    };
    world.node.start(work);
    // Mostly around the truncation, where it hurts.
    if (!world.world.random().one_in(4)) world.world.run_until([&] { return truncated; });
    world.world.run_for(std::chrono::microseconds(world.world.random().between(0, 6'000)));
    world.node.crash(sim::Crash::power);
    world.run([&]() -> Task<void> {
      std::unique_ptr<Log> log = co_await open_orders(small_segments());
      std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
      for (std::string& value : values) value.resize(std::min(value.size(), value.find('.')));
      CHECK(static_cast<int64_t>(values.size()) == log->end().value);
      if (durable_after >= 0) CHECK(log->end().value >= durable_after);
      size_t first_new = 0;
      while (first_new < values.size() && values[first_new].starts_with("old ")) ++first_new;
      for (size_t i = 0; i < values.size(); ++i) {
        CHECK(values[i] == (i < first_new ? "old " : "new ") + std::to_string(i));
      }
      if (first_new < values.size()) CHECK(static_cast<int64_t>(first_new) == cut);
      co_await log->close();
    });
  });
}

TEST_CASE("a torn tail is cut off, and the place is used again") {
  for (const size_t torn : {1u, 11u, 12u, 30u, 60u, 61u, 70u}) {
    LogWorld world;
    const Bytes whole = patched<int64_t>(batch_of({"torn"}), 0, 2);
    world.run([&]() -> Task<void> {
      std::unique_ptr<Log> log = co_await open_orders();
      log->append(batch_of({"a", "b"}), LeaderEpoch(0));
      co_await log->close();
    });
    const std::string before = world.content("00000000000000000000.log");
    world.disk().put(orders_directory + "/00000000000000000000.log",
                     before + std::string(whole.text().substr(0, std::min(torn, whole.size() - 1))));
    world.run([&]() -> Task<void> {
      std::unique_ptr<Log> log = co_await open_orders();
      CHECK(log->end() == Offset(2));
      CHECK(log->notes().size() == 1);
      CHECK(log->size() == static_cast<int64_t>(before.size()));
      log->append(batch_of({"c"}), LeaderEpoch(0));
      co_await log->close();
      log = co_await open_orders();
      const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
      CHECK(values == std::vector<std::string>{"a", "b", "c"});
      co_await log->close();
    });
  }
}

TEST_CASE("a flipped bit above the recovery point ends the log there, and later segments go") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(small_segments());
    for (int i = 0; i < 60; ++i) log->append(batch_of({"value " + std::to_string(i)}), LeaderEpoch(0));
    co_await log->close();
  });
  std::string damaged = world.content("00000000000000000000.log");
  damaged[damaged.size() - 3] = static_cast<char>(damaged[damaged.size() - 3] ^ 1);
  world.disk().put(orders_directory + "/00000000000000000000.log", damaged);
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(small_segments());
    const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
    CHECK(values == numbered(0, static_cast<int>(values.size())));
    CHECK(log->end() < Offset(30));
    CHECK(static_cast<PartitionLog&>(*log).segments().size() == 1);
    co_await log->close();
  });
  int logs = 0;
  for (const std::string& file : world.files()) logs += file.ends_with(".log");
  CHECK(logs == 1);
}

TEST_CASE("bytes behind the last batch of a cleanly stopped log are refused, as Kafka refuses them") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"a"}), LeaderEpoch(0));
    co_await log->close();
  });
  world.disk().put(orders_directory + "/00000000000000000000.log",
                   world.content("00000000000000000000.log") + std::string(37, 'x'));
  world.run([&]() -> Task<void> {
    OpenState clean{.clean_shutdown = true};
    bool refused = false;
    try {
      std::unique_ptr<Log> log = co_await open_orders({}, clean);
    } catch (const CorruptLog&) {
      refused = true;
    }
    CHECK(refused);
  });
}

TEST_CASE("indexes that are missing, cut or nonsense are built again") {
  const std::vector<std::string> damages = {"missing", "cut", "zeros", "noise"};
  for (const std::string& damage : damages) {
    for (const std::string suffix : {".index", ".timeindex"}) {
      LogWorld world;
      world.run([&]() -> Task<void> {
        std::unique_ptr<Log> log = co_await open_orders(small_segments());
        for (int i = 0; i < 60; ++i) {
          log->append(batch_of({"value " + std::to_string(i)}, {}, Timestamp(1'700'000'000'000 + i)), LeaderEpoch(0));
        }
        co_await log->close();
      });
      for (const std::string& file : world.files()) {
        if (!file.ends_with(suffix)) continue;
        const std::string path = orders_directory + "/" + file;
        const std::string good = world.content(file);
        if (damage == "missing") world.disk().file_system().remove(path, false);
        if (damage == "cut") world.disk().put(path, good.substr(0, good.size() / 2 + 1));
        if (damage == "zeros") world.disk().put(path, std::string(good.size(), '\0'));
        if (damage == "noise") world.disk().put(path, std::string(good.size(), '\x11'));
      }
      world.run([&]() -> Task<void> {
        OpenState clean{.clean_shutdown = true};
        std::unique_ptr<Log> log = co_await open_orders(small_segments(), clean);
        CHECK(log->end() == Offset(60));
        for (int i = 0; i < 60; ++i) {
          const ReadResult part = co_await log->read(Offset(i), 10, log->end(), true);
          CHECK(values_of(part.batches) == numbered(i, i + 1));
        }
        if (suffix == ".timeindex" && damage != "zeros") {
          const OffsetAndTimestamp found = co_await log->find_time(Timestamp(1'700'000'000'030), log->end());
          CHECK(found.offset == Offset(30));
        }
        co_await log->close();
      });
    }
  }
}

TEST_CASE("a snapshot that is missing or damaged is made up from the log") {
  for (const bool missing : {true, false}) {
    LogWorld world;
    world.run([&]() -> Task<void> {
      std::unique_ptr<Log> log = co_await open_orders(small_segments());
      for (int i = 0; i < 40; ++i) {
        log->append(batch_of({"value " + std::to_string(i)}, from_producer(i % 3, 0, i / 3)), LeaderEpoch(0));
      }
      co_await log->close();
    });
    const std::string newest = orders_directory + "/00000000000000000040.snapshot";
    if (missing) {
      world.disk().file_system().remove(newest, false);
    } else {
      world.disk().put(newest, "garbage");
    }
    world.run([&]() -> Task<void> {
      OpenState clean{.clean_shutdown = true};
      std::unique_ptr<Log> log = co_await open_orders(small_segments(), clean);
      CHECK(log->producer(ProducerId(0))->last_sequence == Sequence(13));
      const AppendResult repeated = log->append(batch_of({"x"}, from_producer(0, 0, 13)), LeaderEpoch(0));
      CHECK(repeated.base == Offset(39));
      co_await log->close();
    });
    CHECK(world.content("00000000000000000040.snapshot").size() == 10 + 3 * 46);
  }
}

TEST_CASE("a transaction index nobody can read stops a clean start and is built again by an unclean one") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"a"}, from_producer(1, 0, 0, true)), LeaderEpoch(0));
    log->append(marker(1, 0, false), LeaderEpoch(0), {.client = false});
    co_await log->close();
  });
  const std::string good = world.content("00000000000000000000.txnindex");
  world.disk().put(orders_directory + "/00000000000000000000.txnindex", std::string(34, '\x1e'));
  world.run([&]() -> Task<void> {
    OpenState clean{.clean_shutdown = true};
    bool refused = false;
    try {
      std::unique_ptr<Log> log = co_await open_orders({}, clean);
    } catch (const CorruptLog&) {
      refused = true;
    }
    CHECK(refused);
    OpenState unclean{.recovery_point = Offset(2)};
    std::unique_ptr<Log> log = co_await open_orders({}, unclean);
    const ReadResult read = co_await log->read(Offset(0), 1000, log->end(), true, true);
    CHECK(read.aborted.size() == 1);
    co_await log->close();
  });
  CHECK(world.content("00000000000000000000.txnindex") == good);
}

TEST_CASE("interrupted compaction is settled: unfinished output goes, finished output replaces what it covers") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(small_segments());
    for (int i = 0; i < 60; ++i) log->append(batch_of({"value " + std::to_string(i)}), LeaderEpoch(0));
    co_await log->close();
  });
  std::vector<std::string> logs;
  for (const std::string& file : world.files()) {
    if (file.ends_with(".log")) logs.push_back(file);
  }
  REQUIRE(logs.size() >= 4);
  // The first two segments, cleaned into one that keeps a single batch of each.
  const std::string first = world.content(logs[0]);
  const std::string second = world.content(logs[1]);
  const size_t batch = batch_of({"value 0"}).size();
  const size_t later_batch = batch_of({"value 00"}).size();
  world.disk().put(orders_directory + "/" + logs[0] + ".swap",
                   first.substr(0, batch) + second.substr(second.size() - later_batch));
  world.disk().put(orders_directory + "/" + logs[2] + ".cleaned", "unfinished");
  world.disk().put(orders_directory + "/" + logs[3] + ".deleted", "gone");
  world.run([&]() -> Task<void> {
    LogConfig config = small_segments();
    config.cleanup_compact = true;
    OpenState clean{.clean_shutdown = true};
    std::unique_ptr<Log> log = co_await open_orders(config, clean);
    const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
    const int second_end = static_cast<int>(offset_of_file(logs[2])->value);
    std::vector<std::string> expected = {"value 0", "value " + std::to_string(second_end - 1)};
    for (const std::string& value : numbered(second_end, 60)) expected.push_back(value);
    CHECK(values == expected);
    co_await log->close();
  });
  for (const std::string& file : world.files()) {
    CHECK_FALSE(file.ends_with(".swap"));
    CHECK_FALSE(file.ends_with(".cleaned"));
    CHECK_FALSE(file.ends_with(".deleted"));
  }
}

TEST_CASE("a topic id that is not the directory's is refused") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    co_await log->close();
    bool refused = false;
    try {
      const TopicId other{9, 9};
      OpenState state;
      LogConfig config;
      std::unique_ptr<Log> wrong = co_await Log::open(orders_directory, orders, other, config, state);
    } catch (const CorruptLog&) {
      refused = true;
    }
    CHECK(refused);
  });
}
