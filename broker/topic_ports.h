// The ports of processing, over this broker's partitions. May be called on any shard.
#pragma once

#include "broker/broker.h"
#include "broker/groups/coordinator.h"
#include "processing/ports.h"

namespace millrace::broker {

class TopicPorts final : public processing::TopicReader, public processing::TopicWriter {
 public:
  TopicPorts(Broker& broker, groups::GroupCoordinator& groups) : broker_(broker), groups_(groups) {}

  Task<std::optional<int>> partitions(std::string topic) override;

  // --- reading ---
  Task<std::vector<std::string>> topics() override;
  Task<processing::PartitionBounds> bounds(std::string topic, PartitionId partition) override;
  Task<Offset> offset_at(std::string topic, PartitionId partition, Timestamp time) override;
  Task<std::optional<Offset>> committed(std::string group, std::string topic, PartitionId partition) override;
  Task<void> commit(std::string group, std::string topic, PartitionId partition, Offset offset) override;
  Task<processing::ScanResult> scan(std::string topic, PartitionId partition, Offset from, size_t max_bytes,
                                    MonoTime deadline) override;

  // --- writing ---
  Task<ErrorCode> create(std::string topic, int partitions, bool internal_compacted) override;
  Task<ProducerId> new_producer() override;
  Task<ErrorCode> append(std::string topic, PartitionId partition, Bytes batch) override;
  Task<Appended> append_all(std::string topic, PartitionId partition, std::vector<Bytes> batches) override;
  Task<std::optional<Sequence>> last_sequence(std::string topic, PartitionId partition, ProducerId producer) override;
  Task<ErrorCode> delete_before(std::string topic, PartitionId partition, Offset offset) override;
  Task<ErrorCode> remove(std::string topic) override;

 private:
  // Calls `work` with the partition, on its shard; `missing` when there is none.
  template <class Result, class Work>
  Task<Result> with(std::string topic, PartitionId partition, Result missing, Work work);

  Broker& broker_;
  groups::GroupCoordinator& groups_;
};

}  // namespace millrace::broker
