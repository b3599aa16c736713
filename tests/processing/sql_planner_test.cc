// Plans of statements, and the errors of those that cannot be planned.
#include <doctest/doctest.h>

#include <string>

#include "processing/functions/table.h"
#include "processing/sql/lexer.h"
#include "processing/sql/session.h"

namespace millrace::processing::sql {
namespace {

constexpr const char* kBids = R"(CREATE TABLE bid (item STRING, price INT, extra STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'bid', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'json'))";

struct World {
  Session session;

  World() { session.execute(kBids); }
  void table(const std::string& name, const std::string& columns, const std::string& options = "") {
    session.execute("CREATE TABLE " + name + " (" + columns + ") WITH ('connector' = 'kafka', 'topic' = '" + name +
                    "', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'json'" + options + ")");
  }
  plan::NodePtr plan(const std::string& query) { return session.execute(query).job.sinks.at(0)->inputs.at(0); }
  std::string refusal(const std::string& statement) {
    try {
      session.execute(statement);
    } catch (const SqlError& error) {
      return error.message + (error.pos.known() ? " @ " + error.pos.text() : "");
    }
    return "accepted";
  }
};

const plan::Node* find(const plan::NodePtr& node, plan::Kind kind) {
  if (node->kind == kind) return node.get();
  for (const plan::NodePtr& input : node->inputs)
    if (const plan::Node* found = find(input, kind)) return found;
  return nullptr;
}

constexpr const char* kTumble = "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))";

}  // namespace

TEST_CASE("grouping by both borders of a window is a window aggregate that is final") {
  World world;
  plan::NodePtr root = world.plan(std::string("SELECT item, window_start, COUNT(*) AS n FROM ") + kTumble +
                                  " GROUP BY item, window_start, window_end");
  const plan::Node* node = find(root, plan::Kind::window_aggregate);
  REQUIRE(node != nullptr);
  const auto& aggregate = static_cast<const plan::WindowAggregate&>(*node);
  CHECK(aggregate.window.size == 10000);
  CHECK(aggregate.keys.size() == 1);
  CHECK(find(root, plan::Kind::window_tvf) == nullptr);
  CHECK(root->changelog == plan::Changelog::insert_only);
}

TEST_CASE("grouping by one border only goes on for ever") {
  World world;
  plan::NodePtr root =
      world.plan(std::string("SELECT window_start, COUNT(*) FROM ") + kTumble + " GROUP BY window_start");
  CHECK(find(root, plan::Kind::group_aggregate) != nullptr);
  CHECK(find(root, plan::Kind::window_tvf) != nullptr);
  CHECK(root->changelog == plan::Changelog::retract);
}

TEST_CASE("the time of a window is the time of a window above it") {
  World world;
  world.session.execute(std::string("CREATE VIEW small AS SELECT window_time AS rt, COUNT(*) AS n FROM ") + kTumble +
                        " GROUP BY window_start, window_end, window_time");
  plan::NodePtr root = world.plan(
      "SELECT window_end, SUM(n) FROM TABLE(TUMBLE(TABLE small, DESCRIPTOR(rt), INTERVAL '30' SECOND)) GROUP BY "
      "window_start, "
      "window_end");
  CHECK(static_cast<const plan::WindowAggregate*>(find(root, plan::Kind::window_aggregate))->window.size == 30000);
}

TEST_CASE("sessions of one key grouped by another are no window aggregate") {
  World world;
  plan::NodePtr root = world.plan(
      "SELECT item, COUNT(*) FROM TABLE(SESSION(TABLE bid, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY item, "
      "window_start, "
      "window_end");
  CHECK(find(root, plan::Kind::group_aggregate) != nullptr);
}

TEST_CASE("a format reads only the columns that are used, and those the watermark needs") {
  World world;
  plan::NodePtr root = world.plan("SELECT item FROM bid WHERE price > 1");
  const auto& scan = static_cast<const plan::Scan&>(*find(root, plan::Kind::scan));
  CHECK(scan.needed == std::vector<bool>{true, true, false, true});
}

TEST_CASE("ROW_NUMBER with a bound is a ranking, a deduplication, or a ranking in windows") {
  World world;
  auto ranked = [&](const std::string& order, const std::string& bound) {
    return world.plan("SELECT item, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY item ORDER BY " + order +
                      ") AS rn FROM bid) WHERE " + bound);
  };
  plan::NodePtr dearest = ranked("price DESC", "rn <= 3");
  const auto* rank = static_cast<const plan::Rank*>(find(dearest, plan::Kind::rank));
  REQUIRE(rank != nullptr);
  CHECK(rank->last == 3);
  CHECK_FALSE(rank->emit_rank);
  plan::NodePtr first = ranked("ts", "rn = 1");
  CHECK(find(first, plan::Kind::deduplicate) != nullptr);
  CHECK(first->changelog == plan::Changelog::insert_only);
  CHECK(ranked("ts DESC", "rn = 1")->changelog == plan::Changelog::retract);
  plan::NodePtr windowed = world.plan(
      std::string(
          "SELECT item FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price) AS rn "
          "FROM ") +
      kTumble + ") WHERE rn <= 2");
  CHECK(find(windowed, plan::Kind::window_rank) != nullptr);
  CHECK(windowed->changelog == plan::Changelog::insert_only);
  // A bound beyond all numbers is a condition like any other.
  plan::NodePtr beyond = ranked("price DESC", "rn <= 3 AND rn > 9223372036854775807");
  CHECK(static_cast<const plan::Rank*>(find(beyond, plan::Kind::rank))->first == 1);
}

TEST_CASE("the conditions of a join choose its operator") {
  World world;
  world.table("other", "item STRING, price INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts");
  CHECK(find(world.plan("SELECT * FROM bid JOIN other ON bid.item = other.item"), plan::Kind::join) != nullptr);
  plan::NodePtr root = world.plan(
      "SELECT bid.price FROM bid, other WHERE bid.item = other.item AND other.ts > bid.ts AND other.ts <= bid.ts + "
      "INTERVAL '4' "
      "SECOND");
  const auto* interval = static_cast<const plan::IntervalJoin*>(find(root, plan::Kind::interval_join));
  REQUIRE(interval != nullptr);
  CHECK(interval->lower == 1);
  CHECK(interval->upper == 4000);
  std::string window = "(SELECT * FROM TABLE(TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '10' SECOND)))";
  auto side = [&](const std::string& name) { return std::string(window).replace(window.find("{}"), 2, name); };
  root = world.plan("SELECT l.item FROM " + side("bid") + " l JOIN " + side("other") +
                    " r ON l.item = r.item AND l.window_start = r.window_start AND l.window_end = r.window_end");
  CHECK(find(root, plan::Kind::window_join) != nullptr);
}

TEST_CASE("names that do not exist are refused where they stand") {
  World world;
  CHECK(world.refusal("SELECT prise FROM bid") ==
        "Column 'prise' not found in any table @ From line 1, column 8 to line 1, column 12");
  CHECK(world.refusal("SELECT ITEM FROM bid") ==
        "Column 'ITEM' not found in any table; did you mean 'item'? @ From line 1, column 8 to line 1, column 11");
  CHECK(world.refusal("SELECT t.item FROM bid") == "Table 't' not found @ line 1, column 8");
  CHECK(world.refusal("SELECT 1 FROM nowhere") ==
        "Object 'nowhere' not found @ From line 1, column 15 to line 1, column 21");
  CHECK(world.refusal("SELECT item, COUNT(*) FROM bid GROUP BY price") ==
        "Expression 'item' is not being grouped @ From line 1, column 8 to line 1, column 11");
}

TEST_CASE("what is no condition does not filter") {
  World world;
  world.table("lists", "id INT, l ARRAY<INT>");
  const std::string refused = "WHERE clause must be a condition";
  CHECK(world.refusal("SELECT item FROM bid WHERE price").starts_with(refused));
  CHECK(world.refusal("SELECT item FROM bid WHERE price NOT IN (SELECT price FROM bid WHERE price)")
            .starts_with(refused));
  CHECK(world.refusal("SELECT id FROM lists LEFT JOIN UNNEST(l) AS t (e) ON 1")
            .starts_with("ON clause must be a condition"));
  plan::NodePtr root = world.plan("SELECT item FROM bid WHERE NULL");
  const auto* calc = static_cast<const plan::Calc*>(find(root, plan::Kind::calc));
  REQUIRE(calc != nullptr);
  CHECK(calc->condition->type.is(TypeRoot::boolean));
}

TEST_CASE("a type has no more digits, characters or fractions than there can be") {
  World world;
  const auto refusal = [&](const std::string& type) {
    return world.refusal("SELECT CAST(price AS " + type + ") FROM bid");
  };
  CHECK(refusal("DECIMAL(38, 38)") == "accepted");
  CHECK(refusal("DECIMAL(39, 0)") == "Decimal precision must be between 1 and 38 (both inclusive).");
  CHECK(refusal("DECIMAL(4294967297, 0)") == "Decimal precision must be between 1 and 38 (both inclusive).");
  CHECK(refusal("DECIMAL(3, 4)") == "Decimal scale must be between 0 and the precision 3 (both inclusive).");
  CHECK(refusal("TIMESTAMP(10)") == "Timestamp precision must be between 0 and 9 (both inclusive).");
  CHECK(refusal("CHAR(0)") == "Character string length must be between 1 and 2147483647 (both inclusive).");
  CHECK(refusal("VARCHAR(2147483648)") ==
        "Variable character string length must be between 1 and 2147483647 (both inclusive).");
}

TEST_CASE("an operator's name called as a function takes as many arguments as the operator") {
  World world;
  for (const char* call : {"BETWEEN()", "IN()", "BETWEEN(price)", "IN(price)", "DOT()"})
    CHECK(world.refusal(std::string("SELECT ") + call + " FROM bid") != "accepted");
  for (const char* name : {"MINUS_DATE", "ITEM", "DOT", "EXTRACT", "POSITION", "SUBSTRING"})
    CHECK(world.refusal(std::string("SELECT SUM(price) OVER (PARTITION BY ") + name + "(item) ORDER BY ts) FROM bid") !=
          "accepted");
}

TEST_CASE("an interval of more milliseconds than there can be is refused") {
  World world;
  CHECK(world.refusal("SELECT INTERVAL '999999999999999999' DAY FROM bid") != "accepted");
  CHECK(world.refusal("SELECT INTERVAL '99999999999999999' YEAR FROM bid") == "accepted");
  CHECK(world.refusal("SELECT INTERVAL '999999999999999999' YEAR FROM bid") != "accepted");
}

TEST_CASE("numbers that are too large are refused where they stand, too small ones are zero") {
  World world;
  const std::string large = "99999999999999999999";
  CHECK(world.refusal("SELECT 1e400 FROM bid") ==
        "Numeric literal '1e400' out of range @ From line 1, column 8 to line 1, column 12");
  CHECK(world.refusal("SELECT 1e-400, 1e-310 FROM bid") == "accepted");
  CHECK(
      world.refusal("SELECT item FROM bid LIMIT " + large).starts_with("Numeric literal '" + large + "' out of range"));
  CHECK(world.refusal("SELECT item FROM bid LIMIT 1.5").starts_with("Numeric literal '1.5' out of range"));
  CHECK(world.refusal("SELECT item FROM bid LIMIT 9223372036854775807 OFFSET 9223372036854775807") == "accepted");
  CHECK(world.refusal("SELECT item FROM bid ORDER BY " + large + " LIMIT 1").starts_with("Ordinal out of range"));
  CHECK(world.refusal("SELECT item FROM bid UNION ALL SELECT item FROM bid ORDER BY " + large + " LIMIT 1")
            .starts_with("Ordinal out of range"));
  CHECK(
      world
          .refusal("SELECT SUM(price) OVER (ORDER BY ts ROWS BETWEEN " + large + " PRECEDING AND CURRENT ROW) FROM bid")
          .starts_with("ROWS takes a whole number"));
  CHECK(world
            .refusal("SELECT * FROM bid MATCH_RECOGNIZE (ORDER BY ts MEASURES LAST(a.price, " + large +
                     ") AS p PATTERN (a) DEFINE a AS a.price > 1) AS m")
            .starts_with("LAST takes a constant offset"));
}

TEST_CASE("a sink takes what its columns can hold, and updates only when it can keep them") {
  World world;
  world.table("o", "item STRING, n BIGINT");
  CHECK(world.refusal("INSERT INTO o SELECT item, price FROM bid") == "accepted");
  CHECK(
      world.refusal("INSERT INTO o SELECT price, item FROM bid").starts_with("Column types of query result and sink"));
  CHECK(world.refusal("INSERT INTO o SELECT item, COUNT(*) FROM bid GROUP BY item") ==
        "Table sink 'default_catalog.default_database.o' doesn't support consuming update changes which is produced by "
        "node "
        "GroupAggregate(groupBy=[item], select=[item, COUNT(*) AS EXPR$1])");
  CHECK(world.refusal("INSERT INTO o (item) SELECT item FROM bid") == "accepted");
}

TEST_CASE("a view is planned where it is used, with the names it was made with") {
  World world;
  world.session.execute("CREATE VIEW v AS SELECT item, price * 2 AS twice FROM bid");
  world.session.execute("CREATE DATABASE d");
  world.session.execute("USE d");
  CHECK(world.plan("SELECT twice FROM default_database.v")->schema.at(0).name == "twice");
  CHECK(world.refusal("SELECT * FROM v") == "Object 'v' not found @ line 1, column 15");
}

TEST_CASE("DESCRIBE prints columns as Flink does") {
  World world;
  world.table("d", "id INT NOT NULL, x AS id + 1, t TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'");
  ResultTable table = world.session.execute("DESCRIBE d").table;
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[0][1].as_text() == "INT");
  CHECK(table.rows[1][4].as_text() == "AS `id` + 1");
  CHECK(table.rows[2][4].as_text() == "METADATA FROM 'timestamp'");
}

TEST_CASE("SHOW … LIKE takes % and _, and a pattern of many % is no more work than another") {
  World world;
  const std::string long_name(200, 'a');
  world.table(long_name, "id INT");
  const auto shown = [&](const std::string& pattern) {
    return world.session.execute("SHOW TABLES " + pattern).table.rows.size();
  };
  CHECK(shown("") == 2);
  CHECK(shown("LIKE 'b_d'") == 1);
  CHECK(shown("NOT LIKE 'b%'") == 1);
  CHECK(shown("LIKE ''") == 0);
  CHECK(shown("LIKE '%'") == 2);
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "%a";
  CHECK(shown("LIKE '" + pattern + "'") == 1);
  CHECK(shown("LIKE '" + pattern + "b'") == 0);
}

TEST_CASE("the catalog can be written down and read again") {
  World world;
  world.session.execute("CREATE VIEW v AS SELECT item FROM bid");
  std::vector<std::string> script = world.session.catalog_script();
  Session again;
  for (const std::string& statement : script) again.execute(statement);
  CHECK(again.catalog_script() == script);
}

TEST_CASE("an operator is not called like a function") {
  World world;
  CHECK(world.refusal("SELECT * FROM bid WHERE IN (SELECT item FROM bid)") ==
        "Incorrect syntax near the keyword 'IN' at line 1, column 25. @ line 1, column 25");
  CHECK(world.refusal("SELECT `IN`(item) FROM bid") ==
        "No match found for function signature IN() @ From line 1, column 8 to line 1, column 11");
  for (const Function* function : all_functions())
    for (std::string_view name : function->names)
      for (const char* arguments : {"", "item", "(SELECT item FROM bid)", "item, price"}) {
        const std::string call = "`" + std::string(name) + "`(" + arguments + ")";
        world.refusal("SELECT " + call + " FROM bid");
        const std::string refusal = world.refusal("SELECT * FROM bid WHERE " + call);
        if (is_operator(name)) CHECK(refusal.starts_with("No match found for function signature"));
      }
}

}  // namespace millrace::processing::sql
