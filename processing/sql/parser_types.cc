// Data types.
#include <fmt/format.h>

#include "processing/sql/grammar.h"

namespace millrace::processing::sql {

int Grammar::limited_integer(int least, int most, const std::string& what) {
  const long long value = integer();
  if (value < least || value > most) fail_flink_validation(what + " (both inclusive).");
  return static_cast<int>(value);
}

int Grammar::type_argument(int otherwise, int least, int most, const char* what) {
  if (!accept_symbol("(")) return otherwise;
  int result = limited_integer(least, most, fmt::format("{} must be between {} and {}", what, least, most));
  expect_symbol(")");
  return result;
}

DataType Grammar::type() {
  Nesting nesting(*this);
  DataType result = type_without_suffix();
  while (true) {
    if (accept_words({"NOT", "NULL"})) {
      result = result.not_null();
    } else if (accept("NULL")) {
    } else if (accept("ARRAY")) {
      result = DataType::array(result);
    } else if (accept("MULTISET")) {
      result = DataType::multiset(result);
    } else {
      return result;
    }
  }
}

DataType Grammar::row_type() {
  std::vector<Field> fields;
  bool angled = is_symbol("<");
  if (!angled && !is_symbol("<>")) expect_symbol("(");
  if (accept_symbol("<>")) return DataType::row({});
  if (angled) next();
  const char* close = angled ? ">" : ")";
  if (!is_symbol(close)) {
    do {
      std::string field = simple_name();
      fields.push_back({std::move(field), type()});
      if (peek().kind == TokenKind::string) next();  // a comment
    } while (accept_symbol(","));
  }
  expect_symbol(close);
  return DataType::row(std::move(fields));
}

DataType Grammar::type_without_suffix() {
  if (peek().kind == TokenKind::quoted) {
    Name type_name = name();
    fail_validation("Unknown identifier '" + type_name.text() + "'", type_name.pos);
  }
  if (peek().kind != TokenKind::word) fail_here(true);
  const Token& token = next();
  const std::string& upper = token.upper;
  if (upper == "BOOLEAN") return DataType::boolean();
  if (upper == "TINYINT") return DataType::tinyint();
  if (upper == "SMALLINT") return DataType::smallint();
  if (upper == "INT" || upper == "INTEGER") return DataType::integer();
  if (upper == "BIGINT") return DataType::bigint();
  if (upper == "FLOAT" || upper == "REAL") return DataType::float_();
  if (upper == "DOUBLE") {
    accept("PRECISION");
    return DataType::double_();
  }
  if (upper == "DECIMAL" || upper == "DEC" || upper == "NUMERIC") {
    int precision = 10;
    int scale = 0;
    if (accept_symbol("(")) {
      precision = limited_integer(1, max_decimal_precision, "Decimal precision must be between 1 and 38");
      if (accept_symbol(",")) {
        scale = limited_integer(0, precision,
                                fmt::format("Decimal scale must be between 0 and the precision {}", precision));
      }
      expect_symbol(")");
    }
    return DataType::decimal(precision, scale);
  }
  if (upper == "STRING") return DataType::string();
  if (upper == "BYTES") return DataType::bytes();
  if (upper == "VARCHAR" || ((upper == "CHAR" || upper == "CHARACTER") && accept("VARYING")))
    return DataType::varchar(type_argument(max_length, 1, max_length, "Variable character string length"));
  if (upper == "CHAR" || upper == "CHARACTER")
    return DataType::character(type_argument(1, 1, max_length, "Character string length"));
  if (upper == "VARBINARY" || (upper == "BINARY" && accept("VARYING")))
    return DataType::varbinary(type_argument(max_length, 1, max_length, "Variable binary string length"));
  if (upper == "BINARY") return DataType::binary(type_argument(1, 1, max_length, "Binary string length"));
  if (upper == "DATE") return DataType::date();
  if (upper == "TIME") {
    int precision = type_argument(0, 0, 9, "Time precision");
    accept_words({"WITHOUT", "TIME", "ZONE"});
    return DataType::time(precision);
  }
  if (upper == "TIMESTAMP_LTZ")
    return DataType::timestamp_ltz(type_argument(6, 0, 9, "Timestamp with local time zone precision"));
  if (upper == "TIMESTAMP") {
    int precision = type_argument(6, 0, 9, "Timestamp precision");
    if (accept_words({"WITH", "LOCAL", "TIME", "ZONE"})) return DataType::timestamp_ltz(precision);
    accept_words({"WITHOUT", "TIME", "ZONE"});
    return DataType::timestamp(precision);
  }
  if (upper == "INTERVAL") {
    Node interval;
    interval_qualifier(interval);
    return counts_months(interval.from_unit) ? DataType::interval_months() : DataType::interval_millis();
  }
  if (upper == "ARRAY" || upper == "MULTISET") {
    expect_symbol("<");
    DataType element = type();
    expect_symbol(">");
    return upper == "ARRAY" ? DataType::array(element) : DataType::multiset(element);
  }
  if (upper == "MAP") {
    expect_symbol("<");
    DataType key = type();
    expect_symbol(",");
    DataType value = type();
    expect_symbol(">");
    return DataType::map(key, value);
  }
  if (upper == "ROW") return row_type();
  --at_;
  if (is_reserved(upper)) fail_here(true);
  Name type_name = name();
  fail_validation("Unknown identifier '" + type_name.text() + "'", type_name.pos);
}

}  // namespace millrace::processing::sql
