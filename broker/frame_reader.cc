#include "broker/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "broker/request.h"
#include "protocol/record_batch.h"

namespace millrace::broker {

namespace {

// An idle connection holds this much; one that sends gets more.
constexpr size_t small_buffer = 4 << 10;
// What a large frame gets at first: untouched memory costs nothing, and most frames fit.
constexpr size_t large_buffer = 256 << 10;

}  // namespace

Task<std::optional<Bytes>> FrameReader::next(MonoTime deadline) {
  if (unread() == 0 && capacity_ > small_buffer) {
    buffer_.reset();
    capacity_ = begin_ = end_ = 0;
  }
  const bool has_size = co_await fill(sizeof(int32_t), deadline);
  if (!has_size) co_return std::nullopt;
  const auto size = protocol::load_big<int32_t>(buffer_.get() + begin_);
  if (size <= 0 || size > limit_) throw CloseConnection("a frame of " + std::to_string(size) + " bytes");
  begin_ += sizeof(int32_t);
  const bool whole = co_await fill(static_cast<size_t>(size), deadline);
  if (!whole) co_return std::nullopt;
  Bytes frame(buffer_, std::span(buffer_.get() + begin_, static_cast<size_t>(size)));
  begin_ += static_cast<size_t>(size);
  co_return frame;
}

Task<bool> FrameReader::fill(size_t wanted, MonoTime deadline) {
  while (unread() < wanted) {
    make_room(wanted);
    const size_t got = co_await connection_.read_some(std::span(buffer_.get() + end_, capacity_ - end_), deadline);
    if (got == 0) co_return false;
    end_ += got;
  }
  co_return true;
}

// Frames given out look into the buffer, so what was read is never moved or overwritten: a full buffer is left to
// them and a new one begun with the unread bytes.
void FrameReader::make_room(size_t wanted) {
  const size_t free_at_end = capacity_ - end_;
  if (capacity_ - begin_ >= wanted && free_at_end > 0) return;
  size_t capacity = small_buffer;
  if (wanted > small_buffer || end_ == capacity_) {
    capacity = std::max({capacity, std::min(wanted, large_buffer), std::min(wanted, 2 * unread())});
  }
  if (capacity_ > 0 && end_ == capacity_) capacity = std::max(capacity, std::min(2 * capacity_, large_buffer));
  std::shared_ptr<std::byte[]> fresh = std::make_shared_for_overwrite<std::byte[]>(capacity);
  if (unread() > 0) std::memcpy(fresh.get(), buffer_.get() + begin_, unread());
  end_ = unread();
  begin_ = 0;
  buffer_ = std::move(fresh);
  capacity_ = capacity;
}

}  // namespace millrace::broker
