// Dates and times in records, as Java's formatters read and write them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

 private:
  std::optional<TimestampValue> read_slowly(std::string_view text) const;
  TimestampStandard standard_;
  bool zoned_;
  uint64_t last_month_ = 0;  // yyyy-MM- as text
  uint64_t last_day_ = 0;    // dd
  int64_t last_date_ = 0;    // milliseconds
};

// Writes as format_timestamp does.
class TimestampWriter {
 public:
  static constexpr size_t longest = 48;
  explicit TimestampWriter(TimestampStandard standard = TimestampStandard::sql, bool zoned = false)
      : standard_(standard), zoned_(zoned) {}
  // Where the text ends; there is room for `longest`.
  char* write(char* to, TimestampValue value);

 private:
  TimestampStandard standard_;
  bool zoned_;
  int64_t last_day_ = INT64_MIN;  // of a year with four digits
  std::array<char, 16> last_date_{};
};

// Java's ISO_LOCAL_TIME of milliseconds of the day.
std::string format_iso_time(int64_t millis);
std::string format_date(int64_t days);
// HH:mm:ss
std::string format_sql_time(int64_t millis);

}  // namespace millrace::processing
