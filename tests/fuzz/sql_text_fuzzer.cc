// Any text as a number, a date, a time, a pattern, a JSON document or a path: reading it does no harm, and what was
// read is read again from its own text. Input: what to read it as (one byte), the text.
#include <string>
#include <string_view>

#include "processing/datetime_text.h"
#include "processing/failure.h"
#include "processing/functions/java_pattern.h"
#include "processing/functions/json_path.h"
#include "processing/functions/json_tree.h"
#include "processing/functions/like.h"
#include "processing/functions/number_text.h"
#include "processing/functions/utf8.h"
#include "processing/value.h"
#include "protocol/check.h"
#include "tests/fuzz/fuzzer.h"

using namespace millrace;
using namespace millrace::processing;

namespace {

void read_number(std::string_view text) {
  if (std::optional<Int128> number = parse_decimal(text, 38, 10)) {
    check(parse_decimal(decimal_text(*number, 10), 38, 10) == number);
    check(decimal_compare(*number, 10, *number, 10) == 0);
  }
  if (std::optional<double> number = java_double(text); number && *number == *number) {
    check(java_double(double_text(*number)) == number);
  }
  integer_from_text(text, 64);
}

void read_time(std::string_view text) {
  if (std::optional<int32_t> date = parse_date(text)) check(parse_date(date_text(*date)) == date);
  parse_time(text);
  if (std::optional<TimestampValue> t = parse_timestamp(text, 9); t && t->millis < 253402300800000) {
    check(parse_timestamp(timestamp_text(*t, 9), 9) == t);
  } else if (!t) {
    timestamp_problem(text);
  }
}

void read_json(std::string_view text) {
  std::optional<Json> json = parse_json(text);
  if (!json) return;
  std::string once = to_string(*json);
  check(to_string(parse_json(once).value()) == once);
}

void read_pattern(std::string_view text) {
  std::string_view pattern = text.substr(0, text.find('|'));
  std::string_view rest = text.substr(std::min(text.size(), pattern.size() + 1));
  for (JavaPattern::Dialect dialect : {JavaPattern::Dialect::formatter, JavaPattern::Dialect::simple}) {
    JavaPattern compiled(pattern, dialect);
    compiled.parse(rest, 2024);
    compiled.format({1'700'000'000'123, 0}, TimeZone::utc());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0] % 7) {
      case 0:
        read_number(text);
        break;
      case 1:
        read_time(text);
        break;
      case 2:
        read_json(text);
        break;
      case 3:
        read_pattern(text);
        break;
      case 4:
        JsonPath(text).read(parse_json(R"({"a":[1,{"x":[]}],"e":{"u":0}})").value());
        break;
      case 5:
        LikePattern(text.substr(0, text.size() / 2), "").matches(text.substr(text.size() / 2));
        break;
      default:
        check(to_utf8(to_utf16(to_utf8(to_utf16(text)))) == to_utf8(to_utf16(text)));
    }
  } catch (const SqlFailure&) {
    // Refused, as it should be.
  }
  return 0;
}

std::vector<uint8_t> fuzzer_seed(uint64_t number) {
  static const std::string_view seeds[] = {"-12345.678901e-3",
                                           "2024-02-29 23:59:59.123456789",
                                           R"({"a":[1.50,{"x":"é\n"}],"b":null})",
                                           "yyyy-MM-dd HH|2024-1-02",
                                           "lax $.a[0]['x'].*..e[-1][1:2]",
                                           "a%b_c%abxbyc",
                                           "Grüße 日本 😀"};
  std::string_view seed = seeds[number % 7];
  std::vector<uint8_t> bytes = {static_cast<uint8_t>(number % 7)};
  bytes.insert(bytes.end(), seed.begin(), seed.end());
  return bytes;
}
