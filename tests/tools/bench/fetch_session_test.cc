#include "tools/bench/fetch_session.h"

#include <doctest/doctest.h>

namespace millrace::bench {

namespace {

using enum ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;

std::vector<FetchSession::Partition> partitions(std::vector<int32_t> indices) {
  std::vector<FetchSession::Partition> result;
  for (const int32_t index : indices) result.emplace_back().index = PartitionId(index);
  return result;
}

// A consumer of the partitions 1, 4 and 7, and what it has asked.
struct World {
  explicit World(bool incremental = true) : session("orders", {1, 1}, partitions({1, 4, 7}), incremental) {}

  void ask() { session.ask(request); }
  std::pair<int32_t, int32_t> id_and_epoch() const { return {request.session_id, request.session_epoch}; }
  // Which partitions the request names, from where to read on.
  std::vector<std::pair<int32_t, int64_t>> named() const {
    std::vector<std::pair<int32_t, int64_t>> result;
    for (const auto& topic : request.topics) {
      CHECK(topic.name == "orders");
      CHECK(topic.id == TopicId{1, 1});
      for (const auto& p : topic.partitions) result.emplace_back(p.index.value, p.fetch_offset.value);
    }
    return result;
  }
  std::vector<int32_t> forgotten() const {
    std::vector<int32_t> result;
    for (const auto& topic : request.forgotten_topics) {
      CHECK(topic.id == TopicId{1, 1});
      for (const PartitionId index : topic.partitions) result.push_back(index.value);
    }
    return result;
  }
  bool answer(int32_t id, std::vector<int32_t> told, ErrorCode error = none) {
    FetchResponse response;
    response.session_id = id;
    response.error = error;
    if (!told.empty()) response.topics.emplace_back();
    for (const int32_t index : told) response.topics[0].partitions.emplace_back().index = PartitionId(index);
    return session.answered(response);
  }
  // In session 9, which is at its first incremental request.
  void begin() {
    ask();
    CHECK(answer(9, {1, 4, 7}));
  }

  FetchSession session;
  FetchRequest request;
};

using Named = std::vector<std::pair<int32_t, int64_t>>;
using Ids = std::pair<int32_t, int32_t>;
const Named all = {{1, 0}, {4, 0}, {7, 0}};

}  // namespace

TEST_CASE("the first request of a session names all, and further ones what has moved since") {
  World world;
  world.ask();
  CHECK(world.id_and_epoch() == Ids(0, 0));
  CHECK(world.named() == all);
  CHECK(world.answer(9, {1, 4, 7}));
  world.session.move(world.session.place_of(PartitionId(4)), Offset(10));
  world.session.move(world.session.place_of(PartitionId(4)), Offset(20));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(9, 1));
  CHECK(world.named() == Named{{4, 20}});
  CHECK(world.answer(9, {4}));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(9, 2));
  CHECK(world.named().empty());
  CHECK(world.session.begun() == 1);
}

TEST_CASE(
    "a partition that is no longer wanted is named once as forgotten, and like a new one when it is moved again") {
  World world;
  world.begin();
  world.session.forget(0);
  world.ask();
  CHECK(world.named().empty());
  CHECK(world.forgotten() == std::vector<int32_t>{1});
  CHECK(world.answer(9, {}));
  world.ask();
  CHECK(world.forgotten().empty());
  CHECK(world.answer(9, {}));
  world.session.move(0, Offset(3));
  world.ask();
  CHECK(world.named() == Named{{1, 3}});
  CHECK(world.forgotten().empty());
}

TEST_CASE("what is forgotten and wanted again between two requests is never forgotten for the broker") {
  World world;
  world.begin();
  world.session.forget(2);
  world.session.move(2, Offset(5));
  world.ask();
  CHECK(world.named() == Named{{7, 5}});
  CHECK(world.forgotten().empty());
}

TEST_CASE("a session that the broker does not know begins again without an id, with all that is wanted") {
  World world;
  world.begin();
  world.session.move(1, Offset(10));
  world.session.forget(2);
  world.ask();
  CHECK_FALSE(world.answer(0, {}, fetch_session_id_not_found));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(0, 0));
  CHECK(world.named() == Named{{1, 0}, {4, 10}});
  CHECK(world.forgotten().empty());
  CHECK(world.answer(11, {1, 4}));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(11, 1));
  CHECK(world.named().empty());
  CHECK(world.session.begun() == 2);
}

TEST_CASE("a session whose epoch is refused is given up by the request that begins the next") {
  World world;
  world.begin();
  world.ask();
  CHECK_FALSE(world.answer(0, {}, invalid_fetch_session_epoch));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(9, 0));
  CHECK(world.named() == all);
  CHECK(world.answer(12, {1, 4, 7}));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(12, 1));
}

TEST_CASE("an answer about a partition that the session does not have ends the session") {
  World world;
  world.begin();
  world.session.forget(1);
  world.ask();
  CHECK_FALSE(world.answer(9, {4}));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(9, 0));
  CHECK(world.named() == Named{{1, 0}, {7, 0}});
}

TEST_CASE("a first answer without some of the partitions is not used") {
  World world;
  world.ask();
  CHECK_FALSE(world.answer(9, {1, 7}));
  world.ask();
  CHECK(world.id_and_epoch().second == 0);
  CHECK(world.named() == all);
}

TEST_CASE("a broker that has no room for a session, or ends it, is asked for one with every request") {
  World world;
  world.ask();
  CHECK(world.answer(0, {1, 4, 7}));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(0, 0));
  CHECK(world.named() == all);
  CHECK(world.answer(9, {1, 4, 7}));
  world.ask();
  CHECK(world.answer(0, {}));
  world.ask();
  CHECK(world.id_and_epoch() == Ids(0, 0));
  CHECK(world.session.begun() == 3);
}

TEST_CASE("without sessions every request names all that is wanted") {
  World world(false);
  for (int turn = 0; turn < 2; ++turn) {
    world.ask();
    CHECK(world.id_and_epoch() == Ids(0, -1));
    CHECK(world.named() == all);
    CHECK(world.answer(0, {1, 4, 7}));
  }
  world.session.move(0, Offset(2));
  world.session.forget(1);
  world.ask();
  CHECK(world.named() == Named{{1, 2}, {7, 0}});
  CHECK(world.forgotten().empty());
  CHECK(world.session.begun() == 0);
}

TEST_CASE("only followed partitions have a place") {
  const World world;
  CHECK(world.session.place_of(PartitionId(7)) == 2);
  CHECK(world.session.place_of(PartitionId(5)) == world.session.size());
  CHECK(world.session.place_of(PartitionId(8)) == world.session.size());
}

}  // namespace millrace::bench
