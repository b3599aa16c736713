// Partitions that nobody has written to: they cost no directory, and clients cannot tell them from others.
#include "protocol/messages/delete_records.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

// Directories of the topic's partitions, whatever they end with.
std::vector<std::string> directories(BrokerWorld& broker, const std::string& topic) {
  std::vector<std::string> found;
  for (const std::string& name : broker.node.disk().names("/data")) {
    if (name.starts_with(topic + "-") && name.find('/') == std::string::npos) found.push_back(name);
  }
  return found;
}

Task<std::vector<protocol::ListOffsetsResponse::Partition>> ends(Client& client, std::string topic, int partitions) {
  protocol::ListOffsetsRequest request;
  request.replica_id = BrokerId(-1);
  auto& wanted = request.topics.emplace_back();
  wanted.name = std::move(topic);
  for (int i = 0; i < partitions; ++i) {
    auto& partition = wanted.partitions.emplace_back();
    partition.index = PartitionId(i);
    partition.timestamp = Timestamp(-1);
  }
  const auto response = co_await client.call(std::move(request));
  co_return response.topics.at(0).partitions;
}

Task<ErrorCode> write(Client& client, TopicId topic, int partition, std::string value) {
  Bytes batch = batch_of({std::move(value)});
  protocol::ProduceRequest request = produce_request(topic, std::move(batch));
  request.topics[0].partitions[0].index = PartitionId(partition);
  const auto response = co_await client.call(std::move(request));
  co_return response.topics.at(0).partitions.at(0).error;
}

Task<std::vector<std::string>> read(Client& client, TopicId topic, int partition) {
  protocol::FetchRequest request = fetch_request(topic, Offset(0));
  request.topics[0].partitions[0].index = PartitionId(partition);
  const auto response = co_await client.call(std::move(request));
  CHECK(response.topics.at(0).partitions.at(0).error == ErrorCode::none);
  co_return values_of(response.topics.at(0).partitions.at(0));
}

Task<ErrorCode> remove_topic(Client& client, std::string name) {
  protocol::DeleteTopicsRequest deletion;
  deletion.timeout = Millis(1000);
  deletion.topics.emplace_back().name = std::move(name);
  const auto response = co_await client.call(std::move(deletion));
  co_return response.topics.at(0).error;
}

TEST_CASE("a partition gets its directory with its first record, and others none by being looked at") {
  for (const int shards : {1, 2}) {
    BrokerWorld broker(1, {}, shards);
    TopicId topic;
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      topic = co_await create_topic(client, "orders", 4);
      const auto before = co_await ends(client, "orders", 4);
      for (const auto& end : before) CHECK(end.offset == Offset(0));
      const auto nothing = co_await read(client, topic, 3);
      CHECK(nothing.empty());
      CHECK(directories(broker, "orders").empty());
      const ErrorCode error = co_await write(client, topic, 1, "a");
      CHECK(error == ErrorCode::none);
    });
    CHECK(directories(broker, "orders") == std::vector<std::string>{"orders-1"});
    broker.restart();
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const auto offsets = co_await ends(client, "orders", 4);
      std::vector<Offset> found;
      for (const auto& end : offsets) found.push_back(end.offset);
      CHECK(found == std::vector<Offset>{Offset(0), Offset(1), Offset(0), Offset(0)});
      const ErrorCode error = co_await write(client, topic, 2, "b");
      CHECK(error == ErrorCode::none);
      const auto first = co_await read(client, topic, 1);
      CHECK(first == std::vector<std::string>{"a"});
      const auto second = co_await read(client, topic, 2);
      CHECK(second == std::vector<std::string>{"b"});
    });
    CHECK(directories(broker, "orders") == std::vector<std::string>{"orders-1", "orders-2"});
    CHECK(broker.errors->empty());
  }
}

TEST_CASE("a topic survives a crash that comes before its first record") {
  for (const sim::Crash kind : {sim::Crash::process, sim::Crash::power}) {
    BrokerWorld broker;
    TopicId topic;
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      topic = co_await create_topic(client, "orders", 2);
    });
    broker.node.crash(kind);
    broker.start();
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const ErrorCode error = co_await write(client, topic, 0, "a");
      CHECK(error == ErrorCode::none);
    });
    broker.node.crash(kind);
    broker.start();
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      const auto values = co_await read(client, topic, 0);
      CHECK(values == std::vector<std::string>{"a"});
      const auto offsets = co_await ends(client, "orders", 2);
      CHECK(offsets.at(1).error == ErrorCode::none);
      CHECK(offsets.at(1).offset == Offset(0));
    });
  }
}

TEST_CASE("a leader epoch of an empty partition lasts over a restart, one with records begins anew") {
  BrokerWorld broker;
  const auto epochs = [&]() {
    std::vector<int> found;
    broker.run([&]() -> Task<void> {
      Client client = co_await connected();
      protocol::MetadataRequest all;
      all.topics = std::nullopt;
      const auto metadata = co_await client.call(all);
      for (const auto& partition : metadata.topics.at(0).partitions) {
        CHECK(partition.leader_id == BrokerId(1));
        found.push_back(partition.leader_epoch.value);
      }
    });
    return found;
  };
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "orders", 2);
    co_await write(client, topic, 1, "a");
  });
  CHECK(epochs() == std::vector<int>{0, 0});
  broker.restart();
  CHECK(epochs() == std::vector<int>{0, 2});  // a stop gives up the leadership, which counts as well
}

TEST_CASE("an empty topic is deleted without a trace, and its name is free again") {
  BrokerWorld broker;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    const TopicId first = co_await create_topic(client, "orders", 3);
    co_await ends(client, "orders", 1);
    ErrorCode error = co_await remove_topic(client, "orders");
    CHECK(error == ErrorCode::none);
    CHECK(directories(broker, "orders").empty());
    const TopicId second = co_await create_topic(client, "orders", 3);
    CHECK(first != second);
    error = co_await write(client, second, 0, "a");
    CHECK(error == ErrorCode::none);
    error = co_await remove_topic(client, "orders");
    CHECK(error == ErrorCode::none);
    CHECK(directories(broker, "orders").size() == 1);  // the one with a record, renamed for deletion
  });
  broker.world.run_for(61s);
  CHECK(directories(broker, "orders").empty());
  CHECK(broker.errors->empty());
}

TEST_CASE("retention and DeleteRecords find nothing to do in an empty partition") {
  BrokerWorld broker(1, {{"log.retention.ms", "1000"}, {"log.retention.check.interval.ms", "1000"}});
  TopicId topic;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "orders", 2);
    for (const auto& [offset, error] : {std::pair(Offset(0), ErrorCode::none), std::pair(Offset(-1), ErrorCode::none),
                                        std::pair(Offset(1), ErrorCode::offset_out_of_range)}) {
      protocol::DeleteRecordsRequest request;
      request.timeout = Millis(1000);
      auto& wanted = request.topics.emplace_back();
      wanted.name = "orders";
      wanted.partitions.emplace_back().offset = offset;
      const auto response = co_await client.call(std::move(request));
      CHECK(response.topics.at(0).partitions.at(0).error == error);
    }
  });
  broker.world.run_for(90s);
  CHECK(directories(broker, "orders").empty());
  CHECK(broker.errors->empty());
}

TEST_CASE("empty partitions are listed with the log directory they were given, of no size") {
  BrokerWorld broker(1, {{"log.dirs", "/data,/more"}});
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "orders", 4);
    co_await write(client, topic, 0, "a");
    protocol::DescribeLogDirsRequest request;
    request.topics = std::nullopt;
    const auto dirs = co_await client.call(std::move(request));
    REQUIRE(dirs.results.size() == 2);
    int written = 0;
    for (const auto& dir : dirs.results) {
      REQUIRE(dir.topics.size() == 1);
      CHECK(dir.topics[0].partitions.size() == 2);
      for (const auto& partition : dir.topics[0].partitions) written += partition.partition_size > 0;
    }
    CHECK(written == 1);
  });
}

}  // namespace
}  // namespace millrace::broker
