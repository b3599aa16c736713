#include "broker/gateway/failure.h"

#include <algorithm>

#include "broker/gateway/json.h"
#include "processing/failure.h"

namespace millrace::broker::gateway {

namespace {

// What Flink's parser and validator put around an error: this is where the position is told.
void wrap_as_flink(Failure& failure, const processing::sql::SqlError& error) {
  if (error.stage == processing::sql::SqlError::Stage::parse) {
    failure.causes.push_back({"org.apache.flink.table.api.SqlParserException", "SQL parse failed. " + error.message});
    failure.causes.push_back({"org.apache.calcite.sql.parser.SqlParseException", error.message});
  } else if (error.pos.known() && error.class_name == processing::java::validator) {
    const std::string text = error.pos.text();
    const std::string where = (text.starts_with("line") ? "At " : "") + text + ": " + error.message;
    failure.causes.push_back({processing::java::validation, "SQL validation failed. " + where});
    failure.causes.push_back({"org.apache.calcite.runtime.CalciteContextException", where});
  }
}

}  // namespace

Failure Failure::within(std::string type, std::string message) const {
  Failure outer;
  outer.causes.push_back({std::move(type), std::move(message)});
  outer.causes.insert(outer.causes.end(), causes.begin(), causes.end());
  return outer;
}

Failure failure_of(const processing::JobFailure& error) {
  Failure failure;
  failure.causes.assign(error.causes().rbegin(), error.causes().rend());
  return failure;
}

Failure failure_of(const std::exception& error) {
  Failure failure;
  if (const auto* sql = dynamic_cast<const processing::sql::SqlError*>(&error)) {
    if (sql->causes.empty()) wrap_as_flink(failure, *sql);
    for (auto at = sql->causes.rbegin(); at != sql->causes.rend(); ++at) {
      const size_t colon = at->find(": ");
      if (colon == std::string::npos) {
        failure.causes.push_back({*at, ""});
      } else {
        failure.causes.push_back({at->substr(0, colon), at->substr(colon + 2)});
      }
    }
    failure.causes.push_back({sql->class_name, sql->message});
  } else if (const auto* job = dynamic_cast<const processing::JobFailure*>(&error)) {
    failure = failure_of(*job);
  } else if (const auto* plan = dynamic_cast<const processing::SqlFailure*>(&error)) {
    failure.causes.push_back({plan->java_class(), plan->message()});
  } else {
    failure.causes.push_back({"java.lang.RuntimeException", error.what()});
  }
  return failure;
}

std::string stack_text(const Failure& failure) {
  std::string text;
  for (const processing::Cause& cause : failure.causes) {
    if (!text.empty()) text += "Caused by: ";
    text += cause.type;
    if (!cause.message.empty()) text += ": " + cause.message;
    text += "\n\tat millrace.Gateway.serve(Native Method)\n";
  }
  return text;
}

std::string server_error(const Failure& failure) {
  return R"({"errors":["Internal server error.",)" +
         quoted("<Exception on server side:\n" + stack_text(failure) + "\nEnd of exception on server side>") + "]}";
}

std::string handler_error(const Failure& failure) { return error_body(stack_text(failure)); }

std::string error_body(const std::string& text) { return R"({"errors":[)" + quoted(text) + "]}"; }

}  // namespace millrace::broker::gateway
