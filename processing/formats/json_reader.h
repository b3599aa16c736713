// A pull parser for one JSON document. It accepts what Jackson accepts with Flink's settings (control characters inside
// strings are fine, everything else is strict) and fails with Jackson's words.
//
//   JsonReader json(text);
//   while (json.next() != JsonToken::end) …
//
// Strings are only looked at when text() is called or the next token is asked for. Views are good until then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::processing {

enum class JsonToken : uint8_t {
  end,  // also before the first next()
  start_object,
  end_object,
  start_array,
  end_array,
  field_name,
  string,
  integer,
  decimal,  // a number with a fraction or an exponent
  true_,
  false_,
  null_,
};

class JsonReader {
 public:
  explicit JsonReader(std::string_view text = {});
  // Goes to a place inside the outermost object: behind the colon of a field, whose value comes next.
  void move_to_value(std::string_view text, size_t at);
  // How many bytes have been read, a string not before text() was called.
  size_t position() const { return static_cast<size_t>(at_ - begin_); }
  // How many objects and arrays are open.
  size_t depth() const { return nesting_.size(); }

  JsonToken next();
  JsonToken token() const { return token_; }
  // Of a name or string its characters, of anything else the token as it stands.
  std::string_view text();

  // The value at the current token, written again without white space as Jackson's tree does; moves to its last token.
  // `exact`: fractions keep their decimal digits instead of becoming doubles.
  std::string subtree(bool exact);

 private:
  JsonToken set(JsonToken token) { return token_ = token; }
  JsonToken value(unsigned char c);
  JsonToken number(unsigned char c);
  void literal(std::string_view word);
  void read_name();
  void finish_string();
  void scan_string(const char* kind);
  void read_escape();
  void check_utf8();
  void skip_space();
  void after_value();
  [[noreturn]] void unexpected(const char* at, std::string_view comment);
  [[noreturn]] void unexpected_in_number(const char* at, std::string_view comment);
  [[noreturn]] void end_of_input(std::string_view where);
  [[noreturn]] void bad_value(const char* at);
  [[noreturn]] void invalid_token(const char* from);
  const char* context() const;

  bool in_object() const { return !nesting_.empty() && nesting_.back().object; }
  bool in_array() const { return !nesting_.empty() && !nesting_.back().object; }

  struct Level {
    bool object;
    bool any;           // had an entry: a comma must come before the next
    const char* start;  // for the message about a missing close marker
  };

  const char* begin_;
  const char* at_;
  const char* end_;
  JsonToken token_ = JsonToken::end;
  bool name_given_ = false;  // inside an object: the value of a name comes next
  bool string_pending_ = false;
  std::string_view text_;
  std::string scratch_;
  std::vector<Level> nesting_;
};

}  // namespace millrace::processing
