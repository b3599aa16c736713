// Arrays, maps, rows, three-valued logic and conditions, against what Flink answers; binary values; constant folding.
#include "tests/processing/expressions.h"

using namespace millrace::processing;
using namespace millrace::processing::testing;

static ExprPtr array_of(std::vector<Value> items) {
  return make_literal(Value::nested(std::move(items)), DataType::array(DataType::integer()));
}
static Value n(int64_t v) { return Value::integer(v); }
static ExprPtr map_kz() {
  DataType type = DataType::map(DataType::string(), DataType::integer());
  return make_literal(make_map({Value::text("k"), n(1), Value::text("z"), n(2)}, type), type);
}

TEST_CASE("array functions") {
  ExprPtr arr = array_of({n(10), n(20), n(30)}), empty = array_of({}), holes = array_of({Value(), n(5)});
  ExprPtr null = none(DataType::array(DataType::integer()));
  CHECK(shown(call("ARRAY_CONTAINS", {arr, i(20)})) == "TRUE");
  CHECK(shown(call("ARRAY_CONTAINS", {null, i(20)})) == "<NULL>");
  CHECK(shown(call("ARRAY_DISTINCT", {call("ARRAY", {i(1), i(1), i(2)})})) == "[1, 2]");
  CHECK(shown(call("ARRAY_POSITION", {holes, i(5)})) == "2");
  CHECK(shown(call("ARRAY_REVERSE", {holes})) == "[5, NULL]");
  CHECK(shown(call("ARRAY_SLICE", {arr, i(2), i(3)})) == "[20, 30]");
  CHECK(shown(call("ARRAY_SLICE", {empty, i(2), i(3)})) == "[]");
  CHECK(shown(call("ARRAY_SLICE", {holes, i(2), i(3)})) == "[5]");
  CHECK(shown(call("ARRAY_CONCAT", {holes, call("ARRAY", {i(1)})})) == "[NULL, 5, 1]");
  CHECK(shown(call("ARRAY_MAX", {arr})) == "30");
  CHECK(shown(call("ARRAY_MIN", {empty})) == "<NULL>");
  CHECK(shown(call("ARRAY_SORT", {holes})) == "[NULL, 5]");
  CHECK(shown(call("ARRAY_SORT", {arr, b(false)})) == "[30, 20, 10]");
  CHECK(shown(call("CARDINALITY", {arr})) == "3");
  CHECK(shown(call("ITEM", {arr, i(3)})) == "30");
  CHECK(shown(call("ITEM", {arr, i(4)})) == "<NULL>");
}

TEST_CASE("maps iterate as a Java hash map of their keys") {
  CHECK(shown(map_kz()) == "{z=2, k=1}");
  CHECK(shown(call("MAP_KEYS", {map_kz()})) == "[z, k]");
  CHECK(shown(call("MAP_VALUES", {map_kz()})) == "[2, 1]");
  CHECK(shown(call("MAP_ENTRIES", {map_kz()})) == "[(z, 2), (k, 1)]");
  CHECK(shown(call("MAP_UNION", {map_kz(), call("MAP", {chars("q"), i(1)})})) == "{q=1, z=2, k=1}");
  CHECK(shown(call("MAP_FROM_ARRAYS", {call("ARRAY", {chars("a"), chars("b")}), call("ARRAY", {i(1), i(2)})})) ==
        "{a=1, b=2}");
  CHECK(shown(call("ITEM", {map_kz(), chars("k")})) == "1");
  CHECK(shown(call("ITEM", {map_kz(), chars("none")})) == "<NULL>");
}

TEST_CASE("a field of a null row is null") {
  DataType inner = DataType::row({{"y", DataType::string()}});
  DataType row = DataType::row({{"x", DataType::integer()}, {"in", inner}});
  ExprPtr full = make_literal(Value::nested({n(1), Value::nested({Value::text("deep")})}), row);
  CHECK(shown(full) == "(1, (deep))");
  CHECK(shown(make_field(full, 0)) == "1");
  CHECK(shown(make_field(make_field(full, 1), 0)) == "deep");
  CHECK(shown(make_field(make_field(none(row), 1), 0)) == "<NULL>");
  CHECK(shown(make_literal(Value::nested({Value(), Value()}), row)) == "(NULL, NULL)");
  CHECK(to_string(row) == "ROW<`x` INT, `in` ROW<`y` STRING>>");
}

TEST_CASE("logic has three values, and stops as soon as it can") {
  auto unknown = [] { return none(DataType::boolean()); };
  CHECK(shown(call("AND", {b(true), b(false)})) == "FALSE");
  CHECK(shown(call("AND", {unknown(), b(false)})) == "FALSE");
  CHECK(shown(call("AND", {unknown(), b(true)})) == "<NULL>");
  CHECK(shown(call("OR", {unknown(), b(true)})) == "TRUE");
  CHECK(shown(call("OR", {unknown(), b(false)})) == "<NULL>");
  CHECK(shown(call("NOT", {unknown()})) == "<NULL>");
  CHECK(shown(call("IS TRUE", {unknown()})) == "FALSE");
  CHECK(shown(call("IS NOT TRUE", {unknown()})) == "TRUE");
  // 1 / 0 is never computed.
  ExprPtr failing = call("=", {call("/", {i(1), i(0)}), i(1)});
  CHECK(shown(call("AND", {b(false), failing})) == "FALSE");
  CHECK(shown(call("OR", {b(true), failing})) == "TRUE");
  CHECK(shown(call("CASE", {b(true), i(1), call("/", {i(1), i(0)})})) == "1");
}

TEST_CASE("CASE, COALESCE and IF take the common type") {
  CHECK(shown(call("CASE", {call(">", {i(7), i(100)}), i(7), dec("1.5", 2, 1)})) == "1.5");
  CHECK(shown(call("CASE", {call(">", {i(101), i(100)}), i(2147483647), dec("1.5", 2, 1)})) == "2147483647.0");
  CHECK(shown(call("CASE", {b(false), i(1), make_null()})) == "<NULL>");
  CHECK(shown(call("COALESCE", {none(DataType::integer()), none(DataType::bigint()), i(5)})) == "5");
  CHECK(shown(call("COALESCE", {d(1.5), dec("12.345", 11, 3)})) == "1.5");
  CHECK(shown(call("IFNULL", {none(DataType::integer()), i(-1)})) == "-1");
  CHECK(shown(call("NULLIF", {i(7), i(7)})) == "<NULL>");
  CHECK(shown(call("NULLIF", {i(1), i(2)})) == "1");
  CHECK(shown(call("IF", {b(true), chars("pos"), chars("not")})) == "pos");
  CHECK(type_of(call("CASE", {b(true), chars("big"), chars("other")})) == "VARCHAR(5) NOT NULL");
  CHECK(failure([] { call("CASE", {b(true), make_null(), make_null()}); }).find("must be non-NULL") !=
        std::string::npos);
}

TEST_CASE("a filter keeps the rows that are true, in order, within the selection") {
  std::vector<Value> values;
  for (int v = 0; v < 10; ++v) values.push_back(v == 4 ? Value() : n(v));
  Batch batch;
  batch.rows = 10;
  batch.columns.push_back(Column::from_values(DataType::integer(), values));
  batch.selection = std::vector<uint32_t>{1, 2, 3, 4, 5, 6, 9};
  EvalContext c = context();
  ExprPtr column = make_column(0, DataType::integer());
  ExprPtr predicate = call("AND", {call(">", {column, i(1)}), call("<>", {column, i(5)})});
  CHECK(filter(*predicate, batch, c) == std::vector<uint32_t>{2, 3, 6, 9});
  Batch kept = batch.take(std::vector<uint32_t>{9, 4});
  CHECK(kept.row(0) == Row{n(9)});
  CHECK(kept.row(1)[0].is_null());
}

TEST_CASE("values survive their binary form") {
  Row row = {Value(),
             Value::boolean(true),
             n(-5),
             Value::float_(1.5f),
             Value::double_(-0.0),
             Value::decimal(-12345),
             Value::text("grüße"),
             Value::timestamp({-1, 999999}),
             Value::nested({n(1), Value(), Value::text("")})};
  std::string out;
  append_row(out, row);
  std::string_view in = out;
  CHECK(read_row(in) == row);
  CHECK(in.empty());
  for (size_t cut = 0; cut < out.size(); ++cut) {
    std::string_view part = std::string_view(out).substr(0, cut);
    CHECK_THROWS(read_row(part));
  }
}

TEST_CASE("constants fold, but not what fails or is random") {
  EvalContext c = context();
  CHECK(fold_constants(call("+", {i(1), i(2)}), c)->literal == n(3));
  CHECK(fold_constants(call("/", {i(1), i(0)}), c)->kind == Expr::Kind::call);
  CHECK(fold_constants(call("UUID"), c)->kind == Expr::Kind::call);
  ExprPtr sum = call("+", {make_column(2, DataType::integer()), call("ABS", {i(-3)})});
  CHECK(columns_of(sum) == std::vector<int>{2});
  CHECK(fold_constants(sum, c)->args[1]->literal == n(3));
}
