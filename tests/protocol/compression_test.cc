// Codecs: round trips, foreign forms, and input that lies.
#include "protocol/compression.h"

#include <doctest/doctest.h>
#include <snappy-c.h>

#include <string>

using namespace millrace;
using namespace millrace::protocol;

namespace {

constexpr size_t limit = 1 << 20;

std::string text_of(size_t size) {
  std::string text;
  for (unsigned i = 0; text.size() < size; ++i)
    text += "order " + std::to_string(i * 2654435761u) + " of shop " + std::to_string(i % 7) + "\n";
  text.resize(size);
  return text;
}

}  // namespace

TEST_CASE("every codec gives back what was put in, from nothing to many blocks") {
  for (const Compression codec :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    for (const size_t size : {0u, 1u, 100u, 32768u, 32769u, 200000u, 1u << 20}) {
      CAPTURE(name(codec));
      CAPTURE(size);
      const Bytes input = Bytes::copy_of(text_of(size));
      const Bytes packed = compress(codec, input.span());
      CHECK(decompress(codec, packed, limit) == input);
    }
  }
}

TEST_CASE("raw snappy, without framing, is read too") {
  const std::string text = text_of(5000);
  size_t length = snappy_max_compressed_length(text.size());
  std::string raw(length, '\0');
  REQUIRE(snappy_compress(text.data(), text.size(), raw.data(), &length) == SNAPPY_OK);
  raw.resize(length);
  CHECK(decompress(Compression::snappy, Bytes::copy_of(raw), limit).text() == text);
}

TEST_CASE("gzip members that follow each other are one text") {
  const Bytes a = compress(Compression::gzip, Bytes::copy_of("first ").span());
  const Bytes b = compress(Compression::gzip, Bytes::copy_of("second").span());
  const Bytes both = Bytes::copy_of(std::string(a.text()) + std::string(b.text()));
  CHECK(decompress(Compression::gzip, both, limit).text() == "first second");
}

TEST_CASE("a small input that decompresses to more than the limit is refused") {
  const Bytes bomb = Bytes::copy_of(std::string(8 << 20, 'a'));
  for (const Compression codec : {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    CAPTURE(name(codec));
    const Bytes packed = compress(codec, bomb.span());
    CHECK_THROWS_AS((void)decompress(codec, packed, limit), CompressionError);
  }
}

TEST_CASE("every truncation of compressed data is an error, and so is noise") {
  const Bytes input = Bytes::copy_of(text_of(3000));
  for (const Compression codec : {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    CAPTURE(name(codec));
    const Bytes packed = compress(codec, input.span());
    for (size_t length = 0; length + 1 < packed.size(); ++length) {
      if (codec == Compression::snappy && length == 16) continue;  // framing without a block is an empty text
      CAPTURE(length);
      CHECK_THROWS_AS((void)decompress(codec, packed.slice(0, length), limit), CompressionError);
    }
    CHECK_THROWS_AS((void)decompress(codec, input, limit), CompressionError);
  }
}

TEST_CASE("a snappy block that announces gigabytes is refused before they are allocated") {
  const Bytes lie = Bytes::copy_of(std::string("\xff\xff\xff\xff\x0f\x00", 6));
  CHECK_THROWS_AS((void)decompress(Compression::snappy, lie, size_t{4} << 30), CompressionError);
}

TEST_CASE("codecs go by Kafka's names") {
  CHECK(compression_named("zstd") == Compression::zstd);
  CHECK(name(Compression::lz4) == "lz4");
  CHECK(!compression_named("brotli"));
}
