// Rows to CSV, with Jackson's loose quoting: a text is quoted when it is longer than 24 characters or holds any
// character up to the larger of delimiter and quote.
#include <algorithm>
#include <array>

#include "processing/formats/csv_style.h"
#include "processing/formats/eight_bytes.h"
#include "processing/formats/format.h"
#include "processing/formats/number_text.h"

namespace millrace::processing {

namespace {

class CsvEncoder final : public RowEncoder {
 public:
  CsvEncoder(const FormatOptions& options, std::vector<Field> fields) : style_(options), fields_(std::move(fields)) {
    auto safe = static_cast<unsigned char>(style_.delimiter);
    if (style_.quote) safe = std::max(safe, static_cast<unsigned char>(*style_.quote));
    first_safe_ = static_cast<unsigned>(safe) + 1;
    for (const Field& field : fields_)
      writers_.emplace_back(TimestampStandard::sql, field.type.is(TypeRoot::timestamp_ltz));
  }

  std::optional<std::string> encode(std::span<const Column> columns, size_t row) override {
    std::string out;
    write_row(out, columns, row);
    return out;
  }

  void encode_all(std::span<const Column> columns, std::span<const uint32_t> rows, std::string& out,
                  std::vector<size_t>& ends) override {
    for (const uint32_t row : rows) {
      write_row(out, columns, row);
      ends.push_back(out.size());
    }
  }

 private:
  void write_row(std::string& out, std::span<const Column> columns, size_t row) {
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (i > 0) out += style_.delimiter;
      const Column& column = columns[i];
      const DataType& type = fields_[i].type;
      if (column.is_null(row)) {
        if (style_.null_literal) out += *style_.null_literal;
      } else if (type.is_text()) {
        write_text(out, column.at<std::string_view>(row));
      } else if (type.is(TypeRoot::bigint)) {
        std::array<char, 24> digits;
        const char* end = write_number(digits.data(), column.at<int64_t>(row));
        out += std::string_view(digits.data(), end);
      } else if (type.is_timestamp()) {
        std::array<char, TimestampWriter::longest> text;
        const char* end = writers_[i].write(text.data(), column.at<TimestampValue>(row));
        write_text(out, {text.data(), end});
      } else if (type.is_nested()) {
        write_text(out, joined(column.value(row), type));
      } else {
        bool is_text = false;
        const std::string text = plain(column.value(row), type, is_text);
        if (is_text)
          write_text(out, text);
        else
          out += text;
      }
    }
  }

  std::string plain(const Value& value, const DataType& type, bool& is_text) const {
    is_text = false;
    switch (type.root) {
      case TypeRoot::boolean:
        return value.as_bool() ? "true" : "false";
      case TypeRoot::float_:
        return float_text(value.as_float());
      case TypeRoot::double_:
        return double_text(value.as_double());
      case TypeRoot::decimal: {
        std::string text = decimal_scientific_text(value.as_decimal(), type.scale);
        if (style_.scientific_decimals) return text;
        text = decimal_text(value.as_decimal(), type.scale);
        if (text.find('.') != std::string::npos) {
          while (text.back() == '0') text.pop_back();
          if (text.back() == '.') text.pop_back();
        }
        return text;
      }
      case TypeRoot::date:
        is_text = true;
        return format_date(value.as_int());
      case TypeRoot::time:
        is_text = true;
        return format_iso_time(value.as_int());
      case TypeRoot::timestamp:
      case TypeRoot::timestamp_ltz:
        is_text = true;
        return format_timestamp(value.as_timestamp(), TimestampStandard::sql, type.is(TypeRoot::timestamp_ltz));
      default:
        break;
    }
    if (type.is_bytes()) {
      is_text = true;
      return base64_text(value.as_text());
    }
    if (type.is_text()) {
      is_text = true;
      return value.as_text();
    }
    return std::to_string(value.as_int());
  }

  std::string joined(const Value& value, const DataType& type) const {
    std::string out;
    const std::vector<Value>& items = value.items();
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += style_.array_delimiter;
      bool is_text = false;
      if (items[i].is_null())
        out += style_.null_literal.value_or("");
      else
        out += plain(items[i], type.is(TypeRoot::row) ? (*type.fields)[i].type : type.child(0), is_text);
    }
    return out;
  }

  bool needs_quotes(std::string_view text) const {
    if (!style_.quote) return false;
    if (text.size() > 3 * 24) return true;  // more than 24 characters in any case
    size_t units = 0;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
      if (byte < first_safe_) return true;
      if (c == *style_.quote || (style_.escape && c == *style_.escape)) return true;
    }
    return units > 24;
  }

  void write_text(std::string& out, std::string_view text) const {
    if (!needs_quotes(text)) {
      out += text;
      return;
    }
    out += *style_.quote;
    if (text.find(*style_.quote) == std::string_view::npos &&
        (!style_.escape || text.find(*style_.escape) == std::string_view::npos)) {
      out += text;
    } else {
      for (const char c : text) {
        if (c == *style_.quote)
          out += style_.escape.value_or(*style_.quote);
        else if (style_.escape && c == *style_.escape)
          out += c;
        out += c;
      }
    }
    out += *style_.quote;
  }

  CsvStyle style_;
  std::vector<Field> fields_;
  std::vector<TimestampWriter> writers_;
  unsigned first_safe_ = 0;
};

}  // namespace

std::unique_ptr<RowEncoder> make_csv_encoder(const FormatOptions& options, std::vector<Field> fields) {
  return std::make_unique<CsvEncoder>(options, std::move(fields));
}

}  // namespace millrace::processing
