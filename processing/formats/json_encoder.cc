// Rows to JSON, with the bytes Flink writes: fields in the order of the schema, no white space, nulls included.
#include <cmath>

#include "processing/formats/eight_bytes.h"
#include "processing/formats/format.h"
#include "processing/formats/json_reader.h"
#include "processing/formats/plain_text.h"
#include "processing/formats/text_output.h"
#include "processing/functions/json_text.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

class JsonEncoder final : public RowEncoder {
 public:
  JsonEncoder(const FormatOptions& options, std::vector<Field> fields) : fields_(std::move(fields)) {
    plain_decimals_ = flag(options, "encode.decimal-as-plain-number");
    ignore_nulls_ = flag(options, "encode.ignore-null-fields");
    if (const auto at = options.find("timestamp-format.standard"); at != options.end() && at->second != "SQL")
      standard_ = TimestampStandard::iso_8601;
    if (const auto at = options.find("map-null-key.mode"); at != options.end()) null_key_mode_ = at->second;
    if (const auto at = options.find("map-null-key.literal"); at != options.end()) null_key_literal_ = at->second;
    for (const Field& field : fields_) {
      Writer writer;
      append_json_string(writer.name, field.name, true);
      writer.name = "," + writer.name + ":";
      writer.name_size = writer.name.size();
      writer.name.resize((writer.name_size + 15) / 16 * 16);
      writer.timestamp = TimestampWriter(standard_, field.type.is(TypeRoot::timestamp_ltz));
      row_room_ += writer.name.size() + most_of_a_value;
      writers_.push_back(std::move(writer));
    }
  }

  std::optional<std::string> encode(std::span<const Column> columns, size_t row) override {
    std::string out;
    {
      TextOutput to(out);
      write_row(to, columns, row);
    }
    return out;
  }

  void encode_all(std::span<const Column> columns, std::span<const uint32_t> rows, std::string& out,
                  std::vector<size_t>& ends) override {
    TextOutput to(out);
    for (const uint32_t row : rows) {
      write_row(to, columns, row);
      ends.push_back(to.size());
    }
  }

 private:
  // What a value that is no text, with quotes and all, and behind it sloppy copies, may take.
  static constexpr size_t most_of_a_value = 96;
  struct Writer {
    std::string name;  // ,"name": in blocks of sixteen
    size_t name_size = 0;
    TimestampWriter timestamp;
  };

  void write_row(TextOutput& to, std::span<const Column> columns, size_t row) {
    to.need(row_room_);
    const size_t start = to.size();
    for (size_t i = 0; i < writers_.size(); ++i) {
      const Column& column = columns[i];
      const bool null = column.is_null(row);
      if (null && ignore_nulls_) continue;
      Writer& writer = writers_[i];
      for (size_t block = 0; block < writer.name.size(); block += 16)
        std::memcpy(to.at + block, writer.name.data() + block, 16);
      to.at += writer.name_size;
      if (null) {
        to.put("null");
        continue;
      }
      const DataType& type = fields_[i].type;
      switch (column.physical()) {
        case Physical::boolean:
          to.put(column.at<uint8_t>(row) != 0 ? "true" : "false");
          break;
        case Physical::int32:
          if (type.is(TypeRoot::date) || type.is(TypeRoot::time)) {
            scratch_.clear();
            write_int(scratch_, column.at<int32_t>(row), type);
            to.put(scratch_);
          } else {
            to.at = write_number(to.at, int64_t{column.at<int32_t>(row)});
          }
          break;
        case Physical::int64:
          to.at = write_number(to.at, column.at<int64_t>(row));
          break;
        case Physical::timestamp:
          to.put('"');
          to.at = writer.timestamp.write(to.at, column.at<TimestampValue>(row));
          to.put('"');
          break;
        case Physical::text:
          if (!type.is_bytes() && put_plain(to, column.at<std::string_view>(row))) break;
          [[fallthrough]];
        default:
          scratch_.clear();
          write_any(scratch_, column, row, type);
          to.need(scratch_.size() + row_room_);
          to.put(scratch_);
      }
    }
    // The first comma is the brace; without one there was nothing.
    if (to.size() == start)
      to.put('{');
    else
      *(to.at - (to.size() - start)) = '{';
    to.put('}');
  }

  bool put_plain(TextOutput& to, std::string_view text) const {
    to.need(text.size() + 18 + row_room_);
    if (!copy_plain(to.at + 1, text.data(), text.size())) return false;
    *to.at = '"';
    to.at[text.size() + 1] = '"';
    to.at += text.size() + 2;
    return true;
  }

  void write_any(std::string& out, const Column& column, size_t row, const DataType& type) const {
    switch (column.physical()) {
      case Physical::float_:
        return write_float(out, column.at<float>(row));
      case Physical::double_:
        return write_double(out, column.at<double>(row));
      case Physical::decimal:
        return write_decimal(out, column.at<Int128>(row), type);
      case Physical::text:
        return write_text(out, column.at<std::string_view>(row), type);
      default:
        return write_value(out, column.value(row), type);
    }
  }

  static void write_int(std::string& out, int32_t value, const DataType& type) {
    if (type.is(TypeRoot::date))
      out += '"' + format_date(value) + '"';
    else if (type.is(TypeRoot::time))
      out += '"' + format_sql_time(value) + '"';
    else
      out += std::to_string(value);
  }
  static void write_double(std::string& out, double value) {
    if (std::isfinite(value))
      out += double_text(value);
    else
      out += '"' + double_text(value) + '"';
  }
  static void write_float(std::string& out, float value) {
    if (std::isfinite(value))
      out += float_text(value);
    else
      out += '"' + float_text(value) + '"';
  }
  void write_decimal(std::string& out, Int128 value, const DataType& type) const {
    out += plain_decimals_ ? decimal_text(value, type.scale) : decimal_scientific_text(value, type.scale);
  }
  static void write_text(std::string& out, std::string_view value, const DataType& type) {
    if (type.is_bytes())
      out += '"' + base64_text(value) + '"';
    else
      append_json_string(out, value, true);
  }
  void write_timestamp(std::string& out, TimestampValue value, const DataType& type) const {
    out += '"' + format_timestamp(value, standard_, type.is(TypeRoot::timestamp_ltz)) + '"';
  }

  void write_value(std::string& out, const Value& value, const DataType& type) const {
    if (value.is_null()) {
      out += "null";
      return;
    }
    switch (type.root) {
      case TypeRoot::row: {
        const std::vector<Field>& fields = *type.fields;
        const std::vector<Value>& items = value.items();
        out += '{';
        bool first = true;
        for (size_t i = 0; i < fields.size(); ++i) {
          if (items[i].is_null() && ignore_nulls_) continue;
          if (!first) out += ',';
          first = false;
          append_json_string(out, fields[i].name, true);
          out += ':';
          write_value(out, items[i], fields[i].type);
        }
        out += '}';
        return;
      }
      case TypeRoot::array: {
        out += '[';
        bool first = true;
        for (const Value& item : value.items()) {
          if (!first) out += ',';
          first = false;
          write_value(out, item, type.child(0));
        }
        out += ']';
        return;
      }
      case TypeRoot::map:
      case TypeRoot::multiset:
        return write_map(out, value, type);
      case TypeRoot::boolean:
        out += value.as_bool() ? "true" : "false";
        return;
      case TypeRoot::float_:
        return write_float(out, value.as_float());
      case TypeRoot::double_:
        return write_double(out, value.as_double());
      case TypeRoot::decimal:
        return write_decimal(out, value.as_decimal(), type);
      case TypeRoot::timestamp:
      case TypeRoot::timestamp_ltz:
        return write_timestamp(out, value.as_timestamp(), type);
      case TypeRoot::date:
      case TypeRoot::time:
        return write_int(out, static_cast<int32_t>(value.as_int()), type);
      default:
        break;
    }
    if (type.is_text() || type.is_bytes())
      write_text(out, value.as_text(), type);
    else
      out += std::to_string(value.as_int());
  }

  void write_map(std::string& out, const Value& value, const DataType& type) const {
    const std::vector<Value>& items = value.items();
    const DataType value_type = type.is(TypeRoot::map) ? type.child(1) : DataType::integer();
    out += '{';
    bool first = true;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      std::string key;
      if (!items[i].is_null()) {
        key = items[i].as_text();
      } else if (null_key_mode_ == "DROP") {
        continue;
      } else if (null_key_mode_ == "LITERAL") {
        key = null_key_literal_;
      } else {
        throw JobFailure("java.lang.RuntimeException",
                         "JSON format doesn't support to serialize map data with null keys. You can drop null key "
                         "entries or encode null in literals by specifying map-null-key.mode option.");
      }
      if (!first) out += ',';
      first = false;
      append_json_string(out, key, true);
      out += ':';
      write_value(out, items[i + 1], value_type);
    }
    out += '}';
  }

  std::vector<Field> fields_;
  std::vector<Writer> writers_;
  size_t row_room_ = 64;  // what a row takes without its texts
  std::string scratch_;
  bool plain_decimals_ = false;
  bool ignore_nulls_ = false;
  TimestampStandard standard_ = TimestampStandard::sql;
  std::string null_key_mode_ = "FAIL";
  std::string null_key_literal_ = "null";
};

}  // namespace

std::unique_ptr<RowEncoder> make_json_encoder(const FormatOptions& options, std::vector<Field> fields) {
  return std::make_unique<JsonEncoder>(options, std::move(fields));
}

}  // namespace millrace::processing
