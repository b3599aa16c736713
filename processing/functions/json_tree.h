// A JSON document as a tree that keeps numbers as they were written, so that 1.50 stays 1.50. Reads what Jackson reads:
// anything after the document is ignored; at most 1000 levels deep.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::processing {

struct JsonMember;

struct Json {
  enum class Kind : uint8_t { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  bool truth = false;
  std::string text;                 // a string's characters, a number as Java prints it
  std::vector<Json> items;          // of an array
  std::vector<JsonMember> members;  // of an object; names are unique

  bool is_scalar() const { return kind != Kind::array && kind != Kind::object; }
  const Json* member(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  Json value;
};

// Nothing: malformed.
std::optional<Json> parse_json(std::string_view text);
// The document's text: no spaces, members ordered by name.
std::string to_string(const Json& json);
// What a scalar is as SQL text: strings without quotes.
std::string scalar_text(const Json& json);

}  // namespace millrace::processing
