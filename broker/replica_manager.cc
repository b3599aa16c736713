// How replicas come to be at hand: found in directories and journals at the start, opened or made when asked for.
#include "broker/replica_manager.h"

#include <algorithm>
#include <set>

#include "broker/logging.h"

namespace millrace::broker {

ReplicaManager::ReplicaManager(Broker& broker, Storage& storage, Decided decided)
    : broker_(broker), storage_(storage), decided_(std::move(decided)) {}

Task<void> ReplicaManager::begin() {
  const int64_t journal_bytes = broker_.config().number("millrace.journal.bytes");
  if (broker_.durability() == log::Durability::durable && journal_bytes > 0) {
    for (const auto& dir : storage_.dirs()) co_await dir->keep_journals(broker_.shards(), journal_bytes);
  }
  co_await set_aside_strays();
}

bool ReplicaManager::has_records(const replication::TopicImage& topic, PartitionId partition) const {
  return storage_.found(topic.name, partition) != nullptr || is_journaled(topic.id, partition);
}

Task<void> ReplicaManager::set_aside_strays() {
  for (const auto& dir : storage_.dirs()) {
    for (const log::FoundPartition& found : dir->partitions()) {
      const replication::Topic topic = decided_().topic(found.name.topic);
      const bool known = topic && (found.id.is_zero() || topic->id == found.id) &&
                         static_cast<size_t>(found.name.partition.value) < topic->partitions.size();
      if (known) continue;
      co_await dir->set_aside_stray(found.name);
      log_warn(dir->warnings().back());
      storage_.forget(found.name);
    }
  }
}

Task<replication::Records> ReplicaManager::expect_all() {
  replication::Records assignments;
  std::map<Shard*, std::vector<Partitions::Expected>> expected;
  size_t count = 0;
  size_t on_disk = 0;
  for (const replication::Topic& topic : decided_().topics()) {
    const std::string& name = topic->name;
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const replication::PartitionImage& partition = topic->partitions[i];
      const auto replica = std::ranges::find(partition.replicas, broker_.id());
      if (replica == partition.replicas.end()) continue;
      const PartitionId id(static_cast<int32_t>(i));
      const size_t at = static_cast<size_t>(replica - partition.replicas.begin());
      const Uuid assigned = at < partition.directories.size() ? partition.directories[at] : Uuid();
      const Storage::Found* found = storage_.found(name, id);
      log::LogDirectory* dir = found != nullptr ? found->dir : storage_.find(assigned);
      if (dir == nullptr) {
        dir = &storage_.take_emptiest();
      } else {
        storage_.count(*dir, 1);
      }
      const Uuid dir_id = Storage::id_of(*dir);
      if (dir_id != assigned) assignments.emplace_back(replication::assign_directory(*topic, id, dir_id));
      ++count;
      const bool journaled = is_journaled(topic->id, id);
      if (found == nullptr && !journaled) continue;
      if (journaled) journaled_.push_back({topic->id, id, dir});
      expected[&broker_.owner(topic->id, id)].push_back({topic->id, id, dir});
      ++on_disk;
    }
  }
  storage_.forget_found();
  for (Shard* shard : broker_.shards()) {
    auto expect = [this, &mine = expected[shard]]() -> Task<void> {
      Partitions& partitions = broker_.partitions();
      partitions.make_with([this](const TopicId& topic, PartitionId id) { return make_partition(topic, id); });
      partitions.open_with(
          [this](TopicId topic, PartitionId id, log::LogDirectory& dir) { return open_partition(topic, id, dir); });
      for (const Partitions::Expected& each : mine) partitions.expect(each.topic, each.partition, *each.dir);
      co_return;
    };
    co_await on(*shard, std::move(expect));
  }
  if (count > 0) {
    log_info("Serving " + std::to_string(count) + " partitions, " + std::to_string(on_disk) + " of them with records");
  }
  co_return assignments;
}

bool ReplicaManager::is_journaled(const TopicId& topic, PartitionId partition) const {
  return std::ranges::any_of(storage_.dirs(), [&](const auto& dir) { return dir->journaled(topic, partition); });
}

Task<void> ReplicaManager::recover_journaled() {
  const std::vector<Partitions::Expected> journaled = std::exchange(journaled_, {});
  std::set<const log::LogDirectory*> unfinished;
  for (const Partitions::Expected& each : journaled) {
    auto open = [this, &each]() -> Task<bool> {
      co_return co_await broker_.partitions().open(each.topic, each.partition) != nullptr;
    };
    const bool opened = co_await on(broker_.owner(each.topic, each.partition), std::move(open));
    if (!opened) unfinished.insert(each.dir);
  }
  for (const auto& dir : storage_.dirs()) {
    if (!unfinished.contains(dir.get())) co_await dir->finish_recovery();
  }
}

Task<ReplicaManager::Claim> ReplicaManager::claim(TopicPartition name, TopicId topic, log::LogDirectory& dir) {
  Claim claim;
  if (dir.offline()) co_return claim;
  const std::optional<TopicId> id = co_await dir.topic_id_of(name);
  // A crash may have left nothing of its directory, or not what tells whose it is, while the journal has its records.
  const bool journaled = dir.journaled(topic, name.partition);
  if (id != topic && (id || !journaled)) {
    co_await dir.set_aside_stray(name);
    log_warn(dir.warnings().back());
    claim.stray = !journaled;
  }
  if (!claim.stray) claim.state = dir.open_state(name);
  co_return claim;
}

// On the partition's shard. What is wrong with its files takes the directory offline, as a failing disk does.
Task<std::shared_ptr<Partition>> ReplicaManager::open_partition(TopicId topic_id, PartitionId id,
                                                                log::LogDirectory& dir) {
  const Image image = broker_.image();
  const replication::Topic topic = image->topic(topic_id);
  if (!topic) co_return nullptr;
  const TopicPartition name{topic->name, id};
  std::string failure;
  try {
    auto ask = [this, &name, topic_id, &dir] { return claim(name, topic_id, dir); };
    const Claim claimed = co_await on(broker_.first_shard(), std::move(ask));
    if (claimed.stray) co_return make_partition(topic_id, id);
    if (!claimed.state) co_return nullptr;
    const log::LogConfig config =
        log_config(image->settings({replication::ResourceType::topic, topic->name}), broker_.layers());
    std::unique_ptr<log::Log> log = co_await dir.open_log(name, topic_id, config, *claimed.state);
    const LeaderEpoch epoch = topic->partitions[static_cast<size_t>(id.value)].leader_epoch;
    log->begin_epoch(epoch);
    co_return std::make_shared<Partition>(name, std::move(log), epoch, broker_.durability());
  } catch (const DiskError& error) {
    failure = error.what();
  } catch (const log::CorruptLog& error) {
    failure = error.what();
  }
  broker_.first_shard().post([&dir, failure] { dir.fail(failure); });
  co_return nullptr;
}

// On the shard of whoever asks first: the image and the directories' names are all it needs.
std::shared_ptr<Partition> ReplicaManager::make_partition(const TopicId& topic_id, PartitionId id) {
  const Image image = broker_.image();
  const replication::Topic topic = image->topic(topic_id);
  const auto index = static_cast<size_t>(id.value);
  if (!topic || id.value < 0 || index >= topic->partitions.size()) return nullptr;
  const replication::PartitionImage& partition = topic->partitions[index];
  const auto replica = std::ranges::find(partition.replicas, broker_.id());
  if (replica == partition.replicas.end()) return nullptr;
  const auto at = static_cast<size_t>(replica - partition.replicas.begin());
  log::LogDirectory* dir = at < partition.directories.size() ? storage_.find(partition.directories[at]) : nullptr;
  if (dir == nullptr) return nullptr;
  const TopicPartition name{topic->name, id};
  const log::LogConfig config =
      log_config(image->settings({replication::ResourceType::topic, topic->name}), broker_.layers());
  std::unique_ptr<log::Log> log = dir->create_log(name, topic_id, config);
  log->begin_epoch(partition.leader_epoch);
  return std::make_shared<Partition>(name, std::move(log), partition.leader_epoch, broker_.durability());
}

std::vector<Uuid> ReplicaManager::choose_directories(size_t count) {
  std::vector<Uuid> ids;
  ids.reserve(count);
  for (size_t i = 0; i < count; ++i) ids.push_back(Storage::id_of(storage_.take_emptiest()));
  return ids;
}

}  // namespace millrace::broker
