// What becomes of replicas meanwhile, and how they end: checkpoints, retention, removal, close.
#include <algorithm>
#include <map>

#include "broker/logging.h"
#include "broker/replica_manager.h"

namespace millrace::broker {

namespace {

log::LogDirectory* directory_of(const Storage& storage, const log::Log& log) {
  const std::string parent = log.directory().substr(0, log.directory().find_last_of('/'));
  const auto at = std::ranges::find(storage.dirs(), parent, [](const auto& dir) { return dir->path(); });
  return at == storage.dirs().end() ? nullptr : at->get();
}

}  // namespace

void ReplicaManager::begin_upkeep() {
  for (const auto& dir : storage_.dirs()) {
    const log::LogDirectory* of = dir.get();
    auto collect = [this, of] { return positions(of); };
    dir->keep_checkpoints(std::move(collect), broker_.config().millis("log.flush.offset.checkpoint.interval.ms"),
                          broker_.config().millis("replica.high.watermark.checkpoint.interval.ms"));
    gate_.spawn(watch_directory(dir.get()));
  }
  gate_.spawn(keep_retention());
  gate_.spawn(open_all_expected(true));
}

Task<void> ReplicaManager::end_upkeep() {
  ending_ = true;
  end_.notify();
  for (const auto& dir : storage_.dirs()) dir->state_changed().notify();
  co_await gate_.close();
}

Task<void> ReplicaManager::open_all_expected(bool gently) {
  constexpr int at_once = 16;
  constexpr std::chrono::milliseconds pause(2);
  for (Shard* shard : broker_.shards()) {
    auto list = [this]() -> Task<std::vector<Partitions::Expected>> { co_return broker_.partitions().expected(); };
    const std::vector<Partitions::Expected> all = co_await on(*shard, std::move(list));
    for (size_t i = 0; i < all.size(); i += at_once) {
      if (gently && ending_) co_return;
      auto open = [this, &all, i]() -> Task<void> {
        for (size_t k = i; k < std::min(all.size(), i + at_once); ++k) {
          co_await broker_.partitions().open(all[k].topic, all[k].partition);
        }
      };
      co_await on(*shard, std::move(open));
      if (gently && i + at_once < all.size()) co_await end_.wait(after(pause));
    }
  }
}

Task<void> ReplicaManager::watch_directory(log::LogDirectory* dir) {
  while (!ending_ && !dir->offline()) co_await dir->state_changed().wait();
  if (!dir->offline()) co_return;
  log_error("Stopping serving logs in dir " + dir->path() + ": " + dir->failure());
  if (storage_.lost() && storage_lost_) storage_lost_();
}

Task<void> ReplicaManager::keep_retention() {
  const Millis interval = broker_.config().millis("log.retention.check.interval.ms");
  while (!ending_) {
    const MonoTime due = after(std::max(interval, Millis(100)));
    while (!ending_ && now() < due) co_await end_.wait(due);
    if (ending_) break;
    for (Shard* shard : broker_.shards()) {
      auto clean = [this]() -> Task<void> {
        for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
          if (partition->closed() || partition->log().failed()) continue;
          try {
            const int removed = co_await partition->apply_retention();
            if (removed > 0) {
              log_info("Removed " + std::to_string(removed) + " old segments of " +
                       log::directory_name(partition->name()));
            }
          } catch (const DiskError& error) {
            log_error("Retention of " + log::directory_name(partition->name()) + ": " + error.what());
          }
        }
      };
      co_await on(*shard, std::move(clean));
    }
  }
}

Task<std::vector<log::PartitionPositions>> ReplicaManager::positions(const log::LogDirectory* dir) {
  std::vector<log::PartitionPositions> all;
  for (Shard* shard : broker_.shards()) {
    using Positions = std::vector<std::pair<TopicId, log::PartitionPositions>>;
    auto collect = [this, dir]() -> Task<Positions> {
      Positions mine;
      for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
        log::Log& log = partition->log();
        if (!log.on_disk() || directory_of(storage_, log) != dir) continue;
        log::PartitionPositions position =
            co_await log::positions_of(log, partition->name(), partition->high_watermark());
        mine.emplace_back(partition->topic_id(), std::move(position));
      }
      co_return mine;
    };
    Positions mine = co_await on(*shard, std::move(collect));
    // What was deleted meanwhile must not come back.
    for (auto& [topic, position] : mine) {
      if (decided_().topic(topic)) all.push_back(std::move(position));
    }
  }
  co_return all;
}

Task<std::unordered_set<TopicPartition>> ReplicaManager::written() {
  std::unordered_set<TopicPartition> all;
  for (Shard* shard : broker_.shards()) {
    auto collect = [this]() -> Task<std::vector<TopicPartition>> {
      std::vector<TopicPartition> mine;
      for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
        if (partition->log().on_disk()) mine.push_back(partition->name());
      }
      for (const Partitions::Expected& each : broker_.partitions().expected()) {
        const replication::Topic topic = broker_.image()->topic(each.topic);
        if (topic) mine.push_back({topic->name, each.partition});
      }
      co_return mine;
    };
    std::vector<TopicPartition> mine = co_await on(*shard, std::move(collect));
    all.insert(std::make_move_iterator(mine.begin()), std::make_move_iterator(mine.end()));
  }
  co_return all;
}

Task<void> ReplicaManager::configure(std::optional<std::string> topic) {
  for (Shard* shard : broker_.shards()) {
    auto configure = [this, &topic]() -> Task<void> {
      const ConfigLayers layers = broker_.layers();
      for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
        const std::string& name = partition->name().topic;
        if (topic && name != *topic) continue;
        const replication::Settings& settings = broker_.image()->settings({replication::ResourceType::topic, name});
        partition->log().configure(log_config(settings, layers));
      }
      co_return;
    };
    co_await on(*shard, std::move(configure));
  }
}

Task<void> ReplicaManager::remove(replication::Topic topic) {
  std::map<log::LogDirectory*, std::vector<TopicPartition>> on_disk;
  for (Shard* shard : broker_.shards()) {
    using Written = std::vector<std::pair<log::LogDirectory*, TopicPartition>>;
    auto close = [this, topic]() -> Task<Written> {
      Written written;
      const Partitions::Removed removed = co_await broker_.partitions().remove(topic->id);
      for (const Partitions::Expected& each : removed.expected) {
        written.emplace_back(each.dir, TopicPartition{topic->name, each.partition});
      }
      for (const std::shared_ptr<Partition>& partition : removed.at_hand) {
        try {
          co_await partition->close();
        } catch (const DiskError& error) {
          log_warn("Closing the deleted " + log::directory_name(partition->name()) + ": " + error.what());
        }
        log::LogDirectory* dir = directory_of(storage_, partition->log());
        if (dir != nullptr && partition->log().on_disk()) written.emplace_back(dir, partition->name());
      }
      co_return written;
    };
    const Written written = co_await on(*shard, std::move(close));
    for (const auto& [dir, name] : written) on_disk[dir].push_back(name);
  }
  for (const replication::PartitionImage& partition : topic->partitions) {
    for (const Uuid& id : partition.directories) {
      if (const log::LogDirectory* dir = storage_.find(id)) storage_.count(*dir, -1);
    }
  }
  const ConfigLayers layers = config_layers(broker_.config(), decided_());
  const Millis delay(
      std::strtoll(topic_value("file.delete.delay.ms", replication::Settings(), layers).c_str(), nullptr, 10));
  for (auto& [dir, names] : on_disk) {
    if (!dir->offline()) co_await dir->delete_partitions(std::move(names), delay);
  }
}

Task<void> ReplicaManager::recover_the_last() {
  constexpr size_t a_few = 1000;
  size_t left = 0;
  for (Shard* shard : broker_.shards()) {
    auto count = [this]() -> Task<size_t> { co_return broker_.partitions().expected().size(); };
    left += co_await on(*shard, std::move(count));
  }
  const bool all_clean = std::ranges::all_of(storage_.dirs(), &log::LogDirectory::clean_shutdown,
                                             [](const auto& dir) -> log::LogDirectory& { return *dir; });
  if (!all_clean && left <= a_few) co_await open_all_expected(false);
}

Task<bool> ReplicaManager::close_partitions() {
  bool clean = true;
  for (Shard* shard : broker_.shards()) {
    auto close = [this]() -> Task<bool> {
      const std::vector<std::shared_ptr<Partition>> all = broker_.partitions().all();
      bool good = true;
      size_t next = 0;
      const auto close_some = [&]() -> Task<void> {
        while (next < all.size()) {
          const std::shared_ptr<Partition> partition = all[next++];
          try {
            if (partition->log().failed()) good = false;
            co_await partition->close();
          } catch (const DiskError& error) {
            log_error("Closing " + log::directory_name(partition->name()) + ": " + error.what());
            good = false;
          }
        }
      };
      // Each waits for the disk most of the time.
      Gate closers;
      for (int i = 0; i < 32; ++i) closers.spawn(close_some());
      co_await closers.close();
      co_return good;
    };
    const bool good = co_await on(*shard, std::move(close));
    clean = clean && good;
  }
  co_return clean;
}

Task<bool> ReplicaManager::all_recovered(const log::LogDirectory& dir) {
  if (dir.clean_shutdown()) co_return true;
  for (Shard* shard : broker_.shards()) {
    auto count = [this, &dir]() -> Task<bool> {
      co_return std::ranges::none_of(broker_.partitions().expected(),
                                     [&](const Partitions::Expected& each) { return each.dir == &dir; });
    };
    const bool none = co_await on(*shard, std::move(count));
    if (!none) co_return false;
  }
  co_return true;
}

Task<void> ReplicaManager::close_directories(int64_t broker_epoch) {
  for (const auto& dir : storage_.dirs()) {
    std::vector<log::PartitionPositions> last = co_await positions(dir.get());
    const bool recovered = co_await all_recovered(*dir);
    if (recovered) {
      co_await dir->close(broker_epoch, std::move(last));
    } else {
      log_warn("Not every log in " + dir->path() + " has been recovered: the next start goes on with it");
      co_await dir->checkpoint(std::move(last));
    }
  }
}

}  // namespace millrace::broker
