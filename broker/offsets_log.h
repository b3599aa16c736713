// The coordinator's ports, over this broker's partitions and its controller. Used on shard 0.
#pragma once

#include "broker/broker.h"
#include "broker/groups/offsets_log.h"

namespace millrace::broker {

class PartitionOffsetsLog final : public groups::OffsetsLog, public groups::TopicDirectory {
 public:
  explicit PartitionOffsetsLog(Broker& broker) : broker_(broker) {}

  int32_t partitions() const override;
  bool leads(PartitionId partition) const override;
  Task<ErrorCode> create(int32_t partitions, int16_t replication_factor,
                         std::vector<std::pair<std::string, std::string>> configs) override;
  Task<Appended> append(PartitionId partition, Bytes batch) override;
  Task<Page> read(PartitionId partition, Offset from, size_t max_bytes) override;

  std::optional<Topic> find(std::string_view name) const override;
  std::optional<std::string> name_of(TopicId id) const override;

 private:
  Broker& broker_;
};

groups::GroupSettings group_settings(const Config& config);

}  // namespace millrace::broker
