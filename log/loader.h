// Opening a partition's directory: what is there, what of it can be trusted, and what has to be built again.
//
//   after a clean shutdown   indexes and the newest producer snapshot are trusted; only the end of the last segment is
//                            scanned
//   otherwise                every segment from the recovery point on is scanned and checked; at the first bad byte the
//                            log ends, later segments go
//
// Files of interrupted work are settled first: .deleted and .cleaned go, complete .swap files replace what they cover.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "log/leader_epochs.h"
#include "log/producer_state.h"
#include "log/segment.h"

namespace millrace::log {

struct LoadedLog {
  std::vector<std::shared_ptr<Segment>> segments;  // ascending, at least one
  LeaderEpochs epochs;
  bool epochs_dirty = false;
  ProducerState producers;
  std::set<Offset> snapshots;  // offsets of the .snapshot files
  Offset start{0};
  Offset end{0};
  bool on_disk = true;             // false: there is not even a directory yet
  bool names_unsynced = false;     // of the directory and the files in it
  std::vector<std::string> notes;  // what an operator should know
};

// Throws DiskError, or CorruptLog where Kafka would refuse to start. With `journal_from`, what the files lack at their
// end is appended afterwards, from a journal; what that has begins there.
Task<LoadedLog> load_log(Disk& disk, std::string directory, TopicPartition name, LogConfig config, OpenState state,
                         std::optional<Offset> journal_from = std::nullopt);

// The producer state just before `end`: the newest usable snapshot, and the batches from there on.
Task<void> rebuild_producers(Disk& disk, std::string directory, const std::vector<std::shared_ptr<Segment>>& segments,
                             Offset start, Offset end, std::set<Offset>& snapshots, ProducerState& producers,
                             std::vector<std::string>& notes);

}  // namespace millrace::log
