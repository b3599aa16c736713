// Numbers read from text as Java reads them. Nothing: Java would throw a NumberFormatException.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "processing/decimal.h"

namespace millrace::processing {

// Java's String.trim: everything up to and including the space character goes, at both ends.
std::string_view java_trim(std::string_view text);

// Byte.parseByte … Long.parseLong: [+-]digits within the range.
std::optional<int64_t> parse_integer(std::string_view text, int64_t least, int64_t most);
// Double.parseDouble and Float.parseFloat: surrounding white space, NaN, Infinity and a trailing f or d are fine.
std::optional<double> parse_double(std::string_view text);
std::optional<float> parse_float(std::string_view text);

// Whether new BigDecimal(text) would take it; parse_decimal (decimal.h) then says whether it fits a type.
bool is_decimal_text(std::string_view text);
// A JSON number as BigDecimal prints it without trailing zeros: 1.5, 1E+20.
std::string stripped_decimal_text(std::string_view number);

}  // namespace millrace::processing
