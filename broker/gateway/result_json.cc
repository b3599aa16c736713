#include "broker/gateway/result_json.h"

#include <cmath>

#include "broker/gateway/json.h"
#include "processing/formats/format.h"

namespace millrace::broker::gateway {

using processing::DataType;
using processing::Field;
using processing::RowKind;
using processing::TypeRoot;
using processing::Value;

namespace {

std::string_view kind_name(RowKind kind) {
  switch (kind) {
    case RowKind::insert:
      return "INSERT";
    case RowKind::update_before:
      return "UPDATE_BEFORE";
    case RowKind::update_after:
      return "UPDATE_AFTER";
    case RowKind::delete_:
      return "DELETE";
  }
  return "INSERT";
}

void append_value(std::string& out, const Value& value, const DataType& type);

void append_list(std::string& out, const Value& value, const DataType& type) {
  out += '[';
  bool first = true;
  for (const Value& item : value.items()) {
    if (!std::exchange(first, false)) out += ',';
    append_value(out, item, type.child(0));
  }
  out += ']';
}

void append_map(std::string& out, const Value& value, const DataType& type) {
  const DataType value_type = type.is(TypeRoot::map) ? type.child(1) : DataType::integer();
  const std::vector<Value>& items = value.items();
  out += '{';
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (i > 0) out += ',';
    const Value& key = items[i];
    // Keys that are no text are refused by Flink's JSON rows; their text is of more use.
    append_quoted(out, key.is_null() ? "null" : value_text(key, type.child(0), processing::TimeZone::utc()));
    out += ':';
    append_value(out, items[i + 1], value_type);
  }
  out += '}';
}

void append_fields(std::string& out, const Value& value, const DataType& type) {
  out += '{';
  for (size_t i = 0; i < type.fields->size(); ++i) {
    if (i > 0) out += ',';
    append_quoted(out, (*type.fields)[i].name);
    out += ':';
    append_value(out, value.items()[i], (*type.fields)[i].type);
  }
  out += '}';
}

void append_float(std::string& out, double value, const std::string& text) {
  if (std::isfinite(value)) {
    out += text;
  } else {
    append_quoted(out, text);
  }
}

void append_value(std::string& out, const Value& value, const DataType& type) {
  if (value.is_null()) {
    out += "null";
    return;
  }
  switch (type.root) {
    case TypeRoot::boolean:
      out += value.as_bool() ? "true" : "false";
      return;
    case TypeRoot::float_:
      return append_float(out, value.as_float(), processing::float_text(value.as_float()));
    case TypeRoot::double_:
      return append_float(out, value.as_double(), processing::double_text(value.as_double()));
    case TypeRoot::decimal:
      out += processing::decimal_scientific_text(value.as_decimal(), type.scale);
      return;
    case TypeRoot::character:
    case TypeRoot::varchar:
      return append_quoted(out, value.as_text());
    case TypeRoot::binary:
    case TypeRoot::varbinary:
      return append_quoted(out, processing::base64_text(value.as_text()));
    case TypeRoot::date:
      return append_quoted(out, processing::format_date(value.as_int()));
    case TypeRoot::time:
      return append_quoted(out, processing::format_sql_time(value.as_int()));
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz:
      return append_quoted(out,
                           processing::format_timestamp(value.as_timestamp(), processing::TimestampStandard::iso_8601,
                                                        type.is(TypeRoot::timestamp_ltz)));
    case TypeRoot::array:
      return append_list(out, value, type);
    case TypeRoot::map:
    case TypeRoot::multiset:
      return append_map(out, value, type);
    case TypeRoot::row:
      return append_fields(out, value, type);
    default:
      out += std::to_string(value.as_int());
      return;
  }
}

}  // namespace

void append_type(std::string& out, const DataType& type) {
  out += R"({"type":")";
  out += root_text(type.root);
  out += type.nullable ? R"(","nullable":true)" : R"(","nullable":false)";
  const auto member = [&out](std::string_view name) {
    out += ",\"";
    out += name;
    out += "\":";
  };
  switch (type.root) {
    case TypeRoot::decimal:
      member("precision");
      out += std::to_string(type.precision);
      member("scale");
      out += std::to_string(type.scale);
      break;
    case TypeRoot::character:
    case TypeRoot::varchar:
    case TypeRoot::binary:
    case TypeRoot::varbinary:
      member("length");
      out += std::to_string(type.precision);
      break;
    case TypeRoot::time:
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz:
      member("precision");
      out += std::to_string(type.precision);
      break;
    case TypeRoot::interval_months:
      out += R"(,"precision":2,"resolution":"MONTH")";
      break;
    case TypeRoot::interval_millis:
      out += R"(,"precision":2,"fractionalPrecision":3,"resolution":"SECOND")";
      break;
    case TypeRoot::array:
    case TypeRoot::multiset:
      member("elementType");
      append_type(out, type.child(0));
      break;
    case TypeRoot::map:
      member("keyType");
      append_type(out, type.child(0));
      member("valueType");
      append_type(out, type.child(1));
      break;
    case TypeRoot::row: {
      member("fields");
      out += '[';
      bool first = true;
      for (const Field& field : *type.fields) {
        if (!std::exchange(first, false)) out += ',';
        out += R"({"name":)";
        append_quoted(out, field.name);
        member("fieldType");
        append_type(out, field.type);
        out += '}';
      }
      out += ']';
      break;
    }
    default:
      break;
  }
  out += '}';
}

void append_columns(std::string& out, const std::vector<Field>& columns) {
  out += '[';
  bool first = true;
  for (const Field& column : columns) {
    if (!std::exchange(first, false)) out += ',';
    out += R"({"name":)";
    append_quoted(out, column.name);
    out += R"(,"logicalType":)";
    append_type(out, column.type);
    out += R"(,"comment":null})";
  }
  out += ']';
}

void append_row(std::string& out, const processing::ResultRow& row, const std::vector<Field>& columns, RowFormat format,
                const processing::TimeZone& zone) {
  out += R"({"kind":")";
  out += kind_name(row.kind);
  out += R"(","fields":[)";
  for (size_t i = 0; i < row.row.size(); ++i) {
    if (i > 0) out += ',';
    const Value& value = row.row[i];
    const DataType& type = columns[i].type;
    if (value.is_null()) {
      out += "null";
    } else if (format == RowFormat::plain_text) {
      append_quoted(out, processing::cell_text(value, type, zone));
    } else {
      append_value(out, value, type);
    }
  }
  out += "]}";
}

}  // namespace millrace::broker::gateway
