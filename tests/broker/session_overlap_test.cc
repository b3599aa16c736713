// Requests of one connection that are under way at the same time: what keeps its order, what waits, and how it ends.
#include "broker/session.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_offsets.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;
using protocol::ProduceRequest;
using protocol::ProduceResponse;

constexpr int16_t version = ProduceRequest::max_version;

struct Answered {
  int32_t correlation = 0;
  ProduceResponse response;
  const ProduceResponse::Partition& partition(size_t index = 0) const {
    return response.topics.at(0).partitions.at(index);
  }
};

Task<std::optional<Answered>> next_answer(Client& client) {
  std::optional<Bytes> frame = co_await client.receive();
  if (!frame) co_return std::nullopt;
  protocol::Reader reader(std::move(*frame));
  Answered answered;
  answered.correlation = reader.i32();
  reader.skip_tagged();
  answered.response.decode(reader, version);
  CHECK(reader.ok());
  CHECK(reader.remaining() == 0);
  co_return answered;
}

ProduceRequest one_record(TopicId topic, int number, int16_t acks = -1) {
  return produce_request(topic, batch_of({"value " + std::to_string(number)}), acks);
}

TEST_CASE("produces sent without waiting are answered in their order, with offsets in their order, and wait together") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerWorld broker(seed, {{"millrace.ack.durability", seed % 2 ? "durable" : "written"}});
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const TopicId topic = co_await create_topic(client, "t");
      const ProduceRequest first = one_record(topic, 0);
      co_await client.call(first);  // the files are there now
      broker.node.disk().set_sync_time(1s, 1s);
      const int32_t before = client.correlation();
      constexpr int count = 40;
      const MonoTime began = now();
      for (int i = 1; i <= count; ++i) {
        const ProduceRequest request = one_record(topic, i);
        co_await client.send(request, version);
      }
      for (int i = 1; i <= count; ++i) {
        const std::optional<Answered> answered = co_await next_answer(client);
        REQUIRE(answered);
        CHECK(answered->correlation == before + i);
        CHECK(answered->partition().error == ErrorCode::none);
        CHECK(answered->partition().base_offset == Offset(i));
      }
      CHECK(now() - began < 10s);
      broker.node.disk().set_sync_time({}, {});
    });
  }
}

TEST_CASE("the order holds where a request's partitions live on several shards") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerWorld broker(seed, {{"millrace.shards", "3"}}, 3);
    broker.run([]() -> Task<void> {
      Client client = co_await connected();
      const TopicId topic = co_await create_topic(client, "t", 3);
      const protocol::InitProducerIdRequest init;
      const auto identity = co_await client.call(init);
      constexpr int count = 30;
      int sequence[3] = {};
      const auto add = [&](ProduceRequest& request, int32_t partition) {
        protocol::BatchOptions options;
        options.producer_id = identity.producer_id;
        options.producer_epoch = identity.producer_epoch;
        options.base_sequence = Sequence(sequence[partition]++);
        auto& wanted = request.topics[0].partitions.emplace_back();
        wanted.index = PartitionId(partition);
        wanted.records = batch_of({"x"}, options);
      };
      for (int i = 0; i < count; ++i) {
        ProduceRequest request = produce_request(topic, Bytes());
        request.topics[0].partitions.clear();
        if (i % 2 == 0) add(request, 0);
        if (i % 3 == 0) add(request, 2);
        add(request, 1);
        co_await client.send(std::move(request), version);
      }
      for (int i = 0; i < count; ++i) {
        const std::optional<Answered> answered = co_await next_answer(client);
        REQUIRE(answered);
        for (const auto& partition : answered->response.topics.at(0).partitions) {
          CHECK(partition.error == ErrorCode::none);
        }
      }
    });
  }
}

TEST_CASE("what is no produce waits for the produces before it, and holds back those behind it") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerWorld broker(seed);
    broker.run([]() -> Task<void> {
      Client client = co_await connected();
      const TopicId topic = co_await create_topic(client, "t");
      protocol::ListOffsetsRequest latest;
      auto& asked = latest.topics.emplace_back();
      asked.name = "t";
      asked.partitions.emplace_back().timestamp = Timestamp(-1);
      for (int round = 0; round < 5; ++round) {
        const ProduceRequest one = one_record(topic, 2 * round);
        const ProduceRequest other = one_record(topic, 2 * round + 1);
        co_await client.send(one, version);
        co_await client.send(latest, 6);
        co_await client.send(other, version);
        const std::optional<Answered> first = co_await next_answer(client);
        REQUIRE(first);
        CHECK(first->partition().base_offset == Offset(2 * round));
        std::optional<Bytes> frame = co_await client.receive();
        REQUIRE(frame);
        protocol::Reader reader(std::move(*frame));
        CHECK(reader.i32() == client.correlation() - 1);
        reader.skip_tagged();
        protocol::ListOffsetsResponse offsets;
        offsets.decode(reader, 6);
        CHECK(offsets.topics.at(0).partitions.at(0).offset == Offset(2 * round + 1));
        const std::optional<Answered> second = co_await next_answer(client);
        REQUIRE(second);
        CHECK(second->partition().base_offset == Offset(2 * round + 1));
      }
    });
  }
}

TEST_CASE(
    "a request that cannot be served ends the connection once those before it are answered; none behind it begins") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerWorld broker(seed);
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const TopicId topic = co_await create_topic(client, "t");
      broker.node.disk().set_sync_time(100ms, 200ms);
      const int32_t before = client.correlation();
      for (int i = 0; i < 2; ++i) {
        const ProduceRequest good = one_record(topic, i);
        co_await client.send(good, version);
      }
      if (seed % 3 == 0) {
        Bytes unreadable = Bytes::copy_of("no produce request");
        co_await client.send_request(ProduceRequest::key, version, std::move(unreadable), true);
      } else if (seed % 3 == 1) {
        const ProduceRequest nowhere = one_record(TopicId{7, 7}, 2, 0);
        co_await client.send(nowhere, version);
      } else {
        co_await client.send_request(9999, 0, Bytes(), false);
      }
      // What is behind it may lie unread when the connection is closed, which may cost the client answers, too.
      const bool more_behind = seed % 2 == 0;
      if (more_behind) {
        const ProduceRequest behind = one_record(topic, 3);
        co_await client.send(behind, version);
      }
      for (int i = 0; i < 2; ++i) {
        const std::optional<Answered> answered = co_await next_answer(client);
        if (!answered && more_behind) break;
        REQUIRE(answered);
        CHECK(answered->correlation == before + 1 + i);
        CHECK(answered->partition().error == ErrorCode::none);
      }
      CHECK(co_await client.is_closed());
      Client other = co_await connected();
      const std::vector<std::string> values = co_await fetch_all(other, topic);
      CHECK(values == std::vector<std::string>{"value 0", "value 1"});
    });
  }
}

TEST_CASE("an error code in one answer leaves the others as they are") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    for (const TopicId id : {topic, TopicId{7, 7}, topic}) {
      const ProduceRequest request = one_record(id, 0);
      co_await client.send(request, version);
    }
    const std::optional<Answered> first = co_await next_answer(client);
    const std::optional<Answered> second = co_await next_answer(client);
    const std::optional<Answered> third = co_await next_answer(client);
    REQUIRE(third);
    CHECK(first->partition().base_offset == Offset(0));
    CHECK(second->partition().error == ErrorCode::unknown_topic_id);
    CHECK(third->partition().base_offset == Offset(1));
  });
}

TEST_CASE("a client that goes away while its requests are under way leaves them done, and the broker well") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerWorld broker(seed);
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const TopicId topic = co_await create_topic(client, "t");
      broker.node.disk().set_sync_time(100ms, 300ms);
      constexpr int count = 5;
      for (int i = 0; i < count; ++i) {
        const ProduceRequest request = one_record(topic, i);
        co_await client.send(request, version);
      }
      if (seed % 2 == 0) co_await sleep_until(after(Millis(seed * 20)));
      client.close();
      Client other = co_await connected();
      const ProduceRequest last = one_record(topic, count);
      const auto answer = co_await other.call(last);
      CHECK(answer.topics.at(0).partitions.at(0).error == ErrorCode::none);
    });
    broker.stop();
    CHECK(broker.errors->empty());
  }
}

TEST_CASE("a client that sends on and on without reading is not read any further, and gets every answer in the end") {
  BrokerWorld broker(1, {{"millrace.ack.durability", "written"}});
  broker.world.net().set_window(2000);
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    const int32_t before = client.correlation();
    constexpr int count = 1000;
    Gate sending;
    const auto send_all = [&]() -> Task<void> {
      for (int i = 0; i < count; ++i) {
        const ProduceRequest request = one_record(topic, i);
        co_await client.send(request, version);
      }
    };
    sending.spawn(send_all());
    co_await sleep_until(after(30s));
    Client other = co_await connected();
    const std::vector<std::string> appended = co_await fetch_all(other, topic);
    CHECK(appended.size() > 10);
    CHECK(appended.size() < 300);
    for (int i = 0; i < count; ++i) {
      const std::optional<Answered> answered = co_await next_answer(client);
      REQUIRE(answered);
      CHECK(answered->correlation == before + 1 + i);
      CHECK(answered->partition().base_offset == Offset(i));
    }
    co_await sending.close();
  });
}

TEST_CASE("who waits for an answer is not idle") {
  BrokerWorld broker(1, {{"connections.max.idle.ms", "1000"}});
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    broker.node.disk().set_sync_time(4s, 4s);
    const ProduceRequest request = one_record(topic, 0);
    co_await client.send(request, version);
    const std::optional<Answered> answered = co_await next_answer(client);
    REQUIRE(answered);
    CHECK(answered->partition().error == ErrorCode::none);
    const MonoTime began = now();
    CHECK(co_await client.is_closed());
    CHECK(now() - began < 3s);
  });
}

TEST_CASE("a broker that stops answers what has begun") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    BrokerWorld broker(seed);
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const TopicId topic = co_await create_topic(client, "t");
      const ProduceRequest first = one_record(topic, 0);
      co_await client.call(first);
      broker.node.disk().set_sync_time(300ms, 300ms);
      constexpr int count = 5;
      for (int i = 1; i <= count; ++i) {
        const ProduceRequest request = one_record(topic, i);
        co_await client.send(request, version);
      }
      co_await sleep_until(after(100ms));
      broker.ask_to_stop();
      for (int i = 1; i <= count; ++i) {
        const std::optional<Answered> answered = co_await next_answer(client);
        REQUIRE(answered);
        CHECK(answered->partition().error == ErrorCode::none);
        CHECK(answered->partition().base_offset == Offset(i));
      }
      CHECK(co_await client.is_closed());
    });
  }
}

}  // namespace
}  // namespace millrace::broker
