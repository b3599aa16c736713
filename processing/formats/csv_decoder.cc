// CSV to rows: one record is one line, its cells are fields by position.
#include <limits>

#include "processing/formats/csv_splitter.h"
#include "processing/formats/format.h"
#include "processing/formats/number_text.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

[[noreturn]] void bad_number(const std::string& text) {
  throw JobFailure("java.lang.NumberFormatException",
                   text.empty() ? "For input string: \"\"" : "For input string: \"" + text + "\"");
}

int64_t integer(std::string_view text, int64_t least, int64_t most) {
  const std::optional<int64_t> value = parse_integer(java_trim(text), least, most);
  if (!value) {
    const std::string trimmed(java_trim(text));
    if (most <= 32767 &&
        parse_integer(trimmed, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()))
      throw JobFailure("java.lang.NumberFormatException", "Value out of range. Value:\"" + trimmed + "\" Radix:10");
    bad_number(trimmed);
  }
  return *value;
}

class CsvDecoder final : public RowDecoder {
 public:
  CsvDecoder(const FormatOptions& options, std::vector<Field> fields)
      : RowDecoder(std::move(fields)), style_(options), splitter_(style_, fields_.size()) {}

  bool decode(std::optional<std::string_view> record) override {
    if (!record) return false;
    try {
      return read(*record);
    } catch (const JobFailure& failure) {
      if (style_.ignore_errors) return false;
      const auto [type, message] = context(*record);
      throw failure.wrapped(type, message);
    }
  }

  std::pair<std::string, std::string> context(std::string_view record) const override {
    return {"java.io.IOException", "Failed to deserialize CSV row '" + java_text(record) + "'."};
  }

 private:
  bool read(std::string_view line) {
    for (FieldSlot& slot : slots_) slot.null = true;
    if (style_.comments) {
      while (line.starts_with('#')) {
        const size_t end = line.find_first_of("\r\n");
        if (end == std::string_view::npos) return false;
        line.remove_prefix(end + 1);
        if (line.starts_with('\n')) line.remove_prefix(1);
      }
    }
    if (line.empty()) return false;
    const std::vector<CsvCell>& cells = splitter_.split(line);
    if (cells.size() != fields_.size() && !style_.ignore_errors)
      throw JobFailure("java.lang.RuntimeException", "Row length mismatch. " + std::to_string(fields_.size()) +
                                                         " fields expected but was " + std::to_string(cells.size()) +
                                                         ".");
    for (size_t i = 0; i < cells.size(); ++i) {
      if (style_.null_literal && cells[i].text == *style_.null_literal) continue;
      try {
        convert(cells[i], fields_[i].type, slots_[i]);
      } catch (const JobFailure& failure) {
        slots_[i].null = true;
        if (style_.ignore_errors) continue;
        throw failure.wrapped("java.lang.RuntimeException", "Fail to deserialize at field: " + fields_[i].name + ".");
      }
    }
    return true;
  }

  void convert(CsvCell cell, const DataType& type, FieldSlot& slot) const {
    const std::string_view text = cell.text;
    slot.borrowed = cell.borrowed;
    switch (type.root) {
      case TypeRoot::boolean: {
        std::string lower;
        for (const char c : java_trim(text)) lower.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
        slot.integer = lower == "true";
        break;
      }
      case TypeRoot::tinyint:
        slot.integer = integer(text, -128, 127);
        break;
      case TypeRoot::smallint:
        slot.integer = integer(text, -32768, 32767);
        break;
      case TypeRoot::integer:
      case TypeRoot::interval_months:
        slot.integer = integer(text, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
        break;
      case TypeRoot::bigint:
      case TypeRoot::interval_millis:
        slot.integer = integer(text, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
        break;
      case TypeRoot::float_:
      case TypeRoot::double_: {
        const std::string trimmed(java_trim(text));
        if (trimmed.empty()) throw JobFailure("java.lang.NumberFormatException", "empty String");
        const std::optional<double> value = parse_double(trimmed);
        if (!value) bad_number(trimmed);
        slot.real = *value;
        if (type.is(TypeRoot::float_)) slot.single = parse_float(trimmed).value_or(0);
        break;
      }
      case TypeRoot::decimal: {
        if (!is_decimal_text(text)) {
          for (const char c : text)
            if (!(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E')
              throw JobFailure("java.lang.NumberFormatException",
                               std::string("Character ") + c +
                                   " is neither a decimal digit number, decimal point, nor \"e\" notation "
                                   "exponential mark.");
          throw JobFailure("java.lang.NumberFormatException",
                           text.empty() ? "Index 0 out of bounds for length 0" : "null");
        }
        const std::optional<Int128> value = parse_decimal(text, type.precision, type.scale);
        if (!value) return;
        slot.decimal = *value;
        break;
      }
      case TypeRoot::date: {
        const std::optional<int64_t> days = parse_jdbc_date(text);
        if (!days) throw JobFailure("java.lang.IllegalArgumentException", "null");
        slot.integer = *days;
        break;
      }
      case TypeRoot::time: {
        const std::optional<int64_t> millis = parse_iso_time(text);
        if (!millis)
          throw JobFailure("java.time.format.DateTimeParseException",
                           "Text '" + std::string(text) + "' could not be parsed at index 0");
        int64_t unit = 1;
        for (int p = type.precision; p < 3; ++p) unit *= 10;
        slot.integer = *millis / unit * unit;
        break;
      }
      case TypeRoot::timestamp:
      case TypeRoot::timestamp_ltz: {
        std::optional<TimestampValue> value;
        if (type.is(TypeRoot::timestamp)) {
          value = parse_jdbc_timestamp(text);
          if (!value)
            throw JobFailure("java.lang.IllegalArgumentException",
                             "Timestamp format must be yyyy-mm-dd hh:mm:ss[.fffffffff]");
        } else {
          value = parse_timestamp(text, TimestampStandard::sql, true);
          if (!value)
            throw JobFailure("java.time.format.DateTimeParseException",
                             "Text '" + std::string(text) + "' could not be parsed at index 0");
        }
        slot.time = *value;
        if (type.precision <= 3) slot.time.nanos = 0;
        break;
      }
      case TypeRoot::character:
      case TypeRoot::varchar:
        slot.text = text;
        break;
      case TypeRoot::binary:
      case TypeRoot::varbinary: {
        std::optional<std::string> bytes = base64_bytes(text);
        if (!bytes) throw JobFailure("java.lang.RuntimeException", "Unable to deserialize byte array.");
        slot.boxed = Value::text(std::move(*bytes));
        slot.text = slot.boxed.as_text();
        slot.borrowed = false;
        break;
      }
      case TypeRoot::array:
      case TypeRoot::row:
        slot.boxed = nested(text, type);
        break;
      default:
        throw JobFailure("java.lang.UnsupportedOperationException", "Unsupported type: " + to_string(type));
    }
    slot.null = false;
  }

  // The elements of an array, or the fields of a row, between array delimiters.
  Value nested(std::string_view text, const DataType& type) const {
    std::vector<std::string_view> parts;
    if (!text.empty()) {
      size_t from = 0;
      for (;;) {
        const size_t to =
            style_.array_delimiter.empty() ? std::string_view::npos : text.find(style_.array_delimiter, from);
        parts.push_back(java_trim(text.substr(from, to == std::string_view::npos ? to : to - from)));
        if (to == std::string_view::npos) break;
        from = to + style_.array_delimiter.size();
      }
    }
    std::vector<Value> items;
    const size_t count = type.is(TypeRoot::row) ? type.fields->size() : parts.size();
    for (size_t i = 0; i < count; ++i) {
      if (i >= parts.size() || (style_.null_literal && parts[i] == *style_.null_literal)) {
        items.emplace_back();
        continue;
      }
      const DataType& item = type.is(TypeRoot::row) ? (*type.fields)[i].type : type.child(0);
      FieldSlot slot;
      convert({parts[i], true}, item, slot);
      ColumnBuilder column(item);
      slot.append_to(column);
      items.push_back(column.finish().value(0));
    }
    return Value::nested(std::move(items));
  }

  CsvStyle style_;
  CsvSplitter splitter_;
};

}  // namespace

std::unique_ptr<RowDecoder> make_csv_decoder(const FormatOptions& options, std::vector<Field> fields,
                                             std::vector<bool>) {
  return std::make_unique<CsvDecoder>(options, std::move(fields));
}

}  // namespace millrace::processing
