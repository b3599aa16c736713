// The client's side of Flink's SQL Gateway REST protocol: one session on a gateway, ours or Flink's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/gateway/http.h"
#include "broker/gateway/json.h"
#include "runtime/net.h"

namespace millrace::tools::sql {

using broker::gateway::Json;

// The gateway refused, or a statement failed: what it printed of the exceptions, outermost first.
class GatewayError : public std::runtime_error {
 public:
  explicit GatewayError(const std::string& printed);
  GatewayError(const std::string& printed, int status) : GatewayError(printed) { status_ = status; }

  const std::vector<std::string>& causes() const { return causes_; }  // "class: message"
  const std::string& root() const { return causes_.back(); }
  int status() const { return status_; }

 private:
  std::vector<std::string> causes_;
  int status_ = 500;
};

struct Column {
  std::string name;
  std::string type;  // INTEGER, TIMESTAMP_WITHOUT_TIME_ZONE, …
  int precision = 0;
};

struct ResultRow {
  std::string kind;  // +I -U +U -D
  std::vector<std::optional<std::string>> cells;
};

struct Page {
  bool ready = false;
  bool end = false;
  bool is_query = false;
  bool has_content = false;  // not just "OK"
  // Of a job that was started: whether it ends by itself. Only our gateway says so.
  std::optional<bool> bounded;
  std::string job_id;
  std::vector<Column> columns;
  std::vector<ResultRow> rows;
  std::string next;  // where the next page is
};

// "http://host:port", "host:port" or "host". Throws std::invalid_argument.
Address parse_endpoint(std::string_view text);

class RestClient {
 public:
  explicit RestClient(Address endpoint) : endpoint_(std::move(endpoint)) {}
  ~RestClient();

  Task<void> open_session(std::map<std::string, std::string> properties);
  Task<void> close_session();
  Task<void> heartbeat();
  Task<std::map<std::string, std::string>> session_properties();
  Task<std::vector<std::string>> complete(std::string statement, size_t position);

  // Hands a statement in; the operation is where its results are.
  Task<std::string> submit(std::string statement);
  std::string first_page(const std::string& operation) const;
  Task<Page> fetch(std::string uri);
  Task<void> cancel(std::string operation);
  Task<void> close_operation(std::string operation);

  // Throws NetError, GatewayError, broker::gateway::HttpError.
  Task<Json> call(std::string method, std::string path, std::string body = {});

 private:
  Task<broker::gateway::HttpResponse> exchange(broker::gateway::HttpRequest request);
  std::string session_path() const { return version_ + "/sessions/" + session_; }

  const Address endpoint_;
  std::unique_ptr<Connection> connection_;
  MonoTime last_used_{};
  std::string version_;  // "/v3"
  std::string session_;
};

}  // namespace millrace::tools::sql
