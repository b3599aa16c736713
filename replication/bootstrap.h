// bootstrap.checkpoint: the snapshot, at epoch 0, that formatting leaves for the first leader.
//   control batch SnapshotHeader · batch of feature levels · control batch SnapshotFooter
#pragma once

#include "protocol/bytes.h"
#include "protocol/types.h"

namespace millrace::replication {

Bytes bootstrap_checkpoint(Timestamp now);

}  // namespace millrace::replication
