// Numbers and booleans from text, with Java's acceptance and Flink's complaints. All throw RunFailure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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
// Java's words for a text that is no timestamp: where reading stopped, or the field that is out of range.
std::string timestamp_problem(std::string_view text);

}  // namespace millrace::processing
