// Any text as a SQL script: every statement is planned or refused, and neither does harm. Tables to name are there.
// Input: the script. A dictionary of words and the cases of tests/sql/cases make a fuzzer much faster.
#include <string>
#include <string_view>

#include "processing/failure.h"
#include "processing/plan.h"
#include "processing/sql/session.h"
#include "tests/fuzz/fuzzer.h"

using namespace millrace::processing;

namespace {

constexpr std::string_view tables = R"(
CREATE TABLE a (id INT, n BIGINT, s STRING, d DECIMAL(10, 2), r ROW<x INT, y STRING>, l ARRAY<INT>, m MAP<STRING, INT>,
  ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'a', 'properties.bootstrap.servers' = 'h:1', 'format' = 'json');
CREATE TABLE u (id INT, s STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'topic' = 'u', 'properties.bootstrap.servers' = 'h:1', 'key.format' = 'json',
  'value.format' = 'json');
CREATE VIEW v AS SELECT id, COUNT(*) AS n FROM a GROUP BY id;
)";

void plan_all(sql::Session& session, std::string_view script) {
  for (const sql::ScriptPart& part : sql::split_script(script)) {
    try {
      const sql::Planned planned = session.execute(part.text);
      if (!planned.job.sinks.empty()) plan::to_text(planned.job);
    } catch (const sql::SqlError&) {
      // Refused, as it should be.
    } catch (const SqlFailure&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view script(reinterpret_cast<const char*>(data), size);
  sql::Session session;
  plan_all(session, tables);
  session.complete(script, size / 2);
  plan_all(session, script);
  session.catalog_script();
  return 0;
}

std::vector<uint8_t> fuzzer_seed(uint64_t number) {
  static constexpr std::string_view seeds[] = {
      "SELECT window_start, s, COUNT(*), SUM(DISTINCT n) FILTER (WHERE id > 1) FROM TABLE(TUMBLE(TABLE a, "
      "DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, GROUPING SETS ((s), ()) HAVING "
      "COUNT(*) > 1",
      "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY ts DESC) AS rn FROM a) WHERE rn <= 3",
      "SELECT a.r.x, CAST(a.l[1] AS STRING) || u.s FROM a LEFT JOIN u FOR SYSTEM_TIME AS OF a.ts ON a.id = u.id WHERE "
      "a.m['k'] BETWEEN 1 AND 2 AND a.s NOT LIKE '%x!_' ESCAPE '!'",
      "SELECT * FROM a MATCH_RECOGNIZE (PARTITION BY id ORDER BY ts MEASURES FIRST(x.n) AS f, LAST(y.n) AS l ONE ROW "
      "PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (x+? y{1,3}) WITHIN INTERVAL '1' MINUTE DEFINE x AS x.n > 0, y "
      "AS y.n < LAST(x.n, 1)) AS t",
      "WITH c AS (SELECT id FROM a WHERE id IN (SELECT id FROM u) OR EXISTS (SELECT 1 FROM v)) SELECT * FROM c UNION "
      "ALL (SELECT 1) EXCEPT SELECT n FROM v ORDER BY 1 LIMIT 3",
      "CREATE TEMPORARY TABLE t (k INT METADATA FROM 'offset' VIRTUAL, c AS k + 1) WITH ('connector' = 'print') LIKE a "
      "(EXCLUDING ALL); INSERT INTO u SELECT id, JSON_VALUE(s, 'lax $.a' RETURNING INT), ts FROM a",
      "SELECT SUM(n) OVER (PARTITION BY id ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW), "
      "CASE "
      "WHEN d > 1.5E0 THEN DATE '2024-02-29' ELSE CURRENT_DATE END, TIMESTAMPADD(MONTH, -1, ts) FROM a CROSS JOIN "
      "UNNEST(l) AS t (e)",
      "EXPLAIN SELECT u&'\\00e9', X'ff', TRIM(BOTH 'a' FROM s), EXTRACT(DOW FROM ts), ROW(1, NULL), ARRAY[1, 2], "
      "MAP['a', 1] FROM a, LATERAL TABLE(SPLIT(s, ',')) AS t (w); SHOW CREATE TABLE a; DESCRIBE v; ALTER TABLE a "
      "RENAME "
      "TO b"};
  const std::string_view seed = seeds[number % std::size(seeds)];
  return {seed.begin(), seed.end()};
}
