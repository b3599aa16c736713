// Blocking questions to a broker.
#include "tools/bench/setup_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "protocol/messages/api_versions.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/headers.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"
#include "protocol/record_batch.h"

namespace millrace::bench {

int connect_to(const std::string& host, uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (fd < 0 || ::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw BrokerError("'" + host + "' is not an IPv4 address");
  }
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(fd);
    throw BrokerError(host + ":" + std::to_string(port) + ": " + std::strerror(error));
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

std::vector<Bytes> frame_of(int16_t key, int16_t version, int16_t header_version, int32_t correlation,
                            std::vector<Bytes> body) {
  protocol::RequestHeader header;
  header.api_key = key;
  header.api_version = version;
  header.correlation_id = correlation;
  header.client_id = "rawgen";
  protocol::Writer frame;
  const size_t size_at = frame.reserve_i32();
  header.encode(frame, header_version);
  for (const Bytes& piece : body) frame.splice(piece);
  frame.patch_i32(size_at, static_cast<int32_t>(frame.size() - 4));
  return frame.finish();
}

namespace {

void send_all(int fd, std::span<const std::byte> data) {
  for (size_t sent = 0; sent < data.size();) {
    const ssize_t n = ::send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) throw BrokerError("the broker closed the connection");
    sent += static_cast<size_t>(n);
  }
}

std::vector<std::byte> read_all(int fd, size_t size) {
  std::vector<std::byte> data(size);
  for (size_t have = 0; have < size;) {
    const ssize_t n = ::recv(fd, data.data() + have, size - have, 0);
    if (n <= 0) throw BrokerError("the broker closed the connection");
    have += static_cast<size_t>(n);
  }
  return data;
}

}  // namespace

SetupClient::SetupClient(const std::string& host, uint16_t port) : fd_(connect_to(host, port)) {
  protocol::ApiVersionsRequest request;
  request.client_software_name = "rawgen";
  request.client_software_version = MILLRACE_VERSION;
  versions_[protocol::ApiVersionsRequest::key] = {3, 3};
  const protocol::ApiVersionsResponse response = call(request);
  for (const auto& api : response.api_keys) versions_[api.api_key] = {api.min_version, api.max_version};
}

SetupClient::~SetupClient() { ::close(fd_); }

int16_t SetupClient::version_of(int16_t key, int16_t lowest, int16_t highest) const {
  const auto found = versions_.find(key);
  if (found == versions_.end() || found->second.second < lowest || found->second.first > highest) {
    throw BrokerError("the broker does not serve api " + std::to_string(key) + " in a version that is spoken here");
  }
  return std::min(found->second.second, highest);
}

Bytes SetupClient::exchange(int16_t key, int16_t version, int16_t header_version, int16_t answer_header_version,
                            Bytes body) {
  ++correlation_;
  std::vector<Bytes> pieces;
  pieces.push_back(std::move(body));
  for (const Bytes& piece : frame_of(key, version, header_version, correlation_, std::move(pieces))) {
    send_all(fd_, piece.span());
  }
  return answer(answer_header_version);
}

Bytes SetupClient::answer(int16_t header_version) {
  const std::vector<std::byte> prefix = read_all(fd_, 4);
  const auto size = protocol::load_big<int32_t>(prefix.data());
  if (size < 4 || size > (64 << 20)) throw BrokerError("an answer of an impossible size");
  const Bytes frame = Bytes::take(read_all(fd_, static_cast<size_t>(size)));
  protocol::Reader reader(frame);
  protocol::ResponseHeader header;
  header.decode(reader, header_version);
  if (!reader.ok() || header.correlation_id != correlation_) throw BrokerError("an answer to another question");
  return frame.slice(reader.position(), reader.remaining());
}

namespace {

// Kafka makes no more than 10,000 records of metadata of one request, a topic's own among them.
constexpr int partitions_at_once = 5000;

}  // namespace

TopicId SetupClient::ready_topic(const Options& options) {
  protocol::MetadataRequest question;
  question.topics.emplace();
  question.topics->emplace_back();
  question.topics->back().name = options.topic;
  question.allow_auto_topic_creation = false;
  bool created = false;
  for (int attempt = 0; attempt < 3000; ++attempt) {
    const protocol::MetadataResponse answer = call(question);
    if (answer.topics.size() == 1 && answer.topics[0].error == ErrorCode::none) {
      const auto& topic = answer.topics[0];
      const bool led = std::ranges::all_of(topic.partitions, [](const auto& p) { return p.error == ErrorCode::none; });
      const int there = static_cast<int>(topic.partitions.size());
      if (led && there >= options.partitions) return topic.id;
      if (led && !created) throw BrokerError("the topic has " + std::to_string(there) + " partitions only");
      if (led) grow_topic(options.topic, std::min(there + partitions_at_once, options.partitions));
    } else if (!created) {
      create_topic(options);
      created = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw BrokerError("the topic's partitions have no leaders");
}

void SetupClient::create_topic(const Options& options) {
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = options.topic;
  topic.num_partitions = std::min(options.partitions, partitions_at_once);
  topic.replication_factor = 1;
  for (const auto& [name, value] : options.topic_settings) {
    auto& setting = topic.configs.emplace_back();
    setting.name = name;
    setting.value = value;
  }
  const protocol::CreateTopicsResponse done = call(request);
  const ErrorCode error = done.topics.at(0).error;
  if (error != ErrorCode::none && error != ErrorCode::topic_already_exists) {
    throw BrokerError("the topic cannot be created: " + done.topics[0].error_message.value_or("no reason given"));
  }
}

void SetupClient::grow_topic(const std::string& topic, int partitions) {
  protocol::CreatePartitionsRequest request;
  request.topics.emplace_back().name = topic;
  request.topics[0].count = partitions;
  request.timeout = Millis(30'000);
  const protocol::CreatePartitionsResponse done = call(request);
  // What Metadata said may be older than what was asked for last.
  const ErrorCode error = done.results.at(0).error;
  if (error != ErrorCode::none && error != ErrorCode::invalid_partitions) {
    throw BrokerError("the topic cannot have more partitions: " +
                      done.results[0].error_message.value_or("no reason given"));
  }
}

bool SetupClient::write_once(const Frame& frame) {
  auto head = frame.head;
  protocol::store_big<int32_t>(head.data() + 8, ++correlation_);
  send_all(fd_, head);
  for (const iovec& piece : frame.rest) send_all(fd_, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
  const int16_t version = version_of<protocol::ProduceRequest>();
  protocol::Reader reader(answer(protocol::response_header_version<protocol::ProduceRequest>(version)));
  protocol::ProduceResponse response;
  response.decode(reader, version);
  return reader.ok() && response.topics.at(0).partitions.at(0).error == ErrorCode::none;
}

void SetupClient::delete_topic(const std::string& topic) {
  protocol::DeleteTopicsRequest request;
  request.topics.emplace_back().name = topic;
  request.timeout = Millis(30'000);
  const protocol::DeleteTopicsResponse response = call(request);
  if (response.topics.at(0).error != ErrorCode::none) throw BrokerError("the topic cannot be deleted");
}

std::vector<Offset> SetupClient::offsets(const std::string& topic, int partitions, bool earliest, int attempts) {
  protocol::ListOffsetsRequest request;
  auto& asked = request.topics.emplace_back();
  asked.name = topic;
  for (int p = 0; p < partitions; ++p) {
    auto& partition = asked.partitions.emplace_back();
    partition.index = PartitionId(p);
    partition.timestamp = Timestamp(earliest ? -2 : -1);
  }
  const protocol::ListOffsetsResponse response = call(request);
  std::vector<Offset> result(static_cast<size_t>(partitions));
  for (const auto& partition : response.topics.at(0).partitions) {
    if (partition.error != ErrorCode::none) {
      // Metadata may run ahead of the leader, which a moment later knows that it is one.
      if (attempts == 0) throw BrokerError("the offsets of a partition are not told");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return offsets(topic, partitions, earliest, attempts - 1);
    }
    result.at(static_cast<size_t>(partition.index.value)) = partition.offset;
  }
  return result;
}

}  // namespace millrace::bench
