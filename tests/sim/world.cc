// The scheduler of the simulated world, and the life and death of its nodes.
#include "tests/sim/world.h"

#include <stdexcept>

#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/seeds.h"
#include "tests/sim/shard.h"

namespace millrace::sim {

namespace {

constexpr int64_t wall_at_start = 1'750'000'000'000;
constexpr uint64_t most_steps = 2'000'000'000;

enum class Step : uint64_t { work = 1, timer, happening, start, crash, end };

}  // namespace

// ---- shards ----

SimShard::SimShard(Node& node, int id, uint64_t seed)
    : node_(node), id_(id), random_(seed), net_(make_net(*this, node.world().net())) {}
SimShard::~SimShard() = default;

Disk& SimShard::disk() { return node_.disk(); }

void SimShard::post(std::move_only_function<void()> work) {
  if (!dropping()) queue_.push_back(std::move(work));
}

// A thread of its own would do it at some moment, all at once as far as others can tell, and tell of it later.
void SimShard::post_beside(std::move_only_function<void()> work) {
  if (dropping()) return;
  const auto some = [this] { return std::chrono::microseconds(random_.below(500)); };
  timers_.add(node_.world().now() + some(), [work = std::move(work)]() mutable {
    const Running nowhere(nullptr);
    work();
  });
}

Timestamp SimShard::wall_now() const {
  const auto since_start = std::chrono::duration_cast<Millis>(node_.world().now().time_since_epoch());
  return Timestamp(wall_at_start + (since_start + node_.wall_skew()).count());
}

TimerId SimShard::schedule(MonoTime due, std::move_only_function<void()> fire) {
  return dropping() ? TimerId{1} : timers_.add(due, std::move(fire));
}

void SimShard::cancel(TimerId timer) { timers_.cancel(timer); }

void SimShard::run_one() {
  World& world = node_.world();
  const Running running(this);
  std::move_only_function<void()> work;
  const bool timer_due = timers_.next_due() <= world.now();
  const bool timer = timer_due && (queue_.empty() || world.random().one_in(2));
  if (timer) {
    work = timers_.take_due(world.now());
  } else {
    work = std::move(queue_.front());
    queue_.pop_front();
  }
  const uint64_t where = static_cast<uint64_t>(node_.index()) << 8 | static_cast<uint64_t>(id_);
  world.mix_into_trace(where << 8 | static_cast<uint64_t>(timer ? Step::timer : Step::work));
  work();
}

void SimShard::start(Task<void> task) {
  const Running running(this);
  detach(std::move(task));
}

void SimShard::drop() {
  const Running running(this);
  drop_detached();
  // What these own may post or schedule again while it is destroyed; that is ignored.
  std::deque<std::move_only_function<void()>>().swap(queue_);
  TimerQueue dropped;
  std::swap(dropped, timers_);
}

// ---- nodes ----

Node::Node(World& world, int index, std::string name, int shards)
    : world_(world),
      index_(index),
      name_(std::move(name)),
      ip_("10.0.0." + std::to_string(index + 1)),
      shard_count_(shards),
      disk_(std::make_unique<SimDisk>(world.random().next())) {}

Node::~Node() { check(!running_); }

std::vector<Shard*> Node::shards() {
  std::vector<Shard*> all;
  for (const std::unique_ptr<SimShard>& shard : shards_) all.push_back(shard.get());
  return all;
}

void Node::make_shards() {
  shards_.clear();
  for (int id = 0; id < shard_count_; ++id) {
    shards_.push_back(std::make_unique<SimShard>(*this, id, world_.random().next()));
  }
}

void Node::start(Main main) {
  main_ = std::move(main);
  restart();
}

void Node::restart() {
  check(!running_ && main_);
  make_shards();
  running_ = true;
  finished_ = false;
  result_.reset();
  error_ = nullptr;
  if (!powered_) {
    powered_ = true;
    world_.net().powered_on(*this);
  }
  world_.mix_into_trace(static_cast<uint64_t>(index_) << 16 | static_cast<uint64_t>(Step::start));
  SimShard& first = *shards_.front();
  first.post([this, &first] { first.start(run_main(*this)); });
}

Task<void> Node::run_main(Node& node) {
  try {
    node.result_ = co_await node.main_(node);
  } catch (...) {
    node.error_ = std::current_exception();
  }
  node.finished_ = true;
}

void Node::end_if_finished() {
  if (!running_ || !finished_) return;
  int left = 0;
  for (const std::unique_ptr<SimShard>& shard : shards_) left += shard->still_running();
  if (left > 0) {
    std::fprintf(stderr, "sim: the main of %s has returned while %d of its tasks run (seed %llu)\n", name_.c_str(),
                 left, static_cast<unsigned long long>(world_.seed()));
    check(false);
  }
  world_.mix_into_trace(static_cast<uint64_t>(index_) << 16 | static_cast<uint64_t>(Step::end));
  drop_shards();
  world_.net().ended(*this);
}

void Node::crash(Crash kind) {
  check(running_);
  world_.mix_into_trace(static_cast<uint64_t>(index_) << 16 | static_cast<uint64_t>(Step::crash));
  if (kind == Crash::power) {
    powered_ = false;
    world_.net().powered_off(*this);
  }
  drop_shards();
  result_.reset();
  error_ = nullptr;
  if (kind == Crash::power) {
    disk_->power_cut();
  } else {
    world_.net().ended(*this);
  }
}

void Node::drop_shards() {
  running_ = false;
  for (const std::unique_ptr<SimShard>& shard : shards_) shard->begin_drop();
  for (auto shard = shards_.rbegin(); shard != shards_.rend(); ++shard) (*shard)->drop();
  shards_.clear();
  disk_->release_locks();
}

// ---- the world ----

World::World(uint64_t seed) : seed_(seed), random_(seed), net_(std::make_unique<Network>(*this)) { note_seed(seed); }

World::~World() {
  for (const std::unique_ptr<Node>& node : nodes_) {
    if (node->running()) node->crash();
  }
  // Messages still under way keep endpoints alive.
  happenings_ = {};
}

Node& World::add_node(std::string name, int shards) {
  nodes_.push_back(std::make_unique<Node>(*this, static_cast<int>(nodes_.size()), std::move(name), shards));
  return *nodes_.back();
}

Node& World::node(std::string_view name_or_ip) {
  for (const std::unique_ptr<Node>& node : nodes_) {
    if (node->name() == name_or_ip || node->ip() == name_or_ip) return *node;
  }
  throw std::out_of_range("no node " + std::string(name_or_ip));
}

void World::at(MonoTime due, std::move_only_function<void()> what) {
  happenings_.push(Happening{std::max(due, now_), random_.next(), happenings_scheduled_++, std::move(what)});
}

void World::mix_into_trace(uint64_t value) {
  trace_ = (trace_ ^ value) * 0x100000001b3ull;
  trace_ ^= trace_ >> 29;
}

MonoTime World::next_due() const {
  MonoTime due = happenings_.empty() ? never : happenings_.top().due;
  for (const std::unique_ptr<Node>& node : nodes_) {
    for (const std::unique_ptr<SimShard>& shard : node->shards_) due = std::min(due, shard->next_due());
  }
  return due;
}

bool World::step(MonoTime limit) {
  for (;;) {
    // Everything that could happen now; one of it does.
    std::vector<SimShard*> ready;
    for (const std::unique_ptr<Node>& node : nodes_) {
      if (!node->running()) continue;
      for (const std::unique_ptr<SimShard>& shard : node->shards_) {
        if (shard->can_run()) ready.push_back(shard.get());
      }
    }
    const bool due = !happenings_.empty() && happenings_.top().due <= now_;
    const uint64_t choices = ready.size() + (due ? 1 : 0);
    if (choices == 0) {
      const MonoTime next = next_due();
      if (next > limit || next == never) return false;
      now_ = next;
      continue;
    }
    if (now_ > limit) return false;
    if (++steps_ > most_steps) throw std::runtime_error("the simulated world does not come to rest");
    const uint64_t choice = random_.below(choices);
    if (choice < ready.size()) {
      Node& node = ready[choice]->node();
      ready[choice]->run_one();
      node.end_if_finished();
    } else {
      std::move_only_function<void()> what = std::move(happenings_.top().what);
      happenings_.pop();
      mix_into_trace(static_cast<uint64_t>(Step::happening));
      what();
    }
    mix_into_trace(static_cast<uint64_t>(now_.time_since_epoch().count()));
    // Work takes time: a loop that only yields must see its deadline come.
    now_ += Duration(random_.below(2000));
    return true;
  }
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const MonoTime end = now_ + limit;
  while (!done()) {
    if (!step(end)) {
      now_ = std::max(now_, end);
      return done();
    }
  }
  return true;
}

void World::run_for(Duration time) {
  const MonoTime end = now_ + time;
  while (step(end)) {
  }
  now_ = std::max(now_, end);
}

bool World::run_until_quiescent(Duration limit) {
  const MonoTime end = now_ + limit;
  while (step(end)) {
  }
  for (const std::unique_ptr<Node>& node : nodes_) {
    for (const std::unique_ptr<SimShard>& shard : node->shards_) {
      if (!shard->idle()) return false;
    }
  }
  return happenings_.empty();
}

void World::run(Node& node, std::function<Task<void>()> body, Duration limit) {
  node.start([&body](Node&) -> Task<int> {
    co_await body();
    co_return 0;
  });
  const bool ended = run_until([&node] { return !node.running(); }, limit);
  if (!ended) node.crash();
  node.main_ = nullptr;
  if (node.error()) std::rethrow_exception(node.error());
  if (!node.result()) {
    const char* how = ended ? " crashed" : " did not end in time";
    throw std::runtime_error("the process of " + node.name() + how + " (seed " + std::to_string(seed_) + ")");
  }
}

}  // namespace millrace::sim
