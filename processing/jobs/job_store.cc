#include "processing/jobs/job_store.h"

#include <charconv>
#include <stdexcept>

#include "processing/formats/json_reader.h"
#include "processing/functions/json_text.h"
#include "processing/jobs/job_failure.h"
#include "protocol/record_batch.h"
#include "runtime/shard.h"

namespace millrace::processing {

namespace {

void member(std::string& out, std::string_view name, std::string_view text) {
  if (out.size() > 1) out += ',';
  append_json_string(out, name, false);
  out += ':';
  append_json_string(out, text, false);
}

}  // namespace

std::string JobDefinition::encode() const {
  std::string out = "{\"version\":1";
  member(out, "name", name);
  member(out, "statement", statement);
  member(out, "plan", plan_hash);
  out += ",\"created\":" + std::to_string(created);
  out += ",\"settings\":";
  std::string object = "{";
  for (const auto& [key, value] : settings) member(object, key, value);
  out += object + "},\"setup\":[";
  for (size_t i = 0; i < setup.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, setup[i], false);
  }
  return out + "]}";
}

JobDefinition JobDefinition::decode(std::string id, std::string_view text) {
  JobDefinition job;
  job.id = std::move(id);
  try {
    JsonReader json(text);
    if (json.next() != JsonToken::start_object) throw std::runtime_error("not an object");
    while (json.next() == JsonToken::field_name) {
      const std::string name(json.text());
      const JsonToken token = json.next();
      if (name == "name") job.name = json.text();
      if (name == "statement") job.statement = json.text();
      if (name == "plan") job.plan_hash = json.text();
      if (name == "created") {
        const std::string_view digits = json.text();
        std::from_chars(digits.data(), digits.data() + digits.size(), job.created);
      }
      if (name == "settings" && token == JsonToken::start_object) {
        while (json.next() == JsonToken::field_name) {
          std::string key(json.text());
          json.next();
          job.settings[std::move(key)] = json.text();
        }
        continue;
      }
      if (name == "setup" && token == JsonToken::start_array) {
        while (json.next() == JsonToken::string) job.setup.emplace_back(json.text());
        continue;
      }
      if (token == JsonToken::start_object || token == JsonToken::start_array) json.subtree(true);
    }
  } catch (const JobFailure& failure) {
    throw std::runtime_error(std::string("a stored job cannot be read: ") + failure.what());
  }
  return job;
}

Task<std::vector<JobDefinition>> JobStore::load() {
  std::map<std::string, std::string> values;
  const std::optional<int> partitions = co_await reader_.partitions(topic);
  std::vector<JobDefinition> jobs;
  if (!partitions) co_return jobs;
  const PartitionBounds bounds = co_await reader_.bounds(topic, PartitionId(0));
  Offset at = bounds.start;
  while (at < bounds.end) {
    const MonoTime deadline = after(std::chrono::seconds(10));
    const ScanResult part = co_await reader_.scan(topic, PartitionId(0), at, 1 << 20, deadline);
    if (part.error != ErrorCode::none || part.batches.empty())
      throw std::runtime_error(std::string("cannot read the topic ") + topic);
    for (const Bytes& bytes : part.batches) {
      protocol::BatchIterator batches(bytes);
      while (const std::optional<protocol::RecordBatch> batch = batches.next()) {
        if (batch->next_offset() <= at) continue;
        protocol::RecordReader records(*batch);
        while (const std::optional<protocol::RecordView> record = records.next()) {
          if (record->offset < at || !record->key) continue;
          if (record->value)
            values[std::string(*record->key)] = *record->value;
          else
            values.erase(std::string(*record->key));
        }
        at = batch->next_offset();
      }
    }
  }
  for (const auto& [id, json] : values) jobs.push_back(JobDefinition::decode(id, json));
  co_return jobs;
}

Task<ErrorCode> JobStore::put(JobDefinition definition) {
  std::string id = definition.id;
  std::optional<std::string> value = definition.encode();
  co_return co_await append(std::move(id), std::move(value));
}

Task<ErrorCode> JobStore::remove(std::string id) { co_return co_await append(std::move(id), std::nullopt); }

Task<ErrorCode> JobStore::append(std::string key, std::optional<std::string> value) {
  const ErrorCode created = co_await writer_.create(topic, 1, true);
  if (created != ErrorCode::none && created != ErrorCode::topic_already_exists) co_return created;
  protocol::BatchBuilder builder;
  builder.add(Shard::current().clock().wall_now(), key, value ? std::optional<std::string_view>(*value) : std::nullopt);
  const Bytes batch = builder.build();
  ErrorCode error = ErrorCode::none;
  for (int attempt = 0; attempt < 50; ++attempt) {
    error = co_await writer_.append(topic, PartitionId(0), batch);
    if (error == ErrorCode::none) break;
    co_await sleep_until(after(std::chrono::milliseconds(100)));
  }
  co_return error;
}

}  // namespace millrace::processing
