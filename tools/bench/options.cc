// Reading rawgen's command line.
#include "tools/bench/options.h"

#include <charconv>
#include <functional>
#include <map>
#include <string_view>

namespace millrace::bench {

const char* const usage = R"(usage: rawgen --bootstrap HOST:PORT [--producers N] [--consumers N] [options]

Loads a Kafka broker with pre-encoded requests and prints one JSON object.

  --bootstrap HOST:PORT     127.0.0.1:9092          --topic NAME         rawgen; created when it is not there
  --partitions N            4                       --topic-config K=V   for its creation, any number of times
producing:
  --producers N             connections, 0          --in-flight N        requests unanswered per connection, 5
  --record BYTES            value (and key), 100    --batch BYTES        largest batch, 16384
  --batches N               partitions a request writes to, one batch each, 1
  --write-to N              only the first N partitions, all
  --acks all|1|0            all                     --codec NAME         none, gzip, snappy, lz4, zstd
  --keyed                   records have 16-byte keys
  --distinct N              different batches in turn, 8
  --lines FILE              values are the lines of a file instead, in order, as far as --distinct batches go
consuming:
  --consumers N             connections, 0          --from begin|end     begin; end is what a tailing reader does
  --fetch-max BYTES         of an answer, 50 MB     --partition-max BYTES 1 MB
  --fetch-min BYTES         1                       --max-wait MS        500
  --sessions                incremental fetch sessions; without it every request names every partition
  --until-end               stop at the ends the partitions had at the start
  --again                   start over there instead, until time is up
load (saturation without one of these):
  --rate MB                 payload per second, on a fixed schedule; latency counts from the scheduled time
  --requests N              produce requests a second      --records N      records a second
measuring:
  --seconds S               5                       --warmup S           not measured, 1
  --bytes N                 stop after N measured bytes of payload
  --pid PID                 the broker's process: measure its CPU time, too
  --histogram               print the latency histograms
  --delete                  delete the topic at the end
  --first-ack               instead: try to connect until the broker is there, write one batch as soon as it takes it, and
                            print the monotonic clock at its acknowledgement
With producers and --from end consumers in one run, end-to-end latency is measured as well.
)";

namespace {

template <class T>
T number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    throw UsageError("not a number: '" + std::string(text) + "'");
  }
  return value;
}

void read_address(Options& options, std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) throw UsageError("--bootstrap wants HOST:PORT");
  options.host = text.substr(0, colon);
  if (options.host == "localhost") options.host = "127.0.0.1";
  options.port = number<uint16_t>(text.substr(colon + 1));
}

protocol::Compression codec_named(std::string_view name) {
  const std::optional<protocol::Compression> codec = protocol::compression_named(name);
  if (!codec) throw UsageError("no codec is called '" + std::string(name) + "'");
  return *codec;
}

std::pair<std::string, std::string> setting(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) throw UsageError("--topic-config wants KEY=VALUE");
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

using Take = std::function<void(Options&, std::string_view)>;

const std::map<std::string_view, std::function<void(Options&)>> flags = {
    {"--keyed", [](Options& o) { o.keyed = true; }},
    {"--until-end", [](Options& o) { o.until_end = true; }},
    {"--again", [](Options& o) { o.again = true; }},
    {"--sessions", [](Options& o) { o.sessions = true; }},
    {"--saturate", [](Options&) {}},
    {"--histogram", [](Options& o) { o.print_histogram = true; }},
    {"--delete", [](Options& o) { o.delete_topic = true; }},
    {"--first-ack", [](Options& o) { o.first_ack = true; }},
};

const std::map<std::string_view, Take> values = {
    {"--bootstrap", read_address},
    {"--topic", [](Options& o, std::string_view v) { o.topic = v; }},
    {"--partitions", [](Options& o, std::string_view v) { o.partitions = number<int>(v); }},
    {"--topic-config", [](Options& o, std::string_view v) { o.topic_settings.push_back(setting(v)); }},
    {"--producers", [](Options& o, std::string_view v) { o.producers = number<int>(v); }},
    {"--in-flight", [](Options& o, std::string_view v) { o.in_flight = number<int>(v); }},
    {"--record", [](Options& o, std::string_view v) { o.record_size = number<size_t>(v); }},
    {"--batch", [](Options& o, std::string_view v) { o.batch_size = number<size_t>(v); }},
    {"--batches", [](Options& o, std::string_view v) { o.batches_per_request = number<int>(v); }},
    {"--write-to", [](Options& o, std::string_view v) { o.written_partitions = number<int>(v); }},
    {"--acks", [](Options& o, std::string_view v) { o.acks = v == "all" ? int16_t{-1} : number<int16_t>(v); }},
    {"--codec", [](Options& o, std::string_view v) { o.codec = codec_named(v); }},
    {"--distinct", [](Options& o, std::string_view v) { o.distinct = number<int>(v); }},
    {"--lines", [](Options& o, std::string_view v) { o.lines = v; }},
    {"--consumers", [](Options& o, std::string_view v) { o.consumers = number<int>(v); }},
    {"--from", [](Options& o, std::string_view v) { o.from_end = v == "end"; }},
    {"--fetch-max", [](Options& o, std::string_view v) { o.fetch_max = number<int32_t>(v); }},
    {"--partition-max", [](Options& o, std::string_view v) { o.partition_max = number<int32_t>(v); }},
    {"--fetch-min", [](Options& o, std::string_view v) { o.fetch_min = number<int32_t>(v); }},
    {"--max-wait", [](Options& o, std::string_view v) { o.max_wait_ms = number<int32_t>(v); }},
    {"--rate", [](Options& o, std::string_view v) { o.megabytes_per_second = number<double>(v); }},
    {"--requests", [](Options& o, std::string_view v) { o.requests_per_second = number<double>(v); }},
    {"--records", [](Options& o, std::string_view v) { o.records_per_second = number<double>(v); }},
    {"--seconds", [](Options& o, std::string_view v) { o.seconds = number<double>(v); }},
    {"--warmup", [](Options& o, std::string_view v) { o.warm_up = number<double>(v); }},
    {"--bytes", [](Options& o, std::string_view v) { o.byte_limit = number<uint64_t>(v); }},
    {"--pid", [](Options& o, std::string_view v) { o.broker_pid = number<int>(v); }},
};

void check_options(const Options& o) {
  if (o.producers == 0 && o.consumers == 0) throw UsageError("nothing to do: --producers or --consumers");
  if (o.producers < 0 || o.consumers < 0 || o.partitions < 1 || o.in_flight < 1 || o.distinct < 1) {
    throw UsageError("counts are positive");
  }
  if (o.written_partitions < 0 || o.written_partitions > o.partitions) {
    throw UsageError("--write-to is between 1 and the partitions");
  }
  if (o.batches_per_request < 1 || o.batches_per_request > o.to_be_written()) {
    throw UsageError("--batches is between 1 and the partitions that are written to");
  }
  if (o.acks < -1 || o.acks > 1) throw UsageError("--acks is all, 1 or 0");
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return std::nullopt;
    if (const auto flag = flags.find(argument); flag != flags.end()) {
      flag->second(options);
    } else if (const auto value = values.find(argument); value != values.end()) {
      if (i + 1 == argc) throw UsageError(std::string(argument) + " wants a value");
      value->second(options, argv[++i]);
    } else {
      throw UsageError("unknown option " + std::string(argument));
    }
  }
  check_options(options);
  return options;
}

}  // namespace millrace::bench
