// Frames and headers: what is answered, what closes the connection, and what it may cost.
#include "broker/session.h"

#include <algorithm>

#include "protocol/messages/api_versions.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/metadata.h"
#include "tests/broker/broker_world.h"

namespace millrace::broker {
namespace {

using protocol::ApiVersionsRequest;
using protocol::MetadataRequest;

std::string frame_with(std::string body) {
  protocol::Writer writer;
  writer.i32(static_cast<int32_t>(body.size()));
  const Bytes size = writer.finish_whole();
  return std::string(size.text()) + body;
}

// key, version, correlation 7, then `rest`.
std::string request(int16_t key, int16_t version, std::string rest = std::string("\0\0", 2)) {
  protocol::Writer writer;
  writer.i16(key);
  writer.i16(version);
  writer.i32(7);
  const Bytes head = writer.finish_whole();
  return frame_with(std::string(head.text()) + rest);
}

Task<bool> closes_on(std::string bytes) {
  Client client = co_await connected();
  co_await client.send_bytes(std::move(bytes));
  co_return co_await client.is_closed();
}

TEST_CASE("what cannot be a request closes the connection without a word") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    CHECK(co_await closes_on(std::string("\0\0\0\0", 4)));
    CHECK(co_await closes_on(std::string("\xff\xff\xff\xff", 4)));
    CHECK(co_await closes_on(std::string("\x7f\xff\xff\xff", 4)));
    CHECK(co_await closes_on(std::string("\x06\x40\x00\x01", 4)));
    CHECK(co_await closes_on(frame_with("short")));
    CHECK(co_await closes_on(request(9999, 0)));
    CHECK(co_await closes_on(request(4, 0)));
    CHECK(co_await closes_on(request(protocol::ProduceRequest::key, 2)));
    CHECK(co_await closes_on(request(MetadataRequest::key, 14)));
    CHECK(co_await closes_on(request(MetadataRequest::key, -1)));
    CHECK(co_await closes_on(request(MetadataRequest::key, 1, "\x7f")));
    CHECK(co_await closes_on(request(MetadataRequest::key, 1, std::string("\0\0\0\0\0\x05", 6))));
  });
}

TEST_CASE("an ApiVersions of an unknown version is answered in version 0, and the connection goes on") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    for (const int16_t version : {int16_t{5}, int16_t{99}, int16_t{-1}, int16_t{-32768}}) {
      co_await client.send_bytes(request(ApiVersionsRequest::key, version, "nothing that means anything"));
      const std::optional<Bytes> frame = co_await client.receive();
      REQUIRE(frame);
      protocol::Reader reader(*frame);
      CHECK(reader.i32() == 7);
      protocol::ApiVersionsResponse response;
      response.decode(reader, 0);
      CHECK(reader.remaining() == 0);
      CHECK(response.error == ErrorCode::unsupported_version);
      REQUIRE(response.api_keys.size() == 1);
      CHECK(response.api_keys[0].api_key == 18);
      CHECK(response.api_keys[0].max_version == 4);
    }
    ApiVersionsRequest known;
    known.client_software_name = "test";
    known.client_software_version = "1";
    const auto response = co_await client.call(known);
    CHECK(response.error == ErrorCode::none);
  });
}

TEST_CASE("the api list is the dispatch table, ascending, with Produce from 0") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const ApiVersionsRequest old;
    const auto plain = co_await client.call(old, 0);
    CHECK(std::ranges::is_sorted(plain.api_keys, {}, &protocol::ApiVersionsResponse::ApiKey::api_key));
    CHECK(plain.api_keys.at(0).api_key == 0);
    CHECK(plain.api_keys.at(0).min_version == 0);
    CHECK(plain.api_keys.at(0).max_version == 13);
    for (const auto& key : plain.api_keys) {
      CHECK(key.api_key != 24);  // no transactions yet, so none are promised
      CHECK(key.api_key != 4);
    }
    ApiVersionsRequest request;
    request.client_software_name = "test";
    request.client_software_version = "1.0";
    const auto third = co_await client.call(request, 3);
    const auto fourth = co_await client.call(request, 4);
    CHECK(third.supported_features.size() == 1);
    CHECK(fourth.supported_features.size() == 7);
    CHECK(fourth.finalized_features.size() == 6);
    CHECK(fourth.finalized_features_epoch >= 0);
    request.client_software_name = "-bad-";
    const auto refused = co_await client.call(request, 3);
    CHECK(refused.error == ErrorCode::invalid_request);
  });
}

TEST_CASE("any client id will do, and bytes behind a well-formed body are ignored") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    for (const std::string& id : {std::string("\xff\xff", 2), std::string("\xff\xfe", 2), std::string("\0\0", 2),
                                  std::string("\0\x02\xff\xfe", 4)}) {
      co_await client.send_bytes(request(ApiVersionsRequest::key, 0, id + "left over"));
      const std::optional<Bytes> frame = co_await client.receive();
      CHECK(frame);
    }
  });
}

TEST_CASE("pipelined requests are answered in order, up to the one that cannot be understood") {
  BrokerWorld broker;
  broker.run([]() -> Task<void> {
    Client client = co_await connected();
    const MetadataRequest all;
    for (int i = 0; i < 10; ++i) co_await client.send(all, 12);
    co_await client.send_bytes(request(9999, 0));
    for (int i = 1; i <= 10; ++i) {
      const std::optional<Bytes> frame = co_await client.receive();
      REQUIRE(frame);
      CHECK(protocol::load_big<int32_t>(frame->data()) == i);
    }
    CHECK(co_await client.is_closed());
  });
}

TEST_CASE("a silent connection is closed after connections.max.idle.ms, and the broker serves on") {
  BrokerWorld broker(1, {{"connections.max.idle.ms", "1000"}});
  broker.run([]() -> Task<void> {
    Client silent = co_await connected();
    const MonoTime began = now();
    CHECK(co_await silent.is_closed());
    CHECK(now() - began >= std::chrono::milliseconds(900));
    Client other = co_await connected();
    const MetadataRequest all;
    const auto response = co_await other.call(all);
    CHECK(response.brokers.size() == 1);
  });
}

TEST_CASE("peers that announce a hundred megabytes and send one byte cost only what they send") {
  // A frame reader over a peer of our own, so that the memory can be seen.
  class Slow final : public Connection {
   public:
    Task<size_t> read_some(std::span<std::byte> out, MonoTime) override {
      if (out.empty()) co_return 0;
      largest_ = std::max(largest_, out.size());
      if (sent_ == 5) throw NetError("nothing more");
      const char bytes[] = {0x06, 0x3f, 0, 0, 'x'};
      out[0] = static_cast<std::byte>(bytes[sent_++]);
      co_return 1;
    }
    Task<void> write(std::vector<Bytes>, MonoTime) override { co_return; }
    void close() override {}
    Address peer() const override { return {}; }
    Address local() const override { return {}; }
    size_t largest_ = 0;
    int sent_ = 0;
  };
  sim::World world(1);
  world.run(world.add_node("n"), []() -> Task<void> {
    Slow peer;
    FrameReader frames(peer, 110 << 20);
    bool broken = false;
    try {
      co_await frames.next(never);
    } catch (const NetError&) {
      broken = true;
    }
    CHECK(broken);
    CHECK(peer.largest_ <= 257 << 10);
  });
}

// Every read gives what is asked for.
class Lavish final : public Connection {
 public:
  explicit Lavish(std::string stream) : stream_(std::move(stream)) {}
  Task<size_t> read_some(std::span<std::byte> out, MonoTime) override {
    if (out.empty()) {
      co_await waiting_.wait();
      co_return 0;
    }
    ++reads_;
    const size_t got = stream_.copy(reinterpret_cast<char*>(out.data()), out.size(), at_);
    at_ += got;
    co_return got;
  }
  Task<void> write(std::vector<Bytes>, MonoTime) override { co_return; }
  void close() override {}
  Address peer() const override { return {}; }
  Address local() const override { return {}; }
  std::string stream_;
  size_t at_ = 0;
  int reads_ = 0;
  Event waiting_;
};

// The first frame, read by somebody who waited before anything had come, and held no memory meanwhile.
Task<std::optional<Bytes>> first_frame(FrameReader& frames, Lavish& peer) {
  Gate gate;
  std::optional<Bytes> frame;
  const auto read_first = [&]() -> Task<void> { frame = co_await frames.next(never); };
  gate.spawn(read_first());
  CHECK(frames.held() == 0);
  peer.waiting_.notify();
  co_await gate.close();
  co_return frame;
}

TEST_CASE("frames that come together are read together, into memory of about their size") {
  sim::World world(1);
  world.run(world.add_node("n"), []() -> Task<void> {
    constexpr size_t size = 16'000;
    constexpr int count = 100;
    std::string stream;
    for (int i = 0; i < count; ++i) stream += frame_with(std::string(size, static_cast<char>('0' + i)));
    Lavish peer(std::move(stream));
    FrameReader frames(peer, 110 << 20);
    std::optional<Bytes> frame = co_await first_frame(frames, peer);
    for (int i = 0; i < count; ++i) {
      if (i > 0) frame = frames.ready();
      if (!frame) frame = co_await frames.next(never);
      REQUIRE(frame);
      CHECK(frame->text() == std::string(size, static_cast<char>('0' + i)));
      CHECK(frames.held() <= 100'000);
    }
    CHECK(peer.reads_ < count / 4);
  });
}

TEST_CASE("a frame as long as the one before it comes in one read, and a silent peer holds no memory") {
  sim::World world(1);
  world.run(world.add_node("n"), []() -> Task<void> {
    constexpr size_t size = 60'000;
    constexpr int count = 20;
    std::string stream;
    for (int i = 0; i < count; ++i) stream += frame_with(std::string(size, static_cast<char>('a' + i)));
    Lavish peer(std::move(stream));
    FrameReader frames(peer, 110 << 20);
    std::optional<Bytes> frame = co_await first_frame(frames, peer);
    REQUIRE(frame);
    const int reads_of_first = peer.reads_;
    for (int i = 1; i < count; ++i) {
      frame = co_await frames.next(never);
      REQUIRE(frame);
      CHECK(frame->text() == std::string(size, static_cast<char>('a' + i)));
      CHECK(frames.held() < size + 1000);
    }
    CHECK(peer.reads_ <= reads_of_first + count);
  });
}

TEST_CASE("frames of any size come whole, however the stream is cut") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerWorld broker(seed);
    broker.run([]() -> Task<void> {
      Client client = co_await connected();
      const TopicId topic = co_await create_topic(client, "t");
      std::vector<std::string> all;
      for (const size_t size : {1u, 100u, 5000u, 70000u, 600000u, 3u}) {
        all.emplace_back(size, static_cast<char>('a' + all.size()));
        Bytes batch = batch_of({all.back()});
        const auto answer = co_await produce(client, topic, std::move(batch));
        CHECK(answer.error == ErrorCode::none);
      }
      std::vector<std::string> read;
      while (read.size() < all.size()) {
        const Offset from(static_cast<int64_t>(read.size()));
        const std::vector<std::string> more = co_await fetch_all(client, topic, from);
        REQUIRE(!more.empty());
        read.insert(read.end(), more.begin(), more.end());
      }
      CHECK(read == all);
    });
  }
}

}  // namespace
}  // namespace millrace::broker
