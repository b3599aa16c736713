// The aggregate calls of one operator, evaluated once per batch and then added group by group.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "processing/functions/aggregate.h"

namespace millrace::processing {

using AccumulatorList = std::vector<std::unique_ptr<Accumulators>>;  // one per call

class AggregateSet {
 public:
  AggregateSet(std::vector<AggregateCall> calls, bool retractable)
      : calls_(std::move(calls)), retractable_(retractable) {}

  const std::vector<AggregateCall>& calls() const { return calls_; }
  size_t size() const { return calls_.size(); }
  AccumulatorList make() const;

  // Arguments and filters of all calls over one batch.
  struct Inputs {
    std::vector<std::vector<Column>> args;
    std::vector<std::optional<Column>> filters;
  };
  Inputs evaluate(const Batch& batch, EvalContext& context) const;

  // Adds the rows listed; groups[row] is the group of each.
  void accumulate(AccumulatorList& states, const Inputs& inputs, const Batch& batch, std::span<const uint32_t> rows,
                  std::span<const uint32_t> groups) const;

 private:
  std::vector<AggregateCall> calls_;
  bool retractable_;
  mutable std::vector<uint32_t> passing_;
};

void resize(AccumulatorList& states, size_t groups);
void reset(AccumulatorList& states, size_t group);
void merge(AccumulatorList& into, size_t group, const AccumulatorList& from, size_t from_group);
void save(const AccumulatorList& states, size_t group, std::string& out);
void load(AccumulatorList& states, size_t group, std::string_view& in);

}  // namespace millrace::processing
