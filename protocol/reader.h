// Reader takes Kafka's primitive types off a frame. Its failure is sticky: after the first short or impossible read
// every getter answers zero (or empty, or null), so that a decoder reads straight through and asks ok() once.
//
//   fixed widths   big endian
//   varint         7 bits a byte, lowest first; signed ones zigzag
//   string         length:i16 bytes…          flexible: length+1:uvarint bytes…     null: −1, flexible 0
//   bytes, records length:i32 bytes…          flexible: length+1:uvarint bytes…     null: −1, flexible 0
//   array          count:i32  elements…       flexible: count+1:uvarint elements…   null: −1, flexible 0
//   tagged fields  count:uvarint (tag:uvarint size:uvarint …)*
//
// Bytes that are handed out share the frame's memory: who keeps them for long copies them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "protocol/bytes.h"
#include "protocol/types.h"

namespace millrace::protocol {

class Reader {
 public:
  explicit Reader(Bytes input) : input_(std::move(input)), at_(input_.data()), end_(at_ + input_.size()) {}

  bool ok() const { return ok_; }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  size_t position() const { return static_cast<size_t>(at_ - input_.data()); }
  void fail() {
    ok_ = false;
    at_ = end_;
  }

  bool boolean() { return number<uint8_t>() != 0; }
  int8_t i8() { return static_cast<int8_t>(number<uint8_t>()); }
  int16_t i16() { return static_cast<int16_t>(number<uint16_t>()); }
  uint16_t u16() { return number<uint16_t>(); }
  int32_t i32() { return static_cast<int32_t>(number<uint32_t>()); }
  uint32_t u32() { return number<uint32_t>(); }
  int64_t i64() { return static_cast<int64_t>(number<uint64_t>()); }
  uint64_t u64() { return number<uint64_t>(); }
  double f64() { return std::bit_cast<double>(number<uint64_t>()); }
  Uuid uuid();

  uint32_t uvarint();
  uint64_t uvarlong();
  int32_t varint();
  int64_t varlong();

  // Null is a failure where the type cannot be null.
  std::string string(bool flexible);
  std::optional<std::string> nullable_string(bool flexible);
  Bytes bytes(bool flexible);
  std::optional<Bytes> nullable_bytes(bool flexible);

  // The number of elements that follow: at most what is left could hold when each takes `least` bytes or more.
  size_t count(bool flexible, size_t least);
  std::optional<size_t> nullable_count(bool flexible, size_t least);

  // Exactly the next `size` bytes.
  Bytes take(size_t size);
  void skip(size_t size);

  // Reads tagged fields: handle(tag) reads those it knows and answers true, others are skipped.
  template <class Handle>
  void tagged(Handle&& handle) {
    for (uint32_t left = uvarint(); left > 0 && ok_; --left) {
      const uint32_t tag = uvarint();
      const std::byte* const whole = begin_tagged();
      handle(tag);
      end_tagged(whole);
    }
  }
  void skip_tagged();

 private:
  template <class T>
  T number() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail();
      return 0;
    }
    T value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    if constexpr (sizeof(T) > 1) value = std::byteswap(value);
    return value;
  }
  // −1 for null, −2 after a failure.
  int64_t length(bool flexible, bool short_form);
  const std::byte* begin_tagged();
  void end_tagged(const std::byte* whole);

  Bytes input_;
  const std::byte* at_;
  const std::byte* end_;  // of the input, or of the tagged field being read
  bool ok_ = true;
};

}  // namespace millrace::protocol
