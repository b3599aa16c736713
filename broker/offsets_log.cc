#include "broker/offsets_log.h"

#include "broker/controller.h"

namespace millrace::broker {

int32_t PartitionOffsetsLog::partitions() const {
  const replication::Topic topic = broker_.image()->topic(groups::offsets_topic);
  return topic ? static_cast<int32_t>(topic->partitions.size()) : 0;
}

bool PartitionOffsetsLog::leads(PartitionId partition) const {
  const replication::Topic topic = broker_.image()->topic(groups::offsets_topic);
  return topic && partition.value >= 0 && static_cast<size_t>(partition.value) < topic->partitions.size() &&
         topic->partitions[static_cast<size_t>(partition.value)].leader == broker_.id();
}

Task<ErrorCode> PartitionOffsetsLog::create(int32_t partitions, int16_t replication_factor,
                                            std::vector<std::pair<std::string, std::string>> configs) {
  TopicWish wish;
  wish.name = groups::offsets_topic;
  wish.partitions = partitions;
  wish.replication_factor = replication_factor;
  for (auto& [name, value] : configs) wish.configs.emplace_back(std::move(name), std::move(value));
  co_return co_await broker_.controller().ensure_topic(std::move(wish));
}

Task<groups::OffsetsLog::Appended> PartitionOffsetsLog::append(PartitionId index, Bytes batch) {
  const replication::Topic topic = broker_.image()->topic(groups::offsets_topic);
  Appended appended;
  appended.error = ErrorCode::not_leader_or_follower;
  if (!topic) co_return appended;
  const TopicId id = topic->id;
  auto write = [this, id, index, batch = std::move(batch)]() -> Task<Appended> {
    Appended result;
    const std::shared_ptr<Partition> partition = co_await broker_.partitions().open(id, index);
    if (!partition) {
      result.error = ErrorCode::not_leader_or_follower;
      co_return result;
    }
    const log::AppendResult placed = partition->append(batch, {.client = false});
    result.error = placed.error;
    result.base = placed.base;
    if (placed.error == ErrorCode::none) result.error = co_await partition->wait_for(placed.last + 1, never);
    co_return result;
  };
  co_return co_await on(broker_.owner(id, index), std::move(write));
}

Task<groups::OffsetsLog::Page> PartitionOffsetsLog::read(PartitionId index, Offset from, size_t max_bytes) {
  Page page;
  page.error = ErrorCode::not_leader_or_follower;
  const replication::Topic topic = broker_.image()->topic(groups::offsets_topic);
  if (!topic) co_return page;
  const TopicId id = topic->id;
  auto look = [this, id, index, from, max_bytes]() -> Task<Page> {
    Page result;
    const std::shared_ptr<Partition> partition = co_await broker_.partitions().open(id, index);
    if (!partition) {
      result.error = ErrorCode::not_leader_or_follower;
      co_return result;
    }
    const Offset at = std::max(from, partition->start());
    if (at >= partition->high_watermark()) co_return result;
    log::ReadResult read = co_await partition->log().read(at, max_bytes, partition->high_watermark(), true);
    result.error = read.error;
    result.batches = std::move(read.batches);
    co_return result;
  };
  co_return co_await on(broker_.owner(id, index), std::move(look));
}

std::optional<groups::TopicDirectory::Topic> PartitionOffsetsLog::find(std::string_view name) const {
  const replication::Topic topic = broker_.image()->topic(name);
  if (!topic) return std::nullopt;
  return Topic{topic->id, static_cast<int32_t>(topic->partitions.size())};
}

std::optional<std::string> PartitionOffsetsLog::name_of(TopicId id) const {
  const replication::Topic topic = broker_.image()->topic(id);
  if (!topic) return std::nullopt;
  return topic->name;
}

groups::GroupSettings group_settings(const Config& config) {
  groups::GroupSettings settings;
  settings.min_session_timeout = config.millis("group.min.session.timeout.ms");
  settings.max_session_timeout = config.millis("group.max.session.timeout.ms");
  settings.initial_rebalance_delay = config.millis("group.initial.rebalance.delay.ms");
  settings.max_size = static_cast<int32_t>(config.number("group.max.size"));
  settings.offset_metadata_max_bytes = static_cast<int32_t>(config.number("offset.metadata.max.bytes"));
  settings.offsets_retention = Millis(config.number("offsets.retention.minutes") * 60'000);
  settings.retention_check_interval = config.millis("offsets.retention.check.interval.ms");
  settings.commit_timeout = config.millis("offsets.commit.timeout.ms");
  settings.offsets_partitions = static_cast<int32_t>(config.number("offsets.topic.num.partitions"));
  settings.offsets_replication_factor = static_cast<int16_t>(config.number("offsets.topic.replication.factor"));
  settings.offsets_segment_bytes = static_cast<int32_t>(config.number("offsets.topic.segment.bytes"));
  return settings;
}

}  // namespace millrace::broker
