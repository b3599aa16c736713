#include "broker/gateway/json.h"

#include <simdjson.h>

namespace millrace::broker::gateway {

namespace {

constexpr int deepest = 64;
const Json nothing;

Json convert(simdjson::dom::element element, int depth) {
  if (depth > deepest) throw JsonError("nested too deeply");
  Json json;
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY:
      json.kind = Json::Kind::array;
      for (const simdjson::dom::element item : simdjson::dom::array(element)) {
        json.items.push_back(convert(item, depth + 1));
      }
      break;
    case simdjson::dom::element_type::OBJECT:
      json.kind = Json::Kind::object;
      for (const simdjson::dom::key_value_pair pair : simdjson::dom::object(element)) {
        json.members.push_back({std::string(pair.key), convert(pair.value, depth + 1)});
      }
      break;
    case simdjson::dom::element_type::STRING:
      json.kind = Json::Kind::string;
      json.text = std::string(std::string_view(element));
      break;
    case simdjson::dom::element_type::BOOL:
      json.kind = Json::Kind::boolean;
      json.text = bool(element) ? "true" : "false";
      break;
    case simdjson::dom::element_type::NULL_VALUE:
      break;
    default:
      json.kind = Json::Kind::number;
      json.text = simdjson::minify(element);
      break;
  }
  return json;
}

// How many bytes the UTF-8 character at `at` takes; 0 when it is none.
size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

const Json& Json::at(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return value;
  }
  return nothing;
}

Json parse_json(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  const simdjson::padded_string padded(text);
  const auto error = parser.parse(padded).get(element);
  if (error != simdjson::SUCCESS) throw JsonError(simdjson::error_message(error));
  return convert(element, 0);
}

void append_quoted(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = utf8_length(text, i);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++i;
      continue;
    }
    if (length > 1) {
      out += text.substr(i, length);
      i += length;
      continue;
    }
    ++i;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += digits[c >> 4];
          out += digits[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace millrace::broker::gateway
