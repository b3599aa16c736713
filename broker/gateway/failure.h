// What went wrong, in the words Flink's gateway uses: a chain of exceptions as Java prints it, because its clients look
// for the last "Caused by:".
#pragma once

#include <exception>
#include <string>
#include <vector>

#include "processing/engine.h"

namespace millrace::broker::gateway {

struct Failure {
  std::vector<processing::Cause> causes;  // the outermost first, the root last

  Failure within(std::string type, std::string message) const;
};

// From what the engine throws or reports.
Failure failure_of(const std::exception& error);
Failure failure_of(const processing::JobFailure& error);

// As printStackTrace would.
std::string stack_text(const Failure& failure);
// {"errors":["Internal server error.","<Exception on server side: …"]}: statements and their results.
std::string server_error(const Failure& failure);
// {"errors":["…RestHandlerException: …"]}: sessions, operations, and requests that make no sense.
std::string handler_error(const Failure& failure);
std::string error_body(const std::string& text);

inline constexpr const char* gateway_exception = "org.apache.flink.table.gateway.api.utils.SqlGatewayException";
inline constexpr const char* execution_exception = "org.apache.flink.table.gateway.service.utils.SqlExecutionException";
inline constexpr const char* handler_exception = "org.apache.flink.runtime.rest.handler.RestHandlerException";

}  // namespace millrace::broker::gateway
