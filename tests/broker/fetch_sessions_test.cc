// Fetch sessions alone: which partitions are due in a request, and when sessions come and go.
#include "broker/fetch_sessions.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace millrace::broker {
namespace {

using enum ErrorCode;
using protocol::FetchRequest;

struct Dice final : Random {
  uint64_t next() override { return bits(); }
  void fill(std::span<std::byte> out) override {
    for (std::byte& b : out) b = static_cast<std::byte>(bits());
  }
  std::mt19937_64 bits{1};
};

// A shard on which nothing is ever run.
struct Here final : Shard {
  int id() const override { return 0; }
  void post(std::move_only_function<void()> /*work*/) override { std::terminate(); }
  void post_beside(std::move_only_function<void()> /*work*/) override { std::terminate(); }
  Clock& clock() override { std::terminate(); }
  Disk& disk() override { std::terminate(); }
  Net& net() override { std::terminate(); }
  Random& random() override { std::terminate(); }

 private:
  Running running_{this};
};

// A consumer that speaks version 17: topics are ids.
struct World {
  FetchRequest request(int32_t id, int32_t epoch, std::vector<std::pair<int32_t, int64_t>> partitions = {},
                       std::vector<int32_t> forgotten = {}) {
    FetchRequest request;
    request.session_id = id;
    request.session_epoch = epoch;
    if (!partitions.empty()) {
      FetchRequest::Topic& topic = request.topics.emplace_back();
      topic.id = {1, 1};
      for (const auto& [index, offset] : partitions) {
        FetchRequest::Partition& partition = topic.partitions.emplace_back();
        partition.index = PartitionId(index);
        partition.fetch_offset = Offset(offset);
      }
    }
    if (!forgotten.empty()) {
      FetchRequest::ForgottenTopic& topic = request.forgotten_topics.emplace_back();
      topic.id = {1, 1};
      for (const int32_t index : forgotten) topic.partitions.push_back(PartitionId(index));
    }
    return request;
  }
  FetchPlan plan(const FetchRequest& request, int16_t version = 17) {
    return sessions.plan(request, version, now, dice);
  }
  static std::vector<int32_t> due(const FetchPlan& plan) {
    std::vector<int32_t> out;
    for (const FetchPartition* partition : plan.session->due()) out.push_back(partition->index.value);
    return out;
  }
  static FetchPartition& partition(const FetchPlan& plan, int32_t index) {
    const auto& due = plan.session->due();
    const auto at = std::ranges::find(due, PartitionId(index), &FetchPartition::index);
    REQUIRE(at != due.end());
    return **at;
  }
  // As a request does that finds nothing in them.
  static void let_rest(const FetchPlan& plan, std::vector<int32_t> indexes) {
    std::vector<FetchSession::Settled> settled;
    for (const int32_t index : indexes) {
      FetchPartition& found = partition(plan, index);
      found.watched = true;
      settled.push_back({&found, found.changes});
    }
    plan.session->rest(settled);
  }

  Here here;
  FetchSessions sessions{2};
  MonoTime now{std::chrono::hours(1)};
  Dice dice;
};

using Indexes = std::vector<int32_t>;

TEST_CASE("without an epoch there is no session; with epoch 0 one is opened") {
  World w;
  CHECK(w.plan(w.request(0, -1, {{0, 5}})).session->id == 0);
  CHECK(w.sessions.size() == 0);
  const FetchPlan plan = w.plan(w.request(0, 0, {{0, 5}, {1, 7}}));
  CHECK(plan.session->id > 0);
  CHECK(!plan.incremental);
  CHECK(World::due(plan) == Indexes{0, 1});
  CHECK(w.sessions.size() == 1);
}

TEST_CASE("a request in a session names only what changed") {
  World w;
  const int32_t id = w.plan(w.request(0, 0, {{0, 5}, {1, 7}})).session->id;
  FetchPlan plan = w.plan(w.request(id, 1));
  CHECK(plan.incremental);
  CHECK(World::due(plan) == Indexes{0, 1});
  plan = w.plan(w.request(id, 2, {{1, 9}, {4, 0}}, {0}));
  CHECK(World::due(plan) == Indexes{1, 4});
  CHECK(plan.session->following() == 2);
  CHECK(World::partition(plan, 1).position.offset == Offset(9));
}

TEST_CASE("what has settled rests until it changes, or the consumer moves") {
  World w;
  const int32_t id = w.plan(w.request(0, 0, {{0, 0}, {1, 0}, {2, 0}})).session->id;
  FetchPlan plan = w.plan(w.request(id, 1));
  FetchPartition& second = World::partition(plan, 1);
  World::let_rest(plan, {0, 1});
  CHECK(World::due(plan) == Indexes{2});
  second.changed();
  CHECK(World::due(plan) == Indexes{1, 2});
  World::let_rest(plan, {1, 2});
  plan = w.plan(w.request(id, 2, {{2, 7}}));
  CHECK(World::due(plan) == Indexes{2});
  CHECK(plan.session->following() == 3);
}

TEST_CASE("what changes while it is looked at stays due") {
  World w;
  const FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}}));
  FetchPartition& partition = World::partition(plan, 0);
  const std::vector<FetchSession::Settled> before{{&partition, partition.changes}};
  partition.changed();
  plan.session->rest(before);
  CHECK(World::due(plan) == Indexes{0});
}

TEST_CASE("all is due again for a consumer that begins to ask differently") {
  World w;
  const FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}, {1, 0}}));
  World::let_rest(plan, {0, 1});
  plan.session->asked_with(protocol::IsolationLevel::read_uncommitted, false);
  CHECK(World::due(plan).empty());
  plan.session->asked_with(protocol::IsolationLevel::read_committed, false);
  CHECK(World::due(plan) == Indexes{0, 1});
}

TEST_CASE("a partition that is forgotten and followed again while it is watched is a new one, and watched once") {
  World w;
  FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}, {1, 0}}));
  const int32_t id = plan.session->id;
  FetchPartition& first = World::partition(plan, 0);
  first.told_high_watermark = Offset(5);
  World::let_rest(plan, {0, 1});
  plan = w.plan(w.request(id, 1, {}, {0}));
  CHECK(World::due(plan).empty());
  plan = w.plan(w.request(id, 2, {{0, 3}}));
  REQUIRE(World::due(plan) == Indexes{0});
  CHECK(&World::partition(plan, 0) == &first);
  CHECK(first.watched);
  CHECK(first.told_high_watermark == Offset(-2));
}

TEST_CASE("a forgotten partition is gone once nobody watches it any more") {
  World w;
  FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}, {1, 0}}));
  const std::weak_ptr<Watcher> watcher = plan.session->watcher(World::partition(plan, 0));
  World::let_rest(plan, {0, 1});
  plan = w.plan(w.request(plan.session->id, 1, {}, {0}));
  watcher.lock()->changed();
  CHECK(World::due(plan).empty());
  CHECK(plan.session->following() == 1);
  plan = w.plan(w.request(plan.session->id, 2, {{0, 0}}));
  CHECK_FALSE(World::partition(plan, 0).watched);
}

TEST_CASE("a session's watchers end with it") {
  World w;
  std::weak_ptr<Watcher> watcher;
  {
    const FetchPlan plan = w.plan(w.request(0, -1, {{0, 5}}));
    watcher = plan.session->watcher(World::partition(plan, 0));
    CHECK(watcher.lock());
  }
  CHECK_FALSE(watcher.lock());
}

TEST_CASE("a request knows that another one has come in its session") {
  World w;
  const FetchPlan first = w.plan(w.request(0, 0, {{0, 5}}));
  CHECK_FALSE(first.overtaken());
  const FetchPlan second = w.plan(w.request(first.session->id, 1));
  CHECK(first.overtaken());
  CHECK_FALSE(second.overtaken());
}

TEST_CASE("epochs must follow one another; unknown sessions and mixed versions are refused") {
  World w;
  const int32_t id = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  CHECK(w.plan(w.request(id, 2)).error == invalid_fetch_session_epoch);
  CHECK(w.plan(w.request(id, -5)).error == invalid_fetch_session_epoch);
  CHECK(w.plan(w.request(id, 1), 12).error == fetch_session_topic_id_error);
  CHECK(w.plan(w.request(id + 1, 1)).error == fetch_session_id_not_found);
  CHECK(w.plan(w.request(0, 1)).error == fetch_session_id_not_found);
  CHECK(w.plan(w.request(id, 1)).error == none);
  CHECK(w.plan(w.request(id, 1)).error == invalid_fetch_session_epoch);
}

TEST_CASE("epochs wrap to 1") {
  World w;
  const FetchPlan open = w.plan(w.request(0, 0, {{0, 5}}));
  open.session->next_epoch = INT32_MAX;
  CHECK(w.plan(w.request(open.session->id, INT32_MAX)).error == none);
  CHECK(w.plan(w.request(open.session->id, 1)).error == none);
}

TEST_CASE("a full request ends the session it names") {
  World w;
  const int32_t id = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  SUBCASE("for another") { CHECK(w.plan(w.request(id, 0, {{0, 5}})).session->id != id); }
  SUBCASE("for none") { CHECK(w.plan(w.request(id, -1, {{0, 5}})).session->id == 0); }
  CHECK(w.plan(w.request(id, 1)).error == fetch_session_id_not_found);
}

TEST_CASE("a session that follows nothing any more ends") {
  World w;
  const int32_t id = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  const FetchPlan plan = w.plan(w.request(id, 1, {}, {0}));
  CHECK(plan.error == none);
  CHECK(plan.session->id == 0);
  CHECK(World::due(plan).empty());
  CHECK(w.sessions.size() == 0);
}

TEST_CASE("when all places are taken only a session long unused makes room") {
  World w;
  const int32_t first = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  w.now += std::chrono::seconds(60);
  const int32_t second = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  w.now += std::chrono::seconds(59);
  CHECK(w.plan(w.request(0, 0, {{0, 5}})).session->id == 0);
  w.now += std::chrono::seconds(1);
  CHECK(w.plan(w.request(0, 0, {{0, 5}})).session->id != 0);
  CHECK(w.plan(w.request(first, 1)).error == fetch_session_id_not_found);
  CHECK(w.plan(w.request(second, 1)).error == none);
}

TEST_CASE("a partition named twice is read once, where it stood first, from where it was said last") {
  World w;
  const FetchPlan plan = w.plan(w.request(0, -1, {{0, 5}, {1, 7}, {0, 6}}));
  CHECK(World::due(plan) == Indexes{0, 1});
  CHECK(World::partition(plan, 0).position.offset == Offset(6));
}

TEST_CASE("partitions that gave records go behind the others") {
  World w;
  FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}, {1, 0}, {2, 0}}));
  plan.session->put_behind(World::partition(plan, 0));
  plan = w.plan(w.request(plan.session->id, 1));
  CHECK(World::due(plan) == Indexes{1, 2, 0});
}

TEST_CASE("what the consumer was told is kept while its position moves") {
  World w;
  FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}}));
  World::partition(plan, 0).told_high_watermark = Offset(9);
  plan = w.plan(w.request(plan.session->id, 1, {{0, 4}}));
  CHECK(World::partition(plan, 0).told_high_watermark == Offset(9));
  CHECK(World::partition(plan, 0).position.offset == Offset(4));
}

TEST_CASE("ten thousand partitions are no trouble") {
  World w;
  std::vector<std::pair<int32_t, int64_t>> many;
  for (int32_t i = 0; i < 10'000; ++i) many.emplace_back(i, i);
  const int32_t id = w.plan(w.request(0, 0, many)).session->id;
  for (int32_t epoch = 1; epoch <= 5; ++epoch) CHECK(World::due(w.plan(w.request(id, epoch, many))).size() == 10'000);
}

}  // namespace
}  // namespace millrace::broker
