// A fetch session beside plain fetches of all its partitions, over random histories: whatever happens to the partitions
// and to the session, its answers hold what a full answer holds, less what the consumer has been told before.
#include <algorithm>

#include "protocol/messages/create_partitions.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/delete_topics.h"
#include "tests/broker/broker_world.h"
#include "tests/sim/seeds.h"

namespace millrace::broker {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;

struct Told {
  Offset high_watermark{-2};
  Offset last_stable{-2};
  Offset start{-2};
};

// A partition that the consumer follows.
struct Followed {
  std::string topic;
  TopicId id;
  PartitionId index;
  Offset position{0};
  int32_t max_bytes = 0;
  Told told;
  bool named = true;  // by the next request
  bool is(const std::string& name, const TopicId& of, PartitionId which) const {
    return topic == name && id == of && index == which;
  }
};

// An answer's partitions, flat.
struct Answered {
  std::string topic;
  TopicId id;
  FetchResponse::Partition partition;
  bool operator==(const Answered&) const = default;
};

std::vector<Answered> flat(const FetchResponse& response) {
  std::vector<Answered> all;
  for (const FetchResponse::Topic& topic : response.topics) {
    for (const FetchResponse::Partition& partition : topic.partitions) all.push_back({topic.name, topic.id, partition});
  }
  return all;
}

bool ends_a_wait(const Answered& answered) {
  return answered.partition.error != ErrorCode::none || !answered.partition.records->empty();
}

class History {
 public:
  History(sim::SeededRandom& dice, int16_t version) : dice_(dice), version_(version) {}

  Task<void> run() {
    client_ = co_await connected();
    other_ = co_await connected();
    for (const char* name : {"a", "b", "c"}) {
      const TopicId id = co_await create_topic(other_, name, 4);
      topics_.emplace_back(name, id);
    }
    for (int step = 0; step < 120; ++step) {
      const uint64_t happenings = dice_.below(4);
      for (uint64_t i = 0; i < happenings; ++i) co_await let_something_happen();
      const uint64_t moves = dice_.below(3);
      for (uint64_t i = 0; i < moves; ++i) move();
      while (followed_.empty()) follow();
      co_await compare();
    }
  }

 private:
  std::pair<std::string, TopicId>& any_topic() { return topics_[dice_.below(topics_.size())]; }
  PartitionId any_partition() { return PartitionId(static_cast<int32_t>(dice_.below(6))); }  // some are not there

  // --- in the broker ---

  Task<void> let_something_happen() {
    const uint64_t what = dice_.below(20);
    if (what < 15) co_return co_await write();
    if (what < 17) co_return co_await cut();
    if (what < 18) co_return co_await grow();
    co_await make_anew();
  }
  Task<void> write() {
    Bytes batch = batch_of({std::string(1 + dice_.below(400), 'x')});
    protocol::ProduceRequest request = produce_request(any_topic().second, std::move(batch));
    request.topics[0].partitions[0].index = any_partition();
    co_await other_.call(std::move(request));
  }
  Task<void> cut() {
    protocol::DeleteRecordsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = any_topic().first;
    topic.partitions.push_back({any_partition(), Offset(static_cast<int64_t>(dice_.below(20)) - 1)});
    request.timeout = Millis(1000);
    co_await other_.call(std::move(request));
  }
  Task<void> grow() {
    protocol::CreatePartitionsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = any_topic().first;
    topic.count = 5;
    request.timeout = Millis(1000);
    co_await other_.call(std::move(request));
  }
  Task<void> make_anew() {
    auto& [name, id] = any_topic();
    protocol::DeleteTopicsRequest request;
    request.topics.emplace_back().name = name;
    request.timeout = Millis(1000);
    co_await other_.call(std::move(request));
    id = co_await create_topic(other_, name, 4);
  }

  // --- in the session ---

  void move() {
    const uint64_t what = dice_.below(10);
    if (what < 5 || followed_.empty()) return follow();
    Followed& any = followed_[dice_.below(followed_.size())];
    if (what < 7) {
      any.position = Offset(static_cast<int64_t>(dice_.below(10)));
      any.named = true;
    } else if (what < 9) {
      forgotten_.push_back(any);
      followed_.erase(followed_.begin() + (&any - followed_.data()));
    } else {
      committed_ = !committed_;
    }
  }
  void follow() {
    const auto& [name, id] = any_topic();
    Followed wanted;
    if (version_ >= 13) wanted.id = id;
    if (version_ < 13) wanted.topic = name;
    wanted.index = any_partition();
    wanted.max_bytes = dice_.below(3) == 0 ? 300 : 1 << 20;
    const auto known = [&](const Followed& other) { return other.is(wanted.topic, wanted.id, wanted.index); };
    // Named as forgotten it would go again in the same request.
    if (std::ranges::any_of(followed_, known) || std::ranges::any_of(forgotten_, known)) return;
    followed_.push_back(std::move(wanted));
  }

  // --- both ---

  void name_it(FetchRequest& request, const Followed& followed) const {
    FetchRequest::Topic& topic = request.topics.emplace_back();
    topic.name = followed.topic;
    topic.id = followed.id;
    FetchRequest::Partition& partition = topic.partitions.emplace_back();
    partition.index = followed.index;
    partition.fetch_offset = followed.position;
    partition.partition_max_bytes = followed.max_bytes;
  }
  FetchRequest asked() const {
    FetchRequest request;
    request.isolation =
        committed_ ? protocol::IsolationLevel::read_committed : protocol::IsolationLevel::read_uncommitted;
    request.min_bytes = 1;
    request.max_bytes = max_bytes_;
    return request;
  }
  Task<std::vector<Answered>> all_there_is() {
    FetchRequest request = asked();
    for (const Followed& followed : followed_) name_it(request, followed);
    const FetchResponse response = co_await other_.call(std::move(request), version_);
    co_return flat(response);
  }
  // Of that, what the consumer has not been told.
  std::vector<Answered> news_in(const std::vector<Answered>& all) const {
    std::vector<Answered> news;
    for (size_t i = 0; i < all.size(); ++i) {
      const Told& told = followed_[i].told;
      const FetchResponse::Partition& now = all[i].partition;
      const bool same = told.high_watermark == now.high_watermark && told.last_stable == now.last_stable_offset &&
                        told.start == now.log_start_offset;
      if (!in_session() || ends_a_wait(all[i]) || !same) news.push_back(all[i]);
    }
    return news;
  }
  bool in_session() const { return session_ != 0; }

  FetchRequest session_request() {
    FetchRequest request = asked();
    if (dice_.below(12) == 0) session_ = epoch_ = 0;  // begins again
    request.session_id = session_;
    request.session_epoch = epoch_;
    for (Followed& followed : followed_) {
      if (in_session() && !followed.named) continue;
      if (!in_session()) followed.told = {};
      name_it(request, followed);
      followed.named = false;
    }
    for (const Followed& gone : forgotten_) {
      if (!in_session()) break;
      FetchRequest::ForgottenTopic& topic = request.forgotten_topics.emplace_back();
      topic.name = gone.topic;
      topic.id = gone.id;
      topic.partitions.push_back(gone.index);
    }
    forgotten_.clear();
    return request;
  }

  Task<void> compare() {
    max_bytes_ = dice_.below(3) == 0 ? 500 : 1 << 20;
    FetchRequest request = session_request();
    std::vector<Answered> all = co_await all_there_is();
    if (dice_.below(2) == 0) {
      request.max_wait = Millis(200);
      co_await client_.send(request, version_);
      if (std::ranges::none_of(all, ends_a_wait)) {
        co_await sleep_until(after(Millis(50)));
        co_await write();
        all = co_await all_there_is();
      }
    } else {
      co_await client_.send(request, version_);
    }
    const FetchResponse response = co_await client_.answer<FetchRequest>(version_);
    CHECK(response.error == ErrorCode::none);
    const std::vector<Answered> expected = news_in(all);
    const std::vector<Answered> answered = flat(response);
    REQUIRE(answered.size() == expected.size());
    for (size_t i = 0; i < answered.size(); ++i) REQUIRE(answered[i] == expected[i]);
    session_ = response.session_id;
    REQUIRE(in_session());
    ++epoch_;
    take(answered);
  }

  // As a consumer takes it: those that gave records go behind the others, and mostly it reads on behind them.
  void take(const std::vector<Answered>& answered) {
    for (const Answered& each : answered) {
      const auto at = std::ranges::find_if(
          followed_, [&](const Followed& f) { return f.is(each.topic, each.id, each.partition.index); });
      REQUIRE(at != followed_.end());
      at->told = {each.partition.high_watermark, each.partition.last_stable_offset, each.partition.log_start_offset};
      if (each.partition.records->empty()) continue;
      Followed gave = *at;
      followed_.erase(at);
      if (dice_.below(4) != 0) {
        protocol::BatchIterator batches(each.partition.records->whole());
        while (const std::optional<protocol::RecordBatch> batch = batches.next()) gave.position = batch->next_offset();
        gave.named = true;
      }
      followed_.push_back(std::move(gave));
    }
  }

  sim::SeededRandom& dice_;
  const int16_t version_;
  Client client_;
  Client other_;
  std::vector<std::pair<std::string, TopicId>> topics_;
  std::vector<Followed> followed_;  // in their turns
  std::vector<Followed> forgotten_;
  int32_t session_ = 0;
  int32_t epoch_ = 0;
  int32_t max_bytes_ = 0;
  bool committed_ = false;
};

void compare_over(uint64_t seed, int16_t version, int shards) {
  BrokerWorld broker(seed, {{"millrace.shards", std::to_string(shards)}}, shards);
  broker.run([&]() -> Task<void> {
    History history(broker.world.random(), version);
    co_await history.run();
  });
}

TEST_CASE("whatever happens, a session's answers are a full answer less what the consumer knows: topics by id") {
  sim::for_each_seed(8, [](uint64_t seed) { compare_over(seed, 17, 1); });
}

TEST_CASE("whatever happens, a session's answers are a full answer less what the consumer knows: topics by name") {
  sim::for_each_seed(8, [](uint64_t seed) { compare_over(seed, 12, 1); });
}

TEST_CASE("whatever happens, a session's answers are a full answer less what the consumer knows: several shards") {
  sim::for_each_seed(8, [](uint64_t seed) { compare_over(seed, 17, 3); });
}

}  // namespace
}  // namespace millrace::broker
