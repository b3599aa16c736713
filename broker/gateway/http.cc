// The one file that knows Beast.
#include "broker/gateway/http.h"

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

namespace millrace::broker::gateway {

namespace http = boost::beast::http;

namespace {

int status_of(const boost::system::error_code& error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  return 400;
}

// Feeds one message to a Beast parser, which wants unread bytes again together with what follows.
template <bool is_request>
struct MessageState {
  using Parser = http::parser<is_request, http::string_body>;

  explicit MessageState(HttpLimits l) : limits(l) { begin(); }

  void begin() {
    parser.emplace();
    parser->header_limit(static_cast<uint32_t>(limits.header));
    parser->body_limit(limits.body);
    parser->eager(true);
    started = false;
    told_to_continue = false;
  }

  void feed(std::span<const std::byte> bytes) {
    pending.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    advance();
  }

  void advance() {
    size_t used = 0;
    // Empty lines in front of a request are ignored, as the standard asks.
    if (is_request && !started) {
      while (used < pending.size() && (pending[used] == '\r' || pending[used] == '\n')) ++used;
    }
    while (!parser->is_done() && used < pending.size()) {
      started = true;
      boost::system::error_code error;
      const size_t taken = parser->put(boost::asio::buffer(pending.data() + used, pending.size() - used), error);
      used += taken;
      if (error == http::error::need_more) break;
      if (error) throw HttpError(status_of(error), error.message());
      if (taken == 0) break;
    }
    pending.erase(0, used);
  }

  HttpLimits limits;
  std::optional<Parser> parser;
  std::string pending;
  bool started = false;
  bool told_to_continue = false;
};

}  // namespace

struct RequestReader::State : MessageState<true> {
  using MessageState::MessageState;
};

RequestReader::RequestReader(HttpLimits limits) : state_(std::make_unique<State>(limits)) {}
RequestReader::~RequestReader() = default;

void RequestReader::feed(std::span<const std::byte> bytes) { state_->feed(bytes); }
bool RequestReader::done() const { return state_->parser->is_done(); }
bool RequestReader::started() const { return state_->started || !state_->pending.empty(); }

bool RequestReader::wants_continue() {
  if (!state_->parser->is_header_done() || state_->parser->is_done() || state_->told_to_continue) return false;
  state_->told_to_continue = true;
  return boost::beast::iequals(state_->parser->get()[http::field::expect], "100-continue");
}

HttpRequest RequestReader::take() {
  auto message = state_->parser->release();
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.keep_alive = message.keep_alive();
  request.body = std::move(message.body());
  state_->begin();
  return request;
}

struct ResponseReader::State : MessageState<false> {
  using MessageState::MessageState;
};

ResponseReader::ResponseReader(HttpLimits limits) : state_(std::make_unique<State>(limits)) {}
ResponseReader::~ResponseReader() = default;

void ResponseReader::feed(std::span<const std::byte> bytes) { state_->feed(bytes); }
bool ResponseReader::done() const { return state_->parser->is_done(); }

void ResponseReader::finish() {
  boost::system::error_code error;
  state_->parser->put_eof(error);
  if (error || !state_->parser->is_done()) throw HttpError(502, "the connection ended in the middle of an answer");
}

HttpResponse ResponseReader::take() {
  auto message = state_->parser->release();
  HttpResponse response;
  response.status = static_cast<int>(message.result_int());
  response.content_type = std::string(message[http::field::content_type]);
  response.keep_alive = message.keep_alive();
  response.body = std::move(message.body());
  state_->begin();
  return response;
}

std::string write_response(const HttpResponse& response) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason) + "\r\n";
  out += "content-type: " + response.content_type + "\r\n";
  out += "content-length: " + std::to_string(response.body.size()) + "\r\n";
  out += response.keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  out += response.body;
  return out;
}

std::string write_request(const HttpRequest& request, std::string_view host) {
  std::string out = request.method + " " + request.target + " HTTP/1.1\r\nhost: " + std::string(host) + "\r\n";
  out += "accept: application/json\r\ncontent-type: application/json\r\n";
  out += "content-length: " + std::to_string(request.body.size()) + "\r\n";
  out += request.keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  out += request.body;
  return out;
}

}  // namespace millrace::broker::gateway
