// Any bytes as a segment that a crash left behind: opening it does no harm, keeps a prefix of whole batches, finds the
// same log a second time, and can go on. Input: which side files lie beside it (one byte), their length (two bytes),
// side file, segment.
#define DOCTEST_CONFIG_IMPLEMENT  // the simulated world prints its seeds with it
#include <doctest/doctest.h>

#include "log/log.h"
#include "tests/fuzz/fuzzer.h"
#include "tests/log/records.h"
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

const TopicPartition orders{"orders", PartitionId(0)};
const std::string directory = "/data/orders-0";

Task<void> read_everything(Log& log) {
  Offset next = log.start();
  while (next < log.end()) {
    const ReadResult part = co_await log.read(next, 4096, log.end(), true, true);
    check(part.error == ErrorCode::none);
    if (part.batches.empty()) break;
    const Offset after = protocol::RecordBatch(part.batches.back()).next_offset();
    check(after > next);
    next = after;
  }
  co_await log.find_time(Timestamp(1'700'000'000'000), log.end());
  co_await log.find_max_timestamp(log.end());
}

Task<void> open_twice() {
  LogConfig config;
  config.index_interval_bytes = 100;
  OpenState crashed;
  std::unique_ptr<Log> log = co_await Log::open(directory, orders, {}, config, crashed);
  const Offset end = log->end();
  check(log->start() <= end && log->durable() == end);
  co_await read_everything(*log);
  co_await log->close();
  log = co_await Log::open(directory, orders, {}, config, crashed);
  check(log->end() == end && log->notes().empty());
  const AppendResult next = log->append(batch_of({"on"}), LeaderEpoch(INT32_MAX));
  check(next.error == ErrorCode::none && next.base == end);
  co_await log->close();
  const OpenState clean{.clean_shutdown = true};
  log = co_await Log::open(directory, orders, {}, config, clean);
  check(log->end() == end + 1);
  co_await read_everything(*log);
  co_await log->close();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  const size_t side = std::min<size_t>(static_cast<size_t>(data[1] << 8 | data[2]), rest.size());
  sim::World world(1);
  sim::Node& node = world.add_node("broker");
  constexpr const char* side_files[] = {"00000000000000000000.index", "00000000000000000000.timeindex",
                                        "00000000000000000000.txnindex", "00000000000000000000.snapshot",
                                        "00000000000000000002.snapshot"};
  if (data[0] < std::size(side_files)) {
    node.disk().put(directory + "/" + side_files[data[0]], rest.substr(0, side));
  }
  node.disk().put(directory + "/00000000000000000000.log", rest.substr(side));
  world.run(node, [] { return open_twice(); });
  return 0;
}

std::vector<uint8_t> fuzzer_seed(uint64_t number) {
  std::vector<Bytes> batches;
  int64_t next = static_cast<int64_t>(number % 3);
  for (uint64_t i = 0; i < 1 + number % 7; ++i) {
    const int32_t sequence = static_cast<int32_t>(i);
    Bytes batch;
    switch ((number + i) % 4) {
      case 0:
        batch = batch_of({"a", "b"});
        break;
      case 1:
        batch = batch_of({std::string(200, 'x')}, from_producer(3, 0, sequence, true));
        break;
      case 2:
        batch = marker(3, 0, number % 2 == 0);
        break;
      default: {
        protocol::BatchOptions options = from_producer(4, 1, sequence);
        options.compression = protocol::Compression::zstd;
        batch = batch_of({"a", "b", "c"}, options);
      }
    }
    batches.push_back(patched<int64_t>(batch, 0, next));
    next = protocol::RecordBatch(batches.back()).next_offset().value;
  }
  const Bytes segment = joined(batches);
  std::vector<uint8_t> input = {static_cast<uint8_t>(number % 6), 0, static_cast<uint8_t>(number % 5 * 12)};
  for (unsigned i = 0; i < input[2]; ++i) input.push_back(static_cast<uint8_t>(i));
  for (const std::byte b : segment.span()) input.push_back(static_cast<uint8_t>(b));
  return input;
}
