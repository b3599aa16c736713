// Partitions with records are opened when somebody asks for them, or a little after the start: whatever comes first.
#include "protocol/messages/delete_topics.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

constexpr int partitions = 40;

std::string file(BrokerWorld& broker, const std::string& path) { return broker.node.disk().content(path).value_or(""); }

int directories(BrokerWorld& broker, const std::string& part_of_name) {
  int found = 0;
  for (const std::string& name : broker.node.disk().names("/data")) {
    found += name.find('/') == std::string::npos && name.find(part_of_name) != std::string::npos;
  }
  return found;
}

// A topic with one record in every partition: its number.
TopicId fill(BrokerWorld& broker) {
  TopicId topic;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "orders", partitions);
    protocol::ProduceRequest request;
    request.acks = -1;
    request.timeout = 30s;
    auto& wanted = request.topics.emplace_back();
    wanted.id = topic;
    for (int i = 0; i < partitions; ++i) {
      auto& partition = wanted.partitions.emplace_back();
      partition.index = PartitionId(i);
      partition.records = batch_of({std::to_string(i)});
    }
    const auto response = co_await client.call(std::move(request));
    for (const auto& partition : response.topics.at(0).partitions) CHECK(partition.error == ErrorCode::none);
  });
  return topic;
}

Task<std::vector<std::string>> read(Client& client, TopicId topic, int partition) {
  protocol::FetchRequest request = fetch_request(topic, Offset(0));
  request.topics[0].partitions[0].index = PartitionId(partition);
  const auto response = co_await client.call(std::move(request));
  CHECK(response.topics.at(0).partitions.at(0).error == ErrorCode::none);
  co_return values_of(response.topics.at(0).partitions.at(0));
}

void check_all_there(BrokerWorld& broker, TopicId topic) {
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    for (int i = partitions - 1; i >= 0; --i) {
      const auto values = co_await read(client, topic, i);
      CHECK(values == std::vector<std::string>{std::to_string(i)});
    }
  });
}

TEST_CASE("every record is there for who comes right after a start, and after a start that nobody used") {
  for (const int shards : {1, 2}) {
    for (const bool clean : {true, false}) {
      CAPTURE(clean);
      BrokerWorld broker(1, {}, shards);
      const TopicId topic = fill(broker);
      if (clean) {
        broker.stop();
      } else {
        broker.node.crash(sim::Crash::process);
      }
      broker.start();
      broker.stop();
      CHECK_FALSE(file(broker, "/data/.kafka_cleanshutdown").empty());
      const std::string points = file(broker, "/data/recovery-point-offset-checkpoint");
      CHECK(points.starts_with("0\n40\norders 0 1\n"));
      CHECK(file(broker, "/data/replication-offset-checkpoint") == points);
      broker.start();
      check_all_there(broker, topic);
      broker.node.crash(sim::Crash::power);
      broker.start();
      check_all_there(broker, topic);
      CHECK(broker.errors->empty());
    }
  }
}

TEST_CASE("a topic can be deleted before any of its partitions has been opened") {
  for (const int shards : {1, 2}) {
    BrokerWorld broker(1, {}, shards);
    fill(broker);
    broker.restart();
    broker.run([]() -> Task<void> {
      Client client = co_await connected();
      protocol::DeleteTopicsRequest deletion;
      deletion.timeout = Millis(1000);
      deletion.topics.emplace_back().name = "orders";
      const auto response = co_await client.call(std::move(deletion));
      CHECK(response.topics.at(0).error == ErrorCode::none);
      const TopicId again = co_await create_topic(client, "orders", partitions);
      const auto values = co_await read(client, again, 3);
      CHECK(values.empty());
    });
    CHECK(directories(broker, "-delete") == partitions);
    broker.world.run_for(61s);
    CHECK(directories(broker, "orders-") == 0);
    CHECK(broker.errors->empty());
  }
}

TEST_CASE("a directory of another topic with the same name is set aside, and the partition begins empty") {
  BrokerWorld broker;
  const TopicId topic = fill(broker);
  broker.stop();
  broker.node.disk().put("/data/orders-7/partition.metadata", "version: 0\ntopic_id: " + to_string(TopicId{5, 5}));
  broker.start();
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    const auto other = co_await read(client, topic, 7);
    CHECK(other.empty());
    const auto ours = co_await read(client, topic, 8);
    CHECK(ours == std::vector<std::string>{"8"});
  });
  CHECK(directories(broker, "orders-7.") == 1);
  CHECK(broker.errors->empty());
}

}  // namespace
}  // namespace millrace::broker
