#include "broker/storage.h"

#include <algorithm>

#include "broker/logging.h"
#include "replication/bootstrap.h"
#include "runtime/shard.h"

namespace millrace::broker {

Task<std::unique_ptr<Storage>> Storage::open(const Config& config, std::optional<std::string> cluster_id) {
  auto storage = std::make_unique<Storage>();
  std::exception_ptr error;
  try {
    co_await storage->open_dirs(config, std::move(cluster_id));
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    co_await storage->abandon();
    std::rethrow_exception(error);
  }
  co_return storage;
}

Task<void> Storage::open_dirs(const Config& config, std::optional<std::string> cluster_id) {
  metadata_path_ = config.metadata_dir();
  if (std::ranges::find(config.log_dirs(), metadata_path_) == config.log_dirs().end()) {
    throw log::CorruptLog("metadata.log.dir " + metadata_path_ + " must be one of log.dirs");
  }
  for (const std::string& path : config.log_dirs()) dirs_.push_back(co_await log::LogDirectory::open(path));
  if (std::ranges::none_of(dirs_, [](const auto& dir) { return dir->meta().has_value(); })) {
    co_await format(config, std::move(cluster_id));
  }
  std::vector<const log::LogDirectory*> all;
  for (const auto& dir : dirs_) all.push_back(dir.get());
  log::check_together(all, metadata_path_);
  for (const auto& dir : dirs_) {
    log::MetaProperties meta = *dir->meta();
    if (meta.node_id && *meta.node_id != config.node_id()) {
      throw log::CorruptLog("Stored node id " + std::to_string(meta.node_id->value) +
                            " doesn't match previous node id " + std::to_string(config.node_id().value) + " in " +
                            dir->path() +
                            "/meta.properties. If you moved your data, make sure your configured node id matches. If "
                            "you intend to create a new node, you should remove all data in your data directories.");
    }
    cluster_id_ = meta.cluster_id;
    if (!meta.directory_id) {
      meta.version = 1;
      meta.node_id = config.node_id();
      meta.directory_id = Shard::current().random().uuid();
      co_await dir->write_meta(std::move(meta));
    }
    for (const std::string& warning : dir->warnings()) log_warn(warning);
    for (const log::FoundPartition& found : dir->partitions()) {
      found_[found.name.topic][found.name.partition] = {found.id, dir.get()};
    }
  }
}

Task<void> Storage::format(const Config& config, std::optional<std::string> cluster_id) {
  Shard& shard = Shard::current();
  const std::string cluster = cluster_id ? *cluster_id : to_string(shard.random().uuid());
  for (const auto& dir : dirs_) {
    const Bytes bootstrap = replication::bootstrap_checkpoint(shard.clock().wall_now());
    std::string checkpoint(bootstrap.text());
    co_await write_file_atomically(shard.disk(), dir->path() + "/bootstrap.checkpoint", std::move(checkpoint));
    // Last: a directory with meta.properties is a formatted one.
    log::MetaProperties meta;
    meta.cluster_id = cluster;
    meta.node_id = config.node_id();
    meta.directory_id = shard.random().uuid();
    co_await dir->write_meta(std::move(meta));
    log_info("Formatted " + dir->path() + " for cluster " + cluster);
  }
}

log::LogDirectory& Storage::metadata_dir() const {
  const auto found = std::ranges::find(dirs_, metadata_path_, [](const auto& dir) { return dir->path(); });
  check(found != dirs_.end());
  return **found;
}

log::LogDirectory* Storage::find(const Uuid& id) const {
  for (const auto& dir : dirs_) {
    if (id_of(*dir) == id) return dir.get();
  }
  return nullptr;
}

const Storage::Found* Storage::found(const std::string& topic, PartitionId partition) const {
  const auto of_topic = found_.find(topic);
  if (of_topic == found_.end()) return nullptr;
  const auto at = of_topic->second.find(partition);
  return at == of_topic->second.end() ? nullptr : &at->second;
}

void Storage::forget(const TopicPartition& partition) {
  const auto of_topic = found_.find(partition.topic);
  if (of_topic != found_.end()) of_topic->second.erase(partition.partition);
}

log::LogDirectory& Storage::take_emptiest() {
  log::LogDirectory* best = dirs_.front().get();
  for (const auto& dir : dirs_) {
    const bool better = best->offline() || counts_[dir.get()] < counts_[best];
    if (!dir->offline() && better) best = dir.get();
  }
  ++counts_[best];
  return *best;
}

bool Storage::lost() const {
  return metadata_dir().offline() || std::ranges::all_of(dirs_, [](const auto& dir) { return dir->offline(); });
}

Task<void> Storage::abandon() {
  for (const auto& dir : dirs_) co_await dir->abandon();
}

}  // namespace millrace::broker
