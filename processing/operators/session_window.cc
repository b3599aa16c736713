#include "processing/operators/session_window.h"

#include <algorithm>

#include "processing/failure.h"
#include "processing/operators/row_order.h"

namespace millrace::processing {

SessionOperator::SessionOperator(JobContext& job, const plan::WindowSpec& spec)
    : Operator(job, 1), spec_(spec), time_(eval_.zone, spec.local_time) {}

int64_t SessionOperator::time_of(const Batch& batch, size_t row) const {
  if (spec_.proctime) return job_.now;
  const Column& column = batch.columns[static_cast<size_t>(spec_.time_column)];
  if (column.is_null(row)) return min_watermark;
  return column.at<TimestampValue>(row).millis;
}

int64_t SessionOperator::place(std::string_view key, int64_t instant) {
  const int64_t local = time_.local(instant);
  bool added = false;
  const uint32_t number = keys_.find_or_add(key, added);
  if (sessions_.size() < keys_.capacity()) sessions_.resize(keys_.capacity());
  SessionSet& set = sessions_[number];
  const SessionSet::Placed placed = set.place({local, local + spec_.size});
  const Window& window = placed.session.window;
  if (!spec_.proctime && time_.fired(window.end, progress_)) {
    if (set.empty()) keys_.remove(number);
    return -1;
  }
  int64_t state = placed.session.state;
  if (state < 0) state = new_state();
  for (size_t i = 0; i < placed.absorbed.size(); ++i) {
    const SessionSet::Session& old = placed.absorbed[i];
    timers_.erase({old.window.end, number, old.window.start});
    if (i > 0) merge_states(state, old.state);
  }
  set.keep(placed, state);
  timers_.insert({window.end, number, window.start});
  return state;
}

void SessionOperator::on_watermark(int64_t watermark) {
  if (!spec_.proctime) fire_until(watermark);
  emit_watermark(watermark);
}

std::optional<int64_t> SessionOperator::next_time() const {
  if (!spec_.proctime || timers_.empty()) return std::nullopt;
  return time_.timer(timers_.begin()->end - 1);
}

void SessionOperator::on_time(int64_t now) {
  if (!spec_.proctime) return;
  refresh();
  fire_until(now);
}

void SessionOperator::fire_until(int64_t progress) {
  progress_ = std::max(progress_, progress);
  while (!timers_.empty() && time_.fired(timers_.begin()->end, progress_)) {
    const Timer timer = *timers_.begin();
    timers_.erase(timers_.begin());
    SessionSet& set = sessions_[timer.key];
    const auto at = set.all().find(timer.start);
    if (at == set.all().end()) continue;
    const SessionSet::Session session = at->second;
    set.remove(session.window);
    close_session(keys_.key(timer.key), session.window, session.state);
    if (set.empty()) keys_.remove(timer.key);
  }
  flush();
}

void SessionOperator::save(std::string& out) const {
  Operator::save(out);
  append_int(out, progress_);
  append_int(out, static_cast<int64_t>(keys_.size()));
  keys_.each([&](uint32_t number) {
    append_bytes(out, keys_.key(number));
    append_int(out, static_cast<int64_t>(sessions_[number].all().size()));
    for (const auto& [start, session] : sessions_[number].all()) {
      append_int(out, start);
      append_int(out, session.window.end);
      save_state(session.state, out);
    }
  });
}

void SessionOperator::load(std::string_view& in) {
  Operator::load(in);
  progress_ = read_int(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    bool added = false;
    const uint32_t number = keys_.find_or_add(read_bytes(in), added);
    sessions_.resize(keys_.capacity());
    for (int64_t s = read_int(in); s > 0; --s) {
      const int64_t start = read_int(in);
      const int64_t end = read_int(in);
      sessions_[number].restore({{start, end}, load_state(in)});
      timers_.insert({end, number, start});
    }
  }
}

SessionAggregate::SessionAggregate(JobContext& job, const plan::WindowAggregate& node)
    : SessionOperator(job, node.window),
      node_(node),
      set_(node.aggregates, false),
      states_(set_.make()),
      types_(types_of(node.schema)),
      out_(types_) {
  for (const ExprPtr& key : node_.keys) key_types_.push_back(key->type);
}

void SessionAggregate::on_batch(int, Batch batch) {
  std::vector<Column> keys;
  for (const ExprPtr& key : node_.keys) keys.push_back(evaluate(*key, batch, eval_));
  const AggregateSet::Inputs inputs = set_.evaluate(batch, eval_);
  std::vector<uint32_t> groups(batch.rows);
  std::string key;
  batch.each([&](size_t row) {
    const int64_t at = time_of(batch, row);
    if (at == min_watermark)
      throw RunFailure("java.lang.RuntimeException",
                       "RowTime field should not be null, please convert it to a non-null long value.");
    key.clear();
    append_key(key, keys, row);
    const int64_t state = place(key, at);
    if (state < 0) {
      ++job_.late_dropped;
      return;
    }
    groups[row] = static_cast<uint32_t>(state);
    const auto one = static_cast<uint32_t>(row);
    set_.accumulate(states_, inputs, batch, {&one, 1}, groups);
  });
}

int64_t SessionAggregate::new_state() {
  if (!free_.empty()) {
    const int64_t state = free_.back();
    free_.pop_back();
    return state;
  }
  const int64_t state = used_++;
  resize(states_, static_cast<size_t>(used_));
  return state;
}

void SessionAggregate::release(int64_t state) {
  reset(states_, static_cast<size_t>(state));
  free_.push_back(state);
}

void SessionAggregate::merge_states(int64_t into, int64_t from) {
  processing::merge(states_, static_cast<size_t>(into), states_, static_cast<size_t>(from));
  release(from);
}

void SessionAggregate::close_session(std::string_view key, Window window, int64_t state) {
  const Row keys = decode_key(key, key_types_);
  size_t at = 0;
  for (const Value& value : keys) out_.column(at++).append(value);
  for (const auto& one : states_) out_.column(at++).append(one->result(static_cast<size_t>(state)));
  for (const plan::WindowProperty property : node_.properties) {
    int64_t millis = window.start;
    if (property == plan::WindowProperty::end) millis = window.end;
    if (property == plan::WindowProperty::time)
      millis = types_[at].is(TypeRoot::timestamp_ltz) ? time_.instant(window.end - 1) : window.end - 1;
    out_.column(at++).append(Value::timestamp(millis));
  }
  out_.end_row();
  release(state);
}

void SessionAggregate::flush() {
  if (out_.rows() == 0) return;
  Batch batch = out_.finish();
  out_ = BatchBuilder(types_);
  emit(std::move(batch));
}

void SessionAggregate::save_state(int64_t state, std::string& out) const {
  processing::save(states_, static_cast<size_t>(state), out);
}

int64_t SessionAggregate::load_state(std::string_view& in) {
  const int64_t state = new_state();
  processing::load(states_, static_cast<size_t>(state), in);
  return state;
}

SessionRows::SessionRows(JobContext& job, const plan::WindowTvf& node)
    : SessionOperator(job, node.window), node_(node), out_(types_of(node.schema)) {}

void SessionRows::on_batch(int, Batch batch) {
  std::vector<Column> keys;
  for (const int column : spec_.partition_by) keys.push_back(batch.columns[static_cast<size_t>(column)]);
  std::string key;
  batch.each([&](size_t row) {
    const int64_t at = time_of(batch, row);
    if (at == min_watermark) return;
    key.clear();
    append_key(key, keys, row);
    const int64_t state = place(key, at);
    if (state < 0) {
      ++job_.late_dropped;
      return;
    }
    rows_[state].push_back({arrivals_++, batch.row(row), batch.kind(row)});
  });
}

int64_t SessionRows::new_state() { return next_++; }

void SessionRows::merge_states(int64_t into, int64_t from) {
  std::vector<Kept>& target = rows_[into];
  std::vector<Kept>& source = rows_[from];
  target.insert(target.end(), std::make_move_iterator(source.begin()), std::make_move_iterator(source.end()));
  std::ranges::sort(target, {}, &Kept::arrival);
  rows_.erase(from);
}

void SessionRows::close_session(std::string_view, Window window, int64_t state) {
  for (const Kept& kept : rows_[state]) {
    for (size_t c = 0; c < kept.row.size(); ++c) out_.column(c).append(kept.row[c]);
    out_.column(kept.row.size()).append(Value::timestamp(window.start));
    out_.column(kept.row.size() + 1).append(Value::timestamp(window.end));
    out_.column(kept.row.size() + 2).append(Value::timestamp(time_.instant(window.end - 1)));
    out_.end_row(kept.kind);
  }
  rows_.erase(state);
}

void SessionRows::flush() {
  if (out_.rows() == 0) return;
  Batch batch = out_.finish();
  out_ = BatchBuilder(types_of(node_.schema));
  emit(std::move(batch));
}

void SessionRows::save_state(int64_t state, std::string& out) const {
  const std::vector<Kept>& rows = rows_.at(state);
  append_int(out, static_cast<int64_t>(rows.size()));
  for (const Kept& kept : rows) {
    append_int(out, static_cast<int64_t>(kept.kind));
    append_row(out, kept.row);
  }
}

int64_t SessionRows::load_state(std::string_view& in) {
  const int64_t state = new_state();
  std::vector<Kept>& rows = rows_[state];
  for (int64_t n = read_int(in); n > 0; --n) {
    const auto kind = static_cast<RowKind>(read_int(in));
    rows.push_back({arrivals_++, read_row(in), kind});
  }
  return state;
}

}  // namespace millrace::processing
