// Appending, reading, rolling, closing.
#include <algorithm>

#include "tests/log/world.h"
#include "tests/sim/file_part.h"

using namespace millrace;
using namespace millrace::log;

namespace {

// Segments of a few batches, an index entry for almost every batch.
LogConfig small_segments() {
  LogConfig config;
  config.segment_bytes = 2000;
  config.index_interval_bytes = 200;
  return config;
}

void append_numbered(Log& log, int from, int to, LeaderEpoch epoch = LeaderEpoch(0)) {
  for (int i = from; i < to; ++i) {
    const AppendResult result =
        log.append(batch_of({"value " + std::to_string(i)}, {}, Timestamp(1'700'000'000'000 + i * 10)), epoch);
    REQUIRE(result.error == ErrorCode::none);
    REQUIRE(result.base == Offset(i));
  }
}

// As a connection would send it.
std::string sent(const std::vector<Bytes>& pieces, int& left_unread) {
  std::string text;
  for (const Bytes& piece : pieces) {
    const auto* const part = static_cast<const sim::FilePart*>(unread_part(piece));
    if (part) ++left_unread;
    const std::optional<Bytes> bytes = part ? part->read(0, piece.size()) : piece;
    REQUIRE(bytes);
    text += bytes->text();
  }
  return text;
}

}  // namespace

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
    log->append(given, LeaderEpoch(3), true, given.size() + 100);
    log->append(lent, LeaderEpoch(3));
    log->append(far_too_small, LeaderEpoch(3), true, 1 << 20);
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

TEST_CASE("what is written leaves memory at once, unless somebody follows: he is served from there while he keeps up") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    const int64_t memory_of_others = tail_memory();
    Offset end(0);
    const auto append = [&](size_t size) -> Task<void> {
      end = log->append(batch_of({std::string(size, 'x')}), LeaderEpoch(0)).last + 1;
      co_await log->wait_for(end, Durability::written, never);
    };
    // Whether the newest batch is the very memory that the log holds.
    const auto from_memory = [&]() -> Task<bool> {
      const ReadResult one = co_await log->read(end - 1, 1 << 20, end, true);
      const ReadResult same = co_await log->read(end - 1, 1 << 20, end, true);
      REQUIRE(one.batches.size() == 1);
      REQUIRE(same.batches.size() == 1);
      co_return one.batches[0].data() == same.batches[0].data();
    };
    co_await append(1000);
    CHECK(tail_memory() == memory_of_others);
    CHECK(!co_await from_memory());  // and now he follows
    co_await append(1000);
    CHECK(tail_memory() > memory_of_others + 1000);
    CHECK(co_await from_memory());
    for (int i = 0; i < 12; ++i) co_await append(1'000'000);
    CHECK(tail_memory() == memory_of_others);
    co_await log->close();
  });
}

TEST_CASE("a record in the middle of a batch is answered with its whole batch") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->append(batch_of({"a", "b", "c"}), LeaderEpoch(0));
    log->append(batch_of({"d"}), LeaderEpoch(0));
    for (const bool from_file : {false, true}) {
      if (from_file) {
        co_await log->close();
        OpenState clean{.clean_shutdown = true};
        log = co_await open_orders({}, clean);
      }
      const ReadResult middle = co_await log->read(Offset(1), 1 << 20, log->end(), true);
      CHECK(values_of(middle.batches) == std::vector<std::string>{"a", "b", "c", "d"});
      const ReadResult last = co_await log->read(Offset(3), 1 << 20, log->end(), true);
      CHECK(values_of(last.batches) == std::vector<std::string>{"d"});
    }
    co_await log->close();
  });
}

TEST_CASE("a read stops at its limits, but the first batch comes whole when asked for") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(small_segments());
    append_numbered(*log, 0, 100);
    const size_t batch = batch_of({"value 0"}).size();
    for (const bool from_file : {false, true}) {
      if (from_file) {
        co_await log->close();
        OpenState clean{.clean_shutdown = true};
        log = co_await open_orders(small_segments(), clean);
      }
      const ReadResult none = co_await log->read(Offset(5), 10, log->end(), false);
      CHECK(none.error == ErrorCode::none);
      CHECK(none.batches.empty());
      const ReadResult one = co_await log->read(Offset(5), 0, log->end(), true);
      CHECK(values_of(one.batches) == numbered(5, 6));
      const ReadResult three = co_await log->read(Offset(5), 3 * batch + 5, log->end(), true);
      CHECK(values_of(three.batches) == numbered(5, 8));
      CHECK(three.size == 3 * batch);
      const ReadResult limited = co_await log->read(Offset(5), 1 << 20, Offset(50), true);
      CHECK(values_of(limited.batches) == numbered(5, 50));
      const ReadResult at_end = co_await log->read(Offset(100), 1 << 20, log->end(), true);
      CHECK(at_end.error == ErrorCode::none);
      CHECK(at_end.batches.empty());
      const ReadResult beyond = co_await log->read(Offset(101), 1 << 20, log->end(), true);
      CHECK(beyond.error == ErrorCode::offset_out_of_range);
      const ReadResult negative = co_await log->read(Offset(-1), 1 << 20, log->end(), true);
      CHECK(negative.error == ErrorCode::offset_out_of_range);
    }
    co_await log->close();
  });
}

TEST_CASE("who reads on and on reads every byte once, whatever the sizes of batches and reads") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config;
    config.segment_bytes = 4 << 20;
    std::unique_ptr<Log> log = co_await open_orders(config);
    for (int i = 0; i < 40; ++i) {
      const auto size = static_cast<size_t>(5'000 + i * 7'919 % 90'000);
      log->append(batch_of({std::string(size, 'x')}), LeaderEpoch(0));
    }
    co_await log->close();
    OpenState clean{.clean_shutdown = true};
    log = co_await open_orders(config, clean);
    const auto bytes = static_cast<int64_t>(world.content("00000000000000000000.log").size());
    for (const size_t most : {1'000, 30'000, 200'000, 600'000}) {
      // The first read takes more than it needs: it does not know where its batches end.
      ReadResult part = co_await log->read(Offset(0), most, log->end(), true);
      Offset next = protocol::RecordBatch(part.batches.back()).next_offset();
      auto given = static_cast<int64_t>(part.size);
      const int64_t before = world.disk().bytes_read();
      while (next < log->end()) {
        part = co_await log->read(next, most, log->end(), true);
        REQUIRE(part.error == ErrorCode::none);
        REQUIRE(protocol::RecordBatch(part.batches.front()).base_offset() == next);
        CHECK((part.size <= most || part.batches.size() == 1));
        given += static_cast<int64_t>(part.size);
        next = protocol::RecordBatch(part.batches.back()).next_offset();
      }
      CHECK(given == bytes);
      const ReadResult first = co_await log->read(Offset(0), 0, Offset(1), true);
      CHECK(world.disk().bytes_read() - before < bytes + 200'000);
      CHECK(first.batches.size() == 1);
    }
    co_await log->close();
  });
}

TEST_CASE(
    "what is read for sending is whole batches below the limit, wherever it is, with the transactions aborted in it") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config;
    config.segment_bytes = 400'000;
    std::unique_ptr<Log> log = co_await open_orders(config);
    std::string all;
    std::vector<size_t> ends;  // of each offset, in `all`
    for (int i = 0; i < 300; ++i) {
      const std::string value(static_cast<size_t>(2'000 + i * 7 % 1'500), static_cast<char>('a' + i % 26));
      log->append(batch_of({value}, from_producer(7, 0, i, true)), LeaderEpoch(0));
    }
    log->append(marker(7, 0, false), LeaderEpoch(0), false);
    co_await log->close();
    OpenState clean{.clean_shutdown = true};
    log = co_await open_orders(config, clean);
    for (Offset next(0); next < log->end();) {
      const ReadResult part = co_await log->read(next, 30'000, log->end(), true);
      REQUIRE(!part.batches.empty());
      for (const Bytes& batch : part.batches) {
        all += batch.text();
        ends.push_back(all.size());
        next = protocol::RecordBatch(batch).next_offset();
      }
    }
    REQUIRE(ends.size() == 301);
    int left_unread = 0;
    for (const Offset limit : {log->end(), Offset(150), Offset(3)}) {
      std::string got;
      size_t next = 0;
      while (static_cast<int64_t>(next) < limit.value) {
        const Offset from(static_cast<int64_t>(next));
        const ReadResult part = co_await log->read(from, 100'000, limit, true, true, ReadFor::sending);
        REQUIRE(part.error == ErrorCode::none);
        const std::string text = sent(part.batches, left_unread);
        CHECK(text.size() == part.size);
        CHECK(part.size <= 100'000);
        REQUIRE(!text.empty());
        got += text;
        const auto end = std::ranges::find(ends, got.size());
        REQUIRE(end != ends.end());  // whole batches
        next = static_cast<size_t>(end - ends.begin()) + 1;
        REQUIRE(part.aborted.size() == 1);
        CHECK(part.aborted[0].first == Offset(0));
      }
      CHECK(static_cast<int64_t>(next) == limit.value);
      CHECK(got == all.substr(0, got.size()));
    }
    CHECK(left_unread > 0);
    co_await log->close();
  });
}

TEST_CASE("a reader that goes on after the log was cut finds what is there now") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config;
    std::unique_ptr<Log> log = co_await open_orders(config);
    for (int i = 0; i < 20; ++i) log->append(batch_of({std::string(3'000, 'a')}), LeaderEpoch(0));
    co_await log->close();
    OpenState clean{.clean_shutdown = true};
    log = co_await open_orders(config, clean);
    const ReadResult part = co_await log->read(Offset(0), 35'000, log->end(), true);
    const Offset next = protocol::RecordBatch(part.batches.back()).next_offset();
    REQUIRE(next > Offset(8));
    co_await log->truncate(Offset(5));
    for (int i = 5; i < 20; ++i) log->append(batch_of({"value " + std::to_string(i)}), LeaderEpoch(1));
    const bool written = co_await log->wait_for(Offset(20), Durability::durable);
    CHECK(written);
    const ReadResult rest = co_await log->read(next, 1 << 20, log->end(), true);
    CHECK(values_of(rest.batches) == numbered(static_cast<int>(next.value), 20));
    co_await log->close();
  });
}

TEST_CASE("segments roll, and every offset is found in whatever segment it lies") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(small_segments());
    append_numbered(*log, 0, 300);
    co_await log->flush();
    for (const bool reopened : {false, true}) {
      if (reopened) {
        co_await log->close();
        OpenState clean{.clean_shutdown = true};
        log = co_await open_orders(small_segments(), clean);
        CHECK(log->notes().empty());
      }
      CHECK(log->end() == Offset(300));
      for (int from = 0; from < 300; from += 7) {
        const ReadResult part = co_await log->read(Offset(from), 500, log->end(), true);
        REQUIRE(part.error == ErrorCode::none);
        REQUIRE(!part.batches.empty());
        CHECK(values_of(part.batches)[0] == numbered(from, from + 1)[0]);
      }
      const std::vector<std::string> values = co_await all_values(*log, Offset(0), log->end());
      CHECK(values == numbered(0, 300));
    }
    co_await log->close();
  });
  const std::vector<std::string> files = world.files();
  int logs = 0;
  int snapshots = 0;
  for (const std::string& file : files) {
    logs += file.ends_with(".log");
    snapshots += file.ends_with(".snapshot");
  }
  CHECK(logs > 10);
  CHECK(snapshots == logs);  // one per segment base except 0, and one at the end
}

TEST_CASE("a clean stop leaves the files that Kafka leaves") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->begin_epoch(LeaderEpoch(0));
    log->append(batch_of({"a"}), LeaderEpoch(0));
    co_await log->close();
  });
  CHECK(world.files() == std::vector<std::string>{"00000000000000000000.index", "00000000000000000000.log",
                                                  "00000000000000000000.timeindex", "00000000000000000001.snapshot",
                                                  "leader-epoch-checkpoint", "partition.metadata"});
  CHECK(world.content("00000000000000000000.index").empty());
  CHECK(world.content("00000000000000000000.timeindex").size() == 12);
  CHECK(world.content("00000000000000000001.snapshot").size() == 10);
  CHECK(world.content("leader-epoch-checkpoint") == "0\n1\n0 0\n");
  CHECK(world.content("partition.metadata") == "version: 0\ntopic_id: " + to_string(orders_id));
}

TEST_CASE("an empty partition leaves empty files and no snapshot") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    log->begin_epoch(LeaderEpoch(0));
    co_await log->close();
  });
  CHECK(world.files() == std::vector<std::string>{"00000000000000000000.index", "00000000000000000000.log",
                                                  "00000000000000000000.timeindex", "partition.metadata"});
  CHECK(world.content("00000000000000000000.log").empty());
}

TEST_CASE("no file is opened before there is data") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    co_return;
  });
  CHECK(world.files() == std::vector<std::string>{"partition.metadata"});
}

TEST_CASE("the first record at or after a time is found, in whichever segment and batch") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(small_segments());
    append_numbered(*log, 0, 200);
    const int64_t first = 1'700'000'000'000;
    for (const bool reopened : {false, true}) {
      if (reopened) {
        co_await log->close();
        OpenState clean{.clean_shutdown = true};
        log = co_await open_orders(small_segments(), clean);
      }
      for (int i = 0; i < 200; i += 13) {
        const OffsetAndTimestamp exact = co_await log->find_time(Timestamp(first + i * 10), log->end());
        CHECK(exact.offset == Offset(i));
        CHECK(exact.timestamp == Timestamp(first + i * 10));
        CHECK(exact.epoch == LeaderEpoch(0));
        const OffsetAndTimestamp before = co_await log->find_time(Timestamp(first + i * 10 - 5), log->end());
        CHECK(before.offset == Offset(i));
      }
      const OffsetAndTimestamp none = co_await log->find_time(Timestamp(first + 1991), log->end());
      CHECK(none.offset == Offset(-1));
      CHECK(none.timestamp == Timestamp(-1));
      const OffsetAndTimestamp hidden = co_await log->find_time(Timestamp(first + 1500), Offset(150));
      CHECK(hidden.offset == Offset(-1));
      const OffsetAndTimestamp newest = co_await log->find_max_timestamp(log->end());
      CHECK(newest.offset == Offset(199));
      const OffsetAndTimestamp below = co_await log->find_max_timestamp(Offset(77));
      CHECK(below.offset == Offset(76));
    }
    co_await log->close();
  });
}

TEST_CASE("the newest timestamp need not be the last") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders();
    protocol::BatchBuilder builder;
    for (const int64_t time : {5, 9, 7, 9, 1}) builder.add(Timestamp(1'700'000'000'000 + time), "k", "v");
    log->append(builder.build(), LeaderEpoch(0));
    log->append(batch_of({"later, but older"}, {}, Timestamp(1'700'000'000'003)), LeaderEpoch(0));
    const OffsetAndTimestamp newest = co_await log->find_max_timestamp(log->end());
    CHECK(newest.offset == Offset(1));
    const OffsetAndTimestamp none = co_await log->find_max_timestamp(Offset(0));
    CHECK(none.offset == Offset(-1));
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
      if (reopened) {
        co_await log->close();
        OpenState clean{.clean_shutdown = true};
        log = co_await open_orders({}, clean);
      }
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

TEST_CASE("a read_committed reader learns which transactions in its range were aborted") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config = small_segments();
    std::unique_ptr<Log> log = co_await open_orders(config);
    log->append(batch_of({"aborted 0"}, from_producer(1, 0, 0, true)), LeaderEpoch(0));
    log->append(batch_of({"committed 1"}, from_producer(2, 0, 0, true)), LeaderEpoch(0));
    CHECK(log->last_stable(Offset(2)) == Offset(0));
    log->append(marker(1, 0, false), LeaderEpoch(0), false);
    CHECK(log->last_stable(Offset(3)) == Offset(1));
    log->append(marker(2, 0, true), LeaderEpoch(0), false);
    CHECK(log->last_stable(Offset(3)) == Offset(1));
    CHECK(log->last_stable(Offset(4)) == Offset(4));
    append_numbered(*log, 4, 60);
    log->append(batch_of({"aborted 60"}, from_producer(1, 1, 0, true)), LeaderEpoch(0));
    append_numbered(*log, 61, 120);
    log->append(marker(1, 1, false), LeaderEpoch(0), false);
    CHECK(log->last_stable(Offset(121)) == Offset(121));

    for (int round = 0; round < 3; ++round) {
      if (round > 0) {
        co_await log->close();
        OpenState state{.clean_shutdown = round == 1};
        log = co_await open_orders(config, state);
      }
      const ReadResult early = co_await log->read(Offset(0), 200, log->end(), true, true);
      REQUIRE(early.aborted.size() == 1);
      CHECK(early.aborted[0].producer == ProducerId(1));
      CHECK(early.aborted[0].first == Offset(0));
      const ReadResult between = co_await log->read(Offset(5), 300, log->end(), true, true);
      CHECK(between.aborted.empty());
      const ReadResult late = co_await log->read(Offset(60), 200, log->end(), true, true);
      REQUIRE(late.aborted.size() == 1);
      CHECK(late.aborted[0].first == Offset(60));
      const ReadResult inside = co_await log->read(Offset(100), 200, log->end(), true, true);
      CHECK(inside.aborted.size() == 1);
      const ReadResult plain = co_await log->read(Offset(0), 200, log->end(), true);
      CHECK(plain.aborted.empty());
    }
    co_await log->close();
  });
  CHECK(world.content("00000000000000000000.txnindex").size() == 34);
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
    co_await log->close();
    OpenState clean{.clean_shutdown = true};
    log = co_await open_orders({}, clean);
    // An epoch that wrote nothing is forgotten with a restart, as Kafka forgets it.
    CHECK(log->latest_epoch() == LeaderEpoch(0));
    co_await log->close();
  });
}
