// Storage: the log directories of this node together: formatted on first start, checked against each other and the
// configuration, and which partition lies in which of them.
//
// Lives on shard 0, as its directories do.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
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
  log::LogDirectory* find(const Uuid& id) const;                      // null when it is not one of ours
  log::LogDirectory* holding(const TopicPartition& partition) const;  // null when it has no directory yet
  log::LogDirectory& emptiest() const;
  void place(const TopicPartition& partition, log::LogDirectory& dir) { places_[partition] = &dir; }
  void forget(const TopicPartition& partition) { places_.erase(partition); }
  const std::map<TopicPartition, log::LogDirectory*>& places() const { return places_; }

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
  std::map<TopicPartition, log::LogDirectory*> places_;
};

}  // namespace millrace::broker
