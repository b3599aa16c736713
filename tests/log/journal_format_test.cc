// A journal's groups as bytes.
#include "log/journal_format.h"

#include <doctest/doctest.h>

#include "runtime/disk.h"

using namespace millrace;
using namespace millrace::log;

TEST_CASE("groups are read back as they were written, and nothing is believed that was changed") {
  const BlockMemory memory(3 * block_bytes);
  const std::string text(5000, 'x');
  JournalGroupWriter writer(memory.span());
  writer.add({JournalFrameKind::batch,
              {1, 2},
              PartitionId(3),
              LeaderEpoch(4),
              Offset(5),
              Offset(6),
              std::as_bytes(std::span(text))});
  writer.add({JournalFrameKind::cut, {7, 8}, PartitionId(9), LeaderEpoch(-1), Offset(10), Offset(10), {}});
  const std::span<const std::byte> blocks = writer.finish(11, 12, 13);
  CHECK(blocks.size() == 2 * block_bytes);
  const std::optional<JournalGroup> group = decode_journal_group(blocks);
  REQUIRE(group);
  CHECK(group->generation == 11);
  CHECK(group->sequence == 12);
  CHECK(group->oldest == 13);
  CHECK(group->size == blocks.size());
  REQUIRE(group->frames.size() == 2);
  CHECK(group->frames[0].topic == TopicId{1, 2});
  CHECK(group->frames[0].partition == PartitionId(3));
  CHECK(group->frames[0].epoch == LeaderEpoch(4));
  CHECK(group->frames[0].from == Offset(5));
  CHECK(group->frames[0].end == Offset(6));
  CHECK(Bytes::copy_of(group->frames[0].bytes).text() == text);
  CHECK(group->frames[1].kind == JournalFrameKind::cut);
  CHECK(group->frames[1].from == Offset(10));
  for (size_t at = 0; at < 5000; at += 7) {
    memory.span()[at] ^= std::byte{4};
    CHECK_FALSE(decode_journal_group(blocks));
    memory.span()[at] ^= std::byte{4};
  }
  for (size_t size = 0; size < 5000; size += 61) CHECK_FALSE(decode_journal_group(blocks.first(size)));
}
