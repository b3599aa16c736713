#include "broker/gateway/http_server.h"

#include <vector>

#include "broker/gateway/failure.h"
#include "broker/logging.h"

namespace millrace::broker::gateway {

namespace {
constexpr size_t read_size = 16 << 10;
// Of a request that was refused half-read.
constexpr size_t most_drained = 4 << 20;
}  // namespace

HttpServer::HttpServer(Handler handler, HttpServerOptions options) : handler_(std::move(handler)), options_(options) {}
HttpServer::~HttpServer() = default;

Task<void> HttpServer::listen(Address address) {
  listener_ = co_await Shard::current().net().listen(std::move(address));
  local_ = listener_->local();
}

void HttpServer::start() {
  if (listener_) gate_.spawn(accept());
}

Task<void> HttpServer::close() {
  closing_ = true;
  if (listener_) listener_->close();
  for (Connection* connection : connections_) connection->close();
  co_await gate_.close();
}

Task<void> HttpServer::accept() {
  while (true) {
    std::unique_ptr<Connection> connection;
    try {
      connection = co_await listener_->accept();
    } catch (const NetError&) {
      co_return;
    }
    if (closing_ || connections_.size() >= options_.connections) {
      connection->close();
      continue;
    }
    gate_.spawn(serve(std::move(connection)));
  }
}

Task<void> HttpServer::serve(std::unique_ptr<Connection> connection) {
  const auto place = connections_.insert(connections_.end(), connection.get());
  try {
    co_await converse(*connection);
  } catch (const NetError& error) {
    log_debug("HTTP connection of " + to_string(connection->peer()) + " ended: " + error.what());
  } catch (const std::exception& error) {
    log_error("HTTP connection of " + to_string(connection->peer()) + " fails: " + error.what());
  }
  connections_.erase(place);
  connection->close();
}

Task<void> HttpServer::converse(Connection& connection) {
  RequestReader reader(options_.limits);
  std::vector<std::byte> buffer(read_size);
  while (!closing_) {
    std::optional<HttpResponse> refusal;
    try {
      MonoTime deadline = after(reader.started() ? options_.request_time : options_.idle_time);
      bool started = reader.started();
      reader.feed({});  // what came together with the request before
      while (!reader.done()) {
        const size_t read = co_await connection.read_some(buffer, deadline);
        if (read == 0) co_return;
        reader.feed(std::span(buffer).first(read));
        if (!started && reader.started()) {
          started = true;
          deadline = after(options_.request_time);
        }
        if (reader.wants_continue()) {
          std::vector<Bytes> parts{Bytes::copy_of(continue_response)};
          co_await connection.write(std::move(parts), after(options_.write_time));
        }
      }
    } catch (const HttpError& error) {
      refusal.emplace();
      refusal->status = error.status();
      refusal->body = error_body(error.what());
      refusal->keep_alive = false;
    }
    if (refusal) {
      co_await send(connection, std::move(*refusal));
      co_return co_await drain(connection);
    }
    HttpRequest request = reader.take();
    const bool keep_alive = request.keep_alive;
    HttpResponse response = co_await handler_(std::move(request));
    response.keep_alive = keep_alive && !closing_;
    co_await send(connection, std::move(response));
    if (!keep_alive) co_return;
  }
}

Task<void> HttpServer::send(Connection& connection, HttpResponse response) {
  const auto text = std::make_shared<const std::string>(write_response(response));
  response = {};
  std::vector<Bytes> parts;
  parts.emplace_back(text, std::as_bytes(std::span(text->data(), text->size())));
  co_await connection.write(std::move(parts), after(options_.write_time));
}

// A client that is still sending would lose the answer to a reset.
Task<void> HttpServer::drain(Connection& connection) {
  std::vector<std::byte> buffer(read_size);
  const MonoTime deadline = after(std::chrono::seconds(1));
  for (size_t total = 0; total < most_drained;) {
    const size_t read = co_await connection.read_some(buffer, deadline);
    if (read == 0) co_return;
    total += read;
  }
}

}  // namespace millrace::broker::gateway
