// The log directories as a whole: what the first start leaves, what a stop leaves, and what is refused.
#include "broker/storage.h"

#include "protocol/messages/delete_topics.h"
#include "protocol/messages/metadata.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

std::string file(BrokerWorld& broker, const std::string& path) { return broker.node.disk().content(path).value_or(""); }

bool exists(BrokerWorld& broker, const std::string& path) { return broker.node.disk().content(path).has_value(); }

// How the start that is under way fails, or "" when it does not.
std::string failure(BrokerWorld& broker) {
  broker.world.run_until([&] { return !broker.node.running(); }, std::chrono::seconds(5));
  if (broker.node.running()) {
    broker.stop();
    return "";
  }
  try {
    if (broker.node.error()) std::rethrow_exception(broker.node.error());
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

std::string start_failure(BrokerWorld& broker) {
  broker.start();
  return failure(broker);
}

void wait_for_start(BrokerWorld& broker) {
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const protocol::MetadataRequest all;
    co_await client.call(all);
  });
}

TEST_CASE("the first start formats every log dir, each with an id of its own") {
  BrokerWorld broker(1, {{"log.dirs", "/a,/b"}});
  wait_for_start(broker);
  const std::string a = file(broker, "/a/meta.properties");
  const std::string b = file(broker, "/b/meta.properties");
  CHECK(a.starts_with("#\n#"));
  CHECK(a.find("\nnode.id=1\n") != std::string::npos);
  CHECK(a.find("\nversion=1\n") != std::string::npos);
  CHECK(a.find("\ncluster.id=ABEiM0RVZneImaq7zN3u_w\n") != std::string::npos);
  CHECK(a.find("directory.id=") != std::string::npos);
  CHECK(a != b);
  CHECK(file(broker, "/a/bootstrap.checkpoint").size() == 411);
  CHECK(file(broker, "/b/bootstrap.checkpoint").size() == 411);
  CHECK(exists(broker, "/a/__cluster_metadata-0/00000000000000000000.log"));
  CHECK_FALSE(exists(broker, "/b/__cluster_metadata-0/00000000000000000000.log"));
  CHECK(file(broker, "/a/__cluster_metadata-0/partition.metadata") == "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
}

TEST_CASE("a clean stop leaves the marker and the checkpoints, a running broker only the lock") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "orders", 2);
    Bytes batch = batch_of({"1", "2", "3"});
    co_await produce(client, topic, std::move(batch));
  });
  CHECK(exists(broker, "/data/.lock"));
  CHECK_FALSE(exists(broker, "/data/.kafka_cleanshutdown"));
  broker.stop();
  CHECK_FALSE(exists(broker, "/data/.lock"));
  CHECK(file(broker, "/data/.kafka_cleanshutdown") == "{\"version\":0,\"brokerEpoch\":11}");
  CHECK(file(broker, "/data/recovery-point-offset-checkpoint") == "0\n1\norders 0 3\n");
  CHECK(file(broker, "/data/replication-offset-checkpoint") == "0\n1\norders 0 3\n");
  CHECK(file(broker, "/data/log-start-offset-checkpoint") == "0\n0\n");
  CHECK(exists(broker, "/data/orders-0/00000000000000000003.snapshot"));
  broker.start();
  wait_for_start(broker);
  CHECK_FALSE(exists(broker, "/data/.kafka_cleanshutdown"));
}

TEST_CASE("a start that fails leaves no marker of a clean stop behind") {
  BrokerWorld broker;
  wait_for_start(broker);
  broker.stop();
  REQUIRE(exists(broker, "/data/.kafka_cleanshutdown"));
  broker.node.disk().put("/data/not.a.partition/file", "");
  CHECK(start_failure(broker).find("is not in the form of topic-partition") != std::string::npos);
  CHECK_FALSE(exists(broker, "/data/.kafka_cleanshutdown"));
}

TEST_CASE("a broker whose port is taken changes nothing on disk") {
  BrokerWorld broker(1, {{"millrace.http.listener", "localhost:9092"}});  // taken by its own listener
  CHECK(failure(broker).find("Address already in use") != std::string::npos);
  CHECK_FALSE(exists(broker, "/data/meta.properties"));
  CHECK_FALSE(exists(broker, "/data/.lock"));
}

TEST_CASE("directories of another node, or half formatted, are refused with Kafka's words") {
  BrokerWorld broker(1, {{"log.dirs", "/a,/b"}});
  wait_for_start(broker);
  broker.stop();
  const std::string good = file(broker, "/b/meta.properties");
  std::string other = good;
  other.replace(other.find("node.id=1"), 9, "node.id=2");
  broker.node.disk().put("/b/meta.properties", other);
  CHECK(start_failure(broker).starts_with(
      "Stored node id 2 doesn't match previous node id 1 in /b/meta.properties. If you moved your data, make sure your "
      "configured node id matches."));
  broker.node.disk().put("/b/meta.properties", good);
  CHECK(start_failure(broker) == "");
  broker.node.disk().file_system().remove("/b/meta.properties", false);
  CHECK(start_failure(broker) ==
        "No `meta.properties` found in /b (have you run `kafka-storage.sh` to format the directory?)");
}

TEST_CASE("a deleted topic is gone for clients at once, its files a while later, and its name is free again") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    Bytes batch = batch_of({"old"});
    co_await produce(client, topic, std::move(batch));
    protocol::DeleteTopicsRequest deletion;
    deletion.timeout = Millis(1000);
    deletion.topics.emplace_back().name = "t";
    const auto deleted = co_await client.call(deletion);
    CHECK(deleted.topics.at(0).error == ErrorCode::none);
    CHECK(deleted.topics.at(0).id == topic);
    protocol::FetchRequest fetch = fetch_request(topic, Offset(0));
    const auto gone = co_await client.call(fetch);
    CHECK(gone.topics.at(0).partitions.at(0).error == ErrorCode::unknown_topic_id);
    const TopicId again = co_await create_topic(client, "t");
    CHECK(again != topic);
    const auto values = co_await fetch_all(client, again);
    CHECK(values.empty());
  });
  const auto left = [&] {
    int count = 0;
    for (const std::string& name : broker.node.disk().names("/data")) {
      if (name.find("-delete") != std::string::npos) ++count;
    }
    return count;
  };
  CHECK(left() > 0);
  broker.world.run_for(std::chrono::seconds(61));
  CHECK(left() == 0);
}

TEST_CASE("a partition that the metadata does not know is kept, but not served") {
  BrokerWorld broker;
  wait_for_start(broker);
  broker.stop();
  broker.node.disk().put("/data/ghost-0/partition.metadata", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABQ");
  broker.node.disk().put("/data/ghost-0/00000000000000000000.log", "");
  broker.start();
  wait_for_start(broker);
  CHECK_FALSE(exists(broker, "/data/ghost-0/partition.metadata"));
  bool stray = false;
  for (const std::string& name : broker.node.disk().names("/data")) {
    stray = stray || (name.starts_with("ghost-0.") && name.find("-stray") != std::string::npos);
  }
  CHECK(stray);
}

TEST_CASE("a failing disk is answered with a storage error, and said in the log") {
  BrokerWorld broker;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    broker.node.disk().inject({.call = sim::DiskCall::sync, .path = "t-0", .error = EIO, .times = -1});
    Bytes batch = batch_of({"x"});
    const auto answer = co_await produce(client, topic, batch);
    CHECK(answer.error == ErrorCode::kafka_storage_error);
    const auto next = co_await produce(client, topic, batch);
    CHECK(next.error != ErrorCode::none);
  });
  REQUIRE(broker.errors->size() == 1);
  CHECK(broker.errors->front().find("Stopping serving logs in dir /data") != std::string::npos);
}

}  // namespace
}  // namespace millrace::broker
