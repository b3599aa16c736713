// The dispatch table: which APIs this broker serves, in which versions, and by whom.
//
//   dispatch.add<FetchRequest, FetchResponse>(4, 18, [this](RequestContext context, FetchRequest request) {
//     return fetch(std::move(context), std::move(request));     // Task<FetchResponse>
//   });
//
// What ApiVersions answers, and what the documentation claims, is read from this table: nothing is advertised that is
// not in it. A handler may be a plain callable that makes a coroutine, or a coroutine lambda without captures; it is
// kept for as long as the table lives.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "broker/request.h"
#include "protocol/bytes.h"
#include "protocol/reader.h"
#include "protocol/writer.h"
#include "runtime/task.h"

namespace millrace::broker {

struct ApiRange {
  int16_t key = 0;
  int16_t min = 0;
  int16_t max = 0;
  friend auto operator<=>(const ApiRange&, const ApiRange&) = default;
};

class Dispatch {
 public:
  template <class Request, class Response>
  using Handler = std::function<Task<Response>(RequestContext, Request)>;

  template <class Request, class Response, class Function>
  void add(int16_t min, int16_t max, Function handler) {
    insert(std::make_unique<TypedApi<Request, Response>>(min, max, std::move(handler)));
  }
  // For handlers that may have nothing to say: Task<std::optional<Response>>.
  template <class Request, class Response, class Function>
  void add_maybe_silent(int16_t min, int16_t max, Function handler) {
    insert(std::make_unique<TypedApi<Request, std::optional<Response>>>(min, max, std::move(handler)));
  }
  // Says a lower minimum in ApiVersions than is served: old clients derive codecs from Produce's range.
  void advertise_from(int16_t key, int16_t min);
  // Served, but not said in ApiVersions.
  void hide(int16_t key);

  // Sorted by key.
  std::vector<ApiRange> advertised() const;
  std::vector<ApiRange> served() const;
  bool serves(int16_t key, int16_t version) const;
  bool knows(int16_t key) const { return apis_.contains(key); }
  // Whether requests (and answers) of this version have tagged fields.
  bool is_flexible(int16_t key, int16_t version) const;

  // The encoded body of the answer, or nothing when there is none to send. `context` names key and version, which must
  // be served. Throws CloseConnection when the body cannot be read.
  Task<std::optional<std::vector<Bytes>>> handle(RequestContext context, Bytes body) const;

 private:
  struct Api {
    ApiRange range;
    int16_t advertised_min = 0;
    bool hidden = false;
    int16_t flexible_from = 0;
    virtual ~Api() = default;
    virtual Task<std::optional<std::vector<Bytes>>> serve(RequestContext context, Bytes body) const = 0;
  };

  template <class Request, class Answer>
  struct TypedApi final : Api {
    template <class Function>
    TypedApi(int16_t min, int16_t max, Function function) : handler(std::move(function)) {
      range = {Request::key, min, max};
      advertised_min = min;
      flexible_from = Request::flexible_from;
    }
    Task<std::optional<std::vector<Bytes>>> serve(RequestContext context, Bytes body) const override;

    Handler<Request, Answer> handler;
  };

  void insert(std::unique_ptr<Api> api);

  std::map<int16_t, std::unique_ptr<Api>> apis_;
};

namespace dispatch_detail {
[[noreturn]] void unreadable(const RequestContext& context);

template <class T>
const T* present(const T& answer) {
  return &answer;
}
template <class T>
const T* present(const std::optional<T>& answer) {
  return answer ? &*answer : nullptr;
}
}  // namespace dispatch_detail

template <class Request, class Answer>
Task<std::optional<std::vector<Bytes>>> Dispatch::TypedApi<Request, Answer>::serve(RequestContext context,
                                                                                   Bytes body) const {
  const int16_t version = context.version;
  Request request;
  protocol::Reader reader(std::move(body));
  request.decode(reader, version);
  if (!reader.ok()) dispatch_detail::unreadable(context);
  const Answer answer = co_await handler(std::move(context), std::move(request));
  const auto* response = dispatch_detail::present(answer);
  if (response == nullptr) co_return std::nullopt;
  protocol::Writer writer;
  response->encode(writer, version);
  co_return writer.finish();
}

}  // namespace millrace::broker
