// Partitions of a log directory that share its journal, and what their writers were told of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/log_directory.h"
#include "tests/log/world.h"

namespace millrace::log {

inline constexpr int64_t small_journal = 256 << 10;

inline LogConfig small_segments(int32_t bytes = 20'000) {
  LogConfig config;
  config.segment_bytes = bytes;
  config.index_interval_bytes = 200;
  config.file_delete_delay = Millis(5);
  config.retention = Millis(-1);  // only what DeleteRecords has left behind
  return config;
}

// A partition, and what the world was told of it. Every batch is one record.
struct Told {
  TopicPartition name;
  TopicId id;
  std::vector<std::string> values;  // by offset
  int64_t durable = 0;              // said to be durable: must be there
  std::optional<int64_t> cutting;   // a truncation, or a deletion (0), that has not returned
  int64_t start = 0;
  LeaderEpoch epoch{0};
  Log* log = nullptr;
};

// One life of the node: goes with its coroutine when it crashes.
struct Life {
  std::unique_ptr<LogDirectory> directory;
  std::map<std::string, std::unique_ptr<Log>> logs;
  LogConfig config = small_segments();
};

// One node with some partitions, each of a topic of its own.
struct JournalWorld : LogWorld {
  explicit JournalWorld(uint64_t seed, int partitions = 3) : LogWorld(seed) {
    MetaProperties meta;
    meta.cluster_id = "4L6g3nShT-eMCtK--X86sw";
    meta.node_id = BrokerId(1);
    meta.directory_id = Uuid{1, 5};
    disk().put("/data/meta.properties", format_meta_properties(meta, Timestamp(0)));
    for (int i = 0; i < partitions; ++i) {
      Told& log = logs.emplace_back();
      log.name = {"topic" + std::to_string(i), PartitionId(i)};
      log.id = {1, static_cast<uint64_t>(i)};
    }
  }
  std::vector<Told> logs;
  uint64_t next_id = 100;
};

// As the broker does: what nobody knows is set aside, and what has neither directory nor journal is made when it is
// written to.
inline Task<void> open_one(Life& life, Told& told) {
  LogDirectory& directory = *life.directory;
  const bool there = (co_await Shard::current().disk().stat(directory.partition_path(told.name))).has_value();
  const std::optional<TopicId> found = co_await directory.topic_id_of(told.name);
  if (there && found != told.id) co_await directory.set_aside_stray(told.name);
  std::unique_ptr<Log>& log = life.logs[told.name.topic];
  if (found == told.id || directory.journaled(told.id, told.name.partition)) {
    log = co_await directory.open_log(told.name, told.id, life.config, directory.open_state(told.name));
  } else {
    log = directory.create_log(told.name, told.id, life.config);
  }
  told.log = log.get();
}

inline Task<void> open_all(Life& life, JournalWorld& world) {
  life.directory = co_await LogDirectory::open("/data");
  std::vector<Shard*> shards{&Shard::current()};
  co_await life.directory->keep_journals(shards, small_journal);
  for (Told& told : world.logs) co_await open_one(life, told);
  co_await life.directory->finish_recovery();
}

inline Task<void> close_all(Life& life, JournalWorld& world) {
  std::vector<PartitionPositions> positions;
  for (Told& told : world.logs) {
    co_await told.log->close();
    PartitionPositions position = co_await positions_of(*told.log, told.name, told.log->end());
    positions.push_back(std::move(position));
  }
  co_await life.directory->close(7, std::move(positions));
}

inline void append_one(Told& told, int64_t padding) {
  const std::string value = told.name.topic + " of " + std::to_string(told.id.low) + " epoch " +
                            std::to_string(told.epoch.value) + " number " + std::to_string(told.values.size()) +
                            std::string(static_cast<size_t>(padding), '.');
  const AppendResult result = told.log->append(batch_of({value}), told.epoch);
  REQUIRE(result.error == ErrorCode::none);
  REQUIRE(result.base.value == static_cast<int64_t>(told.values.size()));
  told.values.push_back(value);
}

}  // namespace millrace::log
