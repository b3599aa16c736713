// What the options of a table of the kafka and upsert-kafka connectors mean, once the planner has let them pass.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "processing/formats/format.h"
#include "processing/plan.h"

namespace millrace::processing {

struct ScanPosition {
  enum class Mode : uint8_t { earliest, latest, group_offsets, timestamp, specific, unbounded };
  Mode mode = Mode::group_offsets;
  int64_t timestamp = 0;
  std::map<int, int64_t> offsets;  // specific: by partition
};

// The key and value formats of a table, and which physical columns each covers.
struct TableFormats {
  struct One {
    std::string name;
    FormatOptions options;
    std::vector<Field> fields;  // without the key prefix
    std::vector<int> columns;   // the physical column of each field
  };
  std::optional<One> key;
  One value;
};

struct SourceOptions {
  std::vector<std::string> topics;
  std::string topic_pattern;
  std::string group;
  std::string offset_reset = "none";
  ScanPosition start;
  ScanPosition stop;
  bool upsert = false;
  TableFormats formats;
  bool watermark_on_event = false;
  int64_t idle_timeout = 0;  // milliseconds; 0: never idle
  bool idle_at_log_end = false;
};

struct SinkOptions {
  std::vector<std::string> topics;
  bool upsert = false;
  enum class Partitioner : uint8_t { by_key, fixed, round_robin } partitioner = Partitioner::by_key;
  TableFormats formats;
};

SourceOptions source_options(const plan::Scan& scan, const plan::Options& settings);
SinkOptions sink_options(const plan::Sink& sink);

// "1 s", "200 ms", "5min", "PT5S" to milliseconds, as Flink's configuration reads durations.
std::optional<int64_t> parse_duration(std::string_view text);
int64_t duration_setting(const plan::Options& options, const std::string& key, int64_t otherwise);

}  // namespace millrace::processing
