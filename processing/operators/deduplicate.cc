#include "processing/operators/deduplicate.h"

#include "processing/operators/row_order.h"

namespace millrace::processing {

Deduplicate::Deduplicate(JobContext& job, const plan::Deduplicate& node)
    : Operator(job, 1), node_(node), types_(types_of(node.schema)) {}

void Deduplicate::on_batch(int, Batch batch) {
  BatchBuilder out(types_);
  batch.each([&](size_t at) {
    std::string key = key_of(batch, at, node_.keys);
    int64_t time = job_.now;
    if (!node_.proctime) {
      const Column& column = batch.columns[static_cast<size_t>(node_.time_column)];
      if (column.is_null(at)) return;
      time = column.at<TimestampValue>(at).millis;
    }
    const auto known = keys_.find(key);
    if (!node_.keep_last) {
      if (node_.proctime) {
        if (known != keys_.end()) return;
        keys_[key].sent = true;
        out.append(batch, at, RowKind::insert);
        return;
      }
      if (known != keys_.end() && (known->second.sent || known->second.time <= time)) return;
      if (time <= watermark()) {
        ++job_.late_dropped;
        return;
      }
      if (known != keys_.end()) waiting_.erase({known->second.time, key});
      keys_[key] = {batch.row(at), time, false};
      waiting_.insert({time, key});
      return;
    }
    if (known != keys_.end() && !node_.proctime && known->second.time > time) return;
    Row row = batch.row(at);
    if (known == keys_.end()) {
      out.append(row, RowKind::insert);
    } else {
      if (node_.emit_update_before) out.append(known->second.row, RowKind::update_before);
      out.append(row, RowKind::update_after);
    }
    keys_[key] = {std::move(row), time, true};
  });
  emit(out.finish());
}

void Deduplicate::on_watermark(int64_t watermark) {
  BatchBuilder out(types_);
  while (!waiting_.empty() && waiting_.begin()->first <= watermark) {
    Kept& kept = keys_.at(waiting_.begin()->second);
    out.append(kept.row);
    kept.sent = true;
    kept.row.clear();
    waiting_.erase(waiting_.begin());
  }
  emit(out.finish());
  emit_watermark(watermark);
}

void Deduplicate::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(keys_.size()));
  for (const auto& [key, kept] : keys_) {
    append_bytes(out, key);
    append_int(out, kept.time);
    append_int(out, kept.sent ? 1 : 0);
    append_row(out, kept.row);
  }
}

void Deduplicate::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    std::string key(read_bytes(in));
    Kept kept;
    kept.time = read_int(in);
    kept.sent = read_int(in) != 0;
    kept.row = read_row(in);
    if (!kept.sent) waiting_.insert({kept.time, key});
    keys_.emplace(std::move(key), std::move(kept));
  }
}

ChangelogNormalize::ChangelogNormalize(JobContext& job, const plan::ChangelogNormalize& node)
    : Operator(job, 1), node_(node), types_(types_of(node.schema)) {}

bool ChangelogNormalize::passes(const Row& row) {
  if (!node_.condition) return true;
  const Value verdict = evaluate_row(*node_.condition, row, eval_);
  return !verdict.is_null() && verdict.as_bool();
}

void ChangelogNormalize::on_batch(int, Batch batch) {
  BatchBuilder out(types_);
  batch.each([&](size_t at) {
    const std::string key = key_of(batch, at, node_.key);
    const auto known = rows_.find(key);
    const bool before = known != rows_.end() && passes(known->second);
    if (is_retraction(batch.kind(at))) {
      if (batch.kind(at) == RowKind::update_before || known == rows_.end()) return;
      if (before) out.append(known->second, RowKind::delete_);
      rows_.erase(known);
      return;
    }
    Row row = batch.row(at);
    const bool after = passes(row);
    if (before && after) {
      if (known->second == row) return;
      if (node_.emit_update_before) out.append(known->second, RowKind::update_before);
      out.append(row, RowKind::update_after);
    } else if (before) {
      out.append(known->second, RowKind::delete_);
    } else if (after) {
      out.append(row, RowKind::insert);
    }
    rows_[key] = std::move(row);
  });
  emit(out.finish());
}

void ChangelogNormalize::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(rows_.size()));
  for (const auto& [key, row] : rows_) {
    append_bytes(out, key);
    append_row(out, row);
  }
}

void ChangelogNormalize::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    Row& row = rows_[std::string(read_bytes(in))];
    row = read_row(in);
  }
}

}  // namespace millrace::processing
