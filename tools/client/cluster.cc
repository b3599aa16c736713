// Bootstrap, metadata and coordinator look-ups.
#include "tools/client/cluster.h"

#include <algorithm>
#include <charconv>

#include "protocol/messages/find_coordinator.h"

namespace millrace::tools {

namespace {
constexpr auto connect_timeout = std::chrono::seconds(10);
constexpr auto pause = std::chrono::milliseconds(50);
}  // namespace

std::vector<Address> parse_addresses(std::string_view list) {
  std::vector<Address> addresses;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (one.empty()) continue;
    Address address;
    address.port = 9092;
    const size_t colon = one.rfind(':');
    const bool bare_v6 = colon != std::string_view::npos && one.find(':') != colon && one.front() != '[';
    if (colon != std::string_view::npos && !bare_v6 && one.back() != ']') {
      const std::string_view digits = one.substr(colon + 1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
      if (error != std::errc() || end != digits.data() + digits.size())
        throw ClientError("not a port: '" + std::string(digits) + "'");
      one = one.substr(0, colon);
    }
    if (one.size() > 1 && one.front() == '[' && one.back() == ']') one = one.substr(1, one.size() - 2);
    address.host = std::string(one);
    addresses.push_back(std::move(address));
  }
  if (addresses.empty()) throw ClientError("no broker address given");
  return addresses;
}

std::string describe(ErrorCode error) { return std::string(message(error)) + " (" + std::string(name(error)) + ")"; }

Task<BrokerConnection*> Cluster::any() {
  if (any_ && !any_->broken()) co_return any_.get();
  std::string last;
  for (const Address& address : bootstrap_) {
    try {
      any_ = co_await BrokerConnection::open(address, client_id_, after(connect_timeout));
      co_return any_.get();
    } catch (const std::exception& error) {
      last = to_string(address) + ": " + error.what();
    }
  }
  throw ClientError("no broker can be reached: " + last);
}

Address Cluster::address_of(BrokerId id) const {
  for (const auto& broker : known_.brokers) {
    if (broker.node_id == id) return {broker.host, static_cast<uint16_t>(broker.port)};
  }
  throw ClientError("broker " + std::to_string(id.value) + " is not in the cluster's metadata");
}

Task<BrokerConnection*> Cluster::broker(BrokerId id) {
  std::unique_ptr<BrokerConnection>& connection = brokers_[id];
  if (!connection || connection->broken()) connection = co_await own_connection(id);
  co_return connection.get();
}

Task<std::unique_ptr<BrokerConnection>> Cluster::own_connection(BrokerId id) {
  if (known_.brokers.empty()) (void)co_await metadata(std::vector<std::string>{});
  co_return co_await BrokerConnection::open(address_of(id), client_id_, after(connect_timeout));
}

Task<BrokerId> Cluster::coordinator(std::string group) {
  const MonoTime deadline = after(std::chrono::seconds(30));
  while (true) {
    BrokerConnection* connection = co_await any();
    protocol::FindCoordinatorRequest request;
    request.coordinator_key = group;
    const auto answer = co_await connection->call(request, 3);
    if (answer.error == ErrorCode::none) co_return answer.node_id;
    if (!retriable(answer.error) || now() > deadline)
      throw ClientError("no coordinator for group '" + group + "': " + describe(answer.error));
    co_await sleep_until(after(pause));
  }
}

Task<protocol::MetadataResponse> Cluster::metadata(std::optional<std::vector<std::string>> topics, bool create) {
  BrokerConnection* connection = co_await any();
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = create;
  if (topics) {
    for (std::string& name : *topics) {
      protocol::MetadataRequestTopic topic;
      topic.name = std::move(name);
      request.topics->push_back(std::move(topic));
    }
  } else {
    request.topics.reset();
  }
  known_ = co_await connection->call(request);
  std::ranges::sort(known_.brokers, {}, &protocol::MetadataResponseBroker::node_id);
  std::ranges::sort(known_.topics, {}, &protocol::MetadataResponseTopic::name);
  for (auto& topic : known_.topics)
    std::ranges::sort(topic.partitions, {}, &protocol::MetadataResponsePartition::index);
  co_return known_;
}

Task<protocol::MetadataResponseTopic> Cluster::topic(std::string name, bool create, Millis timeout) {
  const MonoTime deadline = after(timeout);
  while (true) {
    std::vector<std::string> wanted = {name};
    const protocol::MetadataResponse answer = co_await metadata(std::move(wanted), create);
    const auto& topic = answer.topics.at(0);
    ErrorCode error = topic.error;
    for (const auto& partition : topic.partitions) {
      if (error == ErrorCode::none && partition.leader_id.value < 0) error = ErrorCode::leader_not_available;
    }
    if (error == ErrorCode::none) co_return topic;
    const bool hopeless = error == ErrorCode::unknown_topic_or_partition && !create;
    if (hopeless || !retriable(error) || now() > deadline)
      throw ClientError("topic '" + name + "': " + describe(error));
    co_await sleep_until(after(pause));
  }
}

}  // namespace millrace::tools
