// The order of ORDER BY over boxed rows.
#pragma once

#include <span>

#include "processing/plan.h"
#include "processing/value.h"

namespace millrace::processing {

// Negative: a comes first; 0: they tie.
inline int compare_rows(const Row& a, const Row& b, std::span<const plan::SortKey> order) {
  for (const plan::SortKey& key : order) {
    const Value& x = a[static_cast<size_t>(key.column)];
    const Value& y = b[static_cast<size_t>(key.column)];
    if (x.is_null() || y.is_null()) {
      if (x.is_null() && y.is_null()) continue;
      return x.is_null() == key.nulls_first ? -1 : 1;
    }
    const int c = compare(x, y);
    if (c != 0) return key.descending ? -c : c;
  }
  return 0;
}

// The key of the named columns of one row of a batch.
std::string key_of(const Batch& batch, size_t row, std::span<const int> columns);

std::vector<DataType> types_of(const std::vector<Field>& schema);

// Whether the windows of a row's window_end column go by local time: they do when its time attribute is TIMESTAMP_LTZ.
bool goes_by_local_time(const std::vector<Field>& schema);

}  // namespace millrace::processing
