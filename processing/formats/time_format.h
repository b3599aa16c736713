// Dates and times in records, as Java's formatters read and write them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "processing/formats/eight_bytes.h"
#include "processing/value.h"

namespace millrace::processing {

enum class TimestampStandard : uint8_t { sql, iso_8601, iso_8601_with_offset };

// yyyy-MM-dd to days since 1970; `strict` refuses the 30th of February, which is otherwise the last day of the month.
std::optional<int64_t> parse_iso_date(std::string_view text, bool strict = true);
// HH:mm:ss[.n] to milliseconds of the day.
std::optional<int64_t> parse_sql_time(std::string_view text);
// HH:mm[:ss[.n]]
std::optional<int64_t> parse_iso_time(std::string_view text);

// A local time, or with `zoned` an instant (a trailing Z, or an offset where the standard has one).
std::optional<TimestampValue> parse_timestamp(std::string_view text, TimestampStandard standard, bool zoned);

// java.sql.Timestamp.valueOf: yyyy-[m]m-[d]d hh:mm:ss[.f…]
std::optional<TimestampValue> parse_jdbc_timestamp(std::string_view text);
// java.sql.Date.valueOf: yyyy-[m]m-[d]d
std::optional<int64_t> parse_jdbc_date(std::string_view text);

// 2024-01-01 10:00:00.5 with as many digits as needed; ISO with a T. `zoned` appends Z.
std::string format_timestamp(TimestampValue value, TimestampStandard standard, bool zoned);
// Reads as parse_timestamp does, and quickly what is written yyyy-MM-dd HH:mm:ss with up to three digits of a fraction.
// Remembers the last day: the next one mostly is the same.
class TimestampReader {
 public:
  explicit TimestampReader(TimestampStandard standard = TimestampStandard::sql, bool zoned = false)
      : standard_(standard), zoned_(zoned) {}
  std::optional<TimestampValue> read(std::string_view text);
  // Only what differs from a text read before in its seconds and milliseconds alone; false: any other text.
  [[gnu::always_inline]] bool read_near(std::string_view text, int64_t& millis) const {
    if (text.size() != near_size_ || load8(text.data()) != near_[0] || load8(text.data() + 8) != near_[1]) return false;
    if (near_size_ == 24 && text.back() != 'Z') return false;
    // :ss.SSS, in which nothing but digits may differ, as numbers
    const uint64_t digits = (load8(text.data() + 15) >> 8) ^ 0x00'30'30'30'2e'30'30'3a;
    constexpr uint64_t limits = 0x00'76'76'76'7f'76'76'7f;
    if ((((digits + limits) | digits) & top_bits) != 0) return false;
    const uint64_t pairs = digits * 10 + (digits >> 8);
    const uint64_t seconds = pairs >> 8 & 0xff;
    if (seconds > 59) return false;
    millis = near_minute_ + static_cast<int64_t>(seconds * 1000 + (pairs >> 32 & 0xff) * 10 + (digits >> 48));
    return true;
  }

 private:
  std::optional<TimestampValue> read_slowly(std::string_view text) const;
  TimestampStandard standard_;
  bool zoned_;
  uint64_t last_month_ = 0;         // yyyy-MM- as text
  uint64_t last_day_ = 0;           // dd
  int64_t last_date_ = 0;           // milliseconds
  std::array<uint64_t, 2> near_{};  // yyyy-MM-dd HH:mm of one with milliseconds
  size_t near_size_ = SIZE_MAX;
  int64_t near_minute_ = 0;
};

// Writes as format_timestamp does.
class TimestampWriter {
 public:
  static constexpr size_t longest = 48;
  explicit TimestampWriter(TimestampStandard standard = TimestampStandard::sql, bool zoned = false)
      : standard_(standard), zoned_(zoned) {}
  // Where the text ends; there is room for `longest`.
  [[gnu::always_inline]] char* write(char* to, TimestampValue value) {
    const uint64_t in_minute = static_cast<uint64_t>(value.millis) - static_cast<uint64_t>(near_minute_);
    if (in_minute < near_millis_ && value.nanos == 0) return write_near(to, static_cast<uint32_t>(in_minute));
    return write_any(to, value);
  }

 private:
  char* write_any(char* to, TimestampValue value);
  // Of the latest one, only seconds and milliseconds may differ.
  char* write_near(char* to, uint32_t in_minute) const {
    const uint32_t seconds = in_minute / 1000, millis = in_minute % 1000;
    const uint32_t ten_seconds = seconds / 10, hundreds = millis / 100, tens = millis / 10;
    std::memcpy(to, near_.data(), 16);
    // :ss.SSS
    store8(to + 16,
           0x00'30'30'30'2e'30'30'3a + (uint64_t{ten_seconds} << 8 | uint64_t{seconds - 10 * ten_seconds} << 16 |
                                        uint64_t{hundreds} << 32 | uint64_t{tens - 10 * hundreds} << 40 |
                                        uint64_t{millis - 10 * tens} << 48));
    to += millis == 0 ? 19 : millis != 10 * tens ? 23 : millis != 100 * hundreds ? 22 : 21;
    if (zoned_) *to++ = 'Z';
    return to;
  }

  TimestampStandard standard_;
  bool zoned_;
  std::array<char, 16> near_{};  // yyyy-MM-dd HH:mm
  int64_t near_minute_ = 0;
  uint64_t near_millis_ = 0;      // of that minute; 0: there is none
  int64_t last_day_ = INT64_MIN;  // of a year with four digits
  std::array<char, 16> last_date_{};
};

// Java's ISO_LOCAL_TIME of milliseconds of the day.
std::string format_iso_time(int64_t millis);
std::string format_date(int64_t days);
// HH:mm:ss
std::string format_sql_time(int64_t millis);

}  // namespace millrace::processing
