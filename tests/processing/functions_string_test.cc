// Functions on text, against what Flink answers.
#include "tests/processing/expressions.h"

using namespace millrace::processing;
using namespace millrace::processing::testing;

static const std::string greeting = "Grüße 日本 😀";

TEST_CASE("case and length count characters") {
  CHECK(shown(call("UPPER", {s(greeting)})) == "GRÜSSE 日本 😀");
  CHECK(shown(call("LOWER", {s("HELLO")})) == "hello");
  CHECK(shown(call("INITCAP", {s(greeting)})) == "GrüßE 日本 😀");
  CHECK(shown(call("CHAR_LENGTH", {s(greeting)})) == "10");
  CHECK(shown(call("REVERSE", {s(greeting)})) == "😀 本日 eßürG");
  CHECK(type_of(call("UPPER", {chars("a")})) == "CHAR(1) NOT NULL");
}

TEST_CASE("substrings") {
  CHECK(shown(call("SUBSTRING", {s(greeting), i(7), i(2)})) == "日本");
  CHECK(shown(call("SUBSTRING", {s("Hello World"), i(-5)})) == "World");
  CHECK(shown(call("SUBSTRING", {s("abc"), i(0), i(2)})) == "ab");
  CHECK(shown(call("SUBSTRING", {s("abc"), i(9)})) == "");
  CHECK(shown(call("SUBSTRING", {s("abc"), i(1), i(-1)})) == "<NULL>");
  CHECK(type_of(call("SUBSTRING", {chars("abc"), i(1)})) == "VARCHAR(3)");
  CHECK(shown(call("LEFT", {s(greeting), i(3)})) == "Grü");
  CHECK(shown(call("RIGHT", {s(greeting), i(2)})) == " 😀");
}

TEST_CASE("casts to CHAR pad and cut, to VARCHAR cut") {
  CHECK(shown(call("||", {cast(s("Hello"), DataType::character(3)), s("|")})) == "Hel|");
  CHECK(shown(call("||", {cast(s("ab"), DataType::character(5)), s("|")})) == "ab   |");
  CHECK(shown(cast(s(greeting), DataType::varchar(4))) == "Grüß");
  CHECK(shown(cast(s("hi"), DataType::bytes())) == "x'6869'");
  CHECK(shown(cast(bytes("hi"), DataType::string())) == "hi");
}

TEST_CASE("padding with nothing or to a negative length gives NULL") {
  CHECK(shown(call("LPAD", {s("  pad  "), i(8), s("*")})) == "*  pad  ");
  CHECK(shown(call("RPAD", {s("abcabc"), i(8), s("xy")})) == "abcabcxy");
  CHECK(shown(call("RPAD", {s(""), i(8), s("xy")})) == "xyxyxyxy");
  CHECK(shown(call("LPAD", {s(greeting), i(8), s("*")})) == "Grüße 日本");
  CHECK(shown(call("LPAD", {s("abc"), i(5), s("")})) == "<NULL>");
  CHECK(shown(call("LPAD", {s("abc"), i(-1), s("x")})) == "<NULL>");
  CHECK(shown(call("RPAD", {s("abc"), i(0), s("x")})) == "");
  CHECK(shown(call("REPEAT", {s("ab"), i(2)})) == "abab");
}

TEST_CASE("replacing nothing puts the text between all UTF-16 units") {
  CHECK(shown(call("REPLACE", {s("Hello World"), s("l"), s("L")})) == "HeLLo WorLd");
  CHECK(shown(call("REPLACE", {s(greeting), s(""), s("-")})) == "-G-r-ü-ß-e- -日-本- -?-?-");
  CHECK(shown(call("OVERLAY", {s("abcabc"), s("XX"), i(2), i(3)})) == "aXXbc");
  CHECK(shown(call("OVERLAY", {s("abc"), s("XX"), i(2), l(9223372036854775807)})) == "aXX");
  CHECK(shown(call("OVERLAY", {s("  pad  "), s("XX"), i(3)})) == "  XXd  ");
  CHECK(shown(call("TRANSLATE", {s("abcabc"), s("abc"), s("12")})) == "1212");
}

TEST_CASE("trimming takes characters of a set") {
  CHECK(shown(call("TRIM", {s("  pad  ")})) == "pad");
  CHECK(shown(call("TRIM", {sym("LEADING"), s(" "), s("  pad  ")})) == "pad  ");
  CHECK(shown(call("TRIM", {sym("TRAILING"), s(" "), s("  pad  ")})) == "  pad");
  CHECK(shown(call("TRIM", {sym("BOTH"), s("a"), s("abcabca")})) == "bcabc");
  CHECK(shown(call("BTRIM", {s("Hello World"), s("ad ")})) == "Hello Worl");
  CHECK(shown(call("LTRIM", {s("  x ")})) == "x ");
  CHECK(shown(call("RTRIM", {s(" x  ")})) == " x");
}

TEST_CASE("positions count from one") {
  CHECK(shown(call("POSITION", {s("a"), s("  pad  ")})) == "4");
  CHECK(shown(call("POSITION", {s(""), s("")})) == "1");
  CHECK(shown(call("INSTR", {s("foo_bar%baz"), s("b"), i(1), i(1)})) == "5");
  CHECK(shown(call("INSTR", {s("abcabc"), s("b")})) == "2");
  CHECK(shown(call("LOCATE", {s("c"), s("abcabc"), i(4)})) == "6");
  CHECK(shown(call("STARTSWITH", {s("Hello"), s("He")})) == "TRUE");
  CHECK(shown(call("ENDSWITH", {s("abcabc"), s("c")})) == "TRUE");
  CHECK(shown(call("=", {s("abcabc"), s("abcabc ")})) == "FALSE");
}

TEST_CASE("regular expressions replace literally, and a bad pattern gives NULL") {
  CHECK(shown(call("REGEXP_EXTRACT", {s("Hello World"), s("([A-Z])(\\w+)"), i(2)})) == "ello");
  CHECK(shown(call("REGEXP_EXTRACT", {s(greeting), s("([A-Z])(\\w+)"), i(2)})) == "r");
  CHECK(shown(call("REGEXP_EXTRACT", {s("k1=v1"), s("k(\\d)=v(\\d)"), i(1)})) == "1");
  CHECK(shown(call("REGEXP_EXTRACT", {s("abc"), s("zzz")})) == "<NULL>");
  CHECK(shown(call("REGEXP_REPLACE", {s("Hello World"), s("[aeiou]"), s("_")})) == "H_ll_ W_rld");
  CHECK(shown(call("REGEXP_REPLACE", {s("  pad  "), s("(\\w)(\\w)"), s("$2$1")})) == "  $2$1d  ");
  CHECK(shown(call("REGEXP", {s("abcabc"), s("^[a-c]+$")})) == "TRUE");
  CHECK(shown(call("REGEXP_EXTRACT", {s("abc"), s("("), i(1)})) == "<NULL>");
  CHECK(shown(call("REGEXP_REPLACE", {s("abc"), s("("), s("x")})) == "<NULL>");
}

TEST_CASE("LIKE") {
  CHECK(shown(call("LIKE", {s("foo_bar%baz"), s("foo!_%"), s("!")})) == "TRUE");
  CHECK(shown(call("LIKE", {s("fooxbar"), s("foo!_%"), s("!")})) == "FALSE");
  CHECK(shown(call("LIKE", {s("日本語"), s("_本_")})) == "TRUE");
  CHECK(shown(call("LIKE", {s("abcabc"), s("%bc")})) == "TRUE");
  CHECK(shown(call("LIKE", {s("abcabc"), s("a%b%c")})) == "TRUE");
  CHECK(shown(call("LIKE", {s("abcabd"), s("a%b_c%")})) == "FALSE");
  CHECK(shown(call("LIKE", {s(""), s("%")})) == "TRUE");
  CHECK(shown(call("NOT LIKE", {s("abc"), s("b%")})) == "TRUE");
  CHECK(shown(call("SIMILAR TO", {s("abcabc"), s("(abc)+")})) == "TRUE");
  CHECK(failure([] { call("LIKE", {s("x"), s("a!b"), s("!")}); }) ==
        "org.apache.flink.table.api.ValidationException: Invalid escape sequence 'a!b', 1");
}

TEST_CASE("URLs") {
  CHECK(shown(call("PARSE_URL", {s("http://u@h.com:80/p/a?x=1&y=2#f"), s("HOST")})) == "h.com");
  CHECK(shown(call("PARSE_URL", {s("http://u@h.com:80/p/a?x=1&y=2#f"), s("AUTHORITY")})) == "u@h.com:80");
  CHECK(shown(call("PARSE_URL", {s("http://h.com/p?x=1"), s("QUERY"), s("x")})) == "1");
  CHECK(shown(call("PARSE_URL", {s("Hello World"), s("HOST")})) == "<NULL>");
  CHECK(shown(call("URL_ENCODE", {s(greeting)})) == "Gr%C3%BC%C3%9Fe+%E6%97%A5%E6%9C%AC+%F0%9F%98%80");
  CHECK(shown(call("URL_DECODE", {s("a%20b+c")})) == "a b c");
}

TEST_CASE("splitting keeps empty parts") {
  CHECK(shown(call("SPLIT_INDEX", {s("a,b,,c"), s(","), i(1)})) == "b");
  CHECK(shown(call("SPLIT_INDEX", {s("a,b,,c"), s(","), i(2)})) == "");
  CHECK(shown(call("SPLIT_INDEX", {s("a,b,,c"), s(","), i(4)})) == "<NULL>");
  CHECK(shown(call("SPLIT_INDEX", {s(""), s(","), i(0)})) == "<NULL>");
  CHECK(shown(call("STR_TO_MAP", {s("k1=v1,k2=v2")})) == "{k1=v1, k2=v2}");
  CHECK(shown(call("CONCAT_WS", {s("-"), s("a"), none(DataType::string()), s("b")})) == "a-b");
}

TEST_CASE("digests and encodings") {
  CHECK(shown(call("MD5", {s("hello")})) == "5d41402abc4b2a76b9719d911017c592");
  CHECK(shown(call("SHA2", {s("hello"), i(256)})) ==
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  CHECK(shown(call("TO_BASE64", {s("hello")})) == "aGVsbG8=");
  CHECK(shown(call("FROM_BASE64", {s("aGVsbG8=")})) == "hello");
  CHECK(shown(call("HEX", {s("hi")})) == "6869");
  CHECK(shown(call("BIN", {i(10)})) == "1010");
}
