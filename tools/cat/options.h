// The flags of `millrace cat`, which are kcat's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/compression.h"
#include "protocol/record_batch.h"

namespace millrace::tools::cat {

enum class Mode { consume, produce, list, query, group };

// Where to start (or, for `until`, to stop) in a partition.
struct Position {
  enum class Kind { beginning, end, stored, absolute, from_end, time } kind = Kind::beginning;
  int64_t value = 0;
};

struct Options {
  Mode mode = Mode::consume;
  std::string brokers = "localhost:9092";
  std::string topic;
  std::vector<std::string> query;  // -Q: topic:partition:timestamp
  std::string group;
  std::vector<std::string> topics;  // -G
  std::vector<std::string> files;   // -P: each one message, or with -l lines
  int32_t partition = -1;
  Position from;
  std::optional<Position> until;
  int64_t count = -1;
  bool exit_at_end = false;
  bool quiet = false;
  bool unbuffered = false;
  bool json = false;
  bool null_for_empty = false;
  bool lines_of_file = false;
  std::string delimiter = "\n";
  std::optional<std::string> key_delimiter;
  std::optional<std::string> fixed_key;
  std::optional<std::string> format;
  protocol::Compression compression = protocol::Compression::none;
  std::vector<protocol::Header> headers;
  std::map<std::string, std::string> properties;  // -X

  std::string property(const std::string& key, std::string fallback) const {
    const auto found = properties.find(key);
    return found == properties.end() ? fallback : found->second;
  }
};

// Throws UsageError, whose text says what is wrong.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
Options parse_options(int argc, char** argv);
extern const char* const usage;

// "\n", "\t", "\x1f" and the like, as written in an argument.
std::string unescape(std::string_view text);

}  // namespace millrace::tools::cat
