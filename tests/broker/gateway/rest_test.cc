// The shapes of Flink's SQL Gateway protocol, as seen on a real one.
#include "tests/broker/gateway/gateway_world.h"

namespace millrace::broker::gateway {
namespace {

using namespace std::chrono_literals;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE("a gateway tells what it is, in every version and without one") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    for (std::string prefix : {"", "/v1", "/v2", "/v3", "/v4"}) {
      const Asked info = co_await world.ask("GET", prefix + "/info");
      CHECK(info.status == 200);
      CHECK(info.at("productName") == "Millrace");
      const Asked versions = co_await world.ask("GET", prefix + "/api_versions");
      CHECK(versions.text == R"({"versions":["V1","V2","V3","V4"]})");
    }
    const Asked health = co_await world.ask("GET", "/health");
    CHECK(health.status == 200);
  });
}

TEST_CASE("what is not served is not found") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    for (std::string path : {"/", "/nope", "/v3/nope", "/v9/info", "/v3/sessions/x/y/z/w/v/u", "/jobs/none"}) {
      const Asked asked = co_await world.ask("GET", path);
      CHECK((asked.status == 404 || asked.status == 400));
    }
    const Asked nope = co_await world.ask("GET", "/v3/nope");
    CHECK(nope.text == R"({"errors":["Not found: /v3/nope"]})");
    const Asked posted = co_await world.ask("POST", "/v3/info", "{}");
    CHECK(posted.status == 404);
  });
}

TEST_CASE("a session keeps its properties until it is closed") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session(R"({"a":"b","n":3})");
    Asked shown = co_await world.ask("GET", session);
    CHECK(shown.body.at("properties").at("a").text == "b");
    CHECK(shown.body.at("properties").at("n").text == "3");
    const Asked configured =
        co_await world.ask("POST", session + "/configure-session", R"({"statement":"SET 'k'='v'"})");
    CHECK(configured.text == "{}");
    shown = co_await world.ask("GET", session);
    CHECK(shown.body.at("properties").at("k").text == "v");
    const Asked beat = co_await world.ask("POST", session + "/heartbeat", "");
    CHECK(beat.text == "{}");
    const Asked closed = co_await world.ask("DELETE", session);
    CHECK(closed.text == R"({"status":"CLOSED"})");
    shown = co_await world.ask("GET", session);
    CHECK(shown.status == 500);
    CHECK(contains(shown.error(), "Failed to getSessionConfig."));
    CHECK(contains(shown.error(), "does not exist."));
    const Asked late = co_await world.ask("POST", session + "/statements", R"({"statement":"SELECT 1"})");
    CHECK(late.status == 500);
    CHECK(late.body.at("errors").items[0].text == "Internal server error.");
    CHECK(contains(late.error(), "<Exception on server side:\n"));
    CHECK(contains(late.error(), "\nEnd of exception on server side>"));
  });
}

TEST_CASE("bodies and parameters that make no sense are refused with 400") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    for (std::string body : {"{bad", "[]", R"({"properties":3})", R"({"properties":{"a":[1]}})"}) {
      const Asked asked = co_await world.ask("POST", "/v3/sessions", body);
      CHECK(asked.status == 400);
      CHECK(contains(asked.error(), "Request did not match expected format OpenSessionRequestBody."));
    }
    std::string deep(100, '[');
    deep = R"({"properties":)" + deep + std::string(100, ']') + "}";
    const Asked nested = co_await world.ask("POST", "/v3/sessions", deep);
    CHECK(nested.status == 400);
    const Asked empty = co_await world.ask("POST", "/v3/sessions", "");
    CHECK(empty.status == 200);
    const Asked handle = co_await world.ask("GET", "/v3/sessions/abc");
    CHECK(handle.status == 400);
    CHECK(contains(handle.error(), R"(Cannot resolve path parameter (session_handle) from value "abc".)"));
    const std::string session = co_await world.open_session();
    const std::string operation = co_await world.submit(session, "SHOW TABLES");
    const Asked token = co_await world.ask("GET", operation + "/result/x?rowFormat=JSON");
    CHECK(token.status == 400);
    const Asked format = co_await world.ask("GET", operation + "/result/0?rowFormat=NOPE");
    CHECK(format.status == 400);
  });
}

TEST_CASE("a statement without rows answers OK once, then ends") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    const std::string operation = co_await world.submit(session, numbers_table);
    const Asked first = co_await world.first_page(operation);
    CHECK(
        first.text ==
        R"({"resultType":"PAYLOAD","isQueryResult":false,"resultKind":"SUCCESS","results":{"columns":[{"name":"result",)"
        R"("logicalType":{"type":"VARCHAR","nullable":true,"length":2147483647},"comment":null}],"rowFormat":"JSON",)"
        R"("data":[{"kind":"INSERT","fields":["OK"]}]},"nextResultUri":")" +
            operation + R"(/result/1?rowFormat=JSON"})");
    const Asked again = co_await world.ask("GET", operation + "/result/0");
    CHECK(again.text == first.text);
    const Asked end = co_await world.ask("GET", first.at("nextResultUri"));
    CHECK(end.at("resultType") == "EOS");
    CHECK(end.body.at("nextResultUri").is(Json::Kind::null));
    const Asked wrong = co_await world.ask("GET", operation + "/result/7");
    CHECK(wrong.status == 500);
    CHECK(contains(wrong.error(), "Expecting token to be 1 or 0, but found 7."));
    const Asked status = co_await world.ask("GET", operation + "/status");
    CHECK(status.text == R"({"status":"FINISHED"})");
    const Asked cancel = co_await world.ask("POST", operation + "/cancel", "{}");
    CHECK(contains(cancel.error(), "Failed to convert the Operation Status from FINISHED to CANCELED"));
    for (int twice = 0; twice < 2; ++twice) {
      const Asked closed = co_await world.ask("DELETE", operation + "/close");
      CHECK(closed.text == R"({"status":"CLOSED"})");
    }
    const Asked gone = co_await world.ask("GET", operation + "/status");
    CHECK(contains(gone.error(), "Can not find the submitted operation in the OperationManager"));
  });
}

TEST_CASE("values look in JSON as they do on Flink's gateway") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session(R"({"table.local-time-zone":"UTC"})");
    const auto row = [&](std::string columns) { return world.rows_of(session, "SELECT " + columns); };
    CHECK(co_await row("x'00ff10', CAST(12.340 AS DECIMAL(10,3)), CAST('ab' AS CHAR(4)), 1E7, CAST(NULL AS STRING)") ==
          R"({"kind":"INSERT","fields":["AP8Q",12.34,"ab  ",1.0E7,null]})");
    CHECK(co_await row("DATE '2024-01-02', TIMESTAMP '2024-01-02 03:04:05.678', TO_TIMESTAMP_LTZ(0, 3)") ==
          R"({"kind":"INSERT","fields":["2024-01-02","2024-01-02T03:04:05.678","1970-01-01T00:00:00Z"]})");
    CHECK(co_await row("TIME '01:02:03', INTERVAL '1' DAY, INTERVAL '1-2' YEAR TO MONTH") ==
          R"({"kind":"INSERT","fields":["01:02:03",86400000,14]})");
    CHECK(co_await row("ARRAY[1,2], MAP['a',1], CAST(ROW(1,'x') AS ROW<f INT, g STRING>)") ==
          R"({"kind":"INSERT","fields":[[1,2],{"a":1},{"f":1,"g":"x"}]})");
    CHECK(co_await world.rows_of(session,
                                 "SELECT x'00ff', TRUE, CAST(1.5 AS DECIMAL(5,2)), ARRAY[1], CAST(NULL AS INT)",
                                 "PLAIN_TEXT") == R"({"kind":"INSERT","fields":["x'00ff'","TRUE","1.50","[1]",null]})");
  });
}

TEST_CASE("types are told as Flink's logical types") {
  std::string out;
  append_type(out, processing::DataType::row({{"a", processing::DataType::array(processing::DataType::decimal(10, 2))},
                                              {"b", processing::DataType::timestamp(3).not_null()}}));
  CHECK(out == R"({"type":"ROW","nullable":true,"fields":[{"name":"a","fieldType":{"type":"ARRAY","nullable":true,)"
               R"("elementType":{"type":"DECIMAL","nullable":true,"precision":10,"scale":2}}},{"name":"b","fieldType":)"
               R"({"type":"TIMESTAMP_WITHOUT_TIME_ZONE","nullable":false,"precision":3}}]})");
  out.clear();
  append_type(out, processing::DataType::map(processing::DataType::string(), processing::DataType::timestamp_ltz(3)));
  CHECK(out == R"({"type":"MAP","nullable":true,"keyType":{"type":"VARCHAR","nullable":true,"length":2147483647},)"
               R"("valueType":{"type":"TIMESTAMP_WITH_LOCAL_TIME_ZONE","nullable":true,"precision":3}})");
}

TEST_CASE("a bad statement fails with Flink's chain of exceptions, position and all") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    const std::string operation = co_await world.submit(session, "SELECT  * FROM nope");
    const Asked page = co_await world.first_page(operation);
    CHECK(page.status == 500);
    CHECK(page.body.at("errors").items[0].text == "Internal server error.");
    CHECK(contains(page.error(),
                   "Caused by: org.apache.flink.table.api.ValidationException: SQL validation failed. "
                   "From line 1, column 16 to line 1, column 19: Object 'nope' not found\n"));
    CHECK(contains(page.error(),
                   "Caused by: org.apache.calcite.sql.validate.SqlValidatorException: "
                   "Object 'nope' not found\n"));
    const Asked status = co_await world.ask("GET", operation + "/status");
    CHECK(status.text == R"({"status":"ERROR"})");
    const std::string parse = co_await world.rows_of(session, "SELECT 1 FROM\n t WHER 3");
    CHECK(contains(parse, R"(org.apache.flink.sql.parser.impl.ParseException: Encountered "3" at line 2, column 9.)"));
  });
}

TEST_CASE("a query gives its changes page by page, and its job ends when nobody wants them") {
  GatewayWorld world;
  for (int i = 0; i < 10; ++i) world.topics.add("numbers", 0, 0, std::nullopt, "{\"n\":" + std::to_string(i % 2) + "}");
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    co_await world.rows_of(session, numbers_table);
    co_await world.rows_of(session, endless_table);
    CHECK(co_await world.rows_of(session, "SELECT n FROM numbers WHERE n = 1") ==
          std::string(R"({"kind":"INSERT","fields":[1]},{"kind":"INSERT","fields":[1]},{"kind":"INSERT","fields":[1]},)"
                      R"({"kind":"INSERT","fields":[1]},{"kind":"INSERT","fields":[1]})"));
    const std::string operation = co_await world.submit(session, "SELECT n FROM endless");
    Asked page = co_await world.first_page(operation);
    CHECK(page.at("isQueryResult") == "true");
    CHECK(page.at("boundedJob") == "false");
    const std::string job = page.at("jobID");
    size_t rows = page.body.at("results").at("data").items.size();
    while (rows < 10) {
      page = co_await world.ask("GET", page.at("nextResultUri"));
      rows += page.body.at("results").at("data").items.size();
    }
    page = co_await world.ask("GET", page.at("nextResultUri"));
    CHECK(page.at("resultType") == "PAYLOAD");
    CHECK(page.body.at("results").at("data").items.empty());
    Asked shown = co_await world.ask("GET", "/jobs/" + job);
    CHECK(shown.at("state") == "RUNNING");
    CHECK(shown.at("records-in") == "10");
    co_await world.ask("DELETE", operation + "/close");
    while (shown.at("state") == "RUNNING") {
      co_await sleep_until(after(10ms));
      shown = co_await world.ask("GET", "/jobs/" + job);
    }
    CHECK(shown.at("state") == "CANCELED");
  });
}

TEST_CASE("a query whose job is stopped does not look finished") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    co_await world.rows_of(session, endless_table);
    const std::string operation = co_await world.submit(session, "SELECT n FROM endless");
    Asked page = co_await world.first_page(operation);
    const std::string job = page.at("jobID");
    co_await world.rows_of(session, "STOP JOB '" + job + "'");
    while (page.status == 200) {
      const std::string next = page.at("nextResultUri");
      REQUIRE(!next.empty());
      page = co_await world.ask("GET", next);
    }
    CHECK(contains(page.error(), "org.apache.flink.runtime.client.JobCancellationException: Job was cancelled."));
  });
}

TEST_CASE("an INSERT answers with the id of its job, which outlives the session") {
  GatewayWorld world;
  world.topics.add("numbers", 0, 0, std::nullopt, R"({"n":7})");
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    for (std::string statement : {numbers_table, endless_table, out_table}) co_await world.rows_of(session, statement);
    const std::string operation = co_await world.submit(session, "INSERT INTO o SELECT n FROM endless");
    const Asked page = co_await world.first_page(operation);
    CHECK(page.at("resultType") == "PAYLOAD");
    CHECK(page.at("isQueryResult") == "false");
    CHECK(page.body.at("results").at("columns").items[0].at("name").text == "job id");
    const std::string job = page.at("jobID");
    CHECK(page.body.at("results").at("data").items[0].at("fields").items[0].text == job);
    co_await world.ask("DELETE", session);
    while (world.topics.records("out", 0).empty()) co_await sleep_until(after(10ms));
    const Asked shown = co_await world.ask("GET", "/jobs/" + job);
    CHECK(shown.at("state") == "RUNNING");
  });
}

TEST_CASE("with table.dml-sync an INSERT is finished when its job is, and fails with it") {
  GatewayWorld world;
  world.topics.add("numbers", 0, 0, std::nullopt, R"({"n":0})");
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session(R"({"table.dml-sync":"true"})");
    for (std::string statement : {numbers_table, out_table}) co_await world.rows_of(session, statement);
    co_await world.rows_of(session, "INSERT INTO o SELECT n + 1 FROM numbers");
    CHECK(world.topics.records("out", 0).size() == 1);
    const std::string failed = co_await world.rows_of(session, "INSERT INTO o SELECT 1 / n FROM numbers");
    CHECK(contains(failed, "Caused by: java.lang.ArithmeticException: / by zero"));
  });
}

TEST_CASE("statements of one session run in the order in which they came") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    std::vector<std::string> operations;
    for (int i = 0; i < 20; ++i) {
      operations.push_back(co_await world.submit(session, "SET 'k'='" + std::to_string(i) + "'"));
    }
    for (const std::string& operation : operations) co_await world.first_page(operation);
    const Asked shown = co_await world.ask("GET", session);
    CHECK(shown.body.at("properties").at("k").text == "19");
  });
}

TEST_CASE("settings of one statement are gone after it") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session(R"({"kept":"1"})");
    const Asked asked = co_await world.ask("POST", session + "/statements",
                                           R"({"statement":"SET","executionConfig":{"kept":"2","new":"3"}})");
    co_await world.first_page(session + "/operations/" + asked.at("operationHandle"));
    const Asked shown = co_await world.ask("GET", session);
    CHECK(shown.text == R"({"properties":{"kept":"1"}})");
  });
}

TEST_CASE("statements that do not configure are refused by configure-session") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    const Asked asked = co_await world.ask("POST", session + "/configure-session", R"({"statement":"SELECT 1"})");
    CHECK(asked.status == 500);
    CHECK(contains(asked.error(), "Unsupported statement for configuring session: SELECT 1"));
    const Asked use = co_await world.ask("POST", session + "/configure-session", R"({"statement":"USE nope"})");
    CHECK(use.status == 500);
    CHECK(contains(use.error(), "A database with name [nope] does not exist"));
  });
}

TEST_CASE("completing a statement offers what could follow") {
  GatewayWorld world;
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    co_await world.rows_of(session, numbers_table);
    const Asked asked =
        co_await world.ask("GET", session + "/complete-statement", R"({"statement":"SELECT * FROM ","position":14})");
    CHECK(asked.status == 200);
    CHECK(contains(asked.text, "numbers"));
    const Asked beyond =
        co_await world.ask("GET", session + "/complete-statement", R"({"statement":"SEL","position":99999999})");
    CHECK(beyond.status == 200);
  });
}

TEST_CASE("sessions and operations are bounded, and idle sessions go away with their queries") {
  GatewayLimits limits;
  limits.sessions = 3;
  limits.operations = 2;
  limits.session_idle = std::chrono::minutes(10);
  GatewayWorld world(limits);
  world.run([&]() -> Task<void> {
    const std::string session = co_await world.open_session();
    co_await world.open_session();
    co_await world.open_session();
    const Asked refused = co_await world.ask("POST", "/v3/sessions", "{}");
    CHECK(refused.status == 500);
    CHECK(contains(refused.error(), "the count of active sessions exceeds the max count: 3"));
    const std::string table = co_await world.submit(session, endless_table);
    co_await world.first_page(table);
    const std::string operation = co_await world.submit(session, "SELECT n FROM endless");
    const Asked page = co_await world.first_page(operation);
    const Asked third = co_await world.ask("POST", session + "/statements", R"({"statement":"SHOW TABLES"})");
    CHECK(third.status == 500);
    for (int minute = 0; minute < 9; ++minute) {
      co_await sleep_until(after(std::chrono::minutes(1)));
      co_await world.ask("POST", session + "/heartbeat");
    }
    co_await sleep_until(after(std::chrono::minutes(2)));
    CHECK(world.gateway->session_count() == 1);
    co_await sleep_until(after(std::chrono::minutes(11)));
    CHECK(world.gateway->session_count() == 0);
    const Asked shown = co_await world.ask("GET", "/jobs/" + page.at("jobID"));
    CHECK(shown.at("state") == "CANCELED");
  });
}

}  // namespace
}  // namespace millrace::broker::gateway
