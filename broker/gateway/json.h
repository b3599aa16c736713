// JSON on the gateway's two ends: reading bodies into a small tree, and writing answers.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::broker::gateway {

class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Json {
  enum class Kind { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  std::string text;  // of a string; of a number and a boolean as written
  std::vector<Json> items;
  struct Member;
  std::vector<Member> members;

  bool is(Kind k) const { return kind == k; }
  bool truth() const { return kind == Kind::boolean && text == "true"; }
  // Of an object; a null when there is none.
  const Json& at(std::string_view name) const;
};

struct Json::Member {
  std::string key;
  Json value;
};

// Throws JsonError; nesting is bounded.
Json parse_json(std::string_view text);

// Appends `text` in quotes; what is no UTF-8 becomes U+FFFD.
void append_quoted(std::string& out, std::string_view text);
std::string quoted(std::string_view text);

}  // namespace millrace::broker::gateway
