// The quick way through JSON records. It expects what the record before looked like: the same fields in the same order,
// found by comparing the names as they stand; plain whole numbers, plain strings, which become views of the record.
// It steps from quote to quote over an index of the whole record, and leaves single values that are anything else
// (fractions, escapes, nested ones) to a JsonReader.
//
// It never guesses: every character is looked at, and where a record could be wrong in any way, or a value might not
// fit, it gives up on the record, and the caller reads it with a JsonReader from its start. So there is one place that
// knows what Flink does with bad records, and it is not here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/formats/format.h"
#include "processing/formats/json_field.h"
#include "processing/formats/json_reader.h"
#include "processing/formats/json_shape.h"
#include "processing/formats/quote_index.h"
#include "processing/formats/row_targets.h"

namespace millrace::processing {

// Converts any value into a slot: what the reader stands at, for a field. False, or any JobFailure: it does not fit.
class JsonValues {
 public:
  virtual ~JsonValues() = default;
  virtual bool convert_value(JsonReader& json, size_t field, FieldSlot& slot) = 0;
};

class JsonScan {
 public:
  JsonScan(std::span<const Field> fields, TimestampStandard standard, bool fail_on_missing);

  // One more row, or false: see above.
  bool read(std::string_view record, JsonValues& values, RowTargets& targets);

 private:
  static constexpr size_t most_fields = 256;
  static constexpr size_t unknown = SIZE_MAX;
  static constexpr size_t most_unknown = 32;  // names that no field has, remembered to pass them quickly
  // A name as it has been seen, "name": and the first sixteen characters of that. Those of one record stand in its
  // order.
  struct Expected {
    uint64_t first = 0, first_mask = 0;
    uint64_t second = 0, second_mask = 0;
    std::string text;
    size_t field = unknown;
  };
  // Where the scan is in the record.
  struct Place {
    const char* at;
    const char* end;
    const uint32_t* quote;  // the next one
  };
  using Filled = uint64_t[most_fields / 64];

  bool walk(std::string_view record, JsonValues& values, RowTargets& targets);
  bool is_expected(const Expected& expected, const Place& in) const;
  bool read_name(Place& in, size_t& guess, size_t& field);
  bool find_name(Place& in, size_t& guess, size_t& field);
  bool find_name_apart(Place& in, size_t& guess, size_t& field);
  bool read_value(Place& in, size_t field, RowTargets& targets, Filled& filled);
  bool read_any(Place& in, size_t field, RowTargets& targets, Filled& filled);
  bool skip_value(Place& in);
  bool skip_any(Place& in);
  bool read_string(Place& in, std::string_view& text) const;

  std::vector<JsonField> known_;
  std::vector<Expected> expected_;
  bool fail_on_missing_;
  JsonShapes shapes_;
  QuoteIndex quotes_;
  std::string_view record_;
  JsonReader reader_;
  FieldSlot slot_;
  JsonValues* values_ = nullptr;
};

}  // namespace millrace::processing
