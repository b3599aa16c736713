// Any bytes as a journal's extent that a crash left behind: reading it does no harm, no frame lies outside of its
// group, and a log takes of it what joins up. Input: whether the checksum is made right, so that what lies behind it is
// reached (one byte), the extent.
#define DOCTEST_CONFIG_IMPLEMENT  // the simulated world prints its seeds with it
#include <doctest/doctest.h>

#include "log/journal.h"
#include "log/journal_recovery.h"
#include "log/partition_log.h"
#include "protocol/crc32c.h"
#include "protocol/record_batch.h"
#include "tests/fuzz/fuzzer.h"
#include "tests/log/records.h"
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

const TopicId topic{1, 2};
const TopicPartition orders{"orders", PartitionId(3)};

void look_at(std::span<const std::byte> extent) {
  const std::optional<JournalGroup> group = decode_journal_group(extent);
  if (!group) return;
  check(group->size >= journal_group_header && group->size % block_bytes == 0);
  size_t bytes = journal_group_header;
  for (const JournalFrame& frame : group->frames) {
    check(frame.bytes.data() >= extent.data());
    check(frame.bytes.data() + frame.bytes.size() <= extent.data() + extent.size());
    bytes += journal_frame_header + frame.bytes.size();
  }
  check(bytes <= extent.size() && bytes <= group->size);
}

Task<void> recover() {
  Disk& disk = Shard::current().disk();
  RecoveredJournal journal = co_await RecoveredJournal::read(disk, "/data");
  const std::optional<Offset> from = journal.first(topic, orders.partition);
  std::unique_ptr<Log> log = co_await PartitionLog::open("/data/orders-3", orders, topic, {}, {}, from);
  const int appended = co_await journal.replay(*log, topic, orders.partition);
  check(appended == 0 || log->end() > log->start());
  Offset next = log->start();
  while (next < log->end()) {
    const ReadResult part = co_await log->read(next, 4096, log->end(), true, true);
    check(part.error == ErrorCode::none && !part.batches.empty());
    next = protocol::RecordBatch(part.batches.back()).next_offset();
  }
  co_await log->close();
  co_await journal.remove(disk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::vector<std::byte> extent(size - 1);
  if (size > 1) std::memcpy(extent.data(), data + 1, size - 1);
  if (data[0] % 2 == 1 && extent.size() >= journal_group_header) {
    const size_t length = std::min<size_t>(protocol::load_big<uint32_t>(extent.data() + 8), extent.size());
    if (length > 8) {
      const std::span<const std::byte> checked(extent.data() + 8, length - 8);
      protocol::store_big<uint32_t>(extent.data() + 4, protocol::crc32c(checked));
    }
  }
  look_at(extent);
  sim::World world(1);
  sim::Node& node = world.add_node("broker");
  const std::string_view text(reinterpret_cast<const char*>(extent.data()), extent.size());
  node.disk().put("/data/" + std::string(journal_file_prefix) + "0-0", text);
  world.run(node, [] { return recover(); });
  return 0;
}

std::vector<uint8_t> fuzzer_seed(uint64_t number) {
  std::vector<uint8_t> input{static_cast<uint8_t>(number % 2)};
  int64_t next = 0;
  for (uint64_t sequence = 1; sequence <= 1 + number % 3; ++sequence) {
    const BlockMemory memory(2 * block_bytes);
    JournalGroupWriter writer(memory.span());
    for (uint64_t i = 0; i <= number % 4; ++i) {
      const Bytes batch = patched<int64_t>(batch_of({"a", std::string(number % 50, 'b')}), 0, next);
      writer.add({JournalFrameKind::batch, topic, orders.partition, LeaderEpoch(0), Offset(next), Offset(next + 2),
                  batch.span()});
      next += 2;
    }
    if (number % 5 == 0) {
      writer.add({JournalFrameKind::cut, topic, orders.partition, LeaderEpoch(-1), Offset(2), Offset(2), {}});
      next = 2;
    }
    for (const std::byte b : writer.finish(9, sequence, 1)) input.push_back(static_cast<uint8_t>(b));
  }
  return input;
}
