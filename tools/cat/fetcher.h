// Fetcher: reads one partition from its leader, batch by batch, and shows what a consumer may see.
#pragma once

#include <functional>
#include <memory>

#include "tools/cat/output.h"
#include "tools/client/cluster.h"

namespace millrace::tools::cat {

class Fetcher {
 public:
  Fetcher(Cluster& cluster, const Options& options, std::string topic, PartitionId partition)
      : cluster_(cluster), options_(options), topic_(std::move(topic)), partition_(partition) {}

  // Finds the leader and the first offset. `stored` is the group's committed offset, where there is one.
  Task<void> start(Position from, std::optional<Offset> stored);
  // Fetches until there is something, `wait` is over or stop() was called; hands the records to `output`.
  Task<void> poll(Output& output, Millis wait);
  // Ends a poll that waits.
  void stop();

  const std::string& topic() const { return topic_; }
  PartitionId partition() const { return partition_; }
  Offset position() const { return position_; }
  bool at_end() const { return position_ >= end_; }
  bool finished() const { return finished_; }  // past the -o e@ position

 private:
  Task<Offset> offset_at(Timestamp time);
  void show(const protocol::RecordBatch& batch, Output& output);

  Cluster& cluster_;
  const Options& options_;
  std::string topic_;
  PartitionId partition_;
  std::unique_ptr<BrokerConnection> leader_;
  Offset position_{0};
  Offset end_{INT64_MAX};
  std::vector<std::pair<ProducerId, Offset>> aborted_;  // of the answer being shown, not yet ended
  bool finished_ = false;
  bool stopping_ = false;
};

}  // namespace millrace::tools::cat
