// Java's properties syntax, as server.properties and meta.properties are written in.
//
//   # comment     ! comment
//   key=value     key: value     key value     a line ending in an odd number of \ goes on; \n \t \uXXXX escapes
// The last of two equal keys counts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::broker {

using Properties = std::map<std::string, std::string, std::less<>>;

// The order of lines is not kept.
Properties parse_properties(std::string_view text);

// "a, b,c" as ["a", "b", "c"]; empty for "".
std::vector<std::string> split_list(std::string_view text);

}  // namespace millrace::broker
