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
  // Its handler passes the turn on: later requests of the connection, if they may overlap, too, begin before its
  // answer.
  void let_overlap(int16_t key);

  // Sorted by key.
  std::vector<ApiRange> advertised() const;
  std::vector<ApiRange> served() const;
  bool serves(int16_t key, int16_t version) const;
  bool knows(int16_t key) const { return find(key) != nullptr; }
  // Whether requests (and answers) of this version have tagged fields.
  bool is_flexible(int16_t key, int16_t version) const;
  bool may_overlap(int16_t key) const;

  // The whole answer as it is sent, or nothing when there is none. `context` names key and version, which must be
  // served. Throws CloseConnection when the body cannot be read.
  Task<std::optional<std::vector<Bytes>>> handle(RequestContext context, Bytes body) const;

 private:
  struct Api {
    ApiRange range;
    int16_t advertised_min = 0;
    bool hidden = false;
    bool overlaps = false;
    int16_t flexible_from = 0;
    bool is_flexible(int16_t version) const { return flexible_from >= 0 && version >= flexible_from; }
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
  const Api* find(int16_t key) const {
    return key >= 0 && static_cast<size_t>(key) < apis_.size() ? apis_[static_cast<size_t>(key)].get() : nullptr;
  }
  Api& at(int16_t key);

  std::vector<std::unique_ptr<Api>> apis_;  // by key, with holes
};

// Writes an answer: its head at once, then whatever is written, and the size at the end.
class AnswerWriter : public protocol::Writer {
 public:
  // `tagged`: the head has tagged fields; never that of ApiVersions, which must be readable whatever is served.
  AnswerWriter(int32_t correlation, bool tagged) : Writer(usual_size), size_at_(reserve_i32()) {
    i32(correlation);
    if (tagged) uvarint(0);
  }
  std::vector<Bytes> finish_answer() {
    patch_i32(size_at_, static_cast<int32_t>(size() - sizeof(int32_t)));
    return finish();
  }

 private:
  static constexpr size_t usual_size = 112;
  size_t size_at_;
};

namespace dispatch_detail {
[[noreturn]] void unreadable(const RequestContext& context);
constexpr int16_t api_versions_key = 18;

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
  const int32_t correlation = context.correlation;
  Request request;
  protocol::Reader reader(std::move(body));
  request.decode(reader, version);
  if (!reader.ok()) dispatch_detail::unreadable(context);
  const Answer answer = co_await handler(std::move(context), std::move(request));
  const auto* response = dispatch_detail::present(answer);
  if (response == nullptr) co_return std::nullopt;
  AnswerWriter writer(correlation, is_flexible(version) && Request::key != dispatch_detail::api_versions_key);
  response->encode(writer, version);
  co_return writer.finish_answer();
}

}  // namespace millrace::broker
