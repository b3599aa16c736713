// All rows of all inputs; the watermark is the least of theirs.
#pragma once

#include "processing/operators/operator.h"

namespace millrace::processing {

class UnionAll final : public Operator {
 public:
  using Operator::Operator;
  bool keeps_nothing() const override { return true; }

 protected:
  void on_batch(int, Batch batch) override { emit(std::move(batch)); }
};

}  // namespace millrace::processing
