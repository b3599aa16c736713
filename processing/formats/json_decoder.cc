// JSON to rows, as Flink's streaming JSON parser does it: it walks the tokens once, matches field names exactly, and
// stops looking after as many known fields as the schema has. Text behind the document is not read.
#include <cmath>
#include <limits>

#include "processing/formats/format.h"
#include "processing/formats/json_reader.h"
#include "processing/formats/json_scan.h"
#include "processing/formats/number_text.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

namespace {

constexpr const char* format_exception = "org.apache.flink.formats.json.JsonParseException";

// A value that does not fit its type. At the top level it becomes "Fail to deserialize at field".
struct Unfit {};

template <class T>
T need(std::optional<T> value) {
  if (!value) throw Unfit{};
  return *value;
}

bool has_decimal(const DataType& type) {
  if (type.is(TypeRoot::decimal)) return true;
  if (type.fields) {
    for (const Field& field : *type.fields)
      if (has_decimal(field.type)) return true;
  }
  return false;
}

bool is_true(std::string_view text) {
  text = java_trim(text);
  return text.size() == 4 && (text[0] | 0x20) == 't' && (text[1] | 0x20) == 'r' && (text[2] | 0x20) == 'u' &&
         (text[3] | 0x20) == 'e';
}

class JsonDecoder final : public RowDecoder, private JsonValues {
 public:
  JsonDecoder(const FormatOptions& options, std::vector<Field> fields, std::vector<bool> needed)
      : RowDecoder(std::move(fields)), needed_(std::move(needed)) {
    needed_.resize(fields_.size(), true);
    fail_on_missing_ = flag(options, "fail-on-missing-field");
    ignore_errors_ = flag(options, "ignore-parse-errors");
    if (const auto at = options.find("timestamp-format.standard"); at != options.end()) {
      if (at->second == "ISO-8601") standard_ = TimestampStandard::iso_8601;
      if (at->second == "ISO-8601-WITH-OFFSET") standard_ = TimestampStandard::iso_8601_with_offset;
    }
    for (const Field& field : fields_) exact_ = exact_ || has_decimal(field.type);
    scan_.emplace(fields_, standard_, fail_on_missing_);
  }

  bool decode(std::optional<std::string_view> record) override {
    if (!record || record->empty()) return false;
    for (FieldSlot& slot : slots_) slot.null = true;
    begin_ = record->data();
    end_ = begin_ + record->size();
    arena_.clear();
    try {
      JsonReader json(*record);
      if (json.next() != JsonToken::start_object)
        throw JobFailure("org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonMappingException",
                         "No content to map due to end-of-input");
      read_fields(json);
    } catch (const JobFailure& failure) {
      if (ignore_errors_) return false;
      const auto [type, message] = context(*record);
      throw failure.wrapped(type, message);
    }
    return true;
  }

  bool decode_into(std::optional<std::string_view> record, RowTargets& targets) override {
    if (!record || record->empty()) return false;
    begin_ = record->data();
    end_ = begin_ + record->size();
    if (scan_->read(*record, *this, targets)) return true;
    if (!decode(record)) return false;
    put_slots(targets);
    return true;
  }

  void decode_all(std::span<const std::optional<std::string_view>> records, std::span<ColumnBuilder* const> columns,
                  std::vector<uint32_t>& rows) override {
    decode_each(*this, records, columns, rows);
  }

  std::pair<std::string, std::string> context(std::string_view record) const override {
    return {"java.io.IOException", "Failed to deserialize JSON '" + java_text(record) + "'."};
  }
  bool ignores_errors() const override { return ignore_errors_; }

 private:
  // The rest of the value at the token, and on to the token behind it.
  static void skip_value(JsonReader& json) {
    if (json.token() == JsonToken::end) lost();
    if (json.token() == JsonToken::start_object || json.token() == JsonToken::start_array) {
      for (int open = 1; open > 0;) {
        switch (json.next()) {
          case JsonToken::start_object:
          case JsonToken::start_array:
            ++open;
            break;
          case JsonToken::end_object:
          case JsonToken::end_array:
            --open;
            break;
          case JsonToken::end:
            lost();
          default:
            break;
        }
      }
    }
    json.next();
  }
  // A bad field may leave the reader inside a value; the walk then runs off the end of the document.
  [[noreturn]] static void lost() { throw JobFailure("java.lang.NullPointerException", "null"); }

  void read_fields(JsonReader& json) {
    size_t seen = 0;
    json.next();
    while (json.token() != JsonToken::end_object) {
      if (seen >= fields_.size()) {
        skip_value(json);
        continue;
      }
      const int field = find(json.text(), seen);
      json.next();
      if (field < 0) {
        skip_value(json);
        continue;
      }
      const auto index = static_cast<size_t>(field);
      convert_field(json, index);
      json.next();
      ++seen;
    }
    if (seen < fields_.size() && fail_on_missing_)
      throw JobFailure(format_exception, "Some field is missing in the JSON data.");
  }

  // Records mostly list their fields in one order: look where the next one should be first.
  int find(std::string_view name, size_t guess) const {
    if (guess < fields_.size() && fields_[guess].name == name) return static_cast<int>(guess);
    for (size_t i = 0; i < fields_.size(); ++i)
      if (fields_[i].name == name) return static_cast<int>(i);
    return -1;
  }

  void convert_field(JsonReader& json, size_t index) {
    FieldSlot& slot = slots_[index];
    slot.null = true;
    if (json.token() == JsonToken::null_ || json.token() == JsonToken::end) return;
    bool unfit = false;
    try {
      convert(json, fields_[index].type, slot, needed_[index]);
      return;
    } catch (const Unfit&) {
      unfit = true;
    } catch (const JobFailure&) {
      unfit = true;
    }
    if (unfit && !ignore_errors_)
      throw JobFailure(format_exception, "Fail to deserialize at field: " + fields_[index].name + ".");
    slot.null = true;
  }

  bool convert_value(JsonReader& json, size_t field, FieldSlot& slot) override {
    arena_.clear();
    try {
      convert(json, fields_[field].type, slot, false);  // taken before the reader moves on
    } catch (const Unfit&) {
      return false;
    }
    return true;
  }

  void convert(JsonReader& json, const DataType& type, FieldSlot& slot, bool keep) {
    switch (physical_of(type.root)) {
      case Physical::boolean:
        slot.integer = json.token() == JsonToken::true_    ? 1
                       : json.token() == JsonToken::false_ ? 0
                                                           : static_cast<int64_t>(is_true(json.text()));
        break;
      case Physical::int32:
        slot.integer = read_int(json, type.root);
        break;
      case Physical::int64:
        slot.integer = read_long(json);
        break;
      case Physical::float_:
        slot.single = need(parse_float(json.token() == JsonToken::decimal ? json.text() : java_trim(json.text())));
        break;
      case Physical::double_:
        slot.real = need(parse_double(json.token() == JsonToken::decimal ? json.text() : java_trim(json.text())));
        break;
      case Physical::decimal: {
        const std::optional<Int128> value = read_decimal(json, type);
        if (!value) return;  // too large: NULL
        slot.decimal = *value;
        break;
      }
      case Physical::text:
        read_text(json, type, slot, keep);
        break;
      case Physical::timestamp:
        slot.time = read_timestamp(json, type);
        break;
      case Physical::boxed:
        if (type.is(TypeRoot::null)) return;
        slot.boxed = convert_boxed(json, type);
        break;
    }
    slot.null = false;
  }

  int64_t read_int(JsonReader& json, TypeRoot root) {
    const std::string_view text = json.text();
    switch (root) {
      case TypeRoot::date:
        return need(parse_iso_date(text));
      case TypeRoot::time:
        return need(parse_sql_time(text));
      case TypeRoot::tinyint:
        return need(parse_integer(java_trim(text), -128, 127));
      case TypeRoot::smallint:
        return need(parse_integer(java_trim(text), -32768, 32767));
      default:
        break;
    }
    constexpr int64_t least = std::numeric_limits<int32_t>::min();
    constexpr int64_t most = std::numeric_limits<int32_t>::max();
    if (json.token() == JsonToken::decimal) {
      const double value = need(parse_double(text));
      if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most))) throw Unfit{};
      return static_cast<int64_t>(value);
    }
    return need(parse_integer(java_trim(text), least, most));
  }

  static int64_t read_long(JsonReader& json) {
    const std::string_view text = json.text();
    if (json.token() == JsonToken::decimal) {
      const double value = need(parse_double(text));
      if (!(value >= -9.223372036854775808e18 && value <= 9.223372036854775807e18)) throw Unfit{};
      return value >= 9.223372036854775807e18 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(value);
    }
    return need(
        parse_integer(java_trim(text), std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()));
  }

  static std::optional<Int128> read_decimal(JsonReader& json, const DataType& type) {
    std::string_view text = json.text();
    if (json.token() == JsonToken::string) {
      text = java_trim(text);
    } else if (json.token() != JsonToken::integer && json.token() != JsonToken::decimal) {
      throw Unfit{};
    }
    if (!is_decimal_text(text)) throw Unfit{};
    return parse_decimal(text, type.precision, type.scale);
  }

  TimestampValue read_timestamp(JsonReader& json, const DataType& type) const {
    TimestampValue value = need(parse_timestamp(json.text(), standard_, type.is(TypeRoot::timestamp_ltz)));
    if (type.precision <= 3) value.nanos = 0;
    return value;
  }

  void read_text(JsonReader& json, const DataType& type, FieldSlot& slot, bool keep) {
    if (type.is_bytes()) {
      if (json.token() != JsonToken::string) throw Unfit{};
      slot.text = hold(need(base64_bytes(json.text())));
      slot.borrowed = false;
      return;
    }
    if (json.token() == JsonToken::start_object || json.token() == JsonToken::start_array) {
      slot.text = hold(json.subtree(exact_));
      slot.borrowed = false;
      return;
    }
    const std::string_view text = json.text();
    slot.borrowed = text.data() >= begin_ && text.data() + text.size() <= end_;
    slot.text = slot.borrowed || !keep ? text : hold(std::string(text));
  }

  std::string_view hold(std::string text) {
    arena_.push_back(std::make_unique<std::string>(std::move(text)));
    return *arena_.back();
  }

  // A value inside an array, map or row. With ignore-parse-errors a bad one is NULL by itself.
  Value nested(JsonReader& json, const DataType& type) {
    if (json.token() == JsonToken::null_ || json.token() == JsonToken::end) return {};
    if (!ignore_errors_) return convert_boxed(json, type);
    try {
      return convert_boxed(json, type);
    } catch (const Unfit&) {
      return {};
    } catch (const JobFailure&) {
      return {};
    }
  }

  Value convert_boxed(JsonReader& json, const DataType& type) {
    switch (type.root) {
      case TypeRoot::array: {
        if (json.token() != JsonToken::start_array) throw Unfit{};
        std::vector<Value> items;
        while (json.next() != JsonToken::end_array) {
          if (json.token() == JsonToken::end) throw Unfit{};
          items.push_back(nested(json, type.child(0)));
        }
        return Value::nested(std::move(items));
      }
      case TypeRoot::map:
      case TypeRoot::multiset: {
        if (json.token() != JsonToken::start_object) throw Unfit{};
        std::vector<Value> entries;
        while (json.next() != JsonToken::end_object) {
          if (json.token() == JsonToken::end) throw Unfit{};
          entries.push_back(Value::text(json.text()));
          json.next();
          entries.push_back(nested(json, type.is(TypeRoot::map) ? type.child(1) : DataType::integer()));
        }
        return make_map(std::move(entries), type);
      }
      case TypeRoot::row:
        return convert_row(json, type);
      default:
        break;
    }
    FieldSlot slot;
    convert(json, type, slot, true);
    if (slot.null) return {};
    switch (physical_of(type.root)) {
      case Physical::boolean:
        return Value::boolean(slot.integer != 0);
      case Physical::int32:
      case Physical::int64:
        return Value::integer(slot.integer);
      case Physical::float_:
        return Value::float_(slot.single);
      case Physical::double_:
        return Value::double_(slot.real);
      case Physical::decimal:
        return Value::decimal(slot.decimal);
      case Physical::text:
        return Value::text(slot.text);
      case Physical::timestamp:
        return Value::timestamp(slot.time);
      case Physical::boxed:
        return slot.boxed;
    }
    return {};
  }

  Value convert_row(JsonReader& json, const DataType& type) {
    if (json.token() != JsonToken::start_object) throw Unfit{};
    const std::vector<Field>& fields = *type.fields;
    std::vector<Value> row(fields.size());
    size_t seen = 0;
    json.next();
    while (json.token() != JsonToken::end_object) {
      if (seen >= fields.size()) {
        skip_value(json);
        continue;
      }
      const int field = type.field_index(json.text());
      json.next();
      if (field < 0) {
        skip_value(json);
        continue;
      }
      row[static_cast<size_t>(field)] = nested(json, fields[static_cast<size_t>(field)].type);
      json.next();
      ++seen;
    }
    if (seen < fields.size() && fail_on_missing_)
      throw JobFailure(format_exception, "Some field is missing in the JSON data.");
    return Value::nested(std::move(row));
  }

  std::vector<bool> needed_;
  bool fail_on_missing_ = false;
  bool ignore_errors_ = false;
  bool exact_ = false;  // some field is a DECIMAL: fractions inside text keep their digits
  TimestampStandard standard_ = TimestampStandard::sql;
  std::optional<JsonScan> scan_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  std::vector<std::unique_ptr<std::string>> arena_;  // text made while reading this record
};

}  // namespace

std::unique_ptr<RowDecoder> make_json_decoder(const FormatOptions& options, std::vector<Field> fields,
                                              std::vector<bool> needed) {
  return std::make_unique<JsonDecoder>(options, std::move(fields), std::move(needed));
}

}  // namespace millrace::processing
