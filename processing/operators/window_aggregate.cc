#include "processing/operators/window_aggregate.h"

#include <algorithm>

#include "processing/failure.h"

namespace millrace::processing {

namespace {

constexpr size_t groups_of_a_turn = 1 << 15;
constexpr int few_windows = 1000;

WindowShape shape_or_unit(const plan::WindowAggregate& node) {
  WindowShape shape = shape_of(node.window);
  if (shape.size <= 0) shape = {.kind = WindowKind::tumble, .size = 1};  // attached: never asked for slices
  return shape;
}

}  // namespace

WindowAggregate::WindowAggregate(JobContext& job, const plan::WindowAggregate& node)
    : Operator(job, 1),
      node_(node),
      set_(node.aggregates, false),
      assigner_(shape_or_unit(node)),
      time_(eval_.zone, node.window.local_time) {
  for (const ExprPtr& key : node_.keys) key_types_.push_back(key->type);
}

int64_t WindowAggregate::last_window_end(int64_t slice_end) const {
  return node_.attached ? slice_end : assigner_.last_window_end(slice_end);
}

std::span<const WindowAggregate::Share> WindowAggregate::shares_of(const Batch& batch) {
  size_t used = 0;
  Share* current = nullptr;
  const auto share_of = [&](int64_t end) {
    const auto known =
        std::ranges::find(shares_.begin(), shares_.begin() + static_cast<ptrdiff_t>(used), end, &Share::end);
    if (known != shares_.begin() + static_cast<ptrdiff_t>(used)) return &*known;
    if (used == shares_.size()) shares_.emplace_back();
    Share& share = shares_[used++];
    share.end = end;
    share.rows.clear();
    return &share;
  };
  if (node_.attached) {
    const Column& ends = batch.columns[static_cast<size_t>(node_.attached->end)];
    batch.each([&](size_t row) {
      if (ends.is_null(row)) return;
      const int64_t end = ends.at<TimestampValue>(row).millis;
      if (current == nullptr || current->end != end) current = share_of(end);
      current->rows.push_back(static_cast<uint32_t>(row));
    });
  } else if (node_.window.proctime) {
    current = share_of(assigner_.slice_end(time_.local(eval_.now.millis)));
    batch.each([&](size_t row) { current->rows.push_back(static_cast<uint32_t>(row)); });
  } else {
    const Column& times = batch.columns[static_cast<size_t>(node_.window.time_column)];
    const auto* values = times.data<TimestampValue>();
    const size_t step = times.is_constant() ? 0 : 1;
    const int64_t length = assigner_.interval();
    batch.each([&](size_t row) {
      if (times.is_null(row))
        throw RunFailure("java.lang.RuntimeException",
                         "RowTime field should not be null, please convert it to a non-null long value.");
      const int64_t at = time_.local(values[row * step].millis);
      if (current == nullptr || at >= current->end || at < current->end - length)
        current = share_of(assigner_.slice_end(at));
      current->rows.push_back(static_cast<uint32_t>(row));
    });
  }
  std::ranges::sort(shares_.begin(), shares_.begin() + static_cast<ptrdiff_t>(used), {}, &Share::end);
  return {shares_.data(), used};
}

void WindowAggregate::on_batch(int, Batch batch) {
  while (busy()) go_on();
  if (node_.window.proctime && !node_.attached) progress_ = std::max(progress_, job_.now);
  std::vector<Column> keys;
  for (const ExprPtr& key : node_.keys) keys.push_back(evaluate(*key, batch, eval_));
  const AggregateSet::Inputs inputs = set_.evaluate(batch, eval_);
  if (groups_.size() < batch.rows) groups_.resize(batch.rows);
  for (const Share& share : shares_of(batch)) {
    const auto rows = static_cast<int64_t>(share.rows.size());
    WindowSlice* slice = place(share.end);
    if (slice == nullptr) {
      job_.late_dropped += rows;
      continue;
    }
    if (slice->rows == 0) slice->states = set_.make();
    slice->rows += rows;
    key_bytes_.write(keys, share.rows);
    slice->keys.find_or_add(key_bytes_, share.rows, groups_);
    resize(slice->states, slice->keys.capacity());
    set_.accumulate(slice->states, inputs, batch, share.rows, groups_);
  }
}

WindowSlice* WindowAggregate::place(int64_t slice_end) {
  if (!fired(slice_end)) {
    timers_.insert(slice_end);
    return &slices_[slice_end];
  }
  if (fired(last_window_end(slice_end))) return nullptr;
  timers_.insert(next_window_end(slice_end));
  if (node_.window.kind == plan::WindowSpec::Kind::cumulate)
    return &cumulated_[assigner_.window_ending(slice_end).start];
  return &slices_[slice_end];
}

int64_t WindowAggregate::next_window_end(int64_t slice_end) const {
  const int64_t step = assigner_.interval();
  int64_t next = slice_end;
  for (int i = 0; i < few_windows; ++i, next += step)
    if (!fired(next)) return next;
  int64_t from = 0;
  int64_t to = (last_window_end(slice_end) - next) / step;
  while (from < to) {
    const int64_t middle = from + (to - from) / 2;
    if (fired(next + middle * step))
      from = middle + 1;
    else
      to = middle;
  }
  return next + from * step;
}

void WindowAggregate::add(WindowSlice& into, WindowSlice from) {
  if (into.keys.capacity() == 0)
    into = std::move(from);
  else
    merge(into, from);
}

void WindowAggregate::merge(WindowSlice& into, const WindowSlice& from) const {
  std::vector<uint32_t> numbers;
  into.keys.find_or_add(from.keys, numbers);
  resize(into.states, into.keys.capacity());
  from.keys.each([&](uint32_t group) { processing::merge(into.states, numbers[group], from.states, group); });
  into.rows += from.rows;
}

void WindowAggregate::on_watermark(int64_t watermark) {
  if (node_.window.proctime) return emit_watermark(watermark);
  while (busy()) go_on();
  progress_ = std::max(progress_, watermark);
  go_on();
}

// True of a state that was saved in between, too.
bool WindowAggregate::busy() const { return !node_.window.proctime && !timers_.empty() && fired(*timers_.begin()); }

void WindowAggregate::go_on() {
  fire_some();
  if (!busy()) emit_watermark(progress_);
}

std::optional<int64_t> WindowAggregate::next_time() const {
  if (!node_.window.proctime || timers_.empty()) return std::nullopt;
  return time_.timer(*timers_.begin() - 1);
}

void WindowAggregate::on_time(int64_t now) {
  if (!node_.window.proctime) return;
  refresh();
  progress_ = std::max(progress_, now);
  fire_some();
}

void WindowAggregate::fire_some() {
  for (size_t groups = 0; groups < groups_of_a_turn && !timers_.empty() && fired(*timers_.begin());) {
    const int64_t end = *timers_.begin();
    timers_.erase(timers_.begin());
    groups += 1 + fire(end);
  }
}

size_t WindowAggregate::fire(int64_t window_end) {
  const auto drop = [this](int64_t slice_end) { slices_.erase(slice_end); };
  switch (node_.attached ? plan::WindowSpec::Kind::tumble : node_.window.kind) {
    case plan::WindowSpec::Kind::hop: {
      const int64_t first = assigner_.first_slice_end(window_end);
      std::vector<WindowSlice*> parts;
      size_t groups = 0;
      for (auto at = slices_.lower_bound(first); at != slices_.end() && at->first <= window_end; ++at) {
        parts.push_back(&at->second);
        groups += at->second.keys.size();
      }
      if (parts.empty()) return 0;
      if (parts.size() == 1) {
        emit_window(window_end, *parts.front());
      } else {
        WindowSlice whole;
        whole.states = set_.make();
        for (const WindowSlice* part : parts) merge(whole, *part);
        emit_window(window_end, whole);
      }
      drop(first);
      timers_.insert(window_end + assigner_.interval());  // fires for nothing once the slices are gone
      return groups;
    }
    case plan::WindowSpec::Kind::cumulate: {
      const int64_t start = assigner_.window_ending(window_end).start;
      if (const auto at = slices_.find(window_end); at != slices_.end()) {
        add(cumulated_[start], std::move(at->second));
        slices_.erase(at);
      }
      const auto whole = cumulated_.find(start);
      if (whole == cumulated_.end()) return 0;
      const size_t groups = whole->second.keys.size();
      emit_window(window_end, whole->second);
      if (window_end + assigner_.interval() <= start + node_.window.size)
        timers_.insert(window_end + assigner_.interval());
      else
        cumulated_.erase(whole);
      return groups;
    }
    default: {
      const auto at = slices_.find(window_end);
      if (at == slices_.end()) return 0;
      const size_t groups = at->second.keys.size();
      emit_window(window_end, at->second);
      slices_.erase(at);
      return groups;
    }
  }
}

void WindowAggregate::emit_window(int64_t window_end, const WindowSlice& slice) {
  if (slice.keys.size() == 0) return;
  std::vector<ColumnBuilder> keys;
  for (const DataType& type : key_types_) keys.emplace_back(type);
  std::vector<uint32_t> groups;
  slice.keys.each([&](uint32_t group) {
    groups.push_back(group);
    decode_key(slice.keys.key(group), keys);
  });
  Batch out;
  out.rows = groups.size();
  for (ColumnBuilder& key : keys) out.columns.push_back(key.finish());
  for (const auto& state : slice.states) out.columns.push_back(state->results(groups));
  for (size_t i = 0; i < node_.properties.size(); ++i) {
    const DataType& type = node_.schema[key_types_.size() + node_.aggregates.size() + i].type;
    TimestampValue value;
    switch (node_.properties[i]) {
      case plan::WindowProperty::start:
        value.millis = assigner_.window_ending(window_end).start;
        break;
      case plan::WindowProperty::end:
        value.millis = window_end;
        break;
      case plan::WindowProperty::time:
        value.millis = type.is(TypeRoot::timestamp_ltz) ? time_.instant(window_end - 1) : window_end - 1;
        break;
    }
    out.columns.push_back(Column::constant(type, Value::timestamp(value), out.rows));
  }
  emit(std::move(out));
}

void WindowAggregate::save(std::string& out) const {
  Operator::save(out);
  append_int(out, progress_);
  for (const auto* table : {&slices_, &cumulated_}) {
    append_int(out, static_cast<int64_t>(table->size()));
    for (const auto& [end, slice] : *table) {
      append_int(out, end);
      append_int(out, slice.rows);
      append_int(out, static_cast<int64_t>(slice.keys.size()));
      slice.keys.each([&](uint32_t group) {
        append_bytes(out, slice.keys.key(group));
        processing::save(slice.states, group, out);
      });
    }
  }
  append_int(out, static_cast<int64_t>(timers_.size()));
  for (const int64_t timer : timers_) append_int(out, timer);
}

void WindowAggregate::load(std::string_view& in) {
  Operator::load(in);
  progress_ = read_int(in);
  for (auto* table : {&slices_, &cumulated_}) {
    for (int64_t n = read_int(in); n > 0; --n) {
      WindowSlice& slice = (*table)[read_int(in)];
      slice.states = set_.make();
      slice.rows = read_int(in);
      for (int64_t k = read_int(in); k > 0; --k) {
        bool added = false;
        const uint32_t group = slice.keys.find_or_add(read_bytes(in), added);
        resize(slice.states, slice.keys.capacity());
        processing::load(slice.states, group, in);
      }
    }
  }
  for (int64_t n = read_int(in); n > 0; --n) timers_.insert(read_int(in));
}

}  // namespace millrace::processing
