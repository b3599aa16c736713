// A part of a simulated file that a connection reads when it sends it: what SimFile::unread() gives.
#pragma once

#include <memory>
#include <optional>

#include "runtime/unread.h"
#include "tests/sim/file_system.h"

namespace millrace::sim {

struct FilePart final : UnreadPart {
  FilePart(std::shared_ptr<const Inode> file_, int64_t at_) : file(std::move(file_)), at(at_) {}

  // As the file is now; nothing when it has become too short.
  std::optional<Bytes> read(size_t from, size_t size) const {
    const size_t begin = static_cast<size_t>(at) + from;
    if (file->content.size() < begin + size) return std::nullopt;
    return Bytes::copy_of(std::span(file->content).subspan(begin, size));
  }

  std::shared_ptr<const Inode> file;
  int64_t at;
};

}  // namespace millrace::sim
