#include "broker/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "broker/request.h"
#include "protocol/record_batch.h"
#include "runtime/shard.h"

namespace millrace::broker {

namespace {

constexpr size_t size_bytes = sizeof(int32_t);
constexpr size_t smallest_buffer = 4 << 10;
// What a frame gets at first when none of its size came before: untouched memory costs nothing, and most frames fit.
constexpr size_t large_buffer = 256 << 10;
constexpr size_t largest_guess = 2 << 20;
// Of several frames. More would save little, and whoever keeps a part of one frame keeps all.
constexpr size_t most_together = 96 << 10;
// Room behind the expected frames. A read that does not fill it has emptied the socket, and what falls into it of the
// next frame tells that one's size.
constexpr size_t slack = 64;
// A peer that always has another frame ready lets the others have their turn after so many.
constexpr uint32_t frames_per_turn = 16;

}  // namespace

std::optional<Bytes> FrameReader::ready() {
  if (given_ >= frames_per_turn) return std::nullopt;
  return cut();
}

Task<std::optional<Bytes>> FrameReader::next(MonoTime deadline) {
  if (given_ >= frames_per_turn) {
    given_ = 0;
    co_await yield();
  }
  while (true) {
    std::optional<Bytes> frame = cut();
    if (frame) co_return frame;
    if (unread() == 0) {
      let_go();
      co_await connection_.read_some({}, deadline);
    }
    make_room();
    const size_t got = co_await connection_.read_some(std::span(buffer_.get() + end_, capacity_ - end_), deadline);
    if (got == 0) co_return std::nullopt;
    end_ += got;
  }
}

size_t FrameReader::announced() const {
  const auto size = protocol::load_big<int32_t>(buffer_.get() + begin_);
  if (size <= 0 || size > limit_) throw CloseConnection("a frame of " + std::to_string(size) + " bytes");
  return static_cast<size_t>(size);
}

std::optional<Bytes> FrameReader::cut() {
  if (unread() < size_bytes) return std::nullopt;
  const size_t size = announced();
  if (unread() < size_bytes + size) return std::nullopt;
  Bytes frame(buffer_, std::span(buffer_.get() + begin_ + size_bytes, size));
  expected_ = size_bytes + size;
  begin_ += expected_;
  burst_ += expected_;
  ++given_;
  return frame;
}

// There is nothing to read.
void FrameReader::let_go() {
  buffer_.reset();
  capacity_ = begin_ = end_ = 0;
  if (burst_ > 0) last_burst_ = burst_;
  burst_ = 0;
}

// Frames given out look into the buffer, so what was read is never moved or overwritten: a full buffer is left to
// them and a new one begun with the unread bytes.
void FrameReader::make_room() {
  const size_t wanted = unread() < size_bytes ? size_bytes : size_bytes + announced();
  const size_t free_at_end = capacity_ - end_;
  if (capacity_ - begin_ >= wanted && free_at_end > 0) return;
  // Where the peer has sent more than was expected there is probably as much to come again.
  const size_t together = std::min(burst_ > 0 ? burst_ : last_burst_, most_together);
  const size_t frames = expected_ == 0 ? 0 : std::max<size_t>(1, together / expected_);
  const size_t guess = std::min(frames * expected_, largest_guess);
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
