// The config tables: every broker and topic setting that is known, once. Parsing, validation, what DescribeConfigs
// says, and the documentation are derived from here.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace millrace::broker {

// Values are those of DescribeConfigs.
enum class ConfigType : int8_t {
  unknown = 0,
  boolean = 1,
  string = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  real = 6,
  list = 7,
  class_name = 8,
  password = 9,
};

enum class Tier : uint8_t {
  honoured,  // does what Kafka's does
  later,     // belongs to a feature that is not built: accepted, listed at start when given
  ignored,   // means nothing here (threads of the JVM broker, JMX, …): accepted, listed at start when given
};

enum class Dynamic : uint8_t { no, per_broker, cluster };

// Which values are allowed, in a short notation:
//   ""         any             ">=1"       at least 1          "0..100"   between
//   "a|b|c"    one of these    "{a|b}"     a list of these     "!class"   plug-in: only the value(s) listed behind
struct ConfigKey {
  std::string_view name;
  ConfigType type;
  const char* fallback;  // the default; null: none
  Tier tier;
  Dynamic dynamic;
  std::string_view allowed;
  std::string_view doc;
};

struct TopicKey {
  std::string_view name;
  ConfigType type;
  const char* fallback;
  std::string_view allowed;
  std::string_view synonyms;  // broker keys that give its default, most important first; "log.roll.ms,log.roll.hours*h"
  std::string_view doc;
};

// Sorted by name.
std::span<const ConfigKey> broker_keys();
std::span<const TopicKey> topic_keys();
const ConfigKey* find_broker_key(std::string_view name);
const TopicKey* find_topic_key(std::string_view name);

class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws ConfigError with Kafka's words. `value` is trimmed as Kafka does.
void validate_value(std::string_view name, ConfigType type, std::string_view allowed, std::string_view value);

}  // namespace millrace::broker
