// Reading dates and times as CAST does: lenient about leading zeros, strict about the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "processing/value.h"

namespace millrace::processing {

// yyyy, yyyy-M, yyyy-M-d; anything after the first space is ignored. Days since 1970-01-01.
std::optional<int32_t> parse_date(std::string_view text);
// H, H:m, H:m:s, H:m:s.fraction, with an optional +H:m or -H:m. Milliseconds.
std::optional<int32_t> parse_time(std::string_view text);
// yyyy-M-d with an optional " H:m:s" and fraction; fraction digits beyond `precision` are cut.
std::optional<TimestampValue> parse_timestamp(std::string_view text, int precision);

// Zeroes fraction digits beyond `precision`, towards zero.
TimestampValue truncate_timestamp(TimestampValue value, int precision);

}  // namespace millrace::processing
