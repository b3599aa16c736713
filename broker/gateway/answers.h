// What the gateway answers: JSON, and refusals as Flink's handlers put them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "broker/gateway/failure.h"
#include "broker/gateway/http.h"

namespace millrace::broker::gateway {

HttpResponse json_answer(std::string body, int status = 200);
// A parameter of the path or the query that cannot be read.
HttpResponse bad_parameter(std::string_view kind, std::string_view name, std::string_view value);
// A body that is not of the format.
HttpResponse bad_body(std::string_view format, const std::string& why);
// What the handlers of sessions and operations say when they could not do `what`.
HttpResponse handler_failure(const std::string& what, const Failure& failure);

// {"properties":{"key":"value"}}
std::string properties_json(const std::map<std::string, std::string>& settings);
// {"jid":"…","state":"RUNNING",…}
std::string job_json(const processing::JobStatus& job);

}  // namespace millrace::broker::gateway
