// A broker in the simulated world, and a client that speaks the bare protocol to it.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "broker/config/config.h"
#include "broker/logging.h"
#include "broker/server.h"
#include "protocol/message.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"
#include "protocol/reader.h"
#include "protocol/record_batch.h"
#include "protocol/writer.h"
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/world.h"

namespace millrace::broker {

inline Properties test_properties() {
  return {{"process.roles", "broker,controller"},
          {"node.id", "1"},
          {"listeners", "PLAINTEXT://:9092"},
          {"controller.listener.names", "CONTROLLER"},
          {"controller.quorum.voters", "1@localhost:9093"},
          {"log.dirs", "/data"},
          {"millrace.journal.bytes", "262144"},  // small, so that its files are used again and again
          {"offsets.topic.replication.factor", "1"},
          {"offsets.topic.num.partitions", "2"},
          {"group.initial.rebalance.delay.ms", "0"}};
}

// One connection that sends frames and gets frames.
class Client {
 public:
  static Task<Client> connect(std::string host = "broker") {
    const Address address{std::move(host), 9092};
    Client client;
    client.connection_ = co_await Shard::current().net().connect(address, after(std::chrono::seconds(10)));
    co_return client;
  }

  // A whole request and its answer. Throws NetError when the broker closes instead.
  template <class Request>
  Task<typename Request::Response> call(Request request, int16_t version = Request::max_version) {
    co_await send(std::move(request), version);
    co_return co_await answer<Request>(version);
  }
  // Without waiting for the answer.
  template <class Request>
  Task<void> send(Request request, int16_t version) {
    Bytes body = encoded(request, version);
    co_await send_request(Request::key, version, std::move(body), version >= Request::flexible_from);
  }
  // The answer to the latest request, and nothing but it. Throws as call().
  template <class Request>
  Task<typename Request::Response> answer(int16_t version) {
    std::optional<Bytes> frame = co_await receive();
    if (!frame) throw NetError("the broker has closed the connection");
    protocol::Reader reader(std::move(*frame));
    CHECK(reader.i32() == correlation_);
    if (protocol::response_header_version<Request>(version) == 1) reader.skip_tagged();
    typename Request::Response response;
    response.decode(reader, version);
    CHECK(reader.ok());
    CHECK(reader.remaining() == 0);
    co_return response;
  }
  Task<void> send_request(int16_t key, int16_t version, Bytes body, bool flexible) {
    protocol::Writer writer;
    const size_t size_at = writer.reserve_i32();
    writer.i16(key);
    writer.i16(version);
    writer.i32(++correlation_);
    writer.string("test", false);
    if (flexible) writer.uvarint(0);
    writer.append(body.span());
    writer.patch_i32(size_at, static_cast<int32_t>(writer.size() - 4));
    std::vector<Bytes> frame = writer.finish();
    co_await connection_->write(std::move(frame));
  }
  Task<void> send_bytes(std::string bytes) {
    std::vector<Bytes> parts{Bytes::copy_of(bytes)};
    co_await connection_->write(std::move(parts));
  }
  // The next frame, or nothing once the broker has closed.
  Task<std::optional<Bytes>> receive() {
    std::optional<Bytes> size = co_await receive_exactly(4);
    if (!size) co_return std::nullopt;
    const auto length = protocol::load_big<int32_t>(size->data());
    co_return co_await receive_exactly(static_cast<size_t>(length));
  }
  Task<bool> is_closed() {
    std::optional<Bytes> frame = co_await receive();
    co_return !frame;
  }
  int32_t correlation() const { return correlation_; }
  // How long to wait for an answer: after a power cut nobody says that none will come.
  std::chrono::nanoseconds patience = std::chrono::minutes(2);
  void close() { connection_->close(); }

 private:
  template <class Request>
  static Bytes encoded(const Request& request, int16_t version) {
    protocol::Writer writer;
    request.encode(writer, version);
    return writer.finish_whole();
  }
  Task<std::optional<Bytes>> receive_exactly(size_t wanted) {
    std::vector<std::byte> data(wanted);
    size_t have = 0;
    while (have < wanted) {
      size_t got = 0;
      try {
        got = co_await connection_->read_some(std::span(data).subspan(have), after(patience));
      } catch (const NetError&) {
        co_return std::nullopt;
      }
      if (got == 0) co_return std::nullopt;
      have += got;
    }
    co_return Bytes::take(std::move(data));
  }

  std::unique_ptr<Connection> connection_;
  int32_t correlation_ = 0;
};

// A world with one broker, which runs as soon as it is made, and a node for clients.
class BrokerWorld {
 public:
  explicit BrokerWorld(uint64_t seed = 1, Properties overrides = {}, int shards = 1)
      : world(seed), node(world.add_node("broker", shards)), clients(world.add_node("clients")) {
    set_logging(Level::error, [to = errors](std::string_view line) { to->emplace_back(line); });
    properties_ = test_properties();
    for (const auto& [key, value] : overrides) properties_[key] = value;
    start();
  }

  void start() {
    *stop_ = false;
    ServerOptions options{Config(properties_), "broker", "ABEiM0RVZneImaq7zN3u_w", {}};
    node.start([options, stop = stop_](sim::Node& self) -> Task<int> {
      Server server(options, self.shards());
      co_await server.start();
      while (!*stop) co_await sleep_until(after(std::chrono::milliseconds(20)));
      co_await server.stop();
      co_return 0;
    });
  }
  // From inside of run(): the broker begins to stop.
  void ask_to_stop() { *stop_ = true; }
  // A clean stop.
  void stop() {
    ask_to_stop();
    const bool ended = world.run_until([this] { return !node.running(); });
    CHECK(ended);
    CHECK_FALSE(node.error());
  }
  void restart() {
    stop();
    start();
  }
  void run(std::function<Task<void>()> body) { world.run(clients, std::move(body)); }

  sim::World world;
  sim::Node& node;
  sim::Node& clients;
  // What the broker has logged as errors.
  std::shared_ptr<std::vector<std::string>> errors = std::make_shared<std::vector<std::string>>();

 private:
  Properties properties_;
  std::shared_ptr<bool> stop_ = std::make_shared<bool>(false);
};

// Waits for the broker, as clients do.
inline Task<Client> connected() {
  while (true) {
    try {
      co_return co_await Client::connect();
    } catch (const NetError&) {
    }
    co_await sleep_until(after(std::chrono::milliseconds(5)));
  }
}

inline Task<TopicId> create_topic(Client& client, std::string name, int32_t partitions = 1,
                                  std::vector<std::pair<std::string, std::string>> configs = {}) {
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = std::move(name);
  topic.num_partitions = partitions;
  topic.replication_factor = 1;
  for (auto& [key, value] : configs) topic.configs.push_back({key, value});
  const auto response = co_await client.call(std::move(request));
  CHECK(response.topics.at(0).error == ErrorCode::none);
  co_return response.topics.at(0).id;
}

inline Bytes batch_of(std::vector<std::string> values, protocol::BatchOptions options = {}) {
  protocol::BatchBuilder builder(options);
  for (const std::string& value : values) builder.add(Shard::current().clock().wall_now(), "k", value);
  return builder.build();
}

inline protocol::ProduceRequest produce_request(TopicId topic, Bytes records, int16_t acks = -1) {
  protocol::ProduceRequest request;
  request.acks = acks;
  request.timeout = std::chrono::seconds(30);
  auto& wanted = request.topics.emplace_back();
  wanted.id = topic;
  wanted.partitions.emplace_back().records = std::move(records);
  return request;
}

inline Task<protocol::ProduceResponse::Partition> produce(Client& client, TopicId topic, Bytes records,
                                                          int16_t acks = -1) {
  protocol::ProduceRequest request = produce_request(topic, std::move(records), acks);
  const auto response = co_await client.call(std::move(request));
  co_return response.topics.at(0).partitions.at(0);
}

inline protocol::FetchRequest fetch_request(TopicId topic, Offset from) {
  protocol::FetchRequest request;
  request.max_wait = Millis(0);
  request.min_bytes = 1;
  auto& wanted = request.topics.emplace_back();
  wanted.id = topic;
  auto& partition = wanted.partitions.emplace_back();
  partition.fetch_offset = from;
  partition.partition_max_bytes = 1 << 20;
  return request;
}

inline std::vector<std::string> values_of(const protocol::FetchResponse::Partition& partition) {
  std::vector<std::string> values;
  if (!partition.records) return values;
  protocol::BatchIterator batches(partition.records->whole());
  while (std::optional<protocol::RecordBatch> batch = batches.next()) {
    if (batch->is_control()) continue;
    protocol::RecordReader records(*batch);
    while (std::optional<protocol::RecordView> record = records.next()) {
      values.emplace_back(record->value.value_or("(null)"));
    }
  }
  return values;
}

inline Task<std::vector<std::string>> fetch_all(Client& client, TopicId topic, Offset from = Offset(0)) {
  protocol::FetchRequest request = fetch_request(topic, from);
  const auto response = co_await client.call(std::move(request));
  CHECK(response.topics.at(0).partitions.at(0).error == ErrorCode::none);
  co_return values_of(response.topics.at(0).partitions.at(0));
}

}  // namespace millrace::broker
