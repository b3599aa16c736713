#include "processing/functions/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "processing/functions/base64.h"
#include "processing/functions/utf8.h"
#include "processing/time_zone.h"

namespace millrace::processing {

void append_json_string(std::string& out, std::string_view text, bool as_bytes) {
  static constexpr const char* hex = "0123456789ABCDEF";
  out.push_back('"');
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    const char* from = at;
    while (at < end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20 &&
           static_cast<unsigned char>(*at) < 0xf0)
      ++at;
    out.append(from, at);
    if (at == end) break;
    const auto c = static_cast<unsigned char>(*at);
    if (c >= 0xf0) {
      const bool followed = end - at >= 4 && std::all_of(at + 1, at + 4, is_continuation);
      const uint32_t point = followed ? code_point(at, end) : 0;
      const bool whole = point >= 0x10000 && point <= 0x10ffff;
      const size_t length = whole ? 4 : 1;  // what is no character may be anything, a quote too
      if (as_bytes && whole) {
        for (const uint32_t unit : {0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff)}) {
          out += "\\u";
          for (int shift = 12; shift >= 0; shift -= 4) out.push_back(hex[(unit >> shift) & 15]);
        }
      } else {
        out.append(at, length);
      }
      at += length;
      continue;
    }
    ++at;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += "\\u00";
        out.push_back(hex[c >> 4]);
        out.push_back(hex[c & 15]);
    }
  }
  out.push_back('"');
}

std::string json_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text, false);
  return out;
}

std::string json_object_text(std::vector<std::pair<std::string, std::string>> members) {
  // Java orders strings by UTF-16 units.
  std::vector<std::pair<std::u16string, size_t>> order;
  for (size_t i = 0; i < members.size(); ++i) order.emplace_back(to_utf16(members[i].first), i);
  std::sort(order.begin(), order.end());
  std::string out = "{";
  for (size_t i = 0; i < order.size(); ++i) {
    if (i + 1 < order.size() && order[i + 1].first == order[i].first) continue;
    if (out.size() > 1) out += ',';
    out += json_quoted(members[order[i].second].first) + ":" + members[order[i].second].second;
  }
  return out + "}";
}

namespace {

std::string iso_timestamp(TimestampValue t) {
  std::string text = timestamp_text(t, 9);
  text[text.find(' ')] = 'T';
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string json_text(const Value& value, const DataType& type) {
  if (value.is_null()) return "null";
  switch (type.root) {
    case TypeRoot::boolean:
      return value.as_bool() ? "true" : "false";
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
    case TypeRoot::bigint:
    case TypeRoot::interval_months:
    case TypeRoot::interval_millis:
      return fmt::format("{}", value.as_int());
    case TypeRoot::float_:
      return std::isfinite(value.as_float()) ? float_text(value.as_float()) : json_quoted(float_text(value.as_float()));
    case TypeRoot::double_:
      return std::isfinite(value.as_double()) ? double_text(value.as_double())
                                              : json_quoted(double_text(value.as_double()));
    case TypeRoot::decimal:
      return decimal_text(value.as_decimal(), type.scale);
    case TypeRoot::binary:
    case TypeRoot::varbinary:
      return json_quoted(to_base64(value.as_text()));
    case TypeRoot::timestamp:
      return json_quoted(iso_timestamp(value.as_timestamp()));
    case TypeRoot::timestamp_ltz:
      return json_quoted(iso_timestamp(value.as_timestamp()) + "Z");
    case TypeRoot::array: {
      std::string out = "[";
      for (const Value& item : value.items()) out += (out.size() > 1 ? "," : "") + json_text(item, type.child(0));
      return out + "]";
    }
    case TypeRoot::row: {
      std::vector<std::pair<std::string, std::string>> members;
      for (size_t i = 0; i < value.items().size(); ++i) {
        members.emplace_back((*type.fields)[i].name, json_text(value.items()[i], type.child(i)));
      }
      return json_object_text(std::move(members));
    }
    case TypeRoot::map:
    case TypeRoot::multiset: {
      std::vector<std::pair<std::string, std::string>> members;
      const DataType counts = DataType::integer();
      for (size_t i = 0; i + 1 < value.items().size(); i += 2) {
        members.emplace_back(value_text(value.items()[i], type.child(0), TimeZone::utc()),
                             json_text(value.items()[i + 1], type.is(TypeRoot::map) ? type.child(1) : counts));
      }
      return json_object_text(std::move(members));
    }
    default:
      return json_quoted(value_text(value, type, TimeZone::utc()));
  }
}

}  // namespace millrace::processing
