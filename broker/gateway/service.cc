#include "broker/gateway/service.h"

#include <charconv>
#include <cstdio>

#include "broker/logging.h"

namespace millrace::broker::gateway {

namespace {

constexpr const char* listener_key = "millrace.http.listener";

processing::EngineOptions engine_options() {
  processing::EngineOptions options;
  options.print = [](const std::string& line) {
    std::fputs((line + "\n").c_str(), stdout);
    std::fflush(stdout);
  };
  options.log = [](const std::string& line) { log_info("SQL: " + line); };
  return options;
}

// "127.0.0.1:8083", "[::1]:8083", ":8083".
Address parse_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  Address address;
  const char* digits = text.data() + (colon == std::string::npos ? 0 : colon + 1);
  const auto parsed = std::from_chars(digits, text.data() + text.size(), address.port);
  if (colon == std::string::npos || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    throw ConfigError("Invalid value " + text + " for configuration " + listener_key + ": host:port is expected.");
  }
  address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  if (address.host == "0.0.0.0") address.host.clear();
  return address;
}

}  // namespace

SqlService::SqlService(const Config& config, processing::TopicReader& reader, processing::TopicWriter& writer)
    : config_(config),
      engine_(reader, writer, engine_options()),
      gateway_(engine_),
      http_([this](HttpRequest request) { return answer(std::move(request)); }) {}

SqlService::~SqlService() = default;

Task<HttpResponse> SqlService::answer(HttpRequest request) { return gateway_.answer(std::move(request)); }

Task<void> SqlService::listen() {
  const std::string text = config_.text(listener_key);
  if (text.empty()) co_return;
  Address address = parse_address(text);
  std::string trouble;
  try {
    co_await http_.listen(std::move(address));
  } catch (const NetError& error) {
    if (config_.is_given(listener_key)) throw;
    trouble = error.what();
  }
  // Several brokers on one machine must not need a setting that Kafka does not have.
  if (!trouble.empty()) {
    log_warn("No SQL gateway on " + text + ": " + trouble + ". Set " + listener_key + " to have one.");
    co_return;
  }
  log_info("SQL gateway on http://" + to_string(http_.local()));
}

void SqlService::start() {
  gateway_.start();
  http_.start();
  gate_.spawn(resume_jobs());
}

Task<void> SqlService::resume_jobs() {
  try {
    co_await engine_.start();
  } catch (const std::exception& error) {
    log_error(std::string("SQL: stored jobs could not be read: ") + error.what());
  }
  gateway_.engine_is_ready();
}

Task<void> SqlService::close() {
  co_await gate_.close();
  co_await engine_.close();
  co_await http_.close();
  co_await gateway_.close();
}

std::optional<Address> SqlService::local() const {
  if (http_.local().port == 0) return std::nullopt;
  return http_.local();
}

}  // namespace millrace::broker::gateway
