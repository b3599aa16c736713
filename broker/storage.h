// Storage: the log directories of this node together: formatted on first start, checked against each other and the
// configuration, and which partition lies in which of them.
//
// Lives on shard 0, as its directories do.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/config/config.h"
#include "log/log_directory.h"

namespace millrace::broker {

class Storage {
 public:
  // Opens, and where nothing is there yet formats, every log dir. `cluster_id` is used when formatting; a random one
  // otherwise. Throws log::CorruptLog where Kafka would refuse to start, with Kafka's words.
  static Task<std::unique_ptr<Storage>> open(const Config& config, std::optional<std::string> cluster_id = {});

  const std::string& cluster_id() const { return cluster_id_; }
  const std::vector<std::unique_ptr<log::LogDirectory>>& dirs() const { return dirs_; }
  log::LogDirectory& metadata_dir() const;
  static Uuid id_of(const log::LogDirectory& dir) { return dir.meta()->directory_id.value_or(Uuid()); }

  // --- where partitions lie ---
  log::LogDirectory* find(const Uuid& id) const;  // null when it is not one of ours
  // What the directories held when they were opened.
  struct Found {
    TopicId id;
    log::LogDirectory* dir = nullptr;
  };
  const Found* found(const std::string& topic, PartitionId partition) const;  // null when there is nothing
  void forget(const TopicPartition& partition);
  // Once everything found has its place.
  void forget_found() { found_.clear(); }
  // The one with the fewest partitions, and one more from now on.
  log::LogDirectory& take_emptiest();
  void count(const log::LogDirectory& dir, int64_t more) { counts_[&dir] += more; }

  // A node without its metadata, or without any directory, has nothing left to serve.
  bool lost() const;
  // After a failed start, or when the logs could not be closed: no marker is left.
  Task<void> abandon();

 private:
  Task<void> open_dirs(const Config& config, std::optional<std::string> cluster_id);
  Task<void> format(const Config& config, std::optional<std::string> cluster_id);

  std::string cluster_id_;
  std::string metadata_path_;
  std::vector<std::unique_ptr<log::LogDirectory>> dirs_;
  std::unordered_map<std::string, std::unordered_map<PartitionId, Found>> found_;
  std::map<const log::LogDirectory*, int64_t> counts_;
};

}  // namespace millrace::broker
