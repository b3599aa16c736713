// FrameReader cuts a connection's byte stream into frames.
//
//   stream := (size:i32 frame)*      1 <= size <= limit
//
// Memory follows the bytes that have come, never the size that was announced: a peer that announces much and sends
// little costs little, and one that is silent nothing. A frame as long as the one before it is read in one go, into
// memory of about its own size. Frames are views into that memory and share it.
#pragma once

#include <memory>
#include <optional>

#include "runtime/net.h"

namespace millrace::broker {

class FrameReader {
 public:
  FrameReader(Connection& connection, int32_t limit) : connection_(connection), limit_(limit) {}

  // The next frame, without its size; nothing when the peer has finished sending. Throws CloseConnection for a size
  // that no frame can have, NetError past `deadline` or when the connection breaks.
  Task<std::optional<Bytes>> next(MonoTime deadline);
  // Bytes of memory that are held for as long as somebody keeps the latest frame, or a part of it.
  size_t held() const { return capacity_; }

 private:
  Task<bool> fill(size_t wanted, MonoTime deadline);  // until `wanted` unread bytes are there; false at the end
  void make_room(size_t wanted);
  size_t unread() const { return end_ - begin_; }

  Connection& connection_;
  int32_t limit_;
  uint32_t served_ = 0;
  size_t expected_ = 0;  // of the next frame, with its size: what the latest one had
  std::shared_ptr<std::byte[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace millrace::broker
