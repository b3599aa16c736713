#include "processing/connectors/sinks.h"

#include <algorithm>

#include "processing/connectors/partitioner.h"
#include "processing/failure.h"
#include "processing/jobs/job_failure.h"
#include "processing/operators/key_table.h"

namespace millrace::processing {

namespace {

constexpr size_t encoded_at_once = 64;  // rows, so that their bytes are still near when they go into a batch

}  // namespace

void SinkOperator::on_batch(int, Batch batch) {
  std::vector<uint32_t> rows;
  rows.reserve(batch.selected());
  std::optional<RunFailure> failure;
  if (node_.not_null.empty()) {
    batch.each([&](size_t row) { rows.push_back(static_cast<uint32_t>(row)); });
    rows_ += static_cast<int64_t>(rows.size());
    return write(batch, rows);
  }
  const bool drop = job_.setting("table.exec.sink.not-null-enforcer", "ERROR") == "DROP";
  batch.each([&](size_t row) {
    if (failure) return;
    for (const int column : node_.not_null) {
      if (!batch.columns[static_cast<size_t>(column)].is_null(row)) continue;
      if (drop) return;
      failure.emplace("org.apache.flink.table.api.TableRuntimeException",
                      "Column '" + node_.schema[static_cast<size_t>(column)].name +
                          "' is NOT NULL, however, a null value is being written into it. You can set job "
                          "configuration 'table.exec.sink.not-null-enforcer'='DROP' to suppress this exception and "
                          "drop such records silently.");
      return;
    }
    rows.push_back(static_cast<uint32_t>(row));
  });
  rows_ += static_cast<int64_t>(rows.size());
  write(batch, rows);
  if (failure) throw *failure;
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

KafkaSink::Route& KafkaSink::route(const std::string& topic) {
  Route& route = routes_[topic];
  if (!route.lanes.empty()) return route;
  const auto at = partitions_.find(topic);
  if (at == partitions_.end())
    throw JobFailure("org.apache.kafka.common.errors.TimeoutException",
                     "Topic " + topic + " not present in metadata after 60000 ms.");
  for (int p = 0; p < at->second; ++p) route.lanes.push_back(&outbox_.lane(topic, p));
  return route;
}

size_t KafkaSink::choose(size_t partitions, std::optional<std::string_view> key) {
  switch (options_.partitioner) {
    case SinkOptions::Partitioner::fixed:
      return 0;
    case SinkOptions::Partitioner::round_robin:
      return static_cast<size_t>(sticky_++) % partitions;
    case SinkOptions::Partitioner::by_key:
      break;
  }
  if (key) return static_cast<size_t>(partition_of_key(*key, static_cast<int>(partitions)));
  return static_cast<size_t>(sticky_) % partitions;
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

std::optional<Batch> KafkaSink::materialized(const Batch& batch, size_t row) {
  RowKind kind = batch.kind(row);
  Row out;
  if (!materialize(batch, row, kind, out)) return std::nullopt;
  Batch changed;
  changed.rows = 1;
  changed.kinds = {kind};
  for (size_t c = 0; c < out.size(); ++c)
    changed.columns.push_back(Column::from_values(node_.schema[c].type, {&out[c], 1}));
  return changed;
}

void KafkaSink::write(const Batch& batch, std::span<const uint32_t> rows) {
  if (node_.materialize) {
    for (const uint32_t row : rows) {
      static constexpr uint32_t only = 0;
      if (const std::optional<Batch> changed = materialized(batch, row)) write_some(*changed, {&only, 1});
    }
    return;
  }
  while (!rows.empty()) {
    const size_t count = std::min(rows.size(), encoded_at_once);
    write_some(batch, rows.first(count));
    rows = rows.subspan(count);
  }
}

void KafkaSink::Encoded::clear() {
  text.clear();
  ends.clear();
  from = 0;
}

std::optional<std::string_view> KafkaSink::Encoded::next(size_t number) {
  const size_t end = ends[number];
  if (end == RowEncoder::null_row) return std::nullopt;
  const size_t start = std::exchange(from, end);
  return std::string_view(text).substr(start, end - start);
}

void KafkaSink::write_some(const Batch& batch, std::span<const uint32_t> rows) {
  const auto encode = [&](RowEncoder& encoder, const std::vector<int>& numbers, std::span<const uint32_t> which,
                          Encoded& encoded) {
    std::vector<Column> picked;
    for (const int n : numbers) picked.push_back(batch.columns[static_cast<size_t>(n)]);
    encoder.encode_all(picked, which, encoded.text, encoded.ends);
  };
  keys_.clear();
  values_.clear();
  if (key_) encode(*key_, key_columns_, rows, keys_);
  // A row taken back is a tombstone, whether it is updated afterwards or not.
  const auto is_tombstone = [&](size_t row) { return options_.upsert && is_retraction(batch.kind(row)); };
  std::span<const uint32_t> with_value = rows;
  if (options_.upsert && !batch.kinds.empty()) {
    kept_rows_.clear();
    for (const uint32_t row : rows)
      if (!is_tombstone(row)) kept_rows_.push_back(row);
    with_value = kept_rows_;
  }
  encode(*value_, value_columns_, with_value, values_);
  if (write_values()) return;

  const std::string no_topic;
  Route* usual = nullptr;
  size_t value_number = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint32_t row = rows[i];
    const std::optional<std::string_view> key = key_ ? keys_.next(i) : std::nullopt;
    const std::optional<std::string_view> value = is_tombstone(row) ? std::nullopt : values_.next(value_number++);
    Timestamp timestamp(job_.now);
    headers_.clear();
    Route* to = nullptr;
    for (size_t m = 0; m < node_.metadata.size(); ++m) {
      const Column& column = batch.columns[static_cast<size_t>(node_.metadata_columns[m])];
      if (column.is_null(row)) continue;
      if (node_.metadata[m].key == "timestamp") {
        const int64_t millis = column.at<TimestampValue>(row).millis;
        if (millis < 0)
          throw JobFailure(
              "java.lang.IllegalArgumentException",
              "Invalid timestamp: " + std::to_string(millis) + ". Timestamp should always be non-negative or null.");
        timestamp = Timestamp(millis);
      } else if (node_.metadata[m].key == "headers") {
        const Value headers = column.value(row);
        const std::vector<Value>& items = headers.items();
        for (size_t h = 0; h + 1 < items.size(); h += 2) {
          if (items[h].is_null()) continue;
          protocol::Header header;
          header.key = items[h].as_text();
          if (!items[h + 1].is_null()) header.value = items[h + 1].as_text();
          headers_.push_back(std::move(header));
        }
      } else if (node_.metadata[m].key == "topic") {
        to = &route(column.value(row).as_text());
      }
    }
    if (to == nullptr) {
      if (usual == nullptr) usual = &route(options_.topics.empty() ? no_topic : options_.topics.front());
      to = usual;
    }
    outbox_.add(*to->lanes[choose(to->lanes.size(), key)], timestamp, key, value, headers_);
  }
}

bool KafkaSink::write_values() {
  if (key_ || options_.upsert || !node_.metadata.empty() || options_.topics.empty()) return false;
  if (options_.partitioner == SinkOptions::Partitioner::round_robin) return false;
  if (std::ranges::find(values_.ends, RowEncoder::null_row) != values_.ends.end()) return false;
  Route& to = route(options_.topics.front());
  outbox_.add_values(*to.lanes[choose(to.lanes.size(), std::nullopt)], Timestamp(job_.now), values_.text, values_.ends);
  return true;
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

void PrintSink::write(const Batch& batch, std::span<const uint32_t> rows) {
  for (const uint32_t row : rows) {
    std::string line = prefix_ + std::string(row_kind_text(batch.kind(row))) + "[";
    for (size_t c = 0; c < batch.columns.size(); ++c) {
      if (c > 0) line += ", ";
      const Value value = batch.columns[c].value(row);
      line += value.is_null() ? "null" : value_text(value, node_.schema[c].type, eval_.zone);
    }
    print_(line + "]");
  }
}

}  // namespace millrace::processing
