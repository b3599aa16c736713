#include "processing/connectors/table_options.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "processing/failure.h"

namespace millrace::processing {

namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t at = text.find(separator);
    std::string_view part = text.substr(0, at);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string get(const plan::Options& options, const std::string& key, const std::string& otherwise = "") {
  const auto at = options.find(key);
  return at == options.end() ? otherwise : at->second;
}

int64_t number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

ScanPosition position(const plan::Options& options, const std::string& which, ScanPosition::Mode otherwise) {
  ScanPosition at;
  at.mode = otherwise;
  const std::string mode = get(options, "scan." + which + ".mode");
  if (mode == "earliest-offset") at.mode = ScanPosition::Mode::earliest;
  if (mode == "latest-offset") at.mode = ScanPosition::Mode::latest;
  if (mode == "group-offsets") at.mode = ScanPosition::Mode::group_offsets;
  if (mode == "timestamp") at.mode = ScanPosition::Mode::timestamp;
  if (mode == "specific-offsets") at.mode = ScanPosition::Mode::specific;
  if (mode == "unbounded") at.mode = ScanPosition::Mode::unbounded;
  at.timestamp = number(get(options, "scan." + which + ".timestamp-millis"));
  for (const std::string& pair : split(get(options, "scan." + which + ".specific-offsets"), ';')) {
    int partition = 0;
    int64_t offset = 0;
    for (const std::string& part : split(pair, ',')) {
      if (part.starts_with("partition:")) partition = static_cast<int>(number(part.substr(10)));
      if (part.starts_with("offset:")) offset = number(part.substr(7));
    }
    at.offsets[partition] = offset;
  }
  return at;
}

TableFormats formats_of(const plan::Options& options, const std::vector<Field>& physical,
                        const std::vector<std::string>& primary_key, bool upsert) {
  TableFormats formats;
  const std::string plain = get(options, "format");
  formats.value.name = plain.empty() ? get(options, "value.format") : plain;
  formats.value.options =
      options_of(options, plain.empty() ? "value." + formats.value.name + "." : formats.value.name + ".");

  std::vector<std::string> key_names = split(get(options, "key.fields"), ';');
  if (upsert) key_names = primary_key;
  const std::string prefix = get(options, "key.fields-prefix");
  const std::string key_format = get(options, "key.format");
  if (!key_format.empty()) {
    TableFormats::One key;
    key.name = key_format;
    key.options = options_of(options, "key." + key_format + ".");
    for (const std::string& name : key_names) {
      for (size_t i = 0; i < physical.size(); ++i) {
        if (physical[i].name != name) continue;
        Field field = physical[i];
        if (!prefix.empty() && field.name.starts_with(prefix)) field.name = field.name.substr(prefix.size());
        key.fields.push_back(field);
        key.columns.push_back(static_cast<int>(i));
      }
    }
    formats.key = std::move(key);
  }
  const bool except_key = get(options, "value.fields-include", "ALL") == "EXCEPT_KEY";
  for (size_t i = 0; i < physical.size(); ++i) {
    if (except_key && std::ranges::find(key_names, physical[i].name) != key_names.end()) continue;
    formats.value.fields.push_back(physical[i]);
    formats.value.columns.push_back(static_cast<int>(i));
  }
  return formats;
}

}  // namespace

SourceOptions source_options(const plan::Scan& scan, const plan::Options& settings) {
  SourceOptions source;
  source.upsert = scan.connector == "upsert-kafka";
  source.topics = split(get(scan.options, "topic"), ';');
  source.topic_pattern = get(scan.options, "topic-pattern");
  source.group = get(scan.options, "properties.group.id");
  source.offset_reset = get(scan.options, "properties.auto.offset.reset", "none");
  source.start = position(scan.options, "startup",
                          source.upsert ? ScanPosition::Mode::earliest : ScanPosition::Mode::group_offsets);
  source.stop = position(scan.options, "bounded", ScanPosition::Mode::unbounded);
  source.formats = formats_of(scan.options, scan.physical, scan.primary_key, source.upsert);
  source.watermark_on_event = get(scan.options, "scan.watermark.emit.strategy") == "on-event";
  source.idle_timeout = duration_setting(scan.options, "scan.watermark.idle-timeout",
                                         duration_setting(settings, "table.exec.source.idle-timeout", 0));
  source.idle_at_log_end = get(scan.options, "millrace.idle", get(settings, "millrace.idle")) == "log-end";
  return source;
}

SinkOptions sink_options(const plan::Sink& sink) {
  SinkOptions options;
  options.upsert = sink.connector == "upsert-kafka";
  options.topics = split(get(sink.options, "topic"), ';');
  const std::string partitioner = get(sink.options, "sink.partitioner", "default");
  if (partitioner == "fixed") options.partitioner = SinkOptions::Partitioner::fixed;
  if (partitioner == "round-robin") options.partitioner = SinkOptions::Partitioner::round_robin;
  std::vector<std::string> primary_key;
  for (const int column : sink.primary_key) primary_key.push_back(sink.schema[static_cast<size_t>(column)].name);
  options.formats = formats_of(sink.options, sink.physical, primary_key, options.upsert);
  return options;
}

std::optional<int64_t> parse_duration(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  std::string unit;
  for (const char* at = end; at < text.data() + text.size(); ++at)
    if (*at != ' ') unit.push_back(static_cast<char>(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at));
  struct Unit {
    std::array<std::string_view, 5> names;
    int64_t numerator;
    int64_t denominator;
  };
  static constexpr std::array<Unit, 7> units{{
      {{"", "ms", "milli", "millis", "millisecond"}, 1, 1},
      {{"s", "sec", "secs", "second", "seconds"}, 1000, 1},
      {{"m", "min", "minute", "minutes", "mins"}, 60'000, 1},
      {{"h", "hour", "hours", "hrs", "hr"}, 3'600'000, 1},
      {{"d", "day", "days", "d", "d"}, 86'400'000, 1},
      {{"us", "micro", "micros", "microsecond", "microseconds"}, 1, 1000},
      {{"ns", "nano", "nanos", "nanosecond", "nanoseconds"}, 1, 1'000'000},
  }};
  if (unit == "milliseconds") unit = "ms";
  for (const Unit& one : units)
    if (std::ranges::find(one.names, unit) != one.names.end()) return value * one.numerator / one.denominator;
  return std::nullopt;
}

int64_t duration_setting(const plan::Options& options, const std::string& key, int64_t otherwise) {
  const auto at = options.find(key);
  if (at == options.end()) return otherwise;
  return parse_duration(at->second).value_or(otherwise);
}

}  // namespace millrace::processing
