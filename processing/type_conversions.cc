// Which type two types have in common, what arithmetic makes of decimals, and what can become what.
#include <algorithm>

#include "processing/types.h"

namespace millrace::processing {

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

DataType combine_numbers(const DataType& a, const DataType& b) {
  if (a.is_integral() && b.is_integral()) return DataType(std::max(a.root, b.root));
  if (a.is_exact() && b.is_exact()) {
    const DataType x = as_decimal(a), y = as_decimal(b);
    const int scale = std::max(x.scale, y.scale);
    const int digits = std::max(x.precision - x.scale, y.precision - y.scale);
    const int precision = std::min(digits + scale, max_decimal_precision);
    return DataType::decimal(precision, std::min(scale, std::max(0, precision - digits)));
  }
  // FLOAT and DOUBLE count as equally wide: the first one wins. A decimal makes it DOUBLE.
  if (a.is_approximate() && b.is_approximate()) return DataType(a.root);
  const DataType& exact = a.is_exact() ? a : b;
  const DataType& approximate = a.is_exact() ? b : a;
  return exact.root == TypeRoot::decimal ? DataType::double_() : DataType(approximate.root);
}

std::optional<DataType> combine(const DataType& a, const DataType& b);

// Of arrays, multisets, maps and rows: field by field.
std::optional<DataType> combine_fields(const DataType& a, const DataType& b) {
  if (a.fields->size() != b.fields->size()) return std::nullopt;
  std::vector<Field> fields;
  for (size_t i = 0; i < a.fields->size(); ++i) {
    std::optional<DataType> child = combine(a.child(i), b.child(i));
    if (!child) return std::nullopt;
    fields.push_back({(*a.fields)[i].name, *child});
  }
  DataType both(a.root);
  both.fields = std::make_shared<const std::vector<Field>>(std::move(fields));
  return both;
}

// Of the same root; nothing for those that have been combined otherwise.
std::optional<DataType> combine_alike(const DataType& a, const DataType& b) {
  switch (a.root) {
    case TypeRoot::boolean:
    case TypeRoot::date:
    case TypeRoot::interval_months:
    case TypeRoot::interval_millis:
    case TypeRoot::symbol:
      return DataType(a.root);
    case TypeRoot::time:
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz: {
      DataType both(a.root, std::max(a.precision, b.precision));
      if (a.attribute == b.attribute) both.attribute = a.attribute;
      return both;
    }
    case TypeRoot::array:
    case TypeRoot::multiset:
    case TypeRoot::map:
    case TypeRoot::row:
      return combine_fields(a, b);
    default:
      return std::nullopt;
  }
}

// Whatever their nullability.
std::optional<DataType> combine_types(const DataType& a, const DataType& b) {
  const int32_t length = std::max(a.precision, b.precision);
  const bool same_length = a.root == b.root && a.precision == b.precision;
  if (a.is_text() && b.is_text()) {
    const bool fixed = same_length && a.root == TypeRoot::character;
    return fixed ? DataType::character(length) : DataType::varchar(length);
  }
  if (a.is_bytes() && b.is_bytes()) {
    const bool fixed = same_length && a.root == TypeRoot::binary;
    return fixed ? DataType::binary(length) : DataType::varbinary(length);
  }
  if (a.is_numeric() && b.is_numeric()) return combine_numbers(a, b);
  if (a.root == b.root) return combine_alike(a, b);
  // A date or time followed by an interval or a whole number stays what it is.
  if (a.is_datetime() && (b.is_interval() || b.is_integral())) return a;
  if (a.is_interval() && b.is_datetime()) return b;
  return std::nullopt;
}

std::optional<DataType> combine(const DataType& a, const DataType& b) {
  if (a.root == TypeRoot::null) return b.with_nullable(true);
  if (b.root == TypeRoot::null) return a.with_nullable(true);
  std::optional<DataType> both = combine_types(a, b);
  if (both) both = both->with_nullable(a.nullable || b.nullable);
  return both;
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
