// A part of a file on its way from the page cache to a socket.
#pragma once

#include <memory>
#include <utility>

#include "runtime/real/descriptor.h"
#include "runtime/unread.h"

namespace millrace::real {

struct FilePart final : UnreadPart {
  FilePart(std::shared_ptr<const Descriptor> file_, int64_t at_) : file(std::move(file_)), at(at_) {}
  std::shared_ptr<const Descriptor> file;  // stays open until it is sent, whatever happens to the File
  int64_t at;
};

}  // namespace millrace::real
