#include "tools/sql/rest_client.h"

#include <algorithm>
#include <charconv>

#include "runtime/shard.h"

namespace millrace::tools::sql {

namespace gateway = broker::gateway;

namespace {

using namespace std::chrono_literals;

constexpr uint16_t default_port = 8083;
constexpr gateway::HttpLimits answer_limits{64 << 10, 256 << 20};
// A gateway may close a connection that has been idle for long just when we use it again.
constexpr auto longest_idle = 10s;

std::string short_kind(const std::string& kind) {
  if (kind == "UPDATE_BEFORE") return "-U";
  if (kind == "UPDATE_AFTER") return "+U";
  if (kind == "DELETE") return "-D";
  return "+I";
}

int number(const Json& json) {
  int value = 0;
  std::from_chars(json.text.data(), json.text.data() + json.text.size(), value);
  return value;
}

Page page_of(const Json& json) {
  Page page;
  const std::string& type = json.at("resultType").text;
  page.next = json.at("nextResultUri").text;
  page.ready = type != "NOT_READY";
  page.end = type == "EOS";
  page.is_query = json.at("isQueryResult").truth();
  page.has_content = json.at("resultKind").text == "SUCCESS_WITH_CONTENT";
  page.job_id = json.at("jobID").text;
  if (const Json& bounded = json.at("boundedJob"); bounded.is(Json::Kind::boolean)) page.bounded = bounded.truth();
  const Json& results = json.at("results");
  for (const Json& column : results.at("columns").items) {
    const Json& logical = column.at("logicalType");
    page.columns.push_back({column.at("name").text, logical.at("type").text, number(logical.at("precision"))});
  }
  for (const Json& row : results.at("data").items) {
    ResultRow out;
    out.kind = short_kind(row.at("kind").text);
    for (const Json& cell : row.at("fields").items) {
      out.cells.push_back(cell.is(Json::Kind::null) ? std::nullopt : std::optional(cell.text));
    }
    page.rows.push_back(std::move(out));
  }
  return page;
}

}  // namespace

// "class: message", lines of the stack, "Caused by: class: message", …
GatewayError::GatewayError(const std::string& printed) : std::runtime_error(printed) {
  bool in_message = false;
  for (size_t at = 0; at < printed.size();) {
    size_t end = printed.find('\n', at);
    if (end == std::string::npos) end = printed.size();
    const std::string line = printed.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("<Exception on server side:")) continue;
    if (line.starts_with("\tat ") || line.starts_with("\t...") || line.starts_with("End of exception")) {
      in_message = false;
    } else if (line.starts_with("Caused by: ")) {
      causes_.push_back(line.substr(11));
      in_message = true;
    } else if (causes_.empty()) {
      if (!line.empty()) causes_.push_back(line);
      in_message = true;
    } else if (in_message) {
      causes_.back() += "\n" + line;
    }
  }
  for (std::string& cause : causes_) {
    while (!cause.empty() && (cause.back() == '\n' || cause.back() == ' ')) cause.pop_back();
  }
  if (causes_.empty()) causes_.push_back(printed);
}

Address parse_endpoint(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("https://")) throw std::invalid_argument("https is not spoken here; use http://host:port");
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  rest = rest.substr(0, rest.find('/'));
  Address address;
  address.port = default_port;
  const size_t bracket = rest.starts_with('[') ? rest.find(']') : std::string_view::npos;
  const size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view host = rest.substr(0, colon);
  if (colon != std::string_view::npos) {
    const std::string_view port = rest.substr(colon + 1);
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) host = {};
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty()) throw std::invalid_argument("an endpoint is http://host:port, not '" + std::string(text) + "'");
  address.host = std::string(host);
  return address;
}

RestClient::~RestClient() {
  if (connection_) connection_->close();
}

Task<gateway::HttpResponse> RestClient::exchange(gateway::HttpRequest request) {
  if (connection_ && now() - last_used_ > longest_idle) {
    connection_->close();
    connection_.reset();
  }
  if (!connection_) connection_ = co_await Shard::current().net().connect(endpoint_, after(10s));
  gateway::ResponseReader reader(answer_limits);
  std::exception_ptr error;
  try {
    const MonoTime deadline = after(120s);
    std::vector<Bytes> parts{Bytes::copy_of(gateway::write_request(request, to_string(endpoint_)))};
    co_await connection_->write(std::move(parts), deadline);
    std::vector<std::byte> buffer(64 << 10);
    while (!reader.done()) {
      const size_t read = co_await connection_->read_some(buffer, deadline);
      if (read == 0) {
        reader.finish();
        break;
      }
      reader.feed(std::span(buffer).first(read));
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    connection_->close();
    connection_.reset();
    std::rethrow_exception(error);
  }
  gateway::HttpResponse response = reader.take();
  last_used_ = now();
  if (!response.keep_alive) {
    connection_->close();
    connection_.reset();
  }
  co_return response;
}

Task<Json> RestClient::call(std::string method, std::string path, std::string body) {
  gateway::HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(path);
  request.body = std::move(body);
  const gateway::HttpResponse response = co_await exchange(std::move(request));
  Json json;
  try {
    json = gateway::parse_json(response.body);
  } catch (const gateway::JsonError&) {
    throw GatewayError(
        to_string(endpoint_) + " answers " + std::to_string(response.status) + " and no JSON: it is no SQL gateway",
        response.status);
  }
  if (response.status >= 400) {
    const std::vector<Json>& errors = json.at("errors").items;
    throw GatewayError(errors.empty() ? response.body : errors.back().text, response.status);
  }
  co_return json;
}

Task<void> RestClient::open_session(std::map<std::string, std::string> properties) {
  const Json offered = co_await call("GET", "/api_versions");
  for (const Json& version : offered.at("versions").items) {
    if (version.text == "V1" || version.text == "V2" || version.text == "V3") {
      version_ = version.text == "V1" ? "/v1" : version.text == "V2" ? "/v2" : "/v3";
    }
  }
  if (version_.empty()) throw GatewayError("the gateway serves none of the protocol's versions 1 to 3");
  std::string body = R"({"sessionName":"millrace","properties":{)";
  for (const auto& [key, value] : properties) {
    if (body.back() != '{') body += ',';
    body += gateway::quoted(key) + ":" + gateway::quoted(value);
  }
  const Json opened = co_await call("POST", version_ + "/sessions", body + "}}");
  session_ = opened.at("sessionHandle").text;
}

Task<void> RestClient::close_session() {
  if (session_.empty()) co_return;
  const std::string path = session_path();
  session_.clear();
  co_await call("DELETE", path);
}

Task<void> RestClient::heartbeat() { co_await call("POST", session_path() + "/heartbeat", "{}"); }

Task<std::map<std::string, std::string>> RestClient::session_properties() {
  const Json json = co_await call("GET", session_path());
  std::map<std::string, std::string> properties;
  for (const auto& [key, value] : json.at("properties").members) properties[key] = value.text;
  co_return properties;
}

Task<std::vector<std::string>> RestClient::complete(std::string statement, size_t position) {
  std::string body =
      R"({"statement":)" + gateway::quoted(statement) + R"(,"position":)" + std::to_string(position) + "}";
  const Json json = co_await call("GET", session_path() + "/complete-statement", std::move(body));
  std::vector<std::string> words;
  for (const Json& word : json.at("candidates").items) words.push_back(word.text);
  co_return words;
}

Task<std::string> RestClient::submit(std::string statement) {
  std::string body = R"({"statement":)" + gateway::quoted(statement) + "}";
  const Json json = co_await call("POST", session_path() + "/statements", std::move(body));
  co_return json.at("operationHandle").text;
}

std::string RestClient::first_page(const std::string& operation) const {
  std::string uri = session_path() + "/operations/" + operation + "/result/0";
  if (version_ != "/v1") uri += "?rowFormat=PLAIN_TEXT";
  return uri;
}

Task<Page> RestClient::fetch(std::string uri) {
  const Json json = co_await call("GET", std::move(uri));
  co_return page_of(json);
}

Task<void> RestClient::cancel(std::string operation) {
  co_await call("POST", session_path() + "/operations/" + operation + "/cancel", "{}");
}

Task<void> RestClient::close_operation(std::string operation) {
  co_await call("DELETE", session_path() + "/operations/" + operation + "/close");
}

}  // namespace millrace::tools::sql
