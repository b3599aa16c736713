#include "processing/column.h"

#include <cstring>

namespace millrace::processing {

std::string_view row_kind_text(RowKind kind) {
  switch (kind) {
    case RowKind::insert:
      return "+I";
    case RowKind::update_before:
      return "-U";
    case RowKind::update_after:
      return "+U";
    case RowKind::delete_:
      return "-D";
  }
  return "";
}

Physical physical_of(TypeRoot root) {
  switch (root) {
    case TypeRoot::boolean:
      return Physical::boolean;
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
    case TypeRoot::date:
    case TypeRoot::time:
    case TypeRoot::interval_months:
      return Physical::int32;
    case TypeRoot::bigint:
    case TypeRoot::interval_millis:
      return Physical::int64;
    case TypeRoot::float_:
      return Physical::float_;
    case TypeRoot::double_:
      return Physical::double_;
    case TypeRoot::decimal:
      return Physical::decimal;
    case TypeRoot::character:
    case TypeRoot::varchar:
    case TypeRoot::binary:
    case TypeRoot::varbinary:
    case TypeRoot::symbol:
      return Physical::text;
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz:
      return Physical::timestamp;
    default:
      return Physical::boxed;
  }
}

namespace {

// Calls f with a value of the type that stands for the physical form.
template <class F>
auto with_physical(Physical physical, F f) {
  switch (physical) {
    case Physical::boolean:
      return f(uint8_t{});
    case Physical::int32:
      return f(int32_t{});
    case Physical::int64:
      return f(int64_t{});
    case Physical::float_:
      return f(float{});
    case Physical::double_:
      return f(double{});
    case Physical::decimal:
      return f(Int128{});
    case Physical::text:
      return f(std::string_view{});
    case Physical::timestamp:
      return f(TimestampValue{});
    case Physical::boxed:
      break;
  }
  return f(Value{});
}

Value box(uint8_t v) { return Value::boolean(v != 0); }
Value box(int32_t v) { return Value::integer(v); }
Value box(int64_t v) { return Value::integer(v); }
Value box(float v) { return Value::float_(v); }
Value box(double v) { return Value::double_(v); }
Value box(Int128 v) { return Value::decimal(v); }
Value box(std::string_view v) { return Value::text(v); }
Value box(TimestampValue v) { return Value::timestamp(v); }
Value box(const Value& v) { return v; }

}  // namespace

Column::Column(DataType type, size_t size, const void* values, const uint8_t* nulls, std::shared_ptr<const void> owner,
               bool constant)
    : type_(std::move(type)),
      physical_(physical_of(type_.root)),
      constant_(constant),
      size_(size),
      values_(values),
      nulls_(nulls),
      owner_(std::move(owner)) {}

Column Column::constant(const DataType& type, const Value& value, size_t size) {
  ColumnBuilder builder(type, 1);
  builder.append(value);
  Column one = builder.finish();
  one.constant_ = true;
  one.size_ = size;
  return one;
}

Column Column::from_values(const DataType& type, std::span<const Value> values) {
  ColumnBuilder builder(type, values.size());
  for (const Value& v : values) builder.append(v);
  return builder.finish();
}

Value Column::value(size_t row) const {
  if (is_null(row)) return Value();
  return with_physical(physical_, [&]<class T>(T) { return box(at<T>(row)); });
}

Column Column::retyped(DataType type) const {
  check(physical_of(type.root) == physical_);
  Column copy = *this;
  copy.type_ = std::move(type);
  return copy;
}

Column Column::resized(size_t size) const {
  check(constant_ || size <= size_);
  Column copy = *this;
  copy.size_ = size;
  return copy;
}

Column Column::flat() const {
  if (!constant_) return *this;
  return with_physical(physical_, [&]<class T>(T) {
    ColumnBuilder builder(type_);
    if (is_null(0)) {
      for (size_t i = 0; i < size_; ++i) builder.append_null();
    } else {
      builder.values<T>().assign(size_, at<T>(0));
    }
    builder.keep(owner_);
    return builder.finish();
  });
}

Column Column::take(std::span<const uint32_t> rows) const {
  if (constant_) return resized(rows.size());
  return with_physical(physical_, [&]<class T>(T) {
    ColumnBuilder builder(type_);
    builder.resize(rows.size());
    std::vector<T>& out = builder.values<T>();
    const T* in = data<T>();
    for (size_t i = 0; i < rows.size(); ++i) out[i] = in[rows[i]];
    if (nulls_ != nullptr) {
      for (size_t i = 0; i < rows.size(); ++i) {
        if (nulls_[rows[i]] != 0) builder.set_null(i);
      }
    }
    if (physical_ == Physical::text) builder.keep(owner_);
    return builder.finish();
  });
}

// ---- arena ----

char* TextArena::reserve(size_t size) {
  if (size > left_) {
    size_t chunk = std::max<size_t>(size, chunks_.empty() ? 1024 : 64 * 1024);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
    next_ = chunks_.back().get();
    left_ = chunk;
  }
  char* at = next_;
  next_ += size;
  left_ -= size;
  bytes_ += size;
  return at;
}

std::string_view TextArena::store(std::string_view text) {
  if (text.empty()) return {};
  char* at = reserve(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

// ---- builder ----

struct ColumnBuilder::Storage {
  Values values;
  std::vector<uint8_t> nulls;
  std::shared_ptr<TextArena> arena;
  std::vector<std::shared_ptr<const void>> owners;
};

ColumnBuilder::Values ColumnBuilder::empty_values(Physical physical) {
  return with_physical(physical, []<class T>(T) { return Values(std::vector<T>()); });
}

ColumnBuilder::ColumnBuilder(DataType type, size_t reserve)
    : type_(std::move(type)), values_(empty_values(physical_of(type_.root))) {
  if (reserve > 0) std::visit([&](auto& v) { v.reserve(reserve); }, values_);
  if (physical_of(type_.root) == Physical::text) arena_ = std::make_shared<TextArena>();
}

size_t ColumnBuilder::size() const {
  return std::visit([](const auto& v) { return v.size(); }, values_);
}

void ColumnBuilder::append_null() {
  size_t row = size();
  std::visit([](auto& v) { v.emplace_back(); }, values_);
  if (nulls_.empty()) {
    nulls_.resize(row + 1, 0);
  } else {
    nulls_.push_back(0);
  }
  nulls_[row] = 1;
}

void ColumnBuilder::append(const Value& value) {
  if (value.is_null()) return append_null();
  switch (physical_of(type_.root)) {
    case Physical::boolean:
      return append_plain<uint8_t>(value.as_bool() ? 1 : 0);
    case Physical::int32:
      return append_plain<int32_t>(static_cast<int32_t>(value.as_int()));
    case Physical::int64:
      return append_plain<int64_t>(value.as_int());
    case Physical::float_:
      return append_plain<float>(value.as_float());
    case Physical::double_:
      return append_plain<double>(value.as_double());
    case Physical::decimal:
      return append_plain<Int128>(value.as_decimal());
    case Physical::text:
      return append_text(value.as_text());
    case Physical::timestamp:
      return append_plain<TimestampValue>(value.as_timestamp());
    case Physical::boxed:
      return append_plain<Value>(value);
  }
}

void ColumnBuilder::append(const Column& source, size_t row) {
  if (source.is_null(row)) return append_null();
  with_physical(source.physical(), [&]<class T>(T) {
    if constexpr (std::is_same_v<T, std::string_view>) {
      append_text(source.at<T>(row));
    } else {
      append_plain<T>(source.at<T>(row));
    }
  });
}

void ColumnBuilder::resize(size_t rows) {
  std::visit([&](auto& v) { v.resize(rows); }, values_);
  if (!nulls_.empty()) nulls_.resize(rows, 0);
}

void ColumnBuilder::set_null(size_t row) {
  if (nulls_.empty()) nulls_.resize(size(), 0);
  nulls_[row] = 1;
}

void ColumnBuilder::keep(std::shared_ptr<const void> owner) {
  if (owner == nullptr || (!owners_.empty() && owners_.back() == owner)) return;
  owners_.push_back(std::move(owner));
}

Column ColumnBuilder::finish() {
  size_t rows = size();
  auto storage = std::make_shared<Storage>();
  storage->values = std::move(values_);
  storage->nulls = std::move(nulls_);
  storage->arena = std::move(arena_);
  storage->owners = std::move(owners_);
  const void* values = std::visit([](const auto& v) { return static_cast<const void*>(v.data()); }, storage->values);
  const uint8_t* nulls = storage->nulls.empty() ? nullptr : storage->nulls.data();
  values_ = empty_values(physical_of(type_.root));
  nulls_.clear();
  owners_.clear();
  if (physical_of(type_.root) == Physical::text) arena_ = std::make_shared<TextArena>();
  return Column(type_, rows, values, nulls, std::move(storage));
}

// ---- batches ----

Row Batch::row(size_t row) const {
  Row values;
  values.reserve(columns.size());
  for (const Column& column : columns) values.push_back(column.value(row));
  return values;
}

Batch Batch::take(std::span<const uint32_t> rows_taken) const {
  Batch result;
  result.rows = rows_taken.size();
  result.columns.reserve(columns.size());
  for (const Column& column : columns) result.columns.push_back(column.take(rows_taken));
  if (!kinds.empty()) {
    result.kinds.reserve(rows_taken.size());
    for (uint32_t r : rows_taken) result.kinds.push_back(kinds[r]);
  }
  return result;
}

Batch Batch::compact() const { return selection ? take(*selection) : *this; }

BatchBuilder::BatchBuilder(std::span<const DataType> types) {
  columns_.reserve(types.size());
  for (const DataType& type : types) columns_.emplace_back(type);
}

void BatchBuilder::end_row(RowKind kind) {
  if (kind != RowKind::insert && kinds_.empty()) kinds_.resize(rows_, RowKind::insert);
  ++rows_;
  if (kind != RowKind::insert || !kinds_.empty()) kinds_.push_back(kind);
}

void BatchBuilder::append(const Row& row, RowKind kind) {
  check(row.size() == columns_.size());
  for (size_t i = 0; i < row.size(); ++i) columns_[i].append(row[i]);
  end_row(kind);
}

void BatchBuilder::append(const Batch& source, size_t row) { append(source, row, source.kind(row)); }

void BatchBuilder::append(const Batch& source, size_t row, RowKind kind) {
  for (size_t i = 0; i < columns_.size(); ++i) columns_[i].append(source.columns[i], row);
  end_row(kind);
}

Batch BatchBuilder::finish() {
  Batch batch;
  batch.rows = rows_;
  batch.columns.reserve(columns_.size());
  for (ColumnBuilder& column : columns_) batch.columns.push_back(column.finish());
  batch.kinds = std::move(kinds_);
  kinds_.clear();
  rows_ = 0;
  return batch;
}

}  // namespace millrace::processing
