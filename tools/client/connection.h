// One connection to one broker, asking one request at a time, each in the highest version that both sides speak.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "protocol/message.h"
#include "protocol/reader.h"
#include "protocol/writer.h"
#include "runtime/event.h"
#include "runtime/net.h"

namespace millrace::tools {

// The broker answered something that cannot be right, or nothing in time.
class ClientError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class BrokerConnection {
 public:
  // Connects and learns the broker's versions. Throws NetError or ClientError.
  static Task<std::unique_ptr<BrokerConnection>> open(Address address, std::string client_id, MonoTime deadline);
  ~BrokerConnection();

  // Sends `request` and reads its answer. `highest` caps the version, for callers that rely on an older form.
  template <class Request>
  Task<typename Request::Response> call(Request request, int16_t highest = INT16_MAX,
                                        Millis timeout = std::chrono::seconds(30)) {
    const int16_t version = version_for(Request::key, Request::min_version, std::min(highest, Request::max_version));
    protocol::Writer body;
    request.encode(body, version);
    using Response = typename Request::Response;
    const bool flexible_answer = version >= Request::flexible_from && Request::key != 18;
    const Bytes answer = co_await exchange(Request::key, version, version >= Request::flexible_from, flexible_answer,
                                           body.finish(), after(timeout));
    protocol::Reader reader(answer);
    Response response;
    response.decode(reader, version);
    if (!reader.ok()) throw ClientError("the broker's answer cannot be read");
    co_return response;
  }
  // A produce request with acks=0, which is never answered.
  template <class Request>
  Task<void> tell(Request request, int16_t highest = INT16_MAX) {
    const int16_t version = version_for(Request::key, Request::min_version, std::min(highest, Request::max_version));
    protocol::Writer body;
    request.encode(body, version);
    co_await send(Request::key, version, version >= Request::flexible_from, body.finish(),
                  after(std::chrono::seconds(30)));
  }

  const Address& address() const { return address_; }
  bool broken() const { return broken_; }
  void close();

 private:
  BrokerConnection(std::unique_ptr<Connection> connection, Address address, std::string client_id);

  int16_t version_for(int16_t key, int16_t lowest, int16_t highest) const;
  Task<void> learn_versions(MonoTime deadline);
  Task<void> send(int16_t key, int16_t version, bool flexible, std::vector<Bytes> body, MonoTime deadline);
  Task<Bytes> exchange(int16_t key, int16_t version, bool flexible, bool flexible_answer, std::vector<Bytes> body,
                       MonoTime deadline);
  Task<Bytes> read_exactly(size_t size, MonoTime deadline);

  std::unique_ptr<Connection> connection_;
  Address address_;
  std::string client_id_;
  std::map<int16_t, std::pair<int16_t, int16_t>> versions_;
  int32_t correlation_ = 0;
  bool busy_ = false;
  bool broken_ = false;
  Event idle_;
};

}  // namespace millrace::tools
