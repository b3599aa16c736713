// Batches of rows by column: the form in which rows flow through operators and expressions.
//
// A Column is immutable and shared: copying it copies a pointer. Its values are one plain array of the physical type
//   BOOLEAN uint8_t · TINYINT, SMALLINT, INT, DATE, TIME, INTERVAL MONTH int32_t · BIGINT, INTERVAL SECOND int64_t
//   FLOAT float · DOUBLE double · DECIMAL Int128 · characters, bytes std::string_view · timestamps TimestampValue
//   ROW, ARRAY, MAP, MULTISET, NULL Value
// plus one null byte per row, if any is null. String views look into memory the column keeps alive. A constant column
// holds its value once, for any number of rows. Rows outside a batch's selection hold nothing meaningful, but may be
// read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "processing/types.h"
#include "processing/value.h"
#include "protocol/check.h"

namespace millrace::processing {

enum class RowKind : uint8_t { insert = 0, update_before = 1, update_after = 2, delete_ = 3 };
inline bool is_retraction(RowKind k) { return k == RowKind::update_before || k == RowKind::delete_; }
std::string_view row_kind_text(RowKind);  // +I -U +U -D

enum class Physical : uint8_t { boolean, int32, int64, float_, double_, decimal, text, timestamp, boxed };
Physical physical_of(TypeRoot);

template <class T>
struct PhysicalOf;
template <>
struct PhysicalOf<uint8_t> {
  static constexpr Physical value = Physical::boolean;
};
template <>
struct PhysicalOf<int32_t> {
  static constexpr Physical value = Physical::int32;
};
template <>
struct PhysicalOf<int64_t> {
  static constexpr Physical value = Physical::int64;
};
template <>
struct PhysicalOf<float> {
  static constexpr Physical value = Physical::float_;
};
template <>
struct PhysicalOf<double> {
  static constexpr Physical value = Physical::double_;
};
template <>
struct PhysicalOf<Int128> {
  static constexpr Physical value = Physical::decimal;
};
template <>
struct PhysicalOf<std::string_view> {
  static constexpr Physical value = Physical::text;
};
template <>
struct PhysicalOf<TimestampValue> {
  static constexpr Physical value = Physical::timestamp;
};
template <>
struct PhysicalOf<Value> {
  static constexpr Physical value = Physical::boxed;
};

class Column {
 public:
  Column() = default;
  // A column of `size` rows over arrays that `owner` keeps alive. `nulls` may be null: no row is.
  Column(DataType type, size_t size, const void* values, const uint8_t* nulls, std::shared_ptr<const void> owner,
         bool constant = false);
  static Column constant(const DataType& type, const Value& value, size_t size);
  static Column from_values(const DataType& type, std::span<const Value> values);

  const DataType& type() const { return type_; }
  Physical physical() const { return physical_; }
  size_t size() const { return size_; }
  bool is_constant() const { return constant_; }
  bool has_nulls() const { return nulls_ != nullptr; }
  // 1 where null, one byte per row (one in all for a constant); nullptr: nothing is null.
  const uint8_t* nulls() const { return nulls_; }
  // The values (one in all for a constant).
  template <class T>
  const T* data() const {
    check(PhysicalOf<T>::value == physical_);
    return static_cast<const T*>(values_);
  }

  bool is_null(size_t row) const { return nulls_ != nullptr && nulls_[constant_ ? 0 : row] != 0; }
  template <class T>
  const T& at(size_t row) const {
    return data<T>()[constant_ ? 0 : row];
  }
  Value value(size_t row) const;

  // The same values under another type of the same physical form.
  Column retyped(DataType type) const;
  // Every row by itself; a column that is not constant is returned as it is.
  Column flat() const;
  // The first `size` rows of a constant, or a longer constant.
  Column resized(size_t size) const;
  // The rows named, in that order.
  Column take(std::span<const uint32_t> rows) const;
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  DataType type_;
  Physical physical_ = Physical::boxed;
  bool constant_ = false;
  size_t size_ = 0;
  const void* values_ = nullptr;
  const uint8_t* nulls_ = nullptr;
  std::shared_ptr<const void> owner_;
};

// Memory for the text of one column, in chunks that never move.
class TextArena {
 public:
  std::string_view store(std::string_view text);
  char* reserve(size_t size);  // uninitialised room for `size` bytes
  size_t bytes() const { return bytes_; }

 private:
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t bytes_ = 0;
};

// Grows a column row by row, or fills one of known size.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(DataType type, size_t reserve = 0);

  const DataType& type() const { return type_; }
  size_t size() const;
  void append_null();
  void append(const Value& value);  // NULL, or of the column's type
  void append(const Column& source, size_t row);
  template <class T>
  void append_plain(const T& value) {  // text is not copied: see text(), keep()
    std::get<std::vector<T>>(values_).push_back(value);
    if (!nulls_.empty()) nulls_.push_back(0);
  }
  void append_text(std::string_view text) { append_plain<std::string_view>(arena_->store(text)); }
  void append_bool(bool value) { append_plain<uint8_t>(value ? 1 : 0); }

  // The array itself, for loops that fill it; sized with resize().
  template <class T>
  std::vector<T>& values() {
    return std::get<std::vector<T>>(values_);
  }
  // One null byte per row; empty: nothing is null.
  void set_nulls(std::vector<uint8_t> nulls) { nulls_ = std::move(nulls); }
  void resize(size_t rows);   // new rows are zero, empty, not null
  void set_null(size_t row);  // a row below size()
  TextArena& arena() { return *arena_; }
  void keep(std::shared_ptr<const void> owner);  // memory that appended views look into

  Column finish();  // the builder is empty afterwards

 private:
  using Values = std::variant<std::vector<uint8_t>, std::vector<int32_t>, std::vector<int64_t>, std::vector<float>,
                              std::vector<double>, std::vector<Int128>, std::vector<std::string_view>,
                              std::vector<TimestampValue>, std::vector<Value>>;
  struct Storage;
  static Values empty_values(Physical);
  DataType type_;
  Values values_;
  std::vector<uint8_t> nulls_;  // empty until the first null
  std::shared_ptr<TextArena> arena_;
  std::vector<std::shared_ptr<const void>> owners_;
  friend class Column;
};

// Rows by column. `kinds` is empty when all rows are inserts; `selection` (ascending row numbers) says which rows
// count.
struct Batch {
  std::vector<Column> columns;
  size_t rows = 0;
  std::vector<RowKind> kinds;
  std::optional<std::vector<uint32_t>> selection;

  size_t selected() const { return selection ? selection->size() : rows; }
  RowKind kind(size_t row) const { return kinds.empty() ? RowKind::insert : kinds[row]; }
  Row row(size_t row) const;
  // The selected rows alone, without a selection.
  Batch compact() const;
  // The rows named, in that order, without a selection.
  Batch take(std::span<const uint32_t> rows) const;
  // Calls f(row number) for each row that counts.
  template <class F>
  void each(F f) const {
    if (selection) {
      for (uint32_t r : *selection) f(static_cast<size_t>(r));
    } else {
      for (size_t r = 0; r < rows; ++r) f(r);
    }
  }
};

// Grows a batch row by row.
class BatchBuilder {
 public:
  explicit BatchBuilder(std::span<const DataType> types);
  void append(const Row& row, RowKind kind = RowKind::insert);
  void append(const Batch& source, size_t row);
  void append(const Batch& source, size_t row, RowKind kind);
  ColumnBuilder& column(size_t index) { return columns_[index]; }
  void end_row(RowKind kind = RowKind::insert);  // after appending to every column by hand
  size_t rows() const { return rows_; }
  Batch finish();

 private:
  std::vector<ColumnBuilder> columns_;
  std::vector<RowKind> kinds_;  // empty while all are inserts
  size_t rows_ = 0;
};

}  // namespace millrace::processing
