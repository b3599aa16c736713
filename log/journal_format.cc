#include "log/journal_format.h"

#include <cstring>

#include "protocol/check.h"
#include "protocol/crc32c.h"
#include "protocol/record_batch.h"
#include "runtime/copy.h"
#include "runtime/disk.h"

namespace millrace::log {

using protocol::load_big;
using protocol::store_big;

namespace {

constexpr uint32_t group_magic = 0x4d4a4e31;  // "MJN1"
constexpr size_t checked_from = 8;

uint32_t checksum(std::span<const std::byte> group) { return protocol::crc32c(group.subspan(checked_from)); }

}  // namespace

size_t journal_group_size(size_t frame_bytes) {
  return (journal_group_header + frame_bytes + block_bytes - 1) / block_bytes * block_bytes;
}

std::optional<JournalGroup> decode_journal_group(std::span<const std::byte> bytes) {
  if (bytes.size() < journal_group_header || load_big<uint32_t>(bytes.data()) != group_magic) return std::nullopt;
  const size_t length = load_big<uint32_t>(bytes.data() + 8);
  if (length < journal_group_header || length > bytes.size()) return std::nullopt;
  const std::span<const std::byte> whole = bytes.first(length);
  if (load_big<uint32_t>(bytes.data() + 4) != checksum(whole)) return std::nullopt;

  JournalGroup group;
  const uint32_t frames = load_big<uint32_t>(bytes.data() + 12);
  group.generation = load_big<uint64_t>(bytes.data() + 16);
  group.sequence = load_big<uint64_t>(bytes.data() + 24);
  group.oldest = load_big<uint64_t>(bytes.data() + 32);
  group.size = journal_group_size(length - journal_group_header);
  std::span<const std::byte> rest = whole.subspan(journal_group_header);
  for (uint32_t i = 0; i < frames; ++i) {
    if (rest.size() < journal_frame_header) return std::nullopt;
    const std::byte* const at = rest.data();
    JournalFrame frame;
    const auto kind = load_big<uint32_t>(at);
    const size_t size = load_big<uint32_t>(at + 4);
    frame.kind = static_cast<JournalFrameKind>(kind);
    frame.topic = TopicId{load_big<uint64_t>(at + 8), load_big<uint64_t>(at + 16)};
    frame.partition = PartitionId(load_big<int32_t>(at + 24));
    frame.epoch = LeaderEpoch(load_big<int32_t>(at + 28));
    frame.from = Offset(load_big<int64_t>(at + 32));
    frame.end = Offset(load_big<int64_t>(at + 40));
    rest = rest.subspan(journal_frame_header);
    const bool known = frame.kind == JournalFrameKind::batch || frame.kind == JournalFrameKind::cut;
    if (!known || size > rest.size() || frame.from.value < 0 || frame.end < frame.from) return std::nullopt;
    frame.bytes = rest.first(size);
    rest = rest.subspan(size);
    group.frames.push_back(frame);
  }
  if (!rest.empty()) return std::nullopt;
  return group;
}

void JournalGroupWriter::add(const JournalFrame& frame) {
  check(size_ + journal_frame_header + frame.bytes.size() <= memory_.size());
  std::byte* const at = memory_.data() + size_;
  store_big<uint32_t>(at, static_cast<uint32_t>(frame.kind));
  store_big<uint32_t>(at + 4, static_cast<uint32_t>(frame.bytes.size()));
  store_big<uint64_t>(at + 8, frame.topic.high);
  store_big<uint64_t>(at + 16, frame.topic.low);
  store_big<int32_t>(at + 24, frame.partition.value);
  store_big<int32_t>(at + 28, frame.epoch.value);
  store_big<int64_t>(at + 32, frame.from.value);
  store_big<int64_t>(at + 40, frame.end.value);
  copy(frame.bytes, at + journal_frame_header);
  size_ += journal_frame_header + frame.bytes.size();
  ++frames_;
}

std::span<const std::byte> JournalGroupWriter::finish(uint64_t generation, uint64_t sequence, uint64_t oldest) {
  const size_t padded = journal_group_size(size_ - journal_group_header);
  check(padded <= memory_.size());
  std::byte* const at = memory_.data();
  store_big<uint32_t>(at, group_magic);
  store_big<uint32_t>(at + 8, static_cast<uint32_t>(size_));
  store_big<uint32_t>(at + 12, frames_);
  store_big<uint64_t>(at + 16, generation);
  store_big<uint64_t>(at + 24, sequence);
  store_big<uint64_t>(at + 32, oldest);
  store_big<uint32_t>(at + 4, checksum(memory_.first(size_)));
  std::memset(at + size_, 0, padded - size_);
  return memory_.first(padded);
}

}  // namespace millrace::log
