// SQL values as JSON text, as Flink's JSON functions write them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "processing/value.h"

namespace millrace::processing {

// Appends `text` as a JSON string with Jackson's escapes. `as_bytes`: what lies beyond the basic plane becomes two
// \uXXXX escapes, which is what Jackson does when it writes bytes rather than a String.
void append_json_string(std::string& out, std::string_view text, bool as_bytes);
// A quoted JSON string; non-ASCII characters are kept as they are.
std::string json_quoted(std::string_view text);
std::string json_text(const Value& value, const DataType& type);
// {"a":…,"b":…} from names and JSON texts, ordered by name, the last of equal names winning.
std::string json_object_text(std::vector<std::pair<std::string, std::string>> members);

}  // namespace millrace::processing
