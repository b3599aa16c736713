#include "processing/connectors/partition_task.h"

#include <algorithm>

#include "processing/failure.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

constexpr size_t batch_rows = 2048;
constexpr size_t records_at_once = 64;
constexpr size_t fetched_ahead = 1024;
constexpr size_t few_rows_of_a_row = 16;

}  // namespace

PartitionTask::PartitionTask(JobContext& job, const plan::Scan& scan, const SourceOptions& options, std::string topic,
                             PartitionId partition, std::vector<const plan::Node*> chain)
    : job_(job),
      eval_(job.evaluation()),
      scan_(scan),
      options_(options),
      topic_(std::move(topic)),
      partition_(partition) {
  size_t rows_of_a_row = 1;
  for (const plan::Node* node : chain) {
    chain_.push_back(make_transform(*node));
    rows_of_a_row = std::min(rows_of_a_row * chain_.back()->rows_of_a_row(), Transform::piece_rows);
  }
  if (rows_of_a_row > few_rows_of_a_row) most_rows_ = Transform::piece_rows / rows_of_a_row;
  const auto needed_of = [&](const TableFormats::One& format) {
    std::vector<bool> needed;
    for (const int column : format.columns) {
      const auto index = static_cast<size_t>(column);
      needed.push_back(index >= scan_.needed.size() || scan_.needed[index]);
    }
    return needed;
  };
  const TableFormats& formats = options_.formats;
  if (formats.key)
    key_decoder_ = make_decoder(formats.key->name, formats.key->options, formats.key->fields, needed_of(*formats.key));
  value_decoder_ =
      make_decoder(formats.value.name, formats.value.options, formats.value.fields, needed_of(formats.value));
  for (size_t i = 0; i < scan_.physical.size(); ++i) {
    if (i < scan_.needed.size() && !scan_.needed[i])
      physical_.emplace_back();
    else
      physical_.emplace_back(std::in_place, scan_.physical[i].type);
  }
  for (const plan::MetadataColumn& column : scan_.metadata) metadata_.emplace_back(column.type);

  std::vector<bool> covered(scan_.physical.size(), false);
  const auto cover = [&](const TableFormats::One& format) {
    for (const int column : format.columns) covered[static_cast<size_t>(column)] = true;
  };
  cover(formats.value);
  if (formats.key) cover(*formats.key);
  for (size_t i = 0; i < covered.size(); ++i)
    if (physical_[i] && !covered[i]) uncovered_.push_back(i);
  values_alone_ = !key_decoder_ && metadata_.empty() && uncovered_.empty() && !options_.upsert;
  for (const int column : formats.value.columns) {
    int field = -1;
    if (formats.key) {
      const auto at = std::ranges::find(formats.key->columns, column);
      if (at != formats.key->columns.end()) field = static_cast<int>(at - formats.key->columns.begin());
    }
    key_field_of_value_.push_back(field);
  }
}

bool PartitionTask::run(std::span<const Bytes> batches, std::optional<Offset> until,
                        const std::function<void(Piece)>& give, const std::function<bool()>& enough) {
  eval_.now = {job_.now, 0};
  for (const Bytes& bytes : batches) {
    protocol::BatchIterator iterator(bytes);
    while (const std::optional<protocol::RecordBatch> batch = iterator.next()) {
      if (batch->next_offset() <= position_) continue;
      if (until && batch->base_offset() >= *until) break;
      if (!batch->is_control()) {
        std::optional<protocol::RecordReader> reader;
        try {
          reader.emplace(*batch);
        } catch (const std::exception& error) {
          throw JobFailure("org.apache.kafka.common.KafkaException",
                           "Received exception when fetching the next record from " + topic_ + "-" +
                               std::to_string(partition_.value) +
                               ". If needed, please seek past the record to continue consumption.");
        }
        for (bool more = true; more;) {
          memory_.push_back(reader->payload().owner());
          more = decode(*batch, *reader, until);
          // Views of legacy records live in their reader.
          if (more || rows_ >= batch_rows || is_full() || batch->is_legacy()) flush(give);
          if (!more) break;
          position_ = decoded_until_;
          if (enough()) return false;
        }
      }
      position_ = batch->next_offset();
      if (until && position_ > *until) position_ = *until;
    }
  }
  flush(give);
  return true;
}

bool PartitionTask::decode(const protocol::RecordBatch& batch, protocol::RecordReader& reader,
                           std::optional<Offset> until) {
  const TableFormats& formats = options_.formats;
  const auto builder_of = [&](int column) {
    std::optional<ColumnBuilder>& builder = physical_[static_cast<size_t>(column)];
    return builder ? &*builder : nullptr;
  };
  std::vector<ColumnBuilder*> value_columns;
  for (const int column : formats.value.columns) value_columns.push_back(builder_of(column));
  std::vector<ColumnBuilder*> key_columns;
  if (key_decoder_) {
    // What both have is the value's.
    for (const int column : formats.key->columns)
      key_columns.push_back(std::ranges::find(formats.value.columns, column) != formats.value.columns.end()
                                ? nullptr
                                : builder_of(column));
  }
  if (values_alone_) return decode_values(reader, value_columns, until);
  const auto expected = static_cast<size_t>(std::clamp(batch.is_legacy() ? 0 : batch.count(), 16, 4096));
  RowTargets values(value_columns, expected);
  RowTargets keys(key_columns, expected);
  for (protocol::RecordView record; reader.read(record);) {
    if (record.offset < position_) continue;
    if (until && record.offset >= *until) break;
    count(record);
    if (!decode_row(record, keys, values)) continue;
    for (const size_t column : uncovered_) physical_[column]->append_null();
    for (size_t i = 0; i < metadata_.size(); ++i) add_metadata(i, batch, record);
    if (options_.upsert) kinds_.push_back(record.value ? RowKind::update_after : RowKind::delete_);
    records_of_rows_.push_back(record.value.value_or(std::string_view()));
    ++rows_;
    if (is_full()) return true;
  }
  return false;
}

void PartitionTask::count(const protocol::RecordView& record) {
  ++records_;
  decoded_until_ = record.offset + 1;
  bytes_ += static_cast<int64_t>((record.value ? record.value->size() : 0) + (record.key ? record.key->size() : 0));
}

// Where rows are made of nothing but values: some records at a time, so that what was walked over is decoded while it
// is near.
bool PartitionTask::decode_values(protocol::RecordReader& reader, std::span<ColumnBuilder* const> columns,
                                  std::optional<Offset> until) {
  const size_t at_once = std::min(records_at_once, most_rows_);
  bool more = true;
  while (more) {
    values_.clear();
    decoded_.clear();
    while (values_.size() < at_once) {
      protocol::RecordView record;
      more = reader.read(record) && !(until && record.offset >= *until);
      if (!more) break;
      if (record.offset < position_) continue;
      count(record);
      values_.push_back(record.value);
      if (!record.value) continue;
      // The next record begins where this one ends; it will not be much smaller.
      const char* const ahead = record.value->data() + record.value->size() + fetched_ahead;
      const size_t much = std::min<size_t>(record.value->size() + 64, 1024);
      for (size_t at = 0; at < much; at += 64) __builtin_prefetch(ahead + at);
    }
    value_decoder_->decode_all(values_, columns, decoded_);
    for (const uint32_t place : decoded_) records_of_rows_.push_back(values_[place].value_or(std::string_view()));
    rows_ += decoded_.size();
    if (is_full()) return more;
  }
  return false;
}

bool PartitionTask::decode_row(const protocol::RecordView& record, RowTargets& keys, RowTargets& values) {
  if (key_decoder_ && !key_decoder_->decode(record.key)) return false;
  values.begin_row();
  if (options_.upsert && !record.value)
    put_tombstone(values);
  else if (!value_decoder_->decode_into(record.value, values))
    return false;
  if (key_decoder_) {
    keys.begin_row();
    key_decoder_->put_slots(keys);
  }
  return true;
}

void PartitionTask::put_tombstone(RowTargets& values) const {
  for (size_t i = 0; i < key_field_of_value_.size(); ++i) {
    if (!values.wanted(i)) continue;
    const int field = key_field_of_value_[i];
    if (field < 0 || !key_decoder_ || key_decoder_->slots()[static_cast<size_t>(field)].null)
      values.set_null(i);
    else
      values.set_slot(i, key_decoder_->slots()[static_cast<size_t>(field)]);
  }
  values.end_row();
}

void PartitionTask::add_metadata(size_t column, const protocol::RecordBatch& batch,
                                 const protocol::RecordView& record) {
  const std::string& key = scan_.metadata[column].key;
  ColumnBuilder& builder = metadata_[column];
  const Physical physical = physical_of(builder.type().root);
  if (key == "timestamp" && physical == Physical::timestamp)
    builder.append_plain(TimestampValue{record.timestamp.value, 0});
  else if (key == "offset" && physical == Physical::int64)
    builder.append_plain<int64_t>(record.offset.value);
  else if (key == "partition" && physical == Physical::int32)
    builder.append_plain<int32_t>(partition_.value);
  else
    builder.append(metadata(key, batch, record));
}

Value PartitionTask::metadata(const std::string& key, const protocol::RecordBatch& batch,
                              const protocol::RecordView& record) const {
  if (key == "topic") return Value::text(topic_);
  if (key == "partition") return Value::integer(partition_.value);
  if (key == "offset") return Value::integer(record.offset.value);
  if (key == "timestamp") return Value::timestamp(record.timestamp.value);
  if (key == "timestamp-type") {
    if (batch.is_legacy() && record.timestamp.value < 0) return Value::text("NoTimestampType");
    return Value::text(batch.is_log_append_time() ? "LogAppendTime" : "CreateTime");
  }
  if (key == "leader-epoch") {
    if (batch.is_legacy() || batch.leader_epoch().value < 0) return {};
    return Value::integer(batch.leader_epoch().value);
  }
  if (key == "headers") {
    std::vector<Value> entries;
    for (const protocol::HeaderView& header : record.headers()) {
      entries.push_back(Value::text(header.key));
      entries.push_back(header.value ? Value::text(*header.value) : Value());
    }
    return make_map(std::move(entries), DataType::map(DataType::string(), DataType::bytes()));
  }
  throw JobFailure("org.apache.flink.table.api.ValidationException", "Unknown metadata key '" + key + "'.");
}

Batch PartitionTask::source_rows() {
  Batch source;
  source.rows = rows_;
  // Text columns look into the records, which the batch keeps.
  auto memory = std::make_shared<std::vector<std::shared_ptr<const void>>>(std::move(memory_));
  memory_ = {};
  for (size_t i = 0; i < physical_.size(); ++i) {
    if (!physical_[i]) {
      source.columns.push_back(Column::constant(scan_.physical[i].type.with_nullable(true), Value(), rows_));
      continue;
    }
    physical_[i]->keep(memory);
    source.columns.push_back(physical_[i]->finish());
    physical_[i].emplace(scan_.physical[i].type, 2 * batch_rows);
  }
  for (size_t i = 0; i < metadata_.size(); ++i) {
    source.columns.push_back(metadata_[i].finish());
    metadata_[i] = ColumnBuilder(scan_.metadata[i].type);
  }
  if (options_.upsert) source.kinds = std::move(kinds_);
  kinds_.clear();
  rows_ = 0;
  return source;
}

// The rows [from, to) of the source, as far as the chain takes them.
Batch PartitionTask::compute(const Batch& source, size_t from, size_t to) {
  Batch part = source;
  if (from > 0 || to < source.rows) {
    std::vector<uint32_t> rows;
    for (size_t row = from; row < to; ++row) rows.push_back(static_cast<uint32_t>(row));
    part.selection = std::move(rows);
  }
  Batch out;
  out.rows = part.rows;
  out.selection = part.selection;
  for (const ExprPtr& expr : scan_.outputs) out.columns.push_back(evaluate(*expr, part, eval_));
  out.kinds = part.kinds;
  for (const auto& transform : chain_) {
    if (out.selected() == 0) break;
    out = transform->apply(std::move(out), eval_);
  }
  return out;
}

// What goes wrong next to the source is reported with the record, and skipped when bad records are.
void PartitionTask::fail_row(std::string_view record, const RunFailure& failure) const {
  if (value_decoder_->ignores_errors()) return;
  const JobFailure root(failure.java_class(), failure.message());
  const auto [type, message] = value_decoder_->context(record);
  if (type.empty()) throw root;
  throw root.wrapped(type, message);
}

void PartitionTask::flush(const std::function<void(Piece)>& give) {
  bytes_given_ = bytes_;
  if (rows_ == 0) {
    memory_.clear();
    return;
  }
  const std::vector<std::string_view> records = std::move(records_of_rows_);
  records_of_rows_ = {};
  const std::vector<std::shared_ptr<const void>> memory = memory_;  // records are looked at when something fails
  const Batch source = source_rows();
  if (watermark_ != min_watermark) eval_.watermark = watermark_;

  // With watermarks on every event, rows are cut where the watermark moves: what comes behind may be late.
  std::vector<size_t> cuts;
  std::vector<int64_t> marks;
  if (scan_.watermark) {
    Column column;
    try {
      column = evaluate(*scan_.watermark->watermark, source, eval_);
    } catch (const RunFailure& failure) {
      fail_row(records.front(), failure);
      return;
    }
    const auto* times = column.data<TimestampValue>();
    const size_t step = column.is_constant() ? 0 : 1;
    for (size_t row = 0; row < source.rows; ++row) {
      const int64_t mark = times[row * step].millis;
      if (mark <= watermark_ || column.is_null(row)) continue;
      watermark_ = mark;
      if (!options_.watermark_on_event) continue;
      cuts.push_back(row + 1);
      marks.push_back(mark);
    }
  }
  if (cuts.empty() || cuts.back() < source.rows) {
    cuts.push_back(source.rows);
    marks.push_back(min_watermark);
  }
  size_t from = 0;
  for (size_t i = 0; i < cuts.size(); ++i) {
    Piece piece;
    if (marks[i] != min_watermark) piece.watermark = marks[i];
    const std::optional<Offset> read_until = i + 1 == cuts.size() ? std::optional(decoded_until_) : std::nullopt;
    bool failed = false;
    try {
      piece.rows = compute(source, from, cuts[i]);
    } catch (const RunFailure&) {
      failed = true;
    }
    if (!failed) {
      piece.read_until = read_until;
      give(std::move(piece));
    } else {
      // Some row fails: one by one, to know which.
      for (size_t row = from; row < cuts[i]; ++row) {
        Piece one;
        try {
          one.rows = compute(source, row, row + 1);
        } catch (const RunFailure& failure) {
          fail_row(records[row], failure);
        }
        if (row + 1 == cuts[i]) {
          one.watermark = piece.watermark;
          one.read_until = read_until;
        }
        give(std::move(one));
      }
    }
    from = cuts[i];
  }
}

}  // namespace millrace::processing
