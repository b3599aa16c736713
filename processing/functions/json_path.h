// JSON paths as Flink's JSON functions take them: an optional "lax" or "strict" (the default), then
//   $.name  ['name']  ["a","b"]  [0]  [-1]  [0,2]  [1:3]  [*]  .*  ..name
// A path that can match several places is indefinite; its result is an array of the matches.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "processing/functions/json_tree.h"

namespace millrace::processing {

class JsonPath {
 public:
  enum class Mode : uint8_t { lax, strict };

  explicit JsonPath(std::string_view spec);
  static const JsonPath& compiled(std::string_view spec);

  Mode mode() const { return mode_; }
  bool is_valid() const { return valid_; }
  bool is_definite() const { return definite_; }
  const std::string& spec() const { return spec_; }

  // The match, or the list of matches of an indefinite path. Nothing: no such place; `problem` says why.
  std::optional<Json> read(const Json& document, std::string* problem = nullptr) const;

 private:
  struct Step {
    enum class Kind : uint8_t { names, indexes, slice, wildcard };
    Kind kind = Kind::names;
    bool deep = false;  // at any depth below
    std::vector<std::string> names;
    std::vector<int64_t> indexes;
    std::optional<int64_t> from, to;
  };
  bool parse(std::string_view text);
  bool parse_brackets(std::string_view& text, Step& step);
  void find(const Json& at, size_t step, std::vector<const Json*>& found) const;
  void match(const Json& at, const Step& step, std::vector<const Json*>& found) const;
  std::string text_to(size_t step) const;

  std::string spec_;
  Mode mode_ = Mode::strict;
  std::vector<Step> steps_;
  bool valid_ = false;
  bool definite_ = true;
};

}  // namespace millrace::processing
