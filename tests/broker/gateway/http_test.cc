// HTTP as bytes: whole, in pieces, too large, and hostile; and what a connection may cost.
#include "broker/gateway/http.h"

#include <doctest/doctest.h>

#include "broker/gateway/http_server.h"
#include "tests/sim/world.h"

namespace millrace::broker::gateway {
namespace {

using namespace std::chrono_literals;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

int refused_with(std::string_view text, HttpLimits limits = {}) {
  RequestReader reader(limits);
  try {
    reader.feed(bytes(text));
  } catch (const HttpError& error) {
    return error.status();
  }
  return 0;
}

TEST_CASE("a request is the same however it is cut") {
  const std::string text =
      "POST /v3/sessions?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nX: y\r\n\r\n{\"a\":\"b\\n\"}GET / "
      "HTTP/1.1\r\n\r\n";
  for (size_t step = 1; step <= text.size(); ++step) {
    RequestReader reader;
    std::vector<HttpRequest> requests;
    for (size_t at = 0; at < text.size(); at += step) {
      reader.feed(bytes(std::string_view(text).substr(at, step)));
      while (reader.done()) {
        requests.push_back(reader.take());
        reader.feed({});
      }
    }
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].method == "POST");
    CHECK(requests[0].target == "/v3/sessions?x=1");
    CHECK(requests[0].body == "{\"a\":\"b\\n\"}");
    CHECK(requests[0].keep_alive);
    CHECK(requests[1].method == "GET");
    CHECK(requests[1].body.empty());
  }
}

TEST_CASE("a body may come in chunks, and with a GET") {
  RequestReader reader;
  reader.feed(bytes("GET /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"));
  REQUIRE(reader.done());
  CHECK(reader.take().body == "abcdefg");
}

TEST_CASE("an old client's connection is not kept") {
  RequestReader reader;
  reader.feed(bytes("GET /x HTTP/1.0\r\n\r\n"));
  REQUIRE(reader.done());
  CHECK(!reader.take().keep_alive);
}

TEST_CASE("requests that are none are refused with the status that says why") {
  CHECK(refused_with("nonsense\r\n\r\n") == 400);
  CHECK(refused_with(std::string("\0\0\0\x12\0\x12\0\4\0\0\0\1", 12)) == 400);
  CHECK(refused_with("GET / HTTP/1.1\r\nbad header\r\n\r\n") == 400);
  CHECK(refused_with("GET / HTTP/3.0\r\n\r\n") == 505);
  CHECK(refused_with("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n") == 400);
  CHECK(refused_with("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n") == 400);
  CHECK(refused_with("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n") == 400);
}

TEST_CASE("headers and bodies beyond the limits are refused before they are read") {
  CHECK(refused_with("GET / HTTP/1.1\r\nX: " + std::string(20 << 10, 'a') + "\r\n\r\n") == 431);
  CHECK(refused_with("GET /" + std::string(20 << 10, 'a') + " HTTP/1.1\r\n\r\n") == 431);
  CHECK(refused_with("GET / HTTP/1.1\r\nX: " + std::string(20 << 10, 'a')) == 431);
  CHECK(refused_with("POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n") == 413);
  CHECK(refused_with("POST / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n") == 0);
  const HttpLimits small{1 << 10, 8};
  CHECK(refused_with("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + std::string(32, 'x'), small) ==
        413);
}

TEST_CASE("an answer is read back as it was written") {
  HttpResponse response;
  response.status = 500;
  response.body = R"({"errors":["x"]})";
  const std::string text = write_response(response);
  ResponseReader reader({16 << 10, 1 << 20});
  for (const char c : text) reader.feed(bytes(std::string_view(&c, 1)));
  REQUIRE(reader.done());
  const HttpResponse read = reader.take();
  CHECK(read.status == 500);
  CHECK(read.body == response.body);
  CHECK(read.keep_alive);
}

TEST_CASE("an answer that ends with its connection is whole; one that is cut short is not") {
  ResponseReader whole({16 << 10, 1 << 20});
  whole.feed(bytes("HTTP/1.1 200 OK\r\n\r\nabc"));
  whole.finish();
  CHECK(whole.take().body == "abc");
  ResponseReader cut({16 << 10, 1 << 20});
  cut.feed(bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"));
  CHECK_THROWS_AS(cut.finish(), HttpError);
}

// --- a server in the simulated world ---

struct ServerWorld {
  sim::World world{7};
  sim::Node& node = world.add_node("server");
  sim::Node& clients = world.add_node("clients");
  HttpServerOptions options;
  bool stop = false;
  int requests = 0;

  Task<int> serve() {
    HttpServer server(
        [this](HttpRequest request) -> Task<HttpResponse> {
          ++requests;
          HttpResponse response;
          response.body = request.body;
          co_return response;
        },
        options);
    co_await server.listen({"", 8083});
    server.start();
    while (!stop) co_await sleep_until(after(5ms));
    co_await server.close();
    co_return 0;
  }

  void run(std::function<Task<void>()> body) {
    node.start([this](sim::Node&) { return serve(); });
    world.run(clients, [this, body]() -> Task<void> {
      co_await body();
      stop = true;
    });
    world.run_until([&] { return !node.running(); });
  }
};

Task<std::unique_ptr<Connection>> dial() { return Shard::current().net().connect({"server", 8083}, after(10s)); }

Task<void> say(Connection& connection, std::string text) {
  std::vector<Bytes> parts{Bytes::copy_of(text)};
  co_await connection.write(std::move(parts), after(10s));
}

// Everything until the server hangs up.
Task<std::string> hear_all(Connection& connection) {
  std::string heard;
  std::vector<std::byte> buffer(4096);
  try {
    while (const size_t read = co_await connection.read_some(buffer, after(std::chrono::hours(1)))) {
      heard.append(reinterpret_cast<const char*>(buffer.data()), read);
    }
  } catch (const NetError&) {
  }
  co_return heard;
}

TEST_CASE("a connection carries one request after the other") {
  ServerWorld server;
  server.run([]() -> Task<void> {
    const auto connection = co_await dial();
    co_await say(*connection,
                 "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\noneGET / HTTP/1.1\r\nconnection: close\r\n\r\n");
    const std::string heard = co_await hear_all(*connection);
    CHECK(heard.find("connection: keep-alive\r\n\r\none") != std::string::npos);
    CHECK(heard.find("connection: close\r\n\r\n") != std::string::npos);
  });
  CHECK(server.requests == 2);
}

TEST_CASE("a body that waits to be wanted is asked for") {
  ServerWorld server;
  server.run([]() -> Task<void> {
    const auto connection = co_await dial();
    co_await say(*connection,
                 "POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n");
    std::vector<std::byte> buffer(256);
    const size_t read = co_await connection->read_some(buffer, after(10s));
    CHECK(std::string_view(reinterpret_cast<const char*>(buffer.data()), read).starts_with("HTTP/1.1 100 Continue"));
    co_await say(*connection, "abc");
    const std::string heard = co_await hear_all(*connection);
    CHECK(heard.ends_with("abc"));
  });
}

TEST_CASE("a client that sends nonsense gets an answer and is hung up on") {
  ServerWorld server;
  server.run([]() -> Task<void> {
    const auto connection = co_await dial();
    co_await say(*connection, "\x16\x03\x01 this is TLS, perhaps\r\n\r\n");
    const std::string heard = co_await hear_all(*connection);
    CHECK(heard.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  });
  CHECK(server.requests == 0);
}

TEST_CASE("a client that sends its request drop by drop is given up") {
  ServerWorld server;
  server.run([]() -> Task<void> {
    const auto connection = co_await dial();
    const MonoTime start = now();
    bool open = true;
    while (open && now() < start + 5min) {
      try {
        co_await say(*connection, "G");
      } catch (const NetError&) {
        open = false;
      }
      co_await sleep_until(after(1s));
    }
    CHECK(!open);
    CHECK(now() - start < 60s);
  });
  CHECK(server.requests == 0);
}

TEST_CASE("connections that say nothing are closed in the end, and no more than allowed are open") {
  ServerWorld server;
  server.options.connections = 3;
  server.run([]() -> Task<void> {
    std::vector<std::unique_ptr<Connection>> silent;
    for (int i = 0; i < 3; ++i) silent.push_back(co_await dial());
    co_await sleep_until(after(100ms));
    const auto fourth = co_await dial();
    CHECK((co_await hear_all(*fourth)).empty());
    const MonoTime start = now();
    for (const auto& connection : silent) CHECK((co_await hear_all(*connection)).empty());
    CHECK(now() - start > 4min);
    CHECK(now() - start < 6min);
  });
}

}  // namespace
}  // namespace millrace::broker::gateway
