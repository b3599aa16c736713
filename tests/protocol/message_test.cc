// Every message in every version: written as it was read, and no bytes from outside can do harm.
#include <doctest/doctest.h>

#include <cstdlib>

#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/headers.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/metadata_records.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/registry.h"
#include "tests/protocol/codec.h"
#include "tests/protocol/random_message.h"

using namespace millrace;
using namespace millrace::protocol;

namespace {

uint64_t seed() {
  const char* given = std::getenv("MILLRACE_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20240229;
}

template <class Body>
void each_version(Body body) {
  for (const Codec& codec : all_codecs())
    for (int16_t version = codec.message->min_version; version <= codec.message->max_version; ++version) {
      CAPTURE(codec.message->name);
      CAPTURE(version);
      body(codec, version);
    }
}

}  // namespace

TEST_CASE("the table of messages and the generated code are about the same messages") {
  CHECK(all_codecs().size() == all_messages().size());
  for (const Codec& codec : all_codecs()) CHECK(find_message(codec.message->name) == codec.message);
  CHECK(find_message(MessageKind::request, 1) == &FetchRequest::info());
  CHECK(find_message(MessageKind::request, 4) == nullptr);
}

TEST_CASE("every message in every version is the same after writing and reading") {
  CAPTURE(seed());
  Prng prng{seed()};
  each_version([&](const Codec& codec, int16_t version) {
    for (int i = 0; i < 20; ++i) {
      const Bytes body = random_body(*codec.message, prng, version);
      const RoundTrip result = codec.round_trip(body, version);
      REQUIRE(result.read);
      REQUIRE(result.left == 0);
      REQUIRE(result.same);
    }
  });
}

TEST_CASE("tagged fields that nobody knows are skipped, in every message") {
  CAPTURE(seed());
  Prng prng{seed() + 1};
  each_version([&](const Codec& codec, int16_t version) {
    const Bytes body = random_body(*codec.message, prng, version, {.unknown_tags = true});
    const RoundTrip result = codec.round_trip(body, version);
    REQUIRE(result.read);
    REQUIRE(result.left == 0);
    REQUIRE(result.same);
  });
}

TEST_CASE("a message that is cut short anywhere is refused") {
  CAPTURE(seed());
  Prng prng{seed() + 2};
  each_version([&](const Codec& codec, int16_t version) {
    const Bytes body = random_body(*codec.message, prng, version, {.longest_array = 2, .longest_text = 6});
    for (size_t length = 0; length < body.size(); ++length) {
      CAPTURE(length);
      REQUIRE_FALSE(codec.reads(body.slice(0, length), version));
    }
  });
}

TEST_CASE("bytes that are no message are refused or read, never more than that") {
  CAPTURE(seed());
  Prng prng{seed() + 3};
  each_version([&](const Codec& codec, int16_t version) {
    for (int i = 0; i < 10; ++i) {
      const Bytes body = random_body(*codec.message, prng, version);
      std::vector<std::byte> damaged(body.span().begin(), body.span().end());
      for (uint64_t hits = 1 + prng.below(4); hits > 0 && !damaged.empty(); --hits)
        damaged[prng.below(damaged.size())] = static_cast<std::byte>(prng.next());
      const RoundTrip result = codec.round_trip(Bytes::take(std::move(damaged)), version);
      if (result.read) {
        // What was read once is written in the same version without complaint, and that is stable.
        REQUIRE(codec.round_trip(result.written, version).written == result.written);
      }
    }
  });
}

TEST_CASE("an array that promises more elements than there are bytes is refused before any is made") {
  Writer writer;
  writer.i32(0x7fffffff);
  writer.append(Bytes::copy_of(std::string(100, '\0')).span());
  Reader reader(writer.finish_whole());
  MetadataRequest request;
  request.decode(reader, 0);
  CHECK_FALSE(reader.ok());
  CHECK(request.topics->capacity() == 0);
}

TEST_CASE("a version that does not exist is neither read nor written") {
  Reader reader(Bytes::copy_of(std::string(100, '\0')));
  FetchRequest request;
  request.decode(reader, 3);
  CHECK_FALSE(reader.ok());
  Writer writer;
  CHECK_THROWS_AS(request.encode(writer, 19), CannotEncode);
}

TEST_CASE("what a version cannot carry is dropped where it may be, else an error") {
  Writer writer;
  FetchRequest request;
  request.rack_id = "a";
  request.encode(writer, 10);
  request.forgotten_topics.emplace_back();
  CHECK_THROWS_AS(request.encode(writer, 6), CannotEncode);

  AddPartitionsToTxnRequest verify;
  verify.transactions.emplace_back();
  CHECK_THROWS_AS(verify.encode(writer, 3), CannotEncode);

  MetadataRequest all;
  all.topics.reset();
  CHECK_THROWS_AS(all.encode(writer, 0), CannotEncode);
  all.encode(writer, 1);
}

TEST_CASE("the client id keeps its old form in a flexible header") {
  RequestHeader header;
  header.api_key = ApiVersionsRequest::key;
  header.api_version = 3;
  header.correlation_id = 7;
  header.client_id = "me";
  Writer writer;
  header.encode(writer, 2);
  const Bytes bytes = writer.finish_whole();
  CHECK(bytes.text() == std::string_view("\0\x12\0\x03\0\0\0\x07\0\x02me\0", 13));
}

TEST_CASE("headers follow the version of the message, but ApiVersions always answers with the oldest") {
  CHECK(request_header_version<FetchRequest>(11) == 1);
  CHECK(request_header_version<FetchRequest>(12) == 2);
  CHECK(response_header_version<FetchRequest>(11) == 0);
  CHECK(response_header_version<FetchRequest>(12) == 1);
  CHECK(request_header_version<ApiVersionsRequest>(4) == 2);
  CHECK(response_header_version<ApiVersionsRequest>(4) == 0);
}

TEST_CASE("fetched records are spliced into the answer, not copied") {
  const Bytes batch = Bytes::copy_of(std::string(10000, 'r'));
  FetchResponse response;
  FetchResponse::Partition& partition = response.topics.emplace_back().partitions.emplace_back();
  partition.records = std::vector<Bytes>{batch, batch};
  Writer writer;
  response.encode(writer, 18);
  const size_t size = writer.size();
  const std::vector<Bytes> pieces = writer.finish();
  REQUIRE(pieces.size() == 4);
  CHECK(pieces[1].data() == batch.data());
  CHECK(pieces[2].data() == batch.data());
  size_t total = 0;
  for (const Bytes& piece : pieces) total += piece.size();
  CHECK(total == size);
}

TEST_CASE("produced records are a view into the frame") {
  Prng prng{seed()};
  const FetchResponse sent = random_message<FetchResponse>(prng, 18);
  Writer writer;
  sent.encode(writer, 18);
  const Bytes frame = writer.finish_whole();
  Reader reader(frame);
  FetchResponse received;
  received.decode(reader, 18);
  for (const auto& topic : received.topics)
    for (const auto& partition : topic.partitions)
      if (partition.records && !partition.records->empty()) {
        const std::byte* data = partition.records->whole().data();
        CHECK(data >= frame.data());
        CHECK(data < frame.data() + frame.size());
      }
}

TEST_CASE("records are described as Kafka's tools print them") {
  TopicRecord record;
  record.name = "orders";
  record.topic_id = Uuid{1, 2};
  CHECK(describe(record) == R"({"name":"orders","topicId":"AAAAAAAAAAEAAAAAAAAAAg"})");

  PartitionChangeRecord change;
  change.partition_id = PartitionId(3);
  change.isr = std::vector{BrokerId(1), BrokerId(2)};
  change.leader = BrokerId(1);
  CHECK(describe(change) == R"({"partitionId":3,"topicId":"AAAAAAAAAAAAAAAAAAAAAA","isr":[1,2],"leader":1})");
}

TEST_CASE("no two messages of a kind share a key") {
  for (const MessageInfo& message : all_messages()) {
    if (message.key < 0) continue;
    CAPTURE(message.name);
    CHECK(find_message(message.kind, message.key) == &message);
  }
}
