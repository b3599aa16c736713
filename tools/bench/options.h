// What a run of rawgen is asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "protocol/compression.h"

namespace millrace::bench {

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 9092;
  std::string topic = "rawgen";
  int partitions = 4;
  std::vector<std::pair<std::string, std::string>> topic_settings;

  int producers = 0;
  int in_flight = 5;
  size_t record_size = 100;
  size_t batch_size = 16384;
  int batches_per_request = 1;
  int written_partitions = 0;  // the first so many; 0: all
  int16_t acks = -1;
  protocol::Compression codec = protocol::Compression::none;
  bool keyed = false;
  int distinct = 8;
  std::optional<std::string> lines;  // a file whose lines are the values

  int consumers = 0;
  int32_t fetch_max = 50 << 20;
  int32_t partition_max = 1 << 20;
  int32_t fetch_min = 1;
  int32_t max_wait_ms = 500;
  bool sessions = false;
  bool from_end = false;
  bool until_end = false;
  bool again = false;

  // At most one is set; none means saturation.
  std::optional<double> megabytes_per_second;
  std::optional<double> requests_per_second;
  std::optional<double> records_per_second;

  double seconds = 5;
  double warm_up = 1;
  uint64_t byte_limit = 0;  // 0: none
  std::optional<int> broker_pid;
  bool print_histogram = false;
  bool delete_topic = false;  // at the end
  bool first_ack = false;     // only time the first acknowledgement of a broker that is being started

  int to_be_written() const { return written_partitions > 0 ? written_partitions : partitions; }
  bool open_loop() const { return megabytes_per_second || requests_per_second || records_per_second; }
};

// Throws UsageError. Answers nothing when help was asked for.
std::optional<Options> parse_options(int argc, char** argv);
extern const char* const usage;

}  // namespace millrace::bench
