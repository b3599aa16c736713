#include "broker/config/topic_config.h"

#include <cstdlib>

#include "protocol/compression.h"

namespace millrace::broker {

namespace {

struct BrokerSynonym {
  std::string name;
  int64_t factor = 1;  // to the topic's unit
};

std::vector<BrokerSynonym> synonyms_of(const TopicKey& key) {
  std::vector<BrokerSynonym> synonyms;
  for (const std::string& item : split_list(key.synonyms)) {
    const size_t star = item.find('*');
    if (star == std::string::npos) {
      synonyms.push_back({item, 1});
    } else {
      synonyms.push_back({item.substr(0, star), std::strtoll(item.c_str() + star + 1, nullptr, 10)});
    }
  }
  return synonyms;
}

std::string scaled(const std::string& value, int64_t factor) {
  if (factor == 1) return value;
  const int64_t number = std::strtoll(value.c_str(), nullptr, 10);
  return std::to_string(number < 0 ? -1 : number * factor);
}

struct Found {
  ConfigSynonym synonym;
  int64_t factor;
};

void collect(std::vector<Found>& found, const std::vector<BrokerSynonym>& names, const ConfigLayers& layers) {
  const auto add_from = [&](const auto& map, ConfigSource source) {
    for (const BrokerSynonym& name : names) {
      const auto value = map.find(name.name);
      if (value != map.end()) found.push_back({{name.name, value->second, source}, name.factor});
    }
  };
  add_from(layers.broker, ConfigSource::dynamic_broker);
  add_from(layers.brokers, ConfigSource::dynamic_default_broker);
  add_from(layers.file.given(), ConfigSource::static_broker);
  for (const BrokerSynonym& name : names) {
    const ConfigKey* known = find_broker_key(name.name);
    if (known != nullptr && known->fallback != nullptr) {
      found.push_back({{name.name, std::string(known->fallback), ConfigSource::fallback}, name.factor});
    }
  }
}

int64_t as_number(const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); }

int8_t codec_number(const std::string& name) {
  static const std::string names[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
  for (int8_t i = 0; i < 5; ++i) {
    if (names[i] == name) return i;
  }
  return -1;  // producer
}

}  // namespace

ConfigLayers config_layers(const Config& file, const replication::MetadataImage& image) {
  using replication::ResourceType;
  return {file, image.settings({ResourceType::broker, std::to_string(file.node_id().value)}),
          image.settings({ResourceType::broker, ""})};
}

EffectiveConfig effective_topic_config(const TopicKey& key, const replication::Settings& topic,
                                       const ConfigLayers& layers) {
  EffectiveConfig effective;
  const std::vector<BrokerSynonym> names = synonyms_of(key);
  std::vector<Found> found;
  collect(found, names, layers);
  if (const auto own = topic.find(key.name); own != topic.end()) {
    effective.value = own->second;
    effective.source = ConfigSource::dynamic_topic;
    effective.synonyms.push_back({std::string(key.name), own->second, ConfigSource::dynamic_topic});
  } else if (!found.empty()) {
    effective.value = scaled(*found.front().synonym.value, found.front().factor);
    effective.source = found.front().synonym.source;
  } else {
    if (key.fallback != nullptr) effective.value = key.fallback;
    effective.source = ConfigSource::fallback;
  }
  for (Found& item : found) effective.synonyms.push_back(std::move(item.synonym));
  if (names.empty() && key.fallback != nullptr) {
    effective.synonyms.push_back({std::string(key.name), std::string(key.fallback), ConfigSource::fallback});
  }
  return effective;
}

EffectiveConfig effective_broker_config(const ConfigKey& key, const ConfigLayers& layers) {
  EffectiveConfig effective;
  std::vector<Found> found;
  collect(found, {{std::string(key.name), 1}}, layers);
  if (!found.empty()) {
    effective.value = found.front().synonym.value;
    effective.source = found.front().synonym.source;
  }
  for (Found& item : found) effective.synonyms.push_back(std::move(item.synonym));
  return effective;
}

std::string topic_value(std::string_view key, const replication::Settings& topic, const ConfigLayers& layers) {
  const TopicKey* known = find_topic_key(key);
  check(known != nullptr);
  return effective_topic_config(*known, topic, layers).value.value_or("");
}

log::LogConfig log_config(const replication::Settings& topic, const ConfigLayers& layers) {
  const auto text = [&](std::string_view key) { return topic_value(key, topic, layers); };
  const auto number = [&](std::string_view key) { return as_number(text(key)); };
  log::LogConfig config;
  config.segment_bytes = static_cast<int32_t>(number("segment.bytes"));
  config.segment_age = Millis(number("segment.ms"));
  config.index_bytes = static_cast<int32_t>(number("segment.index.bytes"));
  config.index_interval_bytes = static_cast<int32_t>(number("index.interval.bytes"));
  config.retention_bytes = number("retention.bytes");
  config.retention = Millis(number("retention.ms"));
  config.file_delete_delay = Millis(number("file.delete.delay.ms"));
  config.cleanup_delete = config.cleanup_compact = false;
  for (const std::string& policy : split_list(text("cleanup.policy"))) {
    if (policy == "delete") config.cleanup_delete = true;
    if (policy == "compact") config.cleanup_compact = true;
  }
  config.max_message_bytes = static_cast<int32_t>(number("max.message.bytes"));
  config.timestamp_type = text("message.timestamp.type") == "LogAppendTime" ? log::TimestampType::log_append_time
                                                                            : log::TimestampType::create_time;
  config.timestamp_before_max = Millis(number("message.timestamp.before.max.ms"));
  config.timestamp_after_max = Millis(number("message.timestamp.after.max.ms"));
  config.compression = codec_number(text("compression.type"));
  config.flush_messages = number("flush.messages");
  config.flush_interval = Millis(number("flush.ms"));
  return config;
}

void validate_topic_settings(const replication::Settings& topic, const ConfigLayers& layers) {
  for (const auto& [name, value] : topic) {
    const TopicKey* key = find_topic_key(name);
    if (key == nullptr) throw ConfigError("Unknown topic config name: " + name);
    validate_value(name, key->type, key->allowed, value);
  }
  const int64_t least = as_number(topic_value("min.compaction.lag.ms", topic, layers));
  const int64_t most = as_number(topic_value("max.compaction.lag.ms", topic, layers));
  if (least > most) {
    throw ConfigError("conflict topic config setting min.compaction.lag.ms (" + std::to_string(least) +
                      ") > max.compaction.lag.ms (" + std::to_string(most) + ")");
  }
  const auto remote = topic.find("remote.storage.enable");
  if (remote != topic.end() && remote->second == "true") {
    throw ConfigError(
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.");
  }
}

}  // namespace millrace::broker
