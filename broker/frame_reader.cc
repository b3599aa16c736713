#include "broker/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "broker/request.h"
#include "protocol/record_batch.h"
#include "runtime/shard.h"

namespace millrace::broker {

namespace {

constexpr size_t smallest_buffer = 4 << 10;
// What a frame gets at first when none of its size came before: untouched memory costs nothing, and most frames fit.
constexpr size_t large_buffer = 256 << 10;
constexpr size_t largest_guess = 2 << 20;
// Room behind the expected frame. A read that does not fill it has emptied the socket, and what falls into it of the
// next frame tells that one's size.
constexpr size_t slack = 64;
// A peer that always has another frame ready lets the others have their turn after so many.
constexpr uint32_t frames_per_turn = 16;

}  // namespace

Task<std::optional<Bytes>> FrameReader::next(MonoTime deadline) {
  if (++served_ % frames_per_turn == 0) co_await yield();
  if (unread() == 0) {
    buffer_.reset();
    capacity_ = begin_ = end_ = 0;
    co_await connection_.read_some({}, deadline);
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
  expected_ = sizeof(int32_t) + static_cast<size_t>(size);
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
  const size_t guess = std::min(expected_, largest_guess);
  // So much of it is believed to come; the rest of a larger frame gets room as it does.
  const size_t believed = std::min(wanted, std::max({large_buffer, guess, 2 * unread()}));
  const size_t capacity = std::max({smallest_buffer, guess, believed}) + slack;
  std::shared_ptr<std::byte[]> fresh = std::make_shared_for_overwrite<std::byte[]>(capacity);
  if (unread() > 0) std::memcpy(fresh.get(), buffer_.get() + begin_, unread());
  end_ = unread();
  begin_ = 0;
  buffer_ = std::move(fresh);
  capacity_ = capacity;
}

}  // namespace millrace::broker
