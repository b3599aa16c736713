#include "broker/gateway/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace millrace::broker::gateway {

struct Gateway::Session {
  std::shared_ptr<processing::EngineSession> engine;
  std::map<std::string, OperationPtr> operations;
  MonoTime last_used{};
  // Statements of a session run one after the other, in the order they came.
  uint64_t last_ticket = 0;
  uint64_t serving = 1;
  Event turn;
};

// One request, taken apart.
struct Gateway::Call {
  std::string method;
  std::string prefix;             // "/v3", or nothing
  std::vector<std::string> path;  // without the prefix
  std::map<std::string, std::string> query;
  std::string body;
  SessionPtr session;
};

namespace {

constexpr std::string_view versions[] = {"v1", "v2", "v3", "v4"};

HttpResponse json_answer(std::string body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

// A request that makes no sense, as Flink's handlers put it.
HttpResponse bad_request(const std::string& what, std::string type, const std::string& why) {
  Failure failure;
  failure.causes.push_back({handler_exception, what});
  failure.causes.push_back({std::move(type), why});
  return json_answer(handler_error(failure), 400);
}

HttpResponse bad_parameter(std::string_view kind, std::string_view name, std::string_view value) {
  const std::string why = fmt::format("Cannot resolve {} parameter ({}) from value \"{}\".", kind, name, value);
  return bad_request("Bad request, could not parse parameters: " + why,
                     "org.apache.flink.runtime.rest.handler.HandlerRequestException", why);
}

HttpResponse bad_body(std::string_view format, const std::string& why) {
  return bad_request("Request did not match expected format " + std::string(format) + ".",
                     "org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParseException", why);
}

// What the handlers of sessions and operations say when they could not do `what`.
HttpResponse handler_failure(const std::string& what, const Failure& failure) {
  const std::string text = "Failed to " + what + ".";
  return json_answer(handler_error(failure.within(gateway_exception, text).within(handler_exception, text)), 500);
}

std::string new_handle() {
  const Uuid id = Shard::current().random().uuid();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", id.high >> 32, id.high >> 16 & 0xffff, id.high & 0xffff,
                     id.low >> 48, id.low & 0xffffffffffffull);
}

bool is_handle(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = text.find(at);
    if (end > 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

// An absent or empty body is an empty object.
Json object_of(const std::string& body) {
  if (body.empty()) {
    Json json;
    json.kind = Json::Kind::object;
    return json;
  }
  Json json = parse_json(body);
  if (!json.is(Json::Kind::object)) throw JsonError("Cannot deserialize value: an object was expected");
  return json;
}

std::map<std::string, std::string> settings_of(const Json& json) {
  std::map<std::string, std::string> settings;
  if (json.is(Json::Kind::null)) return settings;
  if (!json.is(Json::Kind::object)) throw JsonError("Cannot deserialize value: a map of strings was expected");
  for (const auto& [key, value] : json.members) {
    if (value.is(Json::Kind::array) || value.is(Json::Kind::object)) {
      throw JsonError("Cannot deserialize value: a map of strings was expected");
    }
    if (!value.is(Json::Kind::null)) settings[key] = value.text;
  }
  return settings;
}

std::string properties_json(const std::map<std::string, std::string>& settings) {
  std::string out = R"({"properties":{)";
  for (const auto& [key, value] : settings) {
    if (out.back() != '{') out += ',';
    append_quoted(out, key);
    out += ':';
    append_quoted(out, value);
  }
  return out + "}}";
}

// Statements that configure-session runs: those that change the catalog or the settings.
bool configures(std::string_view statement) {
  const std::vector<processing::sql::Token> tokens = processing::sql::tokenize(statement);
  if (tokens.empty()) return false;
  static const std::set<std::string, std::less<>> words = {"SET", "RESET", "CREATE", "DROP", "ALTER",
                                                           "USE", "LOAD",  "UNLOAD", "ADD"};
  return words.contains(tokens.front().upper);
}

constexpr const char* configure_statements =
    "SET, RESET, CREATE TABLE, CREATE VIEW, CREATE DATABASE, CREATE FUNCTION, CREATE CATALOG, DROP TABLE, DROP VIEW, "
    "DROP DATABASE, DROP FUNCTION, DROP CATALOG, ALTER TABLE, ALTER VIEW, ALTER DATABASE, USE CATALOG, "
    "USE [CATALOG.]DATABASE, USE MODULES, LOAD MODULE, UNLOAD MODULE";

}  // namespace

Gateway::Gateway(processing::Engine& engine, GatewayLimits limits) : engine_(engine), limits_(limits) {}
Gateway::~Gateway() = default;

void Gateway::start() { tasks_.spawn(expire_sessions()); }

void Gateway::engine_is_ready() {
  ready_ = true;
  changed_.notify();
}

Task<void> Gateway::close() {
  closing_ = true;
  changed_.notify();
  while (!sessions_.empty()) drop_session(sessions_.begin()->first);
  co_await tasks_.close();
}

Task<HttpResponse> Gateway::answer(HttpRequest request) {
  Call call;
  call.method = std::move(request.method);
  call.body = std::move(request.body);
  const size_t question = request.target.find('?');
  const std::string path = request.target.substr(0, question);
  call.path = split(path, '/');
  if (!call.path.empty() && std::ranges::find(versions, call.path.front()) != std::end(versions)) {
    call.prefix = "/" + call.path.front();
    call.path.erase(call.path.begin());
  }
  if (question != std::string::npos) {
    for (const std::string& item : split(request.target.substr(question + 1), '&')) {
      const size_t equals = item.find('=');
      call.query[item.substr(0, equals)] = equals == std::string::npos ? "" : item.substr(equals + 1);
    }
  }
  HttpResponse response;
  try {
    response = co_await route(std::move(call));
  } catch (const Refusal& refusal) {
    response = json_answer(server_error(refusal.failure), 500);
  } catch (const std::exception& error) {
    response = json_answer(server_error(failure_of(error)), 500);
  }
  if (response.status == 404) response.body = error_body("Not found: " + path);
  co_return response;
}

Task<HttpResponse> Gateway::route(Call call) {
  const std::vector<std::string>& path = call.path;
  const auto is = [&](std::string_view method, size_t length) {
    return call.method == method && path.size() == length;
  };
  if (path.size() == 1 && call.method == "GET") {
    if (path[0] == "health") co_return json_answer(R"({"status":"serving"})");
    if (path[0] == "info") co_return json_answer(R"({"productName":"Millrace","version":")" MILLRACE_VERSION R"("})");
    if (path[0] == "api_versions") co_return json_answer(R"({"versions":["V1","V2","V3","V4"]})");
  }
  if (is("GET", 2) && path[0] == "jobs") co_return show_job(call);
  if (path.empty() || path[0] != "sessions") co_return json_answer("", 404);
  if (path.size() == 1) co_return call.method == "POST" ? open_session(call) : json_answer("", 404);

  if (!is_handle(path[1])) co_return bad_parameter("path", "session_handle", path[1]);
  if (is("GET", 2)) co_return show_session(call);
  if (is("DELETE", 2)) co_return close_session(call);
  if (is("POST", 3) && path[2] == "heartbeat") co_return heartbeat(call);
  if (is("POST", 3) && path[2] == "statements") co_return submit(call);
  if (is("POST", 3) && path[2] == "configure-session") co_return co_await configure(std::move(call));
  if (is("GET", 3) && path[2] == "complete-statement") co_return complete(call);
  if (is("GET", 3) && path[2] == "currentCatalog") {
    co_return json_answer(R"({"currentCatalog":)" + quoted(find_session(path[1])->engine->sql.current_catalog()) + "}");
  }
  if (is("GET", 3) && path[2] == "currentDatabase") {
    co_return json_answer(R"({"currentDatabase":)" + quoted(find_session(path[1])->engine->sql.current_database()) +
                          "}");
  }
  if (path.size() < 5 || path[2] != "operations") co_return json_answer("", 404);

  if (!is_handle(path[3])) co_return bad_parameter("path", "operation_handle", path[3]);
  if (is("GET", 5) && path[4] == "status") co_return operation_status(call);
  if (is("POST", 5) && path[4] == "cancel") co_return cancel_operation(call);
  if (is("DELETE", 5) && path[4] == "close") co_return close_operation(call);
  if (is("GET", 6) && path[4] == "result") co_return co_await fetch(std::move(call));
  co_return json_answer("", 404);
}

HttpResponse Gateway::show_job(const Call& call) {
  const std::optional<processing::JobStatus> job = engine_.job(call.path[1]);
  if (!job) return json_answer("", 404);
  int64_t backlog = 0;
  for (const processing::PartitionStatus& partition : job->partitions) backlog += partition.backlog();
  std::string out =
      fmt::format(R"({{"jid":{},"name":{},"state":"{}","start-time":{},"end-time":{},"records-in":{},"records-out":{},)"
                  R"("late-dropped":{},"backlog":{},"watermark":)",
                  quoted(job->id), quoted(job->name), to_text(job->state), job->started, job->ended, job->records_in,
                  job->records_out, job->late_dropped, backlog);
  if (job->watermark) {
    append_quoted(out, processing::timestamp_text({*job->watermark, 0}, 3));
  } else {
    out += "null";
  }
  out += R"(,"root-exception":)";
  if (job->failure) {
    append_quoted(out, stack_text(failure_of(*job->failure)));
  } else {
    out += "null";
  }
  return json_answer(out + "}");
}

// --- sessions ---

HttpResponse Gateway::open_session(const Call& call) {
  std::map<std::string, std::string> settings;
  try {
    settings = settings_of(object_of(call.body).at("properties"));
  } catch (const JsonError& error) {
    return bad_body("OpenSessionRequestBody", error.what());
  }
  if (closing_ || sessions_.size() >= limits_.sessions) {
    Failure failure;
    failure.causes.push_back({gateway_exception,
                              "Failed to create session, the count of active sessions exceeds the "
                              "max count: " +
                                  std::to_string(limits_.sessions)});
    return handler_failure("openSession", failure);
  }
  auto session = std::make_shared<Session>();
  session->engine = engine_.open_session(settings);
  session->last_used = now();
  const std::string handle = new_handle();
  sessions_[handle] = std::move(session);
  return json_answer(R"({"sessionHandle":")" + handle + "\"}");
}

Gateway::SessionPtr Gateway::find_session(const std::string& handle) const {
  const auto at = sessions_.find(handle);
  if (at == sessions_.end()) throw Refusal(gateway_exception, "Session '" + handle + "' does not exist.");
  at->second->last_used = now();
  return at->second;
}

HttpResponse Gateway::show_session(const Call& call) try {
  return json_answer(properties_json(find_session(call.path[1])->engine->sql.settings()));
} catch (const Refusal& refusal) {
  return handler_failure("getSessionConfig", refusal.failure);
}

HttpResponse Gateway::close_session(const Call& call) try {
  find_session(call.path[1]);
  drop_session(call.path[1]);
  return json_answer(R"({"status":"CLOSED"})");
} catch (const Refusal& refusal) {
  return handler_failure("closeSession", refusal.failure);
}

HttpResponse Gateway::heartbeat(const Call& call) try {
  find_session(call.path[1]);
  return json_answer("{}");
} catch (const Refusal& refusal) {
  return handler_failure("triggerHeartbeat", refusal.failure);
}

void Gateway::drop_session(const std::string& handle) {
  const auto at = sessions_.find(handle);
  const SessionPtr session = at->second;
  sessions_.erase(at);
  for (const auto& [id, operation] : session->operations) drop_operation(*operation);
  session->operations.clear();
}

// Nobody will read what a query still has to say; an INSERT goes on.
void Gateway::drop_operation(Operation& operation) {
  if (operation.status() == OperationStatus::finished && operation.result().is_query) {
    engine_.cancel(operation.result().job_id);
  }
  operation.close();
}

Task<void> Gateway::expire_sessions() {
  while (!closing_) {
    MonoTime due = after(limits_.session_idle);
    for (const auto& [handle, session] : sessions_) due = std::min(due, session->last_used + limits_.session_idle);
    co_await changed_.wait(due);
    std::vector<std::string> idle;
    for (const auto& [handle, session] : sessions_) {
      if (session->last_used + limits_.session_idle <= now()) idle.push_back(handle);
    }
    for (const std::string& handle : idle) drop_session(handle);
  }
}

// --- statements ---

HttpResponse Gateway::submit(Call& call) {
  Json body;
  std::map<std::string, std::string> settings;
  try {
    body = object_of(call.body);
    settings = settings_of(body.at("executionConfig"));
  } catch (const JsonError& error) {
    return bad_body("ExecuteStatementRequestBody", error.what());
  }
  try {
    const SessionPtr session = find_session(call.path[1]);
    if (session->operations.size() >= limits_.operations) {
      throw Refusal(gateway_exception, "The session has " + std::to_string(limits_.operations) +
                                           " open operations; close some of them first.");
    }
    MonoTime deadline = never;
    if (const Json& timeout = body.at("executionTimeout"); timeout.is(Json::Kind::number)) {
      int64_t millis = 0;
      std::from_chars(timeout.text.data(), timeout.text.data() + timeout.text.size(), millis);
      constexpr int64_t longest = 365ll * 24 * 3600 * 1000;
      if (millis > 0) deadline = after(std::chrono::milliseconds(std::min(millis, longest)));
    }
    auto operation = std::make_shared<Operation>(new_handle(), deadline);
    session->operations[operation->id()] = operation;
    tasks_.spawn(run(session, operation, body.at("statement").text, std::move(settings)));
    return json_answer(R"({"operationHandle":")" + operation->id() + "\"}");
  } catch (const Refusal& refusal) {
    return json_answer(server_error(refusal.failure.within(gateway_exception, "Failed to execute statement.")), 500);
  }
}

Task<void> Gateway::run(SessionPtr session, OperationPtr operation, std::string statement,
                        std::map<std::string, std::string> settings) {
  std::optional<Failure> failure;
  processing::StatementResult result;
  try {
    result = co_await execute(session, std::move(statement), std::move(settings));
  } catch (const Refusal& refusal) {
    failure = refusal.failure;
  } catch (const std::exception& error) {
    failure = failure_of(error);
  }
  if (failure) {
    operation->fail(*failure);
  } else {
    const bool query = result.is_query;
    const std::string job = result.job_id;
    if (!operation->finish(std::move(result)) && query) engine_.cancel(job);
  }
}

Task<processing::StatementResult> Gateway::execute(SessionPtr session, std::string statement,
                                                   std::map<std::string, std::string> settings) {
  const uint64_t ticket = ++session->last_ticket;
  while (session->serving != ticket) co_await session->turn.wait();
  while (!ready_ && !closing_) co_await changed_.wait();
  std::exception_ptr error;
  processing::StatementResult result;
  if (closing_) {
    error = std::make_exception_ptr(Refusal(gateway_exception, "The gateway is shutting down."));
  } else {
    // For this statement alone.
    std::map<std::string, std::optional<std::string>> before;
    for (const auto& [key, value] : settings) {
      const auto& all = session->engine->sql.settings();
      const auto at = all.find(key);
      before[key] = at == all.end() ? std::nullopt : std::optional(at->second);
      session->engine->sql.set(key, value);
    }
    try {
      result = co_await engine_.execute(session->engine, std::move(statement));
    } catch (...) {
      error = std::current_exception();
    }
    for (const auto& [key, value] : before) {
      if (value) {
        session->engine->sql.set(key, *value);
      } else {
        session->engine->sql.unset(key);
      }
    }
  }
  ++session->serving;
  session->turn.notify();
  if (error) std::rethrow_exception(error);
  co_return result;
}

Task<HttpResponse> Gateway::configure(Call call) {
  std::string statement;
  try {
    statement = object_of(call.body).at("statement").text;
  } catch (const JsonError& error) {
    co_return bad_body("ConfigureSessionRequestBody", error.what());
  }
  std::optional<Failure> failure;
  try {
    const SessionPtr session = find_session(call.path[1]);
    if (!configures(statement)) {
      throw Refusal("java.lang.UnsupportedOperationException",
                    "Unsupported statement for configuring session: " + statement +
                        "\nThe configureSession API only supports executing statements of type " +
                        configure_statements + ".");
    }
    std::map<std::string, std::string> no_settings;
    co_await execute(session, std::move(statement), std::move(no_settings));
  } catch (const Refusal& refusal) {
    failure = refusal.failure;
  } catch (const std::exception& error) {
    failure = failure_of(error);
  }
  if (!failure) co_return json_answer("{}");
  co_return json_answer(server_error(failure->within(gateway_exception, "Failed to configure session.")), 500);
}

HttpResponse Gateway::complete(Call& call) {
  Json body;
  try {
    body = object_of(call.body);
  } catch (const JsonError& error) {
    return bad_body("CompleteStatementRequestBody", error.what());
  }
  try {
    const std::string& statement = body.at("statement").text;
    size_t position = statement.size();
    const std::string& number = body.at("position").text;
    if (!number.empty()) std::from_chars(number.data(), number.data() + number.size(), position);
    const SessionPtr session = find_session(call.path[1]);
    std::string out = R"({"candidates":[)";
    for (const std::string& word : session->engine->sql.complete(statement, std::min(position, statement.size()))) {
      if (out.back() != '[') out += ',';
      append_quoted(out, word);
    }
    return json_answer(out + "]}");
  } catch (const Refusal& refusal) {
    return handler_failure("completeStatement", refusal.failure);
  }
}

// --- operations ---

Gateway::OperationPtr Gateway::find_operation(const Call& call) const {
  const SessionPtr session = find_session(call.path[1]);
  const auto at = session->operations.find(call.path[3]);
  if (at == session->operations.end()) {
    throw Refusal(gateway_exception,
                  "Can not find the submitted operation in the OperationManager with the " + call.path[3] + ".");
  }
  return at->second;
}

HttpResponse Gateway::operation_status(const Call& call) try {
  return json_answer(R"({"status":")" + std::string(to_text(find_operation(call)->status())) + "\"}");
} catch (const Refusal& refusal) {
  return handler_failure("getOperationInfo", refusal.failure);
}

HttpResponse Gateway::cancel_operation(const Call& call) try {
  find_operation(call)->cancel();
  return json_answer(R"({"status":"CANCELED"})");
} catch (const Refusal& refusal) {
  return handler_failure("cancelOperation", refusal.failure);
}

// Closing what is closed already is fine.
HttpResponse Gateway::close_operation(const Call& call) try {
  const SessionPtr session = find_session(call.path[1]);
  const auto at = session->operations.find(call.path[3]);
  if (at != session->operations.end()) {
    const OperationPtr operation = at->second;
    session->operations.erase(at);
    drop_operation(*operation);
  }
  return json_answer(R"({"status":"CLOSED"})");
} catch (const Refusal& refusal) {
  return handler_failure("closeOperation", refusal.failure);
}

// Rows that end because the job was stopped are not all of them.
void Gateway::check_not_canceled(const Operation& operation) const {
  const std::optional<processing::JobStatus> job = engine_.job(operation.result().job_id);
  if (!job || job->state != processing::JobState::canceled) return;
  const Failure canceled =
      Refusal("org.apache.flink.runtime.client.JobCancellationException", "Job was cancelled.").failure;
  throw Refusal(canceled.within(execution_exception, "Error while retrieving result."));
}

Task<HttpResponse> Gateway::fetch(Call call) {
  const std::string& text = call.path[5];
  int64_t token = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), token);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    co_return bad_parameter("path", "token", text);
  }
  std::string format = "JSON";
  if (const auto at = call.query.find("rowFormat"); at != call.query.end()) format = at->second;
  std::ranges::transform(format, format.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
  if (format != "JSON" && format != "PLAIN_TEXT") co_return bad_parameter("query", "rowFormat", format);

  ResultPage page;
  OperationPtr operation;
  SessionPtr session;
  std::optional<Failure> failure;
  try {
    session = find_session(call.path[1]);
    operation = find_operation(call);
    page = co_await operation->fetch(token, limits_.page_rows, after(limits_.result_wait));
    if (page.type == ResultPage::Type::end && operation->result().is_query) check_not_canceled(*operation);
  } catch (const Refusal& refusal) {
    failure = refusal.failure;
  }
  if (failure) {
    const std::string what = "Failed to fetchResults.";
    co_return json_answer(server_error(failure->within(gateway_exception, what)
                                           .within(gateway_exception, std::string(gateway_exception) + ": " + what)),
                          500);
  }

  const auto uri = [&](int64_t next) {
    std::string result =
        call.prefix + "/sessions/" + call.path[1] + "/operations/" + call.path[3] + "/result/" + std::to_string(next);
    if (call.prefix != "/v1") result += "?rowFormat=" + format;
    return result;
  };
  if (page.type == ResultPage::Type::not_ready) {
    co_return json_answer(R"({"resultType":"NOT_READY","nextResultUri":")" + uri(token) + "\"}");
  }
  const processing::StatementResult& result = operation->result();
  const bool end = page.type == ResultPage::Type::end;
  std::string out = end ? R"({"resultType":"EOS","isQueryResult":)" : R"({"resultType":"PAYLOAD","isQueryResult":)";
  out += result.is_query ? "true" : "false";
  if (!result.job_id.empty()) out += R"(,"jobID":")" + result.job_id + "\"";
  // Not Flink's: whether the client can wait for the job's end.
  if (!result.job_id.empty()) out += result.bounded ? R"(,"boundedJob":true)" : R"(,"boundedJob":false)";
  out += result.kind == processing::StatementResult::Kind::success ? R"(,"resultKind":"SUCCESS")"
                                                                   : R"(,"resultKind":"SUCCESS_WITH_CONTENT")";
  out += R"(,"results":{"columns":)";
  append_columns(out, result.columns);
  out += R"(,"rowFormat":")" + format + R"(","data":[)";
  const RowFormat row_format = format == "JSON" ? RowFormat::json : RowFormat::plain_text;
  const processing::TimeZone zone = session->engine->zone();
  bool first = true;
  for (const processing::ResultRow& row : page.rows) {
    if (!std::exchange(first, false)) out += ',';
    append_row(out, row, result.columns, row_format, zone);
  }
  out += "]}";
  if (!end) out += R"(,"nextResultUri":")" + uri(token + 1) + "\"";
  co_return json_answer(out + "}");
}

}  // namespace millrace::broker::gateway
