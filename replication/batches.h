// Record batches of the metadata log: one batch per change, values without keys; and its control batches.
#pragma once

#include <functional>
#include <optional>

#include "protocol/types.h"
#include "replication/records.h"

namespace millrace::replication {

enum class ControlType : int16_t { leader_change = 2, snapshot_header = 3, snapshot_footer = 4 };

Bytes data_batch(const Records& records, Timestamp now, Offset base = Offset(0));
// `value` is the encoded control message.
Bytes control_batch(ControlType type, Bytes value, Timestamp now, Offset base = Offset(0));
// With the leader's directory where the quorum is dynamic.
Bytes leader_change_batch(BrokerId leader, std::optional<Uuid> directory, Timestamp now);

// Calls `each` with every data record of a run of batches. Throws UnreadableMetadata.
void for_each_record(Bytes batches, const std::function<void(MetadataRecord record, int64_t offset)>& each);

}  // namespace millrace::replication
