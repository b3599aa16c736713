#include "processing/formats/format.h"

#include <array>

#include "processing/formats/row_targets.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

void FieldSlot::append_to(ColumnBuilder& column) const {
  if (null) return column.append_null();
  switch (physical_of(column.type().root)) {
    case Physical::boolean:
      return column.append_plain<uint8_t>(integer != 0 ? 1 : 0);
    case Physical::int32:
      return column.append_plain<int32_t>(static_cast<int32_t>(integer));
    case Physical::int64:
      return column.append_plain<int64_t>(integer);
    case Physical::float_:
      return column.append_plain<float>(single);
    case Physical::double_:
      return column.append_plain<double>(real);
    case Physical::decimal:
      return column.append_plain<Int128>(decimal);
    case Physical::text:
      if (borrowed) return column.append_plain<std::string_view>(text);
      return column.append_text(text);
    case Physical::timestamp:
      return column.append_plain<TimestampValue>(time);
    case Physical::boxed:
      return column.append(boxed);
  }
}

bool RowDecoder::decode_into(std::optional<std::string_view> record, RowTargets& targets) {
  if (!decode(record)) return false;
  put_slots(targets);
  return true;
}

void RowDecoder::decode_all(std::span<const std::optional<std::string_view>> records,
                            std::span<ColumnBuilder* const> columns, std::vector<uint32_t>& rows) {
  decode_each(*this, records, columns, rows);
}

void RowDecoder::put_slots(RowTargets& targets) const {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!targets.wanted(i)) continue;
    if (slots_[i].null)
      targets.set_null(i);
    else
      targets.set_slot(i, slots_[i]);
  }
  targets.end_row();
}

void RowEncoder::encode_all(std::span<const Column> columns, std::span<const uint32_t> rows, std::string& out,
                            std::vector<size_t>& ends) {
  for (const uint32_t row : rows) {
    const std::optional<std::string> bytes = encode(columns, row);
    if (bytes) out += *bytes;
    ends.push_back(bytes ? out.size() : null_row);
  }
}

FormatOptions options_of(const std::map<std::string, std::string>& table, std::string_view prefix) {
  FormatOptions found;
  for (auto at = table.lower_bound(std::string(prefix)); at != table.end() && at->first.starts_with(prefix); ++at)
    found.emplace(at->first.substr(prefix.size()), at->second);
  return found;
}

bool flag(const FormatOptions& options, const std::string& name, bool otherwise) {
  const auto at = options.find(name);
  if (at == options.end()) return otherwise;
  std::string lower;
  for (const char c : at->second) lower.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
  return lower == "true";
}

std::unique_ptr<RowDecoder> make_decoder(const std::string& format, const FormatOptions& options,
                                         std::vector<Field> fields, std::vector<bool> needed) {
  if (format == "json") return make_json_decoder(options, std::move(fields), std::move(needed));
  if (format == "csv") return make_csv_decoder(options, std::move(fields), std::move(needed));
  if (format == "raw") return make_raw_decoder(options, std::move(fields));
  throw JobFailure("org.apache.flink.table.api.ValidationException",
                   "Could not find any factory for identifier '" + format +
                       "' that implements 'org.apache.flink.table.factories.DeserializationFormatFactory' in the "
                       "classpath.");
}

std::unique_ptr<RowEncoder> make_encoder(const std::string& format, const FormatOptions& options,
                                         std::vector<Field> fields) {
  if (format == "json") return make_json_encoder(options, std::move(fields));
  if (format == "csv") return make_csv_encoder(options, std::move(fields));
  if (format == "raw") return make_raw_encoder(options, std::move(fields));
  throw JobFailure("org.apache.flink.table.api.ValidationException",
                   "Could not find any factory for identifier '" + format +
                       "' that implements 'org.apache.flink.table.factories.SerializationFormatFactory' in the "
                       "classpath.");
}

std::string java_text(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  size_t at = 0;
  while (at < bytes.size()) {
    const auto c = static_cast<unsigned char>(bytes[at]);
    size_t length = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    bool good = length > 0;
    size_t seen = 1;
    for (; good && seen < length; ++seen) {
      if (at + seen >= bytes.size() || (static_cast<unsigned char>(bytes[at + seen]) & 0xc0) != 0x80) {
        good = false;
        break;
      }
      const auto d = static_cast<unsigned char>(bytes[at + seen]);
      if (seen == 1 && ((c == 0xe0 && d < 0xa0) || (c == 0xed && d >= 0xa0) || (c == 0xf0 && d < 0x90) ||
                        (c == 0xf4 && d >= 0x90))) {
        good = false;
        break;
      }
    }
    if (good) {
      out.append(bytes, at, length);
      at += length;
    } else {
      out += "\xef\xbf\xbd";
      at += seen;
    }
  }
  return out;
}

namespace {
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string base64_text(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) group = (group << 8) | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out.push_back(k <= count ? alphabet[(group >> (18 - 6 * k)) & 63] : '=');
  }
  return out;
}

std::optional<std::string> base64_bytes(std::string_view text) {
  std::string out;
  uint32_t group = 0;
  int bits = 0;
  size_t padding = 0;
  size_t characters = 0;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ') continue;
    ++characters;
    if (c == '=') {
      ++padding;
      continue;
    }
    const size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos || padding > 0) return std::nullopt;
    group = (group << 6) | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>((group >> bits) & 0xff));
    }
  }
  if (characters % 4 != 0 || padding > 2) return std::nullopt;
  return out;
}

}  // namespace millrace::processing
