#include "runtime/real/direct_append.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/copy.h"
#include "runtime/real/system_call.h"

namespace millrace::real {

namespace {

constexpr size_t staging_bytes = 1 << 20;

void write_all(int fd, const std::string& path, std::span<const std::byte> bytes, int64_t at) {
  while (!bytes.empty()) {
    const ssize_t wrote = uninterrupted([&] { return ::pwrite(fd, bytes.data(), bytes.size(), at); });
    if (wrote < 0) fail("write", path, errno);
    if (wrote == 0) fail("write", path, ENOSPC);
    at += wrote;
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
}

}  // namespace

DirectAppend::~DirectAppend() {
  if (direct_ >= 0) ::close(direct_);
}

bool DirectAppend::append(int fd, const std::string& path, int64_t at, const std::vector<Bytes>& parts) {
  if (refused_) return false;
  if (direct_ < 0) {
    // By its descriptor: the name may have changed.
    const std::string name = "/proc/self/fd/" + std::to_string(fd);
    direct_ = ::open(name.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
    refused_ = direct_ < 0;
    if (refused_) return false;
  }
  thread_local BlockMemory memory(staging_bytes);
  const std::span<std::byte> staging = memory.span();

  // The block that the file ends in is written again, with what it holds.
  size_t filled = static_cast<size_t>(at) % block_bytes;
  int64_t position = at - static_cast<int64_t>(filled);
  for (size_t done = 0; done < filled;) {
    const int64_t from = position + static_cast<int64_t>(done);
    const ssize_t got = uninterrupted([&] { return ::pread(fd, staging.data() + done, filled - done, from); });
    if (got < 0) fail("read", path, errno);
    if (got == 0) fail("read", path, EIO);
    done += static_cast<size_t>(got);
  }

  const auto write_staged = [&] {
    const size_t whole = filled / block_bytes * block_bytes;
    size_t wrote = 0;
    if (whole > 0) {
      const ssize_t result = uninterrupted([&] { return ::pwrite(direct_, staging.data(), whole, position); });
      // What direct I/O cannot take here, the page cache takes.
      if (result < 0 && errno != EINVAL && errno != EOPNOTSUPP) fail("write", path, errno);
      if (result > 0) wrote = static_cast<size_t>(result);
    }
    write_all(fd, path, staging.subspan(wrote, filled - wrote), position + static_cast<int64_t>(wrote));
    position += static_cast<int64_t>(filled);
    filled = 0;
  };
  for (const Bytes& part : parts) {
    std::span<const std::byte> rest = part.span();
    while (!rest.empty()) {
      const size_t taken = std::min(rest.size(), staging.size() - filled);
      copy(rest.first(taken), staging.data() + filled);
      filled += taken;
      rest = rest.subspan(taken);
      if (filled == staging.size()) write_staged();
    }
  }
  write_staged();
  return true;
}

}  // namespace millrace::real
