// Appending: as leader and as follower, rolling, flushing, and what waits for it.
#include "tests/log/world.h"

using namespace millrace;
using namespace millrace::log;

TEST_CASE("what is appended can be read at once, and is on disk when it is said to be") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    const AppendResult result = log->append(batch_of({"a", "b", "c"}), LeaderEpoch(4));
    CHECK(result.error == ErrorCode::none);
    CHECK(result.base == Offset(0));
    CHECK(result.last == Offset(2));
    CHECK(result.log_append_time == Timestamp(-1));
    CHECK(log->end() == Offset(3));
    CHECK(log->written() == Offset(0));
    const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
    CHECK(values == std::vector<std::string>{"a", "b", "c"});

    const bool durable = co_await log->wait_for(Offset(3), Durability::durable);
    CHECK(durable);
    CHECK(log->durable() == Offset(3));
    CHECK(log->written() == Offset(3));
    CHECK(log->epoch_at(Offset(2)) == LeaderEpoch(4));
    co_await log->close();
  });
}

TEST_CASE("records that are given away stay where they are, unless that holds far more memory than they need") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"before"}), LeaderEpoch(3));
    const Bytes given = batch_of({"a", "b"});
    const Bytes lent = batch_of({"c"});
    const Bytes far_too_small = batch_of({"d"});
    log->append(given, LeaderEpoch(3), {.held = given.size() + 100});
    log->append(lent, LeaderEpoch(3));
    log->append(far_too_small, LeaderEpoch(3), {.held = 1 << 20});
    const ReadResult read = co_await log->read(Offset(1), 1 << 20, log->end(), true);
    REQUIRE(read.batches.size() == 3);
    CHECK(read.batches[0].data() == given.data());
    CHECK(read.batches[1].data() != lent.data());
    CHECK(read.batches[2].data() != far_too_small.data());
    CHECK(protocol::RecordBatch(given).base_offset() == Offset(1));
    CHECK(protocol::RecordBatch(given).leader_epoch() == LeaderEpoch(3));
    CHECK(protocol::RecordBatch(lent).base_offset() == Offset(0));
    const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
    CHECK(values == std::vector<std::string>{"before", "a", "b", "c", "d"});
    co_await log->close();
  });
}

TEST_CASE("records without haste are written without it, unless others that have it share the write") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"warm up"}), LeaderEpoch(0));
    bool written = co_await log->wait_for(log->end(), Durability::written);
    CHECK(written);
    CHECK(world.disk().leisurely_bytes() == 0);

    const Bytes leisurely = batch_of({"a job's"});
    log->append(leisurely, LeaderEpoch(0), {.haste = Haste::none});
    log->append(leisurely, LeaderEpoch(0), {.haste = Haste::none});
    written = co_await log->wait_for(log->end(), Durability::written);
    CHECK(written);
    CHECK(world.disk().leisurely_bytes() == static_cast<int64_t>(2 * leisurely.size()));

    log->append(leisurely, LeaderEpoch(0), {.haste = Haste::none});
    log->append(batch_of({"a client's"}), LeaderEpoch(0));
    written = co_await log->wait_for(log->end(), Durability::written);
    CHECK(written);
    CHECK(world.disk().leisurely_bytes() == static_cast<int64_t>(2 * leisurely.size()));
    const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
    CHECK(values == std::vector<std::string>{"warm up", "a job's", "a job's", "a job's", "a client's"});
    co_await log->close();
  });
}

TEST_CASE("many who wait for durability share one sync") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"warm up"}), LeaderEpoch(0));
    co_await log->flush();
    const int64_t before = world.disk().syncs();
    Gate gate;
    int served = 0;
    auto produce = [&]() -> Task<void> {
      const AppendResult result = log->append(batch_of({"x"}), LeaderEpoch(0));
      const bool durable = co_await log->wait_for(result.last + 1, Durability::durable);
      CHECK(durable);
      CHECK(log->durable() > result.last);
      ++served;
    };
    for (int i = 0; i < 100; ++i) gate.spawn(produce());
    co_await gate.close();
    CHECK(served == 100);
    CHECK(world.disk().syncs() - before <= 2);
    co_await log->close();
  });
}

TEST_CASE("a waiter gives up at its deadline") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    const bool reached = co_await log->wait_for(Offset(1), Durability::written, after(std::chrono::seconds(1)));
    CHECK_FALSE(reached);
    co_await log->close();
  });
}

TEST_CASE("after a failed sync nothing is acknowledged any more") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"a"}), LeaderEpoch(0));
    co_await log->flush();
    world.disk().inject({.call = sim::DiskCall::sync, .path = ".log", .error = EIO});
    int failures = 0;
    static_cast<PartitionLog&>(*log).on_failure([&](const DiskError&) { ++failures; });
    log->append(batch_of({"b"}), LeaderEpoch(0));
    const bool durable = co_await log->wait_for(Offset(2), Durability::durable);
    CHECK_FALSE(durable);
    CHECK(failures == 1);
    CHECK(log->failed());
    CHECK(log->durable() == Offset(1));
    const AppendResult refused = log->append(batch_of({"c"}), LeaderEpoch(0));
    CHECK(refused.error == ErrorCode::kafka_storage_error);
    const bool again = co_await log->wait_for(Offset(2), Durability::durable);
    CHECK_FALSE(again);
    const ReadResult read = co_await log->read(Offset(0), 1000, Offset(2), true);
    CHECK(read.error == ErrorCode::kafka_storage_error);
    co_await log->close();
  });
}

TEST_CASE("after a failed write nothing advances") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    world.disk().inject({.call = sim::DiskCall::write, .path = ".log", .error = ENOSPC});
    log->append(batch_of({"a"}), LeaderEpoch(0));
    const bool written = co_await log->wait_for(Offset(1), Durability::written);
    CHECK_FALSE(written);
    CHECK(log->failed());
    CHECK(log->written() == Offset(0));
    co_await log->close();
  });
}

TEST_CASE("a repeated batch is answered with its old offset, a gap is refused, across a restart too") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"other"}), LeaderEpoch(0));
    log->append(batch_of({"a", "b"}, from_producer(7, 0, 0)), LeaderEpoch(0));
    for (const bool reopened : {false, true}) {
      if (reopened) log = co_await restarted(std::move(log));
      const AppendResult repeated = log->append(batch_of({"a", "b"}, from_producer(7, 0, 0)), LeaderEpoch(0));
      CHECK(repeated.error == ErrorCode::none);
      CHECK(repeated.base == Offset(1));
      CHECK(repeated.last == Offset(2));
      CHECK(log->end() == Offset(3));
      const AppendResult gap = log->append(batch_of({"x"}, from_producer(7, 0, 3)), LeaderEpoch(0));
      CHECK(gap.error == ErrorCode::out_of_order_sequence_number);
      CHECK(gap.log_start == Offset(0));
    }
    const AppendResult next = log->append(batch_of({"c"}, from_producer(7, 0, 2)), LeaderEpoch(0));
    CHECK(next.base == Offset(3));
    CHECK(log->producer(ProducerId(7))->last_sequence == Sequence(2));
    co_await log->close();
  });
}

TEST_CASE("segment.bytes and segment.ms decide when to roll") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config;
    config.segment_age = Millis(1000);
    std::unique_ptr<Log> log = co_await open_orders(config);
    auto& partition = static_cast<PartitionLog&>(*log);
    log->append(batch_of({"a"}, {}, Timestamp(1'700'000'000'000)), LeaderEpoch(0));
    log->append(batch_of({"b"}, {}, Timestamp(1'700'000'001'000)), LeaderEpoch(0));
    CHECK(partition.segments().size() == 1);
    log->append(batch_of({"c"}, {}, Timestamp(1'700'000'001'001)), LeaderEpoch(0));
    CHECK(partition.segments().size() == 2);
    config.segment_age = std::chrono::hours(1);
    const size_t batch = batch_of({"c"}).size();
    config.segment_bytes = static_cast<int32_t>(2 * batch);
    log->configure(config);
    log->append(batch_of({"d"}, {}, Timestamp(1'700'000'001'001)), LeaderEpoch(0));
    CHECK(partition.segments().size() == 2);
    log->append(batch_of({"e"}, {}, Timestamp(1'700'000'001'001)), LeaderEpoch(0));
    CHECK(partition.segments().size() == 3);
    config.segment_bytes = static_cast<int32_t>(batch) - 1;
    log->configure(config);
    const AppendResult refused = log->append(batch_of({"f"}), LeaderEpoch(0));
    CHECK(refused.error == ErrorCode::record_list_too_large);
    CHECK(refused.log_start == Offset(-1));
    co_await log->close();
  });
}

TEST_CASE("flush.messages syncs without being asked") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config;
    config.flush_messages = 10;
    std::unique_ptr<Log> log = co_await open_orders(config);
    append_numbered(*log, 0, 9);
    const bool early = co_await log->advanced().wait(after(std::chrono::seconds(5)));
    CHECK(early);
    co_await sleep_until(after(std::chrono::seconds(5)));
    CHECK(log->durable() == Offset(0));
    append_numbered(*log, 9, 10);
    while (log->durable() < Offset(10)) co_await log->advanced().wait();
    co_await log->close();
  });
}

TEST_CASE("flush.ms syncs a while after the first append") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config;
    config.flush_interval = Millis(500);
    std::unique_ptr<Log> log = co_await open_orders(config);
    const MonoTime before = now();
    append_numbered(*log, 0, 5);
    while (log->durable() < Offset(5)) co_await log->advanced().wait();
    CHECK(now() - before >= Millis(500));
    co_await log->close();
  });
}

TEST_CASE("a follower keeps the leader's offsets and epochs, gaps included") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    std::vector<std::byte> bytes;
    const auto add = [&](int64_t base, int32_t epoch, const std::string& value) {
      return patched<int32_t>(patched<int64_t>(batch_of({value}), 0, base), 12, epoch, false);
    };
    const AppendResult result = log->append_as_follower(joined({add(0, 1, "a"), add(1, 3, "b"), add(7, 3, "c")}));
    CHECK(result.error == ErrorCode::none);
    CHECK(log->end() == Offset(8));
    CHECK(log->end_of_epoch(LeaderEpoch(1)) == std::pair(LeaderEpoch(1), Offset(1)));
    CHECK(log->latest_epoch() == LeaderEpoch(3));
    const ReadResult gap = co_await log->read(Offset(3), 1000, log->end(), true);
    CHECK(values_of(gap.batches) == std::vector<std::string>{"c"});
    const AppendResult old = log->append_as_follower(add(5, 3, "d"));
    CHECK(old.error == ErrorCode::offset_out_of_range);
    co_await log->close();
  });
}

TEST_CASE("a log that begins with a gap can be read before it has been written") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    const AppendResult result = log->append_as_follower(patched<int64_t>(batch_of({"a"}), 0, 5));
    CHECK(result.error == ErrorCode::none);
    const ReadResult gap = co_await log->read(Offset(0), 1000, log->end(), true);
    CHECK(values_of(gap.batches) == std::vector<std::string>{"a"});
    CHECK_FALSE(log->failed());
    co_await log->close();
  });
}

TEST_CASE("a new epoch starts at the end, even before anything is appended") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->begin_epoch(LeaderEpoch(0));
    append_numbered(*log, 0, 5);
    log->begin_epoch(LeaderEpoch(2));
    CHECK(log->latest_epoch() == LeaderEpoch(2));
    CHECK(log->end_of_epoch(LeaderEpoch(1)) == std::pair(LeaderEpoch(0), Offset(5)));
    CHECK(log->end_of_epoch(LeaderEpoch(2)) == std::pair(LeaderEpoch(2), Offset(5)));
    log = co_await restarted(std::move(log));
    // An epoch that wrote nothing is forgotten with a restart, as Kafka forgets it.
    CHECK(log->latest_epoch() == LeaderEpoch(0));
    co_await log->close();
  });
}
