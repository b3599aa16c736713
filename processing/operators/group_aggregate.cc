#include "processing/operators/group_aggregate.h"

namespace millrace::processing {

GroupAggregate::GroupAggregate(JobContext& job, const plan::GroupAggregate& node)
    : Operator(job, 1),
      node_(node),
      set_(node.aggregates, node.inputs.front()->changelog != plan::Changelog::insert_only),
      retracting_(node.inputs.front()->changelog != plan::Changelog::insert_only),
      states_(set_.make()) {
  for (const Field& field : node_.schema) types_.push_back(field.type);
  for (const ExprPtr& key : node_.keys) key_types_.push_back(key->type);
}

void GroupAggregate::on_batch(int, Batch batch) {
  std::vector<Column> keys;
  for (const ExprPtr& key : node_.keys) keys.push_back(evaluate(*key, batch, eval_));
  const AggregateSet::Inputs inputs = set_.evaluate(batch, eval_);
  std::vector<uint32_t> numbers(batch.rows);
  BatchBuilder out(types_);
  const auto give = [&](size_t row, const Row& values, RowKind kind) {
    for (size_t k = 0; k < keys.size(); ++k) out.column(k).append(keys[k], row);
    for (size_t a = 0; a < values.size(); ++a) out.column(keys.size() + a).append(values[a]);
    out.end_row(kind);
  };

  std::string key;
  batch.each([&](size_t row) {
    const bool retract = is_retraction(batch.kind(row));
    key.clear();
    append_key(key, keys, row);
    if (retract && keys_.find(key) < 0) return;
    bool added = false;
    const uint32_t number = keys_.find_or_add(key, added);
    if (groups_.size() < keys_.capacity()) {
      groups_.resize(keys_.capacity());
      resize(states_, keys_.capacity());
    }
    Group& group = groups_[number];
    numbers[row] = number;
    const auto one = static_cast<uint32_t>(row);
    set_.accumulate(states_, inputs, batch, {&one, 1}, numbers);
    group.rows += retract ? -1 : 1;
    if (retracting_ && group.rows == 0) {
      if (group.live) give(row, group.last, RowKind::delete_);
      group = {};
      reset(states_, number);
      keys_.remove(number);
      return;
    }
    Row now;
    now.reserve(states_.size());
    for (const auto& state : states_) now.push_back(state->result(number));
    if (!group.live) {
      group.live = true;
      give(row, now, RowKind::insert);
    } else if (now == group.last) {
      return;
    } else {
      if (node_.emit_update_before) give(row, group.last, RowKind::update_before);
      give(row, now, RowKind::update_after);
    }
    group.last = std::move(now);
  });
  emit(out.finish());
}

void GroupAggregate::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(keys_.size()));
  keys_.each([&](uint32_t number) {
    append_bytes(out, keys_.key(number));
    append_int(out, groups_[number].rows);
    append_int(out, groups_[number].live ? 1 : 0);
    append_row(out, groups_[number].last);
    processing::save(states_, number, out);
  });
}

void GroupAggregate::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    bool added = false;
    const uint32_t number = keys_.find_or_add(read_bytes(in), added);
    groups_.resize(keys_.capacity());
    resize(states_, keys_.capacity());
    groups_[number].rows = read_int(in);
    groups_[number].live = read_int(in) != 0;
    groups_[number].last = read_row(in);
    processing::load(states_, number, in);
  }
}

}  // namespace millrace::processing
