// A field of a table as the quick ways through JSON records see it: its name, and how its values stand in a record.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/formats/row_targets.h"
#include "processing/formats/time_format.h"
#include "processing/types.h"

namespace millrace::processing {

struct JsonField {
  enum class Kind : uint8_t { whole, fraction, text, timestamp, date, boolean, other };
  std::string name;
  Kind kind = Kind::other;
  Physical physical = Physical::boxed;
  int64_t least = 0;  // of whole numbers
  int64_t most = 0;
  int precision = 0;  // of decimals
  int scale = 0;
  TimestampReader timestamp;
  bool millis_only = false;
};

std::vector<JsonField> json_fields(std::span<const Field> fields, TimestampStandard standard);

// What a value came to: `unfit` leaves the record to a JsonReader.
enum class JsonFit : uint8_t { value, null, unfit };

// A number as it stands, for a field with fractions.
JsonFit read_fraction(std::string_view text, const JsonField& known, size_t field, RowTargets& targets);

}  // namespace millrace::processing
