// Fetch sessions alone: which partitions a request in a session means, and when sessions come and go.
#include "broker/fetch_sessions.h"

#include <doctest/doctest.h>

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
  static std::vector<int32_t> indexes(const FetchPlan& plan) {
    std::vector<int32_t> out;
    for (const FetchPartition& partition : plan.partitions) out.push_back(partition.index.value);
    return out;
  }

  FetchSessions sessions{2};
  MonoTime now{std::chrono::hours(1)};
  Dice dice;
};

TEST_CASE("without an epoch there is no session; with epoch 0 one is opened") {
  World w;
  CHECK(!w.plan(w.request(0, -1, {{0, 5}})).session);
  const FetchPlan plan = w.plan(w.request(0, 0, {{0, 5}, {1, 7}}));
  REQUIRE(plan.session);
  CHECK(plan.session->id > 0);
  CHECK(!plan.incremental);
  CHECK(World::indexes(plan) == std::vector<int32_t>{0, 1});
  CHECK(w.sessions.size() == 1);
}

TEST_CASE("a request in a session names only what changed") {
  World w;
  const int32_t id = w.plan(w.request(0, 0, {{0, 5}, {1, 7}})).session->id;
  FetchPlan plan = w.plan(w.request(id, 1));
  CHECK(plan.incremental);
  CHECK(World::indexes(plan) == std::vector<int32_t>{0, 1});
  plan = w.plan(w.request(id, 2, {{1, 9}, {4, 0}}, {0}));
  CHECK(World::indexes(plan) == std::vector<int32_t>{1, 4});
  CHECK(plan.partitions[0].offset == Offset(9));
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
  SUBCASE("for none") { CHECK(!w.plan(w.request(id, -1, {{0, 5}})).session); }
  CHECK(w.plan(w.request(id, 1)).error == fetch_session_id_not_found);
}

TEST_CASE("a session that follows nothing any more ends") {
  World w;
  const int32_t id = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  const FetchPlan plan = w.plan(w.request(id, 1, {}, {0}));
  CHECK(plan.error == none);
  CHECK(!plan.session);
  CHECK(w.sessions.size() == 0);
}

TEST_CASE("when all places are taken only a session long unused makes room") {
  World w;
  const int32_t first = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  w.now += std::chrono::seconds(60);
  const int32_t second = w.plan(w.request(0, 0, {{0, 5}})).session->id;
  w.now += std::chrono::seconds(59);
  CHECK(!w.plan(w.request(0, 0, {{0, 5}})).session);
  w.now += std::chrono::seconds(1);
  CHECK(w.plan(w.request(0, 0, {{0, 5}})).session);
  CHECK(w.plan(w.request(first, 1)).error == fetch_session_id_not_found);
  CHECK(w.plan(w.request(second, 1)).error == none);
}

TEST_CASE("a partition named twice is read once, where it stood first, from where it was said last") {
  World w;
  const FetchPlan plan = w.plan(w.request(0, -1, {{0, 5}, {1, 7}, {0, 6}}));
  CHECK(World::indexes(plan) == std::vector<int32_t>{0, 1});
  CHECK(plan.partitions[0].offset == Offset(6));
}

TEST_CASE("partitions that gave records go behind the others") {
  World w;
  FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}, {1, 0}, {2, 0}}));
  w.sessions.remember(plan, {true, false, false});
  plan = w.plan(w.request(plan.session->id, 1));
  CHECK(World::indexes(plan) == std::vector<int32_t>{1, 2, 0});
}

TEST_CASE("what the consumer was told is kept while its position moves") {
  World w;
  FetchPlan plan = w.plan(w.request(0, 0, {{0, 0}}));
  plan.partitions[0].told_high_watermark = Offset(9);
  w.sessions.remember(plan, {false});
  plan = w.plan(w.request(plan.session->id, 1, {{0, 4}}));
  CHECK(plan.partitions[0].told_high_watermark == Offset(9));
  CHECK(plan.partitions[0].offset == Offset(4));
}

TEST_CASE("ten thousand partitions are no trouble") {
  World w;
  std::vector<std::pair<int32_t, int64_t>> many;
  for (int32_t i = 0; i < 10'000; ++i) many.emplace_back(i, i);
  const int32_t id = w.plan(w.request(0, 0, many)).session->id;
  for (int32_t epoch = 1; epoch <= 5; ++epoch) CHECK(w.plan(w.request(id, epoch, many)).partitions.size() == 10'000);
}

}  // namespace
}  // namespace millrace::broker
