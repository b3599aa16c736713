// What all joins share: keys of both sides, the condition that the keys do not say, and output rows padded with NULLs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "processing/operators/operator.h"
#include "processing/operators/row_order.h"

namespace millrace::processing {

class JoinSides {
 public:
  explicit JoinSides(const plan::JoinBase& node);

  // The key of a row of one side (0: left). `matchable`: false when a NULL in it can equal nothing.
  std::string key(const Batch& batch, size_t row, int side, bool& matchable) const;
  // The same with a mark in front: 0 where it can equal nothing, else 1.
  void append_key(std::string& out, const Batch& batch, size_t row, int side) const;
  bool has_condition() const { return condition_ != nullptr; }
  // Which of the other side's rows fit this one: row `i` is true when it does.
  std::vector<bool> fitting(const Row& own, int side, const std::vector<const Row*>& others,
                            EvalContext& context) const;
  // The same for many rows of the left side: all pairs of the first row, then those of the second …
  std::vector<bool> fitting(std::span<const Row> left, const std::vector<const Row*>& right,
                            EvalContext& context) const;

  // left ++ right, either of which may be missing.
  void give(BatchBuilder& out, const Row* left, const Row* right, RowKind kind) const;
  // The same with rows in the form of keys.
  void give(BatchBuilder& out, std::optional<std::string_view> left, std::optional<std::string_view> right,
            RowKind kind) const;
  const std::vector<DataType>& types() const { return types_; }
  bool outer(int side) const;  // rows of this side stay without a match
  bool one_sided() const { return join_ == plan::JoinKind::semi || join_ == plan::JoinKind::anti; }
  bool anti() const { return join_ == plan::JoinKind::anti; }

 private:
  void append_pair(BatchBuilder& joined, const Row& left, const Row& right) const;
  void mark_fitting(const Batch& joined, EvalContext& context, std::vector<bool>& fits) const;

  plan::JoinKind join_;
  std::vector<int> keys_[2];
  std::vector<bool> null_equals_;
  ExprPtr condition_;
  size_t left_columns_;
  size_t right_columns_;
  std::vector<DataType> types_;         // of the output
  std::vector<DataType> joined_types_;  // left ++ right, what the condition sees
};

}  // namespace millrace::processing
