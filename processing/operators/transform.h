// Transforms: operators without state, from one batch to the next. The ones right behind a source run as part of it, so
// that a row they fail on is reported together with its record, as Flink does.
#pragma once

#include <memory>
#include <vector>

#include "processing/operators/operator.h"
#include "processing/plan.h"

namespace millrace::processing {

class Transform {
 public:
  virtual ~Transform() = default;
  virtual Batch apply(Batch batch, EvalContext& context) = 0;
  // How many rows one row may become; who gives many to one that makes very many of each gives them in pieces.
  virtual size_t rows_of_a_row() const { return 1; }
  static constexpr size_t piece_rows = 16384;
};

// Nullptr: the node has state, or waits for something.
std::unique_ptr<Transform> make_transform(const plan::Node& node);

// One transform as an operator, where it is not part of a source.
class TransformOperator final : public Operator {
 public:
  TransformOperator(JobContext& job, std::unique_ptr<Transform> transform)
      : Operator(job, 1), transform_(std::move(transform)) {}
  bool keeps_nothing() const override { return true; }

 protected:
  void on_batch(int, Batch batch) override;

 private:
  std::unique_ptr<Transform> transform_;
};

}  // namespace millrace::processing
