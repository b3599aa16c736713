// JSON functions, against what Flink answers.
#include <random>

#include "processing/functions/json_path.h"
#include "processing/functions/json_tree.h"
#include "tests/processing/expressions.h"

using namespace millrace::processing;
using namespace millrace::processing::testing;

static ExprPtr document() { return s(R"({"a":{"b":[1,2,{"c":"x"}]},"n":null,"t":true,"f":1.50,"s":"str","e":""})"); }
static ExprPtr bad() { return s("{bad json"); }

TEST_CASE("a path without lax is strict") {
  auto value = [](ExprPtr doc, const char* path) { return shown(call("JSON_VALUE", {doc, s(path)})); };
  CHECK(value(document(), "$.a.b[0]") == "1");
  CHECK(value(document(), "$.s") == "str");
  CHECK(value(document(), "$.n") == "<NULL>");
  CHECK(value(document(), "$.t") == "true");
  CHECK(value(document(), "$.f") == "1.50");
  CHECK(value(document(), "$.a") == "<NULL>");
  CHECK(value(document(), "$.missing") == "<NULL>");
  CHECK(value(bad(), "$.a") == "<NULL>");
  CHECK(value(s("\"scalar\""), "$") == "scalar");
  CHECK(value(none(DataType::string()), "$.a") == "<NULL>");
}

TEST_CASE("ON EMPTY applies to lax paths, ON ERROR to strict ones") {
  auto on_empty = [](ExprPtr doc) {
    return shown(call("JSON_VALUE", {doc, s("lax $.zzz"), sym("DEFAULT ON EMPTY"), s("none")}));
  };
  CHECK(on_empty(document()) == "none");
  CHECK(on_empty(bad()) == "none");
  CHECK(shown(call("JSON_VALUE", {bad(), s("strict $.zzz"), sym("DEFAULT ON ERROR"), s("err")})) == "err");
  CHECK(shown(call("JSON_VALUE",
                   {document(), s("lax $.a"), sym("NULL ON EMPTY"), sym("DEFAULT ON ERROR"), s("obj")})) == "<NULL>");
  CHECK(run_failure(call("JSON_VALUE", {document(), s("strict $.zzz"), sym("ERROR ON ERROR")})) ==
        "org.apache.flink.shaded.com.jayway.jsonpath.PathNotFoundException: No results for path: $['zzz']");
}

TEST_CASE("queries give objects and arrays, wrapped if asked") {
  CHECK(shown(call("JSON_QUERY", {document(), s("$.a")})) == R"({"b":[1,2,{"c":"x"}]})");
  CHECK(shown(call("JSON_QUERY", {document(), s("$.s")})) == "<NULL>");
  CHECK(shown(call("JSON_QUERY", {document(), s("$.s"), sym("WITH UNCONDITIONAL WRAPPER")})) == R"(["str"])");
  CHECK(shown(call("JSON_QUERY", {document(), s("$.a.b"), sym("WITH CONDITIONAL WRAPPER")})) == R"([1,2,{"c":"x"}])");
  CHECK(shown(call("JSON_QUERY", {document(), s("$.zzz"), sym("EMPTY ARRAY ON EMPTY")})) == "<NULL>");
  CHECK(shown(call("JSON_QUERY", {document(), s("strict $.zzz"), sym("EMPTY OBJECT ON ERROR")})) == "{}");
  CHECK(shown(call("JSON_QUERY", {document(), s("$.a.b[*].c")})) == R"(["x"])");
  CHECK(shown(call("JSON_QUERY", {document(), s("$..c")})) == R"(["x"])");
  CHECK(shown(call("JSON_QUERY", {document(), s("$.a.b[0:2]")})) == "[1,2]");
  CHECK(shown(call("JSON_EXISTS", {document(), s("$.a.b[2]['c']")})) == "TRUE");
  CHECK(shown(call("JSON_EXISTS", {document(), s("$.a.b[9]")})) == "FALSE");
}

TEST_CASE("constructors order members and keep nested constructors as JSON") {
  CHECK(shown(call("JSON_OBJECT", {chars("id"), i(4), chars("d"), s(R"([10,{"k":"v"}])")})) ==
        R"({"d":"[10,{\"k\":\"v\"}]","id":4})");
  CHECK(shown(call("JSON_OBJECT", {chars("n"), none(DataType::integer()), chars("x"), dec("1.50", 3, 2),
                                   sym("ABSENT ON NULL")})) == R"({"x":1.50})");
  CHECK(shown(call("JSON_ARRAY", {i(1), chars("a"), b(true), none(DataType::integer())})) == R"([1,"a",true])");
  CHECK(shown(call("JSON_ARRAY", {i(1), none(DataType::integer()), sym("NULL ON NULL")})) == "[1,null]");
  CHECK(shown(call("JSON_OBJECT",
                   {chars("nest"), call("JSON_ARRAY", {i(1), call("JSON_OBJECT", {chars("k"), chars("v")})})})) ==
        R"({"nest":[1,{"k":"v"}]})");
  CHECK(shown(call("JSON_STRING", {none(DataType::string())})) == "<NULL>");
  CHECK(shown(call("JSON_QUOTE", {s("a\"b")})) == R"("a\"b")");
  CHECK(shown(call("JSON_UNQUOTE", {s(R"("a\u0041")")})) == "aA");
}

TEST_CASE("NULL is not JSON") {
  CHECK(shown(call("IS JSON", {document()})) == "TRUE");
  CHECK(shown(call("IS JSON OBJECT", {document()})) == "TRUE");
  CHECK(shown(call("IS JSON ARRAY", {s("[10]")})) == "TRUE");
  CHECK(shown(call("IS JSON SCALAR", {s("\"scalar\"")})) == "TRUE");
  CHECK(shown(call("IS JSON", {bad()})) == "FALSE");
  CHECK(shown(call("IS JSON", {none(DataType::string())})) == "FALSE");
  CHECK(shown(call("IS NOT JSON", {none(DataType::string())})) == "TRUE");
}

TEST_CASE("numbers keep their digits as Java's decimals do") {
  auto text = [](std::string_view json) { return to_string(parse_json(json).value()); };
  CHECK(text("1.50") == "1.50");
  CHECK(text("1e5") == "1E+5");
  CHECK(text("-0.0000001") == "-1E-7");
  CHECK(text("123456789012345678901234567890") == "123456789012345678901234567890");
  CHECK(text("1.5E-3") == "0.0015");
  CHECK(text("25e2147483647") == "2.5E+2147483648");
  CHECK(text("2.5E+2147483648") == "2.5E+2147483648");
  CHECK(!parse_json("1e2147483649"));
  CHECK(!parse_json("2.5e99999999999999999999"));
  CHECK(!parse_json("1e-2147483648"));
  CHECK(!parse_json("01"));
  CHECK(!parse_json("1."));
  CHECK(!parse_json("[1,]"));
  CHECK(text("{\"b\":1,\"a\":[],\"b\":2} rest") == R"({"a":[],"b":2})");
}

TEST_CASE("no text makes the readers of JSON and of paths misbehave") {
  std::mt19937_64 random(11);
  const std::string_view alphabet = "{}[]\",:.$*'0123456789-+eE\\ unltrfasx\x01\xc3\xa9";
  for (int round = 0; round < 20000; ++round) {
    std::string text = round % 2 == 0 ? "$" : "";
    for (size_t n = random() % 24; n > 0; --n) text += alphabet[random() % alphabet.size()];
    if (std::optional<Json> json = parse_json(text)) {
      std::string once = to_string(*json);
      CHECK(to_string(parse_json(once).value()) == once);
    }
    JsonPath path(text);
    if (path.is_valid()) path.read(parse_json(R"({"a":[1,{"x":[]}],"e":{"u":0}})").value());
  }
  CHECK(!parse_json(std::string(100000, '[')));
}
