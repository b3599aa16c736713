// Numeric functions, against what Flink answers.
#include <random>

#include "tests/processing/expressions.h"

using namespace millrace::processing;
using namespace millrace::processing::testing;

TEST_CASE("whole numbers wrap around silently") {
  CHECK(shown(call("+", {i(2147483647), i(1)})) == "-2147483648");
  CHECK(shown(call("*", {i(2147483647), i(2)})) == "-2");
  CHECK(shown(call("+", {l(INT64_MAX), i(1)})) == "-9223372036854775808");
  CHECK(shown(call("-", {i(-7)})) == "7");
  CHECK(shown(call("+", {tiny(127), tiny(1)})) == "-128");
  CHECK(shown(call("+", {i(1), none(DataType::integer())})) == "<NULL>");
}

TEST_CASE("operands meet in their common type") {
  CHECK(shown(call("+", {i(7), d(1.5)})) == "8.5");
  CHECK(shown(call("*", {i(7), f(0.1f)})) == "0.7");
  CHECK(shown(call("*", {i(2147483647), f(1e30f)})) == "Infinity");
  CHECK(shown(call("+", {i(2147483647), l(INT64_MAX)})) == "-9223372034707292162");
  CHECK(shown(call("/", {i(7), d(1.5)})) == "4.666666666666667");
  CHECK(shown(call("/", {i(0), d(0.0)})) == "NaN");
  CHECK(shown(call("+", {l(INT64_MAX), dec("99999999.999", 11, 3)})) == "9223372036954775806.999");
  // FLOAT and DOUBLE count as equally wide: the first one decides.
  CHECK(shown(call("+", {f(0.1f), d(1.5)})) == "1.6");
  CHECK(type_of(call("+", {f(0.1f), d(1.5)})) == "FLOAT NOT NULL");
  CHECK(shown(call("+", {f(-0.0f), i(0)})) == "0.0");
}

TEST_CASE("decimal results have the digits Flink gives them") {
  CHECK(type_of(call("+", {dec("1", 10, 2), dec("1", 5, 4)})) == "DECIMAL(13, 4) NOT NULL");
  CHECK(type_of(call("*", {dec("1", 10, 2), dec("1", 5, 4)})) == "DECIMAL(16, 6) NOT NULL");
  CHECK(type_of(call("/", {dec("1", 10, 2), dec("1", 5, 4)})) == "DECIMAL(20, 8) NOT NULL");
  CHECK(type_of(call("MOD", {dec("1", 10, 2), dec("1", 5, 4)})) == "DECIMAL(5, 4) NOT NULL");
  CHECK(type_of(call("*", {dec("1", 38, 10), dec("1", 38, 10)})) == "DECIMAL(38, 6) NOT NULL");
  CHECK(type_of(call("*", {i(1), dec("1", 5, 2)})) == "DECIMAL(16, 2) NOT NULL");
  CHECK(type_of(call("*", {dec("0.908", 4, 3), l(1)})) == "DECIMAL(24, 3) NOT NULL");
  CHECK(shown(call("+", {dec("1.10", 3, 2), dec("2.205", 4, 3)})) == "3.305");
  CHECK(shown(call("*", {dec("1.1", 2, 1), dec("1.1", 2, 1)})) == "1.21");
  CHECK(shown(call("/", {dec("10.0", 3, 1), i(3)})) == "3.333333333333");
  CHECK(shown(call("/", {i(1), dec("3.0", 2, 1)})) == "0.333333");
  CHECK(shown(call("+", {dec("0.1", 2, 1), dec("0.2", 2, 1)})) == "0.3");
  CHECK(shown(call("*", {dec("99999999999999999999999999999999999999", 38, 0), i(10)})) == "<NULL>");
}

TEST_CASE("division by zero fails, but not of doubles") {
  CHECK(run_failure(call("/", {i(7), i(0)})) == "java.lang.ArithmeticException: / by zero");
  CHECK(run_failure(call("/", {l(0), dec("0", 11, 3)})) == "java.lang.ArithmeticException: Division undefined");
  CHECK(run_failure(call("/", {l(1), dec("0", 11, 3)})) == "java.lang.ArithmeticException: Division by zero");
  CHECK(shown(call("/", {d(1), d(0)})) == "Infinity");
  CHECK(shown(call("MOD", {i(-7), i(2)})) == "-1");
}

TEST_CASE("numbers compare across types, and unknown is neither true nor false") {
  CHECK(shown(call(">=", {d(1.5), dec("12.345", 11, 3)})) == "FALSE");
  CHECK(shown(call("BETWEEN", {i(7), i(0), i(10)})) == "TRUE");
  CHECK(shown(call("NOT BETWEEN", {i(-7), i(0), i(10)})) == "TRUE");
  CHECK(shown(call("IN", {i(7), i(7), i(0)})) == "TRUE");
  CHECK(shown(call("NOT IN", {i(-7), i(7), i(0)})) == "TRUE");
  CHECK(shown(call("NOT IN", {i(7), i(7), make_null()})) == "FALSE");
  CHECK(shown(call("IN", {i(-7), i(7), make_null()})) == "<NULL>");
  CHECK(shown(call("=", {make_null(), make_null()})) == "<NULL>");
  CHECK(shown(call("=", {i(7), make_null()})) == "<NULL>");
  CHECK(shown(call("IS DISTINCT FROM", {none(DataType::integer()), i(7)})) == "TRUE");
  CHECK(shown(call("IS NOT DISTINCT FROM", {none(DataType::integer()), make_null()})) == "TRUE");
  CHECK(shown(call("=", {dec("1.50", 5, 2), dec("1.5", 5, 1)})) == "TRUE");
}

TEST_CASE("rounding goes half up in decimal digits") {
  CHECK(shown(call("ROUND", {dec("12.345", 11, 3), i(2)})) == "12.35");
  CHECK(shown(call("ROUND", {dec("-0.005", 11, 3), i(2)})) == "-0.01");
  CHECK(shown(call("ROUND", {dec("99999999.999", 11, 3), i(2)})) == "100000000.00");
  CHECK(shown(call("ROUND", {d(1.5), i(0)})) == "2.0");
  CHECK(shown(call("ROUND", {d(-2.5), i(0)})) == "-3.0");
  CHECK(shown(call("ROUND", {d(1e300), i(0)})) == "1.0E300");
  CHECK(shown(call("ROUND", {i(2147483647), i(-1)})) == "-2147483646");
  CHECK(shown(call("TRUNCATE", {dec("99999999.999", 11, 3), i(1)})) == "99999999.9");
  CHECK(shown(call("TRUNCATE", {dec("-0.005", 11, 3), i(1)})) == "0.0");
  CHECK(shown(call("FLOOR", {dec("-0.005", 11, 3)})) == "-1");
  CHECK(shown(call("CEIL", {dec("12.345", 11, 3)})) == "13");
  CHECK(shown(call("ROUND", {dec("-0.005", 11, 3)})) == "0");
  CHECK(type_of(call("ROUND", {dec("1", 5, 3), i(1)})) == "DECIMAL(4, 1) NOT NULL");
  CHECK(type_of(call("FLOOR", {dec("1.5", 2, 1)})) == "DECIMAL(2, 0) NOT NULL");
}

TEST_CASE("trigonometry") {
  CHECK(shown(call("ROUND", {call("ATAN2", {i(1), i(2)}), i(10)})) == "0.463647609");
  CHECK(shown(call("ROUND", {call("PI"), i(10)})) == "3.1415926536");
  CHECK(shown(call("DEGREES", {call("PI")})) == "180.0");
  CHECK(shown(call("RADIANS", {i(180)})) == "3.141592653589793");
  CHECK(shown(call("ROUND", {call("TANH", {i(1)}), i(10)})) == "0.761594156");
  CHECK(type_of(call("POWER", {i(2), i(2)})) == "DOUBLE NOT NULL");
}

TEST_CASE("narrowing casts wrap, doubles saturate") {
  CHECK(shown(cast(l(10000000000), DataType::integer())) == "1410065408");
  CHECK(shown(cast(i(2147483647), DataType::smallint())) == "-1");
  CHECK(shown(cast(d(1e300), DataType::bigint())) == "9223372036854775807");
  CHECK(shown(cast(d(1e300), DataType::integer())) == "2147483647");
  CHECK(shown(cast(d(-2.5), DataType::integer())) == "-2");
  CHECK(shown(cast(i(-7), DataType::boolean())) == "TRUE");
  CHECK(shown(cast(call(">", {i(2), i(1)}), DataType::integer())) == "1");
  CHECK(shown(cast(dec("123.45", 5, 2), DataType::decimal(4, 2))) == "<NULL>");
  CHECK(shown(cast(dec("1.45", 3, 2), DataType::decimal(4, 1))) == "1.5");
}

TEST_CASE("floating point prints as in Java") {
  CHECK(shown(cast(f(0.1f), DataType::string())) == "0.1");
  CHECK(shown(cast(f(0.1f), DataType::double_())) == "0.10000000149011612");
  CHECK(shown(cast(f(1e30f), DataType::double_())) == "1.0000000150474662E30");
  CHECK(shown(cast(d(1e300), DataType::float_())) == "Infinity");
  CHECK(shown(cast(d(1e7), DataType::string())) == "1.0E7");
  CHECK(shown(cast(d(0.001), DataType::string())) == "0.001");
  CHECK(shown(cast(d(0.0001), DataType::string())) == "1.0E-4");
  CHECK(shown(d(-0.0)) == "-0.0");
  CHECK(shown(d(123456.789)) == "123456.789");
}

TEST_CASE("text that is no number fails the cast, and gives NULL to TRY_CAST") {
  CHECK(run_failure(cast(s("Hello World"), DataType::integer())) ==
        "java.lang.NumberFormatException: For input string: 'Hello World'. Invalid character found.");
  CHECK(run_failure(cast(s(""), DataType::integer())) ==
        "java.lang.NumberFormatException: For input string: ''. Input is empty.");
  CHECK(run_failure(cast(s("128"), DataType::tinyint())) ==
        "java.lang.NumberFormatException: For input string: '128'. Overflow.");
  CHECK(shown(try_cast(s("Hello"), DataType::integer())) == "<NULL>");
  CHECK(shown(cast(s("12.9"), DataType::integer())) == "12");
  CHECK(shown(cast(s("-9223372036854775808"), DataType::bigint())) == "-9223372036854775808");
  CHECK(shown(cast(s(" 1.5e3 "), DataType::double_())) == "1500.0");
  CHECK(shown(cast(s("yes"), DataType::boolean())) == "TRUE");
  CHECK(shown(cast(s("1.005"), DataType::decimal(5, 2))) == "1.01");
}

TEST_CASE("arithmetic on text and impossible casts are refused with the planner's words") {
  CHECK(failure([] { call("*", {s("a"), i(2)}); }) ==
        "org.apache.calcite.sql.validate.SqlValidatorException: Cannot apply '*' to arguments of type "
        "'<VARCHAR(2147483647)> * <INTEGER>'. Supported form(s): '<NUMERIC> * <NUMERIC>'");
  CHECK(failure([] { cast(b(true), DataType::date()); }) ==
        "org.apache.calcite.sql.validate.SqlValidatorException: Cast function cannot convert value of type BOOLEAN to "
        "type DATE");
  CHECK(failure([] { call("BETWEEN", {i(1), date("2024-01-01"), i(5)}); }) ==
        "org.apache.calcite.sql.validate.SqlValidatorException: Cannot apply 'BETWEEN ASYMMETRIC' to arguments of type "
        "'<INTEGER> BETWEEN ASYMMETRIC <DATE> AND <INTEGER>'. Supported form(s): '<COMPARABLE_TYPE> BETWEEN "
        "<COMPARABLE_TYPE> AND <COMPARABLE_TYPE>'");
  CHECK(failure([] { call("FOO", {i(1)}); }) ==
        "org.apache.calcite.sql.validate.SqlValidatorException: No match found for function signature FOO(<NUMERIC>)");
  CHECK(
      failure([] { call("CASE", {b(true), date("2024-01-01"), i(5)}); }) ==
      "org.apache.flink.table.planner.codegen.CodeGenException: Only legacy cast behaviour supports cast from 'INT NOT "
      "NULL' to 'DATE NOT NULL'.");
  CHECK(failure([] { call("<", {date("2024-01-01"), ts("2024-01-01 00:00:00", 0)}); }) ==
        "org.apache.calcite.sql.validate.SqlValidatorException: Cannot apply '<' to arguments of type '<DATE> < "
        "<TIMESTAMP(0)>'. Supported form(s): '<COMPARABLE_TYPE> < <COMPARABLE_TYPE>'");
}

TEST_CASE("greatest and least are NULL when an argument is") {
  CHECK(shown(call("GREATEST", {i(-7), i(2), i(0)})) == "2");
  CHECK(shown(call("LEAST", {i(7), i(2)})) == "2");
  CHECK(shown(call("GREATEST", {d(-2.5), d(1.0)})) == "1.0");
  CHECK(shown(call("LEAST", {none(DataType::integer()), i(5)})) == "<NULL>");
}

TEST_CASE("decimal arithmetic agrees with 128-bit whole numbers") {
  std::mt19937_64 random(42);
  for (int round = 0; round < 2000; ++round) {
    int64_t x = static_cast<int64_t>(random()) >> (random() % 40),
            y = static_cast<int64_t>(random()) >> (random() % 40);
    CHECK(decimal_add(x, 0, y, 0, 38, 0).value() == Int128{x} + y);
    CHECK(decimal_multiply(x, 0, y, 0, 38, 0).value_or(0) == (fits(Int128{x} * y, 38) ? Int128{x} * y : 0));
    if (y != 0) {
      Int128 remainder = decimal_remainder(x, 0, y, 0, 38, 0).value();
      CHECK(remainder == Int128{x} % y);
      // Half up, away from zero.
      Int128 twice = decimal_divide(x, 0, y, 0, 38, 0).value() * 2 * y - Int128{x} * 2;
      Int128 size = twice < 0 ? -twice : twice, limit = Int128{y} < 0 ? -Int128{y} : Int128{y};
      CHECK(size <= limit);
    }
    CHECK(parse_decimal(decimal_text(x, 7), 38, 7).value() == x);
    CHECK(decimal_compare(x, 3, y, 3) == (x < y ? -1 : x > y ? 1 : 0));
    CHECK(decimal_compare(x, 0, Int128{x} * 100000, 5) == 0);
  }
}

TEST_CASE("products of more than 128 bits round correctly") {
  Int128 big = parse_decimal("1234567890123456789012345678.9012345678", 38, 10).value();
  CHECK(decimal_text(decimal_multiply(big, 10, 20000000000, 10, 38, 6).value(), 6) ==
        "2469135780246913578024691357.802469");
  CHECK(decimal_text(decimal_divide(big, 10, 30000000000, 10, 38, 6).value(), 6) ==
        "411522630041152263004115226.300412");
}

TEST_CASE("the scientific text of a decimal drops trailing zeros") {
  CHECK(decimal_scientific_text(1500, 3) == "1.5");
  CHECK(decimal_scientific_text(parse_decimal("100000000000000000000", 38, 0).value(), 0) == "1E+20");
  CHECK(decimal_scientific_text(-1, 8) == "-1E-8");
  CHECK(decimal_scientific_text(0, 2) == "0");
}
