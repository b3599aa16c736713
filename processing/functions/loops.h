// Plain loops over whole columns, for operations that cannot fail and know no null but a null argument's. They compute
// every row, asked for or not, so the compiler can vectorise them.
#pragma once

#include <vector>

#include "processing/functions/kernel.h"

namespace millrace::processing {

// The nulls of a result whose rows are null where an argument is; `dense` says whether all rows are.
std::vector<uint8_t> merged_nulls(const Column& a, const Column& b, size_t size, bool& all_null);

// R Op::of(T, T), row by row.
template <class T, class R, class Op>
Column combine(const KernelCall& call) {
  const Column& a = call.args[0];
  const Column& b = call.args[1];
  const bool once = a.is_constant() && b.is_constant();
  const size_t size = once ? 1 : call.rows.size;
  bool all_null = false;
  std::vector<uint8_t> nulls = merged_nulls(a, b, size, all_null);
  if (all_null) return null_column(call.expr.type, call.rows.size);
  ColumnBuilder out(call.expr.type);
  out.resize(size);
  R* result = out.values<R>().data();
  const T* x = a.data<T>();
  const T* y = b.data<T>();
  if (a.is_constant()) {
    const T left = *x;
    const size_t step = b.is_constant() ? 0 : 1;
    for (size_t i = 0; i < size; ++i) result[i] = Op::of(left, y[i * step]);
  } else if (b.is_constant()) {
    const T right = *y;
    for (size_t i = 0; i < size; ++i) result[i] = Op::of(x[i], right);
  } else {
    for (size_t i = 0; i < size; ++i) result[i] = Op::of(x[i], y[i]);
  }
  out.set_nulls(std::move(nulls));
  Column column = out.finish();
  if (!once) return column;
  return Column(column.type(), call.rows.size, column.data<R>(), column.nulls(), column.owner(), true);
}

}  // namespace millrace::processing
