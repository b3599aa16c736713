// The entries of log.dirs beside each other: whether they are of one node, and no partition lies in two.
#include <map>
#include <set>

#include "log/directory_name.h"
#include "log/log_directory.h"

namespace millrace::log {

namespace {

void check_same_node(const MetaProperties& meta, const MetaProperties& previous, const std::string& meta_path) {
  if (meta.cluster_id != previous.cluster_id) {
    throw CorruptLog("Invalid cluster.id in: " + meta_path + ". Expected " + previous.cluster_id + ", but read " +
                     meta.cluster_id);
  }
  if (meta.node_id != previous.node_id) {
    const auto id = [](const MetaProperties& of) { return std::to_string(of.node_id.value_or(BrokerId(-1)).value); };
    throw CorruptLog("Stored node id " + id(meta) + " doesn't match previous node id " + id(previous) + " in " +
                     meta_path +
                     ". If you moved your data, make sure your configured node id matches. If you intend to create "
                     "a new node, you should remove all data in your data directories.");
  }
}

void check_in_one_place(const std::vector<const LogDirectory*>& all) {
  if (all.size() == 1) return;
  std::map<TopicPartition, const LogDirectory*> places;
  for (const LogDirectory* directory : all) {
    for (const FoundPartition& partition : directory->partitions()) {
      const auto [at, is_new] = places.emplace(partition.name, directory);
      if (is_new) continue;
      throw CorruptLog("Duplicate log directories for " + directory_name(partition.name) + " are found in both " +
                       at->second->partition_path(partition.name) + " and " +
                       directory->partition_path(partition.name) +
                       ". It is likely because log directory failure happened while broker was replacing current "
                       "replica with future replica. Recover broker from this failure by manually deleting one of the "
                       "two directories for this partition. It is recommended to delete the partition in the log "
                       "directory that is known to have failed recently.");
    }
  }
}

}  // namespace

void check_together(const std::vector<const LogDirectory*>& all, const std::string& metadata_directory) {
  std::set<Uuid> ids;
  const MetaProperties* previous = nullptr;
  for (const LogDirectory* directory : all) {
    const std::string meta_path = directory->path() + "/meta.properties";
    if (!directory->meta()) {
      throw CorruptLog("No `meta.properties` found in " + directory->path() +
                       " (have you run `kafka-storage.sh` to format the directory?)");
    }
    const MetaProperties& meta = *directory->meta();
    if (previous) check_same_node(meta, *previous, meta_path);
    if (meta.directory_id && !ids.insert(*meta.directory_id).second) {
      throw CorruptLog("Duplicate directory ID " + to_string(*meta.directory_id) + " found in " + meta_path);
    }
    if (directory->has_metadata_log() && directory->path() != metadata_directory) {
      throw CorruptLog("Found unexpected metadata location in data directory `" + directory->path() +
                       "` (the configured metadata directory is " + metadata_directory + ").");
    }
    previous = &meta;
  }
  check_in_one_place(all);
}

}  // namespace millrace::log
