// Framing, headers and version negotiation of the command line's client.
#include "tools/client/connection.h"

#include "protocol/messages/api_versions.h"
#include "protocol/messages/headers.h"

namespace millrace::tools {

namespace {
constexpr size_t largest_answer = 512u << 20;
constexpr size_t read_step = 1u << 20;  // memory grows with what has arrived
}  // namespace

BrokerConnection::BrokerConnection(std::unique_ptr<Connection> connection, Address address, std::string client_id)
    : connection_(std::move(connection)), address_(std::move(address)), client_id_(std::move(client_id)) {}

BrokerConnection::~BrokerConnection() { close(); }

void BrokerConnection::close() {
  broken_ = true;
  connection_->close();
}

Task<std::unique_ptr<BrokerConnection>> BrokerConnection::open(Address address, std::string client_id,
                                                               MonoTime deadline) {
  std::unique_ptr<Connection> connection = co_await Shard::current().net().connect(address, deadline);
  std::unique_ptr<BrokerConnection> broker(new BrokerConnection(std::move(connection), address, std::move(client_id)));
  co_await broker->learn_versions(deadline);
  co_return broker;
}

Task<void> BrokerConnection::learn_versions(MonoTime deadline) {
  protocol::ApiVersionsRequest request;
  request.client_software_name = "millrace";
  request.client_software_version = MILLRACE_VERSION;
  protocol::Writer body;
  request.encode(body, 3);
  const Bytes answer = co_await exchange(protocol::ApiVersionsRequest::key, 3, true, false, body.finish(), deadline);
  protocol::Reader reader(answer);
  protocol::ApiVersionsResponse response;
  response.decode(reader, 3);
  if (!reader.ok()) throw ClientError(to_string(address_) + " does not answer like a Kafka broker");
  for (const auto& api : response.api_keys) versions_[api.api_key] = {api.min_version, api.max_version};
}

int16_t BrokerConnection::version_for(int16_t key, int16_t lowest, int16_t highest) const {
  const auto found = versions_.find(key);
  if (found == versions_.end()) throw ClientError("the broker does not serve api " + std::to_string(key));
  const auto [least, most] = found->second;
  if (highest < least || most < lowest) {
    throw ClientError("the broker serves api " + std::to_string(key) +
                      " only in versions that this client does not speak");
  }
  return std::min(highest, most);
}

Task<void> BrokerConnection::send(int16_t key, int16_t version, bool flexible, std::vector<Bytes> body,
                                  MonoTime deadline) {
  protocol::RequestHeader header;
  header.api_key = key;
  header.api_version = version;
  header.correlation_id = ++correlation_;
  header.client_id = client_id_;
  protocol::Writer frame;
  const size_t size_at = frame.reserve_i32();
  header.encode(frame, flexible ? 2 : 1);
  for (const Bytes& piece : body) frame.splice(piece);
  frame.patch_i32(size_at, static_cast<int32_t>(frame.size() - 4));
  co_await connection_->write(frame.finish(), deadline);
}

Task<Bytes> BrokerConnection::exchange(int16_t key, int16_t version, bool flexible, bool flexible_answer,
                                       std::vector<Bytes> body, MonoTime deadline) {
  while (busy_) {
    if (!co_await idle_.wait(deadline)) throw ClientError("timed out waiting for the connection");
  }
  if (broken_) throw NetError("the connection to " + to_string(address_) + " is closed");
  busy_ = true;
  std::exception_ptr error;
  Bytes answer;
  try {
    co_await send(key, version, flexible, std::move(body), deadline);
    const int32_t expected = correlation_;
    const Bytes prefix = co_await read_exactly(4, deadline);
    protocol::Reader size_reader(prefix);
    const int32_t size = size_reader.i32();
    if (size < 4 || static_cast<size_t>(size) > largest_answer)
      throw ClientError("the broker announces an impossible answer");
    const Bytes frame = co_await read_exactly(static_cast<size_t>(size), deadline);
    protocol::Reader reader(frame);
    protocol::ResponseHeader header;
    header.decode(reader, flexible_answer ? 1 : 0);
    if (!reader.ok() || header.correlation_id != expected) throw ClientError("the broker answers another request");
    answer = frame.slice(reader.position(), reader.remaining());
  } catch (...) {
    error = std::current_exception();
  }
  busy_ = false;
  if (error) {
    broken_ = true;
    connection_->close();
  }
  idle_.notify();
  if (error) std::rethrow_exception(error);
  co_return answer;
}

Task<Bytes> BrokerConnection::read_exactly(size_t size, MonoTime deadline) {
  std::vector<std::byte> data;
  size_t have = 0;
  while (have < size) {
    data.resize(std::min(size, std::max(have + std::min(read_step, size - have), have * 2)));
    const size_t got = co_await connection_->read_some(std::span(data).subspan(have), deadline);
    if (got == 0) throw NetError(to_string(address_) + " closed the connection");
    have += got;
  }
  co_return Bytes::take(std::move(data));
}

}  // namespace millrace::tools
