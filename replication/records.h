// Metadata records: what the __cluster_metadata log and its snapshots are made of.
//
//   record value := frame_version:uvarint=1 key:uvarint version:uvarint message
#pragma once

#include <stdexcept>
#include <variant>
#include <vector>

#include "protocol/bytes.h"
#include "protocol/messages/metadata_records.h"

namespace millrace::replication {

// A record that this version keeps in the log but does not act on: ACLs, quotas, SCRAM users, tokens.
struct OtherRecord {
  int16_t key = 0;
  int16_t version = 0;
  Bytes body;
  friend bool operator==(const OtherRecord&, const OtherRecord&) = default;
};

using MetadataRecord =
    std::variant<protocol::RegisterBrokerRecord, protocol::UnregisterBrokerRecord, protocol::TopicRecord,
                 protocol::PartitionRecord, protocol::ConfigRecord, protocol::PartitionChangeRecord,
                 protocol::FenceBrokerRecord, protocol::UnfenceBrokerRecord, protocol::RemoveTopicRecord,
                 protocol::FeatureLevelRecord, protocol::ProducerIdsRecord, protocol::BrokerRegistrationChangeRecord,
                 protocol::NoOpRecord, protocol::BeginTransactionRecord, protocol::EndTransactionRecord,
                 protocol::AbortTransactionRecord, protocol::RegisterControllerRecord, protocol::ClearElrRecord,
                 OtherRecord>;

using Records = std::vector<MetadataRecord>;

// A record that cannot be read, or of a kind that nobody has written yet: going on would mean forgetting it.
class UnreadableMetadata : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// In the version that Kafka 4.3 writes at metadata.version 30.
Bytes encode_record(const MetadataRecord& record);
// Throws UnreadableMetadata.
MetadataRecord decode_record(Bytes value);

}  // namespace millrace::replication
