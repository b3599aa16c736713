// A boxed SQL value, for state, literals, nested types and everything that is not a hot loop. Its type is known from
// outside: whole numbers, dates, times and intervals all are int64 here.
//
//   BOOLEAN bool · TINYINT…BIGINT, DATE (days), TIME (ms), INTERVAL (months or ms) int64 · FLOAT float · DOUBLE double
//   DECIMAL Int128 (unscaled) · CHAR, VARCHAR, BINARY, VARBINARY std::string · TIMESTAMP, TIMESTAMP_LTZ TimestampValue
//   ROW, ARRAY Nested (fields or elements) · MAP, MULTISET Nested (key, value, key, value, …)
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "processing/decimal.h"
#include "processing/types.h"

namespace millrace::processing {

// Milliseconds since 1970-01-01 (local for TIMESTAMP, UTC for TIMESTAMP_LTZ) and nanoseconds 0..999999 within.
struct TimestampValue {
  int64_t millis = 0;
  int32_t nanos = 0;
  friend constexpr auto operator<=>(const TimestampValue&, const TimestampValue&) = default;
};

class Value;
using Row = std::vector<Value>;

class Value {
 public:
  struct Nested;  // rows, arrays, maps

  Value() = default;  // NULL
  static Value boolean(bool v) { return Value(v); }
  static Value integer(int64_t v) { return Value(v); }
  static Value float_(float v) { return Value(v); }
  static Value double_(double v) { return Value(v); }
  static Value decimal(Int128 v) { return Value(v); }
  static Value text(std::string v) { return Value(std::move(v)); }
  static Value text(std::string_view v) { return Value(std::string(v)); }
  static Value text(const char* v) { return Value(std::string(v)); }
  static Value timestamp(TimestampValue v) { return Value(v); }
  static Value timestamp(int64_t millis) { return Value(TimestampValue{millis, 0}); }
  static Value nested(std::vector<Value> items);

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  explicit operator bool() const = delete;

  bool as_bool() const { return std::get<bool>(data_); }
  int64_t as_int() const { return std::get<int64_t>(data_); }
  float as_float() const { return std::get<float>(data_); }
  double as_double() const { return std::get<double>(data_); }
  Int128 as_decimal() const { return std::get<Int128>(data_); }
  const std::string& as_text() const { return std::get<std::string>(data_); }
  TimestampValue as_timestamp() const { return std::get<TimestampValue>(data_); }
  const std::vector<Value>& items() const;  // of rows, arrays and maps

  // Equal as Java's equals: NULL equals NULL, NaN equals NaN, −0.0 differs from 0.0. Maps: same entries in any order
  // are equal only when typed as maps; here order counts.
  friend bool operator==(const Value& a, const Value& b);
  size_t hash() const;

 private:
  using Data = std::variant<std::monostate, bool, int64_t, float, double, Int128, std::string, TimestampValue,
                            std::shared_ptr<const Nested>>;
  template <class T>
  explicit Value(T v) : data_(std::move(v)) {}
  friend void append_value(std::string& out, const Value& value);
  friend int compare(const Value& a, const Value& b);
  Data data_;
};

struct Value::Nested {
  std::vector<Value> items;
};

// Total order of two values of one type: NULL first, numbers by size, NaN last, text by bytes.
int compare(const Value& a, const Value& b);
inline bool less(const Value& a, const Value& b) { return compare(a, b) < 0; }

struct ValueHash {
  size_t operator()(const Value& v) const { return v.hash(); }
  size_t operator()(const Row& row) const;
};

size_t hash_text(std::string_view);
size_t mix_hash(size_t seed, size_t hash);

// A self-describing binary form for state and checkpoints.
void append_value(std::string& out, const Value& value);
void append_row(std::string& out, const Row& row);
// Reads one value off the front of `in`. Throws std::runtime_error when it is cut short or damaged.
Value read_value(std::string_view& in);
Row read_row(std::string_view& in);

class TimeZone;

// The text of CAST(… AS STRING), which is also what Flink's client prints in a cell ("NULL" stands for nested nulls;
// a null cell is the caller's to print). `zone` applies to TIMESTAMP_LTZ.
std::string value_text(const Value& value, const DataType& type, const TimeZone& zone);
// A cell of the client: booleans are TRUE and FALSE, bytes x'…', NULL is `null_text`.
std::string cell_text(const Value& value, const DataType& type, const TimeZone& zone,
                      std::string_view null_text = "<NULL>");
// The same with UTC.
std::string cell_text(const Value& value, const DataType& type);

// As Java prints them: 1.0E10, 0.001, NaN, Infinity.
std::string double_text(double value);
std::string float_text(float value);
std::string date_text(int64_t days);
std::string time_text(int64_t millis, int precision);
std::string timestamp_text(TimestampValue value, int precision);
std::string months_text(int64_t months);           // +1-02
std::string millis_interval_text(int64_t millis);  // +1 02:03:04.567

// A map of these entries (key, value, key, value, …): later keys replace earlier ones, in the order in which a Java
// hash map of Flink's internal keys iterates. What readers build maps with.
Value make_map(std::vector<Value> entries, const DataType& map_type);
// Each key once, where it first comes, with its last value.
std::vector<Value> last_entries(std::vector<Value> entries);

}  // namespace millrace::processing
