// A recorded SQL case: topics and their records, a script, and what Flink did with it. README.md has the format.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "protocol/record_batch.h"

namespace millrace::sqltest {

struct CaseRecord {
  int partition = 0;
  std::string timestamp;  // milliseconds, or "now" among expectations
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<protocol::Header> headers;
};

struct CaseTopic {
  std::string name;
  int partitions = 1;
  std::vector<CaseRecord> records;
};

struct Expectation {
  enum class Kind { append_sorted, append_ordered, changelog, topic, error, ok };
  Kind kind = Kind::ok;
  int key = 0;        // changelog: fold by this column, 1 is the first; 0: by whole rows
  bool fold = false;  // topic
  std::string topic;  // topic
  std::vector<CaseRecord> records;
  std::vector<std::string> lines;
  std::string stage, reason, position;  // error
  std::vector<std::string> causes;
};

struct Case {
  std::string name;
  std::string family;
  std::vector<CaseTopic> topics;
  std::string script;
  std::vector<Expectation> expectations;
};

// Throws std::runtime_error for what is no case.
Case read_case(const std::filesystem::path& path);

}  // namespace millrace::sqltest
