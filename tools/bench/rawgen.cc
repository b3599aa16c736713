// rawgen: loads a Kafka broker, Millrace or another, at the lowest cost of its own, and prints one JSON object.
//
//   saturate, 100-byte records                rawgen --producers 4 --pid $(pidof millrace)
//   200 MB/s on schedule                      rawgen --producers 4 --record 1024 --rate 200 --seconds 10
//   ack and end-to-end latency                rawgen --producers 1 --consumers 1 --from end --batch 200 --records 1000
//   read the topic round and round            rawgen --consumers 4 --again --pid …
//   ask 10,000 partitions for news, at once   rawgen --consumers 1 --sessions --partitions 10000 --fetch-min 0
//
// Rates and totals are of payload: keys and values before compression. cpu.broker is user and system time of the
// process --pid; cpu.kernel_threads that of all kernel threads, cpu.others of everybody else (a busy machine spoils a
// run), all over the measured seconds. Latencies are microseconds. See `rawgen --help`.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"
#include "tools/bench/generator.h"
#include "tools/bench/options.h"
#include "tools/bench/setup_client.h"
#include "tools/bench/workload.h"

namespace millrace::bench {

namespace {

void print_flow(const char* name, const Flow& flow, const CpuUse& cpu) {
  const double wall = cpu.wall > 0 ? cpu.wall : 1;
  const double gigabytes = static_cast<double>(flow.payload) / 1e9;
  std::printf(
      "  \"%s\": {\"requests\": %lu, \"records\": %lu, \"payload_bytes\": %lu, \"batch_bytes\": %lu, \"errors\": %lu, "
      "\"mb_per_s\": %.2f, \"records_per_s\": %.0f, \"requests_per_s\": %.0f",
      name, flow.requests, flow.records, flow.payload, flow.batch_bytes, flow.errors, gigabytes * 1000 / wall,
      static_cast<double>(flow.records) / wall, static_cast<double>(flow.requests) / wall);
  if (cpu.broker > 0 && flow.payload > 0) std::printf(", \"broker_cpu_s_per_gb\": %.4f", cpu.broker / gigabytes);
  if (cpu.broker > 0 && flow.requests > 0) {
    std::printf(", \"broker_cpu_us_per_request\": %.2f", cpu.broker * 1e6 / static_cast<double>(flow.requests));
  }
  std::printf("},\n");
}

void print_latency(const char* name, const Histogram& histogram, bool with_buckets) {
  const auto micros = [](uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; };
  std::printf(
      "  \"%s\": {\"count\": %lu, \"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, "
      "\"max\": %.1f",
      name, histogram.count(), histogram.mean() / 1000, micros(histogram.percentile(0.5)),
      micros(histogram.percentile(0.9)), micros(histogram.percentile(0.99)), micros(histogram.percentile(0.999)),
      micros(histogram.max()));
  if (with_buckets) {
    std::printf(", \"buckets\": [");
    const char* separator = "";
    for (const auto& [end, count] : histogram.filled()) {
      std::printf("%s[%.2f, %lu]", separator, micros(end), count);
      separator = ", ";
    }
    std::printf("]");
  }
  std::printf("},\n");
}

void print_outcome(const Options& options, const Outcome& outcome) {
  const CpuUse& cpu = outcome.cpu;
  std::printf("{\n");
  if (options.producers > 0) print_flow("produced", outcome.produced, cpu);
  if (options.consumers > 0) print_flow("consumed", outcome.consumed, cpu);
  if (outcome.ack.count() > 0) print_latency("ack_us", outcome.ack, options.print_histogram);
  if (outcome.end_to_end.count() > 0) print_latency("end_to_end_us", outcome.end_to_end, options.print_histogram);
  if (options.sessions) std::printf("  \"sessions_begun\": %lu,\n", outcome.sessions_begun);
  if (options.open_loop()) {
    std::printf("  \"schedule\": {\"due\": %lu, \"unanswered\": %lu, \"worst_lateness_us\": %.1f},\n", outcome.due,
                outcome.unanswered, static_cast<double>(outcome.worst_lateness) / 1000);
  }
  std::printf(
      "  \"cpu\": {\"wall\": %.3f, \"broker\": %.2f, \"kernel_threads\": %.2f, \"generator\": %.3f, \"others\": %.2f, "
      "\"busy\": %.2f},\n",
      cpu.wall, cpu.broker, cpu.kernel_threads, cpu.generator, cpu.others, cpu.busy);
  std::printf("  \"broker_rss_bytes\": %zu, \"first_error\": %d\n}\n", outcome.resident, outcome.first_error);
}

// The topic must be there. Until the broker runs and leads it, everything may fail.
void print_first_ack(const Options& options) {
  while (true) {
    try {
      SetupClient client(options.host, options.port);
      const TopicId topic = client.ready_topic(options);
      const Workload workload = encode_workload(options, topic, client.version_of<protocol::ProduceRequest>());
      if (client.write_once(workload.frames.at(0))) break;
    } catch (const BrokerError&) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  std::printf("{\"first_ack\": %.6f}\n", std::chrono::duration<double>(now).count());
}

int run(const Options& options) {
  SetupClient client(options.host, options.port);
  const TopicId topic = client.ready_topic(options);
  const auto produce_version = client.version_of<protocol::ProduceRequest>();
  const auto fetch_version = client.version_of<protocol::FetchRequest>();
  Workload workload;
  if (options.producers > 0) workload = encode_workload(options, topic, produce_version);
  const std::vector<Offset> begins = client.offsets(options.topic, options.partitions, true);
  const std::vector<Offset> ends = client.offsets(options.topic, options.partitions, false);
  Generator generator(options, topic, std::move(workload), produce_version, fetch_version, begins, ends);
  const Outcome outcome = generator.run();
  if (options.delete_topic) client.delete_topic(options.topic);
  print_outcome(options, outcome);
  return outcome.produced.errors + outcome.consumed.errors > 0 ? 1 : 0;
}

}  // namespace

}  // namespace millrace::bench

int main(int argc, char** argv) {
  using namespace millrace::bench;
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const std::optional<Options> options = parse_options(argc, argv);
    if (!options) {
      std::fputs(usage, stdout);
      return 0;
    }
    if (options->first_ack) {
      print_first_ack(*options);
      return 0;
    }
    return run(*options);
  } catch (const UsageError& error) {
    std::fprintf(stderr, "rawgen: %s; see rawgen --help\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rawgen: %s\n", error.what());
    return 1;
  }
}
