#include "log/batch_scanner.h"

#include <algorithm>

namespace millrace::log {

using protocol::batch_header_size;
using protocol::batch_prefix_size;
using protocol::RecordBatch;

namespace {

constexpr size_t head_size = batch_prefix_size + protocol::legacy_header_size;

// The size of the batch that begins here, or 0 where no batch can.
size_t batch_size(const std::byte* head) {
  const auto length = protocol::load_big<int32_t>(head + 8);
  const auto magic = static_cast<int8_t>(head[16]);
  if (magic < 0 || magic > 2) return 0;
  const size_t least = magic == 2 ? batch_header_size - batch_prefix_size : protocol::legacy_header_size;
  if (length < 0 || static_cast<size_t>(length) < least) return 0;
  return batch_prefix_size + static_cast<size_t>(length);
}

}  // namespace

size_t BatchScanner::next_size() const { return piece_.size() < head_size ? 0 : batch_size(piece_.data()); }

std::optional<RecordBatch> BatchScanner::next() {
  const size_t size = next_size();
  if (size == 0 || size > piece_.size()) return std::nullopt;
  RecordBatch batch(piece_.slice(0, size));
  piece_ = piece_.slice(size, piece_.size() - size);
  batch_position_ = position_;
  position_ += static_cast<int64_t>(size);
  return batch;
}

Task<bool> BatchScanner::more() {
  const int64_t rest = to_ - position_;
  if (rest < static_cast<int64_t>(head_size)) co_return false;
  size_t want = std::max(piece_size_, head_size);
  if (piece_.size() >= head_size) {
    const size_t size = batch_size(piece_.data());
    if (size == 0 || static_cast<int64_t>(size) > rest) co_return false;
    want = std::max(want, size);
  }
  want = static_cast<size_t>(std::min<int64_t>(static_cast<int64_t>(want), rest));
  if (want <= piece_.size()) co_return false;
  std::shared_ptr<std::byte[]> memory = std::make_shared_for_overwrite<std::byte[]>(want);
  const std::span<std::byte> out(memory.get(), want);
  // The beginning of a batch has been read already.
  const size_t had = piece_.size();
  std::ranges::copy(piece_.span(), out.begin());
  const std::span<std::byte> rest_of_it = out.subspan(had);
  const size_t read = co_await file_->read(position_ + static_cast<int64_t>(had), rest_of_it, haste_);
  const size_t got = had + read;
  const std::span<const std::byte> view = out.first(got);
  if (got <= had) co_return false;
  piece_ = Bytes(std::move(memory), view);
  // One batch at least, or there is none.
  if (got < head_size) co_return false;
  const size_t size = batch_size(piece_.data());
  if (size == 0 || static_cast<int64_t>(size) > rest) co_return false;
  if (size <= got) co_return true;
  const bool whole = co_await more();
  co_return whole;
}

}  // namespace millrace::log
