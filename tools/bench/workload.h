// The produce requests of a run, encoded once: every request of the run is one of these frames with another correlation
// id. Their batches are shared between the frames, and carry readable text that compresses about as JSON does.
#pragma once

#include <sys/uio.h>

#include <array>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/types.h"
#include "tools/bench/options.h"

namespace millrace::bench {

struct Frame {
  static constexpr size_t head_size = 12;  // length:i32 api:i16 version:i16 correlation:i32
  std::array<std::byte, head_size> head;
  std::vector<iovec> rest;  // what follows the head
  size_t size = 0;          // in all
  int first_partition = 0;
  int partitions = 0;
  uint64_t records = 0;
  uint64_t payload = 0;  // keys and values, before compression
  uint64_t batch_bytes = 0;
  std::vector<Bytes> memory;
};

// Frames in order: all for the first group of partitions (differing in their batches), then for the next group.
struct Workload {
  std::vector<Frame> frames;
  size_t groups = 0;
  size_t variants = 0;
  const Frame& frame(size_t group, size_t variant) const { return frames[group * variants + variant % variants]; }
};

Workload encode_workload(const Options& options, TopicId topic, int16_t produce_version);

}  // namespace millrace::bench
