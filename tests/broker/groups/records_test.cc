// The records of __consumer_offsets, to bytes and back.
#include "broker/groups/consumer_protocol.h"
#include "broker/groups/group_records.h"
#include "tests/broker/groups/group_world.h"

namespace millrace::broker::groups {
namespace {

std::string hex(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    out += digits[static_cast<uint8_t>(c) >> 4];
    out += digits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

std::vector<std::pair<std::string, std::optional<std::string>>> written(const std::vector<Change>& changes) {
  std::vector<std::pair<std::string, std::optional<std::string>>> out;
  protocol::RecordReader records{protocol::RecordBatch(batch_of(changes, Timestamp(7)))};
  while (auto record = records.next()) {
    out.emplace_back(hex(*record->key), record->value ? std::optional(hex(*record->value)) : std::nullopt);
  }
  return out;
}

Change back(const Change& change) {
  protocol::RecordReader records{protocol::RecordBatch(batch_of({change}, Timestamp(7)))};
  auto record = records.next();
  REQUIRE(record);
  record->offset = Offset(99);
  auto read = read_change(*record);
  REQUIRE(read);
  return *read;
}

TEST_CASE("an offset is written as Kafka 4.3 writes it") {
  CommittedOffset value{
      .offset = Offset(5), .leader_epoch = LeaderEpoch(2), .metadata = "m", .committed = Timestamp(9)};
  const auto plain = written({OffsetChange{"g", "t", PartitionId(3), value}});
  CHECK(plain[0].first ==
        "0001"
        "000167"
        "000174"
        "00000003");
  CHECK(plain[0].second ==
        "0004"
        "0000000000000005"
        "00000002"
        "026d"
        "0000000000000009"
        "00");

  value.topic_id = Uuid{1, 2};
  CHECK(written({OffsetChange{"g", "t", PartitionId(3), value}})[0].second ==
        "0004"
        "0000000000000005"
        "00000002"
        "026d"
        "0000000000000009"
        "01"
        "00"
        "10"
        "00000000000000010000000000000002");

  value.expires = Timestamp(10);
  CHECK(written({OffsetChange{"g", "t", PartitionId(3), value}})[0].second ==
        "0001"
        "0000000000000005"
        "00016d"
        "0000000000000009"
        "000000000000000a");
  CHECK(!written({OffsetChange{"g", "t", PartitionId(3)}})[0].second);
}

TEST_CASE("a group is written as Kafka 4.3 writes it") {
  GroupRecord record{.protocol_type = "c",
                     .generation = 1,
                     .protocol = "r",
                     .leader = "m",
                     .state_since = Timestamp(4),
                     .members = {}};
  record.members.push_back({.member_id = "m",
                            .instance_id = {},
                            .client_id = "k",
                            .client_host = "/h",
                            .rebalance_timeout = Millis(5),
                            .session_timeout = Millis(6),
                            .subscription = bytes("s"),
                            .assignment = bytes("a")});
  const auto out = written({GroupChange{"g", record}, GroupChange{"g"}});
  CHECK(out[0].first ==
        "0002"
        "000167");
  CHECK(out[0].second ==
        "0003"
        "000163"
        "00000001"
        "000172"
        "00016d"
        "0000000000000004"
        "00000001"
        "00016d"
        "ffff"
        "00016b"
        "00022f68"
        "00000005"
        "00000006"
        "0000000173"
        "0000000161");
  CHECK(!out[1].second);
}

TEST_CASE("what is written is read") {
  const CommittedOffset value{.offset = Offset(5),
                              .leader_epoch = LeaderEpoch(2),
                              .metadata = "m",
                              .committed = Timestamp(9),
                              .topic_id = Uuid{3, 4},
                              .at = Offset(99)};
  const auto offset = std::get<OffsetChange>(back(OffsetChange{"g", "t", PartitionId(1), value}));
  CHECK(offset.topic == "t");
  CHECK(offset.value == value);
  const GroupRecord record{.protocol_type = "consumer", .generation = 8, .protocol = {}, .leader = {}, .members = {}};
  CHECK(std::get<GroupChange>(back(GroupChange{"g", record})).value == record);
  CHECK(!std::get<GroupChange>(back(GroupChange{"g"})).value);
}

TEST_CASE("records of other kinds of groups, and rubbish, are passed over") {
  const auto read = [](std::string_view key, std::optional<std::string_view> value) {
    protocol::RecordView record;
    record.key = key;
    record.value = value;
    return read_change(record);
  };
  using namespace std::string_view_literals;
  CHECK(!read("\0\3\0\1g"sv, "\0\0\0\0\0\1"sv));
  CHECK(!read("\0\1\0\1g"sv, std::nullopt));
  CHECK(!read("\0\2\0\1g"sv, "\0\7"sv));
  CHECK(!read(""sv, std::nullopt));
  CHECK(read("\0\2\0\1g"sv, std::nullopt));
  CHECK(read("\0\0\0\1g\0\1t\0\0\0\0"sv, std::nullopt));
}

TEST_CASE("a group lives where Kafka looks for it: at the absolute value of Java's hash of its id") {
  CHECK(partition_of_group("", 50) == 0);
  CHECK(partition_of_group("a", 50) == 97 % 50);
  CHECK(partition_of_group("hello", 50) == 99162322 % 50);
  CHECK(partition_of_group("handed", 50) == 1224577714 % 50);  // its hash is −1224577714
  // This one hashes to −2^31, which has no absolute value.
  CHECK(partition_of_group("polygenelubricants", 50) == 0);
  CHECK(partition_of_group("\xc3\xa9", 50) == 233 % 50);
  CHECK(partition_of_group("\xf0\x9f\x98\x80", 1000003) == ((0xd83d * 31 + 0xde00) % 1000003));
  CHECK(utf16_length("a\xc3\xa9\xf0\x9f\x98\x80") == 4);
}

TEST_CASE("a subscription is read as far as its topics, and never beyond its bytes") {
  const Bytes good = subscription({"a", "bc"});
  CHECK(subscribed_topics(good.span()) == std::vector<std::string>{"a", "bc"});
  for (size_t n = 0; n < good.size(); ++n) CHECK(!subscribed_topics(good.span().first(n)));
  CHECK(!subscribed_topics(bytes("\x7f\x7f\x7f\x7f\x7f\x7f").span()));
}

TEST_CASE("a transaction's offsets count when it commits, unless a later commit stands") {
  Offsets offsets;
  const CommittedOffset early{.offset = Offset(1), .at = Offset(10)};
  const CommittedOffset late{.offset = Offset(2), .at = Offset(20)};
  offsets.put_pending(ProducerId(7), "g", "t", PartitionId(0), early);
  CHECK(offsets.has_pending("g", "t", PartitionId(0)));
  CHECK(!offsets.find("g", "t", PartitionId(0)));
  CHECK(offsets.partitions_of("g") == std::vector{TopicPartition{"t", PartitionId(0)}});
  SUBCASE("commit") {
    offsets.complete(ProducerId(7), true);
    CHECK(offsets.find("g", "t", PartitionId(0))->offset == Offset(1));
  }
  SUBCASE("abort") {
    offsets.complete(ProducerId(7), false);
    CHECK(!offsets.find("g", "t", PartitionId(0)));
  }
  SUBCASE("a later plain commit wins") {
    offsets.put("g", "t", PartitionId(0), late);
    offsets.complete(ProducerId(7), true);
    CHECK(offsets.find("g", "t", PartitionId(0))->offset == Offset(2));
  }
  SUBCASE("deleting takes the pending one too") {
    offsets.remove("g", "t", PartitionId(0));
    offsets.complete(ProducerId(7), true);
    CHECK(!offsets.find("g", "t", PartitionId(0)));
  }
  CHECK(!offsets.has_pending("g"));
}

}  // namespace
}  // namespace millrace::broker::groups
