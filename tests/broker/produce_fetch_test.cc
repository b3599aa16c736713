// Produce, Fetch and ListOffsets as a client meets them.
#include <algorithm>

#include "log/partition_log.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_offsets.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;
using protocol::ListOffsetsRequest;
using protocol::ProduceRequest;

Task<std::pair<Offset, ErrorCode>> list_offset(Client& client, std::string topic, int64_t timestamp) {
  ListOffsetsRequest request;
  request.replica_id = BrokerId(-1);
  auto& wanted = request.topics.emplace_back();
  wanted.name = std::move(topic);
  wanted.partitions.emplace_back().timestamp = Timestamp(timestamp);
  const auto response = co_await client.call(std::move(request));
  const auto& answer = response.topics.at(0).partitions.at(0);
  co_return std::pair(answer.offset, answer.error);
}

TEST_CASE("what is acknowledged can be fetched, by id and by name, and keeps its offsets over a restart") {
  BrokerWorld broker;
  TopicId topic;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "orders");
    for (int i = 0; i < 10; ++i) {
      Bytes batch = batch_of({"a" + std::to_string(i), "b" + std::to_string(i)});
      const auto answer = co_await produce(client, topic, std::move(batch), i % 2 == 0 ? int16_t{1} : int16_t{-1});
      CHECK(answer.error == ErrorCode::none);
      CHECK(answer.base_offset == Offset(2 * i));
      CHECK(answer.log_start_offset == Offset(0));
      CHECK(answer.log_append_time == Timestamp(-1));
    }
    const auto values = co_await fetch_all(client, topic);
    CHECK(values.size() == 20);
    FetchRequest by_name = fetch_request(topic, Offset(0));
    by_name.topics[0].name = "orders";
    const auto named = co_await client.call(std::move(by_name), 12);
    CHECK(values_of(named.topics.at(0).partitions.at(0)) == values);
  });
  broker.restart();
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    const auto values = co_await fetch_all(client, topic);
    CHECK(values.size() == 20);
    Bytes batch = batch_of({"after"});
    const auto answer = co_await produce(client, topic, std::move(batch));
    CHECK(answer.base_offset == Offset(20));
  });
}

TEST_CASE("a fetch of the middle of a batch gets the whole batch") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    Bytes batch = batch_of({"0", "1", "2", "3"});
    co_await produce(client, topic, std::move(batch));
    const auto values = co_await fetch_all(client, topic, Offset(2));
    CHECK(values == std::vector<std::string>{"0", "1", "2", "3"});
  });
}

TEST_CASE(
    "who reads a long partition from its start gets every record once, and what he is being sent when it is deleted") {
  BrokerWorld broker;
  TopicId topic;
  const auto value = [](int i) { return std::to_string(i) + std::string(3'000, static_cast<char>('a' + i % 26)); };
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "orders");
    for (int i = 0; i < 200; ++i) {
      Bytes batch = batch_of({value(i)});
      co_await produce(client, topic, std::move(batch));
    }
  });
  broker.restart();  // now nothing of it is in memory
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    Client other = co_await connected();
    int next = 0;
    for (bool deleted = false; next < 200 && !deleted;) {
      FetchRequest request = fetch_request(topic, Offset(next));
      request.topics[0].partitions[0].partition_max_bytes = 50'000;
      if (next > 150) {
        deleted = true;
        co_await client.send(std::move(request), FetchRequest::max_version);
        protocol::DeleteTopicsRequest deletion;
        deletion.topics.emplace_back().id = topic;
        co_await other.call(std::move(deletion));
        continue;
      }
      const auto response = co_await client.call(std::move(request));
      const auto values = values_of(response.topics.at(0).partitions.at(0));
      REQUIRE(!values.empty());
      for (const std::string& got : values) CHECK(got == value(next++));
    }
    const FetchResponse response = co_await client.answer<FetchRequest>(FetchRequest::max_version);
    for (const std::string& got : values_of(response.topics.at(0).partitions.at(0))) CHECK(got == value(next++));
  });
}

TEST_CASE("unknown places and impossible wishes get Kafka's errors from Produce") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    Bytes batch = batch_of({"x"});
    ProduceRequest unknown_id = produce_request(Uuid{1, 2}, batch);
    const auto by_id = co_await client.call(unknown_id);
    CHECK(by_id.topics.at(0).partitions.at(0).error == ErrorCode::unknown_topic_id);
    unknown_id.topics[0].name = "missing";
    const auto by_name = co_await client.call(unknown_id, 9);
    CHECK(by_name.topics.at(0).partitions.at(0).error == ErrorCode::unknown_topic_or_partition);
    for (const int32_t index : {-1, 1, 1000}) {
      ProduceRequest elsewhere = produce_request(topic, batch);
      elsewhere.topics[0].partitions[0].index = PartitionId(index);
      const auto answer = co_await client.call(elsewhere);
      CHECK(answer.topics.at(0).partitions.at(0).error == ErrorCode::unknown_topic_or_partition);
    }
    ProduceRequest acks = produce_request(topic, batch, 2);
    const auto bad_acks = co_await client.call(acks);
    const auto& refused = bad_acks.topics.at(0).partitions.at(0);
    CHECK(refused.error == ErrorCode::invalid_required_acks);
    CHECK(refused.base_offset == Offset(-1));
    CHECK(refused.log_start_offset == Offset(-1));
    ProduceRequest nothing = produce_request(topic, batch);
    nothing.topics[0].partitions[0].records.reset();
    const auto no_records = co_await client.call(nothing);
    CHECK(no_records.topics.at(0).partitions.at(0).error == ErrorCode::invalid_record);
    protocol::BatchOptions transactional;
    transactional.transactional = true;
    transactional.producer_id = ProducerId(1);
    transactional.producer_epoch = ProducerEpoch(0);
    transactional.base_sequence = Sequence(0);
    Bytes part = batch_of({"x"}, transactional);
    const auto lonely = co_await produce(client, topic, std::move(part));
    CHECK(lonely.error == ErrorCode::transactional_id_authorization_failed);
    ProduceRequest empty;
    empty.acks = 1;
    const auto answered = co_await client.call(empty);
    CHECK(answered.topics.empty());
  });
}

TEST_CASE("without acks there is silence when all is well, and a closed connection when it is not") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    Bytes batch = batch_of({"quiet"});
    ProduceRequest quiet = produce_request(topic, batch, 0);
    co_await client.send(quiet, 13);
    const auto values = co_await fetch_all(client, topic);  // the next answer is the fetch's
    CHECK(values.size() <= 1);
    quiet.topics[0].id = Uuid{7, 7};
    co_await client.send(quiet, 13);
    CHECK(co_await client.is_closed());
  });
}

TEST_CASE("a producer that waits for nothing cannot fill the memory while the disk is slow") {
  BrokerWorld broker;
  broker.run([&broker]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    Bytes first = batch_of({"first"});
    co_await produce(client, topic, std::move(first));
    broker.node.disk().set_call_time(std::chrono::seconds(4));
    const Bytes batch = batch_of({std::string(1'000'000, 'x')});
    int64_t most = 0;
    for (int i = 0; i < 400; ++i) {
      ProduceRequest request = produce_request(topic, batch, 0);
      co_await client.send(std::move(request), 13);
      most = std::max(most, log::tail_memory());
    }
    CHECK(most > 100 << 20);
    CHECK(most < 264 << 20);
    broker.node.disk().set_call_time({});
    const auto last = co_await produce(client, topic, batch);
    CHECK(last.error == ErrorCode::none);
    CHECK(last.base_offset == Offset(401));
  });
}

TEST_CASE("an idempotent batch sent again keeps its first offset, a gap is refused") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    const protocol::InitProducerIdRequest init;
    const auto identity = co_await client.call(init);
    CHECK(identity.error == ErrorCode::none);
    CHECK(identity.producer_epoch == ProducerEpoch(0));
    const auto second = co_await client.call(init);
    CHECK(second.producer_id.value == identity.producer_id.value + 1);
    protocol::BatchOptions options;
    options.producer_id = identity.producer_id;
    options.producer_epoch = identity.producer_epoch;
    options.base_sequence = Sequence(0);
    Bytes batch = batch_of({"once"}, options);
    const auto first = co_await produce(client, topic, batch);
    const auto again = co_await produce(client, topic, batch);
    CHECK(first.error == ErrorCode::none);
    CHECK(again.error == ErrorCode::none);
    CHECK(again.base_offset == first.base_offset);
    options.base_sequence = Sequence(5);
    Bytes later = batch_of({"gap"}, options);
    const auto gap = co_await produce(client, topic, std::move(later));
    CHECK(gap.error == ErrorCode::out_of_order_sequence_number);
    protocol::InitProducerIdRequest transactional;
    transactional.transactional_id = "t1";
    const auto refused = co_await client.call(transactional);
    CHECK(refused.error == ErrorCode::unsupported_version);
  });
}

TEST_CASE("a waiting fetch ends when records come, or when it has waited long enough") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client reader = co_await connected();
    Client writer = co_await connected();
    const TopicId topic = co_await create_topic(writer, "t", 2);
    FetchRequest wait = fetch_request(topic, Offset(0));
    auto& other = wait.topics[0].partitions.emplace_back();
    other.index = PartitionId(1);
    other.partition_max_bytes = 1000;
    wait.max_wait = Millis(500);
    const MonoTime began = now();
    const auto nothing = co_await reader.call(wait);
    CHECK(now() - began >= Millis(500));
    CHECK(values_of(nothing.topics.at(0).partitions.at(0)).empty());
    wait.max_wait = Millis(100'000);
    co_await reader.send(wait, 13);
    co_await sleep_until(after(Millis(50)));
    Bytes batch = batch_of({"news"});
    co_await produce(writer, topic, std::move(batch));
    const FetchResponse response = co_await reader.answer<FetchRequest>(13);
    CHECK(now() - began < Millis(2000));
    CHECK(values_of(response.topics.at(0).partitions.at(0)) == std::vector<std::string>{"news"});
  });
}

TEST_CASE("a partition named twice in a produce is written twice and answered once") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t", 2);
    ProduceRequest request = produce_request(topic, batch_of({"first"}));
    auto& partitions = request.topics[0].partitions;
    partitions.resize(3);
    partitions[1].index = PartitionId(1);
    partitions[1].records = batch_of({"other"});
    partitions[2].records = batch_of({"second"});
    const auto answer = co_await client.call(std::move(request));
    REQUIRE(answer.topics.at(0).partitions.size() == 2);
    CHECK(answer.topics[0].partitions[0].index == PartitionId(0));
    CHECK(answer.topics[0].partitions[1].index == PartitionId(1));
    const auto values = co_await fetch_all(client, topic);
    CHECK(values == std::vector<std::string>{"first", "second"});
  });
}

TEST_CASE("errors of a fetch come at once, with empty records and offsets of -1") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    const auto partition_of = [](const FetchResponse& response) { return response.topics.at(0).partitions.at(0); };
    for (const int64_t offset : {int64_t{-1}, int64_t{1}, INT64_MAX}) {
      FetchRequest request = fetch_request(topic, Offset(offset));
      request.max_wait = Millis(60'000);
      const auto response = co_await client.call(request);
      const auto answer = partition_of(response);
      CHECK(answer.error == ErrorCode::offset_out_of_range);
      CHECK(answer.high_watermark == Offset(-1));
      CHECK(answer.log_start_offset == Offset(-1));
      CHECK(answer.records.has_value());
      CHECK_FALSE(answer.aborted_transactions.has_value());
    }
    FetchRequest unknown = fetch_request(Uuid{5, 5}, Offset(0));
    const auto by_id = co_await client.call(unknown);
    CHECK(partition_of(by_id).error == ErrorCode::unknown_topic_id);
    CHECK(partition_of(by_id).aborted_transactions.has_value());
    FetchRequest epoch = fetch_request(topic, Offset(0));
    epoch.topics[0].partitions[0].current_leader_epoch = LeaderEpoch(100);
    const auto ahead = co_await client.call(epoch);
    CHECK(partition_of(ahead).error == ErrorCode::unknown_leader_epoch);
    FetchRequest replica = fetch_request(topic, Offset(0));
    replica.replica_state.replica_id = BrokerId(1);
    const auto as_replica = co_await client.call(replica, 17);
    CHECK(partition_of(as_replica).error == ErrorCode::not_leader_or_follower);
    FetchRequest negative = fetch_request(topic, Offset(0));
    negative.topics[0].partitions[0].partition_max_bytes = -1;
    const auto bad_size = co_await client.call(negative);
    CHECK(partition_of(bad_size).error == ErrorCode::unknown_server_error);
  });
}

TEST_CASE("however small the limits, the first partition with records gives one batch, the others nothing") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t", 3);
    for (const int32_t index : {1, 2}) {
      Bytes batch = batch_of({std::string(1000, 'x')});
      ProduceRequest request = produce_request(topic, std::move(batch));
      request.topics[0].partitions[0].index = PartitionId(index);
      co_await client.call(std::move(request));
    }
    for (const int32_t limit : {0, 1}) {
      FetchRequest request = fetch_request(topic, Offset(0));
      request.max_bytes = limit;
      request.topics[0].partitions.resize(3);
      for (int i = 0; i < 3; ++i) {
        request.topics[0].partitions[static_cast<size_t>(i)].index = PartitionId(i);
        request.topics[0].partitions[static_cast<size_t>(i)].partition_max_bytes = 1 << 20;
      }
      const auto response = co_await client.call(request);
      const auto& partitions = response.topics.at(0).partitions;
      REQUIRE(partitions.size() == 3);
      CHECK(values_of(partitions[0]).empty());
      CHECK(values_of(partitions[1]).size() == 1);
      CHECK(values_of(partitions[2]).empty());
    }
  });
}

TEST_CASE("an incremental session answers only what is new") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t", 2);
    FetchRequest open = fetch_request(topic, Offset(0));
    open.topics[0].partitions.resize(2);
    open.topics[0].partitions[1].index = PartitionId(1);
    open.topics[0].partitions[1].partition_max_bytes = 1000;
    open.session_epoch = 0;
    const auto full = co_await client.call(open);
    CHECK(full.session_id != 0);
    CHECK(full.topics.at(0).partitions.size() == 2);
    FetchRequest next;
    next.session_id = full.session_id;
    next.session_epoch = 1;
    const auto quiet = co_await client.call(next);
    CHECK(quiet.topics.empty());
    Bytes batch = batch_of({"news"});
    co_await produce(client, topic, std::move(batch));
    next.session_epoch = 2;
    const auto news = co_await client.call(next);
    REQUIRE(news.topics.size() == 1);
    REQUIRE(news.topics[0].partitions.size() == 1);
    CHECK(values_of(news.topics[0].partitions[0]) == std::vector<std::string>{"news"});
    const auto stale = co_await client.call(next);
    CHECK(stale.error == ErrorCode::invalid_fetch_session_epoch);
    next.session_id += 1;
    const auto unknown = co_await client.call(next);
    CHECK(unknown.error == ErrorCode::fetch_session_id_not_found);
    next.session_id = full.session_id;
    next.session_epoch = 3;
    const auto mixed = co_await client.call(next, 12);
    CHECK(mixed.error == ErrorCode::fetch_session_topic_id_error);
  });
}

TEST_CASE("a request that waits in a session ends when another comes in it, which gets what there is") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client first = co_await connected();
    Client second = co_await connected();
    const TopicId topic = co_await create_topic(first, "t");
    FetchRequest open = fetch_request(topic, Offset(0));
    open.session_epoch = 0;
    const auto full = co_await first.call(open);
    FetchRequest wait;
    wait.session_id = full.session_id;
    wait.session_epoch = 1;
    wait.min_bytes = 1;
    wait.max_wait = Millis(60'000);
    const MonoTime began = now();
    co_await first.send(wait, 17);
    co_await sleep_until(after(Millis(50)));
    wait.session_epoch = 2;
    co_await second.send(wait, 17);
    const FetchResponse overtaken = co_await first.answer<FetchRequest>(17);
    CHECK(now() - began < Millis(1000));
    CHECK(overtaken.error == ErrorCode::invalid_fetch_session_epoch);
    CHECK(overtaken.topics.empty());
    Client writer = co_await connected();
    Bytes batch = batch_of({"news"});
    co_await produce(writer, topic, std::move(batch));
    const FetchResponse news = co_await second.answer<FetchRequest>(17);
    CHECK(values_of(news.topics.at(0).partitions.at(0)) == std::vector<std::string>{"news"});
  });
}

TEST_CASE("positions: latest, earliest, by time, and what is no position") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    const auto empty = co_await list_offset(client, "t", -3);
    CHECK(empty.first == Offset(-1));
    std::vector<int64_t> times;
    for (int i = 0; i < 3; ++i) {
      times.push_back(Shard::current().clock().wall_now().value);
      Bytes batch = batch_of({"x", "y"});
      co_await produce(client, topic, std::move(batch));
      co_await sleep_until(after(Millis(1000)));
    }
    const std::vector<std::pair<int64_t, int64_t>> expected = {
        {-1, 6}, {-2, 0}, {-4, 0}, {-5, -1}, {-6, -1}, {times[1], 2}, {times[2] + 1, -1}, {0, 0}};
    for (const auto& [time, offset] : expected) {
      const auto found = co_await list_offset(client, "t", time);
      CAPTURE(time);
      CHECK(found.second == ErrorCode::none);
      CHECK(found.first == Offset(offset));
    }
    for (const int64_t time : {int64_t{-7}, int64_t{-100}}) {
      const auto found = co_await list_offset(client, "t", time);
      CHECK(found.second == ErrorCode::unsupported_version);
    }
    const auto missing = co_await list_offset(client, "missing", -1);
    CHECK(missing.second == ErrorCode::unknown_topic_or_partition);
  });
}

TEST_CASE("several shards serve as one broker") {
  BrokerWorld broker(3, {{"millrace.shards", "3"}}, 3);
  TopicId topic;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "t", 7);
    ProduceRequest request = produce_request(topic, Bytes());
    request.topics[0].partitions.resize(7);
    for (int i = 0; i < 7; ++i) {
      request.topics[0].partitions[static_cast<size_t>(i)].index = PartitionId(i);
      request.topics[0].partitions[static_cast<size_t>(i)].records = batch_of({"to " + std::to_string(i)});
    }
    const auto answer = co_await client.call(std::move(request));
    for (const auto& partition : answer.topics.at(0).partitions) CHECK(partition.error == ErrorCode::none);
    FetchRequest fetch = fetch_request(topic, Offset(0));
    fetch.topics[0].partitions.resize(7);
    for (int i = 0; i < 7; ++i) {
      fetch.topics[0].partitions[static_cast<size_t>(i)].index = PartitionId(i);
      fetch.topics[0].partitions[static_cast<size_t>(i)].partition_max_bytes = 1000;
    }
    const auto read = co_await client.call(fetch);
    for (int i = 0; i < 7; ++i) {
      CHECK(values_of(read.topics.at(0).partitions.at(static_cast<size_t>(i))) ==
            std::vector<std::string>{"to " + std::to_string(i)});
    }
    // A long poll over all of them is woken by the last one.
    for (auto& partition : fetch.topics[0].partitions) partition.fetch_offset = Offset(1);
    fetch.max_wait = Millis(100'000);
    co_await client.send(fetch, 13);
    Client writer = co_await connected();
    ProduceRequest last = produce_request(topic, batch_of({"wake"}));
    last.topics[0].partitions[0].index = PartitionId(6);
    const MonoTime began = now();
    co_await writer.call(std::move(last));
    const std::optional<Bytes> frame = co_await client.receive();
    CHECK(frame);
    CHECK(now() - began < Millis(5000));
  });
  broker.restart();
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    const auto values = co_await fetch_all(client, topic);
    CHECK(values == std::vector<std::string>{"to 0"});
  });
}

}  // namespace
}  // namespace millrace::broker
