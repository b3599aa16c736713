// A write with RWF_DSYNC is one system call that returns when the device has the bytes; over blocks that were written
// before it changes no metadata. Where the file system knows no direct I/O, or the kernel gives no ring, a thread of
// the pool does the same through the page cache.
#include "runtime/real/block_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/real/process.h"
#include "runtime/real/shard.h"
#include "runtime/real/system_call.h"

namespace millrace::real {

namespace {

// As the ring answers: bytes, or −errno.
int write_and_sync(int fd, int64_t at, std::span<const std::byte> bytes) {
  const iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
  ssize_t wrote = ::pwritev2(fd, &vector, 1, at, RWF_DSYNC);
  if (wrote < 0 && errno == EOPNOTSUPP) {
    wrote = ::pwritev(fd, &vector, 1, at);
    if (wrote >= 0 && ::fdatasync(fd) < 0) wrote = -1;
  }
  return wrote < 0 ? -errno : static_cast<int>(wrote);
}

class RealBlockFile final : public BlockFile {
 public:
  RealBlockFile(std::string path, int fd, int64_t size, Ring* ring, BlockingPool& pool)
      : path_(std::move(path)), fd_(fd), size_(size), ring_(ring), pool_(pool) {}
  ~RealBlockFile() override {
    check(under_way_ == 0);
    ::close(fd_);
  }

  Task<void> write_durable(int64_t at, std::span<const std::byte> blocks) override {
    check(at % static_cast<int64_t>(block_bytes) == 0 && blocks.size() % block_bytes == 0);
    const UnderWay here(*this);
    while (!blocks.empty()) {
      const int wrote = co_await write_some(at, blocks);
      if (wrote == -EINTR || wrote == -EAGAIN) continue;  // nothing was taken
      if (wrote < 0) fail("write", path_, -wrote);
      // Direct writes end on a block; what follows half a block is written with it once more.
      const size_t whole = static_cast<size_t>(wrote) / block_bytes * block_bytes;
      if (whole == 0) fail("write", path_, ENOSPC);
      at += static_cast<int64_t>(whole);
      blocks = blocks.subspan(whole);
      size_ = std::max(size_, at);
    }
  }

  int64_t size() const override { return size_; }

 private:
  struct UnderWay {
    explicit UnderWay(RealBlockFile& file_) : file(file_) { ++file.under_way_; }
    ~UnderWay() { --file.under_way_; }
    RealBlockFile& file;
  };

  Task<int> write_some(int64_t at, std::span<const std::byte> blocks) {
    if (ring_) {
      Ring::Write write = ring_->write(fd_, at, blocks, RWF_DSYNC);
      const int wrote = co_await write;
      if (wrote != -EOPNOTSUPP) co_return wrote;
      ring_ = nullptr;
    }
    auto blocking = [&] { return write_and_sync(fd_, at, blocks); };
    co_return co_await pool_.run(std::move(blocking));
  }

  const std::string path_;
  const int fd_;
  int64_t size_;
  Ring* ring_;
  BlockingPool& pool_;
  int under_way_ = 0;
};

}  // namespace

std::unique_ptr<BlockFile> BlockFiles::open(std::string path) {
  constexpr int flags = O_RDWR | O_CREAT | O_CLOEXEC;
  bool direct = true;
  const auto open_with = [&](int more) {
    return uninterrupted([&] { return ::open(path.c_str(), flags | more, 0644); });
  };
  int fd = open_with(O_DIRECT);
  if (fd < 0 && errno == EINVAL) {
    direct = false;
    fd = open_with(0);
  }
  if (fd < 0) fail("open", path, errno);
  struct stat info{};
  if (::fstat(fd, &info) < 0) {
    const int error = errno;
    ::close(fd);
    fail("stat", path, error);
  }
  if (direct && !ring_ && !ring_refused_ && process_.may_use_ring) {
    ring_ = Ring::make(shard_.loop());
    ring_refused_ = ring_ == nullptr;
  }
  Ring* const ring = direct ? ring_.get() : nullptr;
  return std::make_unique<RealBlockFile>(std::move(path), fd, int64_t{info.st_size}, ring, process_.disk_calls);
}

}  // namespace millrace::real
