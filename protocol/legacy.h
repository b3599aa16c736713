// Messages of magic 0 and 1, which old data directories may still hold. Kafka 4 serves them and refuses new ones.
//
//   message := offset:i64 size:i32 crc:u32 magic:i8 attributes:i8 [timestamp:i64, magic 1] key_length:i32 key
//              value_length:i32 value                                                          a length of −1 is null
//
// crc is CRC32 (zlib's) from magic to the end. With a codec in attributes bits 0-2, value is a compressed set of
// messages: magic 0 gives them absolute offsets; magic 1 relative ones, the wrapper carrying the last one's offset.
#pragma once

#include <vector>

#include "protocol/bytes.h"

namespace millrace::protocol {

struct RecordView;

bool legacy_crc_matches(const Bytes& message);

// The records of one outermost message, appended to `records`; they look into `message` and into `payloads`. One level
// of wrapping is read, deeper nesting refused. False when malformed; throws CompressionError.
bool read_legacy(const Bytes& message, size_t limit, std::vector<RecordView>& records, std::vector<Bytes>& payloads);

}  // namespace millrace::protocol
