#include "broker/gateway/answers.h"

#include <fmt/format.h>

#include "broker/gateway/json.h"

namespace millrace::broker::gateway {

HttpResponse json_answer(std::string body, int status) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

namespace {

// A request that makes no sense, as Flink's handlers put it.
HttpResponse bad_request(const std::string& what, std::string type, const std::string& why) {
  Failure failure;
  failure.causes.push_back({handler_exception, what});
  failure.causes.push_back({std::move(type), why});
  return json_answer(handler_error(failure), 400);
}

}  // namespace

HttpResponse bad_parameter(std::string_view kind, std::string_view name, std::string_view value) {
  const std::string why = fmt::format("Cannot resolve {} parameter ({}) from value \"{}\".", kind, name, value);
  return bad_request("Bad request, could not parse parameters: " + why,
                     "org.apache.flink.runtime.rest.handler.HandlerRequestException", why);
}

HttpResponse bad_body(std::string_view format, const std::string& why) {
  return bad_request("Request did not match expected format " + std::string(format) + ".",
                     "org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParseException", why);
}

HttpResponse handler_failure(const std::string& what, const Failure& failure) {
  const std::string text = "Failed to " + what + ".";
  return json_answer(handler_error(failure.within(gateway_exception, text).within(handler_exception, text)), 500);
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

std::string job_json(const processing::JobStatus& job) {
  int64_t backlog = 0;
  for (const processing::PartitionStatus& partition : job.partitions) backlog += partition.backlog();
  std::string out =
      fmt::format(R"({{"jid":{},"name":{},"state":"{}","start-time":{},"end-time":{},"records-in":{},"records-out":{},)"
                  R"("late-dropped":{},"backlog":{},"watermark":)",
                  quoted(job.id), quoted(job.name), to_text(job.state), job.started, job.ended, job.records_in,
                  job.records_out, job.late_dropped, backlog);
  if (job.watermark) {
    append_quoted(out, processing::timestamp_text({*job.watermark, 0}, 3));
  } else {
    out += "null";
  }
  out += R"(,"root-exception":)";
  if (job.failure) {
    append_quoted(out, stack_text(failure_of(*job.failure)));
  } else {
    out += "null";
  }
  return out + "}";
}

}  // namespace millrace::broker::gateway
