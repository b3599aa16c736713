// A part of a file on its way from the page cache to a socket.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

#include "runtime/unread.h"

namespace millrace::real {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct FilePart final : UnreadPart {
  FilePart(std::shared_ptr<const Descriptor> file_, int64_t at_) : file(std::move(file_)), at(at_) {}
  std::shared_ptr<const Descriptor> file;  // stays open until it is sent, whatever happens to the File
  int64_t at;
};

}  // namespace millrace::real
