// BatchScanner walks the batches of a segment file, reading it in large pieces.
//
//   BatchScanner scanner(file, from, to);
//   do {
//     while (std::optional<RecordBatch> batch = scanner.next()) …
//   } while (co_await scanner.more());
//   scanner.position()      // behind the last whole batch; less than `to` when the end is torn or not a batch
//
// It never asks for more memory than the file has bytes, whatever a length field says. Checksums are the caller's.
#pragma once

#include <memory>
#include <optional>

#include "protocol/record_batch.h"
#include "runtime/disk.h"

namespace millrace::log {

class BatchScanner {
 public:
  static constexpr size_t default_piece = 1 << 20;

  BatchScanner(std::shared_ptr<File> file, int64_t from, int64_t to, size_t piece = default_piece,
               Haste haste = Haste::ordinary)
      : file_(std::move(file)), position_(from), to_(to), piece_size_(piece), haste_(haste) {}

  // The next batch in memory.
  std::optional<protocol::RecordBatch> next();
  // Reads on; false when there is no further whole batch.
  Task<bool> more();
  int64_t position() const { return position_; }
  // Of the batch that next() would give if it were all there; 0: not known.
  size_t next_size() const;
  int64_t batch_position() const { return batch_position_; }  // of the batch that next() gave last

 private:
  std::shared_ptr<File> file_;
  int64_t position_;
  int64_t batch_position_ = 0;
  int64_t to_;
  size_t piece_size_;
  Haste haste_;
  Bytes piece_;  // what was read and not yet given
};

}  // namespace millrace::log
