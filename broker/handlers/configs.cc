// Settings of topics and brokers: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.
#include <algorithm>
#include <set>

#include "broker/controller.h"
#include "broker/handlers/handlers.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/list_config_resources.h"

namespace millrace::broker {

namespace {

using protocol::AlterConfigsRequest;
using protocol::AlterConfigsResponse;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;
using protocol::ListConfigResourcesRequest;
using protocol::ListConfigResourcesResponse;
using replication::ConfigChange;
using replication::ConfigResource;
using replication::ResourceType;
using replication::Settings;

enum Operation : int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct Refused {
  ErrorCode error;
  std::string message;
};

// --- describing ---

void add_config(DescribeConfigsResponse::Result& result, const DescribeConfigsRequest& request, int16_t version,
                std::string_view name, ConfigType type, std::string_view doc, bool read_only,
                EffectiveConfig effective) {
  DescribeConfigsResponse::Config config;
  config.name = name;
  config.is_sensitive = type == ConfigType::password;
  if (!config.is_sensitive) config.value = std::move(effective.value);
  config.read_only = read_only;
  config.config_source = static_cast<int8_t>(effective.source);
  if (request.include_synonyms) {
    for (ConfigSynonym& synonym : effective.synonyms) {
      DescribeConfigsResponse::Synonym out;
      out.name = std::move(synonym.name);
      if (!config.is_sensitive) out.value = std::move(synonym.value);
      out.source = static_cast<int8_t>(synonym.source);
      config.synonyms.push_back(std::move(out));
    }
  }
  if (version >= 3) {
    config.config_type = static_cast<int8_t>(type);
    if (request.include_documentation) config.documentation = std::string(doc);
  }
  result.configs.push_back(std::move(config));
}

bool is_wanted(const DescribeConfigsRequest::Resource& resource, std::string_view name) {
  if (!resource.configuration_keys || resource.configuration_keys->empty()) return true;
  return std::ranges::find(*resource.configuration_keys, name) != resource.configuration_keys->end();
}

DescribeConfigsResponse::Result describe_one(Broker& broker, const DescribeConfigsRequest& request,
                                             const DescribeConfigsRequest::Resource& resource, int16_t version) {
  DescribeConfigsResponse::Result result;
  result.resource_type = resource.resource_type;
  result.resource_name = resource.resource_name;
  result.error_message = "";
  const auto refuse = [&](ErrorCode error, std::string message) {
    result.error = error;
    result.error_message = std::move(message);
    return result;
  };
  const Image image = broker.image();
  const ConfigLayers layers = broker.layers();
  switch (static_cast<ResourceType>(resource.resource_type)) {
    case ResourceType::topic: {
      if (const std::string fault = topic_name_fault(resource.resource_name); !fault.empty()) {
        return refuse(ErrorCode::invalid_topic_exception, fault);
      }
      if (!image->topic(resource.resource_name)) {
        return refuse(ErrorCode::unknown_topic_or_partition, "This server does not host this topic-partition.");
      }
      const Settings& settings = image->settings({ResourceType::topic, resource.resource_name});
      for (const TopicKey& key : topic_keys()) {
        if (!is_wanted(resource, key.name)) continue;
        add_config(result, request, version, key.name, key.type, key.doc, false,
                   effective_topic_config(key, settings, layers));
      }
      return result;
    }
    case ResourceType::broker: {
      if (resource.resource_name.empty()) {
        for (const auto& [name, value] : layers.brokers) {
          const ConfigKey* key = find_broker_key(name);
          if (key == nullptr || !is_wanted(resource, name)) continue;
          EffectiveConfig effective;
          effective.value = value;
          effective.source = ConfigSource::dynamic_default_broker;
          effective.synonyms.push_back({name, value, ConfigSource::dynamic_default_broker});
          add_config(result, request, version, name, key->type, key->doc, false, std::move(effective));
        }
        return result;
      }
      if (resource.resource_name != std::to_string(broker.id().value)) {
        return refuse(ErrorCode::invalid_request, "Unexpected broker id, expected " +
                                                      std::to_string(broker.id().value) +
                                                      " or empty string, but received " + resource.resource_name);
      }
      for (const ConfigKey& key : broker_keys()) {
        if (!is_wanted(resource, key.name)) continue;
        add_config(result, request, version, key.name, key.type, key.doc, key.dynamic == Dynamic::no,
                   effective_broker_config(key, layers));
      }
      return result;
    }
    default:
      return refuse(ErrorCode::invalid_request, "Unsupported resource type: " + std::to_string(resource.resource_type));
  }
}

Task<DescribeConfigsResponse> describe_configs(Broker& broker, RequestContext context, DescribeConfigsRequest request) {
  DescribeConfigsResponse response;
  for (const DescribeConfigsRequest::Resource& resource : request.resources) {
    response.results.push_back(describe_one(broker, request, resource, context.version));
  }
  co_return response;
}

// --- changing ---

// What a resource may be and which of its keys may be set; throws Refused.
void check_resource(const Broker& broker, const ConfigResource& resource) {
  if (resource.type == ResourceType::topic) {
    if (const std::string fault = topic_name_fault(resource.name); !fault.empty()) {
      throw Refused{ErrorCode::invalid_topic_exception, fault};
    }
    if (!broker.image()->topic(resource.name)) {
      throw Refused{ErrorCode::unknown_topic_or_partition, "The topic '" + resource.name + "' does not exist."};
    }
  } else if (resource.type == ResourceType::broker) {
    if (!resource.name.empty() && resource.name != std::to_string(broker.id().value)) {
      throw Refused{ErrorCode::invalid_request, "Unexpected broker id, expected " + std::to_string(broker.id().value) +
                                                    " or empty string, but received " + resource.name};
    }
  } else {
    throw Refused{ErrorCode::invalid_request,
                  "Unexpected resource type " + std::to_string(static_cast<int>(resource.type)) + "."};
  }
}

struct KeyTraits {
  ConfigType type;
  std::string_view allowed;
};

KeyTraits traits_of(const ConfigResource& resource, const std::string& name) {
  if (resource.type == ResourceType::topic) {
    const TopicKey* key = find_topic_key(name);
    if (key == nullptr) throw Refused{ErrorCode::invalid_config, "Unknown topic config name: " + name};
    return {key->type, key->allowed};
  }
  const ConfigKey* key = find_broker_key(name);
  if (key == nullptr) throw Refused{ErrorCode::invalid_config, "Unknown broker config name: " + name};
  if (key->dynamic == Dynamic::no) {
    throw Refused{ErrorCode::invalid_request, "Cannot update these configs dynamically: Set(" + name + ")"};
  }
  if (key->dynamic == Dynamic::per_broker && resource.name.empty()) {
    throw Refused{ErrorCode::invalid_request,
                  "Cannot update these configs at default cluster level: Set(" + name + ")"};
  }
  return {key->type, key->allowed};
}

// The settings as they would be; throws Refused when they may not stand together.
void check_settings(const Broker& broker, const ConfigResource& resource, const Settings& settings) {
  try {
    if (resource.type == ResourceType::topic) {
      validate_topic_settings(settings, broker.layers());
      return;
    }
    for (const auto& [name, value] : settings) {
      const ConfigKey* key = find_broker_key(name);
      if (key != nullptr) validate_value(name, key->type, key->allowed, value);
    }
  } catch (const ConfigError& error) {
    throw Refused{ErrorCode::invalid_config, error.what()};
  }
}

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

std::string current_value(const Broker& broker, const ConfigResource& resource, const std::string& name,
                          const Settings& settings) {
  if (const auto own = settings.find(name); own != settings.end()) return own->second;
  if (resource.type == ResourceType::topic) return topic_value(name, settings, broker.layers());
  return effective_broker_config(*find_broker_key(name), broker.layers()).value.value_or("");
}

std::vector<ConfigChange> incremental_changes(const Broker& broker, const ConfigResource& resource,
                                              const IncrementalAlterConfigsRequest::Resource& wanted) {
  Settings settings = broker.image()->settings(resource);
  std::vector<ConfigChange> changes;
  std::set<std::string> named;
  for (const auto& config : wanted.configs) {
    if (!named.insert(config.name).second) {
      throw Refused{ErrorCode::invalid_request, "Error due to duplicate config keys"};
    }
  }
  for (const auto& config : wanted.configs) {
    if (config.config_operation < set || config.config_operation > subtract) {
      throw Refused{ErrorCode::unknown_server_error, "Unknown config operation."};
    }
    if (config.config_operation == remove) {
      if (settings.erase(config.name) > 0) changes.push_back({config.name, std::nullopt});
      continue;
    }
    if (!config.value) {
      throw Refused{ErrorCode::invalid_request, "Null value not supported for : " + config.name};
    }
    const KeyTraits traits = traits_of(resource, config.name);
    std::string value = *config.value;
    if (config.config_operation != set) {
      if (traits.type != ConfigType::list) {
        throw Refused{ErrorCode::invalid_config,
                      "Can't " + std::string(config.config_operation == append ? "APPEND" : "SUBTRACT") + " to key " +
                          config.name + " because its type is not LIST."};
      }
      std::vector<std::string> items = split_list(current_value(broker, resource, config.name, settings));
      for (const std::string& item : split_list(*config.value)) {
        const auto found = std::ranges::find(items, item);
        if (config.config_operation == append && found == items.end()) items.push_back(item);
        if (config.config_operation == subtract && found != items.end()) items.erase(found);
      }
      value = join(items);
    }
    const auto before = settings.find(config.name);
    if (before != settings.end() && before->second == value) continue;
    settings[config.name] = value;
    changes.push_back({config.name, value});
  }
  check_settings(broker, resource, settings);
  return changes;
}

std::vector<ConfigChange> replacing_changes(const Broker& broker, const ConfigResource& resource,
                                            const AlterConfigsRequest::Resource& wanted) {
  const Settings& before = broker.image()->settings(resource);
  Settings after;
  for (const auto& config : wanted.configs) {
    if (!config.value) throw Refused{ErrorCode::invalid_request, "Null value not supported for : " + config.name};
    if (after.contains(config.name)) throw Refused{ErrorCode::invalid_request, "Error due to duplicate config keys"};
    static_cast<void>(traits_of(resource, config.name));
    after[config.name] = *config.value;
  }
  check_settings(broker, resource, after);
  std::vector<ConfigChange> changes;
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old == before.end() || old->second != value) changes.push_back({name, value});
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) changes.push_back({name, std::nullopt});
  }
  return changes;
}

template <class Request, class Response, class Changes>
Task<Response> alter(Broker& broker, Request request, Changes changes_of) {
  Response response;
  std::map<ConfigResource, int> named;
  for (const auto& wanted : request.resources) {
    ++named[{static_cast<ResourceType>(wanted.resource_type), wanted.resource_name}];
  }
  for (const auto& wanted : request.resources) {
    const ConfigResource resource{static_cast<ResourceType>(wanted.resource_type), wanted.resource_name};
    const auto times = named.find(resource);
    if (times == named.end()) continue;
    typename Response::Response answer;
    answer.resource_type = wanted.resource_type;
    answer.resource_name = wanted.resource_name;
    try {
      if (times->second > 1) {
        named.erase(times);
        throw Refused{ErrorCode::invalid_request, "Each resource must appear at most once."};
      }
      check_resource(broker, resource);
      const std::vector<ConfigChange> changes = changes_of(broker, resource, wanted);
      const bool validate_only = request.validate_only;
      auto change = [&broker, &resource, &changes, validate_only]() -> Task<Outcome> {
        co_return co_await broker.controller().change_configs(resource, changes, validate_only);
      };
      const Outcome outcome = co_await on(broker.first_shard(), std::move(change));
      answer.error = outcome.error;
      answer.error_message = outcome.message;
    } catch (const Refused& refused) {
      answer.error = refused.error;
      answer.error_message = refused.message;
    }
    response.responses.push_back(std::move(answer));
  }
  co_return response;
}

Task<ListConfigResourcesResponse> list_config_resources(Broker& broker, RequestContext context,
                                                        ListConfigResourcesRequest request) {
  ListConfigResourcesResponse response;
  if (context.version == 0) co_return response;  // client metrics only; nobody can set any
  const auto wants = [&](ResourceType type) {
    return request.resource_types.empty() ||
           std::ranges::find(request.resource_types, static_cast<int8_t>(type)) != request.resource_types.end();
  };
  const auto add = [&](ResourceType type, std::string name) {
    ListConfigResourcesResponse::ConfigResource resource;
    resource.resource_name = std::move(name);
    resource.resource_type = static_cast<int8_t>(type);
    response.config_resources.push_back(std::move(resource));
  };
  const Image image = broker.image();
  for (const int8_t type : request.resource_types) {
    const auto known = static_cast<ResourceType>(type);
    if (known != ResourceType::topic && known != ResourceType::broker && known != ResourceType::broker_logger &&
        known != ResourceType::client_metrics && known != ResourceType::group) {
      response.error = ErrorCode::unsupported_version;
      co_return response;
    }
  }
  if (wants(ResourceType::topic)) {
    for (const replication::Topic& topic : image->topics()) add(ResourceType::topic, topic->name);
  }
  for (const ResourceType type : {ResourceType::broker, ResourceType::broker_logger}) {
    if (wants(type)) add(type, std::to_string(broker.id().value));
  }
  for (const auto& [resource, settings] : image->all_settings()) {
    const bool other = resource.type == ResourceType::group || resource.type == ResourceType::client_metrics;
    if (other && wants(resource.type)) add(resource.type, resource.name);
  }
  co_return response;
}

}  // namespace

void add_configs(Dispatch& dispatch, Broker& broker) {
  dispatch.add<DescribeConfigsRequest, DescribeConfigsResponse>(
      1, 4, [&broker](RequestContext context, DescribeConfigsRequest request) {
        return describe_configs(broker, std::move(context), std::move(request));
      });
  dispatch.add<AlterConfigsRequest, AlterConfigsResponse>(0, 2, [&broker](RequestContext, AlterConfigsRequest request) {
    return alter<AlterConfigsRequest, AlterConfigsResponse>(broker, std::move(request), replacing_changes);
  });
  dispatch.add<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
      0, 1, [&broker](RequestContext, IncrementalAlterConfigsRequest request) {
        return alter<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(broker, std::move(request),
                                                                                      incremental_changes);
      });
  dispatch.add<ListConfigResourcesRequest, ListConfigResourcesResponse>(
      0, 1, [&broker](RequestContext context, ListConfigResourcesRequest request) {
        return list_config_resources(broker, std::move(context), std::move(request));
      });
}

}  // namespace millrace::broker
