// Large appends past the page cache.
//
// Copying into page cache pages that are fresh is the largest single cost of storing a record, and nobody reads them:
// readers of what is recent are served from memory. So whole blocks of a large append go to the device from a staging
// buffer; the part of a block that is left at its end goes through the page cache, where the next append finds it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/bytes.h"

namespace millrace::real {

class DirectAppend {
 public:
  DirectAppend() = default;
  ~DirectAppend();
  DirectAppend(const DirectAppend&) = delete;

  // Blocking; `fd` is the file, opened as usual. False when nothing was written because the file system knows no direct
  // I/O. Throws DiskError, and then any part may have been written.
  bool append(int fd, const std::string& path, int64_t at, const std::vector<Bytes>& parts);

 private:
  int direct_ = -1;
  bool refused_ = false;
};

}  // namespace millrace::real
