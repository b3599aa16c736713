// Gateway: Flink's SQL Gateway REST protocol over the engine. Sessions hold a catalog and settings, operations the
// statements handed in and their results.
//
//   GET    [/vN]/info  /api_versions                      POST   /sessions
//   GET    /sessions/S                                    DELETE /sessions/S
//   POST   /sessions/S/heartbeat                          POST   /sessions/S/configure-session
//   POST   /sessions/S/statements                         GET    /sessions/S/complete-statement
//   GET    /sessions/S/operations/O/status                POST   /sessions/S/operations/O/cancel
//   GET    /sessions/S/operations/O/result/T?rowFormat=   DELETE /sessions/S/operations/O/close
//   GET    /sessions/S/currentCatalog  /currentDatabase
// Ours:
//   GET    /health                                        GET    /jobs/J
//
//   gateway.cc             which request is whose         gateway_sessions.cc   sessions
//   gateway_statements.cc  running and configuring        gateway_results.cc    operations and their results
//
// It takes requests and gives answers; who brings them is no matter here. All of it belongs to the engine's shard.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/gateway/call.h"
#include "broker/gateway/http.h"
#include "broker/gateway/operation.h"
#include "broker/gateway/result_json.h"
#include "broker/gateway/session.h"
#include "processing/engine.h"
#include "runtime/gate.h"

namespace millrace::broker::gateway {

struct GatewayLimits {
  size_t sessions = 1000;
  size_t operations = 1000;  // of one session
  Millis session_idle = std::chrono::minutes(10);
  // How long a request for results waits for them.
  Millis result_wait = std::chrono::milliseconds(250);
  size_t page_rows = 1000;
};

class Gateway {
 public:
  explicit Gateway(processing::Engine& engine, GatewayLimits limits = {});
  ~Gateway();
  Gateway(const Gateway&) = delete;

  // Until the engine is ready, statements wait.
  void start();
  void engine_is_ready();
  // Closes all sessions. The engine must have been closed before: it ends what statements wait for.
  Task<void> close();

  // Never throws.
  Task<HttpResponse> answer(HttpRequest request);

  size_t session_count() const { return sessions_.size(); }

 private:
  using SessionPtr = std::shared_ptr<Session>;
  using OperationPtr = std::shared_ptr<Operation>;

  Task<HttpResponse> route(Call call);
  HttpResponse show_job(const Call& call);
  HttpResponse open_session(const Call& call);
  HttpResponse close_session(const Call& call);
  HttpResponse show_session(const Call& call);
  HttpResponse heartbeat(const Call& call);
  HttpResponse submit(Call& call);
  Task<HttpResponse> configure(Call call);
  HttpResponse complete(Call& call);
  HttpResponse operation_status(const Call& call);
  HttpResponse cancel_operation(const Call& call);
  HttpResponse close_operation(const Call& call);
  Task<HttpResponse> fetch(Call call);

  SessionPtr find_session(const std::string& handle) const;
  OperationPtr find_operation(const Call& call) const;
  void check_not_canceled(const Operation& operation) const;
  void drop_session(const std::string& handle);
  void drop_operation(Operation& operation);
  Task<void> run(SessionPtr session, OperationPtr operation, std::string statement,
                 std::map<std::string, std::string> settings);
  Task<processing::StatementResult> execute(SessionPtr session, std::string statement,
                                            std::map<std::string, std::string> settings);
  Task<void> expire_sessions();

  processing::Engine& engine_;
  const GatewayLimits limits_;
  std::map<std::string, SessionPtr> sessions_;
  bool ready_ = false;
  bool closing_ = false;
  Event changed_;
  Gate tasks_;
};

}  // namespace millrace::broker::gateway
