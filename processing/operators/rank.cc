#include "processing/operators/rank.h"

#include <algorithm>
#include <limits>

#include "processing/operators/row_order.h"

namespace millrace::processing {

Rank::Rank(JobContext& job, const plan::Rank& node)
    : Operator(job, 1),
      partition_by_(node.partition_by),
      order_(node.order_by),
      first_(node.first),
      last_(node.last.value_or(std::numeric_limits<int64_t>::max())),
      emit_rank_(node.emit_rank),
      emit_update_before_(node.emit_update_before && node.changelog != plan::Changelog::upsert),
      shifts_(node.emit_rank || node.first > 1 || last_ == 1),
      append_only_(node.inputs.front()->changelog == plan::Changelog::insert_only),
      types_(types_of(node.schema)) {
  if (node.inputs.front()->changelog == plan::Changelog::upsert) upsert_key_ = node.inputs.front()->upsert_key;
}

namespace {

constexpr int64_t endless = std::numeric_limits<int64_t>::max();

int64_t sum_or_endless(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? endless : sum;
}

}  // namespace

Rank::Rank(JobContext& job, const plan::SortLimit& node)
    : Operator(job, 1),
      order_(node.order_by),
      first_(sum_or_endless(node.offset, 1)),
      last_(node.fetch ? sum_or_endless(node.offset, *node.fetch) : endless),
      emit_rank_(false),
      emit_update_before_(node.emit_update_before && node.changelog != plan::Changelog::upsert),
      shifts_(node.offset > 0),
      append_only_(node.inputs.front()->changelog == plan::Changelog::insert_only),
      types_(types_of(node.schema)) {
  if (node.inputs.front()->changelog == plan::Changelog::upsert) upsert_key_ = node.inputs.front()->upsert_key;
}

void Rank::give(BatchBuilder& out, const Row& row, int64_t rank, RowKind kind) const {
  for (size_t c = 0; c < row.size(); ++c) out.column(c).append(row[c]);
  if (emit_rank_) out.column(row.size()).append(Value::integer(rank));
  out.end_row(kind);
}

void Rank::replace(BatchBuilder& out, const Row& before, const Row& after, int64_t rank) const {
  if (!in_range(rank)) return;
  if (emit_update_before_) give(out, before, rank, RowKind::update_before);
  give(out, after, rank, RowKind::update_after);
}

void Rank::on_batch(int, Batch batch) {
  BatchBuilder out(types_);
  batch.each([&](size_t at) {
    Row row = batch.row(at);
    std::string key = key_of(batch, at, partition_by_);
    const bool retract = is_retraction(batch.kind(at));
    if (!upsert_key_.empty()) {
      const std::string id = key_of(batch, at, upsert_key_);
      if (const auto old = by_key_.find(id); old != by_key_.end()) {
        const Batch old_batch = [&] {
          BatchBuilder one(std::span(types_).first(old->second.size()));
          one.append(old->second);
          return one.finish();
        }();
        remove(partitions_[key_of(old_batch, 0, partition_by_)], old->second, out);
        by_key_.erase(old);
      }
      if (retract) return;
      by_key_[id] = row;
    }
    std::vector<Row>& rows = partitions_[key];
    if (retract)
      remove(rows, row, out);
    else
      add(rows, std::move(row), out);
    if (rows.empty()) partitions_.erase(key);
  });
  emit(out.finish());
}

void Rank::add(std::vector<Row>& rows, Row row, BatchBuilder& out) {
  const auto place = std::upper_bound(rows.begin(), rows.end(), row,
                                      [&](const Row& a, const Row& b) { return compare_rows(a, b, order_) < 0; });
  const auto index = place - rows.begin();
  const auto size = static_cast<int64_t>(rows.size());
  if (index >= last_ && append_only_) return;
  if (index < last_) {
    if (!shifts_) {
      if (size >= last_) give(out, rows[static_cast<size_t>(last_ - 1)], last_, RowKind::delete_);
      give(out, row, index + 1, RowKind::insert);
    } else {
      const Row* coming = &row;
      int64_t rank = index + 1;
      for (; rank <= std::min(size, last_); ++rank) {
        const Row& leaving = rows[static_cast<size_t>(rank - 1)];
        replace(out, leaving, *coming, rank);
        coming = &leaving;
      }
      if (rank <= last_ && in_range(rank)) give(out, *coming, rank, RowKind::insert);
    }
  }
  rows.insert(place, std::move(row));
  if (append_only_ && static_cast<int64_t>(rows.size()) > last_) rows.pop_back();
}

void Rank::remove(std::vector<Row>& rows, const Row& row, BatchBuilder& out) {
  const auto place = std::ranges::find(rows, row);
  if (place == rows.end()) return;
  const auto index = place - rows.begin();
  const auto size = static_cast<int64_t>(rows.size());
  if (index < last_) {
    if (!shifts_) {
      give(out, row, index + 1, RowKind::delete_);
      if (size > last_) give(out, rows[static_cast<size_t>(last_)], last_, RowKind::insert);
    } else {
      int64_t rank = index + 1;
      for (; rank < size && rank <= last_; ++rank)
        replace(out, rows[static_cast<size_t>(rank - 1)], rows[static_cast<size_t>(rank)], rank);
      if (rank <= last_ && in_range(rank)) give(out, rows[static_cast<size_t>(rank - 1)], rank, RowKind::delete_);
    }
  }
  rows.erase(place);
}

void Rank::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(partitions_.size()));
  for (const auto& [key, rows] : partitions_) {
    append_bytes(out, key);
    append_int(out, static_cast<int64_t>(rows.size()));
    for (const Row& row : rows) append_row(out, row);
  }
  append_int(out, static_cast<int64_t>(by_key_.size()));
  for (const auto& [key, row] : by_key_) {
    append_bytes(out, key);
    append_row(out, row);
  }
}

void Rank::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    std::vector<Row>& rows = partitions_[std::string(read_bytes(in))];
    for (int64_t r = read_int(in); r > 0; --r) rows.push_back(read_row(in));
  }
  for (int64_t n = read_int(in); n > 0; --n) {
    Row& row = by_key_[std::string(read_bytes(in))];
    row = read_row(in);
  }
}

}  // namespace millrace::processing
