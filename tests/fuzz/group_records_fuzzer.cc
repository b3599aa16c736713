// Any bytes as a record of __consumer_offsets: reading it never does harm, what was read is written and read again
// without change, and a group made of it lives and dies like any other. Input: length of the key (two bytes), key,
// value.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker/groups/consumer_protocol.h"
#include "broker/groups/group.h"
#include "broker/groups/group_records.h"
#include "protocol/check.h"
#include "tests/fuzz/fuzzer.h"

using namespace millrace;
using namespace millrace::broker::groups;

namespace {

// A member joins, everybody else stays silent, a year passes.
void live(const GroupRecord& record) {
  const GroupSettings settings;
  Moment now{MonoTime(std::chrono::hours(1)), Timestamp(1'700'000'000'000)};
  Group group("g", settings, record, now);
  group.loaded(now);
  group.retention();
  group.is_subscribed_to("t");
  Join join;
  join.fresh_member_id = "fresh";
  join.instance_id = record.members.empty() ? std::nullopt : record.members.front().instance_id;
  join.session_timeout = join.rebalance_timeout = Millis(10'000);
  join.protocol_type = record.protocol_type.empty() ? "consumer" : record.protocol_type;
  join.protocols = {{record.protocol.value_or("range"), Bytes()}};
  group.step(join, now);
  for (int step = 0; step < 200 && group.deadline() != never; ++step) {
    now.mono = std::max(now.mono, group.deadline());
    const Actions actions = group.step(Tick{}, now);
    for (const Store& store : actions.stores) group.step(Stored{store.id, ErrorCode::none}, now);
  }
  group.step(Unload{}, now);
  check(group.deadline() == never);
}

std::optional<Change> read(std::string_view key, std::optional<std::string_view> value) {
  protocol::RecordView record;
  record.key = key;
  record.value = value;
  return read_change(record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t length = std::min<size_t>(data[0] << 8 | data[1], all.size());
  const std::string_view value = all.substr(length);
  subscribed_topics(std::as_bytes(std::span(value)));
  const std::optional<Change> change = read(all.substr(0, length), value);
  if (!change) return 0;

  protocol::RecordReader records{protocol::RecordBatch(batch_of({*change}, Timestamp(1)))};
  const std::optional<protocol::RecordView> record = records.next();
  check(record.has_value());
  const std::optional<Change> again = read(*record->key, record->value);
  check(again.has_value() && again->index() == change->index());
  if (const auto* group = std::get_if<GroupChange>(&*change)) {
    const auto& second = std::get<GroupChange>(*again);
    check(second.group == group->group && second.value->members.size() == group->value->members.size());
    live(*group->value);
  } else {
    const auto& first = std::get<OffsetChange>(*change);
    const auto& second = std::get<OffsetChange>(*again);
    check(second.topic == first.topic && second.value->offset == first.value->offset);
    check(second.value->metadata == first.value->metadata);
    partition_of_group(first.group, 50);
    utf16_length(first.value->metadata);
  }
  return 0;
}

std::vector<uint8_t> fuzzer_seed(uint64_t number) {
  std::vector<Change> changes;
  if (number % 2 == 0) {
    CommittedOffset offset{.offset = Offset(static_cast<int64_t>(number)), .metadata = "note"};
    if (number % 4 == 0) offset.topic_id = {1, number};
    if (number % 8 == 6) offset.expires = Timestamp(9);
    changes.push_back(OffsetChange{"group", "topic", PartitionId(1), offset});
  } else {
    GroupRecord record{
        .protocol_type = "consumer", .generation = 3, .protocol = "range", .leader = "m0", .members = {}};
    for (uint64_t i = 0; i < number % 5; ++i) {
      GroupRecord::Member& member = record.members.emplace_back();
      member.member_id = "m" + std::to_string(i);
      if (i % 2 == 1) member.instance_id = "i" + std::to_string(i);
      member.session_timeout = member.rebalance_timeout = Millis(10'000);
      member.subscription = Bytes::copy_of(std::string_view("\0\0\0\0\0\1\0\1t", 9));
    }
    changes.push_back(GroupChange{"group", record});
  }
  protocol::RecordReader records{protocol::RecordBatch(batch_of(changes, Timestamp(1)))};
  const protocol::RecordView record = *records.next();
  std::vector<uint8_t> input = {static_cast<uint8_t>(record.key->size() >> 8),
                                static_cast<uint8_t>(record.key->size())};
  input.insert(input.end(), record.key->begin(), record.key->end());
  input.insert(input.end(), record.value->begin(), record.value->end());
  return input;
}
