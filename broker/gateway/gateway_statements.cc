// Statements handed in to the gateway: run one after the other in their session, each for its operation; and
// configuring a session, and completing what is being typed.
#include <algorithm>
#include <charconv>
#include <set>

#include "broker/gateway/answers.h"
#include "broker/gateway/gateway.h"

namespace millrace::broker::gateway {

namespace {

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

// "executionTimeout":1000
MonoTime deadline_of(const Json& body) {
  const Json& timeout = body.at("executionTimeout");
  if (!timeout.is(Json::Kind::number)) return never;
  int64_t millis = 0;
  std::from_chars(timeout.text.data(), timeout.text.data() + timeout.text.size(), millis);
  constexpr int64_t longest = 365ll * 24 * 3600 * 1000;
  return millis > 0 ? after(std::chrono::milliseconds(std::min(millis, longest))) : never;
}

// Settings of a session that hold for one statement alone.
class SettingsForNow {
 public:
  SettingsForNow(processing::sql::Session& session, const std::map<std::string, std::string>& settings)
      : session_(session) {
    for (const auto& [key, value] : settings) {
      const auto& all = session_.settings();
      const auto at = all.find(key);
      before_[key] = at == all.end() ? std::nullopt : std::optional(at->second);
      session_.set(key, value);
    }
  }
  ~SettingsForNow() {
    for (const auto& [key, value] : before_) {
      if (value) {
        session_.set(key, *value);
      } else {
        session_.unset(key);
      }
    }
  }
  SettingsForNow(const SettingsForNow&) = delete;

 private:
  processing::sql::Session& session_;
  std::map<std::string, std::optional<std::string>> before_;
};

}  // namespace

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
    auto operation = std::make_shared<Operation>(new_handle(), deadline_of(body));
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
  try {
    if (closing_) throw Refusal(gateway_exception, "The gateway is shutting down.");
    const SettingsForNow for_now(session->engine->sql, settings);
    result = co_await engine_.execute(session->engine, std::move(statement));
  } catch (...) {
    error = std::current_exception();
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

}  // namespace millrace::broker::gateway
