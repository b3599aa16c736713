// Record batches: what is built is read back, and what is damaged is noticed.
#include "protocol/record_batch.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <random>

#include "protocol/batch_layout.h"
#include "protocol/crc32c.h"
#include "protocol/record_survey.h"
#include "protocol/varint.h"

using namespace millrace;
using namespace millrace::protocol;

namespace {

Bytes three_records(BatchOptions options = {}) {
  BatchBuilder builder(std::move(options));
  const std::vector<Header> headers = {{"trace", "17"}, {"empty", std::nullopt}};
  builder.add(Timestamp(1000), "k1", "v1", headers);
  builder.add(Timestamp(1005), std::nullopt, "v2");
  builder.add(Timestamp(999), "k3", std::nullopt);
  return builder.build();
}

std::string legacy_message(int64_t offset, int8_t magic, int8_t attributes, int64_t timestamp, std::string_view value) {
  std::string body;
  const auto put = [](std::string& out, auto v) {
    std::byte raw[sizeof v];
    store_big(raw, v);
    out.append(reinterpret_cast<const char*>(raw), sizeof v);
  };
  put(body, magic);
  put(body, attributes);
  if (magic == 1) put(body, timestamp);
  put(body, int32_t{-1});
  put(body, static_cast<int32_t>(value.size()));
  body.append(value);
  std::string message;
  put(message, offset);
  put(message, static_cast<int32_t>(body.size() + 4));
  put(message,
      static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
  return message + body;
}

}  // namespace

TEST_CASE("crc32c of the standard's check string is e3069283, in one piece or two") {
  const Bytes digits = Bytes::copy_of("123456789");
  CHECK(crc32c(digits.span()) == 0xe3069283u);
  CHECK(crc32c(digits.span().subspan(4), crc32c(digits.span().first(4))) == 0xe3069283u);
}

TEST_CASE("a built batch reads back as it was written, with every codec") {
  for (const Compression codec :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    CAPTURE(name(codec));
    BatchOptions options;
    options.base_offset = Offset(40);
    options.leader_epoch = LeaderEpoch(3);
    options.compression = codec;
    options.producer_id = ProducerId(9);
    options.producer_epoch = ProducerEpoch(1);
    options.base_sequence = Sequence(INT32_MAX);
    const RecordBatch batch(three_records(options));
    CHECK(batch.crc_matches());
    CHECK(batch.magic() == 2);
    CHECK(batch.base_offset() == Offset(40));
    CHECK(batch.last_offset() == Offset(42));
    CHECK(batch.leader_epoch() == LeaderEpoch(3));
    CHECK(batch.compression() == codec);
    CHECK(batch.max_timestamp() == Timestamp(1005));
    CHECK(batch.last_sequence() == Sequence(1));
    CHECK(batch.count() == 3);
    RecordReader reader(batch);
    const auto first = reader.next();
    REQUIRE(first);
    CHECK(first->offset == Offset(40));
    CHECK(first->timestamp == Timestamp(1000));
    CHECK(first->key == "k1");
    REQUIRE(first->headers().size() == 2);
    CHECK(first->headers()[0].value == "17");
    CHECK(!first->headers()[1].value);
    const auto second = reader.next();
    REQUIRE(second);
    CHECK(!second->key);
    const auto third = reader.next();
    REQUIRE(third);
    CHECK(third->timestamp == Timestamp(999));
    CHECK(!third->value);
    CHECK(!reader.next());
    CHECK(!reader.malformed());
  }
}

TEST_CASE("of two sequences the later one is known also when it has begun again with 0") {
  CHECK(sequence_distance(Sequence(7), Sequence(7)) == 0);
  CHECK(sequence_distance(Sequence(7), Sequence(1'000'007)) == 1'000'000);
  CHECK(sequence_distance(Sequence(1'000'007), Sequence(7)) == -1'000'000);
  for (const int32_t n : {1, 100, 1'000'000'000}) {
    const Sequence last(INT32_MAX);
    CHECK(sequence_distance(last, add_sequence(last, n)) == n);
    CHECK(sequence_distance(add_sequence(last, n), last) == -n);
  }
}

TEST_CASE("stamping offset and epoch leaves the checksum right") {
  const Bytes built = three_records();
  std::vector<std::byte> copy(built.span().begin(), built.span().end());
  stamp(copy, Offset(1234567890123), LeaderEpoch(7));
  const RecordBatch batch(Bytes::take(copy));
  CHECK(batch.base_offset() == Offset(1234567890123));
  CHECK(batch.leader_epoch() == LeaderEpoch(7));
  CHECK(batch.crc_matches());
}

TEST_CASE("a log-append-time stamp gives every record the broker's time") {
  const Bytes built = three_records();
  std::vector<std::byte> copy(built.span().begin(), built.span().end());
  stamp_log_append_time(copy, Timestamp(5555));
  const RecordBatch batch(Bytes::take(copy));
  CHECK(batch.crc_matches());
  RecordReader reader(batch);
  while (const auto record = reader.next()) CHECK(record->timestamp == Timestamp(5555));
}

TEST_CASE("an iterator gives whole batches and says what is left") {
  const Bytes one = three_records();
  const std::string two = std::string(one.text()) + std::string(one.text());
  BatchIterator torn(Bytes::copy_of(two.substr(0, two.size() - 1)));
  CHECK(torn.next());
  CHECK(!torn.next());
  CHECK(torn.position() == one.size());
  CHECK(torn.rest() == one.size() - 1);
  CHECK(!torn.malformed());
  std::string lying = two;
  lying[one.size() + 8] = '\xff';
  BatchIterator iterator(Bytes::copy_of(lying));
  CHECK(iterator.next());
  CHECK(!iterator.next());
  CHECK(iterator.malformed());
}

TEST_CASE("any flipped bit behind the leader epoch is noticed by checksum, length or magic") {
  const Bytes built = three_records();
  for (size_t bit = 16 * 8; bit < built.size() * 8; ++bit) {
    std::vector<std::byte> copy(built.span().begin(), built.span().end());
    copy[bit / 8] ^= std::byte(1u << (bit % 8));
    BatchIterator iterator(Bytes::take(copy));
    const auto batch = iterator.next();
    CHECK((!batch || batch->magic() != 2 || !batch->crc_matches()));
  }
}

TEST_CASE("records that do not fill their batch exactly are malformed") {
  const Bytes built = three_records();
  for (const int32_t count : {2, 4, -1}) {
    std::vector<std::byte> copy(built.span().begin(), built.span().end());
    store_big<int32_t>(copy.data() + 57, count);
    RecordReader reader(RecordBatch(Bytes::take(copy)));
    while (reader.next()) {
    }
    CHECK(reader.malformed());
  }
}

TEST_CASE("records written in parts, or many at once, are those that are written one by one") {
  std::mt19937_64 random(5);
  for (const int64_t time : {int64_t{0}, int64_t{-1}, int64_t{70}, INT64_MAX / 2}) {
    for (const int64_t first : {0, 60, 8190, 1 << 20}) {
      std::string values, one_by_one = "header", at_once = "header";
      std::vector<size_t> ends;
      const size_t from = random() % 3;
      values.resize(from, '-');
      for (int64_t offset = first; offset < first + 100; ++offset) {
        const size_t most = offset % 20 == 0 ? 20'000 : offset % 3 == 0 ? 200 : 70;
        const std::string value(random() % most, static_cast<char>('a' + offset % 26));
        append_record(one_by_one, time, offset, std::nullopt, value, {});
        values += value;
        ends.push_back(values.size());
      }
      append_values(at_once, time, first, values, from, ends);
      CHECK(at_once == one_by_one);
    }
    for (const size_t size : {0, 1, 63, 64, 8191, 8192, 300'000}) {
      for (const std::optional<std::string_view> key : {std::optional<std::string_view>("1/0/17"), {}}) {
        const std::string value(size, 'v');
        std::string whole = "header", in_parts = "header";
        append_record(whole, time, 3, key, value, {});
        begin_record(in_parts, time, 3, key, value.size());
        in_parts += value;
        end_record(in_parts);
        CHECK(in_parts == whole);
      }
    }
  }
}

TEST_CASE("a builder goes on at the next offset and sequence") {
  BatchOptions options;
  options.producer_id = ProducerId(1);
  options.base_sequence = Sequence(0);
  BatchBuilder builder(options);
  builder.add(Timestamp(1), "a", "1");
  builder.add(Timestamp(1), "b", "2");
  (void)builder.build();
  CHECK(builder.empty());
  builder.add(Timestamp(2), "c", "3");
  const RecordBatch next(builder.build());
  CHECK(next.base_offset() == Offset(2));
  CHECK(next.base_sequence() == Sequence(2));
}

TEST_CASE("legacy messages are read, plain and wrapped, with absolute offsets") {
  const std::string plain = legacy_message(5, 1, 0, 777, "old");
  RecordReader reader{RecordBatch(Bytes::copy_of(plain))};
  const auto record = reader.next();
  REQUIRE(record);
  CHECK(record->offset == Offset(5));
  CHECK(record->timestamp == Timestamp(777));
  CHECK(record->value == "old");
  CHECK(RecordBatch(Bytes::copy_of(plain)).crc_matches());

  const std::string inner = legacy_message(0, 1, 0, 1, "a") + legacy_message(1, 1, 0, 2, "b");
  const Bytes packed = compress(Compression::gzip, Bytes::copy_of(inner).span());
  RecordReader wrapped{RecordBatch(Bytes::copy_of(legacy_message(11, 1, 1, 2, packed.text())))};
  const auto a = wrapped.next();
  const auto b = wrapped.next();
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->offset == Offset(10));
  CHECK(b->offset == Offset(11));
  CHECK(b->value == "b");
  CHECK(!wrapped.next());
}

TEST_CASE("varints of every length survive a round trip") {
  for (int shift = 0; shift < 64; ++shift) {
    for (const int64_t v : {int64_t{1} << shift, -(int64_t{1} << (shift % 63)), (int64_t{1} << (shift % 63)) - 1}) {
      std::string out;
      append_varint(out, v);
      CHECK(out.size() == varint_size(v));
      const char* at = out.data();
      int64_t back = 0;
      REQUIRE(read_varint(at, out.data() + out.size(), back));
      CHECK(back == v);
    }
  }
}

namespace {

// Whether the survey and the reader agree about the batch: what they find, or that something is wrong.
bool survey_agrees(const RecordBatch& batch) {
  RecordSurvey read;
  RecordReader records(batch);
  int32_t index = 0;
  while (const std::optional<RecordView> record = records.next()) {
    read.oldest = std::min(read.oldest, record->timestamp);
    read.newest = std::max(read.newest, record->timestamp);
    read.all_have_keys &= record->key.has_value();
    read.consecutive &= record->offset == batch.base_offset() + index;
    ++index;
  }
  const std::optional<RecordSurvey> found = survey(batch.payload().span(), batch.count(), batch.base_timestamp());
  if (!found) return records.malformed();
  return !records.malformed() && found->oldest == read.oldest && found->newest == read.newest &&
         found->all_have_keys == read.all_have_keys && found->consecutive == read.consecutive;
}

// A number as it may be written: with more bytes than it needs, too.
void append_number(std::string& out, int64_t number, size_t more_bytes) {
  append_varint(out, number);
  for (; more_bytes > 0; --more_bytes) {
    out.back() = static_cast<char>(static_cast<uint8_t>(out.back()) | 0x80);
    out.push_back(0);
  }
}

}  // namespace

TEST_CASE("a survey finds of any bytes what the reader finds") {
  std::mt19937 dice(7);
  const auto below = [&](size_t most) { return static_cast<size_t>(dice() % most); };
  int sound = 0;
  int unsound = 0;
  for (int round = 0; round < 20000; ++round) {
    CAPTURE(round);
    BatchBuilder builder;
    const size_t count = 1 + below(4);
    for (size_t i = 0; i < count; ++i) {
      const std::string value(below(4) == 0 ? 60 + below(200) : below(8), 'v');
      const std::vector<Header> headers(below(3), Header{"h", below(2) == 0 ? std::nullopt : std::optional("x")});
      const Timestamp time(static_cast<int64_t>(below(3)) * 100'000 - 5);
      const auto delta = static_cast<int32_t>(i + (below(20) == 0 ? 1 : 0) + (below(30) == 0 ? 200 : 0));
      builder.add_at(delta, time, below(3) == 0 ? std::nullopt : std::optional<std::string_view>("k"), value, headers);
    }
    const Bytes built = builder.build();
    std::vector<std::byte> bytes(built.span().begin(), built.span().end());
    for (size_t change = below(3); change > 0; --change) {
      bytes[batch_header_size + below(bytes.size() - batch_header_size)] = static_cast<std::byte>(below(256));
    }
    const RecordBatch batch(Bytes::take(std::move(bytes)));

    REQUIRE(survey_agrees(batch));
    ++(survey(batch.payload().span(), batch.count(), batch.base_timestamp()) ? sound : unsound);
  }
  CHECK(sound > 1000);
  CHECK(unsound > 1000);
}

TEST_CASE("a survey of many records that are alike finds what the reader finds, whatever one of them is") {
  std::mt19937 dice(11);
  const auto below = [&](size_t most) { return static_cast<size_t>(dice() % most); };
  int sound = 0;
  int unsound = 0;
  for (int round = 0; round < 6000; ++round) {
    CAPTURE(round);
    const size_t count = 1 + below(300);
    const bool keys = below(2) == 0;
    const size_t key_size = below(80);
    const size_t value_size = below(4) == 0 ? below(9000) / (1 + count / 8) : below(100);
    const bool one_size = below(2) == 0;
    const int64_t time_step = static_cast<int64_t>(below(3)) * static_cast<int64_t>(below(200));
    const size_t odd_ones = below(3);
    std::string records;
    int64_t time = below(4) == 0 ? -3 : 0;
    for (size_t i = 0; i < count; ++i) {
      const bool odd = odd_ones > 0 && below(count) < odd_ones;
      const auto padding = [&] { return odd && below(4) == 0 ? 1 + below(2) : 0; };
      const size_t own_key = one_size ? key_size : below(key_size + 1);
      const size_t own_value = one_size ? value_size : below(value_size + 1);
      const bool has_key = keys != (odd && below(3) == 0);
      const size_t headers = odd && below(3) == 0 ? 1 + below(2) : 0;
      time += odd && below(3) == 0 ? -static_cast<int64_t>(below(300)) : time_step;
      const int64_t offset = static_cast<int64_t>(i) + (odd && below(3) == 0 ? 1 : 0);
      std::string record(1, static_cast<char>(odd ? below(256) : 0));
      append_number(record, time, padding());
      append_number(record, offset, padding());
      append_number(record, has_key ? static_cast<int64_t>(own_key) : -1, padding());
      if (has_key) record.append(own_key, 'k');
      const bool has_value = !odd || below(3) > 0;
      append_number(record, has_value ? static_cast<int64_t>(own_value) : -1, padding());
      if (has_value) record.append(own_value, '\0');  // looks like the end of a record everywhere
      append_number(record, static_cast<int64_t>(headers), padding());
      for (size_t h = 0; h < headers; ++h) {
        append_number(record, 1, 0);
        record.push_back('h');
        append_number(record, -1, 0);
      }
      append_number(records, static_cast<int64_t>(record.size()), padding());
      records += record;
    }
    BatchBuilder builder;
    builder.add(Timestamp(below(50) == 0 ? INT64_MAX - 3 : 1'700'000'000'000), std::nullopt, "");
    const Bytes head = builder.build();
    std::string whole(head.text().substr(0, batch_header_size));
    whole += records;
    auto* const to = reinterpret_cast<std::byte*>(whole.data());
    store_big<int32_t>(to + 8, static_cast<int32_t>(whole.size() - batch_prefix_size));
    store_big<int32_t>(to + 57, static_cast<int32_t>(count));
    const RecordBatch batch(Bytes::copy_of(whole));
    REQUIRE(survey_agrees(batch));
    sound += survey(batch.payload().span(), batch.count(), batch.base_timestamp()) ? 1 : 0;
    for (int change = 0; change < 4; ++change) {
      std::vector<std::byte> bytes(batch.bytes().span().begin(), batch.bytes().span().end());
      for (size_t i = 0; i <= below(2); ++i) {
        std::byte& byte = bytes[batch_header_size + below(bytes.size() - batch_header_size)];
        byte = below(2) == 0 ? static_cast<std::byte>(below(256)) : byte ^ static_cast<std::byte>(1 << below(8));
      }
      const RecordBatch changed(Bytes::take(std::move(bytes)));
      REQUIRE(survey_agrees(changed));
      unsound += survey(changed.payload().span(), changed.count(), changed.base_timestamp()) ? 0 : 1;
    }
  }
  CHECK(sound == 6000);
  CHECK(unsound > 1000);
}
