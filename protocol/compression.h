// The codecs of record batches: none, gzip, snappy, lz4 and zstd, in the forms that Kafka's clients write and read.
//
//   snappy := 0x82 "SNAPPY" 0x00 version:i32 compatible:i32 (length:i32 raw-snappy)*     xerial framing; raw is read
//   too lz4    := LZ4 frame with independent 64 KB blocks (Java refuses linked blocks); any frame is read gzip   := RFC
//   1952, one or more members          zstd := frames, with or without a content size
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>

#include "protocol/bytes.h"

namespace millrace::protocol {

enum class Compression : int8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

std::string_view name(Compression codec);  // "none", "gzip", …
std::optional<Compression> compression_named(std::string_view name);

// The input is not what the codec writes, or its output would be larger than allowed.
class CompressionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// `level` as the codec counts; nothing means Kafka's default (gzip 6 by zlib's default, lz4 9 fast, zstd 3).
Bytes compress(Compression codec, std::span<const std::byte> input, std::optional<int> level = std::nullopt);

// Output never exceeds `limit` bytes; memory grows with what has really been decoded, not with what is announced.
Bytes decompress(Compression codec, Bytes input, size_t limit);

}  // namespace millrace::protocol
