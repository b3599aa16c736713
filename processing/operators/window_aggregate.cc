#include "processing/operators/window_aggregate.h"

#include "processing/failure.h"

namespace millrace::processing {

namespace {

WindowShape shape_or_unit(const plan::WindowAggregate& node) {
  WindowShape shape = shape_of(node.window);
  if (shape.size <= 0) shape = {.kind = WindowKind::tumble, .size = 1};  // attached: never asked for slices
  return shape;
}

}  // namespace

LocalWindowAggregate::LocalWindowAggregate(const plan::WindowAggregate& node)
    : spec_(node.window),
      attached_(node.attached),
      assigner_(shape_or_unit(node)),
      keys_(node.keys),
      set_(node.aggregates, false) {}

WindowPartials LocalWindowAggregate::aggregate(const Batch& batch, EvalContext& context) {
  const WindowTime time(context.zone, spec_.local_time);
  std::vector<Column> keys;
  for (const ExprPtr& key : keys_) keys.push_back(evaluate(*key, batch, context));
  const AggregateSet::Inputs inputs = set_.evaluate(batch, context);

  WindowPartials partials;
  struct Work {
    WindowSlice* slice;
    std::vector<uint32_t> rows;
  };
  std::map<int64_t, Work> work;
  std::vector<uint32_t> groups(batch.rows);
  Work* current = nullptr;
  int64_t current_end = 0;
  std::string key;
  batch.each([&](size_t row) {
    int64_t end = 0;
    if (attached_) {
      const Column& column = batch.columns[static_cast<size_t>(attached_->end)];
      if (column.is_null(row)) return;
      end = column.at<TimestampValue>(row).millis;
    } else {
      int64_t at = context.now.millis;
      if (!spec_.proctime) {
        const Column& column = batch.columns[static_cast<size_t>(spec_.time_column)];
        if (column.is_null(row))
          throw RunFailure("java.lang.RuntimeException",
                           "RowTime field should not be null, please convert it to a non-null long value.");
        at = column.at<TimestampValue>(row).millis;
      }
      end = assigner_.slice_end(time.local(at));
    }
    if (current == nullptr || end != current_end) {
      Work& found = work[end];
      if (found.slice == nullptr) {
        found.slice = &partials[end];
        found.slice->states = set_.make();
      }
      current = &found;
      current_end = end;
    }
    key.clear();
    append_key(key, keys, row);
    bool added = false;
    groups[row] = current->slice->keys.find_or_add(key, added);
    current->rows.push_back(static_cast<uint32_t>(row));
  });
  for (auto& [end, todo] : work) {
    resize(todo.slice->states, todo.slice->keys.capacity());
    set_.accumulate(todo.slice->states, inputs, batch, todo.rows, groups);
    todo.slice->rows = static_cast<int64_t>(todo.rows.size());
  }
  return partials;
}

WindowAggregate::WindowAggregate(JobContext& job, const plan::WindowAggregate& node)
    : Operator(job, 1),
      node_(node),
      local_(node),
      assigner_(shape_or_unit(node)),
      time_(eval_.zone, node.window.local_time) {
  for (const ExprPtr& key : node_.keys) key_types_.push_back(key->type);
}

int64_t WindowAggregate::last_window_end(int64_t slice_end) const {
  return node_.attached ? slice_end : assigner_.last_window_end(slice_end);
}

void WindowAggregate::on_batch(int, Batch batch) {
  if (node_.window.proctime && !node_.attached) progress_ = std::max(progress_, job_.now);
  merge(local_.aggregate(batch, eval_));
}

void WindowAggregate::merge(WindowPartials partials) {
  for (auto& [end, partial] : partials) {
    if (!fired(end)) {
      timers_.insert(end);
      add(slices_[end], std::move(partial));
      continue;
    }
    if (fired(last_window_end(end))) {
      job_.late_dropped += partial.rows;
      continue;
    }
    int64_t next = end;
    while (fired(next)) next += assigner_.interval();
    timers_.insert(next);
    if (node_.window.kind == plan::WindowSpec::Kind::cumulate)
      add(cumulated_[assigner_.window_ending(end).start], std::move(partial));
    else
      add(slices_[end], std::move(partial));
  }
}

void WindowAggregate::add(WindowSlice& into, WindowSlice from) {
  if (into.keys.capacity() == 0) {
    into = std::move(from);
    return;
  }
  from.keys.each([&](uint32_t group) {
    bool added = false;
    const uint32_t target = into.keys.find_or_add(from.keys.key(group), added);
    resize(into.states, into.keys.capacity());
    processing::merge(into.states, target, from.states, group);
  });
  into.rows += from.rows;
}

void WindowAggregate::on_watermark(int64_t watermark) {
  if (!node_.window.proctime) fire_until(watermark);
  emit_watermark(watermark);
}

std::optional<int64_t> WindowAggregate::next_time() const {
  if (!node_.window.proctime || timers_.empty()) return std::nullopt;
  return time_.timer(*timers_.begin() - 1);
}

void WindowAggregate::on_time(int64_t now) {
  if (!node_.window.proctime) return;
  refresh();
  fire_until(now);
}

void WindowAggregate::fire_until(int64_t progress) {
  progress_ = std::max(progress_, progress);
  while (!timers_.empty() && fired(*timers_.begin())) {
    const int64_t end = *timers_.begin();
    timers_.erase(timers_.begin());
    fire(end);
  }
}

void WindowAggregate::fire(int64_t window_end) {
  const auto drop = [this](int64_t slice_end) { slices_.erase(slice_end); };
  switch (node_.attached ? plan::WindowSpec::Kind::tumble : node_.window.kind) {
    case plan::WindowSpec::Kind::hop: {
      const int64_t first = assigner_.first_slice_end(window_end);
      std::vector<WindowSlice*> parts;
      for (int64_t end = first; end <= window_end; end += assigner_.interval())
        if (const auto at = slices_.find(end); at != slices_.end()) parts.push_back(&at->second);
      if (parts.empty()) return;
      if (parts.size() == 1) {
        emit_window(window_end, *parts.front());
      } else {
        WindowSlice whole;
        whole.states = local_.aggregates().make();
        for (WindowSlice* part : parts) {
          part->keys.each([&](uint32_t group) {
            bool added = false;
            const uint32_t target = whole.keys.find_or_add(part->keys.key(group), added);
            resize(whole.states, whole.keys.capacity());
            processing::merge(whole.states, target, part->states, group);
          });
        }
        emit_window(window_end, whole);
      }
      drop(first);
      timers_.insert(window_end + assigner_.interval());  // fires for nothing once the slices are gone
      return;
    }
    case plan::WindowSpec::Kind::cumulate: {
      const int64_t start = assigner_.window_ending(window_end).start;
      if (const auto at = slices_.find(window_end); at != slices_.end()) {
        add(cumulated_[start], std::move(at->second));
        slices_.erase(at);
      }
      const auto whole = cumulated_.find(start);
      if (whole == cumulated_.end()) return;
      emit_window(window_end, whole->second);
      if (window_end + assigner_.interval() <= start + node_.window.size)
        timers_.insert(window_end + assigner_.interval());
      else
        cumulated_.erase(whole);
      return;
    }
    default: {
      const auto at = slices_.find(window_end);
      if (at == slices_.end()) return;
      emit_window(window_end, at->second);
      slices_.erase(at);
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
      slice.states = local_.aggregates().make();
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
