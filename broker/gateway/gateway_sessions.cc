// The gateway's sessions: opened, asked about, and closed, by their client or because nobody has used them for long.
#include <algorithm>

#include "broker/gateway/answers.h"
#include "broker/gateway/gateway.h"

namespace millrace::broker::gateway {

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

std::shared_ptr<Session> Gateway::find_session(const std::string& handle) const {
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

}  // namespace millrace::broker::gateway
