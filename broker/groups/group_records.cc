#include "broker/groups/group_records.h"

#include <cstdlib>

#include "protocol/messages/group_records.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace millrace::broker::groups {

namespace {

constexpr int16_t offset_version = 4;
constexpr int16_t offset_version_with_expiry = 1;
constexpr int16_t group_version = 3;

template <class Key>
std::string encode_key(const Key& key) {
  protocol::Writer writer;
  writer.i16(Key::record_type);
  key.encode(writer, 0);
  return std::string(writer.finish_whole().text());
}

template <class Value>
std::string encode_value(const Value& value, int16_t version) {
  protocol::Writer writer;
  writer.i16(version);
  value.encode(writer, version);
  return std::string(writer.finish_whole().text());
}

std::string key_of(const OffsetChange& change) {
  return encode_key(protocol::OffsetCommitKey{change.group, change.topic, change.partition});
}
std::string key_of(const GroupChange& change) { return encode_key(protocol::GroupMetadataKey{change.group}); }

std::string encode(const CommittedOffset& from) {
  protocol::OffsetCommitValue value;
  value.offset = from.offset;
  value.leader_epoch = from.leader_epoch;
  value.metadata = from.metadata;
  value.commit_timestamp = from.committed;
  value.topic_id = from.topic_id;
  if (!from.expires) return encode_value(value, offset_version);
  value.expire_timestamp = *from.expires;
  value.leader_epoch = LeaderEpoch(-1);
  value.topic_id = {};
  return encode_value(value, offset_version_with_expiry);
}

std::string encode(const GroupRecord& from) {
  protocol::GroupMetadataValue value;
  value.protocol_type = from.protocol_type;
  value.generation = from.generation;
  value.protocol = from.protocol;
  value.leader = from.leader;
  value.current_state_timestamp = from.state_since;
  for (const GroupRecord::Member& member : from.members) {
    protocol::GroupMetadataValueMemberMetadata& to = value.members.emplace_back();
    to.member_id = member.member_id;
    to.group_instance_id = member.instance_id;
    to.client_id = member.client_id;
    to.client_host = member.client_host;
    to.rebalance_timeout = member.rebalance_timeout;
    to.session_timeout = member.session_timeout;
    to.subscription = member.subscription;
    to.assignment = member.assignment;
  }
  return encode_value(value, group_version);
}

template <class Message>
std::optional<Message> decode(std::string_view text, int16_t lowest, int16_t highest, bool is_value) {
  protocol::Reader reader(Bytes::copy_of(text));
  const int16_t first = reader.i16();  // a key's type, a value's version
  if (!reader.ok() || first < lowest || first > highest) return std::nullopt;
  Message message;
  message.decode(reader, is_value ? first : int16_t{0});
  return reader.ok() ? std::optional(std::move(message)) : std::nullopt;
}

std::optional<CommittedOffset> read_offset(std::string_view text) {
  const auto value = decode<protocol::OffsetCommitValue>(text, 0, protocol::OffsetCommitValue::max_version, true);
  if (!value) return std::nullopt;
  CommittedOffset offset{.offset = value->offset,
                         .leader_epoch = value->leader_epoch,
                         .metadata = value->metadata,
                         .committed = value->commit_timestamp,
                         .topic_id = value->topic_id};
  if (value->expire_timestamp.value >= 0) offset.expires = value->expire_timestamp;
  return offset;
}

std::optional<GroupRecord> read_group(std::string_view text) {
  const auto value = decode<protocol::GroupMetadataValue>(text, 0, protocol::GroupMetadataValue::max_version, true);
  if (!value) return std::nullopt;
  GroupRecord record{.protocol_type = value->protocol_type,
                     .generation = value->generation,
                     .protocol = value->protocol,
                     .leader = value->leader,
                     .state_since = value->current_state_timestamp,
                     .members = {}};
  for (const protocol::GroupMetadataValueMemberMetadata& member : value->members) {
    record.members.push_back({.member_id = member.member_id,
                              .instance_id = member.group_instance_id,
                              .client_id = member.client_id,
                              .client_host = member.client_host,
                              .rebalance_timeout = member.rebalance_timeout,
                              .session_timeout = member.session_timeout,
                              .subscription = Bytes::copy_of(member.subscription.span()),
                              .assignment = Bytes::copy_of(member.assignment.span())});
  }
  return record;
}

// Calls `unit` for each UTF-16 unit. What is not UTF-8 is taken byte by byte, as Java would show it: as one unit each.
template <class Unit>
void for_each_utf16(std::string_view text, Unit unit) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<uint8_t>(text[at])); };
    const uint32_t lead = byte(i);
    const size_t length = lead < 0x80 ? 1 : (lead >> 5) == 6 ? 2 : (lead >> 4) == 14 ? 3 : (lead >> 3) == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) {
      unit(0xfffd);
      ++i;
      continue;
    }
    uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t k = 1; k < length; ++k) point = (point << 6) | (byte(i + k) & 0x3f);
    i += length;
    if (point < 0x10000) {
      unit(static_cast<uint16_t>(point));
    } else {
      unit(static_cast<uint16_t>(0xd800 + ((point - 0x10000) >> 10)));
      unit(static_cast<uint16_t>(0xdc00 + ((point - 0x10000) & 0x3ff)));
    }
  }
}

}  // namespace

Bytes batch_of(const std::vector<Change>& changes, Timestamp now, protocol::BatchOptions options) {
  protocol::BatchBuilder builder(std::move(options));
  for (const Change& change : changes) {
    std::visit(
        [&](const auto& one) {
          const std::string key = key_of(one);
          const std::optional<std::string> value = one.value ? std::optional(encode(*one.value)) : std::nullopt;
          builder.add(now, key, value ? std::optional<std::string_view>(*value) : std::nullopt);
        },
        change);
  }
  return builder.build();
}

std::optional<Change> read_change(const protocol::RecordView& record) {
  if (!record.key) return std::nullopt;
  if (const auto key = decode<protocol::OffsetCommitKey>(*record.key, 0, 1, false)) {
    OffsetChange change{.group = key->group, .topic = key->topic, .partition = key->partition};
    if (record.value) {
      change.value = read_offset(*record.value);
      if (!change.value) return std::nullopt;
      change.value->at = record.offset;
    }
    return change;
  }
  if (const auto key = decode<protocol::GroupMetadataKey>(*record.key, 2, 2, false)) {
    GroupChange change{.group = key->group};
    if (record.value) {
      change.value = read_group(*record.value);
      if (!change.value) return std::nullopt;
    }
    return change;
  }
  return std::nullopt;
}

int32_t partition_of_group(std::string_view group, int32_t partitions) {
  uint32_t hash = 0;
  for_each_utf16(group, [&](uint16_t unit) { hash = 31 * hash + unit; });
  const auto signed_hash = static_cast<int32_t>(hash);
  return signed_hash == INT32_MIN ? 0 : std::abs(signed_hash) % partitions;
}

size_t utf16_length(std::string_view text) {
  size_t length = 0;
  for_each_utf16(text, [&](uint16_t) { ++length; });
  return length;
}

}  // namespace millrace::broker::groups
