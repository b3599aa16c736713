#include "processing/operators/over.h"

#include <algorithm>

#include "processing/operators/row_order.h"

namespace millrace::processing {

namespace {

std::vector<AggregateCall> aggregates_of(const plan::Over& node) {
  std::vector<AggregateCall> calls;
  for (const AggregateCall& call : node.aggregates)
    if (call.name != "LAG") calls.push_back(call);
  return calls;
}

}  // namespace

Over::Over(JobContext& job, const plan::Over& node)
    : Operator(job, 1),
      node_(node),
      input_types_(types_of(node.inputs.front()->schema)),
      types_(types_of(node.schema)),
      set_(aggregates_of(node), false),
      running_(set_.make()) {
  const DataType& order = input_types_[static_cast<size_t>(node.order_by.front().column)];
  by_time_ = order.is_time_attribute();
  proctime_ = order.attribute == TimeAttribute::proctime;
  size_t aggregate = 0;
  for (const AggregateCall& call : node.aggregates) {
    Call one;
    one.lag = call.name == "LAG";
    if (one.lag) {
      if (call.args.size() > 1) {
        if (const std::optional<Value> n = constant_value(call.args[1], eval_); n && !n->is_null())
          one.offset = n->as_int();
      }
      keep_rows_ = std::max(keep_rows_, static_cast<size_t>(one.offset));
    } else {
      one.aggregate = aggregate++;
    }
    calls_.push_back(one);
  }
  if (node.rows && node.preceding) keep_rows_ = std::max(keep_rows_, static_cast<size_t>(*node.preceding));
}

void Over::on_batch(int, Batch batch) {
  BatchBuilder out(types_);
  batch.each([&](size_t at) {
    const std::string key = key_of(batch, at, node_.partition_by);
    if (!by_time_) return resort(key, batch.row(at), out);
    if (proctime_) {
      std::vector<Row> rows;
      rows.push_back(batch.row(at));
      return handle(key, job_.now, std::move(rows), out);
    }
    const Column& column = batch.columns[static_cast<size_t>(node_.order_by.front().column)];
    if (column.is_null(at)) return;
    const int64_t time = column.at<TimestampValue>(at).millis;
    if (time <= watermark()) {
      ++job_.late_dropped;
      return;
    }
    waiting_[time][key].push_back(batch.row(at));
  });
  emit(out.finish());
}

void Over::on_watermark(int64_t watermark) {
  BatchBuilder out(types_);
  while (!waiting_.empty() && waiting_.begin()->first <= watermark) {
    const int64_t time = waiting_.begin()->first;
    auto keys = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    for (auto& [key, rows] : keys) handle(key, time, std::move(rows), out);
  }
  emit(out.finish());
  emit_watermark(watermark);
}

void Over::add_to(size_t group, const Row& row) {
  BatchBuilder one(input_types_);
  one.append(row);
  const Batch batch = one.finish();
  const AggregateSet::Inputs inputs = set_.evaluate(batch, eval_);
  const uint32_t first = 0;
  const auto number = static_cast<uint32_t>(group);
  set_.accumulate(running_, inputs, batch, {&first, 1}, {&number, 1});
}

// Rows of one key and one time.
void Over::handle(const std::string& key, int64_t time, std::vector<Row> rows, BatchBuilder& out) {
  bool added = false;
  const uint32_t group = keys_.find_or_add(key, added);
  if (history_.size() < keys_.capacity()) history_.resize(keys_.capacity());
  resize(running_, keys_.capacity());
  std::deque<Timed>& history = history_[group];
  const bool together = !node_.rows && !proctime_;
  const size_t before = history.size();
  for (size_t i = 0; i < rows.size(); ++i) {
    history.push_back({time, rows[i]});
    if (!node_.preceding && set_.size() > 0) add_to(group, rows[i]);
    if (!together) give(out, rows[i], results(history, history.size(), group), RowKind::insert);
  }
  if (together) {
    for (size_t i = 0; i < rows.size(); ++i) {
      Row values = results(history, history.size(), group);
      for (size_t c = 0; c < calls_.size(); ++c) {
        if (!calls_[c].lag) continue;
        values[c] = results(history, before + i + 1, group)[c];  // LAG goes by rows in any frame
      }
      give(out, rows[i], values, RowKind::insert);
    }
  }
  // Forget what no later row looks back to.
  if (!node_.rows && node_.preceding) {
    while (history.size() > keep_rows_ && history.front().time < time - *node_.preceding) history.pop_front();
  } else {
    while (history.size() > keep_rows_) history.pop_front();
  }
}

// The calls' values for the row that is last among history[0, upto).
Row Over::results(const std::deque<Timed>& history, size_t upto, size_t group) {
  Row values(calls_.size());
  AccumulatorList frame;
  if (node_.preceding && set_.size() > 0) {
    const Timed& current = history[upto - 1];
    size_t from = 0;
    if (node_.rows)
      from = upto > static_cast<size_t>(*node_.preceding) + 1 ? upto - static_cast<size_t>(*node_.preceding) - 1 : 0;
    else
      while (history[from].time < current.time - *node_.preceding) ++from;
    BatchBuilder rows(input_types_);
    std::vector<uint32_t> numbers;
    for (size_t i = from; i < upto; ++i) {
      rows.append(history[i].row);
      numbers.push_back(static_cast<uint32_t>(i - from));
    }
    const Batch batch = rows.finish();
    frame = set_.make();
    resize(frame, 1);
    const AggregateSet::Inputs inputs = set_.evaluate(batch, eval_);
    const std::vector<uint32_t> groups(batch.rows, 0);
    set_.accumulate(frame, inputs, batch, numbers, groups);
  }
  for (size_t c = 0; c < calls_.size(); ++c) {
    if (!calls_[c].lag) {
      const AccumulatorList& states = node_.preceding ? frame : running_;
      values[c] = states[calls_[c].aggregate]->result(node_.preceding ? 0 : group);
      continue;
    }
    const AggregateCall& call = node_.aggregates[c];
    const auto back = static_cast<size_t>(calls_[c].offset);
    if (back < upto)
      values[c] = evaluate_row(*call.args[0], history[upto - 1 - back].row, eval_);
    else if (call.args.size() > 2)
      values[c] = evaluate_row(*call.args[2], history[upto - 1].row, eval_);
  }
  return values;
}

void Over::give(BatchBuilder& out, const Row& row, const Row& results, RowKind kind) {
  for (size_t c = 0; c < row.size(); ++c) out.column(c).append(row[c]);
  for (size_t c = 0; c < results.size(); ++c) out.column(row.size() + c).append(results[c]);
  out.end_row(kind);
}

void Over::resort(const std::string& key, Row row, BatchBuilder& out) {
  std::vector<std::pair<Row, Row>>& rows = sorted_[key];
  const auto place = std::upper_bound(rows.begin(), rows.end(), row, [&](const Row& a, const auto& b) {
    return compare_rows(a, b.first, node_.order_by) < 0;
  });
  const size_t at = static_cast<size_t>(place - rows.begin());
  rows.insert(place, {row, {}});
  // Everything anew: the frame of each row is all rows up to it, with a RANGE frame all that tie with it.
  AccumulatorList states = set_.make();
  resize(states, 1);
  std::deque<Timed> history;
  std::vector<Row> results(rows.size());
  for (size_t i = 0; i < rows.size();) {
    size_t end = i + 1;
    if (!node_.rows)
      while (end < rows.size() && compare_rows(rows[i].first, rows[end].first, node_.order_by) == 0) ++end;
    for (size_t k = i; k < end; ++k) {
      BatchBuilder one(input_types_);
      one.append(rows[k].first);
      const Batch batch = one.finish();
      const AggregateSet::Inputs inputs = set_.evaluate(batch, eval_);
      const uint32_t zero = 0;
      set_.accumulate(states, inputs, batch, {&zero, 1}, {&zero, 1});
    }
    for (size_t k = i; k < end; ++k) {
      for (const auto& state : states) results[k].push_back(state->result(0));
    }
    i = end;
  }
  give(out, rows[at].first, results[at], RowKind::insert);
  rows[at].second = results[at];
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i == at || rows[i].second == results[i]) continue;
    give(out, rows[i].first, rows[i].second, RowKind::update_before);
    give(out, rows[i].first, results[i], RowKind::update_after);
    rows[i].second = results[i];
  }
}

void Over::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(keys_.size()));
  keys_.each([&](uint32_t group) {
    append_bytes(out, keys_.key(group));
    processing::save(running_, group, out);
    append_int(out, static_cast<int64_t>(history_[group].size()));
    for (const Timed& timed : history_[group]) {
      append_int(out, timed.time);
      append_row(out, timed.row);
    }
  });
  append_int(out, static_cast<int64_t>(waiting_.size()));
  for (const auto& [time, keys] : waiting_) {
    append_int(out, time);
    append_int(out, static_cast<int64_t>(keys.size()));
    for (const auto& [key, rows] : keys) {
      append_bytes(out, key);
      append_int(out, static_cast<int64_t>(rows.size()));
      for (const Row& row : rows) append_row(out, row);
    }
  }
  append_int(out, static_cast<int64_t>(sorted_.size()));
  for (const auto& [key, rows] : sorted_) {
    append_bytes(out, key);
    append_int(out, static_cast<int64_t>(rows.size()));
    for (const auto& [row, results] : rows) {
      append_row(out, row);
      append_row(out, results);
    }
  }
}

void Over::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    bool added = false;
    const uint32_t group = keys_.find_or_add(read_bytes(in), added);
    history_.resize(keys_.capacity());
    resize(running_, keys_.capacity());
    processing::load(running_, group, in);
    for (int64_t r = read_int(in); r > 0; --r) {
      const int64_t time = read_int(in);
      history_[group].push_back({time, read_row(in)});
    }
  }
  for (int64_t n = read_int(in); n > 0; --n) {
    auto& keys = waiting_[read_int(in)];
    for (int64_t k = read_int(in); k > 0; --k) {
      std::vector<Row>& rows = keys[std::string(read_bytes(in))];
      for (int64_t r = read_int(in); r > 0; --r) rows.push_back(read_row(in));
    }
  }
  for (int64_t n = read_int(in); n > 0; --n) {
    auto& rows = sorted_[std::string(read_bytes(in))];
    for (int64_t r = read_int(in); r > 0; --r) {
      Row row = read_row(in);
      rows.emplace_back(std::move(row), read_row(in));
    }
  }
}

TemporalSort::TemporalSort(JobContext& job, const plan::TemporalSort& node)
    : Operator(job, 1),
      node_(node),
      proctime_(node.inputs.front()->schema[static_cast<size_t>(node.order_by.front().column)].type.attribute ==
                TimeAttribute::proctime),
      types_(types_of(node.schema)) {}

void TemporalSort::on_batch(int, Batch batch) {
  if (proctime_) return emit(std::move(batch));
  batch.each([&](size_t at) {
    const Column& column = batch.columns[static_cast<size_t>(node_.order_by.front().column)];
    if (column.is_null(at)) return;
    const int64_t time = column.at<TimestampValue>(at).millis;
    if (time <= watermark()) {
      ++job_.late_dropped;
      return;
    }
    std::vector<Row>& rows = waiting_[time];
    Row row = batch.row(at);
    const auto place = std::upper_bound(rows.begin(), rows.end(), row, [&](const Row& a, const Row& b) {
      return compare_rows(a, b, node_.order_by) < 0;
    });
    rows.insert(place, std::move(row));
  });
}

void TemporalSort::on_watermark(int64_t watermark) {
  BatchBuilder out(types_);
  while (!waiting_.empty() && waiting_.begin()->first <= watermark) {
    for (const Row& row : waiting_.begin()->second) out.append(row);
    waiting_.erase(waiting_.begin());
  }
  emit(out.finish());
  emit_watermark(watermark);
}

void TemporalSort::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(waiting_.size()));
  for (const auto& [time, rows] : waiting_) {
    append_int(out, time);
    append_int(out, static_cast<int64_t>(rows.size()));
    for (const Row& row : rows) append_row(out, row);
  }
}

void TemporalSort::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    std::vector<Row>& rows = waiting_[read_int(in)];
    for (int64_t r = read_int(in); r > 0; --r) rows.push_back(read_row(in));
  }
}

}  // namespace millrace::processing
