// Aggregates without a window: a changelog of one row per key.
//
// The first row of a key gives +I; a later one -U (where somebody wants it) and +U, or nothing when the result has not
// changed; the retraction of the last one -D. A retraction for an unknown key is ignored.
#pragma once

#include <vector>

#include "processing/operators/aggregates.h"
#include "processing/operators/key_table.h"
#include "processing/operators/operator.h"

namespace millrace::processing {

class GroupAggregate final : public Operator {
 public:
  GroupAggregate(JobContext& job, const plan::GroupAggregate& node);

  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;

 private:
  struct Group {
    int64_t rows = 0;  // accumulated minus retracted
    bool live = false;
    Row last;  // the aggregates as they were emitted
  };

  plan::GroupAggregate node_;
  AggregateSet set_;
  bool retracting_;  // the input retracts
  std::vector<DataType> types_;
  std::vector<DataType> key_types_;
  KeyTable keys_;
  AccumulatorList states_;
  std::vector<Group> groups_;
};

}  // namespace millrace::processing
