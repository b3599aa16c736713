// A gateway over topics in memory, asked without a network.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "broker/gateway/gateway.h"
#include "tests/processing/memory_topics.h"
#include "tests/sim/world.h"

namespace millrace::broker::gateway {

struct Asked {
  int status = 0;
  Json body;
  std::string text;

  const std::string& at(std::string_view name) const { return body.at(name).text; }
  // Of a failed request: what the exceptions said.
  std::string error() const { return body.at("errors").items.empty() ? "" : body.at("errors").items.back().text; }
};

class GatewayWorld {
 public:
  explicit GatewayWorld(GatewayLimits limits = {}) : limits_(limits) {
    topics.add_topic("numbers", 1);
    topics.add_topic("out", 1);
  }

  // Runs `body` beside a gateway, and closes it afterwards.
  void run(std::function<Task<void>()> body) {
    const auto main = [this, body]() -> Task<void> {
      processing::EngineOptions options;
      options.epoch_interval = Millis(100);
      processing::Engine engine(topics, topics, options);
      Gateway served(engine, limits_);
      gateway = &served;
      served.start();
      co_await engine.start();
      served.engine_is_ready();
      std::exception_ptr error;
      try {
        co_await body();
      } catch (...) {
        error = std::current_exception();
      }
      co_await engine.close();
      co_await served.close();
      if (error) std::rethrow_exception(error);
    };
    world.run(node, main, std::chrono::hours(1));  // sessions idle for minutes
  }

  Task<Asked> ask(std::string method, std::string target, std::string body = {}) {
    HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    const HttpResponse response = co_await gateway->answer(std::move(request));
    Asked asked;
    asked.status = response.status;
    asked.text = response.body;
    asked.body = parse_json(response.body);
    co_return asked;
  }

  Task<std::string> open_session(std::string properties = "{}") {
    const Asked asked = co_await ask("POST", "/v3/sessions", R"({"properties":)" + properties + "}");
    CHECK(asked.status == 200);
    co_return "/v3/sessions/" + asked.at("sessionHandle");
  }

  // The path of the new operation.
  Task<std::string> submit(std::string session, std::string statement) {
    const Asked asked = co_await ask("POST", session + "/statements", R"({"statement":)" + quoted(statement) + "}");
    CHECK(asked.status == 200);
    co_return session + "/operations/" + asked.at("operationHandle");
  }

  // The first page that is ready.
  Task<Asked> first_page(std::string operation, std::string format = "JSON") {
    while (true) {
      Asked asked = co_await ask("GET", operation + "/result/0?rowFormat=" + format);
      if (asked.at("resultType") != "NOT_READY") co_return asked;
    }
  }

  // Runs a statement to its end: the rows as they were sent, or the error.
  Task<std::string> rows_of(std::string session, std::string statement, std::string format = "JSON") {
    const std::string operation = co_await submit(session, std::move(statement));
    Asked page = co_await first_page(operation, format);
    std::string rows;
    while (true) {
      if (page.status != 200) co_return page.error();
      const size_t data = page.text.find(R"("data":[)") + 8;
      rows += page.text.substr(data, page.text.rfind("]}") - data);
      if (page.at("resultType") == "EOS") break;
      page = co_await ask("GET", page.at("nextResultUri"));
    }
    co_return rows;
  }

  sim::World world{1};
  sim::Node& node = world.add_node("gateway");
  processing::MemoryTopics topics;
  Gateway* gateway = nullptr;

 private:
  const GatewayLimits limits_;
};

inline constexpr const char* numbers_table =
    "CREATE TABLE numbers (n INT) WITH ('connector'='kafka','topic'='numbers','properties.bootstrap.servers'='x',"
    "'scan.startup.mode'='earliest-offset','scan.bounded.mode'='latest-offset','format'='json')";
inline constexpr const char* endless_table =
    "CREATE TABLE endless (n INT) WITH ('connector'='kafka','topic'='numbers','properties.bootstrap.servers'='x',"
    "'scan.startup.mode'='earliest-offset','format'='json')";
inline constexpr const char* out_table =
    "CREATE TABLE o (n INT) WITH "
    "('connector'='kafka','topic'='out','properties.bootstrap.servers'='x','format'='json')";

}  // namespace millrace::broker::gateway
