// Writer builds a frame out of Kafka's primitive types. Numbers and texts go to one growing buffer; big Bytes, such as
// records from the log, are spliced in between without being copied. The result is the list of pieces to send.
// The forms are those of reader.h.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/types.h"

namespace millrace::protocol {

// A value that the wire form, or the version asked for, cannot carry.
class CannotEncode : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Writer {
 public:
  Writer() = default;
  explicit Writer(size_t expected) { grow(expected); }

  void boolean(bool value) { number<uint8_t>(value ? 1 : 0); }
  void i8(int8_t value) { number(static_cast<uint8_t>(value)); }
  void i16(int16_t value) { number(static_cast<uint16_t>(value)); }
  void u16(uint16_t value) { number(value); }
  void i32(int32_t value) { number(static_cast<uint32_t>(value)); }
  void u32(uint32_t value) { number(value); }
  void i64(int64_t value) { number(static_cast<uint64_t>(value)); }
  void u64(uint64_t value) { number(value); }
  void f64(double value) { number(std::bit_cast<uint64_t>(value)); }
  void uuid(const Uuid& value) {
    u64(value.high);
    u64(value.low);
  }

  void uvarint(uint32_t value) { uvarlong(value); }
  void uvarlong(uint64_t value);
  void varint(int32_t value) { uvarint((static_cast<uint32_t>(value) << 1) ^ static_cast<uint32_t>(value >> 31)); }
  void varlong(int64_t value) { uvarlong((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63)); }

  void string(std::string_view text, bool flexible);
  void nullable_string(const std::optional<std::string>& text, bool flexible);
  void bytes(const Bytes& value, bool flexible);
  void nullable_bytes(const std::optional<Bytes>& value, bool flexible);
  // A bytes or records field made of several pieces, as a log answers a read.
  void bytes(const std::vector<Bytes>& pieces, bool flexible);
  void count(size_t elements, bool flexible);
  void null_count(bool flexible);
  void null_string(bool flexible);
  void null_bytes(bool flexible) { null_count(flexible); }

  // Plain bytes without a length.
  void append(std::span<const std::byte> data);
  void splice(const Bytes& data);

  // A tagged field: its size is filled in at the end.
  size_t begin_tagged(uint32_t tag);
  void end_tagged(size_t begin);

  // Bytes so far, spliced ones included.
  size_t size() const { return used_ + spliced_; }
  // Room for a number that is known later: `position` is what reserve answered.
  size_t reserve_i32();
  void patch_i32(size_t position, int32_t value);

  // The pieces, in order; the writer is empty afterwards.
  std::vector<Bytes> finish();
  // As one piece; copies when something was spliced.
  Bytes finish_whole();

 private:
  struct Splice {
    size_t at;  // in the buffer
    Bytes data;
  };

  template <class T>
  void number(T value) {
    if (capacity_ - used_ < sizeof(T)) [[unlikely]]
      grow(sizeof(T));
    if constexpr (sizeof(T) > 1) value = std::byteswap(value);
    std::memcpy(memory_.get() + used_, &value, sizeof(T));
    used_ += sizeof(T);
  }
  void grow(size_t more);

  std::shared_ptr<std::byte[]> memory_;
  size_t used_ = 0;
  size_t capacity_ = 0;
  size_t spliced_ = 0;
  std::vector<Splice> splices_;
};

}  // namespace millrace::protocol
