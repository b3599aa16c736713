// HTTP/1.1 messages as bytes: parsing and writing, for both sides. No sockets here: whoever has the connection feeds
// what it has read.
//
//   RequestReader reader(limits);
//   while (!reader.done()) reader.feed(more);          // throws HttpError, which says how to answer
//   HttpRequest request = reader.take();               // bytes of the next request are kept for it
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace millrace::broker::gateway {

struct HttpRequest {
  std::string method;
  std::string target;  // path and query, as sent
  std::string body;
  bool keep_alive = true;
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json; charset=UTF-8";
  bool keep_alive = true;
};

struct HttpLimits {
  size_t header = 16 << 10;
  size_t body = 1 << 20;
};

// What was received is no message, or a larger one than allowed.
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, const std::string& what) : std::runtime_error(what), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

class RequestReader {
 public:
  explicit RequestReader(HttpLimits limits = {});
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;

  void feed(std::span<const std::byte> bytes);
  bool done() const;
  // Something of a request has arrived, perhaps together with the one before: feed() looks at it.
  bool started() const;
  // The client waits for "100 Continue" before it sends the body; true once.
  bool wants_continue();
  HttpRequest take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class ResponseReader {
 public:
  explicit ResponseReader(HttpLimits limits);
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;

  void feed(std::span<const std::byte> bytes);
  // The peer has finished sending, which may be how the message ends.
  void finish();
  bool done() const;
  HttpResponse take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string write_response(const HttpResponse& response);
std::string write_request(const HttpRequest& request, std::string_view host);
inline constexpr std::string_view continue_response = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace millrace::broker::gateway
