// MetadataLog: the __cluster_metadata log of a quorum of one.
//
//   <metadata.log.dir>/__cluster_metadata-0/   a partition's files, and
//     quorum-state                             one line of JSON: who leads in which epoch; data_version 1 where the
//                                              voters are known by directory ids (a dynamic quorum)
//     <end offset>-<epoch>.checkpoint          snapshots, where Kafka has left some
//
// The node elects itself at each start, which opens a new epoch with a LeaderChange record. A change counts once it is
// durable; the image is the fold of everything that counts. Lives on shard 0.
#pragma once

#include <memory>
#include <string>

#include "log/log.h"
#include "replication/image.h"
#include "runtime/gate.h"

namespace millrace::replication {

inline constexpr Uuid metadata_topic_id{0, 1};

class MetadataLog {
 public:
  // Opens or creates the log under `log_dir` and replays it. Throws UnreadableMetadata, DiskError, CorruptLog.
  static Task<std::unique_ptr<MetadataLog>> open(std::string log_dir, Uuid directory, BrokerId node,
                                                 log::LogConfig config);

  // Opens a new epoch with `node` as the leader; writes the bootstrap records when no features are known yet.
  Task<void> lead();

  // Appends the records as one batch, waits until they are durable, and folds them into the image. Calls are served one
  // after the other. Throws DiskError when the log has failed: nothing can be decided any more.
  Task<void> append(Records records);
  // The offset that the first record of the next append gets, when nobody else is appending.
  int64_t next_offset() const { return log_->end().value; }

  const MetadataImage& image() const { return fold_.image(); }
  LeaderEpoch epoch() const { return epoch_; }
  Offset end() const { return log_->end(); }
  log::Log& log() { return *log_; }

  Task<void> close();

 private:
  MetadataLog(std::string path, Uuid directory, BrokerId node)
      : path_(std::move(path)), directory_(directory), node_(node) {}
  Task<void> load_snapshot();
  Task<void> replay();
  Task<void> write_quorum_state();
  Task<void> append_durably(Bytes batch);

  std::string path_;
  Uuid directory_;
  BrokerId node_;
  bool dynamic_ = false;
  std::unique_ptr<log::Log> log_;
  MetadataFold fold_;
  LeaderEpoch epoch_{0};
  Offset replay_from_{0};
  bool busy_ = false;
  Event idle_;
};

}  // namespace millrace::replication
