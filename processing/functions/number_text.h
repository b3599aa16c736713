// Numbers and booleans from text, with Java's acceptance and Flink's complaints. All throw RunFailure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "processing/decimal.h"

namespace millrace::processing {

// A fraction is allowed and dropped. `bits`: 8, 16, 32, 64.
int64_t integer_from_text(std::string_view text, int bits);
double double_from_text(std::string_view text);
float float_from_text(std::string_view text);
bool boolean_from_text(std::string_view text);
Int128 decimal_from_text(std::string_view text, int precision, int scale);
// What Double.parseDouble accepts; nothing: it throws.
std::optional<double> java_double(std::string_view text);
// Where a formatter stops reading text as a timestamp; for messages.
size_t unparsed_index(std::string_view text);

}  // namespace millrace::processing
