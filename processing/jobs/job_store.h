// Stored jobs: the definitions of continuous INSERT jobs, in the compacted internal topic __millrace_jobs.
//
//   key   := job id, 32 hex digits
//   value := JSON: {"version":1,"name":…,"statement":…,"plan":hash,"created":ms,"settings":{…},"setup":[DDL,…]}
//            null: the job is over
//
// A restart runs the setup statements in a new session with the same settings, plans the statement again, and refuses
// to go on when the plan is not the one that made the checkpoints.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "processing/ports.h"

namespace millrace::processing {

struct JobDefinition {
  std::string id;
  std::string name;
  std::string statement;
  std::string plan_hash;
  int64_t created = 0;
  std::map<std::string, std::string> settings;
  std::vector<std::string> setup;

  std::string encode() const;
  static JobDefinition decode(std::string id, std::string_view json);  // throws std::runtime_error
};

class JobStore {
 public:
  static constexpr const char* topic = "__millrace_jobs";

  JobStore(TopicReader& reader, TopicWriter& writer) : reader_(reader), writer_(writer) {}

  Task<std::vector<JobDefinition>> load();  // none when the topic is not there
  Task<ErrorCode> put(JobDefinition definition);
  Task<ErrorCode> remove(std::string id);

 private:
  Task<ErrorCode> append(std::string key, std::optional<std::string> value);

  TopicReader& reader_;
  TopicWriter& writer_;
};

}  // namespace millrace::processing
