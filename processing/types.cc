#include "processing/types.h"

#include <algorithm>

namespace millrace::processing {

DataType DataType::array(DataType element) {
  DataType type(TypeRoot::array);
  type.fields = std::make_shared<const std::vector<Field>>(std::vector<Field>{{"", std::move(element)}});
  return type;
}

DataType DataType::multiset(DataType element) {
  DataType type = array(std::move(element));
  type.root = TypeRoot::multiset;
  return type;
}

DataType DataType::map(DataType key, DataType value) {
  DataType type(TypeRoot::map);
  type.fields = std::make_shared<const std::vector<Field>>(
      std::vector<Field>{{"key", std::move(key)}, {"value", std::move(value)}});
  return type;
}

DataType DataType::row(std::vector<Field> fields) {
  DataType type(TypeRoot::row);
  type.fields = std::make_shared<const std::vector<Field>>(std::move(fields));
  return type;
}

const DataType& DataType::child(size_t index) const { return fields->at(index).type; }

int DataType::field_index(std::string_view name) const {
  if (root != TypeRoot::row || !fields) return -1;
  for (size_t i = 0; i < fields->size(); ++i) {
    if ((*fields)[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

namespace {

bool same(const DataType& a, const DataType& b, bool nullability) {
  if (a.root != b.root || a.precision != b.precision || a.scale != b.scale) return false;
  if (nullability && a.nullable != b.nullable) return false;
  size_t n = a.fields ? a.fields->size() : 0;
  if (n != (b.fields ? b.fields->size() : 0)) return false;
  for (size_t i = 0; i < n; ++i) {
    if (nullability && a.root == TypeRoot::row && (*a.fields)[i].name != (*b.fields)[i].name) return false;
    if (!same(a.child(i), b.child(i), nullability)) return false;
  }
  return true;
}

}  // namespace

bool operator==(const DataType& a, const DataType& b) { return same(a, b, true); }
bool same_ignoring_nullability(const DataType& a, const DataType& b) { return same(a, b, false); }

}  // namespace millrace::processing
