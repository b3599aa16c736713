// Time functions, against what Flink answers.
#include <random>

#include "processing/calendar.h"
#include "tests/processing/expressions.h"

using namespace millrace::processing;
using namespace millrace::processing::testing;

static ExprPtr leap() { return ts("2024-02-29 23:59:59.123"); }
static ExprPtr moon() { return ts("1969-07-20 20:17:40.5"); }

TEST_CASE("the parts of a time before 1970 come out negative") {
  auto part = [](const char* unit, const ExprPtr& of) { return shown(call("EXTRACT", {sym(unit), of})); };
  CHECK(part("YEAR", leap()) == "2024");
  CHECK(part("DOW", leap()) == "5");
  CHECK(part("DOY", leap()) == "60");
  CHECK(part("WEEK", leap()) == "9");
  CHECK(part("QUARTER", leap()) == "1");
  CHECK(part("MILLISECOND", leap()) == "123");
  CHECK(part("HOUR", moon()) == "-3");
  CHECK(part("SECOND", moon()) == "-19");
  CHECK(part("MILLISECOND", moon()) == "-500");
  CHECK(part("DOW", moon()) == "2");
  CHECK(part("DOY", moon()) == "202");
  CHECK(part("EPOCH", moon()) == "-14182939");
  CHECK(part("CENTURY", leap()) == "21");
  CHECK(part("DECADE", date("1969-07-20")) == "196");
  CHECK(part("ISODOW", date("1969-07-20")) == "7");
  CHECK(part("MILLENNIUM", date("1969-07-20")) == "2");
  CHECK(part("WEEK", ts("2023-12-31 00:00:00")) == "52");
  CHECK(type_of(call("EXTRACT", {sym("YEAR"), date("2024-01-01")})) == "BIGINT NOT NULL");
}

TEST_CASE("casts of times before 1970 round up") {
  CHECK(shown(cast(moon(), DataType::string())) == "1969-07-20 20:17:40.500");
  CHECK(shown(cast(moon(), DataType::date())) == "1969-07-21");
  CHECK(shown(cast(moon(), DataType::time(0))) == "20:17:41");
  CHECK(shown(cast(moon(), DataType::timestamp(0))) == "1969-07-20 20:17:41");
  CHECK(shown(cast(moon(), DataType::timestamp(6))) == "1969-07-20 20:17:40.500000");
  CHECK(shown(cast(leap(), DataType::date())) == "2024-02-29");
  CHECK(shown(cast(leap(), DataType::time(0))) == "23:59:59");
  CHECK(shown(cast(date("1969-07-20"), DataType::timestamp(3))) == "1969-07-20 00:00:00.000");
  CHECK(shown(cast(s("10:11:12"), DataType::time(0))) == "10:11:12");
}

TEST_CASE("FLOOR TO WEEK gives the Sunday") {
  auto floor = [](const char* unit, const ExprPtr& of) { return shown(call("FLOOR", {of, sym(unit)})); };
  auto ceil = [](const char* unit, const ExprPtr& of) { return shown(call("CEIL", {of, sym(unit)})); };
  CHECK(floor("WEEK", leap()) == "2024-02-25 00:00:00.000");
  CHECK(floor("SECOND", moon()) == "1969-07-20 20:17:40.000");
  CHECK(floor("DAY", moon()) == "1969-07-20 00:00:00.000");
  CHECK(floor("QUARTER", ts("2023-12-31 00:00:00")) == "2023-10-01 00:00:00.000");
  CHECK(floor("WEEK", date("2024-02-29")) == "2024-02-25");
  CHECK(ceil("MONTH", date("2023-12-31")) == "2024-01-01");
  CHECK(ceil("YEAR", date("1969-07-20")) == "1970-01-01");
}

TEST_CASE("moving by months keeps to the month's last day") {
  auto add = [](const char* unit, int n, const ExprPtr& to) {
    return shown(call("TIMESTAMPADD", {sym(unit), i(n), to}));
  };
  CHECK(add("MONTH", 1, ts("2023-12-31 00:00:00")) == "2024-01-31 00:00:00.000");
  CHECK(add("QUARTER", 1, leap()) == "2024-05-29 23:59:59.123");
  CHECK(add("HOUR", 5, leap()) == "2024-03-01 04:59:59.123");
  CHECK(add("DAY", -1, date("2024-02-29")) == "2024-02-28");
  CHECK(add("WEEK", 1, date("1969-07-20")) == "1969-07-27");
  CHECK(add("MONTH", 1, ts("2024-01-31 00:00:00")) == "2024-02-29 00:00:00.000");
}

TEST_CASE("differences count whole units") {
  auto diff = [](const char* unit, const ExprPtr& a, const ExprPtr& c) {
    return shown(call("TIMESTAMPDIFF", {sym(unit), a, c}));
  };
  CHECK(diff("DAY", leap(), ts("2024-03-01 00:00:00")) == "0");
  CHECK(diff("MONTH", leap(), ts("2024-03-31 00:00:00")) == "1");
  CHECK(diff("MONTH", moon(), ts("2024-03-31 00:00:00")) == "656");
  CHECK(diff("YEAR", date("2024-02-29"), date("2025-02-28")) == "1");
  CHECK(diff("SECOND", moon(), ts("2024-03-01 00:00:00")) == "1723434139");
  CHECK(diff("WEEK", date("1969-07-20"), date("2024-03-20")) == "2852");
  CHECK(diff("HOUR", leap(), ts("2024-02-29 00:00:00")) == "-23");
  CHECK(shown(call("MINUS_DATE", {leap(), ts("2024-02-29 00:00:00"), sym("DAY TO SECOND")})) == "+0 23:59:59.123");
  CHECK(shown(call("MINUS_DATE", {date("2024-05-01"), date("1969-07-20"), sym("MONTH")})) == "+54-09");
  CHECK(type_of(call("TIMESTAMPDIFF", {sym("DAY"), date("2024-01-01"), date("2024-01-02")})) == "INT NOT NULL");
}

TEST_CASE("text that does not parse as a timestamp gives NULL") {
  CHECK(shown(call("TO_TIMESTAMP", {s("2024-02-29 23:59:59")})) == "2024-02-29 23:59:59.000");
  CHECK(shown(call("TO_TIMESTAMP", {s("2023/12/31")})) == "<NULL>");
  CHECK(shown(call("TO_TIMESTAMP", {s("2024-13-01 00:00:00")})) == "<NULL>");
  CHECK(shown(call("TO_TIMESTAMP", {s("2024-01-02"), s("yyyy-MM-dd")})) == "2024-01-02 00:00:00.000");
  CHECK(shown(call("TO_TIMESTAMP", {s("02/01/24 10"), s("dd/MM/yy HH")})) == "2024-01-02 10:00:00.000");
  CHECK(shown(call("TO_DATE", {s("2024-02-29 23:59:59")})) == "2024-02-29");
  CHECK(shown(call("TO_DATE", {s("not a date")})) == "<NULL>");
  CHECK(shown(call("TO_DATE", {s("20240102"), s("yyyyMMdd")})) == "2024-01-02");
  CHECK(type_of(call("TO_TIMESTAMP", {s("x")})) == "TIMESTAMP(3)");
  CHECK(type_of(call("TO_TIMESTAMP_LTZ", {i(0), i(3)})) == "TIMESTAMP_LTZ(3)");
  CHECK(shown(call("TO_TIMESTAMP_LTZ", {i(1), call("ABS", {l(0)})})) == "1970-01-01 00:00:01.000");
}

TEST_CASE("Unix time") {
  CHECK(shown(call("FROM_UNIXTIME", {l(1709251199)})) == "2024-02-29 23:59:59");
  CHECK(shown(call("FROM_UNIXTIME", {l(-14182940), s("yyyy/MM/dd")})) == "1969/07/20");
  CHECK(shown(call("UNIX_TIMESTAMP", {s("2024-02-29 23:59:59")})) == "1709251199");
  CHECK(shown(call("UNIX_TIMESTAMP", {s("not a date")})) == "-9223372036854775808");
  CHECK(shown(call("UNIX_TIMESTAMP", {s("2024"), s("yyyy")})) == "1704067200");
  CHECK(shown(call("UNIX_TIMESTAMP", {cast(moon(), DataType::string())})) == "-14182940");
}

TEST_CASE("literals print with their precision") {
  CHECK(shown(ts("2024-01-01 00:00:00.123456", 6)) == "2024-01-01 00:00:00.123456");
  CHECK(shown(make_literal(Value::integer(3 * 86400000LL), DataType::interval_millis())) == "+3 00:00:00.000");
  CHECK(shown(make_literal(Value::integer(10), DataType::interval_months())) == "+0-10");
  CHECK(shown(cast(make_literal(Value::integer(3 * 3600000LL), DataType::interval_millis()), DataType::string())) ==
        "+0 03:00:00.000");
}

TEST_CASE("local time follows the session's zone") {
  ExprPtr t = ltz(1615710600000);
  CHECK(shown_in("America/New_York", t) == "2021-03-14 04:30:00.000");
  CHECK(shown_in("America/New_York", cast(t, DataType::timestamp(3))) == "2021-03-14 04:30:00.000");
  CHECK(shown_in("America/New_York", call("EXTRACT", {sym("HOUR"), t})) == "4");
  // Clocks changed that morning: the start of the day is off by the hour.
  CHECK(shown_in("America/New_York", call("FLOOR", {t, sym("DAY")})) == "2021-03-13 23:00:00.000");
  CHECK(shown_in("America/New_York", cast(t, DataType::date())) == "2021-03-14");
  CHECK(shown_in("GMT+05:30", call("DATE_FORMAT", {t, s("yyyy-MM-dd HH:mm")})) == "2021-03-14 14:00");
  CHECK(shown_in("GMT+05:30", call("FROM_UNIXTIME", {l(1615710600)})) == "2021-03-14 14:00:00");
  CHECK(shown(call("CONVERT_TZ", {s("2024-01-01 00:00:00"), s("UTC"), s("Asia/Tokyo")})) == "2024-01-01 09:00:00");
}

TEST_CASE("a local time that clocks skip moves forward, one that comes twice means the first") {
  TimeZone zone = TimeZone::find("America/Los_Angeles").value();
  auto local = [](const char* text) { return parse_timestamp(text, 3)->millis; };
  CHECK(zone.to_utc(local("2021-03-14 02:30:00")) == local("2021-03-14 10:30:00"));
  CHECK(zone.to_utc(local("2021-11-07 01:30:00")) == local("2021-11-07 08:30:00"));
  CHECK(!TimeZone::find("Mars/Olympus"));
}

TEST_CASE("every day turns into a date and back") {
  for (int64_t day = -800000; day < 800000; day += 37) {
    CivilDate date = civil_from_days(day);
    CHECK(days_from_civil(date.year, date.month, date.day) == day);
  }
  CHECK(date_text(0) == "1970-01-01");
  CHECK(date_text(-1) == "1969-12-31");
}

TEST_CASE("timestamps survive the round trip through text") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    TimestampValue t{static_cast<int64_t>(random() % 200000000000000ull) - 60000000000000,
                     static_cast<int32_t>(random() % 1000000)};
    CHECK(parse_timestamp(timestamp_text(t, 9), 9).value() == t);
  }
}

TEST_CASE("patterns of both dialects") {
  CHECK(shown(call("DATE_FORMAT", {leap(), s("yy/M/d h:mm a, EEE MMM SSS")})) == "24/2/29 11:59 PM, Thu Feb 123");
  CHECK(shown(call("DATE_FORMAT", {leap(), s("yyyy''yy 'at' HH")})) == "2024'24 at 23");
  CHECK(shown(call("DATE_FORMAT", {s("2024-02-29 23:59:59"), s("yyyyMMdd")})) == "20240229");
  CHECK(shown(call("TO_TIMESTAMP", {s("2024-02-31"), s("yyyy-MM-dd")})) == "2024-02-29 00:00:00.000");
  CHECK(shown(call("TO_DATE", {s("2024-13-05"), s("yyyy-MM-dd")})) == "2025-01-05");
}
