// Reading server.properties, and which setting is in effect.
#include "broker/config/config.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "broker/config/topic_config.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

// What the exception says, or "" when there is none.
std::string refusal(Properties changes) {
  Properties properties = test_properties();
  for (const auto& [key, value] : changes) {
    if (value == "(absent)") {
      properties.erase(key);
    } else {
      properties[key] = value;
    }
  }
  try {
    Config config(std::move(properties));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

std::string value_refusal(std::string_view key, std::string_view value) {
  const TopicKey* known = find_topic_key(key);
  REQUIRE(known != nullptr);
  try {
    validate_value(key, known->type, known->allowed, value);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("the keys of a file win over the defaults, and overrides over both") {
  const Config config(test_properties(), {{"num.partitions", "7"}});
  CHECK(config.number("num.partitions") == 7);
  CHECK(config.number("default.replication.factor") == 1);
  CHECK(config.flag("auto.create.topics.enable"));
  CHECK(config.node_id() == BrokerId(1));
  CHECK(config.log_dirs() == std::vector<std::string>{"/data"});
}

TEST_CASE("a file is refused with Kafka's words") {
  CHECK(refusal({}) == "");
  CHECK(refusal({{"node.id", "(absent)"}}) == "Missing required configuration \"node.id\" which has no default value.");
  CHECK(refusal({{"num.partitions", "many"}}) ==
        "Invalid value many for configuration num.partitions: Not a number of type INT");
  CHECK(refusal({{"num.partitions", "0"}}) ==
        "Invalid value 0 for configuration num.partitions: Value must be at least 1");
  CHECK(refusal({{"auto.create.topics.enable", "maybe"}}) ==
        "Invalid value maybe for configuration auto.create.topics.enable: Expected value to be either true or false");
  CHECK(refusal({{"compression.type", "zip"}}) ==
        "Invalid value zip for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, "
        "gzip, producer");
  CHECK(refusal({{"replica.fetch.wait.max.ms", "31000"}, {"replica.socket.timeout.ms", "40000"}}) ==
        "requirement failed: replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms "
        "to prevent frequent changes in ISR");
  CHECK(refusal({{"listeners", "INSIDE://:9092"}}) == "No security protocol defined for listener INSIDE");
  CHECK(refusal({{"advertised.listeners", "PLAINTEXT://0.0.0.0:9092"}}) ==
        "requirement failed: advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP "
        "address.");
  CHECK(
      refusal({{"controller.quorum.voters", "2@localhost:9093"}}) ==
      "requirement failed: If process.roles contains the 'controller' role, the node id 1 must be included in the set "
      "of voters controller.quorum.voters=2@localhost:9093");
}

TEST_CASE("a policy that only the Java broker could load is never ignored") {
  CHECK(refusal({{"create.topic.policy.class.name", "com.example.Strict"}}).starts_with("Invalid value com.example"));
  CHECK(refusal({{"authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"}}) != "");
  CHECK(refusal({{"principal.builder.class",
                  "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"}}) == "");
}

TEST_CASE("unknown keys, and keys without effect, are accepted and reported") {
  const Config config(test_properties(), {{"confluent.something", "x"}, {"num.io.threads", "8"}});
  CHECK(config.report() == std::vector<std::string>{"confluent.something: unknown, accepted",
                                                    "num.io.threads: has no meaning in Millrace, ignored"});
}

TEST_CASE("the controller's listener is not a client's") {
  const Config config(test_properties(), {{"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"}});
  REQUIRE(config.listeners().size() == 1);
  CHECK(config.listeners().front().address.port == 9092);
  REQUIRE(config.controller_listeners().size() == 1);
}

TEST_CASE("a topic's setting comes from the topic, then the brokers, then the file, then the default") {
  const Config config(test_properties(), {{"log.retention.hours", "2"}, {"log.segment.bytes", "2000000"}});
  replication::Settings topic, broker, brokers;
  const ConfigLayers layers{config, broker, brokers};
  CHECK(topic_value("retention.ms", topic, layers) == "7200000");
  CHECK(topic_value("segment.bytes", topic, layers) == "2000000");
  CHECK(topic_value("segment.ms", topic, layers) == "604800000");
  brokers["log.retention.ms"] = "99";
  CHECK(topic_value("retention.ms", topic, layers) == "99");
  broker["log.retention.ms"] = "98";
  CHECK(topic_value("retention.ms", topic, layers) == "98");
  topic["retention.ms"] = "97";
  const EffectiveConfig effective = effective_topic_config(*find_topic_key("retention.ms"), topic, layers);
  CHECK(effective.value == "97");
  CHECK(effective.source == ConfigSource::dynamic_topic);
  REQUIRE(effective.synonyms.size() == 5);
  CHECK(effective.synonyms[1].name == "log.retention.ms");
  CHECK(effective.synonyms[1].source == ConfigSource::dynamic_broker);
  CHECK(effective.synonyms[3].name == "log.retention.hours");
  CHECK(effective.synonyms[3].value == "2");
  CHECK(log_config(topic, layers).retention == Millis(97));
}

TEST_CASE("there are 33 topic settings, sorted, and their values are checked as Kafka checks them") {
  CHECK(topic_keys().size() == 33);
  CHECK(std::ranges::is_sorted(topic_keys(), {}, &TopicKey::name));
  CHECK(value_refusal("cleanup.policy", "compact,delete") == "");
  CHECK(value_refusal("cleanup.policy", "") == "");
  CHECK(value_refusal("cleanup.policy", "burn") ==
        "Invalid value burn for configuration cleanup.policy: String must be one of: compact, delete");
  CHECK(value_refusal("segment.bytes", "14") ==
        "Invalid value 14 for configuration segment.bytes: Value must be at least 1048576");
  CHECK(value_refusal("min.cleanable.dirty.ratio", "1.5") ==
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1");
  CHECK(value_refusal("leader.replication.throttled.replicas", "0:1,1:2") == "");
  CHECK(value_refusal("leader.replication.throttled.replicas", "zero") != "");
}

TEST_CASE("names of broker keys are unique, and every default is a valid value") {
  std::string_view before;
  for (const ConfigKey& key : broker_keys()) {
    CHECK(before < key.name);
    before = key.name;
    if (key.fallback != nullptr) CHECK_NOTHROW(validate_value(key.name, key.type, key.allowed, key.fallback));
  }
}

}  // namespace
}  // namespace millrace::broker
