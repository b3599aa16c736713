// What a journal holds that was left behind by an unclean stop, and how the logs get it back.
//
// All groups of the newest generation are looked for, in every extent from its beginning; what counts is the run of
// groups from the oldest that still mattered to the first that is missing. Of each log, that leaves batches in order;
// those behind the end that its files have come to are appended again. Nothing is taken that does not join up, or
// whose leader epoch is older than what the log has: then somebody else has written to the directory since.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "log/journal_format.h"
#include "log/log.h"
#include "runtime/disk.h"

namespace millrace::log {

class RecoveredJournal {
 public:
  // Of all shards; empty when there is no journal. Throws DiskError.
  static Task<RecoveredJournal> read(Disk& disk, std::string directory);

  bool empty() const { return files_.empty(); }
  bool holds(const TopicId& topic, PartitionId partition) const { return logs_.contains({topic, partition}); }
  // Where the first batch that it has of a log began.
  std::optional<Offset> first(const TopicId& topic, PartitionId partition) const;
  // Appends to `log` what it lacks. On the log's shard, which only reads here. Answers how many batches.
  Task<int> replay(Log& log, TopicId topic, PartitionId partition) const;
  // Once everything that is wanted of it is synced elsewhere. Afterwards nothing of it is there, whatever happens.
  Task<void> remove(Disk& disk);

 private:
  struct Frame {
    JournalFrameKind kind;
    TopicId topic;
    PartitionId partition;
    LeaderEpoch epoch;
    Offset from;
    Offset end;
    size_t file;
    int64_t position;  // of the batch
    size_t size;
  };
  struct Group {
    uint64_t generation;
    uint64_t sequence;
    uint64_t oldest;
    std::vector<Frame> frames;
  };

  Task<void> read_extent(Disk& disk, size_t file, std::vector<Group>& groups);
  void take_run(std::vector<Group> groups);
  void take(const Frame& frame);

  std::vector<std::string> files_;
  std::string directory_;
  std::map<size_t, uint64_t> first_sequences_;  // of the files that begin with a group
  std::map<std::pair<TopicId, PartitionId>, std::vector<Frame>> logs_;
};

}  // namespace millrace::log
