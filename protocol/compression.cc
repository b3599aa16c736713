// One function a codec and direction; output is collected in a buffer that grows by doubling up to the limit.
#include "protocol/compression.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "protocol/check.h"

namespace millrace::protocol {

namespace {

using Input = std::span<const std::byte>;

constexpr std::array<std::string_view, 5> names = {"none", "gzip", "snappy", "lz4", "zstd"};
constexpr std::array<unsigned char, 8> xerial_magic = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr size_t xerial_header = 16;
constexpr size_t xerial_block = 32 << 10;
constexpr size_t snappy_best_ratio = 22;  // a 3-byte copy yields at most 64 bytes

// Memory for output of unknown size.
class Output {
 public:
  Output(size_t guess, size_t limit) : limit_(limit) {
    reserve(std::clamp<size_t>(guess, 256, std::max<size_t>(limit, 1)));
  }

  std::byte* free() { return data_.get() + size_; }
  size_t room() const { return capacity_ - size_; }
  void used(size_t n) { size_ += n; }
  size_t size() const { return size_; }

  // Makes room for at least `wanted` more bytes.
  void grow(size_t wanted = 1) {
    if (room() >= wanted) return;
    if (wanted > limit_ - size_)
      throw CompressionError("the records decompress to more than " + std::to_string(limit_) + " bytes");
    reserve(std::min(limit_, std::max(capacity_ * 2, size_ + wanted)));
  }
  void append(Input part) {
    if (part.empty()) return;
    grow(part.size());
    std::memcpy(free(), part.data(), part.size());
    used(part.size());
  }
  Bytes take() {
    std::shared_ptr<const void> owner(std::shared_ptr<std::byte[]>(std::move(data_)));
    return Bytes(owner, Input(static_cast<const std::byte*>(owner.get()), size_));
  }

 private:
  void reserve(size_t capacity) {
    std::unique_ptr<std::byte[]> larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<std::byte[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
  size_t limit_;
};

uint32_t read_u32(Input at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 | static_cast<uint32_t>(at[2]) << 8 |
         static_cast<uint32_t>(at[3]);
}
void append_u32(Output& out, uint32_t v) {
  const std::array<std::byte, 4> bytes = {std::byte(v >> 24), std::byte(v >> 16), std::byte(v >> 8), std::byte(v)};
  out.append(bytes);
}

// ---- gzip ----

Bytes gzip_compress(Input input, int level) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw CompressionError("gzip does not start");
  std::unique_ptr<z_stream, decltype(&deflateEnd)> end(&stream, &deflateEnd);
  Output out(deflateBound(&stream, input.size()), SIZE_MAX / 2);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.free());
  stream.avail_out = static_cast<uInt>(out.room());
  check(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.used(stream.total_out);
  return out.take();
}

Bytes gzip_decompress(Input input, size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw CompressionError("gzip does not start");
  std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&stream, &inflateEnd);
  Output out(input.size() * 4, limit);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  while (true) {
    const size_t room = std::min<size_t>(out.room(), 1u << 30);
    stream.next_out = reinterpret_cast<Bytef*>(out.free());
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    out.used(room - stream.avail_out);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return out.take();
      if (inflateReset(&stream) != Z_OK) throw CompressionError("gzip does not start again");
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) throw CompressionError("not gzip data");
    if (stream.avail_out == 0) {
      out.grow();
    } else if (stream.avail_in == 0) {
      throw CompressionError("gzip data ends early");
    }
  }
}

// ---- snappy ----

void snappy_compress_block(Input block, Output& out) {
  size_t length = snappy_max_compressed_length(block.size());
  std::vector<char> compressed(length);
  check(snappy_compress(reinterpret_cast<const char*>(block.data()), block.size(), compressed.data(), &length) ==
        SNAPPY_OK);
  append_u32(out, static_cast<uint32_t>(length));
  out.append(std::as_bytes(std::span(compressed.data(), length)));
}

void snappy_decompress_block(Input block, Output& out) {
  const char* data = reinterpret_cast<const char*>(block.data());
  size_t length = 0;
  if (snappy_uncompressed_length(data, block.size(), &length) != SNAPPY_OK) throw CompressionError("not snappy data");
  if (length > block.size() * snappy_best_ratio + 64)
    throw CompressionError("snappy data announces more than it can hold");
  out.grow(std::max<size_t>(length, 1));
  if (snappy_uncompress(data, block.size(), reinterpret_cast<char*>(out.free()), &length) != SNAPPY_OK) {
    throw CompressionError("not snappy data");
  }
  out.used(length);
}

Bytes snappy_compress_framed(Input input) {
  Output out(input.size() / 2 + xerial_header, SIZE_MAX / 2);
  out.append(std::as_bytes(std::span(xerial_magic)));
  append_u32(out, 1);
  append_u32(out, 1);
  for (size_t at = 0; at < input.size(); at += xerial_block) {
    snappy_compress_block(input.subspan(at, std::min(xerial_block, input.size() - at)), out);
  }
  return out.take();
}

Bytes snappy_decompress_any(Input input, size_t limit) {
  const bool framed =
      input.size() >= xerial_header && std::memcmp(input.data(), xerial_magic.data(), xerial_magic.size()) == 0;
  Output out(input.size() * 3, limit);
  if (!framed) {
    snappy_decompress_block(input, out);
    return out.take();
  }
  input = input.subspan(xerial_header);
  while (!input.empty()) {
    if (input.size() < 4) throw CompressionError("a snappy block ends early");
    const size_t length = read_u32(input);
    input = input.subspan(4);
    if (length > input.size()) throw CompressionError("a snappy block ends early");
    snappy_decompress_block(input.first(length), out);
    input = input.subspan(length);
  }
  return out.take();
}

// ---- lz4 ----

Bytes lz4_compress(Input input, int level) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.compressionLevel = level;
  Output out(LZ4F_compressFrameBound(input.size(), &preferences), SIZE_MAX / 2);
  const size_t size = LZ4F_compressFrame(out.free(), out.room(), input.data(), input.size(), &preferences);
  check(LZ4F_isError(size) == 0);
  out.used(size);
  return out.take();
}

Bytes lz4_decompress(Input input, size_t limit) {
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) != 0)
    throw CompressionError("lz4 does not start");
  std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> end(context, &LZ4F_freeDecompressionContext);
  Output out(input.size() * 3, limit);
  size_t expected = 1;
  while (!input.empty() || (expected != 0 && out.room() == 0)) {
    out.grow();
    size_t taken = input.size();
    size_t made = out.room();
    expected = LZ4F_decompress(context, out.free(), &made, input.data(), &taken, nullptr);
    if (LZ4F_isError(expected) != 0) throw CompressionError("not lz4 data");
    if (taken == 0 && made == 0) break;
    out.used(made);
    input = input.subspan(taken);
  }
  if (expected != 0) throw CompressionError("lz4 data ends early");
  return out.take();
}

// ---- zstd ----

Bytes zstd_compress(Input input, int level) {
  Output out(ZSTD_compressBound(input.size()), SIZE_MAX / 2);
  const size_t size = ZSTD_compress(out.free(), out.room(), input.data(), input.size(), level);
  check(ZSTD_isError(size) == 0);
  out.used(size);
  return out.take();
}

Bytes zstd_decompress(Input input, size_t limit) {
  thread_local std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
  Output out(input.size() * 4, limit);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  size_t expected = 1;
  while (true) {
    out.grow();
    ZSTD_outBuffer part{out.free(), out.room(), 0};
    const size_t before = in.pos;
    expected = ZSTD_decompressStream(context.get(), &part, &in);
    if (ZSTD_isError(expected) != 0) throw CompressionError("not zstd data");
    out.used(part.pos);
    const bool finished = expected == 0 && in.pos == in.size;
    if (finished) return out.take();
    if (part.pos == 0 && in.pos == before) throw CompressionError("zstd data ends early");
  }
}

}  // namespace

std::string_view name(Compression codec) { return names.at(static_cast<size_t>(codec)); }

std::optional<Compression> compression_named(std::string_view wanted) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found == names.end()) return std::nullopt;
  return static_cast<Compression>(found - names.begin());
}

Bytes compress(Compression codec, std::span<const std::byte> input, std::optional<int> level) {
  switch (codec) {
    case Compression::none:
      return Bytes::copy_of(input);
    case Compression::gzip:
      return gzip_compress(input, level.value_or(Z_DEFAULT_COMPRESSION));
    case Compression::snappy:
      return snappy_compress_framed(input);
    case Compression::lz4:
      return lz4_compress(input, level.value_or(0));
    case Compression::zstd:
      return zstd_compress(input, level.value_or(3));
  }
  throw CompressionError("no such codec");
}

Bytes decompress(Compression codec, Bytes input, size_t limit) {
  switch (codec) {
    case Compression::none:
      return input;
    case Compression::gzip:
      return gzip_decompress(input.span(), limit);
    case Compression::snappy:
      return snappy_decompress_any(input.span(), limit);
    case Compression::lz4:
      return lz4_decompress(input.span(), limit);
    case Compression::zstd:
      return zstd_decompress(input.span(), limit);
  }
  throw CompressionError("no such codec");
}

}  // namespace millrace::protocol
