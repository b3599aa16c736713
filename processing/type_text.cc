// Types as text, in each of the ways Flink writes them.
#include <fmt/format.h>

#include <algorithm>

#include "processing/types.h"

namespace millrace::processing {

std::string describe_text(const DataType& type) {
  std::string text;
  switch (type.root) {
    case TypeRoot::null:
      text = "NULL";
      break;
    case TypeRoot::boolean:
      text = "BOOLEAN";
      break;
    case TypeRoot::tinyint:
      text = "TINYINT";
      break;
    case TypeRoot::smallint:
      text = "SMALLINT";
      break;
    case TypeRoot::integer:
      text = "INT";
      break;
    case TypeRoot::bigint:
      text = "BIGINT";
      break;
    case TypeRoot::float_:
      text = "FLOAT";
      break;
    case TypeRoot::double_:
      text = "DOUBLE";
      break;
    case TypeRoot::decimal:
      text = fmt::format("DECIMAL({}, {})", type.precision, type.scale);
      break;
    case TypeRoot::character:
      text = fmt::format("CHAR({})", type.precision);
      break;
    case TypeRoot::varchar:
      text = type.precision == max_length ? "STRING" : fmt::format("VARCHAR({})", type.precision);
      break;
    case TypeRoot::binary:
      text = fmt::format("BINARY({})", type.precision);
      break;
    case TypeRoot::varbinary:
      text = type.precision == max_length ? "BYTES" : fmt::format("VARBINARY({})", type.precision);
      break;
    case TypeRoot::date:
      text = "DATE";
      break;
    case TypeRoot::time:
      text = fmt::format("TIME({})", type.precision);
      break;
    case TypeRoot::timestamp:
      text = fmt::format("TIMESTAMP({})", type.precision);
      break;
    case TypeRoot::timestamp_ltz:
      text = fmt::format("TIMESTAMP_LTZ({})", type.precision);
      break;
    case TypeRoot::interval_months:
      text = "INTERVAL MONTH";
      break;
    case TypeRoot::interval_millis:
      text = "INTERVAL SECOND(3)";
      break;
    case TypeRoot::array:
      text = fmt::format("ARRAY<{}>", to_string(type.child(0)));
      break;
    case TypeRoot::multiset:
      text = fmt::format("MULTISET<{}>", to_string(type.child(0)));
      break;
    case TypeRoot::map:
      text = fmt::format("MAP<{}, {}>", to_string(type.child(0)), to_string(type.child(1)));
      break;
    case TypeRoot::row: {
      text = "ROW<";
      for (size_t i = 0; i < type.fields->size(); ++i) {
        const Field& field = (*type.fields)[i];
        text += fmt::format("{}`{}` {}", i > 0 ? ", " : "", field.name, to_string(field.type));
      }
      text += ">";
      break;
    }
    case TypeRoot::symbol:
      text = "SYMBOL";
      break;
  }
  if (type.attribute == TimeAttribute::rowtime) text += " *ROWTIME*";
  if (type.attribute == TimeAttribute::proctime) text += " *PROCTIME*";
  return text;
}

std::string to_string(const DataType& type) {
  if (type.nullable || type.root == TypeRoot::null) return describe_text(type);
  std::string text = describe_text(type.with_attribute(TimeAttribute::none)) + " NOT NULL";
  if (type.attribute == TimeAttribute::rowtime) text += " *ROWTIME*";
  if (type.attribute == TimeAttribute::proctime) text += " *PROCTIME*";
  return text;
}

std::string_view root_text(TypeRoot root) {
  switch (root) {
    case TypeRoot::null:
      return "NULL";
    case TypeRoot::boolean:
      return "BOOLEAN";
    case TypeRoot::tinyint:
      return "TINYINT";
    case TypeRoot::smallint:
      return "SMALLINT";
    case TypeRoot::integer:
      return "INTEGER";
    case TypeRoot::bigint:
      return "BIGINT";
    case TypeRoot::float_:
      return "FLOAT";
    case TypeRoot::double_:
      return "DOUBLE";
    case TypeRoot::decimal:
      return "DECIMAL";
    case TypeRoot::character:
      return "CHAR";
    case TypeRoot::varchar:
      return "VARCHAR";
    case TypeRoot::binary:
      return "BINARY";
    case TypeRoot::varbinary:
      return "VARBINARY";
    case TypeRoot::date:
      return "DATE";
    case TypeRoot::time:
      return "TIME_WITHOUT_TIME_ZONE";
    case TypeRoot::timestamp:
      return "TIMESTAMP_WITHOUT_TIME_ZONE";
    case TypeRoot::timestamp_ltz:
      return "TIMESTAMP_WITH_LOCAL_TIME_ZONE";
    case TypeRoot::interval_months:
      return "INTERVAL_YEAR_MONTH";
    case TypeRoot::interval_millis:
      return "INTERVAL_DAY_TIME";
    case TypeRoot::array:
      return "ARRAY";
    case TypeRoot::map:
      return "MAP";
    case TypeRoot::multiset:
      return "MULTISET";
    case TypeRoot::row:
      return "ROW";
    case TypeRoot::symbol:
      return "SYMBOL";
  }
  return "";
}

std::string planner_text(const DataType& type) {
  switch (type.root) {
    case TypeRoot::integer:
      return "INTEGER";
    case TypeRoot::varchar:
      return fmt::format("VARCHAR({})", type.precision);
    case TypeRoot::varbinary:
      return fmt::format("VARBINARY({})", type.precision);
    case TypeRoot::timestamp_ltz: {
      if (type.attribute == TimeAttribute::rowtime) return "TIMESTAMP_LTZ(3) *ROWTIME*";
      if (type.attribute == TimeAttribute::proctime) return "TIMESTAMP_LTZ(3) *PROCTIME*";
      return fmt::format("TIMESTAMP_WITH_LOCAL_TIME_ZONE({})", type.precision);
    }
    case TypeRoot::interval_months:
      return "INTERVAL MONTH";
    case TypeRoot::interval_millis:
      return "INTERVAL SECOND";
    case TypeRoot::array:
      return planner_text(type.child(0)) + " ARRAY";
    case TypeRoot::multiset:
      return planner_text(type.child(0)) + " MULTISET";
    case TypeRoot::map:
      return fmt::format("({}, {}) MAP", planner_text(type.child(0)), planner_text(type.child(1)));
    case TypeRoot::row: {
      std::string text = "RecordType(";
      for (size_t i = 0; i < type.fields->size(); ++i) {
        text += fmt::format("{}{} {}", i > 0 ? ", " : "", planner_text(type.child(i)), (*type.fields)[i].name);
      }
      return text + ")";
    }
    default:
      return describe_text(type);
  }
}

std::string family_text(const DataType& type) {
  switch (type.root) {
    case TypeRoot::null:
      return "<NULL>";
    case TypeRoot::boolean:
      return "<BOOLEAN>";
    case TypeRoot::tinyint:
    case TypeRoot::smallint:
    case TypeRoot::integer:
    case TypeRoot::bigint:
    case TypeRoot::float_:
    case TypeRoot::double_:
    case TypeRoot::decimal:
      return "<NUMERIC>";
    case TypeRoot::character:
    case TypeRoot::varchar:
      return "<CHARACTER>";
    case TypeRoot::binary:
    case TypeRoot::varbinary:
      return "<BINARY>";
    case TypeRoot::date:
      return "<DATE>";
    case TypeRoot::time:
      return "<TIME>";
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz:
      return "<TIMESTAMP>";
    case TypeRoot::interval_months:
      return "<INTERVAL_YEAR_MONTH>";
    case TypeRoot::interval_millis:
      return "<INTERVAL_DAY_TIME>";
    default:
      return "<" + planner_text(type) + ">";
  }
}

}  // namespace millrace::processing
