// What a produced batch may look like: each line of this was answered so by Kafka.
#include "log/validator.h"

#include <doctest/doctest.h>

#include "tests/log/records.h"

using namespace millrace;
using namespace millrace::log;
using protocol::BatchBuilder;
using protocol::BatchOptions;
using protocol::Compression;

namespace {

const TopicPartition orders{"orders", PartitionId(3)};
const Timestamp today(1'700'000'000'000);

Validation produce(const Bytes& bytes, LogConfig config = {}, bool client = true) {
  return validate(bytes, config, orders, today, client);
}
ErrorCode answer(const Bytes& bytes, LogConfig config = {}) { return produce(bytes, std::move(config)).error; }

// A batch of one record made by hand: its bytes are exactly `record`.
Bytes raw_batch(std::string_view record, int32_t count = 1) {
  const Bytes good = batch_of({"v"});
  std::vector<std::byte> bytes(good.span().begin(), good.span().begin() + 61);
  for (const char c : record) bytes.push_back(static_cast<std::byte>(c));
  protocol::store_big<int32_t>(bytes.data() + 8, static_cast<int32_t>(bytes.size() - 12));
  protocol::store_big<int32_t>(bytes.data() + 57, count);
  protocol::store_big<int32_t>(bytes.data() + 23, count - 1);
  protocol::store_big<uint32_t>(bytes.data() + 17, protocol::crc32c(std::span(bytes).subspan(21)));
  return Bytes::take(std::move(bytes));
}

}  // namespace

TEST_CASE("a good batch is accepted as it came") {
  const Bytes good = batch_of({"a", "b", "c"});
  const Validation valid = produce(good);
  CHECK(valid.error == ErrorCode::none);
  REQUIRE(valid.batches.size() == 1);
  CHECK(valid.batches[0].records == 3);
  CHECK(valid.batches[0].batch.bytes().data() == good.data());
}

TEST_CASE("empty records, half a batch, two batches and old magic are invalid records") {
  const Bytes good = batch_of({"a"});
  CHECK(answer(Bytes()) == ErrorCode::invalid_record);
  CHECK(answer(good.slice(0, 10)) == ErrorCode::invalid_record);
  CHECK(answer(good.slice(0, good.size() - 1)) == ErrorCode::invalid_record);
  CHECK(answer(joined({good, good})) == ErrorCode::invalid_record);
  CHECK(answer(patched<int8_t>(good, 16, 0, false)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int8_t>(good, 16, 1, false)) == ErrorCode::invalid_record);
}

TEST_CASE("a wrong checksum, an unknown magic and an impossible length are corrupt messages") {
  const Bytes good = batch_of({"abc"});
  CHECK(answer(patched<int8_t>(good, good.size() - 2, 'x', false)) == ErrorCode::corrupt_message);
  CHECK(answer(patched<int8_t>(good, 16, 3, false)) == ErrorCode::corrupt_message);
  CHECK(answer(patched<int8_t>(good, 16, -1, false)) == ErrorCode::corrupt_message);
  CHECK(answer(patched<int32_t>(good, 8, 13, false)) == ErrorCode::corrupt_message);
  CHECK(answer(patched<int32_t>(good, 8, -1, false)) == ErrorCode::corrupt_message);
  CHECK(answer(patched<int32_t>(good, 8, 20, false)) == ErrorCode::corrupt_message);
}

TEST_CASE("bytes behind the batch are left out") {
  const Bytes good = batch_of({"abc"});
  const Validation valid = produce(joined({good, Bytes::copy_of("trailing")}));
  CHECK(valid.error == ErrorCode::none);
  CHECK(valid.size == good.size());
}

TEST_CASE("counts and offsets of the header must agree") {
  const Bytes good = batch_of({"a", "b"});
  CHECK(answer(patched<int32_t>(good, 57, 0)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int32_t>(good, 57, -1)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int32_t>(good, 57, 3)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int32_t>(good, 23, 5)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int32_t>(good, 23, -1)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int32_t>(patched<int32_t>(good, 57, 1), 23, 0)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int32_t>(patched<int32_t>(good, 57, 3), 23, 2)) == ErrorCode::invalid_record);
}

TEST_CASE("a client's base offset is 0 and its batches are no control batches") {
  const Bytes good = batch_of({"a"});
  CHECK(answer(patched<int64_t>(good, 0, 77)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int64_t>(good, 0, -5)) == ErrorCode::invalid_record);
  CHECK(answer(patched<int16_t>(good, 21, 32)) == ErrorCode::invalid_record);
}

TEST_CASE("a producer id needs an epoch and a sequence; without one they mean nothing") {
  CHECK(answer(batch_of({"a"}, from_producer(5, -1, 0))) == ErrorCode::invalid_record);
  CHECK(answer(batch_of({"a"}, from_producer(5, 0, -1))) == ErrorCode::invalid_record);
  CHECK(answer(batch_of({"a"}, from_producer(5, 0, 0))) == ErrorCode::none);
  CHECK(answer(batch_of({"a"}, from_producer(-1, -1, 9))) == ErrorCode::none);
  CHECK(answer(batch_of({"a"}, from_producer(-2, 0, 0))) == ErrorCode::none);
}

TEST_CASE("records are read to their last byte") {
  const std::string_view good("\x0e\0\0\0\x02k\x02v\0", 9);
  CHECK(answer(raw_batch(good.substr(0, 1))) == ErrorCode::invalid_record);
  CHECK(answer(raw_batch(std::string_view("\x10\0\0\0\x02k\x02v\0", 9))) == ErrorCode::none);
  CHECK(answer(raw_batch(std::string_view("\x12\0\0\0\x02k\x02v\0\0", 10))) == ErrorCode::invalid_record);  // spare
  CHECK(answer(raw_batch(std::string_view("\x14\0\0\0\x02k\x02v\x02\x01\x01", 11))) ==
        ErrorCode::invalid_record);  // null header key
  CHECK(answer(raw_batch(std::string_view("\x20\0\0\0\x02k\x02v\0", 9))) == ErrorCode::invalid_record);
}

TEST_CASE("null keys and values, odd bits and wrong newest timestamps are accepted") {
  BatchBuilder builder;
  builder.add(today, std::nullopt, std::nullopt);
  CHECK(answer(builder.build()) == ErrorCode::none);
  CHECK(answer(patched<int16_t>(batch_of({"a"}), 21, 64 | 128)) == ErrorCode::none);
  const Validation valid = produce(patched<int64_t>(batch_of({"a"}), 35, 12345));
  REQUIRE(valid.error == ErrorCode::none);
  const protocol::RecordBatch stored = stamped(valid.batches[0], Offset(7), LeaderEpoch(2), StampIn::copy);
  CHECK(stored.max_timestamp() == today);
  CHECK(stored.crc_matches());
  CHECK(stored.base_offset() == Offset(7));
  CHECK(stored.leader_epoch() == LeaderEpoch(2));
}

TEST_CASE("an unknown codec, and bytes that are not of the codec, are unknown server errors") {
  CHECK(answer(patched<int16_t>(batch_of({"a"}), 21, 5)) == ErrorCode::unknown_server_error);
  CHECK(answer(patched<int16_t>(batch_of({"a"}), 21, 7)) == ErrorCode::unknown_server_error);
  CHECK(answer(patched<int16_t>(batch_of({"a"}), 21, 1)) == ErrorCode::unknown_server_error);
  CHECK(answer(patched<int16_t>(batch_of({"a"}), 21, 4)) == ErrorCode::unknown_server_error);
}

TEST_CASE("max.message.bytes counts the whole batch") {
  const Bytes good = batch_of({std::string(100, 'x')});
  LogConfig config;
  config.max_message_bytes = static_cast<int32_t>(good.size());
  CHECK(answer(good, config) == ErrorCode::none);
  --config.max_message_bytes;
  CHECK(answer(good, config) == ErrorCode::message_too_large);
  CHECK(produce(good, config, false).error == ErrorCode::none);
}

TEST_CASE("a compacted topic names every record without a key") {
  BatchBuilder builder;
  builder.add(today, "k", "v");
  builder.add(today, std::nullopt, "v");
  builder.add(today, std::nullopt, "v");
  LogConfig config;
  config.cleanup_compact = true;
  const Validation refused = produce(builder.build(), config);
  CHECK(refused.error == ErrorCode::invalid_record);
  REQUIRE(refused.record_errors.size() == 2);
  CHECK(refused.record_errors[0].index == 1);
  CHECK(refused.record_errors[1].message ==
        "Compacted topic cannot accept message without key in topic partition orders-3.");
}

TEST_CASE("timestamps too far from now are refused record by record") {
  LogConfig config;
  BatchBuilder builder;
  builder.add(today, "k", "v");
  builder.add(today + 3'600'001, "k", "v");
  const Validation refused = produce(builder.build(), config);
  CHECK(refused.error == ErrorCode::invalid_timestamp);
  REQUIRE(refused.record_errors.size() == 1);
  CHECK(refused.record_errors[0].index == 1);
  CHECK(answer(batch_of({"a"}, {}, today + 3'600'000), config) == ErrorCode::none);
  for (const int64_t old : {int64_t{0}, int64_t{-1}, int64_t{-2}}) {
    CHECK(answer(batch_of({"a"}, {}, Timestamp(old)), config) == ErrorCode::none);
  }
  config.timestamp_before_max = Millis(1000);
  CHECK(answer(batch_of({"a"}, {}, today + -1001), config) == ErrorCode::invalid_timestamp);
  CHECK(answer(batch_of({"a"}, {}, today + -1000), config) == ErrorCode::none);
  CHECK(answer(batch_of({"a"}, {}, Timestamp(-1)), config) == ErrorCode::none);
  CHECK(answer(batch_of({"a"}, {}, Timestamp(INT64_MIN)), config) == ErrorCode::invalid_timestamp);
  CHECK(answer(batch_of({"a"}, {}, Timestamp(INT64_MAX)), config) == ErrorCode::invalid_timestamp);
}

TEST_CASE("a log-append-time topic stamps the batch, and takes no batch that claims to be stamped") {
  LogConfig config;
  config.timestamp_type = TimestampType::log_append_time;
  const Bytes old = batch_of({"a", "b"}, {}, Timestamp(1000));
  const Validation valid = produce(old, config);
  REQUIRE(valid.error == ErrorCode::none);
  const protocol::RecordBatch stored = stamped(valid.batches[0], Offset(0), LeaderEpoch(0), StampIn::copy);
  CHECK(stored.is_log_append_time());
  CHECK(stored.max_timestamp() == today);
  CHECK(stored.crc_matches());
  CHECK(answer(patched<int16_t>(old, 21, 8), config) == ErrorCode::invalid_timestamp);

  const Validation cleared = produce(patched<int16_t>(old, 21, 8));
  REQUIRE(cleared.error == ErrorCode::none);
  CHECK_FALSE(stamped(cleared.batches[0], Offset(0), LeaderEpoch(0), StampIn::copy).is_log_append_time());
}

TEST_CASE("a batch is recompressed only where the topic asks for another codec") {
  for (const Compression source :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    BatchOptions options = from_producer(4, 1, 9);
    options.compression = source;
    const Bytes sent = batch_of({"a", "b", "c"}, options);
    for (int8_t target = 0; target <= 4; ++target) {
      LogConfig config;
      config.compression = target;
      const Validation valid = produce(sent, config);
      REQUIRE(valid.error == ErrorCode::none);
      const protocol::RecordBatch& batch = valid.batches[0].batch;
      CHECK(static_cast<int8_t>(batch.compression()) == target);
      CHECK((batch.bytes().data() == sent.data()) == (static_cast<int8_t>(source) == target));
      CHECK(values_of({batch.bytes()}) == std::vector<std::string>{"a", "b", "c"});
      CHECK(batch.producer_id() == ProducerId(4));
      CHECK(batch.base_sequence() == Sequence(9));
    }
  }
}

TEST_CASE("a compressed batch whose inner offsets have gaps is built anew, an uncompressed one is kept") {
  for (const Compression codec : {Compression::none, Compression::zstd}) {
    BatchOptions options;
    options.compression = codec;
    BatchBuilder builder(options);
    builder.add_at(1, today, "k", "a");
    builder.add_at(0, today, "k", "b");
    const Bytes odd = patched<int32_t>(builder.build(), 23, 1);
    const Validation valid = produce(odd);
    REQUIRE(valid.error == ErrorCode::none);
    CHECK((valid.batches[0].batch.bytes().data() == odd.data()) == (codec == Compression::none));
  }
}

TEST_CASE("a batch that unpacks to far more than its limit is refused without unpacking it all") {
  BatchOptions options;
  options.compression = Compression::zstd;
  BatchBuilder builder(options);
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 40; ++i) builder.add(today, "k", zeros);
  LogConfig config;
  config.max_message_bytes = 100'000;
  CHECK(answer(builder.build(), config) == ErrorCode::unknown_server_error);
}

TEST_CASE("the broker's own batches may be control batches, and several") {
  const Validation valid = produce(joined({marker(1, 0, true), marker(2, 0, false)}), {}, false);
  CHECK(valid.error == ErrorCode::none);
  CHECK(valid.batches.size() == 2);
}

TEST_CASE("a follower takes whole checksummed batches that go on where its log ends") {
  const Bytes first = patched<int64_t>(batch_of({"a", "b"}), 0, 10);
  const Bytes second = patched<int64_t>(batch_of({"c"}), 0, 15);
  const auto answer_at = [&](const Bytes& bytes, int64_t next) {
    return validate_replicated(bytes, Offset(next), orders);
  };
  CHECK(answer_at(joined({first, second}), 10).batches.size() == 2);
  CHECK(answer_at(joined({first, second.slice(0, second.size() - 1)}), 10).batches.size() == 1);
  CHECK(answer_at(first, 11).error == ErrorCode::offset_out_of_range);
  CHECK(answer_at(joined({second, first}), 10).error == ErrorCode::offset_out_of_range);
  CHECK(answer_at(patched<int8_t>(first, 65, 1, false), 10).error == ErrorCode::corrupt_message);
}
