#include "processing/formats/json_reader.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "processing/formats/eight_bytes.h"
#include "processing/formats/number_text.h"
#include "processing/functions/json_text.h"
#include "processing/functions/utf8.h"
#include "processing/jobs/job_failure.h"
#include "processing/value.h"

namespace millrace::processing {

namespace {

constexpr size_t max_depth = 1000;
constexpr const char* parse_exception =
    "org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParseException";

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Eight characters, none of which is a quote, a backslash or beyond ASCII. (Others may be taken for such.)
bool is_plain_ascii(uint64_t text) {
  constexpr uint64_t ones = 0x0101010101010101;
  const uint64_t quote = text ^ (ones * '"');
  const uint64_t backslash = text ^ (ones * '\\');
  return ((text | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & top_bits) == 0;
}

[[noreturn]] void fail(std::string message) { throw JobFailure(parse_exception, std::move(message)); }

// 'x' (code 120), as Jackson describes a character.
std::string describe(uint32_t c) {
  std::array<char, 64> tail{};
  if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) {
    std::snprintf(tail.data(), tail.size(), "(CTRL-CHAR, code %u)", c);
    return tail.data();
  }
  std::string text = "'";
  append_code_point(text, c);
  if (c > 255)
    std::snprintf(tail.data(), tail.size(), "' (code %u / 0x%x)", c, c);
  else
    std::snprintf(tail.data(), tail.size(), "' (code %u)", c);
  return text + tail.data();
}

}  // namespace

JsonReader::JsonReader(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {
  if (text.starts_with("\xef\xbb\xbf")) at_ += 3;
}

void JsonReader::move_to_value(std::string_view text, size_t at) {
  begin_ = text.data();
  at_ = begin_ + at;
  end_ = begin_ + text.size();
  token_ = JsonToken::end;
  name_given_ = true;
  string_pending_ = false;
  nesting_.assign(1, {true, true, begin_});
}

const char* JsonReader::context() const { return nesting_.empty() ? "root" : in_object() ? "Object" : "Array"; }

void JsonReader::skip_space() {
  while (at_ < end_ && is_space(*at_)) ++at_;
  if (at_ < end_ && static_cast<unsigned char>(*at_) < 0x20)
    fail("Illegal character (" + describe(static_cast<unsigned char>(*at_)) +
         "): only regular white space (\\r, \\n, \\t) is allowed between tokens");
}

void JsonReader::unexpected(const char* at, std::string_view comment) {
  fail("Unexpected character (" + describe(code_point(at, end_)) + "): " + std::string(comment));
}

void JsonReader::unexpected_in_number(const char* at, std::string_view comment) {
  fail("Unexpected character (" + describe(code_point(at, end_)) + ") in numeric value: " + std::string(comment));
}

void JsonReader::end_of_input(std::string_view where) {
  throw JobFailure("org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.io.JsonEOFException",
                   "Unexpected end-of-input" + std::string(where));
}

JsonToken JsonReader::next() {
  if (string_pending_) finish_string();
  if (name_given_) {
    name_given_ = false;
    skip_space();
    if (at_ == end_) end_of_input(" within/between Object entries");
    return value(static_cast<unsigned char>(*at_));
  }
  skip_space();
  if (at_ == end_) {
    if (!nesting_.empty()) {
      size_t line = 1;
      const char* line_start = begin_;
      for (const char* p = begin_; p < nesting_.back().start; ++p) {
        if (*p == '\n') {
          ++line;
          line_start = p + 1;
        }
      }
      end_of_input(std::string(": expected close marker for ") + context() +
                   " (start marker at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); "
                   "line: " +
                   std::to_string(line) + ", column: " + std::to_string(nesting_.back().start - line_start + 1) + "])");
    }
    return set(JsonToken::end);
  }
  const char c = *at_;
  if (c == ']' || c == '}') {
    const bool object = c == '}';
    if (nesting_.empty() || nesting_.back().object != object) {
      if (nesting_.empty()) {
        fail(std::string("Unexpected close marker '") + c + "': expected '" + (object ? ']' : '}') + "'" +
             " (for root starting at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); "
             "line: 1, column: 0])");
      }
      fail(std::string("Unexpected close marker '") + c + "': expected '" + (object ? ']' : '}') + "' (for " +
           context() +
           " starting at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, "
           "column: " +
           std::to_string(nesting_.back().start - begin_ + 1) + "])");
    }
    ++at_;
    nesting_.pop_back();
    return set(object ? JsonToken::end_object : JsonToken::end_array);
  }
  if (!nesting_.empty()) {
    Level& level = nesting_.back();
    if (level.any) {
      if (c != ',') unexpected(at_, std::string("was expecting comma to separate ") + context() + " entries");
      ++at_;
      skip_space();
      if (at_ == end_) fail(std::string("Unexpected end-of-input within/between ") + context() + " entries");
    }
    level.any = true;
    if (level.object) {
      read_name();
      return set(JsonToken::field_name);
    }
  }
  return value(static_cast<unsigned char>(*at_));
}

void JsonReader::read_name() {
  if (*at_ != '"') unexpected(at_, "was expecting double-quote to start field name");
  ++at_;
  token_ = JsonToken::field_name;
  scan_string(" in field name");
  skip_space();
  if (at_ == end_) end_of_input(" within/between Object entries");
  if (*at_ != ':') unexpected(at_, "was expecting a colon to separate field name and value");
  ++at_;
  name_given_ = true;
}

JsonToken JsonReader::value(unsigned char c) {
  switch (c) {
    case '"':
      ++at_;
      string_pending_ = true;
      return set(JsonToken::string);
    case '{':
    case '[':
      if (nesting_.size() >= max_depth)
        throw JobFailure("org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.exc.StreamConstraintsException",
                         "Document nesting depth (1001) exceeds the maximum allowed (1000, from "
                         "`StreamReadConstraints.getMaxNestingDepth()`)");
      nesting_.push_back({c == '{', false, at_});
      ++at_;
      return set(c == '{' ? JsonToken::start_object : JsonToken::start_array);
    case 't':
      literal("true");
      return set(JsonToken::true_);
    case 'f':
      literal("false");
      return set(JsonToken::false_);
    case 'n':
      literal("null");
      return set(JsonToken::null_);
    default:
      break;
  }
  if (c == '-' || is_digit(static_cast<char>(c))) return number(c);
  if (c == '.')
    unexpected(at_, "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
  bad_value(at_);
}

void JsonReader::literal(std::string_view word) {
  const char* from = at_;
  for (size_t i = 0; i < word.size(); ++i) {
    if (from + i == end_ || from[i] != word[i]) invalid_token(from);
  }
  at_ += word.size();
  if (at_ < end_) {
    const auto c = static_cast<unsigned char>(*at_);
    if (c == '_' || c == '$' || (c | 0x20) - 'a' < 26u || is_digit(*at_) || c >= 0x80) invalid_token(from);
  }
  text_ = {from, word.size()};
}

void JsonReader::invalid_token(const char* from) {
  const char* to = from;
  while (to < end_ && to - from < 256) {
    const auto c = static_cast<unsigned char>(*to);
    if (!(c == '_' || c == '$' || static_cast<unsigned>((c | 0x20) - 'a') < 26u || is_digit(*to) || c >= 0x80)) break;
    ++to;
  }
  if (to - from == 256)
    fail("Unrecognized token '" + std::string(from, to) +
         "...': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
  fail("Unrecognized token '" + std::string(from, to) +
       "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
}

void JsonReader::bad_value(const char* at) {
  const auto c = static_cast<unsigned char>(*at);
  const std::string_view rest(at, static_cast<size_t>(end_ - at));
  if (c == ',' || c == '}' || (c == ']' && in_array())) unexpected(at, "expected a value");
  if (rest.starts_with("NaN"))
    fail("Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow");
  if (rest.starts_with("Infinity"))
    fail("Non-standard token 'Infinity': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow");
  if (c == '_' || c == '$' || static_cast<unsigned>((c | 0x20) - 'a') < 26u || c >= 0x80) invalid_token(at);
  unexpected(at, "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
}

JsonToken JsonReader::number(unsigned char c) {
  const char* from = at_;
  bool fraction = false;
  if (c == '-') {
    ++at_;
    if (at_ == end_) end_of_input(" in a Number value");
    if (!is_digit(*at_)) {
      const std::string_view rest(at_, static_cast<size_t>(end_ - at_));
      if (rest.starts_with("Infinity") || rest.starts_with("INF"))
        fail(std::string("Non-standard token '-") + (rest.starts_with("INF") ? "INF" : "Infinity") +
             "': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow");
      unexpected_in_number(at_, "expected digit (0-9) to follow minus sign, for valid numeric value");
    }
  }
  if (*at_ == '0' && at_ + 1 < end_ && is_digit(at_[1])) fail("Invalid numeric value: Leading zeroes not allowed");
  while (at_ < end_ && is_digit(*at_)) ++at_;
  if (at_ < end_ && *at_ == '.') {
    fraction = true;
    ++at_;
    if (at_ == end_) end_of_input(" in a Number value");
    if (!is_digit(*at_)) unexpected_in_number(at_, "Decimal point not followed by a digit");
    while (at_ < end_ && is_digit(*at_)) ++at_;
  }
  if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
    fraction = true;
    ++at_;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (at_ == end_) end_of_input(" in a Number value");
    if (!is_digit(*at_)) unexpected_in_number(at_, "Exponent indicator not followed by a digit");
    while (at_ < end_ && is_digit(*at_)) ++at_;
  }
  text_ = {from, static_cast<size_t>(at_ - from)};
  if (nesting_.empty() && at_ < end_ && !is_space(*at_)) unexpected(at_, "Expected space separating root-level values");
  return set(fraction ? JsonToken::decimal : JsonToken::integer);
}

void JsonReader::finish_string() {
  string_pending_ = false;
  scan_string(" in VALUE_STRING");
}

// Reads to the closing quote; text_ is a view of the input unless there is something to unescape.
void JsonReader::scan_string(const char* kind) {
  const char* from = at_;
  while (end_ - at_ >= 8 && is_plain_ascii(load8(at_))) at_ += 8;
  while (at_ < end_ && *at_ != '"' && *at_ != '\\' && static_cast<signed char>(*at_) >= 0) ++at_;
  if (at_ < end_ && *at_ == '"') {
    text_ = {from, static_cast<size_t>(at_ - from)};
    ++at_;
    return;
  }
  bool copied = false;
  for (;;) {
    if (at_ == end_) end_of_input(kind);
    const char c = *at_;
    if (c == '"') break;
    if (c == '\\') {
      if (!copied) {
        scratch_.assign(from, at_);
        copied = true;
      } else {
        scratch_.append(from, at_);
      }
      ++at_;
      read_escape();
      from = at_;
      continue;
    }
    if (static_cast<signed char>(c) < 0)
      check_utf8();
    else
      ++at_;
  }
  if (copied) {
    scratch_.append(from, at_);
    text_ = scratch_;
  } else {
    text_ = {from, static_cast<size_t>(at_ - from)};
  }
  ++at_;
}

void JsonReader::check_utf8() {
  const auto c = static_cast<unsigned char>(*at_);
  int more = 0;
  if ((c & 0xe0) == 0xc0)
    more = 1;
  else if ((c & 0xf0) == 0xe0)
    more = 2;
  else if ((c & 0xf8) == 0xf0)
    more = 3;
  std::array<char, 64> text{};
  if (more == 0) {
    std::snprintf(text.data(), text.size(), "Invalid UTF-8 start byte 0x%x", static_cast<unsigned>(c));
    fail(text.data());
  }
  ++at_;
  for (int i = 0; i < more; ++i, ++at_) {
    if (at_ == end_) end_of_input(" in VALUE_STRING");
    if ((static_cast<unsigned char>(*at_) & 0xc0) != 0x80) {
      std::snprintf(text.data(), text.size(), "Invalid UTF-8 middle byte 0x%x",
                    static_cast<unsigned>(static_cast<unsigned char>(*at_)));
      fail(text.data());
    }
  }
}

void JsonReader::read_escape() {
  if (at_ == end_) end_of_input(" in character escape sequence");
  const auto hex4 = [this]() -> uint32_t {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_) end_of_input(" in character escape sequence");
      const char h = *at_;
      uint32_t digit = 0;
      if (is_digit(h))
        digit = static_cast<uint32_t>(h - '0');
      else if ((h | 0x20) >= 'a' && (h | 0x20) <= 'f')
        digit = static_cast<uint32_t>((h | 0x20) - 'a' + 10);
      else
        unexpected(at_, "expected a hex-digit for character escape sequence");
      value = value * 16 + digit;
    }
    return value;
  };
  const char c = *at_++;
  switch (c) {
    case 'b':
      scratch_.push_back('\b');
      return;
    case 't':
      scratch_.push_back('\t');
      return;
    case 'n':
      scratch_.push_back('\n');
      return;
    case 'f':
      scratch_.push_back('\f');
      return;
    case 'r':
      scratch_.push_back('\r');
      return;
    case '"':
    case '/':
    case '\\':
      scratch_.push_back(c);
      return;
    case 'u':
      break;
    default:
      fail("Unrecognized character escape " + describe(code_point(at_ - 1, end_)));
  }
  uint32_t unit = hex4();
  if (unit >= 0xd800 && unit <= 0xdbff && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
    const char* back = at_;
    at_ += 2;
    const uint32_t low = hex4();
    if (low >= 0xdc00 && low <= 0xdfff) {
      append_code_point(scratch_, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
      return;
    }
    at_ = back;
  }
  // Java turns half a pair into a question mark when it encodes the text.
  if (unit >= 0xd800 && unit <= 0xdfff) unit = '?';
  append_code_point(scratch_, unit);
}

std::string_view JsonReader::text() {
  if (string_pending_) finish_string();
  switch (token_) {
    case JsonToken::start_object:
      return "{";
    case JsonToken::end_object:
      return "}";
    case JsonToken::start_array:
      return "[";
    case JsonToken::end_array:
      return "]";
    case JsonToken::end:
      return {};
    default:
      return text_;
  }
}

std::string JsonReader::subtree(bool exact) {
  switch (token_) {
    case JsonToken::start_object: {
      // A repeated name keeps its first place and takes the last value.
      std::vector<std::pair<std::string, std::string>> members;
      while (next() != JsonToken::end_object) {
        std::string name(text());
        next();
        std::string member = subtree(exact);
        bool known = false;
        for (auto& [existing, old] : members) {
          if (existing != name) continue;
          old = std::move(member);
          known = true;
          break;
        }
        if (!known) members.emplace_back(std::move(name), std::move(member));
      }
      std::string out = "{";
      for (size_t i = 0; i < members.size(); ++i) {
        if (i > 0) out += ',';
        append_json_string(out, members[i].first, false);
        out += ':';
        out += members[i].second;
      }
      return out + "}";
    }
    case JsonToken::start_array: {
      std::string out = "[";
      while (next() != JsonToken::end_array) {
        if (out.size() > 1) out += ',';
        out += subtree(exact);
      }
      return out + "]";
    }
    case JsonToken::string: {
      std::string out;
      append_json_string(out, text(), false);
      return out;
    }
    case JsonToken::integer: {
      const std::string_view digits = text();
      return digits == "-0" ? "0" : std::string(digits);
    }
    case JsonToken::decimal:
      return exact ? stripped_decimal_text(text()) : double_text(parse_double(text()).value_or(0));
    default:
      return std::string(text());
  }
}

}  // namespace millrace::processing
