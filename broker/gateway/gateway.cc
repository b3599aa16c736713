#include "broker/gateway/gateway.h"

#include "broker/gateway/answers.h"

namespace millrace::broker::gateway {

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
  const std::string path = request.target.substr(0, request.target.find('?'));
  Call call = call_of(std::move(request));
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
  return job ? json_answer(job_json(*job)) : json_answer("", 404);
}

}  // namespace millrace::broker::gateway
