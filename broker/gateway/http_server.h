// HttpServer: connections of HTTP/1.1 clients, each answered one request at a time, kept open between requests. What a
// client may cost is bounded: header and body, how long it may take to send a request or to read an answer, how many
// there are.
#pragma once

#include <functional>
#include <list>
#include <memory>

#include "broker/gateway/http.h"
#include "runtime/gate.h"
#include "runtime/net.h"

namespace millrace::broker::gateway {

struct HttpServerOptions {
  HttpLimits limits;
  size_t connections = 1000;
  Millis request_time = std::chrono::seconds(30);  // from its first byte to its last
  Millis write_time = std::chrono::seconds(30);
  Millis idle_time = std::chrono::minutes(5);
};

class HttpServer {
 public:
  using Handler = std::function<Task<HttpResponse>(HttpRequest)>;

  explicit HttpServer(Handler handler, HttpServerOptions options = {});
  ~HttpServer();

  // Takes the port; who connects waits until start(). Throws NetError.
  Task<void> listen(Address address);
  void start();
  // Drops connections where they stand.
  Task<void> close();
  const Address& local() const { return local_; }

 private:
  Task<void> accept();
  Task<void> serve(std::unique_ptr<Connection> connection);
  Task<void> converse(Connection& connection);
  Task<void> send(Connection& connection, HttpResponse response);
  Task<void> drain(Connection& connection);

  Handler handler_;
  HttpServerOptions options_;
  Address local_;
  std::unique_ptr<Listener> listener_;
  std::list<Connection*> connections_;
  bool closing_ = false;
  Gate gate_;
};

}  // namespace millrace::broker::gateway
