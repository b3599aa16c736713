// raw: the record's bytes are the one column's value. Numbers have a fixed width, big-endian unless told otherwise.
#include <bit>
#include <cstring>

#include "processing/formats/format.h"
#include "processing/functions/utf8.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

size_t width_of(const DataType& type) {
  switch (type.root) {
    case TypeRoot::boolean:
    case TypeRoot::tinyint:
      return 1;
    case TypeRoot::smallint:
      return 2;
    case TypeRoot::integer:
    case TypeRoot::float_:
      return 4;
    case TypeRoot::bigint:
    case TypeRoot::double_:
      return 8;
    default:
      return 0;  // any length
  }
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return text;
}

// UTF-8 from the few character sets that every Java has.
std::string to_utf8(std::string_view bytes, const std::string& charset) {
  std::string out;
  const auto put = [&](uint32_t c) { append_code_point(out, c); };
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  if (charset == "ISO-8859-1" || charset == "LATIN1") {
    for (size_t i = 0; i < bytes.size(); ++i) put(byte(i));
  } else if (charset == "US-ASCII" || charset == "ASCII") {
    for (size_t i = 0; i < bytes.size(); ++i) put(byte(i) < 0x80 ? byte(i) : 0xfffd);
  } else if (charset.starts_with("UTF-16")) {
    bool little = charset == "UTF-16LE";
    size_t at = 0;
    if (charset == "UTF-16" && bytes.size() >= 2) {
      if (byte(0) == 0xff && byte(1) == 0xfe) little = true, at = 2;
      if (byte(0) == 0xfe && byte(1) == 0xff) at = 2;
    }
    const auto unit = [&](size_t i) { return little ? byte(i) | (byte(i + 1) << 8) : (byte(i) << 8) | byte(i + 1); };
    for (; at + 1 < bytes.size(); at += 2) {
      const uint32_t high = unit(at);
      if (high >= 0xd800 && high < 0xdc00 && at + 3 < bytes.size()) {
        put(0x10000 + ((high - 0xd800) << 10) + (unit(at + 2) - 0xdc00));
        at += 2;
      } else {
        put(high);
      }
    }
  } else {
    return java_text(bytes);
  }
  return out;
}

std::string from_utf8(std::string_view text, const std::string& charset) {
  if (charset == "UTF-8" || charset.empty()) return std::string(text);
  std::string out;
  const bool latin = charset == "ISO-8859-1" || charset == "LATIN1";
  const bool ascii = charset == "US-ASCII" || charset == "ASCII";
  const bool utf16 = charset.starts_with("UTF-16");
  if (!latin && !ascii && !utf16) return std::string(text);
  const bool little = charset == "UTF-16LE";
  const auto put16 = [&](uint32_t unit) {
    const char high = static_cast<char>(unit >> 8), low = static_cast<char>(unit & 0xff);
    out.push_back(little ? low : high);
    out.push_back(little ? high : low);
  };
  if (charset == "UTF-16") put16(0xfeff);
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t c = length == 1 ? lead : lead & (0xff >> (length + 1));
    for (size_t i = 1; i < length && at + i < text.size(); ++i)
      c = (c << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3f);
    at += length;
    if (utf16) {
      if (c >= 0x10000) {
        put16(0xd800 + ((c - 0x10000) >> 10));
        put16(0xdc00 + ((c - 0x10000) & 0x3ff));
      } else {
        put16(c);
      }
    } else {
      out.push_back(static_cast<char>(c < (latin ? 0x100u : 0x80u) ? c : '?'));
    }
  }
  return out;
}

struct RawStyle {
  std::string charset = "UTF-8";
  bool little = false;

  explicit RawStyle(const FormatOptions& options) {
    if (const auto at = options.find("charset"); at != options.end()) charset = upper(at->second);
    if (const auto at = options.find("endianness"); at != options.end()) little = at->second == "little-endian";
  }
};

class RawDecoder final : public RowDecoder {
 public:
  RawDecoder(const FormatOptions& options, std::vector<Field> fields)
      : RowDecoder(std::move(fields)), style_(options) {}

  bool decode(std::optional<std::string_view> record) override {
    if (slots_.empty()) return true;
    FieldSlot& slot = slots_[0];
    const DataType& type = fields_[0].type;
    slot.null = true;
    if (!record) return true;
    const size_t width = width_of(type);
    if (width > 0 && record->size() != width) {
      std::string name = to_string(type.with_nullable(true));
      throw JobFailure(
          "org.apache.flink.types.DeserializationException",
          "Size of data received for deserializing " + name + " type is not " + std::to_string(width) + ".");
    }
    slot.null = false;
    slot.borrowed = true;
    if (width == 0) {
      slot.text = *record;
      if (type.is_text() && style_.charset != "UTF-8") {
        text_ = to_utf8(*record, style_.charset);
        slot.text = text_;
        slot.borrowed = false;
      }
      return true;
    }
    uint64_t bits = 0;
    for (size_t i = 0; i < width; ++i) {
      const auto byte = static_cast<unsigned char>((*record)[style_.little ? width - 1 - i : i]);
      bits = (bits << 8) | byte;
    }
    switch (type.root) {
      case TypeRoot::boolean:
        slot.integer = bits != 0;
        break;
      case TypeRoot::tinyint:
        slot.integer = static_cast<int8_t>(bits);
        break;
      case TypeRoot::smallint:
        slot.integer = static_cast<int16_t>(bits);
        break;
      case TypeRoot::integer:
        slot.integer = static_cast<int32_t>(bits);
        break;
      case TypeRoot::float_:
        slot.single = std::bit_cast<float>(static_cast<uint32_t>(bits));
        break;
      case TypeRoot::double_:
        slot.real = std::bit_cast<double>(bits);
        break;
      default:
        slot.integer = static_cast<int64_t>(bits);
        break;
    }
    return true;
  }

  std::pair<std::string, std::string> context(std::string_view) const override { return {}; }

 private:
  RawStyle style_;
  std::string text_;
};

class RawEncoder final : public RowEncoder {
 public:
  RawEncoder(const FormatOptions& options, std::vector<Field> fields) : style_(options), fields_(std::move(fields)) {}

  std::optional<std::string> encode(std::span<const Column> columns, size_t row) override {
    const Column& column = columns[0];
    if (column.is_null(row)) return std::nullopt;
    const DataType& type = fields_[0].type;
    uint64_t bits = 0;
    switch (column.physical()) {
      case Physical::text: {
        const std::string_view text = column.at<std::string_view>(row);
        return type.is_text() ? from_utf8(text, style_.charset) : std::string(text);
      }
      case Physical::boolean:
        bits = column.at<uint8_t>(row);
        break;
      case Physical::int32:
        bits = static_cast<uint32_t>(column.at<int32_t>(row));
        break;
      case Physical::int64:
        bits = static_cast<uint64_t>(column.at<int64_t>(row));
        break;
      case Physical::float_:
        bits = std::bit_cast<uint32_t>(column.at<float>(row));
        break;
      case Physical::double_:
        bits = std::bit_cast<uint64_t>(column.at<double>(row));
        break;
      default:
        throw JobFailure("java.lang.UnsupportedOperationException",
                         "'raw' format currently doesn't support type: " + to_string(type));
    }
    const size_t width = width_of(type);
    std::string out(width, '\0');
    for (size_t i = 0; i < width; ++i) {
      out[style_.little ? i : width - 1 - i] = static_cast<char>(bits & 0xff);
      bits >>= 8;
    }
    return out;
  }

 private:
  RawStyle style_;
  std::vector<Field> fields_;
};

}  // namespace

std::unique_ptr<RowDecoder> make_raw_decoder(const FormatOptions& options, std::vector<Field> fields) {
  return std::make_unique<RawDecoder>(options, std::move(fields));
}
std::unique_ptr<RowEncoder> make_raw_encoder(const FormatOptions& options, std::vector<Field> fields) {
  return std::make_unique<RawEncoder>(options, std::move(fields));
}

}  // namespace millrace::processing
