// Statements that parse, what they become, and the errors of those that do not.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "processing/sql/ast.h"
#include "processing/sql/lexer.h"
#include "processing/sql/parser.h"

namespace millrace::processing::sql {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_statement(text);
  } catch (const SqlError& error) {
    return error.message;
  }
  return "accepted";
}

std::string unparsed(const std::string& expression) {
  Statement statement = parse_statement("SELECT " + expression);
  return unparse(*std::get<QueryPtr>(statement)->select.items[0].expr);
}

std::vector<std::string> statements(const std::string& script) {
  std::vector<std::string> result;
  for (const ScriptPart& part : split_script(script)) result.push_back(part.text);
  return result;
}

}  // namespace

TEST_CASE("a script is cut at semicolons, but not at those in text, comments and statement sets") {
  CHECK(statements("SELECT ';'; SELECT 1").size() == 2);
  CHECK(statements("SELECT 1 -- a; b\n; SELECT /* ; */ 2;").size() == 2);
  CHECK(statements("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM t; INSERT INTO b "
                   "SELECT 2; END; SELECT 3")
            .size() == 2);
  CHECK(statements(" ;; \n -- nothing\n;").empty());
}

TEST_CASE("a statement may bring its semicolon along, but only one") {
  CHECK(refusal("SELECT 1;") == "accepted");
  CHECK(refusal("SELECT 1;;") == "Encountered \";\" at line 1, column 9.");
}

TEST_CASE("lines of a statement count from the line after the semicolon before it") {
  std::vector<ScriptPart> parts = split_script("SELECT 1;\n\n\n-- note\nSELECT id FROM s WHERE;");
  REQUIRE(parts.size() == 2);
  CHECK(refusal(parts[1].text) == "Encountered \"<EOF>\" at line 4, column 22.");
  CHECK(parts[1].first_line == 2);
}

TEST_CASE("a mistake names the token that should not be there") {
  CHECK(refusal("SELECT COUNT(* FROM s") == "Encountered \"FROM\" at line 1, column 16.");
  CHECK(refusal("SELECT 'abc FROM s") == "Encountered \"\\'\" at line 1, column 8.");
  CHECK(refusal("SELECT id FROM s GROUP item") == "Encountered \"item\" at line 1, column 24.");
  CHECK(refusal("CREATE TABLE t (id INT) WITH ('connector' 'kafka')") ==
        "Encountered \"\\'kafka\\'\" at line 1, column 43.");
}

TEST_CASE("a keyword where a name could stand is called a keyword") {
  CHECK(refusal("SELECT id, FROM s") == "Incorrect syntax near the keyword 'FROM' at line 1, column 12.");
  CHECK(refusal("CREATE TABLE t (value INT)") == "Incorrect syntax near the keyword 'value' at line 1, column 17.");
  CHECK(refusal("SELECT id FROM WHERE id = 1") == "Incorrect syntax near the keyword 'WHERE' at line 1, column 16.");
}

TEST_CASE("an operator without its right side is reported with what follows it") {
  CHECK(refusal("SELECT id\nFROM s\nWHERE price >> 3") == "Encountered \"> >\" at line 3, column 13.");
}

TEST_CASE("operators bind as in Flink") {
  CHECK(unparsed("a + b * c") == "`a` + `b` * `c`");
  CHECK(unparsed("(a + b) * c") == "(`a` + `b`) * `c`");
  CHECK(unparsed("NOT a = b AND c OR d") == "NOT `a` = `b` AND `c` OR `d`");
  CHECK(unparsed("a = b IS NULL") == "`a` = `b` IS NULL");
  CHECK(unparsed("a BETWEEN 1 AND 2 AND b") == "`a` BETWEEN ASYMMETRIC 1 AND 2 AND `b`");
  CHECK(unparsed("r.x[1].y") == "`r`.`x`[1].`y`");
  CHECK(unparsed("ts - INTERVAL '5' SECOND") == "`ts` - INTERVAL '5' SECOND");
}

TEST_CASE("text holds quotes by doubling them, and U& text holds code points") {
  CHECK(unparsed("'it''s'") == "'it''s'");
  CHECK(unparsed("U&'\\00e9'") == "'\u00e9'");
}

TEST_CASE("every statement of the language is understood") {
  for (const char* text : {
           "CREATE TEMPORARY TABLE IF NOT EXISTS t (id INT NOT NULL, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' "
           "VIRTUAL, "
           "x AS id + 1, r ROW<a INT, b ARRAY<STRING>>, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (id) "
           "NOT "
           "ENFORCED) COMMENT 'c' PARTITIONED BY (id) WITH ('connector' = 'print')",
           "CREATE TABLE t WITH ('a' = 'b') LIKE s (EXCLUDING ALL INCLUDING OPTIONS)",
           "CREATE TABLE t WITH ('a' = 'b') AS SELECT 1",
           "CREATE VIEW v (a) AS SELECT 1",
           "DROP TABLE IF EXISTS t",
           "ALTER TABLE t SET ('a' = 'b')",
           "ALTER TABLE t RENAME a TO b",
           "ALTER TABLE t ADD (c INT, WATERMARK FOR c AS c)",
           "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')",
           "INSERT INTO t SELECT 1 ON CONFLICT DO NOTHING",
           "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1; END",
           "EXPLAIN ESTIMATED_COST, CHANGELOG_MODE INSERT INTO o SELECT * FROM p",
           "SHOW TABLES LIKE 'a%'",
           "SHOW CREATE TABLE t",
           "DESCRIBE t",
           "USE CATALOG c",
           "SET 'a' = 'b'",
           "RESET 'a'",
           "STOP JOB '0123' WITH SAVEPOINT",
           "WITH a AS (SELECT 1 AS x) SELECT * FROM a UNION ALL SELECT 2 ORDER BY x LIMIT 3",
           "SELECT COUNT(DISTINCT a) FILTER (WHERE b > 1) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING COUNT(*) > 1",
           "SELECT SUM(a) OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT "
           "ROW)",
           "SELECT * FROM TABLE(HOP(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '1' SECOND, SIZE => "
           "INTERVAL '2' SECOND))",
           "SELECT * FROM a LEFT JOIN b ON a.x = b.x, LATERAL (SELECT 1) CROSS JOIN UNNEST(c) WITH ORDINALITY AS u (e, "
           "o)",
           "SELECT * FROM o JOIN r FOR SYSTEM_TIME AS OF o.ts ON o.c = r.c",
           "SELECT * FROM t /*+ OPTIONS('a' = 'b') */",
           "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY ts MEASURES A.x AS x ONE ROW PER MATCH AFTER "
           "MATCH SKIP "
           "TO NEXT ROW PATTERN (A+? B{2,3} C*) WITHIN INTERVAL '5' SECOND DEFINE A AS A.x > 1) AS m",
           "SELECT EXTRACT(YEAR FROM d), TRIM(LEADING 'x' FROM s), SUBSTRING(s FROM 1 FOR 2), POSITION('a' IN s), "
           "FLOOR(ts TO "
           "DAY), CAST(NULL AS MAP<STRING, INT>), (a - b) DAY TO SECOND, JSON_VALUE(j, '$.a' DEFAULT 'x' ON EMPTY)",
       }) {
    CAPTURE(text);
    CHECK(refusal(text) == "accepted");
  }
}

TEST_CASE("a statement that nests without end is refused") {
  std::string deep(100000, '(');
  CHECK(refusal("SELECT " + deep) == "The statement is nested too deeply.");
  std::string longest = "SELECT 1";
  for (int i = 0; i < 100000; ++i) longest += " + 1";
  CHECK(refusal(longest) == "The statement is nested too deeply.");
  std::string types(10000, ' ');
  for (int i = 0; i < 2000; ++i) types += "ARRAY<";
  CHECK(refusal("CREATE TABLE t (a " + types + "INT)") == "The statement is nested too deeply.");
}

}  // namespace millrace::processing::sql
