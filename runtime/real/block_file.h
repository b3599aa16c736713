// The block files of a shard: direct and through the ring where both can be had, else through the pool.
#pragma once

#include <memory>
#include <string>

#include "runtime/disk.h"
#include "runtime/real/ring.h"

namespace millrace::real {

struct Process;
class RealShard;

class BlockFiles {
 public:
  BlockFiles(RealShard& shard, Process& process) : shard_(shard), process_(process) {}

  std::unique_ptr<BlockFile> open(std::string path);

 private:
  RealShard& shard_;
  Process& process_;
  std::unique_ptr<Ring> ring_;  // with the first file
  bool ring_refused_ = false;
};

}  // namespace millrace::real
