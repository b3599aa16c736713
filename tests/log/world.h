// A log on a simulated disk, for tests that tell what happens to it.
#pragma once

#include <doctest/doctest.h>

#include "log/partition_log.h"
#include "tests/log/records.h"
#include "tests/sim/disk.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

namespace millrace::log {

inline const TopicPartition orders{"orders", PartitionId(0)};
inline const std::string orders_directory = "/data/orders-0";
inline const TopicId orders_id{0x1234, 0x5678};

inline Task<std::unique_ptr<Log>> open_orders(LogConfig config = {}, OpenState state = {}) {
  std::unique_ptr<Log> log = co_await Log::open(orders_directory, orders, orders_id, std::move(config), state);
  co_return log;
}

// Closed and opened again, after a clean stop.
inline Task<std::unique_ptr<Log>> restarted(std::unique_ptr<Log> log, LogConfig config = {}) {
  co_await log->close();
  OpenState clean{.clean_shutdown = true};
  log = co_await open_orders(std::move(config), clean);
  co_return log;
}

// One node, and a way to run code on it.
struct LogWorld {
  explicit LogWorld(uint64_t seed = 1) : world(seed), node(world.add_node("broker")) {
    disk().put("/data/meta.properties", "");  // the log directory is there, durably
  }

  void run(std::function<Task<void>()> body) { world.run(node, std::move(body)); }
  sim::SimDisk& disk() { return node.disk(); }
  std::vector<std::string> files() { return node.disk().names(orders_directory); }
  std::string content(const std::string& file) {
    return node.disk().content(orders_directory + "/" + file).value_or("(missing)");
  }

  sim::World world;
  sim::Node& node;
};

// Everything between two offsets.
inline Task<std::vector<std::string>> all_values(Log& log, Offset from, Offset to) {
  std::vector<std::string> values;
  Offset next = from;
  while (next < to) {
    const ReadResult part = co_await log.read(next, 1000, to, true);
    REQUIRE(part.error == ErrorCode::none);
    if (part.batches.empty()) break;
    for (const Bytes& bytes : part.batches) {
      const protocol::RecordBatch batch(bytes);
      CHECK(batch.crc_matches());
      for (std::string& value : values_of({bytes})) values.push_back(std::move(value));
      next = batch.next_offset();
    }
  }
  co_return values;
}

inline std::vector<std::string> numbered(int from, int to) {
  std::vector<std::string> values;
  for (int i = from; i < to; ++i) values.push_back("value " + std::to_string(i));
  return values;
}

// Segments of a few batches, an index entry for almost every batch.
inline LogConfig tiny_segments() {
  LogConfig config;
  config.segment_bytes = 2000;
  config.index_interval_bytes = 200;
  return config;
}

inline void append_numbered(Log& log, int from, int to, LeaderEpoch epoch = LeaderEpoch(0)) {
  for (int i = from; i < to; ++i) {
    const AppendResult result =
        log.append(batch_of({"value " + std::to_string(i)}, {}, Timestamp(1'700'000'000'000 + i * 10)), epoch);
    REQUIRE(result.error == ErrorCode::none);
    REQUIRE(result.base == Offset(i));
  }
}

}  // namespace millrace::log
