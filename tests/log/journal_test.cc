// Many logs of a directory share a journal: its files, its writes, and what may go wrong with them.
#include "log/journal.h"

#include <algorithm>
#include <cerrno>

#include "log/journal_recovery.h"
#include "runtime/gate.h"
#include "tests/log/journal_world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

using namespace std::chrono_literals;

// A log that only takes its seat.
struct Nobody : JournaledLog {
  void journaled(Offset) override {}
  void journal_failed(const DiskError&) override {}
  Task<bool> sync_segments() override { co_return true; }
};

}  // namespace

TEST_CASE("many logs share a journal's writes, and a clean stop leaves none of it") {
  JournalWorld world(3, 40);
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
  JournalWorld world(8);
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
    JournalWorld world(9);
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
  JournalWorld world(4);
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
  JournalWorld world(5);
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
  JournalWorld world(6);
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

TEST_CASE("what the journal has waits for a large write, for somebody who wants it in the file, or a moment") {
  JournalWorld world(7);
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
