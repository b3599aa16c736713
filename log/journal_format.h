// The bytes of the journal.
//
//   extent := group*                                                a file, written in whole blocks
//   group  := magic:u32 crc:u32 length:u32 frames:u32 generation:u64 sequence:u64 oldest:u64 frame* zeros
//   frame  := kind:u32 size:u32 topic:uuid partition:i32 epoch:i32 from:i64 end:i64 byte*size
//
// A group begins and ends on a block and is never written twice; crc is CRC32C of what follows it, length bytes in all
// from the magic on without the zeros. sequence counts the groups of one generation, which is one run of one shard;
// what an earlier use of the same blocks has left is known by it. oldest is the sequence of the first group that still
// mattered when this one was written.
//
// A batch frame says: this batch, put where the log ended at `from`, makes it end at `end`. A cut frame says: what
// frames before this one have put at or behind `from` is no more.
#pragma once

#include <optional>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/types.h"

namespace millrace::log {

inline constexpr size_t journal_group_header = 40;
inline constexpr size_t journal_frame_header = 48;
inline constexpr size_t largest_journal_extent = 64 << 20;  // recovery reads one at a time into memory

enum class JournalFrameKind : uint32_t { batch = 1, cut = 2 };

struct JournalFrame {
  JournalFrameKind kind = JournalFrameKind::batch;
  TopicId topic;
  PartitionId partition{0};
  LeaderEpoch epoch{-1};
  Offset from{0};
  Offset end{0};
  std::span<const std::byte> bytes;  // the batch, where it lies
};

struct JournalGroup {
  uint64_t generation = 0;
  uint64_t sequence = 0;
  uint64_t oldest = 0;
  size_t size = 0;  // with the zeros: where the next group begins
  std::vector<JournalFrame> frames;
};

// The group that `bytes` begin with; nothing when there is none, or not a whole one. No length is believed before the
// bytes it speaks of are there and the checksum has matched.
std::optional<JournalGroup> decode_journal_group(std::span<const std::byte> bytes);

// Builds one group in memory that holds it; where that ends, nothing more fits.
class JournalGroupWriter {
 public:
  explicit JournalGroupWriter(std::span<std::byte> memory) : memory_(memory) {}

  void add(const JournalFrame& frame);
  // Fills the header and pads; answers the blocks to be written.
  std::span<const std::byte> finish(uint64_t generation, uint64_t sequence, uint64_t oldest);

 private:
  std::span<std::byte> memory_;
  size_t size_ = journal_group_header;
  uint32_t frames_ = 0;
};

// A group with frames of so many bytes, headers included, on disk.
size_t journal_group_size(size_t frame_bytes);

}  // namespace millrace::log
