// Messages as text, by walking their bytes with the description that the generator leaves of each.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "protocol/reader.h"
#include "protocol/registry.h"

namespace millrace::protocol {
namespace {

constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// topic_id is topicId in JSON, as Kafka writes it.
void append_name(std::string& out, std::string_view name, std::string_view suffix = "") {
  out += '"';
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '_' && i + 1 < name.size()) {
      const char next = name[++i];
      out += next >= 'a' && next <= 'z' ? static_cast<char>(next - 'a' + 'A') : next;
    } else {
      out += name[i];
    }
  }
  out += suffix;
  out += "\":";
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_base64(std::string& out, std::span<const std::byte> data) {
  out += '"';
  for (size_t i = 0; i < data.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) bits = bits << 8 | (i + j < data.size() ? static_cast<uint32_t>(data[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) out += i + j <= data.size() ? base64[bits >> (18 - 6 * j) & 63] : '=';
  }
  out += '"';
}

// As Java prints a double: 12.0, 0.001, 1.25E10.
void append_double(std::string& out, double value) {
  char text[40];
  char* const end = std::to_chars(text, text + sizeof text - 1, value, std::chars_format::scientific).ptr;
  const std::string_view whole(text, static_cast<size_t>(end - text));
  const size_t e = whole.find('e');
  if (e == std::string_view::npos) {
    out += whole == "nan" || whole == "-nan" ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    return;
  }
  *end = '\0';
  const int exponent = std::atoi(text + e + 1);
  if (value != 0 && (exponent < -3 || exponent >= 7)) {
    out += whole.substr(0, e);
    if (whole.find('.') == std::string_view::npos) out += ".0";
    out += 'E' + std::to_string(exponent);
    return;
  }
  const char* const last = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
  const std::string_view plain(text, static_cast<size_t>(last - text));
  out += plain;
  if (plain.find('.') == std::string_view::npos) out += ".0";
}

class Describer {
 public:
  Describer(Reader& reader, int16_t version, bool flexible) : reader_(reader), version_(version), flexible_(flexible) {}

  void structure(const Shape& shape) {
    // Tagged fields come last on the wire, but appear at their place.
    std::vector<std::string> fields(shape.count);
    for (size_t i = 0; i < shape.count; ++i)
      if (shape.fields[i].tag < 0 && carried(shape.fields[i])) fields[i] = named(shape.fields[i]);
    if (flexible_)
      reader_.tagged([&](uint32_t tag) {
        for (size_t i = 0; i < shape.count; ++i)
          if (shape.fields[i].tag == static_cast<int64_t>(tag) && carried(shape.fields[i]))
            fields[i] = named(shape.fields[i]);
      });
    out += '{';
    bool first = true;
    for (const std::string& field : fields) {
      if (field.empty()) continue;
      if (!first) out += ',';
      first = false;
      out += field;
    }
    out += '}';
  }

  std::string out;

 private:
  bool carried(const FieldShape& field) const { return version_ >= field.first && version_ <= field.last; }

  std::string named(const FieldShape& field) {
    std::string around = std::exchange(out, {});
    append_name(out, field.name, field.form == WireForm::records ? "SizeInBytes" : "");
    value(field);
    return std::exchange(out, std::move(around));
  }

  void value(const FieldShape& field) {
    const bool nullable = version_ >= field.nullable_from;
    if (!field.array) return single(field, nullable);
    const std::optional<size_t> count =
        nullable ? reader_.nullable_count(flexible_, 1) : std::optional(reader_.count(flexible_, 1));
    if (!count) return null();
    out += '[';
    for (size_t i = 0; i < *count && reader_.ok(); ++i) {
      if (i > 0) out += ',';
      single(field, false);
    }
    out += ']';
  }

  void single(const FieldShape& field, bool nullable) {
    switch (field.form) {
      case WireForm::boolean:
        out += reader_.boolean() ? "true" : "false";
        break;
      case WireForm::i8:
        out += std::to_string(reader_.i8());
        break;
      case WireForm::i16:
        out += std::to_string(reader_.i16());
        break;
      case WireForm::u16:
        out += std::to_string(reader_.u16());
        break;
      case WireForm::i32:
        out += std::to_string(reader_.i32());
        break;
      case WireForm::u32:
        out += std::to_string(reader_.u32());
        break;
      case WireForm::i64:
        out += std::to_string(reader_.i64());
        break;
      case WireForm::f64:
        append_double(out, reader_.f64());
        break;
      case WireForm::uuid:
        append_string(out, to_string(reader_.uuid()));
        break;
      case WireForm::string:
      case WireForm::plain_string: {
        const bool flexible = flexible_ && field.form == WireForm::string;
        const std::optional<std::string> text =
            nullable ? reader_.nullable_string(flexible) : std::optional(reader_.string(flexible));
        if (!text) return null();
        append_string(out, *text);
        break;
      }
      case WireForm::bytes:
      case WireForm::records: {
        const std::optional<Bytes> data =
            nullable ? reader_.nullable_bytes(flexible_) : std::optional(reader_.bytes(flexible_));
        if (!data) return null();
        if (field.form == WireForm::records) {
          out += std::to_string(data->size());
        } else {
          append_base64(out, data->span());
        }
        break;
      }
      case WireForm::structure:
        if (nullable && (field.tag >= 0 ? reader_.uvarint() == 0 : reader_.i8() < 0)) return null();
        structure(*field.structure);
        break;
    }
  }

  void null() { out += "null"; }

  Reader& reader_;
  const int16_t version_;
  const bool flexible_;
};

}  // namespace

std::optional<std::string> describe(const MessageInfo& message, Bytes body, int16_t version) {
  if (version < message.min_version || version > message.max_version) return std::nullopt;
  Reader reader(std::move(body));
  Describer describer(reader, version, version >= message.flexible_from);
  describer.structure(message.shape);
  if (!reader.ok()) return std::nullopt;
  return std::move(describer.out);
}

}  // namespace millrace::protocol
