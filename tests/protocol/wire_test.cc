// The primitive wire types.
#include <doctest/doctest.h>

#include "protocol/errors.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

using namespace millrace;
using namespace millrace::protocol;

namespace {

Bytes bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> data;
  for (const int value : values) data.push_back(static_cast<std::byte>(value));
  return Bytes::take(std::move(data));
}

}  // namespace

TEST_CASE("numbers are big endian, and come back") {
  Writer writer;
  writer.i8(-2);
  writer.i16(-3);
  writer.u16(65535);
  writer.i32(0x01020304);
  writer.i64(-5);
  writer.f64(0.5);
  writer.uuid(Uuid{1, 2});
  const Bytes data = writer.finish_whole();
  CHECK(data.slice(5, 4) == bytes_of({1, 2, 3, 4}));
  Reader reader(data);
  CHECK(reader.i8() == -2);
  CHECK(reader.i16() == -3);
  CHECK(reader.u16() == 65535);
  CHECK(reader.i32() == 0x01020304);
  CHECK(reader.i64() == -5);
  CHECK(reader.f64() == 0.5);
  CHECK(reader.uuid() == Uuid{1, 2});
  CHECK(reader.ok());
  CHECK(reader.remaining() == 0);
}

TEST_CASE("varints of any size come back") {
  const int64_t values[] = {0, 1, -1, 63, 64, -64, -65, 300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  Writer writer;
  for (const int64_t value : values) writer.varlong(value);
  for (const int64_t value : values) writer.varint(static_cast<int32_t>(value));
  Reader reader(writer.finish_whole());
  for (const int64_t value : values) CHECK(reader.varlong() == value);
  for (const int64_t value : values) CHECK(reader.varint() == static_cast<int32_t>(value));
  CHECK(reader.ok());
}

TEST_CASE("a varint without an end is refused") {
  Reader reader(bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
  CHECK(reader.uvarint() == 0);
  CHECK_FALSE(reader.ok());
}

TEST_CASE("after a short read everything is zero, empty or null") {
  Reader reader(bytes_of({0, 1, 2}));
  CHECK(reader.i32() == 0);
  CHECK_FALSE(reader.ok());
  CHECK(reader.i8() == 0);
  CHECK(reader.string(true).empty());
  CHECK_FALSE(reader.nullable_string(false));
  CHECK(reader.uuid().is_zero());
  CHECK(reader.count(false, 1) == 0);
  CHECK(reader.remaining() == 0);
}

TEST_CASE("null is a failure only where there cannot be one; any negative length is null") {
  Reader null_text(bytes_of({0xff, 0xfe}));
  CHECK_FALSE(null_text.nullable_string(false));
  CHECK(null_text.ok());
  Reader no_text(bytes_of({0xff, 0xff}));
  no_text.string(false);
  CHECK_FALSE(no_text.ok());
  Reader null_array(bytes_of({0}));
  CHECK_FALSE(null_array.nullable_count(true, 1));
  CHECK(null_array.ok());
}

TEST_CASE("a count is refused when the bytes left cannot hold so many") {
  Reader few(bytes_of({5, 1, 1, 1, 1}));
  CHECK(few.count(true, 1) == 4);
  Reader many(bytes_of({5, 1, 1, 1, 1}));
  many.count(true, 2);
  CHECK_FALSE(many.ok());
}

TEST_CASE("a tagged field cannot reach behind its end, and need not be read to it") {
  // tag 0 of 2 bytes, tag 1 of 4 bytes, then 7
  const Bytes data = bytes_of({2, 0, 2, 1, 2, 1, 4, 0, 0, 0, 9, 7});
  Reader lazy(data);
  int32_t second = 0;
  lazy.tagged([&](uint32_t tag) {
    if (tag == 1) second = lazy.i32();
  });
  CHECK(second == 9);
  CHECK(lazy.i8() == 7);
  CHECK(lazy.ok());
  Reader greedy(data);
  greedy.tagged([&](uint32_t tag) {
    if (tag == 0) greedy.i32();
  });
  CHECK_FALSE(greedy.ok());
}

TEST_CASE("a tagged field gets its size whatever that is") {
  for (const size_t size : {0, 1, 127, 128, 300, 16383, 16384, 70000}) {
    CAPTURE(size);
    Writer writer;
    writer.i32(1);
    const size_t outer = writer.begin_tagged(200);
    const size_t inner = writer.begin_tagged(3);
    writer.append(Bytes::copy_of(std::string(size, 'x')).span());
    writer.end_tagged(inner);
    writer.end_tagged(outer);
    writer.i8(9);
    Reader reader(writer.finish_whole());
    CHECK(reader.i32() == 1);
    CHECK(reader.uvarint() == 200);
    const uint32_t whole = reader.uvarint();
    const size_t before = reader.remaining();
    CHECK(reader.uvarint() == 3);
    CHECK(reader.uvarint() == size);
    CHECK(reader.take(size).text() == std::string(size, 'x'));
    CHECK(before - reader.remaining() == whole);
    CHECK(reader.i8() == 9);
    CHECK(reader.ok());
  }
}

TEST_CASE("a tagged field survives wherever the buffer ends") {
  for (size_t before = 0; before < 300; ++before) {
    Writer writer;
    writer.append(Bytes::copy_of(std::string(before, 'x')).span());
    const size_t begin = writer.begin_tagged(1);
    writer.i16(0x0102);
    writer.end_tagged(begin);
    CHECK(writer.finish_whole().slice(before, 4) == bytes_of({1, 2, 1, 2}));
  }
}

TEST_CASE("a size is filled in after what it counts, across splices") {
  const Bytes big = Bytes::copy_of(std::string(5000, 'b'));
  Writer writer;
  const size_t frame = writer.reserve_i32();
  writer.splice(big);
  const size_t later = writer.reserve_i32();
  writer.i8(1);
  writer.patch_i32(later, 77);
  writer.patch_i32(frame, static_cast<int32_t>(writer.size()) - 4);
  const std::vector<Bytes> pieces = writer.finish();
  REQUIRE(pieces.size() == 3);
  CHECK(pieces[0] == bytes_of({0, 0, 0x13, 0x8d}));
  CHECK(pieces[1].data() == big.data());
  CHECK(pieces[2] == bytes_of({0, 0, 0, 77, 1}));
}

TEST_CASE("a string that no length can describe is refused") {
  Writer writer;
  CHECK_THROWS_AS(writer.string(std::string(32768, 'x'), true), CannotEncode);
}

TEST_CASE("errors have Kafka's names and numbers") {
  CHECK(name(ErrorCode::none) == "NONE");
  CHECK(name(ErrorCode::unknown_topic_or_partition) == "UNKNOWN_TOPIC_OR_PARTITION");
  CHECK(static_cast<int>(ErrorCode::share_session_limit_reached) == 133);
  CHECK(retriable(ErrorCode::not_leader_or_follower));
  CHECK_FALSE(retriable(ErrorCode::invalid_request));
  CHECK(error_named("FENCED_LEADER_EPOCH") == ErrorCode::fenced_leader_epoch);
  CHECK(error_numbered(-1) == ErrorCode::unknown_server_error);
  CHECK_FALSE(error_numbered(134));
  CHECK_FALSE(error_numbered(-2));
  CHECK(name(static_cast<ErrorCode>(999)) == "UNKNOWN_SERVER_ERROR");
}
