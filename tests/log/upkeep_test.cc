// Retention, DeleteRecords and truncation.
#include "tests/log/world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

LogConfig small_segments() {
  LogConfig config;
  config.segment_bytes = 1000;
  config.index_interval_bytes = 100;
  return config;
}

Timestamp time_of(int i) { return Timestamp(Shard::current().clock().wall_now().value - 1'000'000 + i * 1000); }

void append_recent(Log& log, int from, int to, LeaderEpoch epoch = LeaderEpoch(0)) {
  for (int i = from; i < to; ++i) {
    const AppendResult result = log.append(batch_of({"value " + std::to_string(i)}, {}, time_of(i)), epoch);
    REQUIRE(result.error == ErrorCode::none);
  }
}

int count_ending(LogWorld& world, std::string_view suffix) {
  int count = 0;
  for (const std::string& file : world.files()) count += file.ends_with(suffix);
  return count;
}

}  // namespace

TEST_CASE("retention by size removes whole old segments, and their files a while later") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config = small_segments();
    config.retention = Millis(-1);
    config.retention_bytes = 3000;
    std::unique_ptr<Log> log = co_await open_orders(config);
    append_recent(*log, 0, 100);
    const int64_t before = log->size();
    const int removed = co_await log->apply_retention(log->end());
    CHECK(removed > 0);
    CHECK(log->size() < before);
    CHECK(log->size() >= 3000);
    CHECK(log->size() < 3000 + 1000);
    CHECK(log->start() == log->first_segment());
    CHECK(count_ending(world, ".log.deleted") == removed);
    const ReadResult gone = co_await log->read(Offset(0), 1000, log->end(), true);
    CHECK(gone.error == ErrorCode::offset_out_of_range);
    const std::vector<std::string> values = co_await all_values(*log, log->start(), log->end());
    CHECK(values.back() == "value 99");
    CHECK(values.size() == static_cast<size_t>(log->end() - log->start()));
    co_await sleep_until(after(std::chrono::seconds(61)));
    CHECK(count_ending(world, ".deleted") == 0);
    log = co_await restarted(std::move(log), config);
    CHECK(log->start() > Offset(0));
    co_await log->close();
  });
}

TEST_CASE("retention by time may empty the log, which still knows its end") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config = small_segments();
    config.retention = Millis(10'000'000);
    std::unique_ptr<Log> log = co_await open_orders(config);
    append_recent(*log, 0, 50);
    const int kept = co_await log->apply_retention(log->end());
    CHECK(kept == 0);
    config.retention = Millis(1000);
    log->configure(config);
    const int held = co_await log->apply_retention(Offset(30));
    CHECK(held > 0);
    CHECK(log->start() <= Offset(30));
    co_await log->apply_retention(log->end());
    CHECK(log->start() == Offset(50));
    CHECK(log->end() == Offset(50));
    CHECK(log->size() == 0);
    co_await log->close();
    for (const bool clean : {true, false}) {
      OpenState state{.clean_shutdown = clean};
      log = co_await open_orders(config, state);
      CHECK(log->start() == Offset(50));
      CHECK(log->end() == Offset(50));
      co_await log->close();
    }
    OpenState state;
    log = co_await open_orders(config, state);
    const AppendResult next = log->append(batch_of({"on"}), LeaderEpoch(0));
    CHECK(next.base == Offset(50));
    co_await log->close();
  });
}

TEST_CASE("a compacted log keeps everything, whatever retention says") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config = small_segments();
    config.cleanup_delete = false;
    config.cleanup_compact = true;
    config.retention = Millis(1);
    config.retention_bytes = 1;
    std::unique_ptr<Log> log = co_await open_orders(config);
    append_recent(*log, 0, 50);
    const int removed = co_await log->apply_retention(log->end());
    CHECK(removed == 0);
    const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
    CHECK(values == numbered(0, 50));
    co_await log->close();
  });
}

TEST_CASE("deleting records moves the start, and retention removes what lies wholly before it") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config = small_segments();
    config.retention = Millis(-1);
    std::unique_ptr<Log> log = co_await open_orders(config);
    log->begin_epoch(LeaderEpoch(0));
    append_recent(*log, 0, 50);
    co_await log->delete_before(Offset(25));
    CHECK(log->start() == Offset(25));
    CHECK(log->first_segment() == Offset(0));
    CHECK(log->epoch_at(Offset(25)) == LeaderEpoch(0));
    CHECK(log->epoch_at(Offset(24)) == LeaderEpoch(-1));
    const ReadResult gone = co_await log->read(Offset(24), 1000, log->end(), true);
    CHECK(gone.error == ErrorCode::offset_out_of_range);
    const OffsetAndTimestamp first = co_await log->find_time(Timestamp(0), log->end());
    CHECK(first.offset == Offset(25));
    co_await log->delete_before(Offset(20));
    CHECK(log->start() == Offset(25));
    const int removed = co_await log->apply_retention(log->end());
    CHECK(removed > 0);
    CHECK(log->start() == Offset(25));
    CHECK(log->first_segment() > Offset(0));
    CHECK(log->first_segment() <= Offset(25));
    co_await log->close();
    OpenState clean{.clean_shutdown = true, .start = Offset(25)};
    log = co_await open_orders(config, clean);
    CHECK(log->start() == Offset(25));
    co_await log->close();
  });
  CHECK(world.content("leader-epoch-checkpoint") == "0\n1\n0 25\n");
}

TEST_CASE("a start behind the end empties the log and begins there") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(small_segments());
    append_recent(*log, 0, 50);
    co_await log->delete_before(Offset(1000));
    CHECK(log->start() == Offset(1000));
    CHECK(log->end() == Offset(1000));
    CHECK(log->durable() == Offset(1000));
    CHECK(log->latest_epoch() == LeaderEpoch(-1));
    const AppendResult next = log->append(batch_of({"on"}), LeaderEpoch(1));
    CHECK(next.base == Offset(1000));
    co_await log->close();
    log = co_await open_orders(small_segments());
    CHECK(log->start() == Offset(1000));
    CHECK(log->end() == Offset(1001));
    co_await log->close();
  });
}

TEST_CASE("a truncated log ends where it was cut and goes on from there, at every offset and after every restart") {
  for (int cut = 0; cut <= 40; cut += 1) {
    LogWorld world(static_cast<uint64_t>(cut));
    world.run([&]() -> Task<void> {
      std::unique_ptr<Log> log = co_await open_orders(small_segments());
      append_recent(*log, 0, 20, LeaderEpoch(1));
      log->append(batch_of({"p"}, from_producer(1, 0, 0), time_of(20)), LeaderEpoch(2));
      append_recent(*log, 21, 40, LeaderEpoch(2));
      if (cut % 2 == 0) co_await log->flush();
      co_await log->truncate(Offset(cut));
      CHECK(log->end() == Offset(cut));
      CHECK(log->written() <= log->end());
      CHECK(log->durable() <= log->end());
      CHECK(log->latest_epoch() == (cut == 0 ? LeaderEpoch(-1) : cut <= 20 ? LeaderEpoch(1) : LeaderEpoch(2)));
      CHECK(log->producer(ProducerId(1)).has_value() == (cut > 20));
      const OffsetAndTimestamp newest = co_await log->find_max_timestamp(log->end());
      CHECK(newest.offset == Offset(cut - 1));
      log->append(batch_of({"after"}, {}, time_of(100)), LeaderEpoch(5));
      for (int round = 0; round < 2; ++round) {
        std::vector<std::string> expected = numbered(0, cut);
        if (cut > 20) expected[20] = "p";
        expected.push_back("after");
        const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
        CHECK(values == expected);
        CHECK(log->end_of_epoch(LeaderEpoch(5)) == std::pair(LeaderEpoch(5), Offset(cut + 1)));
        co_await log->close();
        OpenState state{.clean_shutdown = cut % 3 == 0};
        log = co_await open_orders(small_segments(), state);
        CHECK(log->notes().empty());
      }
      co_await log->close();
    });
  }
}

TEST_CASE("cutting a batch removes it whole") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"a", "b"}), LeaderEpoch(0));
    log->append(batch_of({"c", "d", "e"}), LeaderEpoch(0));
    co_await log->truncate(Offset(3));
    CHECK(log->end() == Offset(2));
    co_await log->close();
  });
}

TEST_CASE("truncation below an aborted transaction forgets it") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"a"}, from_producer(1, 0, 0, true)), LeaderEpoch(0));
    log->append(marker(1, 0, false), LeaderEpoch(0), {.client = false});
    co_await log->recovery_point();
    co_await log->truncate(Offset(1));
    const ReadResult read = co_await log->read(Offset(0), 1000, log->end(), true, true);
    CHECK(read.aborted.empty());
    CHECK(log->last_stable(Offset(1)) == Offset(0));
    co_await log->close();
  });
  CHECK(world.content("00000000000000000000.txnindex") == "(missing)");
}

TEST_CASE("a reader and retention do not get in each other's way") {
  sim::for_each_seed(30, [](uint64_t seed) {
    LogWorld world(seed);
    world.run([&]() -> Task<void> {
      LogConfig config = small_segments();
      config.retention = Millis(-1);
      config.retention_bytes = 1500;
      std::unique_ptr<Log> log = co_await open_orders(config);
      append_recent(*log, 0, 100);
      log = co_await restarted(std::move(log), config);
      Gate gate;
      auto reader = [&](int from) -> Task<void> {
        for (Offset next(from); next < log->end();) {
          const ReadResult part = co_await log->read(next, 300, log->end(), true);
          if (part.error == ErrorCode::offset_out_of_range) {
            CHECK(next < log->start());
            co_return;
          }
          REQUIRE(part.error == ErrorCode::none);
          REQUIRE(!part.batches.empty());
          CHECK(protocol::RecordBatch(part.batches[0]).base_offset() == next);
          next = protocol::RecordBatch(part.batches.back()).next_offset();
        }
      };
      auto cleaner = [&]() -> Task<void> { co_await log->apply_retention(log->end()); };
      for (int i = 0; i < 5; ++i) gate.spawn(reader(i * 9));
      gate.spawn(cleaner());
      co_await gate.close();
      CHECK_FALSE(log->failed());
      co_await log->close();
    });
  });
}
