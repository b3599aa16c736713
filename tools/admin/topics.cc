// `millrace topics`: list, describe, create, grow, configure, delete.
#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "tools/admin/command.h"
#include "tools/verbs.h"

namespace millrace::tools {

namespace {

constexpr int8_t topic_resource = 2;
constexpr int8_t set_value = 0;
constexpr int8_t delete_value = 1;
constexpr int8_t from_topic = 1;  // DescribeConfigs: set on the topic itself
constexpr int16_t last_delete_version_with_names = 5;

struct Wanted {
  std::string action;
  std::vector<std::string> topics;
  int partitions = -1;
  int replication = -1;
  std::vector<std::string> set;
  std::vector<std::string> unset;
};

int complain(const std::string& topic, ErrorCode error, const std::optional<std::string>& text) {
  if (error == ErrorCode::none) return 0;
  fmt::print(stderr, "{}: {}{}\n", topic, describe(error), text && !text->empty() ? ": " + *text : "");
  return 1;
}

std::string join(const std::vector<BrokerId>& ids) {
  std::string out;
  for (const BrokerId id : ids) out += (out.empty() ? "" : ",") + std::to_string(id.value);
  return out;
}

Task<int> list(Cluster& cluster) {
  const auto answer = co_await cluster.metadata(std::nullopt);
  for (const auto& topic : answer.topics) fmt::print("{}\n", topic.name.value_or(""));
  co_return 0;
}

Task<int> describe_topics(Cluster& cluster, const Wanted& wanted) {
  std::optional<std::vector<std::string>> names;
  if (!wanted.topics.empty()) names = wanted.topics;
  const auto answer = co_await cluster.metadata(std::move(names));
  int code = 0;
  for (const auto& topic : answer.topics) {
    const std::string name = topic.name.value_or("");
    if (complain(name, topic.error, std::nullopt) != 0) {
      code = 1;
      continue;
    }
    protocol::DescribeConfigsRequest request;
    protocol::DescribeConfigsRequestResource resource;
    resource.resource_type = topic_resource;
    resource.resource_name = name;
    resource.configuration_keys.reset();
    request.resources.push_back(std::move(resource));
    BrokerConnection* connection = co_await cluster.any();
    const auto configs = co_await connection->call(request);
    std::string settings;
    for (const auto& config : configs.results.at(0).configs) {
      if (config.config_source == from_topic)
        settings += fmt::format("{}{}={}", settings.empty() ? "" : ",", config.name, config.value.value_or(""));
    }
    fmt::print("{}  id {}  {} partitions{}\n", name, to_string(topic.id), topic.partitions.size(),
               settings.empty() ? "" : "  " + settings);
    for (const auto& p : topic.partitions) {
      fmt::print("  {}: leader {}  replicas {}  isr {}\n", p.index.value, p.leader_id.value, join(p.replica_nodes),
                 join(p.isr_nodes));
    }
  }
  co_return code;
}

Task<int> create(Cluster& cluster, const Wanted& wanted) {
  protocol::CreateTopicsRequest request;
  for (const std::string& name : wanted.topics) {
    protocol::CreateTopicsRequestTopic topic;
    topic.name = name;
    topic.num_partitions = wanted.partitions;
    topic.replication_factor = static_cast<int16_t>(wanted.replication);
    for (const std::string& setting : wanted.set) {
      protocol::CreateTopicsRequestConfig config;
      std::tie(config.name, config.value) = admin::split_setting(setting);
      topic.configs.push_back(std::move(config));
    }
    request.topics.push_back(std::move(topic));
  }
  BrokerConnection* connection = co_await cluster.any();
  const auto answer = co_await connection->call(request);
  int code = 0;
  for (const auto& topic : answer.topics) {
    if (complain(topic.name, topic.error, topic.error_message) != 0) {
      code = 1;
    } else {
      fmt::print("created {} with {} partitions\n", topic.name, topic.num_partitions);
    }
  }
  co_return code;
}

Task<int> remove(Cluster& cluster, const Wanted& wanted) {
  protocol::DeleteTopicsRequest request;
  request.topic_names = wanted.topics;
  request.timeout = std::chrono::seconds(30);
  BrokerConnection* connection = co_await cluster.any();
  const auto answer = co_await connection->call(request, last_delete_version_with_names);
  int code = 0;
  for (const auto& topic : answer.topics) {
    if (complain(topic.name.value_or(""), topic.error, topic.error_message) != 0) {
      code = 1;
    } else {
      fmt::print("deleted {}\n", topic.name.value_or(""));
    }
  }
  co_return code;
}

Task<int> grow(Cluster& cluster, const Wanted& wanted) {
  protocol::CreatePartitionsRequest request;
  for (const std::string& name : wanted.topics) {
    protocol::CreatePartitionsRequestTopic topic;
    topic.name = name;
    topic.count = wanted.partitions;
    topic.assignments.reset();
    request.topics.push_back(std::move(topic));
  }
  request.timeout = std::chrono::seconds(30);
  BrokerConnection* connection = co_await cluster.any();
  const auto answer = co_await connection->call(request);
  int code = 0;
  for (const auto& result : answer.results) code |= complain(result.name, result.error, result.error_message);
  co_return code;
}

Task<int> configure(Cluster& cluster, const Wanted& wanted) {
  protocol::IncrementalAlterConfigsRequest request;
  for (const std::string& name : wanted.topics) {
    protocol::IncrementalAlterConfigsRequestResource resource;
    resource.resource_type = topic_resource;
    resource.resource_name = name;
    for (const std::string& setting : wanted.set) {
      protocol::IncrementalAlterConfigsRequestConfig config;
      std::tie(config.name, config.value) = admin::split_setting(setting);
      config.config_operation = set_value;
      resource.configs.push_back(std::move(config));
    }
    for (const std::string& setting : wanted.unset) {
      protocol::IncrementalAlterConfigsRequestConfig config;
      config.name = setting;
      config.config_operation = delete_value;
      resource.configs.push_back(std::move(config));
    }
    request.resources.push_back(std::move(resource));
  }
  BrokerConnection* connection = co_await cluster.any();
  const auto answer = co_await connection->call(request);
  int code = 0;
  for (const auto& result : answer.responses)
    code |= complain(result.resource_name, result.error, result.error_message);
  co_return code;
}

Task<int> act(Cluster& cluster, const Wanted& wanted) {
  if (wanted.action == "list") co_return co_await list(cluster);
  if (wanted.action == "describe") co_return co_await describe_topics(cluster, wanted);
  if (wanted.action == "create") co_return co_await create(cluster, wanted);
  if (wanted.action == "delete") co_return co_await remove(cluster, wanted);
  if (wanted.action == "grow") co_return co_await grow(cluster, wanted);
  co_return co_await configure(cluster, wanted);
}

}  // namespace

int topics_main(int argc, char** argv) {
  CLI::App app("Topics of a cluster", "millrace topics");
  std::string brokers = "localhost:9092";
  Wanted wanted;
  admin::add_bootstrap(app, brokers);
  app.require_subcommand(1);
  const auto action = [&](const char* name, const char* does) {
    CLI::App* sub = app.add_subcommand(name, does);
    sub->callback([&wanted, name] { wanted.action = name; });
    sub->fallthrough();
    return sub;
  };
  action("list", "Names of all topics");
  action("describe", "Partitions and settings")->add_option("topic", wanted.topics, "Topics; all when left out");
  CLI::App* create_app = action("create", "Create topics");
  create_app->add_option("topic", wanted.topics, "Names")->required();
  create_app->add_option("-p,--partitions", wanted.partitions,
                         "How many partitions; the broker's default when left out");
  create_app->add_option("-r,--replication-factor", wanted.replication,
                         "How many replicas; the broker's default when left out");
  create_app->add_option("-c,--config", wanted.set, "NAME=VALUE, any number of times");
  action("delete", "Delete topics")->add_option("topic", wanted.topics, "Names")->required();
  CLI::App* grow_app = action("grow", "Add partitions");
  grow_app->add_option("topic", wanted.topics, "Names")->required();
  grow_app->add_option("-p,--partitions", wanted.partitions, "How many there shall be")->required();
  CLI::App* config_app = action("config", "Change settings");
  config_app->add_option("topic", wanted.topics, "Names")->required();
  config_app->add_option("-s,--set", wanted.set, "NAME=VALUE, any number of times");
  config_app->add_option("-u,--unset", wanted.unset, "NAME, back to the default");
  return admin::run(app, argc, argv, brokers, [&wanted](Cluster& cluster) { return act(cluster, wanted); });
}

}  // namespace millrace::tools
