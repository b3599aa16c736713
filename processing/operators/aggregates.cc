#include "processing/operators/aggregates.h"

namespace millrace::processing {

AccumulatorList AggregateSet::make() const {
  AccumulatorList states;
  for (const AggregateCall& call : calls_) states.push_back(make_accumulators(call, retractable_));
  return states;
}

AggregateSet::Inputs AggregateSet::evaluate(const Batch& batch, EvalContext& context) const {
  Inputs inputs;
  for (const AggregateCall& call : calls_) {
    std::vector<Column> args;
    for (const ExprPtr& arg : call.args) args.push_back(processing::evaluate(*arg, batch, context));
    inputs.args.push_back(std::move(args));
    if (call.filter)
      inputs.filters.emplace_back(processing::evaluate(*call.filter, batch, context));
    else
      inputs.filters.emplace_back();
  }
  return inputs;
}

void AggregateSet::accumulate(AccumulatorList& states, const Inputs& inputs, const Batch& batch,
                              std::span<const uint32_t> rows, std::span<const uint32_t> groups) const {
  for (size_t i = 0; i < calls_.size(); ++i) {
    std::span<const uint32_t> selected = rows;
    if (inputs.filters[i]) {
      passing_.clear();
      for (const uint32_t row : rows)
        if (!inputs.filters[i]->is_null(row) && inputs.filters[i]->at<uint8_t>(row) != 0) passing_.push_back(row);
      selected = passing_;
    }
    if (selected.empty()) continue;
    const Rows list{selected.data(), selected.size(), batch.rows};
    states[i]->accumulate(groups, list, inputs.args[i], batch.kinds);
  }
}

void resize(AccumulatorList& states, size_t groups) {
  for (const auto& state : states)
    if (state->size() < groups) state->resize(groups);
}
void reset(AccumulatorList& states, size_t group) {
  for (const auto& state : states) state->reset(group);
}
void merge(AccumulatorList& into, size_t group, const AccumulatorList& from, size_t from_group) {
  for (size_t i = 0; i < into.size(); ++i) into[i]->merge(group, *from[i], from_group);
}
void save(const AccumulatorList& states, size_t group, std::string& out) {
  for (const auto& state : states) state->save(group, out);
}
void load(AccumulatorList& states, size_t group, std::string_view& in) {
  for (const auto& state : states) state->load(group, in);
}

}  // namespace millrace::processing
