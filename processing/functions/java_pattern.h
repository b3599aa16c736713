// Date and time patterns of Java. Two dialects read the same letters: DateTimeFormatter (exact: all of the text, fields
// in range) and SimpleDateFormat (lenient: trailing text is ignored, the 13th month is next January).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "processing/time_zone.h"
#include "processing/value.h"

namespace millrace::processing {

class JavaPattern {
 public:
  enum class Dialect : uint8_t { formatter, simple };

  // Throws RunFailure for letters Java does not know. `compiled` remembers the patterns it has seen.
  JavaPattern(std::string_view pattern, Dialect dialect);
  static const JavaPattern& compiled(std::string_view pattern, Dialect dialect);

  // `local` is the wall clock in `zone`.
  std::string format(TimestampValue local, const TimeZone& zone) const;
  // The wall clock the text names; fields the pattern lacks are those of 1970-01-01 00:00. `now_year` places
  // two-digit years in the lenient dialect. A zone in the text is applied, the result then is UTC (zoned set).
  struct Parsed {
    TimestampValue time;
    bool zoned = false;
  };
  std::optional<Parsed> parse(std::string_view text, int64_t now_year) const;

 private:
  struct Item {
    char letter = 0;  // 0: literal text
    int count = 0;
    std::string text;
    bool next_is_number = false;  // digits of the next item follow at once
  };
  struct Fields;
  bool parse_item(const Item& item, std::string_view& text, Fields& fields, int64_t now_year) const;
  std::optional<Parsed> resolve(const Fields& fields) const;

  Dialect dialect_;
  std::vector<Item> items_;
};

}  // namespace millrace::processing
