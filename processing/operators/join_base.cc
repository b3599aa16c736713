#include "processing/operators/join_base.h"

#include "processing/operators/key_table.h"

namespace millrace::processing {

JoinSides::JoinSides(const plan::JoinBase& node)
    : join_(node.join),
      keys_{node.left_keys, node.right_keys},
      null_equals_(node.null_equals),
      condition_(node.condition),
      left_columns_(node.inputs[0]->schema.size()),
      right_columns_(node.inputs[1]->schema.size()),
      types_(types_of(node.schema)) {
  null_equals_.resize(keys_[0].size(), false);
  for (const plan::NodePtr& input : node.inputs)
    for (const Field& field : input->schema) joined_types_.push_back(field.type);
}

bool JoinSides::outer(int side) const {
  switch (join_) {
    case plan::JoinKind::left:
      return side == 0;
    case plan::JoinKind::right:
      return side == 1;
    case plan::JoinKind::full:
      return true;
    default:
      return false;
  }
}

std::string JoinSides::key(const Batch& batch, size_t row, int side, bool& matchable) const {
  matchable = true;
  for (size_t i = 0; i < keys_[side].size(); ++i)
    if (!null_equals_[i] && batch.columns[static_cast<size_t>(keys_[side][i])].is_null(row)) matchable = false;
  return key_of(batch, row, keys_[side]);
}

void JoinSides::append_key(std::string& out, const Batch& batch, size_t row, int side) const {
  const size_t begin = out.size();
  out.push_back('\1');
  for (size_t i = 0; i < keys_[side].size(); ++i) {
    const Column& column = batch.columns[static_cast<size_t>(keys_[side][i])];
    if (!null_equals_[i] && column.is_null(row)) out[begin] = '\0';
    processing::append_key(out, {&column, 1}, row);
  }
}

std::vector<bool> JoinSides::fitting(const Row& own, int side, const std::vector<const Row*>& others,
                                     EvalContext& context) const {
  std::vector<bool> fits(others.size(), condition_ == nullptr);
  if (condition_ == nullptr || others.empty()) return fits;
  BatchBuilder joined(joined_types_);
  for (const Row* other : others) append_pair(joined, side == 0 ? own : *other, side == 0 ? *other : own);
  mark_fitting(joined.finish(), context, fits);
  return fits;
}

std::vector<bool> JoinSides::fitting(std::span<const Row> left, const std::vector<const Row*>& right,
                                     EvalContext& context) const {
  std::vector<bool> fits(left.size() * right.size(), condition_ == nullptr);
  if (condition_ == nullptr || fits.empty()) return fits;
  BatchBuilder joined(joined_types_);
  for (const Row& one : left)
    for (const Row* other : right) append_pair(joined, one, *other);
  mark_fitting(joined.finish(), context, fits);
  return fits;
}

void JoinSides::append_pair(BatchBuilder& joined, const Row& left, const Row& right) const {
  for (size_t c = 0; c < left_columns_; ++c) joined.column(c).append(left[c]);
  for (size_t c = 0; c < right_columns_; ++c) joined.column(left_columns_ + c).append(right[c]);
  joined.end_row();
}

void JoinSides::mark_fitting(const Batch& joined, EvalContext& context, std::vector<bool>& fits) const {
  for (const uint32_t row : filter(*condition_, joined, context)) fits[row] = true;
}

void JoinSides::give(BatchBuilder& out, const Row* left, const Row* right, RowKind kind) const {
  for (size_t c = 0; c < left_columns_; ++c) {
    if (left != nullptr)
      out.column(c).append((*left)[c]);
    else
      out.column(c).append_null();
  }
  if (!one_sided()) {
    for (size_t c = 0; c < right_columns_; ++c) {
      if (right != nullptr)
        out.column(left_columns_ + c).append((*right)[c]);
      else
        out.column(left_columns_ + c).append_null();
    }
  }
  out.end_row(kind);
}

void JoinSides::give(BatchBuilder& out, std::optional<std::string_view> left, std::optional<std::string_view> right,
                     RowKind kind) const {
  const auto put = [&](std::optional<std::string_view> row, size_t first, size_t columns) {
    if (columns == 0) return;
    if (row) return decode_key(*row, {&out.column(first), columns});
    for (size_t c = 0; c < columns; ++c) out.column(first + c).append_null();
  };
  put(left, 0, left_columns_);
  if (!one_sided()) put(right, left_columns_, right_columns_);
  out.end_row(kind);
}

}  // namespace millrace::processing
