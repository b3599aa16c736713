// FrameReader cuts a connection's byte stream into frames.
//
//   stream := (size:i32 frame)*      1 <= size <= limit
//
// Memory follows the bytes that have come, never the size that was announced: a peer that announces much and sends
// little costs little, and one that is silent nothing. Frames that come together are read together, as many at once as
// came together before, into memory of about their size. Frames are views into that memory and share it.
#pragma once

#include <memory>
#include <optional>

#include "runtime/net.h"

namespace millrace::broker {

class FrameReader {
 public:
  FrameReader(Connection& connection, int32_t limit) : connection_(connection), limit_(limit) {}

  // The next frame, without its size; nothing when the peer has finished sending. Throws CloseConnection for a size
  // that no frame can have, NetError past `deadline`, after which one may wait again, or when the connection breaks.
  Task<std::optional<Bytes>> next(MonoTime deadline);
  // The same where it can be had at once; nothing when next() has to be asked.
  std::optional<Bytes> ready();
  // Bytes of memory that are held for as long as somebody keeps the latest frame, or a part of it.
  size_t held() const { return capacity_; }

 private:
  std::optional<Bytes> cut();
  size_t announced() const;  // the size of the frame that begins the unread bytes
  void let_go();
  void make_room();
  size_t unread() const { return end_ - begin_; }

  Connection& connection_;
  int32_t limit_;
  uint32_t given_ = 0;     // since others had their turn
  size_t expected_ = 0;    // of the next frame, with its size: what the latest one had
  size_t burst_ = 0;       // bytes given out since there was nothing to read
  size_t last_burst_ = 0;  // the same of the time before
  std::shared_ptr<std::byte[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace millrace::broker
