// A survey walks over all records of a batch without giving any of them out: what a broker asks of a produced batch.
//
// It finds sound what RecordReader reads to the end without complaint, in a fraction of the time. What is not sound is
// for the reader to explain.
#pragma once

#include <optional>
#include <span>

#include "protocol/types.h"

namespace millrace::protocol {

struct RecordSurvey {
  Timestamp oldest{INT64_MAX};
  Timestamp newest{INT64_MIN};
  bool all_have_keys = true;
  bool consecutive = true;  // the offset deltas are 0, 1, 2 …
};

// `records` is the payload of a batch, decompressed; times count from `base`. Nothing when it is not exactly `count`
// well-formed records.
std::optional<RecordSurvey> survey(std::span<const std::byte> records, int32_t count, Timestamp base);

}  // namespace millrace::protocol
