#include "processing/types.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::processing {

DataType DataType::array(DataType element) {
  DataType type(TypeRoot::array);
  type.fields = std::make_shared<const std::vector<Field>>(std::vector<Field>{{"", std::move(element)}});
  return type;
}

DataType DataType::multiset(DataType element) {
  DataType type = array(std::move(element));
  type.root = TypeRoot::multiset;
  return type;
}

DataType DataType::map(DataType key, DataType value) {
  DataType type(TypeRoot::map);
  type.fields = std::make_shared<const std::vector<Field>>(
      std::vector<Field>{{"key", std::move(key)}, {"value", std::move(value)}});
  return type;
}

DataType DataType::row(std::vector<Field> fields) {
  DataType type(TypeRoot::row);
  type.fields = std::make_shared<const std::vector<Field>>(std::move(fields));
  return type;
}

const DataType& DataType::child(size_t index) const { return fields->at(index).type; }

int DataType::field_index(std::string_view name) const {
  if (root != TypeRoot::row || !fields) return -1;
  for (size_t i = 0; i < fields->size(); ++i) {
    if ((*fields)[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

namespace {

bool same(const DataType& a, const DataType& b, bool nullability) {
  if (a.root != b.root || a.precision != b.precision || a.scale != b.scale) return false;
  if (nullability && a.nullable != b.nullable) return false;
  size_t n = a.fields ? a.fields->size() : 0;
  if (n != (b.fields ? b.fields->size() : 0)) return false;
  for (size_t i = 0; i < n; ++i) {
    if (nullability && a.root == TypeRoot::row && (*a.fields)[i].name != (*b.fields)[i].name) return false;
    if (!same(a.child(i), b.child(i), nullability)) return false;
  }
  return true;
}

}  // namespace

bool operator==(const DataType& a, const DataType& b) { return same(a, b, true); }
bool same_ignoring_nullability(const DataType& a, const DataType& b) { return same(a, b, false); }

// ---- text ----

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

// ---- decimals ----

namespace {

// Keeps the integer digits when there are too many, at the cost of fraction digits beyond the sixth.
DataType cut(int precision, int scale) {
  if (precision <= max_decimal_precision) return DataType::decimal(precision, scale);
  int integer_digits = precision - scale;
  int kept = std::max(max_decimal_precision - integer_digits, std::min(scale, 6));
  return DataType::decimal(max_decimal_precision, kept);
}

}  // namespace

DataType as_decimal(const DataType& type) {
  switch (type.root) {
    case TypeRoot::tinyint:
      return DataType::decimal(3, 0).with_nullable(type.nullable);
    case TypeRoot::smallint:
      return DataType::decimal(5, 0).with_nullable(type.nullable);
    case TypeRoot::integer:
      return DataType::decimal(10, 0).with_nullable(type.nullable);
    case TypeRoot::bigint:
      return DataType::decimal(19, 0).with_nullable(type.nullable);
    default:
      return type;
  }
}

DataType decimal_plus(const DataType& left, const DataType& right) {
  DataType a = as_decimal(left), b = as_decimal(right);
  int scale = std::max(a.scale, b.scale);
  int digits = std::max(a.precision - a.scale, b.precision - b.scale);
  return cut(digits + scale + 1, scale).with_nullable(a.nullable || b.nullable);
}

DataType decimal_times(const DataType& left, const DataType& right) {
  DataType a = as_decimal(left), b = as_decimal(right);
  return cut(a.precision + b.precision + 1, a.scale + b.scale).with_nullable(a.nullable || b.nullable);
}

DataType decimal_divide(const DataType& left, const DataType& right) {
  DataType a = as_decimal(left), b = as_decimal(right);
  int scale = std::max(6, a.scale + b.precision + 1);
  return cut(a.precision - a.scale + b.scale + scale, scale).with_nullable(a.nullable || b.nullable);
}

DataType decimal_modulo(const DataType& left, const DataType& right) {
  DataType a = as_decimal(left), b = as_decimal(right);
  // The remainder of whole numbers has the divisor's digits.
  int scale = std::max(a.scale, b.scale);
  int digits = std::min(a.precision - a.scale, b.precision - b.scale);
  return cut(digits + scale, scale).with_nullable(a.nullable || b.nullable);
}

// ---- combining ----

namespace {

std::optional<DataType> combine(const DataType& a, const DataType& b) {
  if (a.root == TypeRoot::null) return b.with_nullable(true);
  if (b.root == TypeRoot::null) return a.with_nullable(true);
  bool nullable = a.nullable || b.nullable;
  if (a.is_text() && b.is_text()) {
    bool fixed = a.root == TypeRoot::character && b.root == TypeRoot::character && a.precision == b.precision;
    int32_t length = std::max(a.precision, b.precision);
    return (fixed ? DataType::character(length) : DataType::varchar(length)).with_nullable(nullable);
  }
  if (a.is_bytes() && b.is_bytes()) {
    bool fixed = a.root == TypeRoot::binary && b.root == TypeRoot::binary && a.precision == b.precision;
    int32_t length = std::max(a.precision, b.precision);
    return (fixed ? DataType::binary(length) : DataType::varbinary(length)).with_nullable(nullable);
  }
  if (a.is_numeric() && b.is_numeric()) {
    if (a.is_integral() && b.is_integral()) return DataType(std::max(a.root, b.root)).with_nullable(nullable);
    if (a.is_exact() && b.is_exact()) {
      DataType x = as_decimal(a), y = as_decimal(b);
      int scale = std::max(x.scale, y.scale);
      int digits = std::max(x.precision - x.scale, y.precision - y.scale);
      int precision = std::min(digits + scale, max_decimal_precision);
      return DataType::decimal(precision, std::min(scale, std::max(0, precision - digits))).with_nullable(nullable);
    }
    // FLOAT and DOUBLE count as equally wide: the first one wins. A decimal makes it DOUBLE.
    if (a.is_approximate() && b.is_approximate()) return DataType(a.root).with_nullable(nullable);
    const DataType& exact = a.is_exact() ? a : b;
    const DataType& approximate = a.is_exact() ? b : a;
    if (exact.root == TypeRoot::decimal) return DataType::double_().with_nullable(nullable);
    return DataType(approximate.root).with_nullable(nullable);
  }
  if (a.root == b.root) {
    switch (a.root) {
      case TypeRoot::boolean:
      case TypeRoot::date:
      case TypeRoot::interval_months:
      case TypeRoot::interval_millis:
      case TypeRoot::symbol:
        return DataType(a.root).with_nullable(nullable);
      case TypeRoot::time:
      case TypeRoot::timestamp:
      case TypeRoot::timestamp_ltz: {
        DataType both(a.root, std::max(a.precision, b.precision));
        if (a.attribute == b.attribute) both.attribute = a.attribute;
        return both.with_nullable(nullable);
      }
      case TypeRoot::array:
      case TypeRoot::multiset:
      case TypeRoot::map:
      case TypeRoot::row: {
        if (a.fields->size() != b.fields->size()) return std::nullopt;
        std::vector<Field> fields;
        for (size_t i = 0; i < a.fields->size(); ++i) {
          std::optional<DataType> child = combine(a.child(i), b.child(i));
          if (!child) return std::nullopt;
          fields.push_back({(*a.fields)[i].name, *child});
        }
        DataType both(a.root);
        both.fields = std::make_shared<const std::vector<Field>>(std::move(fields));
        return both.with_nullable(nullable);
      }
      default:
        break;
    }
  }
  // A date or time followed by an interval or a whole number stays what it is.
  if (a.is_datetime() && (b.is_interval() || b.is_integral())) return a.with_nullable(nullable);
  if (a.is_interval() && b.is_datetime()) return b.with_nullable(nullable);
  return std::nullopt;
}

}  // namespace

std::optional<DataType> common_type(std::span<const DataType> types) {
  if (types.empty()) return std::nullopt;
  std::optional<DataType> result = types[0];
  for (size_t i = 1; i < types.size() && result; ++i) result = combine(*result, types[i]);
  return result;
}

std::optional<DataType> common_type(const DataType& a, const DataType& b) { return combine(a, b); }

// ---- converting ----

bool comparable(const DataType& a, const DataType& b) {
  if (a.root == TypeRoot::null || b.root == TypeRoot::null) return true;
  if (a.is_numeric() && b.is_numeric()) return true;
  if (a.is_bytes() && b.is_bytes()) return true;
  if (a.is_text() && b.is_text()) return true;
  if (a.is_timestamp() && b.is_timestamp()) return true;
  if (a.root == b.root) {
    if (a.is_nested()) {
      if (a.fields->size() != b.fields->size()) return false;
      for (size_t i = 0; i < a.fields->size(); ++i) {
        if (!comparable(a.child(i), b.child(i))) return false;
      }
    }
    return true;
  }
  auto reads_text = [](const DataType& t) {
    return t.is_datetime() || t.is_interval() || t.is_numeric() || t.root == TypeRoot::boolean;
  };
  return (a.is_text() && reads_text(b)) || (b.is_text() && reads_text(a));
}

bool can_cast_implicitly(const DataType& from, const DataType& to) {
  if (from.root == TypeRoot::null) return to.nullable;
  if (from.nullable && !to.nullable) return false;
  if (same_ignoring_nullability(from, to)) return true;
  if (from.is_text() && to.is_text()) return true;
  if (from.is_bytes() && to.is_bytes()) return true;
  if (to.root == TypeRoot::decimal) return from.is_exact();
  if (from.is_integral() && to.is_integral()) return from.root <= to.root;
  if (to.root == TypeRoot::float_) return from.is_integral() || from.root == TypeRoot::decimal;
  if (to.root == TypeRoot::double_) return from.is_numeric();
  if (to.root == TypeRoot::timestamp || to.root == TypeRoot::timestamp_ltz) return from.is_timestamp();
  if (from.root != to.root) return false;
  if (from.root == TypeRoot::time || from.is_interval() || from.root == TypeRoot::float_) return true;
  if (from.is_nested()) {
    if (from.fields->size() != to.fields->size()) return false;
    for (size_t i = 0; i < from.fields->size(); ++i) {
      if (!can_cast_implicitly(from.child(i), to.child(i))) return false;
    }
    return true;
  }
  return from.root == to.root;
}

bool can_cast_explicitly(const DataType& from, const DataType& to) {
  if (from.root == TypeRoot::null) return true;
  if (can_cast_implicitly(from.with_nullable(false), to)) return true;
  if (to.is_text()) return from.root != TypeRoot::symbol;
  if (from.is_text()) return !to.is_nested();
  if (to.is_bytes()) return from.is_bytes();
  if (from.is_numeric() && to.is_numeric()) return true;
  if (to.root == TypeRoot::boolean) return from.is_numeric();
  if (from.root == TypeRoot::boolean) return to.is_numeric();
  if (from.is_numeric() && to.is_interval()) return from.is_exact();
  if (from.is_interval() && to.is_exact()) return true;
  if (from.root == to.root && from.is_nested()) {
    if (from.fields->size() != to.fields->size()) return false;
    for (size_t i = 0; i < from.fields->size(); ++i) {
      if (!can_cast_explicitly(from.child(i), to.child(i))) return false;
    }
    return true;
  }
  if (from.root == TypeRoot::date) return to.is_timestamp();
  if (from.root == TypeRoot::time) return to.is_timestamp();
  if (from.is_timestamp()) return to.is_datetime();
  return false;
}

}  // namespace millrace::processing
