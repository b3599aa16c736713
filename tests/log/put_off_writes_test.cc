// When a log that has put off its writes is called to do them.
#include "log/put_off_writes.h"

#include "tests/log/world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

using namespace std::chrono_literals;
using Place = std::shared_ptr<PutOffWrites::Place>;

constexpr size_t enough = 1 << 20;

// A log that writes when it is called, and ends when it is told.
struct Writer {
  int calls = 0;
  Place place;

  explicit Writer(PutOffWrites& all) {
    place = all.join([this] {
      ++calls;
      return true;
    });
  }
};

}  // namespace

TEST_CASE("who has put off enough is called at once, who has put off little after a moment") {
  LogWorld world;
  world.run([]() -> Task<void> {
    PutOffWrites all;
    Writer much(all);
    Writer little(all);
    little.place->put_off(10);
    much.place->put_off(enough / 2);
    co_await yield();
    CHECK(much.calls == 0);
    much.place->put_off(enough / 2);
    co_await yield();
    CHECK(much.calls == 1);
    CHECK(little.calls == 0);
    co_await sleep_until(after(300ms));
    CHECK(little.calls == 1);
    CHECK(much.calls == 1);
    co_await all.close();
  });
}

TEST_CASE("two logs write at a time, the others when these have ended") {
  LogWorld world;
  world.run([]() -> Task<void> {
    PutOffWrites all;
    std::vector<std::unique_ptr<Writer>> writers;
    for (int i = 0; i < 4; ++i) {
      writers.push_back(std::make_unique<Writer>(all));
      writers.back()->place->put_off(enough);
    }
    co_await sleep_until(after(1s));
    const auto calls = [&writers] {
      int sum = 0;
      for (const auto& writer : writers) sum += writer->calls;
      return sum;
    };
    CHECK(calls() == 2);
    writers[0]->place->end_write();
    co_await yield();
    CHECK(calls() == 3);
    writers[1]->place->leave();
    co_await yield();
    CHECK(calls() == 4);
    co_await all.close();
  });
}

TEST_CASE("all logs together put off no more than so much, and the oldest writes first") {
  LogWorld world;
  world.run([]() -> Task<void> {
    PutOffWrites all;
    std::vector<std::unique_ptr<Writer>> writers;
    for (int i = 0; i < 200; ++i) {
      writers.push_back(std::make_unique<Writer>(all));
      writers.back()->place->put_off(enough / 2);
    }
    co_await yield();
    CHECK(writers[0]->calls == 1);
    CHECK(writers[1]->calls == 1);
    CHECK(writers[199]->calls == 0);
    co_await all.close();
  });
}

TEST_CASE("who has written for another reason is not called, and counts anew") {
  LogWorld world;
  world.run([]() -> Task<void> {
    PutOffWrites all;
    Writer writer(all);
    writer.place->put_off(enough - 1);
    writer.place->begin_write();
    writer.place->put_off(10);
    co_await sleep_until(after(100ms));
    CHECK(writer.calls == 0);
    writer.place->begin_write();
    co_await sleep_until(after(1s));
    CHECK(writer.calls == 0);
    writer.place->put_off(10);
    co_await sleep_until(after(1s));
    CHECK(writer.calls == 1);
    co_await all.close();
  });
}
