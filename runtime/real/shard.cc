// The loop of a real shard.
//
// Only the thread of the shard ever touches the loop, which therefore locks nothing; other threads leave their work in
// the postings and ring an eventfd. Each queue wakes the loop at most once until it is drained, and is drained in
// batches. A few batches run one after the other, since what one wakes is mostly the next step of the same thing; then
// sockets and timers get their turn.
#include "runtime/real/shard.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <vector>

#include "runtime/real/adapters.h"
#include "runtime/real/postings.h"
#include "runtime/real/process.h"
#include "runtime/timer_queue.h"

namespace millrace::real {

namespace asio = boost::asio;

namespace {

using WorkQueue = std::vector<Postings::Work>;
constexpr int batches_per_turn = 4;
using LoopTimer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                                             asio::io_context::executor_type>;

// All timers of a shard behind one timer of the loop, which is only touched when something is due earlier than it. What
// is due already does without it, since setting it is a system call.
class RealClock final : public Clock {
 public:
  explicit RealClock(asio::io_context& loop) : alarm_(loop) {}

  MonoTime now() const override { return MonoTime(std::chrono::steady_clock::now().time_since_epoch()); }
  Timestamp wall_now() const override {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return Timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count());
  }
  TimerId schedule(MonoTime due, std::move_only_function<void()> fire) override {
    const TimerId id = timers_.add(due, std::move(fire));
    if (due < armed_ && !firing_) arm(due);
    return id;
  }
  void cancel(TimerId timer) override { timers_.cancel(timer); }

 private:
  void arm(MonoTime due) {
    armed_ = due;
    if (due <= now()) {
      // The first time round the loop finds the sockets that are ready, the second time is behind them.
      asio::post(alarm_.get_executor(), [this] { asio::post(alarm_.get_executor(), [this] { fire_due(); }); });
    } else if (due < alarm_due_) {
      alarm_due_ = due;
      alarm_.expires_at(std::chrono::steady_clock::time_point(due.time_since_epoch()));
      alarm_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        alarm_due_ = never;
        fire_due();
      });
    }
  }
  void fire_due() {
    firing_ = true;
    armed_ = never;
    // Timers that these set for a moment already past wait for the next turn.
    const MonoTime until = now();
    while (std::move_only_function<void()> fire = timers_.take_due(until)) fire();
    firing_ = false;
    if (timers_.next_due() != never) arm(timers_.next_due());
  }

  TimerQueue timers_;
  LoopTimer alarm_;
  MonoTime alarm_due_ = never;
  MonoTime armed_ = never;
  bool firing_ = false;
};

}  // namespace

struct RealShard::State {
  const int id;
  Process& process;
  asio::io_context loop{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  asio::executor_work_guard<asio::io_context::executor_type> open{loop.get_executor()};
  RealClock clock{loop};
  std::unique_ptr<Disk> disk;
  std::unique_ptr<Net> net;
  std::unique_ptr<Random> random;

  WorkQueue local;
  WorkQueue running;
  bool drain_posted = false;

  Postings postings;
  asio::posix::stream_descriptor bell{loop};  // an eventfd
  std::array<std::byte, 8> rings{};

  State(int id_, Process& process_) : id(id_), process(process_) {
    const int event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    bell.assign(event);
    listen();
  }

  void post_local(std::move_only_function<void()> work) {
    local.push_back(std::move(work));
    if (!drain_posted) {
      drain_posted = true;
      asio::post(loop, [this] { drain(); });
    }
  }
  void drain() {
    for (int batch = 0; batch < batches_per_turn && !local.empty(); ++batch) {
      running.swap(local);
      for (std::move_only_function<void()>& work : running) {
        work();
        work = nullptr;
      }
      running.clear();
      if (running.capacity() > 1024) running = WorkQueue();
    }
    drain_posted = !local.empty();
    if (drain_posted) {
      asio::post(loop, [this] { drain(); });
    }
  }
  void post_remote(std::move_only_function<void()> work) {
    if (!postings.put(std::move(work))) return;
    const uint64_t once = 1;
    // It cannot fail: the count would have to be full.
    const ssize_t wrote = ::write(bell.native_handle(), &once, sizeof once);
    check(wrote == sizeof once);
  }
  // The bell is silent again before the postings are taken: what comes later rings it again.
  void listen() {
    bell.async_read_some(asio::buffer(rings), [this](const boost::system::error_code& error, size_t) {
      if (error) return;
      for (Postings::Work& work : postings.take()) post_local(std::move(work));
      listen();
    });
  }
};

namespace {
thread_local const RealShard* this_thread = nullptr;
}

RealShard::RealShard(int id, Process& process) : state_(std::make_unique<State>(id, process)) {
  state_->disk = make_disk(*this, process);
  state_->net = make_net(*this, process);
  state_->random = make_random();
}

RealShard::~RealShard() = default;

void RealShard::run() {
  const Running running(this);
  this_thread = this;
  state_->loop.run();
  this_thread = nullptr;
}

void RealShard::stop() {
  post([this] { state_->loop.stop(); });
}

int RealShard::id() const { return state_->id; }

void RealShard::post(std::move_only_function<void()> work) {
  if (this_thread == this) {
    state_->post_local(std::move(work));
  } else {
    state_->post_remote(std::move(work));
  }
}

void RealShard::post_beside(std::move_only_function<void()> work) { state_->process.beside.submit(std::move(work)); }

Clock& RealShard::clock() { return state_->clock; }
Disk& RealShard::disk() { return *state_->disk; }
Net& RealShard::net() { return *state_->net; }
Random& RealShard::random() { return *state_->random; }
asio::io_context& RealShard::loop() { return state_->loop; }

}  // namespace millrace::real
