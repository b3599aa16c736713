// Creating, deleting and growing topics. The controller decides, on its shard.
#include <algorithm>
#include <map>

#include "broker/controller.h"
#include "broker/handlers/handlers.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"

namespace millrace::broker {

namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;

constexpr const char* timed_out = "Timed out waiting for a result: the timeout of the request is not positive.";

TopicWish wish_of(const CreateTopicsRequest::Topic& topic) {
  TopicWish wish;
  wish.name = topic.name;
  wish.partitions = topic.num_partitions;
  wish.replication_factor = topic.replication_factor;
  for (const CreateTopicsRequest::Assignment& assignment : topic.assignments) {
    wish.assignments.emplace_back(assignment.partition_index, assignment.broker_ids);
  }
  for (const CreateTopicsRequest::Config& config : topic.configs) wish.configs.emplace_back(config.name, config.value);
  return wish;
}

void describe_configs(CreateTopicsResponse::Topic& answer, const replication::Settings& settings,
                      const ConfigLayers& layers) {
  answer.configs.emplace();
  for (const TopicKey& key : topic_keys()) {
    const EffectiveConfig effective = effective_topic_config(key, settings, layers);
    CreateTopicsResponse::Config config;
    config.name = key.name;
    config.value = effective.value;
    config.config_source = static_cast<int8_t>(effective.source);
    answer.configs->push_back(std::move(config));
  }
}

Task<CreateTopicsResponse> create_topics(Broker& broker, RequestContext context, CreateTopicsRequest request) {
  CreateTopicsResponse response;
  std::map<std::string, int> named;
  int64_t partitions = 0;
  for (const CreateTopicsRequest::Topic& topic : request.topics) {
    ++named[topic.name];
    partitions +=
        topic.assignments.empty() ? std::max(topic.num_partitions, 1) : static_cast<int64_t>(topic.assignments.size());
  }
  std::vector<TopicWish> wishes;
  std::vector<size_t> wished;  // which answers they are for
  for (const CreateTopicsRequest::Topic& topic : request.topics) {
    const auto times = named.find(topic.name);
    if (times == named.end()) continue;
    CreateTopicsResponse::Topic answer;
    answer.name = topic.name;
    answer.configs.emplace();
    const bool twice = times->second > 1;
    if (twice) named.erase(times);
    if (twice) {
      answer.error = ErrorCode::invalid_request;
      answer.error_message = "Duplicate topic name.";
    } else if (request.timeout.count() <= 0) {
      answer.error = ErrorCode::request_timed_out;
      answer.error_message = timed_out;
    } else if (partitions > 10'000) {
      answer.error = ErrorCode::policy_violation;
      answer.error_message = "Excessively large number of partitions per request.";
    } else {
      wishes.push_back(wish_of(topic));
      wished.push_back(response.topics.size());
    }
    response.topics.push_back(std::move(answer));
  }
  if (wishes.empty()) co_return response;
  const bool validate_only = request.validate_only;
  auto create = [&broker, &wishes, validate_only]() -> Task<std::vector<TopicOutcome>> {
    co_return co_await broker.controller().create_topics(wishes, validate_only);
  };
  const std::vector<TopicOutcome> outcomes = co_await on(broker.first_shard(), std::move(create));
  const ConfigLayers layers = broker.layers();
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const TopicOutcome& outcome = outcomes[i];
    CreateTopicsResponse::Topic& answer = response.topics[wished[i]];
    answer.error = outcome.error;
    answer.error_message = outcome.message;
    if (outcome.error != ErrorCode::none) continue;
    if (context.version >= 7) answer.id = outcome.id;
    answer.num_partitions = outcome.partitions;
    answer.replication_factor = outcome.replication_factor;
    describe_configs(answer, outcome.settings, layers);
  }
  co_return response;
}

struct Doomed {
  std::optional<std::string> name;
  TopicId id;
  friend auto operator<=>(const Doomed&, const Doomed&) = default;
};

Task<DeleteTopicsResponse> delete_topics(Broker& broker, RequestContext context, DeleteTopicsRequest request) {
  const int16_t version = context.version;
  DeleteTopicsResponse response;
  std::vector<Doomed> wanted;
  for (DeleteTopicsRequest::Topic& topic : request.topics) wanted.push_back({std::move(topic.name), topic.id});
  for (std::string& name : request.topic_names) wanted.push_back({std::move(name), TopicId()});
  const bool enabled = broker.config().flag("delete.topic.enable");
  std::map<Doomed, int> named;
  for (const Doomed& doomed : wanted) ++named[doomed];
  for (const Doomed& doomed : wanted) {
    const auto times = named.find(doomed);
    if (times == named.end()) continue;
    const bool twice = times->second > 1;
    if (twice) named.erase(times);
    DeleteTopicsResponse::Topic answer;
    answer.name = doomed.name;
    if (version < 6 && !answer.name) answer.name = "";
    answer.id = doomed.id;
    const auto refuse = [&](ErrorCode error, std::string message) {
      answer.error = error;
      if (version >= 5) answer.error_message = std::move(message);
    };
    const Image image = broker.image();
    const replication::Topic topic = doomed.name ? image->topic(*doomed.name) : image->topic(doomed.id);
    if (!enabled) {
      refuse(version < 3 ? ErrorCode::invalid_request : ErrorCode::topic_deletion_disabled,
             "Topic deletion is disabled.");
    } else if (twice) {
      refuse(ErrorCode::invalid_request, "Duplicate topic name or id.");
    } else if (doomed.name && !doomed.id.is_zero()) {
      refuse(ErrorCode::invalid_request, "You may not specify both topic name and topic id.");
    } else if (!doomed.name && doomed.id.is_zero()) {
      refuse(ErrorCode::invalid_request, "Neither topic name nor id were specified.");
    } else if (!topic) {
      refuse(
          doomed.name ? ErrorCode::unknown_topic_or_partition : ErrorCode::unknown_topic_id,
          doomed.name ? "This server does not host this topic-partition." : "This server does not host this topic ID.");
    } else if (request.timeout.count() <= 0) {
      refuse(ErrorCode::request_timed_out, timed_out);
    } else {
      const TopicId id = topic->id;
      auto remove = [&broker, id]() -> Task<Outcome> { co_return co_await broker.controller().delete_topic(id); };
      const Outcome outcome = co_await on(broker.first_shard(), std::move(remove));
      answer.error = outcome.error;
      if (version >= 5) answer.error_message = outcome.message;
      answer.name = topic->name;
      answer.id = topic->id;
    }
    response.topics.push_back(std::move(answer));
  }
  co_return response;
}

Task<CreatePartitionsResponse> create_partitions(Broker& broker, RequestContext, CreatePartitionsRequest request) {
  CreatePartitionsResponse response;
  std::map<std::string, int> named;
  for (const CreatePartitionsRequest::Topic& topic : request.topics) ++named[topic.name];
  for (const CreatePartitionsRequest::Topic& topic : request.topics) {
    const auto times = named.find(topic.name);
    if (times == named.end()) continue;
    const bool twice = times->second > 1;
    if (twice) named.erase(times);
    CreatePartitionsResponse::Result result;
    result.name = topic.name;
    if (twice) {
      result.error = ErrorCode::invalid_request;
      result.error_message = "Duplicate topic in request.";
    } else if (request.timeout.count() <= 0) {
      result.error = ErrorCode::request_timed_out;
      result.error_message = timed_out;
    } else {
      PartitionsWish wish;
      wish.topic = topic.name;
      wish.count = topic.count;
      if (topic.assignments) {
        wish.assignments.emplace();
        for (const auto& assignment : *topic.assignments) wish.assignments->push_back(assignment.broker_ids);
      }
      const bool validate_only = request.validate_only;
      auto grow = [&broker, &wish, validate_only]() -> Task<Outcome> {
        co_return co_await broker.controller().create_partitions(wish, validate_only);
      };
      const Outcome outcome = co_await on(broker.first_shard(), std::move(grow));
      result.error = outcome.error;
      result.error_message = outcome.message;
    }
    response.results.push_back(std::move(result));
  }
  co_return response;
}

}  // namespace

void add_topics(Dispatch& dispatch, Broker& broker) {
  dispatch.add<CreateTopicsRequest, CreateTopicsResponse>(
      2, 7, [&broker](RequestContext context, CreateTopicsRequest request) {
        return create_topics(broker, std::move(context), std::move(request));
      });
  dispatch.add<DeleteTopicsRequest, DeleteTopicsResponse>(
      1, 6, [&broker](RequestContext context, DeleteTopicsRequest request) {
        return delete_topics(broker, std::move(context), std::move(request));
      });
  dispatch.add<CreatePartitionsRequest, CreatePartitionsResponse>(
      0, 3, [&broker](RequestContext context, CreatePartitionsRequest request) {
        return create_partitions(broker, std::move(context), std::move(request));
      });
}

}  // namespace millrace::broker
