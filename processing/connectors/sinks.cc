#include "processing/connectors/sinks.h"

#include <algorithm>

#include "processing/connectors/partitioner.h"
#include "processing/failure.h"
#include "processing/jobs/job_failure.h"
#include "processing/operators/key_table.h"

namespace millrace::processing {

void Outbox::add(const std::string& topic, int partition, OutputRecord record) {
  bytes_ += record.size();
  ++count_;
  records_[{topic, PartitionId(partition)}].push_back(std::move(record));
}

std::map<TopicPartition, std::vector<OutputRecord>> Outbox::take() {
  bytes_ = 0;
  count_ = 0;
  return std::exchange(records_, {});
}

void SinkOperator::on_batch(int, Batch batch) {
  const bool drop = job_.setting("table.exec.sink.not-null-enforcer", "ERROR") == "DROP";
  batch.each([&](size_t row) {
    for (const int column : node_.not_null) {
      if (!batch.columns[static_cast<size_t>(column)].is_null(row)) continue;
      if (drop) return;
      throw RunFailure("org.apache.flink.table.api.TableRuntimeException",
                       "Column '" + node_.schema[static_cast<size_t>(column)].name +
                           "' is NOT NULL, however, a null value is being written into it. You can set job "
                           "configuration 'table.exec.sink.not-null-enforcer'='DROP' to suppress this exception and "
                           "drop such records silently.");
    }
    ++rows_;
    write(batch, row);
  });
}

KafkaSink::KafkaSink(JobContext& job, const plan::Sink& node, std::map<std::string, int> partitions, Outbox& outbox)
    : SinkOperator(job, node), options_(sink_options(node)), partitions_(std::move(partitions)), outbox_(outbox) {
  const auto columns_of = [&](const TableFormats::One& format) {
    std::vector<int> columns;
    for (const int physical : format.columns) columns.push_back(node.physical_columns[static_cast<size_t>(physical)]);
    return columns;
  };
  const TableFormats& formats = options_.formats;
  if (formats.key) {
    key_ = make_encoder(formats.key->name, formats.key->options, formats.key->fields);
    key_columns_ = columns_of(*formats.key);
  }
  value_ = make_encoder(formats.value.name, formats.value.options, formats.value.fields);
  value_columns_ = columns_of(formats.value);
}

int KafkaSink::choose(const std::string& topic, const std::optional<std::string>& key) {
  const auto at = partitions_.find(topic);
  if (at == partitions_.end())
    throw JobFailure("org.apache.kafka.common.errors.TimeoutException",
                     "Topic " + topic + " not present in metadata after 60000 ms.");
  const int count = at->second;
  switch (options_.partitioner) {
    case SinkOptions::Partitioner::fixed:
      return 0;
    case SinkOptions::Partitioner::round_robin:
      return static_cast<int>(sticky_++ % count);
    case SinkOptions::Partitioner::by_key:
      break;
  }
  if (key) return partition_of_key(*key, count);
  return static_cast<int>(sticky_ % count);
}

bool KafkaSink::materialize(const Batch& batch, size_t row, RowKind& kind, Row& out) {
  std::vector<Column> keys;
  for (const int column : node_.primary_key) keys.push_back(batch.columns[static_cast<size_t>(column)]);
  std::string key;
  append_key(key, keys, row);
  std::vector<Row>& known = rows_by_key_[key];
  out = batch.row(row);
  if (!is_retraction(kind)) {
    if (!known.empty() && node_.conflict == plan::Sink::Conflict::error)
      throw RunFailure("org.apache.flink.table.api.TableRuntimeException",
                       "Multiple records with different upsert keys map to the same primary key.");
    if (!known.empty() && node_.conflict == plan::Sink::Conflict::nothing) {
      known.push_back(out);
      return false;
    }
    kind = known.empty() ? RowKind::insert : RowKind::update_after;
    known.push_back(out);
    return true;
  }
  const auto at = std::ranges::find(known, out);
  if (at == known.end()) return false;
  const bool first = at == known.begin();
  const bool last = at + 1 == known.end();
  known.erase(at);
  if (known.empty()) {
    rows_by_key_.erase(key);
    kind = RowKind::delete_;
    return true;
  }
  if (node_.conflict == plan::Sink::Conflict::nothing ? !first : !last) return false;
  out = node_.conflict == plan::Sink::Conflict::nothing ? known.front() : known.back();
  kind = RowKind::update_after;
  return true;
}

void KafkaSink::write(const Batch& batch, size_t row) {
  RowKind kind = batch.kind(row);
  std::vector<Column> changed;
  std::span<const Column> columns = batch.columns;
  size_t at = row;
  if (node_.materialize) {
    Row out;
    if (!materialize(batch, row, kind, out)) return;
    for (size_t c = 0; c < out.size(); ++c) changed.push_back(Column::from_values(node_.schema[c].type, {&out[c], 1}));
    columns = changed;
    at = 0;
  }
  OutputRecord record;
  const auto pick = [&](const std::vector<int>& numbers) {
    std::vector<Column> picked;
    for (const int n : numbers) picked.push_back(columns[static_cast<size_t>(n)]);
    return picked;
  };
  if (key_) record.key = key_->encode(pick(key_columns_), at);
  // A row taken back is a tombstone, whether it is updated afterwards or not.
  if (!(options_.upsert && is_retraction(kind))) record.value = value_->encode(pick(value_columns_), at);
  std::string topic = options_.topics.empty() ? "" : options_.topics.front();
  for (size_t i = 0; i < node_.metadata.size(); ++i) {
    const Column& column = columns[static_cast<size_t>(node_.metadata_columns[i])];
    if (column.is_null(at)) continue;
    if (node_.metadata[i].key == "timestamp") {
      const int64_t millis = column.at<TimestampValue>(at).millis;
      if (millis < 0)
        throw JobFailure(
            "java.lang.IllegalArgumentException",
            "Invalid timestamp: " + std::to_string(millis) + ". Timestamp should always be non-negative or null.");
      record.timestamp = millis;
    } else if (node_.metadata[i].key == "headers") {
      const Value headers = column.value(at);
      const std::vector<Value>& items = headers.items();
      for (size_t h = 0; h + 1 < items.size(); h += 2) {
        if (items[h].is_null()) continue;
        protocol::Header header;
        header.key = items[h].as_text();
        if (!items[h + 1].is_null()) header.value = items[h + 1].as_text();
        record.headers.push_back(std::move(header));
      }
    } else if (node_.metadata[i].key == "topic") {
      topic = column.value(at).as_text();
    }
  }
  const int partition = choose(topic, record.key);
  outbox_.add(topic, partition, std::move(record));
}

void KafkaSink::save(std::string& out) const {
  Operator::save(out);
  append_int(out, sticky_);
  append_int(out, static_cast<int64_t>(rows_by_key_.size()));
  for (const auto& [key, rows] : rows_by_key_) {
    append_bytes(out, key);
    append_int(out, static_cast<int64_t>(rows.size()));
    for (const Row& row : rows) append_row(out, row);
  }
}

void KafkaSink::load(std::string_view& in) {
  Operator::load(in);
  sticky_ = read_int(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    std::vector<Row>& rows = rows_by_key_[std::string(read_bytes(in))];
    for (int64_t r = read_int(in); r > 0; --r) rows.push_back(read_row(in));
  }
}

PrintSink::PrintSink(JobContext& job, const plan::Sink& node, std::function<void(std::string)> print)
    : SinkOperator(job, node), print_(std::move(print)) {
  if (const auto at = node.options.find("print-identifier"); at != node.options.end() && !at->second.empty())
    prefix_ = at->second + "> ";
}

void PrintSink::write(const Batch& batch, size_t row) {
  std::string line = prefix_ + std::string(row_kind_text(batch.kind(row))) + "[";
  for (size_t c = 0; c < batch.columns.size(); ++c) {
    if (c > 0) line += ", ";
    const Value value = batch.columns[c].value(row);
    line += value.is_null() ? "null" : value_text(value, node_.schema[c].type, eval_.zone);
  }
  print_(line + "]");
}

}  // namespace millrace::processing
