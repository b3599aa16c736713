// Aggregate functions. One Accumulators object holds the states of one aggregate call for many groups, numbered
// densely by the operator: a hash table maps keys to group numbers, a window slice owns one object per call.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/column.h"
#include "processing/expr.h"

namespace millrace::processing {

// An aggregate call of a plan, after resolution.
struct AggregateCall {
  std::string name;           // COUNT, SUM, …; COUNT without arguments is COUNT(*)
  std::vector<ExprPtr> args;  // over the operator's input; casts already inserted
  bool distinct = false;
  ExprPtr filter;  // null: none
  DataType type;   // of the result
  SourcePosition position;
  std::vector<Value> options;  // constant arguments that are not columns: LISTAGG's separator …
};

// Throws PlanFailure with Flink's words. `grouped`: with GROUP BY (else the result may be null when there are no rows).
AggregateCall resolve_aggregate(std::string_view name, std::vector<ExprPtr> args, bool distinct = false,
                                ExprPtr filter = nullptr, SourcePosition where = {});
// Lower-case names, sorted.
std::vector<std::string> aggregate_names();

class Accumulators {
 public:
  explicit Accumulators(DataType type) : type_(std::move(type)) {}
  virtual ~Accumulators() = default;

  virtual size_t size() const = 0;
  virtual void resize(size_t groups) = 0;  // new groups are empty
  virtual void reset(size_t group) = 0;    // empty again
  // Adds the rows of one batch; groups[row] is the group of that row. Retractions (by `kinds`, empty: none) take the
  // row away again; min, max, first, last and the like can do that only if made `retractable`.
  virtual void accumulate(std::span<const uint32_t> groups, const Rows& rows, std::span<const Column> args,
                          std::span<const RowKind> kinds) = 0;
  virtual void merge(size_t group, const Accumulators& other, size_t other_group) = 0;
  virtual Value result(size_t group) const = 0;
  // A column with the results of these groups, in that order.
  virtual Column results(std::span<const uint32_t> groups) const;
  virtual void save(size_t group, std::string& out) const = 0;
  virtual void load(size_t group, std::string_view& in) = 0;
  const DataType& result_type() const { return type_; }

 protected:
  DataType type_;
};

// DISTINCT is taken care of; FILTER is the caller's (see accumulate_batch).
std::unique_ptr<Accumulators> make_accumulators(const AggregateCall& call, bool retractable);

// Evaluates the call's arguments and filter over the batch and accumulates: the generic path of every operator.
void accumulate_batch(const AggregateCall& call, Accumulators& state, const Batch& batch,
                      std::span<const uint32_t> groups, EvalContext& context);

}  // namespace millrace::processing
