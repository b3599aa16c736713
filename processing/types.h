// The SQL type system: Flink's logical types, their text, and how they combine and convert.
//
//   INT NOT NULL   DECIMAL(10, 2)   STRING   TIMESTAMP(3) *ROWTIME*   ROW<`a` INT, `b` ARRAY<STRING>>
//
// A DataType is a small value; children of nested types are shared and immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::processing {

enum class TypeRoot : uint8_t {
  null,  // the type of a bare NULL
  boolean,
  tinyint,
  smallint,
  integer,
  bigint,
  float_,
  double_,
  decimal,
  character,
  varchar,
  binary,
  varbinary,
  date,
  time,
  timestamp,
  timestamp_ltz,
  interval_months,  // INTERVAL YEAR TO MONTH
  interval_millis,  // INTERVAL DAY TO SECOND
  array,
  map,
  multiset,
  row,
  symbol,  // a keyword among arguments: YEAR, LEADING, NULL ON EMPTY …
};

enum class TimeAttribute : uint8_t { none, rowtime, proctime };

constexpr int32_t max_length = 2147483647;
constexpr int max_decimal_precision = 38;

struct Field;

struct DataType {
  TypeRoot root = TypeRoot::null;
  bool nullable = true;
  TimeAttribute attribute = TimeAttribute::none;
  int32_t precision = 0;  // digits of a decimal, fraction digits of a time, length of characters and bytes
  int32_t scale = 0;
  std::shared_ptr<const std::vector<Field>> fields;  // row: its fields; array, multiset: element; map: key, value

  DataType() = default;
  explicit DataType(TypeRoot r, int32_t p = 0, int32_t s = 0) : root(r), precision(p), scale(s) {}

  static DataType boolean() { return DataType(TypeRoot::boolean); }
  static DataType tinyint() { return DataType(TypeRoot::tinyint); }
  static DataType smallint() { return DataType(TypeRoot::smallint); }
  static DataType integer() { return DataType(TypeRoot::integer); }
  static DataType bigint() { return DataType(TypeRoot::bigint); }
  static DataType float_() { return DataType(TypeRoot::float_); }
  static DataType double_() { return DataType(TypeRoot::double_); }
  static DataType decimal(int p, int s) { return DataType(TypeRoot::decimal, p, s); }
  static DataType character(int32_t n) { return DataType(TypeRoot::character, n); }
  static DataType varchar(int32_t n) { return DataType(TypeRoot::varchar, n); }
  static DataType string() { return varchar(max_length); }
  static DataType binary(int32_t n) { return DataType(TypeRoot::binary, n); }
  static DataType varbinary(int32_t n) { return DataType(TypeRoot::varbinary, n); }
  static DataType bytes() { return varbinary(max_length); }
  static DataType date() { return DataType(TypeRoot::date); }
  static DataType time(int p = 0) { return DataType(TypeRoot::time, p); }
  static DataType timestamp(int p) { return DataType(TypeRoot::timestamp, p); }
  static DataType timestamp_ltz(int p) { return DataType(TypeRoot::timestamp_ltz, p); }
  static DataType interval_months() { return DataType(TypeRoot::interval_months); }
  static DataType interval_millis() { return DataType(TypeRoot::interval_millis); }
  static DataType symbol() { return DataType(TypeRoot::symbol).with_nullable(false); }
  static DataType array(DataType element);
  static DataType multiset(DataType element);
  static DataType map(DataType key, DataType value);
  static DataType row(std::vector<Field> fields);

  DataType with_nullable(bool n) const {
    DataType copy = *this;
    copy.nullable = n;
    return copy;
  }
  DataType not_null() const { return with_nullable(false); }
  DataType with_attribute(TimeAttribute a) const {
    DataType copy = *this;
    copy.attribute = a;
    return copy;
  }

  const DataType& child(size_t index) const;     // element, key, value, or a field's type
  int field_index(std::string_view name) const;  // of a row; −1: there is none

  bool is(TypeRoot r) const { return root == r; }
  bool is_integral() const { return root >= TypeRoot::tinyint && root <= TypeRoot::bigint; }
  bool is_exact() const { return is_integral() || root == TypeRoot::decimal; }
  bool is_approximate() const { return root == TypeRoot::float_ || root == TypeRoot::double_; }
  bool is_numeric() const { return root >= TypeRoot::tinyint && root <= TypeRoot::decimal; }
  bool is_text() const { return root == TypeRoot::character || root == TypeRoot::varchar; }
  bool is_bytes() const { return root == TypeRoot::binary || root == TypeRoot::varbinary; }
  bool is_timestamp() const { return root == TypeRoot::timestamp || root == TypeRoot::timestamp_ltz; }
  bool is_datetime() const { return root >= TypeRoot::date && root <= TypeRoot::timestamp_ltz; }
  bool is_interval() const { return root == TypeRoot::interval_months || root == TypeRoot::interval_millis; }
  bool is_nested() const { return root >= TypeRoot::array && root <= TypeRoot::row; }
  bool is_time_attribute() const { return attribute != TimeAttribute::none; }

  // Same type, nullability and all. Field names count, time attributes do not.
  friend bool operator==(const DataType& a, const DataType& b);
};

struct Field {
  std::string name;
  DataType type;
};

// The same but for nullability, at every depth.
bool same_ignoring_nullability(const DataType&, const DataType&);

// Flink's summary text, with NOT NULL where it applies.
std::string to_string(const DataType&);
// The same without the outermost NOT NULL, as DESCRIBE prints it.
std::string describe_text(const DataType&);
// The text in the planner's messages: INTEGER, VARCHAR(2147483647), TIMESTAMP(3), INTEGER ARRAY …
std::string planner_text(const DataType&);
// The family in "No match found for function signature F(<NUMERIC>)".
std::string family_text(const DataType&);
// Flink's name of the root, as in "implicit type conversion between VARCHAR and INTEGER is not supported now".
std::string_view root_text(TypeRoot);

// The type both sides fit in (CASE, COALESCE, UNION, IN): Calcite's least restrictive type. Nothing: they do not mix.
std::optional<DataType> common_type(std::span<const DataType>);
std::optional<DataType> common_type(const DataType&, const DataType&);

// Which values may go where without a CAST (INSERT into a column), and with one.
bool can_cast_implicitly(const DataType& from, const DataType& to);
bool can_cast_explicitly(const DataType& from, const DataType& to);
// Whether =, <, BETWEEN, IN accept the pair.
bool comparable(const DataType&, const DataType&);

// Result types of decimal arithmetic, cut to 38 digits as Flink does. Integers count as decimals of their digits.
DataType as_decimal(const DataType& exact);
DataType decimal_plus(const DataType&, const DataType&);
DataType decimal_times(const DataType&, const DataType&);
DataType decimal_divide(const DataType&, const DataType&);
DataType decimal_modulo(const DataType&, const DataType&);

}  // namespace millrace::processing
