// CSV: one record is one line, fields by position. Reading follows Jackson's lenient rules (quotes only at the start of
// a field, an escape character anywhere), writing its loose quoting: a text is quoted when it is longer than 24
// characters or holds any character up to the larger of delimiter and quote.
#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>

#include "processing/formats/eight_bytes.h"
#include "processing/formats/format.h"
#include "processing/formats/number_text.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

constexpr const char* shaded = "org.apache.flink.shaded.jackson2.com.fasterxml.jackson.";

struct CsvStyle {
  char delimiter = ',';
  std::optional<char> quote = '"';
  std::optional<char> escape;
  std::optional<std::string> null_literal;
  std::string array_delimiter = ";";
  bool comments = false;
  bool ignore_errors = false;
  bool scientific_decimals = true;

  explicit CsvStyle(const FormatOptions& options) {
    const auto text = [&](const char* name) -> std::optional<std::string> {
      const auto at = options.find(name);
      if (at == options.end()) return std::nullopt;
      return at->second;
    };
    if (const auto v = text("field-delimiter"); v && !v->empty()) delimiter = *v == "\\t" ? '\t' : v->front();
    if (const auto v = text("quote-character"); v && !v->empty()) quote = v->front();
    if (flag(options, "disable-quote-character")) quote.reset();
    if (const auto v = text("escape-character"); v && !v->empty()) escape = v->front();
    null_literal = text("null-literal");
    if (const auto v = text("array-element-delimiter")) array_delimiter = *v;
    comments = flag(options, "allow-comments");
    ignore_errors = flag(options, "ignore-parse-errors");
    scientific_decimals = flag(options, "write-bigdecimal-in-scientific-notation", true);
  }
};

// 'x' (code 120)
std::string described(char c) {
  return std::string("'") + c + "' (code " + std::to_string(static_cast<unsigned char>(c)) + ")";
}

[[noreturn]] void bad_number(const std::string& text) {
  throw JobFailure("java.lang.NumberFormatException",
                   text.empty() ? "For input string: \"\"" : "For input string: \"" + text + "\"");
}

struct Cell {
  std::string_view text;
  bool borrowed = false;  // from the record
};

class CsvDecoder final : public RowDecoder {
 public:
  CsvDecoder(const FormatOptions& options, std::vector<Field> fields)
      : RowDecoder(std::move(fields)), style_(options) {}

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
    split(line);
    if (cells_.size() != fields_.size() && !style_.ignore_errors)
      throw JobFailure("java.lang.RuntimeException", "Row length mismatch. " + std::to_string(fields_.size()) +
                                                         " fields expected but was " + std::to_string(cells_.size()) +
                                                         ".");
    for (size_t i = 0; i < cells_.size(); ++i) {
      if (style_.null_literal && cells_[i].text == *style_.null_literal) continue;
      try {
        convert(cells_[i], fields_[i].type, slots_[i]);
      } catch (const JobFailure& failure) {
        slots_[i].null = true;
        if (style_.ignore_errors) continue;
        throw failure.wrapped("java.lang.RuntimeException", "Fail to deserialize at field: " + fields_[i].name + ".");
      }
    }
    return true;
  }

  void split(std::string_view line) {
    cells_.clear();
    made_.clear();
    size_t at = 0;
    for (;;) {
      Cell cell;
      if (style_.quote && at < line.size() && line[at] == *style_.quote) {
        at = quoted(line, at + 1, cell);
        while (at < line.size() && line[at] == ' ' && style_.delimiter != ' ') ++at;
        if (at < line.size() && !ends_cell(line[at]))
          throw JobFailure(std::string(shaded) + "dataformat.csv.CsvReadException",
                           "Unexpected character (" + described(line[at]) + "): Expected column separator character (" +
                               described(style_.delimiter) + ") or end-of-line");
      } else {
        at = unquoted(line, at, cell);
      }
      if (cells_.size() == fields_.size()) {
        // One empty column too many is a trailing separator, which is fine.
        if (cell.text.empty() && at >= line.size()) return;
        throw JobFailure(std::string(shaded) + "dataformat.csv.CsvReadException",
                         "Too many entries: expected at most " + std::to_string(fields_.size()) + " (value #" +
                             std::to_string(fields_.size()) + " (" + std::to_string(utf16_length(cell.text)) +
                             " chars) \"" + std::string(cell.text) + "\")");
      }
      cells_.push_back(cell);
      if (at >= line.size() || line[at] != style_.delimiter) return;
      ++at;
    }
  }

  bool ends_cell(char c) const { return c == style_.delimiter || c == '\r' || c == '\n'; }
  bool is_escape(char c) const { return style_.escape && c == *style_.escape; }

  // A view of the line unless there is something to unescape.
  size_t unquoted(std::string_view line, size_t at, Cell& cell) {
    size_t from = at;
    std::string* made = nullptr;
    while (at < line.size() && !ends_cell(line[at])) {
      if (is_escape(line[at]) && at + 1 < line.size()) {
        if (made == nullptr) made = &made_.emplace_back();
        made->append(line, from, at - from);
        made->push_back(unescaped(line[at + 1]));
        at += 2;
        from = at;
      } else {
        ++at;
      }
    }
    finish(line, from, at, made, cell);
    return at;
  }

  static void finish(std::string_view line, size_t from, size_t to, std::string* made, Cell& cell) {
    if (made != nullptr) made->append(line, from, to - from);
    cell = made != nullptr ? Cell{*made, false} : Cell{line.substr(from, to - from), true};
  }

  static size_t utf16_length(std::string_view text) {
    size_t units = 0;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
    }
    return units;
  }

  // Returns where the closing quote has been passed.
  size_t quoted(std::string_view line, size_t at, Cell& cell) {
    size_t from = at;
    std::string* made = nullptr;
    for (;;) {
      if (!style_.escape) {
        const size_t next = line.find(*style_.quote, at);
        at = next == std::string_view::npos ? line.size() : next;
      }
      if (at >= line.size())
        throw JobFailure(std::string(shaded) + "core.io.JsonEOFException", "Missing closing quote for value");
      const char c = line[at];
      const bool escaped = is_escape(c) && at + 1 < line.size();
      if (!escaped && c != *style_.quote) {
        ++at;
        continue;
      }
      const bool doubled = !escaped && at + 1 < line.size() && line[at + 1] == *style_.quote;
      if (!escaped && !doubled) {
        finish(line, from, at, made, cell);
        return at + 1;
      }
      if (made == nullptr) made = &made_.emplace_back();
      made->append(line, from, at - from);
      made->push_back(escaped ? unescaped(line[at + 1]) : c);
      at += 2;
      from = at;
    }
  }

  static char unescaped(char c) {
    switch (c) {
      case '0':
        return '\0';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      default:
        return c;
    }
  }

  static int64_t integer(std::string_view text, int64_t least, int64_t most) {
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

  void convert(Cell cell, const DataType& type, FieldSlot& slot) const {
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
  std::vector<Cell> cells_;
  std::deque<std::string> made_;  // text that had to be unescaped
};

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

std::unique_ptr<RowDecoder> make_csv_decoder(const FormatOptions& options, std::vector<Field> fields,
                                             std::vector<bool>) {
  return std::make_unique<CsvDecoder>(options, std::move(fields));
}
std::unique_ptr<RowEncoder> make_csv_encoder(const FormatOptions& options, std::vector<Field> fields) {
  return std::make_unique<CsvEncoder>(options, std::move(fields));
}

}  // namespace millrace::processing
