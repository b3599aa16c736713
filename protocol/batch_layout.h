// Writing record batches in parts: records one behind the other, and around them, once all is known, the header.
// record_batch.h shows the format, and has a builder for those who know everything beforehand.
#pragma once

#include <span>
#include <string>

#include "protocol/record_batch.h"

namespace millrace::protocol {

// What a record without headers may take besides its key and value: the sizes of itself, key and value, attributes, the
// deltas of time and offset, the number of headers.
inline constexpr size_t most_record_overhead = 5 + 5 + 5 + 1 + 10 + 5 + 1;

// Appends one record. The deltas are to the first record of the batch.
void append_record(std::string& to, int64_t timestamp_delta, int64_t offset_delta, std::optional<std::string_view> key,
                   std::optional<std::string_view> value, std::span<const Header> headers);

// The same without headers, and without the value, of which so many bytes follow; then end_record().
void begin_record(std::string& to, int64_t timestamp_delta, int64_t offset_delta, std::optional<std::string_view> key,
                  size_t value_size);
void end_record(std::string& to);
// Appends records that have nothing but values, at one time and one offset after the other. The values lie one behind
// the other in `values`, from `from` on; `ends` says where each of them ends.
void append_values(std::string& to, int64_t timestamp_delta, int64_t offset_delta, std::string_view values, size_t from,
                   std::span<const size_t> ends);

// What the records come to.
struct BatchSummary {
  Timestamp base_timestamp{-1};
  Timestamp max_timestamp{-1};
  int32_t last_offset_delta = -1;
  int32_t count = 0;
};
// The batch, whose records lie in `batch` behind the room for its header.
Bytes finish_batch(std::string batch, const BatchOptions& options, const BatchSummary& summary);

}  // namespace millrace::protocol
