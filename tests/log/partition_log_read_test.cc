// Reading: whole batches, within limits, from memory and from files; by time; transactions.
#include <algorithm>

#include "tests/log/world.h"
#include "tests/sim/file_part.h"

using namespace millrace;
using namespace millrace::log;

namespace {

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
      if (from_file) log = co_await restarted(std::move(log));
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
    std::unique_ptr<Log> log = co_await open_orders(tiny_segments());
    append_numbered(*log, 0, 100);
    const size_t batch = batch_of({"value 0"}).size();
    for (const bool from_file : {false, true}) {
      if (from_file) log = co_await restarted(std::move(log), tiny_segments());
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
    log = co_await restarted(std::move(log), config);
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
    log->append(marker(7, 0, false), LeaderEpoch(0), {.client = false});
    log = co_await restarted(std::move(log), config);
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
    log = co_await restarted(std::move(log), config);
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
    std::unique_ptr<Log> log = co_await open_orders(tiny_segments());
    append_numbered(*log, 0, 300);
    co_await log->flush();
    for (const bool reopened : {false, true}) {
      if (reopened) {
        log = co_await restarted(std::move(log), tiny_segments());
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

TEST_CASE("the first record at or after a time is found, in whichever segment and batch") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    std::unique_ptr<Log> log = co_await open_orders(tiny_segments());
    append_numbered(*log, 0, 200);
    const int64_t first = 1'700'000'000'000;
    for (const bool reopened : {false, true}) {
      if (reopened) log = co_await restarted(std::move(log), tiny_segments());
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

TEST_CASE("a read_committed reader learns which transactions in its range were aborted") {
  LogWorld world;
  world.run([&]() -> Task<void> {
    LogConfig config = tiny_segments();
    std::unique_ptr<Log> log = co_await open_orders(config);
    log->append(batch_of({"aborted 0"}, from_producer(1, 0, 0, true)), LeaderEpoch(0));
    log->append(batch_of({"committed 1"}, from_producer(2, 0, 0, true)), LeaderEpoch(0));
    CHECK(log->last_stable(Offset(2)) == Offset(0));
    log->append(marker(1, 0, false), LeaderEpoch(0), {.client = false});
    CHECK(log->last_stable(Offset(3)) == Offset(1));
    log->append(marker(2, 0, true), LeaderEpoch(0), {.client = false});
    CHECK(log->last_stable(Offset(3)) == Offset(1));
    CHECK(log->last_stable(Offset(4)) == Offset(4));
    append_numbered(*log, 4, 60);
    log->append(batch_of({"aborted 60"}, from_producer(1, 1, 0, true)), LeaderEpoch(0));
    append_numbered(*log, 61, 120);
    log->append(marker(1, 1, false), LeaderEpoch(0), {.client = false});
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
