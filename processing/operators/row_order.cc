#include "processing/operators/row_order.h"

#include "processing/operators/key_table.h"

namespace millrace::processing {

std::string key_of(const Batch& batch, size_t row, std::span<const int> columns) {
  std::string key;
  for (const int column : columns) append_key(key, {&batch.columns[static_cast<size_t>(column)], 1}, row);
  return key;
}

std::vector<DataType> types_of(const std::vector<Field>& schema) {
  std::vector<DataType> types;
  types.reserve(schema.size());
  for (const Field& field : schema) types.push_back(field.type);
  return types;
}

bool goes_by_local_time(const std::vector<Field>& schema) {
  for (const Field& field : schema)
    if (field.type.attribute == TimeAttribute::rowtime) return field.type.is(TypeRoot::timestamp_ltz);
  return false;
}

}  // namespace millrace::processing
