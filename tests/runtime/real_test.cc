// What only the real world does: signals, other processes, running out of descriptors, bugs that must not go unnoticed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include "runtime/gate.h"
#include "runtime/real/spare_threads.h"
#include "runtime/real/world.h"
#include "tests/sim/world.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

// How a child process that runs `body` ends: the signal that killed it, else minus its exit code.
int fate_of(const std::function<int()>& body) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 2);
    _exit(body());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

// A coroutine that is a bug ends the process of the real world, and the simulated one too.
template <class Body>
void check_that_both_worlds_end(const Body& body) {
  const int real_fate = fate_of([&] {
    real::World world;
    const auto main = [&](real::World&) -> Task<int> {
      co_await body();
      co_return 0;
    };
    return world.run(main);
  });
  CHECK(real_fate == SIGABRT);
  const int simulated_fate = fate_of([&] {
    sim::World world(1);
    sim::Node& node = world.add_node("n");
    world.run(node, body);
    return 0;
  });
  CHECK(simulated_fate == SIGABRT);
}

TEST_CASE("a shard goes on while long work runs beside it") {
  real::World world;
  const auto main = [](real::World&) -> Task<int> {
    std::binary_semaphore wanted(0);
    Gate gate;
    bool done = false;
    const auto compute = [&]() -> Task<void> {
      auto wait = [&wanted] { wanted.acquire(); };
      co_await beside(std::move(wait));
      done = true;
    };
    gate.spawn(compute());
    for (int turn = 0; turn < 100; ++turn) co_await yield();
    CHECK_FALSE(done);
    wanted.release();
    co_await gate.close();
    CHECK(done);
    co_return 0;
  };
  CHECK(world.run(main) == 0);
}

TEST_CASE("timers that are due already keep no socket and no later timer waiting") {
  real::World world;
  const auto main = [](real::World&) -> Task<int> {
    Net& net = Shard::current().net();
    const Address any{"127.0.0.1", 0};
    std::unique_ptr<Listener> listener = co_await net.listen(any);
    std::unique_ptr<Connection> client = co_await net.connect(listener->local(), after(10s));
    std::unique_ptr<Connection> server = co_await listener->accept();
    Gate gate;
    int received = 0;
    const auto receive = [&]() -> Task<void> {
      std::byte buffer[1];
      while (co_await server->read_some(buffer) == 1) ++received;
    };
    gate.spawn(receive());
    bool later = false;
    Shard::current().clock().schedule(after(20ms), [&later] { later = true; });
    for (int sent = 1; sent <= 100 || !later; ++sent) {
      std::vector<Bytes> byte;
      byte.push_back(Bytes::copy_of("x"));
      co_await client->write(std::move(byte));
      while (received < sent) co_await sleep_until(now());
    }
    client->close();
    co_await gate.close();
    co_return 0;
  };
  CHECK(world.run(main) == 0);
}

TEST_CASE("work beside a shard runs when nobody else wants to, and the shard as its process was started") {
  const int nice_before = getpriority(PRIO_PROCESS, 0);
  real::World world;
  const auto main = [&](real::World&) -> Task<int> {
    auto policy = [] { return sched_getscheduler(0); };
    CHECK(policy() == SCHED_OTHER);
    CHECK(getpriority(PRIO_PROCESS, 0) == nice_before);
    const int beside_it = co_await beside(policy);
    CHECK(beside_it == SCHED_IDLE);
    co_return 0;
  };
  CHECK(world.run(main) == 0);
}

TEST_CASE("a world gives what its main returns or throws") {
  real::World world(2);
  const auto answer = [](real::World& w) -> Task<int> {
    CHECK(w.size() == 2);
    CHECK(&Shard::current() == &w.shard(0));
    co_await yield();
    co_return 42;
  };
  CHECK(world.run(answer) == 42);
  real::World other;
  const auto fail = [](real::World&) -> Task<int> {
    co_await yield();
    throw std::runtime_error("no main");
  };
  CHECK_THROWS_WITH(other.run(fail), "no main");
}

TEST_CASE("what several threads post arrives complete, and in the order of each of them") {
  constexpr int threads = 4;
  constexpr int each = 10'000;
  real::World world;
  const auto main = [&](real::World&) -> Task<int> {
    std::vector<int> next(threads);
    int out_of_order = 0;
    int arrived = 0;
    Event all_arrived;
    const auto arrive = [&](int thread, int number) {
      if (next[static_cast<size_t>(thread)]++ != number) ++out_of_order;
      if (++arrived == threads * each) all_arrived.notify();
    };
    Shard& home = Shard::current();
    std::vector<std::jthread> posting;
    for (int thread = 0; thread < threads; ++thread) {
      posting.emplace_back([&, thread] {
        for (int number = 0; number < each; ++number) home.post([&arrive, thread, number] { arrive(thread, number); });
      });
    }
    while (arrived < threads * each) co_await all_arrived.wait();
    CHECK(out_of_order == 0);
    co_return 0;
  };
  CHECK(world.run(main) == 0);
}

TEST_CASE("threads that are busy do not keep others waiting: as many start as there may be, and no more") {
  constexpr int most = 3;
  std::counting_semaphore<> begun(0);
  std::counting_semaphore<> may_end(0);
  std::atomic<int> running = 0;
  std::atomic<int> most_running = 0;
  std::atomic<int> ended = 0;
  {
    real::BlockingPool pool(most, 64 << 10);
    const auto work = [&] {
      const int now_running = ++running;
      int seen = most_running;
      while (seen < now_running && !most_running.compare_exchange_weak(seen, now_running)) {
      }
      begun.release();
      may_end.acquire();
      --running;
      ++ended;
    };
    for (int i = 0; i < 10; ++i) pool.submit(work);
    for (int i = 0; i < most; ++i) begun.acquire();
    may_end.release(10);
  }
  CHECK(most_running == most);
  CHECK(ended == 10);
}

TEST_CASE("work beside the shards that starves gets a small share, and nothing once it no longer does") {
  using Lane = real::SpareShare::Lane;
  real::SpareShare share;
  MonoTime time{10s};
  // One after the other, each of a millisecond of processor time, for which it waits `wait`.
  const auto run = [&](Lane lane, std::chrono::nanoseconds wait) {
    const MonoTime asked = time;
    time += wait;
    share.began(lane, asked, time);
    time += 1ms;
    share.ended(lane, asked, time, 1ms);
  };
  for (int i = 0; i < 1000; ++i) {
    CHECK(share.choose(time) == Lane::idle);
    run(Lane::idle, 5ms);
  }
  run(Lane::idle, 300ms);
  const MonoTime before = time;
  int ordinary = 0;
  while (time < before + 100s) {
    const Lane lane = share.choose(time);
    ordinary += lane == Lane::ordinary ? 1 : 0;
    run(lane, lane == Lane::idle ? 100ms : 0ms);
  }
  CHECK(ordinary > 4'000);  // milliseconds of a hundred seconds
  CHECK(ordinary < 6'000);
  run(Lane::idle, 1ms);
  CHECK(share.choose(time) == Lane::idle);
}

TEST_CASE("work beside the shards that asks for a shard is a bug that ends the process") {
  const auto ask = []() -> Task<void> {
    auto time = [] { return now(); };
    co_await beside(std::move(time));
  };
  check_that_both_worlds_end(ask);
}

TEST_CASE("a file that grows has blocks reserved ahead of it, and gives them back") {
  char directory[] = "/var/tmp/millrace-grows-XXXXXX";
  REQUIRE(mkdtemp(directory) != nullptr);
  const std::string path = std::string(directory) + "/a";
  const auto allocated = [&] {
    struct stat info{};
    REQUIRE(stat(path.c_str(), &info) == 0);
    return int64_t{info.st_blocks} * 512;
  };
  constexpr int64_t piece = 256 << 10;
  int64_t most = 0;
  real::World world;
  const auto grow = [&](real::World&) -> Task<int> {
    std::unique_ptr<File> file = co_await Shard::current().disk().open(path, OpenMode::write);
    for (int64_t at = 0; at < 16 * piece; at += piece) {
      const std::string text(piece, 'x');
      std::vector<Bytes> parts{Bytes::copy_of(text)};
      co_await file->write(at, std::move(parts));
      most = std::max(most, allocated() - file->size());
    }
    co_return 0;
  };
  world.run(grow);
  const bool reserves = most > 0;  // not every file system can
  CHECK(std::filesystem::file_size(path) == 16 * piece);
  CHECK(allocated() <= 16 * piece + 4096);
  MESSAGE("reserved ahead: " << reserves);
  std::filesystem::remove_all(directory);
}

TEST_CASE("the first SIGTERM asks to stop, the second one kills") {
  for (const bool twice : {false, true}) {
    const int fate = fate_of([twice] {
      real::World world;
      Event stopping;
      bool stop = false;
      world.on_stop_signal([&] {
        stop = true;
        stopping.notify();
      });
      const auto main = [&](real::World&) -> Task<int> {
        kill(getpid(), SIGTERM);
        while (!stop) co_await stopping.wait(after(10s));
        if (twice) {
          kill(getpid(), SIGTERM);
          co_await sleep_until(after(10s));
        }
        co_return 7;
      };
      return world.run(main);
    });
    CHECK(fate == (twice ? SIGTERM : -7));
  }
}

TEST_CASE("a lock held by another process is refused, and free once that process is gone") {
  std::string directory = std::filesystem::temp_directory_path() / "millrace-test-XXXXXX";
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  const std::string path = directory + "/.lock";
  // As Java's FileChannel.tryLock does it.
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0644);
    struct flock whole{};
    whole.l_type = F_WRLCK;
    const char locked = fcntl(fd, F_SETLK, &whole) == 0 ? 'y' : 'n';
    const ssize_t told = write(ready[1], &locked, 1);
    (void)told;
    pause();
    _exit(0);
  }
  char locked = 0;
  REQUIRE(read(ready[0], &locked, 1) == 1);
  CHECK(locked == 'y');
  real::World world;
  const auto main = [&](real::World&) -> Task<int> {
    Disk& disk = Shard::current().disk();
    const std::unique_ptr<FileLock> refused = co_await disk.lock(path);
    CHECK(refused == nullptr);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    const std::unique_ptr<FileLock> granted = co_await disk.lock(path);
    CHECK(granted != nullptr);
    co_return 0;
  };
  world.run(main);
  close(ready[0]);
  close(ready[1]);
  std::filesystem::remove_all(directory);
}

TEST_CASE("running out of descriptors is waited out by accept") {
  real::World world;
  const auto main = [](real::World&) -> Task<int> {
    Net& net = Shard::current().net();
    const Address any{"127.0.0.1", 0};
    std::unique_ptr<Listener> listener = co_await net.listen(any);
    std::unique_ptr<Connection> client = co_await net.connect(listener->local(), after(10s));
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    const MonoTime start = now();
    Shard::current().clock().schedule(after(20ms), [&before] { setrlimit(RLIMIT_NOFILE, &before); });
    std::unique_ptr<Connection> server = co_await listener->accept();
    CHECK(now() - start >= 20ms);
    CHECK(server->peer() == client->local());

    // Closing ends that wait, too.
    std::unique_ptr<Connection> second = co_await net.connect(listener->local(), after(10s));
    setrlimit(RLIMIT_NOFILE, &none);
    Gate gate;
    bool closed = false;
    const auto accept = [&]() -> Task<void> {
      try {
        std::unique_ptr<Connection> nobody = co_await listener->accept();
      } catch (const NetError&) {
        closed = true;
      }
    };
    gate.spawn(accept());
    listener->close();
    co_await gate.close();
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(closed);
    co_return 0;
  };
  world.run(main);
}

TEST_CASE("letting a connection go while somebody reads from it is a bug, in both worlds") {
  const auto let_go = []() -> Task<void> {
    Net& net = Shard::current().net();
    const Address any{"127.0.0.1", 0};
    std::unique_ptr<Listener> listener = co_await net.listen(any);
    std::unique_ptr<Connection> client = co_await net.connect(listener->local(), never);
    Gate gate;
    const auto read = [&]() -> Task<void> {
      std::byte buffer[1];
      const size_t got = co_await client->read_some(buffer);
      check(got == 1);
    };
    gate.spawn(read());
    client = nullptr;
    co_await gate.close();
  };
  check_that_both_worlds_end(let_go);
}

TEST_CASE("a failure that nobody owns ends the process") {
  const int fate = fate_of([] {
    real::World world;
    const auto main = [](real::World&) -> Task<int> {
      const auto fail = []() -> Task<void> {
        co_await yield();
        throw std::runtime_error("unowned");
      };
      detach(fail());
      co_await sleep_until(after(10s));
      co_return 0;
    };
    return world.run(main);
  });
  CHECK(fate == SIGABRT);
}

}  // namespace
}  // namespace millrace
