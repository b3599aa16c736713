// Reading for a connection: as Log::read(), but what is in the page cache is left there (runtime/unread.h). Of the
// batches of an answer such a piece has many.
#pragma once

#include "log/log.h"

namespace millrace::log {

// `limit` must not be above what may ever be truncated: the high watermark.
Task<ReadResult> read_for_sending(Log& log, Offset from, size_t max_bytes, Offset limit, bool at_least_one,
                                  bool aborted_transactions);

}  // namespace millrace::log
