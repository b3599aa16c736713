// Topics, settings and the cluster as administrators meet them.
#include <algorithm>
#include <map>

#include "protocol/messages/alter_configs.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_acls.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/sasl_handshake.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

using namespace protocol;

CreateTopicsRequest::Topic wish(std::string name, int32_t partitions = 1, int16_t replicas = 1,
                                std::vector<std::pair<std::string, std::optional<std::string>>> configs = {}) {
  CreateTopicsRequest::Topic topic;
  topic.name = std::move(name);
  topic.num_partitions = partitions;
  topic.replication_factor = replicas;
  for (auto& [key, value] : configs) topic.configs.push_back({key, value});
  return topic;
}

Task<CreateTopicsResponse::Topic> try_create(Client& client, CreateTopicsRequest::Topic topic) {
  CreateTopicsRequest request;
  request.topics.push_back(std::move(topic));
  const CreateTopicsResponse response = co_await client.call(std::move(request));
  co_return response.topics.at(0);
}

struct Change {
  std::string name;
  int8_t operation = 0;
  std::optional<std::string> value;
};

Task<std::pair<ErrorCode, std::string>> change(Client& client, int8_t type, std::string name,
                                               std::vector<Change> changes) {
  IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = type;
  resource.resource_name = std::move(name);
  for (Change& each : changes) resource.configs.push_back({each.name, each.operation, each.value});
  const auto response = co_await client.call(std::move(request));
  co_return std::pair(response.responses.at(0).error, response.responses.at(0).error_message.value_or(""));
}

Task<DescribeConfigsResponse::Result> describe(Client& client, int8_t type, std::string name) {
  DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = type;
  resource.resource_name = std::move(name);
  request.include_synonyms = true;
  const auto response = co_await client.call(std::move(request));
  co_return response.results.at(0);
}

constexpr int8_t a_topic = 2, a_broker = 4;
constexpr int8_t set = 0, remove = 1, append = 2, subtract = 3;

TEST_CASE("a topic is refused for what is wrong with it, in Kafka's words") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    co_await create_topic(client, "a.b");
    const std::vector<std::pair<CreateTopicsRequest::Topic, ErrorCode>> wishes = {
        {wish("a.b"), ErrorCode::topic_already_exists},
        {wish("a_b"), ErrorCode::invalid_topic_exception},
        {wish("no/slash"), ErrorCode::invalid_topic_exception},
        {wish(""), ErrorCode::invalid_topic_exception},
        {wish(".."), ErrorCode::invalid_topic_exception},
        {wish(std::string(250, 'x')), ErrorCode::invalid_topic_exception},
        {wish("t", 0), ErrorCode::invalid_partitions},
        {wish("t", -2), ErrorCode::invalid_partitions},
        {wish("t", 10001), ErrorCode::policy_violation},
        {wish("t", 1, 0), ErrorCode::invalid_replication_factor},
        {wish("t", 1, 2), ErrorCode::invalid_replication_factor},
        {wish("t", 1, 1, {{"no.such.key", "1"}}), ErrorCode::invalid_config},
        {wish("t", 1, 1, {{"retention.ms", "soon"}}), ErrorCode::invalid_config},
        {wish("t", 1, 1, {{"retention.ms", std::nullopt}}), ErrorCode::invalid_config},
    };
    for (const auto& [topic, error] : wishes) {
      const auto answer = co_await try_create(client, topic);
      CAPTURE(topic.name);
      CHECK(answer.error == error);
      CHECK(answer.error_message.has_value());
      CHECK(answer.num_partitions == -1);
    }
    CreateTopicsRequest::Topic assigned = wish("t", -1, -1);
    assigned.assignments.push_back({PartitionId(0), {BrokerId(2)}});
    const auto elsewhere = co_await try_create(client, assigned);
    CHECK(elsewhere.error == ErrorCode::invalid_replica_assignment);
    assigned.assignments[0].broker_ids = {BrokerId(1)};
    const auto good = co_await try_create(client, assigned);
    CHECK(good.error == ErrorCode::none);
    CreateTopicsRequest twice;
    twice.topics = {wish("same"), wish("same")};
    const auto once = co_await client.call(twice);
    REQUIRE(once.topics.size() == 1);
    CHECK(once.topics[0].error == ErrorCode::invalid_request);
    CreateTopicsRequest late;
    late.topics = {wish("late")};
    late.timeout = Millis(0);
    const auto timed_out = co_await client.call(late);
    CHECK(timed_out.topics.at(0).error == ErrorCode::request_timed_out);
  });
}

TEST_CASE("a created topic is described with all 33 settings, and validating alone creates nothing") {
  BrokerWorld broker(1, {{"log.segment.bytes", "2000000"}, {"num.partitions", "3"}});
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    CreateTopicsRequest request;
    request.topics = {wish("t", -1, -1, {{"cleanup.policy", "compact"}})};
    request.validate_only = true;
    const auto validated = co_await client.call(request);
    CHECK(validated.topics.at(0).error == ErrorCode::none);
    CHECK(validated.topics.at(0).num_partitions == 3);
    CHECK(validated.topics.at(0).id.is_zero());
    request.validate_only = false;
    const auto created = co_await client.call(request);
    const auto& topic = created.topics.at(0);
    CHECK(topic.error == ErrorCode::none);
    CHECK(topic.replication_factor == 1);
    REQUIRE(topic.configs);
    CHECK(topic.configs->size() == 33);
    std::map<std::string, int> sources;
    for (const auto& config : *topic.configs) sources[config.name] = config.config_source;
    CHECK(sources["cleanup.policy"] == 1);
    CHECK(sources["min.insync.replicas"] == 3);
    CHECK(sources["segment.bytes"] == 4);
    CHECK(sources["retention.ms"] == 5);
  });
}

TEST_CASE("metadata creates what is missing when it may, and says UNKNOWN first") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    MetadataRequest request;
    request.topics.emplace().emplace_back().name = "wanted";
    request.allow_auto_topic_creation = false;
    const auto refused = co_await client.call(request);
    CHECK(refused.topics.at(0).error == ErrorCode::unknown_topic_or_partition);
    request.allow_auto_topic_creation = true;
    const auto first = co_await client.call(request);
    CHECK(first.topics.at(0).error == ErrorCode::unknown_topic_or_partition);
    const auto second = co_await client.call(request);
    CHECK(second.topics.at(0).error == ErrorCode::none);
    CHECK(second.topics.at(0).partitions.size() == 1);
    CHECK(second.topics.at(0).partitions[0].leader_id == BrokerId(1));
    CHECK(second.cluster_id == "ABEiM0RVZneImaq7zN3u_w");
    CHECK(second.brokers.at(0).host == "broker");
    CHECK(second.brokers.at(0).port == 9092);
    const auto by_name = co_await client.call(request, 0);
    CHECK(by_name.topics.size() == 1);
    MetadataRequest by_id;
    by_id.topics.emplace().emplace_back().id = second.topics[0].id;
    by_id.topics->back().name = std::nullopt;
    const auto found = co_await client.call(by_id);
    CHECK(found.topics.at(0).name == "wanted");
    by_id.topics->back().id = Uuid{1, 1};
    const auto missing = co_await client.call(by_id);
    CHECK(missing.topics.at(0).error == ErrorCode::unknown_topic_id);
    CHECK_FALSE(missing.topics.at(0).name.has_value());
    by_id.topics->back().id = Uuid();
    const auto nothing = co_await client.call(by_id);
    CHECK(nothing.error == ErrorCode::unknown_server_error);
    CHECK(nothing.brokers.empty());
    CHECK(nothing.controller_id == BrokerId(-1));
    request.topics->back().name = "not/a/name";
    const auto bad = co_await client.call(request);
    CHECK(bad.topics.at(0).error == ErrorCode::invalid_topic_exception);
    MetadataRequest none;
    none.topics.emplace();
    const auto empty = co_await client.call(none);
    CHECK(empty.topics.empty());
    const auto all = co_await client.call(MetadataRequest{.topics = std::nullopt});
    CHECK(all.topics.size() == 1);
  });
}

TEST_CASE("partitions can be added, never taken away") {
  BrokerWorld broker;
  TopicId topic;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "t", 2);
    const std::vector<std::pair<int32_t, ErrorCode>> wanted = {
        {1, ErrorCode::invalid_partitions}, {2, ErrorCode::invalid_partitions}, {4, ErrorCode::none}};
    for (const auto& [count, error] : wanted) {
      CreatePartitionsRequest request;
      request.timeout = Millis(1000);
      auto& each = request.topics.emplace_back();
      each.name = "t";
      each.count = count;
      const auto response = co_await client.call(request);
      CHECK(response.results.at(0).error == error);
    }
    ProduceRequest request = produce_request(topic, batch_of({"last"}));
    request.topics[0].partitions[0].index = PartitionId(3);
    const auto answer = co_await client.call(request);
    CHECK(answer.topics.at(0).partitions.at(0).error == ErrorCode::none);
  });
  broker.restart();
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    DescribeTopicPartitionsRequest request;
    request.topics.emplace_back().name = "t";
    request.response_partition_limit = 3;
    const auto first = co_await client.call(request);
    CHECK(first.topics.at(0).partitions.size() == 3);
    REQUIRE(first.next_cursor);
    CHECK(first.next_cursor->partition_index == PartitionId(3));
    request.cursor.emplace();
    request.cursor->topic_name = "t";
    request.cursor->partition_index = PartitionId(3);
    const auto rest = co_await client.call(request);
    CHECK(rest.topics.at(0).partitions.size() == 1);
    CHECK_FALSE(rest.next_cursor);
  });
}

TEST_CASE("deleting names what cannot be deleted") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    const std::vector<std::tuple<std::optional<std::string>, TopicId, ErrorCode>> wanted = {
        {"missing", TopicId(), ErrorCode::unknown_topic_or_partition},
        {"", TopicId(), ErrorCode::unknown_topic_or_partition},
        {std::nullopt, Uuid{1, 1}, ErrorCode::unknown_topic_id},
        {"t", topic, ErrorCode::invalid_request},
        {std::nullopt, TopicId(), ErrorCode::invalid_request},
        {std::nullopt, topic, ErrorCode::none},
    };
    for (const auto& [name, id, error] : wanted) {
      DeleteTopicsRequest request;
      request.timeout = Millis(1000);
      auto& each = request.topics.emplace_back();
      each.name = name;
      each.id = id;
      const auto response = co_await client.call(request);
      CHECK(response.topics.at(0).error == error);
    }
  });
}

TEST_CASE("settings change at once, survive a restart, and bad ones are refused") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    const std::vector<std::pair<std::vector<Change>, ErrorCode>> changes = {
        {{{"max.message.bytes", set, "200"}}, ErrorCode::none},
        {{{"cleanup.policy", append, "compact"}}, ErrorCode::none},
        {{{"cleanup.policy", append, "compact"}}, ErrorCode::none},
        {{{"cleanup.policy", subtract, "delete"}}, ErrorCode::none},
        {{{"no.such.key", remove, std::nullopt}}, ErrorCode::none},
        {{{"retention.ms", set, "soon"}}, ErrorCode::invalid_config},
        {{{"no.such.key", set, "1"}}, ErrorCode::invalid_config},
        {{{"retention.ms", append, "1"}}, ErrorCode::invalid_config},
        {{{"retention.ms", set, std::nullopt}}, ErrorCode::invalid_request},
        {{{"retention.ms", set, "1"}, {"retention.ms", set, "2"}}, ErrorCode::invalid_request},
        {{{"retention.ms", 9, "1"}}, ErrorCode::unknown_server_error},
    };
    for (const auto& [each, error] : changes) {
      const auto answer = co_await change(client, a_topic, "t", each);
      CAPTURE(answer.second);
      CHECK(answer.first == error);
    }
    Bytes large = batch_of({std::string(300, 'x')});
    const auto refused = co_await produce(client, topic, std::move(large));
    CHECK(refused.error == ErrorCode::message_too_large);
    const auto missing = co_await change(client, a_topic, "missing", {{"retention.ms", set, "1"}});
    CHECK(missing.first == ErrorCode::unknown_topic_or_partition);
    const auto other = co_await change(client, a_broker, "2", {{"message.max.bytes", set, "1"}});
    CHECK(other.first == ErrorCode::invalid_request);
    const auto fixed = co_await change(client, a_broker, "1", {{"num.partitions", set, "2"}});
    CHECK(fixed.first == ErrorCode::invalid_request);
    const auto for_all = co_await change(client, a_broker, "", {{"log.retention.ms", set, "5000"}});
    CHECK(for_all.first == ErrorCode::none);
    const auto nothing = co_await change(client, 0, "t", {{"retention.ms", set, "1"}});
    CHECK(nothing.first == ErrorCode::invalid_request);
  });
  broker.restart();
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const auto result = co_await describe(client, a_topic, "t");
    CHECK(result.error == ErrorCode::none);
    CHECK(result.configs.size() == 33);
    std::map<std::string, DescribeConfigsResponse::Config> configs;
    for (const auto& config : result.configs) configs[config.name] = config;
    CHECK(configs["max.message.bytes"].value == "200");
    CHECK(configs["max.message.bytes"].config_source == 1);
    CHECK(configs["cleanup.policy"].value == "compact");
    CHECK(configs["cleanup.policy"].config_type == 7);
    CHECK(configs["retention.ms"].value == "5000");
    CHECK(configs["retention.ms"].config_source == 3);
    CHECK(configs["retention.ms"].synonyms.at(0).name == "log.retention.ms");
    const auto unknown = co_await describe(client, a_topic, "missing");
    CHECK(unknown.error == ErrorCode::unknown_topic_or_partition);
    const auto of_broker = co_await describe(client, a_broker, "1");
    CHECK(of_broker.configs.size() > 200);
    const auto other_broker = co_await describe(client, a_broker, "2");
    CHECK(other_broker.error == ErrorCode::invalid_request);
    // The older form replaces everything that was set.
    AlterConfigsRequest replace;
    auto& resource = replace.resources.emplace_back();
    resource.resource_type = a_topic;
    resource.resource_name = "t";
    resource.configs.push_back({"retention.ms", "77"});
    const auto replaced = co_await client.call(replace);
    CHECK(replaced.responses.at(0).error == ErrorCode::none);
    const auto after = co_await describe(client, a_topic, "t");
    for (const auto& config : after.configs) {
      if (config.name == "max.message.bytes") CHECK(config.value == "1048588");
      if (config.name == "retention.ms") CHECK(config.value == "77");
    }
  });
}

TEST_CASE("records before an offset can be deleted where the topic deletes at all") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    co_await create_topic(client, "compacted", 1, {{"cleanup.policy", "compact"}});
    Bytes batch = batch_of({"0", "1", "2", "3"});
    co_await produce(client, topic, std::move(batch));
    const std::vector<std::tuple<std::string, int64_t, ErrorCode, int64_t>> wanted = {
        {"t", 2, ErrorCode::none, 2},
        {"t", 1, ErrorCode::none, 2},
        {"t", 5, ErrorCode::offset_out_of_range, -1},
        {"t", -2, ErrorCode::offset_out_of_range, -1},
        {"compacted", 0, ErrorCode::policy_violation, -1},
        {"missing", 0, ErrorCode::unknown_topic_or_partition, -1},
        {"t", -1, ErrorCode::none, 4},
    };
    for (const auto& [name, offset, error, low] : wanted) {
      DeleteRecordsRequest request;
      request.timeout = Millis(1000);
      auto& each = request.topics.emplace_back();
      each.name = name;
      each.partitions.push_back({PartitionId(0), Offset(offset)});
      const auto response = co_await client.call(request);
      const auto& answer = response.topics.at(0).partitions.at(0);
      CAPTURE(offset);
      CHECK(answer.error == error);
      CHECK(answer.low_watermark == Offset(low));
    }
    FetchRequest below = fetch_request(topic, Offset(3));
    const auto gone = co_await client.call(below);
    CHECK(gone.topics.at(0).partitions.at(0).error == ErrorCode::offset_out_of_range);
  });
}

TEST_CASE("the cluster describes itself, its directories and its quorum") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const TopicId topic = co_await create_topic(client, "t");
    Bytes batch = batch_of({"x"});
    co_await produce(client, topic, std::move(batch));
    const DescribeClusterRequest cluster;
    const auto described = co_await client.call(cluster);
    CHECK(described.controller_id == BrokerId(1));
    CHECK(described.brokers.size() == 1);
    DescribeClusterRequest controllers;
    controllers.endpoint_type = 2;
    const auto mismatched = co_await client.call(controllers);
    CHECK(mismatched.error == ErrorCode::mismatched_endpoint_type);
    DescribeLogDirsRequest dirs;
    dirs.topics = std::nullopt;
    const auto log_dirs = co_await client.call(dirs);
    REQUIRE(log_dirs.results.size() == 1);
    CHECK(log_dirs.results[0].log_dir == "/data");
    CHECK(log_dirs.results[0].topics.at(0).partitions.at(0).partition_size > 0);
    DescribeQuorumRequest quorum;
    auto& wanted = quorum.topics.emplace_back();
    wanted.name = "__cluster_metadata";
    wanted.partitions.emplace_back();
    const auto voters = co_await client.call(quorum);
    CHECK(voters.topics.at(0).partitions.at(0).leader_id == BrokerId(1));
    CHECK(voters.topics.at(0).partitions.at(0).current_voters.size() == 1);
    const SaslHandshakeRequest sasl;
    const auto handshake = co_await client.call(sasl);
    CHECK(handshake.error == ErrorCode::illegal_sasl_state);
    const DescribeAclsRequest acls;
    const auto none = co_await client.call(acls);
    CHECK(none.error == ErrorCode::security_disabled);
  });
}

}  // namespace
}  // namespace millrace::broker
