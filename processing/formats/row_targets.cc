#include "processing/formats/row_targets.h"

#include "processing/formats/format.h"

namespace millrace::processing {

namespace {

void* array_of(ColumnBuilder& builder, size_t start) {
  switch (physical_of(builder.type().root)) {
    case Physical::boolean:
      return builder.values<uint8_t>().data() + start;
    case Physical::int32:
      return builder.values<int32_t>().data() + start;
    case Physical::int64:
      return builder.values<int64_t>().data() + start;
    case Physical::float_:
      return builder.values<float>().data() + start;
    case Physical::double_:
      return builder.values<double>().data() + start;
    case Physical::decimal:
      return builder.values<Int128>().data() + start;
    case Physical::text:
      return builder.values<std::string_view>().data() + start;
    case Physical::timestamp:
      return builder.values<TimestampValue>().data() + start;
    case Physical::boxed:
      break;
  }
  return builder.values<Value>().data() + start;
}

}  // namespace

RowTargets::RowTargets(std::span<ColumnBuilder* const> columns, size_t rows) : columns_(columns.size()), room_(rows) {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == nullptr) continue;
    const size_t start = columns[i]->size();
    columns[i]->resize(start + room_);
    columns_[i] = {columns[i], array_of(*columns[i], start), start};
  }
}

void RowTargets::grow() {
  room_ = 2 * room_ + 16;
  for (Target& target : columns_) {
    if (target.builder == nullptr) continue;
    target.builder->resize(target.start + room_);
    target.values = array_of(*target.builder, target.start);
  }
}

RowTargets::~RowTargets() {
  for (const Target& target : columns_)
    if (target.builder != nullptr) target.builder->resize(target.start + row_);
}

void RowTargets::set_slot(size_t field, const FieldSlot& slot) {
  ColumnBuilder& builder = *columns_[field].builder;
  switch (physical_of(builder.type().root)) {
    case Physical::boolean:
      return set<uint8_t>(field, slot.integer != 0 ? 1 : 0);
    case Physical::int32:
      return set<int32_t>(field, static_cast<int32_t>(slot.integer));
    case Physical::int64:
      return set<int64_t>(field, slot.integer);
    case Physical::float_:
      return set<float>(field, slot.single);
    case Physical::double_:
      return set<double>(field, slot.real);
    case Physical::decimal:
      return set<Int128>(field, slot.decimal);
    case Physical::text:
      return slot.borrowed ? set<std::string_view>(field, slot.text) : set_copied(field, slot.text);
    case Physical::timestamp:
      return set<TimestampValue>(field, slot.time);
    case Physical::boxed:
      return set<Value>(field, slot.boxed);
  }
}

}  // namespace millrace::processing
