// Starting, signalling, stopping and joining the shards.
#include "runtime/real/world.h"

#include <malloc.h>
#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <thread>

#include "runtime/real/process.h"
#include "runtime/real/shard.h"

namespace millrace::real {

namespace asio = boost::asio;

struct World::Signals {
  asio::signal_set set;
  std::move_only_function<void()> stop;

  Signals(asio::io_context& loop, std::move_only_function<void()> stop_)
      : set(loop, SIGTERM, SIGINT), stop(std::move(stop_)) {
    set.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      set.clear();  // back to the default: the next one kills
      stop();
    });
  }
};

namespace {

// Buffers of a megabyte come and go with every large request. Taken from the kernel each time, their pages are cleared
// and faulted in again, which costs more than filling them.
constexpr int mapped_from = 8 << 20;
constexpr int kept_free = 32 << 20;

}  // namespace

World::World(int shards, bool may_use_ring) : process_(std::make_unique<Process>()) {
  check(shards > 0);
  mallopt(M_MMAP_THRESHOLD, mapped_from);
  mallopt(M_TRIM_THRESHOLD, kept_free);
  process_->may_use_ring = may_use_ring;
  for (int id = 0; id < shards; ++id) shards_.push_back(std::make_unique<RealShard>(id, *process_));
}

World::~World() {
  process_->beside.stop();
  process_->disk_calls.stop();
  process_->leisurely_writes.stop();
  process_->lookups.stop();
}

Shard& World::shard(int index) { return *shards_.at(static_cast<size_t>(index)); }

std::vector<Shard*> World::shards() {
  std::vector<Shard*> all;
  for (const std::unique_ptr<RealShard>& shard : shards_) all.push_back(shard.get());
  return all;
}

void World::on_stop_signal(std::move_only_function<void()> stop) {
  signals_ = std::make_unique<Signals>(shards_.front()->loop(), std::move(stop));
}

int World::run(std::function<Task<int>(World&)> main) {
  RealShard& first = *shards_.front();
  int result = 0;
  std::exception_ptr error;

  const auto run_main = [&]() -> Task<void> {
    try {
      result = co_await main(*this);
    } catch (...) {
      error = std::current_exception();
    }
    // Posted, so that this frame has ended before the loop has.
    first.post([&first] { first.stop(); });
  };

  std::vector<std::thread> threads;
  for (size_t i = 1; i < shards_.size(); ++i) {
    threads.emplace_back([shard = shards_[i].get()] {
      // Signals are for shard 0.
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, nullptr);
      shard->run();
    });
  }
  first.post([&run_main] { detach(run_main()); });
  first.run();
  for (size_t i = 1; i < shards_.size(); ++i) shards_[i]->stop();
  for (std::thread& thread : threads) thread.join();
  signals_ = nullptr;
  if (error) std::rethrow_exception(error);
  return result;
}

}  // namespace millrace::real
