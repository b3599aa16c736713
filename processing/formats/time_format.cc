#include "processing/formats/time_format.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "processing/formats/eight_bytes.h"

namespace millrace::processing {

namespace {

constexpr int64_t day_millis = 86'400'000;

struct Cursor {
  std::string_view text;

  bool take(char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  }
  // Between `least` and `most` digits, as many as there are.
  std::optional<int64_t> digits(int least, int most) {
    int64_t value = 0;
    int count = 0;
    while (count < most && !text.empty() && text.front() >= '0' && text.front() <= '9') {
      value = value * 10 + (text.front() - '0');
      text.remove_prefix(1);
      ++count;
    }
    if (count < least) return std::nullopt;
    return value;
  }
};

bool leap(int64_t y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); }
int last_day(int64_t y, int64_t m) {
  static constexpr std::array<int, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return m == 2 && leap(y) ? 29 : days[static_cast<size_t>(m - 1)];
}

int64_t to_days(int64_t y, int64_t m, int64_t d) {
  // Days from civil, counting years from March.
  y -= m <= 2;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

void from_days(int64_t days, int64_t& y, int64_t& m, int64_t& d) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t doe = days - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  d = doy - (153 * mp + 2) / 5 + 1;
  m = mp + (mp < 10 ? 3 : -9);
  y = yoe + era * 400 + (m <= 2);
}

std::optional<int64_t> date(Cursor& in, bool strict) {
  bool negative = false;
  bool wide = false;
  if (in.take('-'))
    negative = true;
  else if (in.take('+'))
    wide = true;
  const size_t before = in.text.size();
  std::optional<int64_t> y = in.digits(4, 10);
  if (!y) return std::nullopt;
  const size_t width = before - in.text.size();
  if (wide ? width <= 4 : (width > 4 && !negative)) return std::nullopt;
  if (negative) y = -*y;
  if (!in.take('-')) return std::nullopt;
  const std::optional<int64_t> m = in.digits(2, 2);
  if (!m || *m < 1 || *m > 12 || !in.take('-')) return std::nullopt;
  std::optional<int64_t> d = in.digits(2, 2);
  if (!d || *d < 1 || *d > 31) return std::nullopt;
  if (*d > last_day(*y, *m)) {
    if (strict) return std::nullopt;
    d = last_day(*y, *m);
  }
  return to_days(*y, *m, *d);
}

// Nanoseconds of the day; 24:00:00 is a whole day.
std::optional<int64_t> time_of_day(Cursor& in, bool seconds_required) {
  const std::optional<int64_t> h = in.digits(2, 2);
  if (!h || *h > 24 || !in.take(':')) return std::nullopt;
  const std::optional<int64_t> m = in.digits(2, 2);
  if (!m || *m > 59) return std::nullopt;
  int64_t s = 0;
  int64_t nanos = 0;
  if (in.text.starts_with(':')) {
    in.take(':');
    const std::optional<int64_t> seconds = in.digits(2, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    s = *seconds;
    if (in.take('.')) {
      const size_t before = in.text.size();
      nanos = in.digits(0, 9).value_or(0);
      for (size_t width = before - in.text.size(); width < 9; ++width) nanos *= 10;
    }
  } else if (seconds_required) {
    return std::nullopt;
  }
  const int64_t total = ((*h * 60 + *m) * 60 + s) * 1'000'000'000 + nanos;
  if (*h == 24 && total != 24 * 3600 * 1'000'000'000LL) return std::nullopt;
  return total;
}

TimestampValue join(int64_t days, int64_t nanos) {
  return {days * day_millis + nanos / 1'000'000, static_cast<int32_t>(nanos % 1'000'000)};
}

std::string two(int64_t n) {
  std::string text = std::to_string(n);
  return text.size() < 2 ? "0" + text : text;
}

std::string clock_text(int64_t seconds) {
  return two(seconds / 3600) + ":" + two(seconds / 60 % 60) + ":" + two(seconds % 60);
}

void split(TimestampValue value, int64_t& days, int64_t& nanos) {
  days = value.millis / day_millis - (value.millis % day_millis < 0);
  nanos = (value.millis - days * day_millis) * 1'000'000 + value.nanos;
}

}  // namespace

std::optional<int64_t> parse_iso_date(std::string_view text, bool strict) {
  Cursor in{text};
  const std::optional<int64_t> days = date(in, strict);
  return in.text.empty() ? days : std::nullopt;
}

std::optional<int64_t> parse_sql_time(std::string_view text) {
  Cursor in{text};
  const std::optional<int64_t> nanos = time_of_day(in, true);
  if (!nanos || !in.text.empty()) return std::nullopt;
  return *nanos / 1'000'000 % day_millis;
}

std::optional<int64_t> parse_iso_time(std::string_view text) {
  Cursor in{text};
  const std::optional<int64_t> nanos = time_of_day(in, false);
  if (!nanos || !in.text.empty() || *nanos >= 24 * 3600 * 1'000'000'000LL) return std::nullopt;
  return *nanos / 1'000'000;
}

std::optional<TimestampValue> parse_timestamp(std::string_view text, TimestampStandard standard, bool zoned) {
  Cursor in{text};
  const bool sql = standard == TimestampStandard::sql;
  const std::optional<int64_t> days = date(in, standard == TimestampStandard::iso_8601 && !zoned);
  if (!days || !in.take(sql ? ' ' : 'T')) return std::nullopt;
  const std::optional<int64_t> nanos = time_of_day(in, sql);
  if (!nanos) return std::nullopt;
  TimestampValue value = join(*days, *nanos);
  if (standard == TimestampStandard::iso_8601_with_offset) {
    if (in.take('Z')) {
      // UTC
    } else {
      const bool negative = in.text.starts_with('-');
      if (!in.take('+') && !in.take('-')) return std::nullopt;
      const std::optional<int64_t> h = in.digits(2, 2);
      if (!h || !in.take(':')) return std::nullopt;
      const std::optional<int64_t> m = in.digits(2, 2);
      if (!m) return std::nullopt;
      int64_t s = 0;
      if (in.take(':')) {
        const std::optional<int64_t> seconds = in.digits(2, 2);
        if (!seconds) return std::nullopt;
        s = *seconds;
      }
      const int64_t offset = ((*h * 60 + *m) * 60 + s) * 1000;
      value.millis += negative ? offset : -offset;
    }
  } else if (zoned && !in.take('Z')) {
    return std::nullopt;
  }
  if (!in.text.empty()) return std::nullopt;
  return value;
}

std::optional<int64_t> parse_jdbc_date(std::string_view text) {
  Cursor in{text};
  const std::optional<int64_t> y = in.digits(4, 4);
  if (!y || !in.take('-')) return std::nullopt;
  const std::optional<int64_t> m = in.digits(1, 2);
  if (!m || *m < 1 || *m > 12 || !in.take('-')) return std::nullopt;
  const std::optional<int64_t> d = in.digits(1, 2);
  if (!d || *d < 1 || *d > 31 || !in.text.empty()) return std::nullopt;
  return to_days(*y, *m, 1) + *d - 1;  // the 31st of a short month runs into the next
}

namespace {

// What eight characters should look like: 0 stands for any digit, anything else for itself.
struct Pattern {
  uint64_t text = 0;
  uint64_t limit = 0;  // added, it finds digits above 9 and other characters that differ

  explicit constexpr Pattern(std::string_view shape) {
    for (unsigned i = 0; i < shape.size(); ++i) {
      text |= uint64_t{static_cast<unsigned char>(shape[i])} << (8 * i);
      limit |= uint64_t{shape[i] == '0' ? 0x76u : 0x7fu} << (8 * i);
    }
  }
  // The digits as numbers, everything else 0.
  uint64_t digits(uint64_t actual) const { return actual ^ text; }
  bool fits(uint64_t digits) const { return (((digits + limit) | digits) & top_bits) == 0; }
};
// Neighbours as one number, in the place of the first.
uint64_t pairs(uint64_t digits) { return digits * 10 + (digits >> 8); }
int64_t number_at(uint64_t numbers, int place) { return static_cast<int64_t>((numbers >> (8 * place)) & 0xff); }

}  // namespace

std::optional<TimestampValue> TimestampReader::read_slowly(std::string_view text) const {
  return parse_timestamp(text, standard_, zoned_);
}

std::optional<TimestampValue> TimestampReader::read(std::string_view text) {
  static constexpr Pattern month_pattern("0000-00-"), day_pattern("00"), clock_pattern("00:00:00"),
      fraction_pattern(".000");
  const char* from = text.data();
  size_t size = text.size();
  const bool sql = standard_ == TimestampStandard::sql;
  if (zoned_ || standard_ == TimestampStandard::iso_8601_with_offset) {
    if (!text.ends_with('Z')) return read_slowly(text);
    --size;
  }
  if (size < 19 || size > 23 || from[10] != (sql ? ' ' : 'T')) return read_slowly(text);

  const uint64_t month_text = load8(from);
  const uint64_t day_text = load8(from + 8) & 0xffff;
  if (month_text != last_month_ || day_text != last_day_) {
    const uint64_t month_digits = month_pattern.digits(month_text);
    const uint64_t day_digits = day_pattern.digits(day_text);
    if (!month_pattern.fits(month_digits) || !day_pattern.fits(day_digits)) return read_slowly(text);
    const uint64_t numbers = pairs(month_digits);
    const int64_t year = number_at(numbers, 0) * 100 + number_at(numbers, 2);
    const int64_t month = number_at(numbers, 5);
    const int64_t day = number_at(pairs(day_digits), 0);
    if (month < 1 || month > 12 || day < 1 || day > last_day(year, month)) return read_slowly(text);
    last_month_ = month_text;
    last_day_ = day_text;
    last_date_ = to_days(year, month, day) * day_millis;
  }
  const uint64_t clock_digits = clock_pattern.digits(load8(from + 11));
  if (!clock_pattern.fits(clock_digits)) return read_slowly(text);
  const uint64_t clock = pairs(clock_digits);
  const int64_t hours = number_at(clock, 0), minutes = number_at(clock, 3), seconds = number_at(clock, 6);
  if (hours > 23 || minutes > 59 || seconds > 59) return read_slowly(text);
  int64_t millis = 0;
  if (size > 19) {
    // The point and the digits there are, then zeros.
    const auto known = static_cast<int>(size - 19);
    uint64_t fraction = load8(from + size - 8) >> (64 - 8 * known);
    fraction |= (uint64_t{0x30303030} << (8 * known)) & 0xffffffff;
    fraction = fraction_pattern.digits(fraction);
    if (!fraction_pattern.fits(fraction)) return read_slowly(text);
    millis = number_at(fraction, 1) * 100 + number_at(fraction, 2) * 10 + number_at(fraction, 3);
  }
  if (size == 23) {
    near_ = {load8(from), load8(from + 8)};
    near_size_ = text.size();
    near_minute_ = last_date_ + (hours * 60 + minutes) * 60'000;
  }
  return TimestampValue{last_date_ + ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis, 0};
}

std::optional<TimestampValue> parse_jdbc_timestamp(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::optional<int64_t> days = parse_jdbc_date(text.substr(0, space));
  if (!days) return std::nullopt;
  Cursor in{text.substr(space + 1)};
  const std::optional<int64_t> h = in.digits(1, 2);
  if (!h || !in.take(':')) return std::nullopt;
  const std::optional<int64_t> m = in.digits(1, 2);
  if (!m || !in.take(':')) return std::nullopt;
  const std::optional<int64_t> s = in.digits(1, 2);
  if (!s) return std::nullopt;
  int64_t nanos = 0;
  if (in.take('.')) {
    const size_t before = in.text.size();
    const std::optional<int64_t> fraction = in.digits(1, 9);
    if (!fraction) return std::nullopt;
    nanos = *fraction;
    for (size_t width = before - in.text.size(); width < 9; ++width) nanos *= 10;
  }
  if (!in.text.empty()) return std::nullopt;
  return join(*days, ((*h * 60 + *m) * 60 + *s) * 1'000'000'000 + nanos);
}

std::string format_date(int64_t days) {
  int64_t y = 0, m = 0, d = 0;
  from_days(days, y, m, d);
  std::array<char, 48> text{};
  if (y > 9999)
    std::snprintf(text.data(), text.size(), "+%lld-%02lld-%02lld", static_cast<long long>(y), static_cast<long long>(m),
                  static_cast<long long>(d));
  else if (y < 0)
    std::snprintf(text.data(), text.size(), "-%04lld-%02lld-%02lld", static_cast<long long>(-y),
                  static_cast<long long>(m), static_cast<long long>(d));
  else
    std::snprintf(text.data(), text.size(), "%04lld-%02lld-%02lld", static_cast<long long>(y),
                  static_cast<long long>(m), static_cast<long long>(d));
  return text.data();
}

std::string format_sql_time(int64_t millis) { return clock_text(millis / 1000); }

std::string format_iso_time(int64_t millis) {
  std::string text = clock_text(millis / 1000);
  if (const int64_t rest = millis % 1000; rest != 0) {
    std::string fraction = std::to_string(1000 + rest);
    fraction[0] = '.';
    text += fraction;
  }
  return text;
}

std::string format_timestamp(TimestampValue value, TimestampStandard standard, bool zoned) {
  int64_t days = 0, nanos = 0;
  split(value, days, nanos);
  std::string text = format_date(days);
  text += standard == TimestampStandard::sql ? ' ' : 'T';
  text += clock_text(nanos / 1'000'000'000);
  if (const int64_t fraction = nanos % 1'000'000'000; fraction != 0) {
    std::string digits = std::to_string(1'000'000'000 + fraction);
    digits[0] = '.';
    while (digits.back() == '0') digits.pop_back();
    text += digits;
  }
  if (zoned) text += 'Z';
  return text;
}

char* TimestampWriter::write_any(char* to, TimestampValue value) {
  int64_t days = 0, nanos = 0;
  split(value, days, nanos);
  if (days != last_day_) {
    const std::string text = format_date(days);
    if (text.size() != 10) {
      const std::string all = format_timestamp(value, standard_, zoned_);
      std::memcpy(to, all.data(), all.size());
      return to + all.size();
    }
    std::memcpy(last_date_.data(), text.data(), 10);
    last_date_[10] = standard_ == TimestampStandard::sql ? ' ' : 'T';
    last_day_ = days;
  }
  std::memcpy(to, last_date_.data(), 16);
  const auto in_day = static_cast<uint32_t>(nanos / 1'000'000);
  const uint32_t seconds = in_day / 1000;
  const uint32_t minutes = seconds / 60;
  // HHmmss as one number, whose digits are then moved apart.
  const uint64_t digits = eight_digits((minutes / 60 * 100 + minutes % 60) * 10'000 + seconds % 60 * 100) | eight_zeros;
  store8(to + 11, (digits & 0xffff) | uint64_t{':'} << 16 | (digits & 0xffff0000) << 8 | uint64_t{':'} << 40 |
                      (digits & 0xffff00000000) << 16);
  std::memcpy(near_.data(), to, near_.size());
  near_minute_ = days * day_millis + minutes * int64_t{60'000};
  near_millis_ = 60'000;
  to += 19;
  if (const auto fraction = static_cast<uint32_t>(nanos % 1'000'000'000); fraction != 0) {
    // .SSSnnnnnn without the zeros at its end
    const uint64_t first = eight_digits(fraction / 10);
    *to = '.';
    store8(to + 1, first | eight_zeros);
    to[9] = static_cast<char>('0' + fraction % 10);
    to += fraction % 10 != 0 ? 10 : 1 + 8 - (std::countl_zero(first) >> 3);
  }
  if (zoned_) *to++ = 'Z';
  return to;
}

}  // namespace millrace::processing
