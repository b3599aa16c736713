// Topic settings: which value is in effect and where it comes from, and the log's view of them.
//   dynamic topic > dynamic broker > dynamic default broker > server.properties > default
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/config/config.h"
#include "log/log.h"
#include "replication/image.h"

namespace millrace::broker {

// The numbers of DescribeConfigs.
enum class ConfigSource : int8_t {
  unknown = 0,
  dynamic_topic = 1,
  dynamic_broker = 2,
  dynamic_default_broker = 3,
  static_broker = 4,
  fallback = 5,
  dynamic_broker_logger = 6,
  client_metrics = 7,
  group = 8,
};

struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::unknown;
};

struct EffectiveConfig {
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::fallback;
  std::vector<ConfigSynonym> synonyms;  // most important first; the first one is in effect
};

// Everything a setting may come from.
struct ConfigLayers {
  const Config& file;
  const replication::Settings& broker;   // set on this broker
  const replication::Settings& brokers;  // set for all brokers
};
ConfigLayers config_layers(const Config& file, const replication::MetadataImage& image);

EffectiveConfig effective_topic_config(const TopicKey& key, const replication::Settings& topic,
                                       const ConfigLayers& layers);
EffectiveConfig effective_broker_config(const ConfigKey& key, const ConfigLayers& layers);

log::LogConfig log_config(const replication::Settings& topic, const ConfigLayers& layers);
// Of one setting, such as min.insync.replicas.
std::string topic_value(std::string_view key, const replication::Settings& topic, const ConfigLayers& layers);

// Throws ConfigError with Kafka's words unless all of a topic's own settings may stand together.
void validate_topic_settings(const replication::Settings& topic, const ConfigLayers& layers);

}  // namespace millrace::broker
