#include "processing/functions/json_tree.h"

#include <algorithm>
#include <cstdlib>

#include "processing/functions/json_text.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

const Json* Json::member(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A JSON number as Java's Integer, BigInteger or BigDecimal would print it. Nothing: its scale is none that a
// BigDecimal can have.
std::optional<std::string> java_number(std::string_view text) {
  bool negative = text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.find_first_of(".eE") == std::string_view::npos) {
    return negative && text != "0" ? "-" + std::string(text) : std::string(text);
  }
  std::string digits;
  int64_t scale = 0;
  size_t i = 0;
  for (; i < text.size() && is_digit(text[i]); ++i) digits += text[i];
  if (i < text.size() && text[i] == '.') {
    for (++i; i < text.size() && is_digit(text[i]); ++i) {
      digits += text[i];
      ++scale;
    }
  }
  if (i < text.size()) {
    int64_t exponent = std::strtoll(std::string(text.substr(i + 1)).c_str(), nullptr, 10);
    constexpr int64_t far = 1'000'000'000'000;
    scale -= std::clamp(exponent, -far, far);
    if (scale != static_cast<int32_t>(scale)) return std::nullopt;
  }
  size_t leading = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  digits.erase(0, leading);
  if (digits == "0") negative = false;
  int64_t exponent = static_cast<int64_t>(digits.size()) - 1 - scale;
  std::string out;
  if (scale >= 0 && exponent >= -6) {
    size_t n = static_cast<size_t>(scale);
    if (digits.size() <= n) digits.insert(0, n + 1 - digits.size(), '0');
    if (n > 0) digits.insert(digits.size() - n, ".");
    out = digits;
  } else {
    out = digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    if (exponent != 0) out += (exponent > 0 ? "E+" : "E") + std::to_string(exponent);
  }
  return negative ? "-" + out : out;
}

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  bool value(Json& out, int depth) {
    if (depth > 1000) return false;
    skip_space();
    if (at_ >= text_.size()) return false;
    switch (text_[at_]) {
      case '{':
        return object(out, depth);
      case '[':
        return array(out, depth);
      case '"':
        out.kind = Json::Kind::string;
        return string(out.text);
      case 't':
        out.truth = true;
        out.kind = Json::Kind::boolean;
        return word("true");
      case 'f':
        out.kind = Json::Kind::boolean;
        return word("false");
      case 'n':
        return word("null");
      default:
        return number(out);
    }
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    char after = at_ < text_.size() ? text_[at_] : ' ';
    return !((after >= 'a' && after <= 'z') || (after >= 'A' && after <= 'Z') || is_digit(after) || after == '_');
  }
  bool number(Json& out) {
    size_t begin = at_;
    if (text_[at_] == '-') ++at_;
    size_t digits = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    if (at_ == digits || (text_[digits] == '0' && at_ - digits > 1)) return false;
    if (at_ < text_.size() && text_[at_] == '.') {
      size_t fraction = ++at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      if (at_ == fraction) return false;
    }
    if (at_ < text_.size() && (text_[at_] | 0x20) == 'e') {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      size_t exponent = at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      if (at_ == exponent) return false;
    }
    char after = at_ < text_.size() ? text_[at_] : ' ';
    if (std::string_view(" \t\r\n,]}:").find(after) == std::string_view::npos) return false;
    out.kind = Json::Kind::number;
    std::optional<std::string> text = java_number(text_.substr(begin, at_ - begin));
    if (!text) return false;
    out.text = *std::move(text);
    return true;
  }
  std::optional<char32_t> hex4() {
    char32_t c = 0;
    for (int i = 0; i < 4; ++i) {
      if (at_ >= text_.size()) return std::nullopt;
      char d = text_[at_++];
      int v = is_digit(d) ? d - '0' : (d | 0x20) >= 'a' && (d | 0x20) <= 'f' ? (d | 0x20) - 'a' + 10 : -1;
      if (v < 0) return std::nullopt;
      c = c << 4 | static_cast<char32_t>(v);
    }
    return c;
  }
  bool escape(std::string& out) {
    if (at_ >= text_.size()) return false;
    switch (text_[at_++]) {
      case '"':
        out += '"';
        return true;
      case '\\':
        out += '\\';
        return true;
      case '/':
        out += '/';
        return true;
      case 'b':
        out += '\b';
        return true;
      case 'f':
        out += '\f';
        return true;
      case 'n':
        out += '\n';
        return true;
      case 'r':
        out += '\r';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'u': {
        std::optional<char32_t> c = hex4();
        if (!c) return false;
        if (*c >= 0xd800 && *c <= 0xdbff && text_.substr(at_).starts_with("\\u")) {
          size_t back = at_;
          at_ += 2;
          std::optional<char32_t> low = hex4();
          if (!low) return false;
          if (*low >= 0xdc00 && *low <= 0xdfff) {
            append_code_point(out, 0x10000 + ((*c - 0xd800) << 10) + (*low - 0xdc00));
            return true;
          }
          at_ = back;
        }
        if (*c >= 0xd800 && *c <= 0xdfff) {
          out += '?';
        } else {
          append_code_point(out, *c);
        }
        return true;
      }
      default:
        return false;
    }
  }
  bool string(std::string& out) {
    ++at_;
    for (;;) {
      size_t begin = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20)
        ++at_;
      out += text_.substr(begin, at_ - begin);
      if (at_ >= text_.size()) return false;
      char c = text_[at_++];
      if (c == '"') return true;
      if (c != '\\' || !escape(out)) return false;
    }
  }
  bool array(Json& out, int depth) {
    ++at_;
    out.kind = Json::Kind::array;
    if (take(']')) return true;
    do {
      if (!value(out.items.emplace_back(), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }
  bool object(Json& out, int depth) {
    ++at_;
    out.kind = Json::Kind::object;
    if (take('}')) return true;
    do {
      skip_space();
      std::string name;
      if (at_ >= text_.size() || text_[at_] != '"' || !string(name) || !take(':')) return false;
      Json item;
      if (!value(item, depth + 1)) return false;
      auto same = std::find_if(out.members.begin(), out.members.end(), [&](const auto& m) { return m.name == name; });
      if (same != out.members.end()) {
        same->value = std::move(item);
      } else {
        out.members.emplace_back(std::move(name), std::move(item));
      }
    } while (take(','));
    return take('}');
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
  Json document;
  JsonParser parser(text);
  if (!parser.value(document, 0)) return std::nullopt;
  return document;
}

std::string scalar_text(const Json& json) {
  switch (json.kind) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return json.truth ? "true" : "false";
    default:
      return json.text;
  }
}

std::string to_string(const Json& json) {
  switch (json.kind) {
    case Json::Kind::string:
      return json_quoted(json.text);
    case Json::Kind::array: {
      std::string out = "[";
      for (const Json& item : json.items) {
        if (out.size() > 1) out += ',';
        out += to_string(item);
      }
      return out + "]";
    }
    case Json::Kind::object: {
      std::vector<std::pair<std::string, std::string>> members;
      for (const auto& [name, value] : json.members) members.emplace_back(name, to_string(value));
      return json_object_text(std::move(members));
    }
    default:
      return scalar_text(json);
  }
}

}  // namespace millrace::processing
