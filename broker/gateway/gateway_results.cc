// Operations: how they are doing, and their results page by page.
//   {"resultType":"PAYLOAD","isQueryResult":true,"jobID":"…","resultKind":"SUCCESS_WITH_CONTENT",
//    "results":{"columns":[…],"rowFormat":"JSON","data":[…]},"nextResultUri":"…/result/1?rowFormat=JSON"}
#include <algorithm>
#include <charconv>

#include "broker/gateway/answers.h"
#include "broker/gateway/gateway.h"

namespace millrace::broker::gateway {

namespace {

std::string result_uri(const Call& call, const std::string& format, int64_t token) {
  std::string uri =
      call.prefix + "/sessions/" + call.path[1] + "/operations/" + call.path[3] + "/result/" + std::to_string(token);
  if (call.prefix != "/v1") uri += "?rowFormat=" + format;
  return uri;
}

// `next`: empty behind the last page.
std::string page_json(const ResultPage& page, const processing::StatementResult& result, const std::string& format,
                      const processing::TimeZone& zone, const std::string& next) {
  std::string out =
      next.empty() ? R"({"resultType":"EOS","isQueryResult":)" : R"({"resultType":"PAYLOAD","isQueryResult":)";
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
  bool first = true;
  for (const processing::ResultRow& row : page.rows) {
    if (!std::exchange(first, false)) out += ',';
    append_row(out, row, result.columns, row_format, zone);
  }
  out += "]}";
  if (!next.empty()) out += R"(,"nextResultUri":")" + next + "\"";
  return out + "}";
}

}  // namespace

std::shared_ptr<Operation> Gateway::find_operation(const Call& call) const {
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
  if (page.type == ResultPage::Type::not_ready) {
    co_return json_answer(R"({"resultType":"NOT_READY","nextResultUri":")" + result_uri(call, format, token) + "\"}");
  }
  const bool end = page.type == ResultPage::Type::end;
  const std::string next = end ? "" : result_uri(call, format, token + 1);
  co_return json_answer(page_json(page, operation->result(), format, session->engine->zone(), next));
}

}  // namespace millrace::broker::gateway
