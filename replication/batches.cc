#include "replication/batches.h"

#include "protocol/messages/control_records.h"
#include "protocol/record_batch.h"
#include "protocol/writer.h"
#include "replication/bootstrap.h"
#include "replication/changes.h"

namespace millrace::replication {

namespace {

template <class Message>
Bytes encoded(const Message& message, int16_t version = 0) {
  protocol::Writer writer;
  message.encode(writer, version);
  return writer.finish_whole();
}

}  // namespace

Bytes data_batch(const Records& records, Timestamp now, Offset base) {
  protocol::BatchOptions options;
  options.base_offset = base;
  protocol::BatchBuilder builder(options);
  for (const MetadataRecord& record : records) {
    const Bytes value = encode_record(record);
    builder.add(now, std::nullopt, value.text());
  }
  return builder.build();
}

Bytes control_batch(ControlType type, Bytes value, Timestamp now, Offset base) {
  protocol::BatchOptions options;
  options.base_offset = base;
  options.control = true;
  protocol::BatchBuilder builder(options);
  protocol::Writer key;
  key.i16(0);
  key.i16(static_cast<int16_t>(type));
  const Bytes key_bytes = key.finish_whole();
  builder.add(now, key_bytes.text(), value.text());
  return builder.build();
}

Bytes leader_change_batch(BrokerId leader, std::optional<Uuid> directory, Timestamp now) {
  protocol::LeaderChangeMessage message;
  message.leader_id = leader;
  protocol::LeaderChangeMessage::Voter voter;
  voter.voter_id = leader;
  const int16_t version = directory ? 1 : 0;
  if (directory) voter.voter_directory_id = *directory;
  message.version = version;
  message.voters = {voter};
  message.granting_voters = {voter};
  return control_batch(ControlType::leader_change, encoded(message, version), now);
}

Bytes bootstrap_checkpoint(Timestamp now) {
  Records features;
  for (protocol::FeatureLevelRecord& level : default_features()) features.emplace_back(std::move(level));
  const int64_t footer_at = 1 + static_cast<int64_t>(features.size());
  const Bytes parts[] = {
      control_batch(ControlType::snapshot_header, encoded(protocol::SnapshotHeaderRecord()), now, Offset(0)),
      data_batch(features, now, Offset(1)),
      control_batch(ControlType::snapshot_footer, encoded(protocol::SnapshotFooterRecord()), now, Offset(footer_at)),
  };
  std::vector<std::byte> file;
  for (const Bytes& part : parts) file.insert(file.end(), part.span().begin(), part.span().end());
  return Bytes::take(std::move(file));
}

void for_each_record(Bytes batches, const std::function<void(MetadataRecord, int64_t)>& each) {
  protocol::BatchIterator iterator(std::move(batches));
  while (std::optional<protocol::RecordBatch> batch = iterator.next()) {
    if (batch->is_control()) continue;
    protocol::RecordReader reader(*batch);
    while (std::optional<protocol::RecordView> record = reader.next()) {
      if (!record->value) throw UnreadableMetadata("metadata record without a value");
      each(decode_record(Bytes::copy_of(*record->value)), record->offset.value);
    }
    if (reader.malformed()) throw UnreadableMetadata("malformed batch in the metadata log");
  }
}

}  // namespace millrace::replication
