// Dates and times from text and to text, by Java's patterns.
#include <fmt/format.h>

#include "processing/calendar.h"
#include "processing/datetime_text.h"
#include "processing/functions/java_pattern.h"
#include "processing/functions/kernel.h"
#include "processing/functions/number_text.h"

namespace millrace::processing {

namespace {

constexpr std::string_view plain_pattern = "yyyy-MM-dd HH:mm:ss";
using Dialect = JavaPattern::Dialect;

int64_t year_now(const KernelCall& c) { return civil_from_days(floor_div(c.context.now.millis, millis_per_day)).year; }

// UTC milliseconds of a lenient text in a zone.
std::optional<int64_t> lenient_millis(const KernelCall& c, std::string_view text, std::string_view pattern,
                                      const TimeZone& zone) {
  std::optional<JavaPattern::Parsed> parsed = JavaPattern::compiled(pattern, Dialect::simple).parse(text, year_now(c));
  if (!parsed) return std::nullopt;
  return parsed->zoned ? parsed->time.millis : zone.to_utc(parsed->time.millis);
}

std::string lenient_text(int64_t utc_millis, std::string_view pattern, const TimeZone& zone) {
  return JavaPattern::compiled(pattern, Dialect::simple).format({zone.to_local(utc_millis), 0}, zone);
}

// ---- DATE_FORMAT ----

void bind_date_format(Binding& b) {
  if (b.count() != 2) b.refuse_count("2");
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::timestamp(3));
  if (b.arg(0).is(TypeRoot::date)) b.cast(0, DataType::timestamp(3));
  if (b.arg(0).is(TypeRoot::timestamp)) {
    b.by_letters("ts", "s?");
    b.kernel = lift<[](TimestampValue t, std::string_view pattern) {
      return JavaPattern::compiled(pattern, Dialect::formatter).format(t, TimeZone::utc());
    }>;
  } else if (b.arg(0).is(TypeRoot::timestamp_ltz)) {
    b.by_letters("ts", "s?");
    b.kernel = lift<[](const KernelCall& c, TimestampValue t, std::string_view pattern) {
      const TimeZone& zone = c.context.zone;
      return JavaPattern::compiled(pattern, Dialect::formatter).format({zone.to_local(t.millis), t.nanos}, zone);
    }>;
  } else {
    b.by_letters("ss", "s?");
    b.kernel = lift<[](const KernelCall& c, std::string_view text, std::string_view pattern) {
      std::optional<int64_t> millis = lenient_millis(c, text, plain_pattern, TimeZone::utc());
      return millis ? std::optional(lenient_text(*millis, pattern, TimeZone::utc())) : std::nullopt;
    }>;
  }
}

// ---- TO_DATE, TO_TIMESTAMP ----

void bind_to_date(Binding& b) {
  b.by_letters("s[s", "D?");
  if (b.count() == 1) {
    b.kernel = lift<[](std::string_view s) { return parse_date(s); }>;
  } else {
    b.kernel = lift<[](const KernelCall& c, std::string_view s, std::string_view pattern) -> std::optional<int32_t> {
      std::optional<int64_t> millis = lenient_millis(c, s, pattern, TimeZone::utc());
      if (!millis) return std::nullopt;
      return static_cast<int32_t>(floor_div(*millis, millis_per_day));
    }>;
  }
}

// By the pattern, or else as a plain date or timestamp; cut to milliseconds.
std::optional<TimestampValue> exact_timestamp(std::string_view text, std::string_view pattern) {
  if (std::optional<JavaPattern::Parsed> parsed =
          JavaPattern::compiled(pattern, Dialect::formatter).parse(text, 2000)) {
    return TimestampValue{parsed->time.millis, 0};
  }
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return parse_timestamp(text, 9);
}

void bind_to_timestamp(Binding& b) {
  b.by_letters("s[s", "t?");
  b.kernel =
      b.count() == 1
          ? Kernel(lift<[](std::string_view s) { return parse_timestamp(s, 3); }>)
          : Kernel(lift<[](std::string_view s, std::string_view pattern) { return exact_timestamp(s, pattern); }>);
}

[[noreturn]] void bad_text(std::string_view text) {
  throw RunFailure("java.time.format.DateTimeParseException", timestamp_problem(text));
}

TimeZone zone_named(std::string_view name) {
  std::optional<TimeZone> zone = TimeZone::find(name);
  if (!zone) throw RunFailure("java.time.zone.ZoneRulesException", fmt::format("Unknown time-zone ID: {}", name));
  return *zone;
}

std::optional<TimestampValue> in_range(int64_t millis) {
  if (millis < -62167219200000 || millis > 253402300799999) return std::nullopt;
  return TimestampValue{millis, 0};
}

std::optional<TimestampValue> from_epoch(int64_t v, int64_t precision) {
  if (precision == 3) return in_range(v);
  if (precision == 0) {
    if (v < -62167219200 || v > 253402300799) return std::nullopt;
    return in_range(v * 1000);
  }
  throw RunFailure(java::table,
                   fmt::format("The precision value '{}' for function TO_TIMESTAMP_LTZ(numeric, precision) is "
                               "unsupported, the supported value is '0' for second or '3' for millisecond.",
                               precision));
}

void bind_to_timestamp_ltz(Binding& b) {
  if (b.count() == 0 || b.count() > 3) b.refuse_count("1 to 3");
  if (b.arg(0).is_numeric()) {
    if (b.count() == 1) b.args.push_back(make_literal(Value::integer(3), DataType::integer().not_null()));
    if (b.count() > 2) b.refuse_count("1 or 2");
    if (!b.arg(1).is_integral()) b.refuse("TO_TIMESTAMP_LTZ(numeric, precision)");
    if (b.is_literal(1) && b.literal(1).as_int() != 0 && b.literal(1).as_int() != 3) {
      b.refuse_text(java::validation,
                    fmt::format("The precision value '{}' for function TO_TIMESTAMP_LTZ(numeric, precision) is "
                                "unsupported, the supported value is '0' for second or '3' for millisecond.",
                                b.literal(1).as_int()));
    }
    b.cast(1, DataType::integer());
    if (b.arg(0).is_approximate()) {
      b.cast(0, DataType::double_());
      b.kernel = lift<[](double v, int32_t precision) {
        return precision == 0 ? from_epoch(static_cast<int64_t>(v * 1000), 3)
                              : from_epoch(static_cast<int64_t>(v), precision);
      }>;
    } else {
      b.cast(0, DataType::bigint());
      b.kernel = lift<[](int64_t v, int32_t precision) { return from_epoch(v, precision); }>;
    }
  } else {
    b.by_letters("s[ss", "");
    if (b.count() == 1) {
      b.kernel = lift<[](std::string_view s) {
        std::optional<TimestampValue> t = parse_timestamp(s, 3);
        if (!t) bad_text(s);
        return *t;
      }>;
    } else if (b.count() == 2) {
      b.kernel = lift<[](std::string_view s, std::string_view pattern) {
        std::optional<TimestampValue> t = exact_timestamp(s, pattern);
        if (!t) bad_text(s);
        return *t;
      }>;
    } else {
      b.kernel = lift<[](std::string_view s, std::string_view pattern, std::string_view zone) {
        std::optional<TimestampValue> t = exact_timestamp(s, pattern);
        if (!t) bad_text(s);
        return TimestampValue{zone_named(zone).to_utc(t->millis), t->nanos};
      }>;
    }
  }
  b.type = DataType::timestamp_ltz(3);
}

// ---- Unix time ----

void bind_from_unixtime(Binding& b) {
  b.by_letters("l[s", "s?");
  if (b.count() == 1) b.args.push_back(make_literal(Value::text(plain_pattern), DataType::string().not_null()));
  b.kernel = lift<[](const KernelCall& c, int64_t seconds, std::string_view pattern) {
    return lenient_text(seconds * 1000, pattern, c.context.zone);
  }>;
}

void bind_unix_timestamp(Binding& b) {
  b.by_letters("[ss", "l");
  if (b.count() == 0) {
    b.kernel = lift<[](const KernelCall& c) { return c.context.now.millis / 1000; }>;
    b.deterministic = false;
    return;
  }
  if (b.count() == 1) b.args.push_back(make_literal(Value::text(plain_pattern), DataType::string().not_null()));
  b.kernel = lift<[](const KernelCall& c, std::string_view text, std::string_view pattern) -> int64_t {
    std::optional<int64_t> millis = lenient_millis(c, text, pattern, c.context.zone);
    return millis ? *millis / 1000 : INT64_MIN;
  }>;
}

std::optional<std::string> convert_zone(const KernelCall& c, std::string_view text, std::string_view from,
                                        std::string_view to) {
  // Java takes names it does not know for GMT.
  TimeZone source = TimeZone::find(from).value_or(TimeZone::utc());
  TimeZone target = TimeZone::find(to).value_or(TimeZone::utc());
  std::optional<int64_t> millis = lenient_millis(c, text, plain_pattern, source);
  if (!millis) return std::nullopt;
  return lenient_text(*millis, plain_pattern, target);
}

}  // namespace

std::vector<Function> time_text_functions() {
  using S = std::string_view;
  auto row = [](std::string_view name, std::string_view usage, void (*bind)(Binding&)) {
    return Function{{name}, "time", usage, "", "", nullptr, bind, true};
  };
  return {
      row("DATE_FORMAT", "DATE_FORMAT(time, pattern)", bind_date_format),
      row("TO_DATE", "TO_DATE(s[, pattern])", bind_to_date),
      row("TO_TIMESTAMP", "TO_TIMESTAMP(s[, pattern])", bind_to_timestamp),
      row("TO_TIMESTAMP_LTZ", "TO_TIMESTAMP_LTZ(number[, precision]) or (s[, pattern[, zone]])", bind_to_timestamp_ltz),
      row("FROM_UNIXTIME", "FROM_UNIXTIME(seconds[, pattern])", bind_from_unixtime),
      row("UNIX_TIMESTAMP", "UNIX_TIMESTAMP([s[, pattern]])", bind_unix_timestamp),
      Function{{"CONVERT_TZ"},
               "time",
               "CONVERT_TZ(s, from, to)",
               "sss",
               "s?",
               lift<[](const KernelCall& c, S s, S from, S to) { return convert_zone(c, s, from, to); }>},
  };
}

}  // namespace millrace::processing
