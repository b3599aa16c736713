// What the page cache can do at once happens on the loop: small writes, reads that are cached. What waits for the
// device goes to the pool: syncs, uncached reads, large appends (past the page cache), freeing extents; and, with a
// tenth of what others get, writes that nobody waits for.
#include "runtime/real/file.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/real/direct_append.h"
#include "runtime/real/file_part.h"
#include "runtime/real/page_cache.h"
#include "runtime/real/preallocation.h"
#include "runtime/real/process.h"
#include "runtime/shard.h"

namespace millrace::real {

namespace {

constexpr size_t inline_write_limit = 256 << 10;
constexpr int parts_per_call = 64;

void write_all(int fd, const std::string& path, int64_t at, const std::vector<Bytes>& parts) {
  size_t part = 0;
  size_t done = 0;  // bytes of `part`
  while (part < parts.size()) {
    iovec vectors[parts_per_call];
    int count = 0;
    for (size_t i = part; i < parts.size() && count < parts_per_call; ++i) {
      const size_t skip = i == part ? done : 0;
      if (parts[i].size() == skip) continue;
      vectors[count++] = {const_cast<std::byte*>(parts[i].data() + skip), parts[i].size() - skip};
    }
    if (count == 0) {
      part = std::min(parts.size(), part + parts_per_call);
      done = 0;
      continue;
    }
    const ssize_t wrote = uninterrupted([&] { return ::pwritev(fd, vectors, count, at); });
    if (wrote < 0) fail("write", path, errno);
    if (wrote == 0) fail("write", path, ENOSPC);
    at += wrote;
    done += static_cast<size_t>(wrote);
    while (part < parts.size() && done >= parts[part].size()) done -= parts[part++].size();
  }
}

class RealFile final : public File {
 public:
  RealFile(std::string path, Descriptor descriptor, const struct stat& info, bool writable, Process& process)
      : path_(std::move(path)),
        descriptor_(std::make_shared<const Descriptor>(std::move(descriptor))),
        size_(info.st_size),
        writable_(writable),
        preallocation_(info.st_size, int64_t{info.st_blocks} * 512),
        pool_(process.disk_calls),
        leisurely_writes_(process.leisurely_writes) {}
  ~RealFile() override {
    check(under_way_ == 0);
    if (writable_) preallocation_.release(fd());
  }

  Task<size_t> read(int64_t at, std::span<std::byte> out, Haste haste) override {
    const UnderWay here(*this);
    size_t done = 0;
    while (done < out.size()) {
      const iovec rest{out.data() + done, out.size() - done};
      const int64_t from = at + static_cast<int64_t>(done);
      ssize_t got = -1;
      int error = 0;
      if (may_read_nowait_) {
        if (haste == Haste::ordinary) {
          got = read_cached(from, rest, error);
        } else {
          auto leisurely = [&] { return read_cached_by_pieces(from, rest, error); };
          got = co_await beside(std::move(leisurely));
        }
        if (got < 0 && error == EOPNOTSUPP) may_read_nowait_ = false;
      }
      if (got < 0) {
        if (may_read_nowait_ && error != EAGAIN) fail("read", path_, error);
        auto blocking = [&] {
          const ssize_t result = uninterrupted([&] { return ::preadv(fd(), &rest, 1, from); });
          error = errno;
          return result;
        };
        got = co_await pool_.run(std::move(blocking));
        if (got < 0) fail("read", path_, error);
      }
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    co_return done;
  }

  Bytes unread(int64_t at, size_t size) override {
    const int64_t end = at + static_cast<int64_t>(size);
    // A large append writes the block again that the file ends in, past the page cache, and must be able to throw the
    // page out of it; the kernel does not while a socket holds any page of its group.
    const int64_t settled = size_ / largest_page_group * largest_page_group;
    if (size == 0 || end > settled || !in_page_cache(fd(), at, static_cast<int64_t>(size))) return {};
    return unread_bytes(std::make_shared<const FilePart>(descriptor_, at), size);
  }

  Task<void> write(int64_t at, std::vector<Bytes> parts, Haste haste) override {
    const UnderWay here(*this);
    size_t bytes = 0;
    for (const Bytes& part : parts) bytes += part.size();
    const bool appends = at == size_;
    if (appends) preallocation_.make_room(fd(), at + static_cast<int64_t>(bytes));
    if (bytes <= inline_write_limit && haste == Haste::ordinary) {
      write_all(fd(), path_, at, parts);
    } else {
      auto blocking = [&] {
        const bool past_cache = appends && bytes > inline_write_limit && direct_.append(fd(), path_, at, parts);
        if (!past_cache) write_all(fd(), path_, at, parts);
      };
      co_await (haste == Haste::ordinary ? pool_ : leisurely_writes_).run(std::move(blocking));
    }
    if (bytes > 0) size_ = std::max(size_, at + static_cast<int64_t>(bytes));
  }

  Task<void> sync() override {
    const UnderWay here(*this);
    auto blocking = [&] {
      if (uninterrupted([&] { return ::fdatasync(fd()); }) < 0) fail("sync", path_, errno);
    };
    co_await pool_.run(std::move(blocking));
  }

  Task<void> truncate(int64_t size) override {
    const UnderWay here(*this);
    auto blocking = [&] {
      if (uninterrupted([&] { return ::ftruncate(fd(), size); }) < 0) fail("truncate", path_, errno);
    };
    co_await pool_.run(std::move(blocking));
    preallocation_.forget();
    size_ = size;
  }

  int64_t size() const override { return size_; }

 private:
  struct UnderWay {
    explicit UnderWay(RealFile& file_) : file(file_) { ++file.under_way_; }
    ~UnderWay() { --file.under_way_; }
    RealFile& file;
  };
  int fd() const { return descriptor_->get(); }

  // What the page cache has, as preadv2 answers it.
  ssize_t read_cached(int64_t at, iovec out, int& error) const {
    const ssize_t got = uninterrupted([&] { return ::preadv2(fd(), &out, 1, at, RWF_NOWAIT); });
    error = errno;
    return got;
  }
  // The same, so that a shard that wakes meanwhile need not wait for the end of a long system call: most kernels take
  // nobody's processor within one.
  ssize_t read_cached_by_pieces(int64_t at, iovec out, int& error) const {
    constexpr size_t piece = 64 << 10;
    size_t done = 0;
    while (done < out.iov_len) {
      const iovec next{static_cast<std::byte*>(out.iov_base) + done, std::min(piece, out.iov_len - done)};
      const ssize_t got = read_cached(at + static_cast<int64_t>(done), next, error);
      if (got <= 0) return done > 0 ? static_cast<ssize_t>(done) : got;
      done += static_cast<size_t>(got);
      if (static_cast<size_t>(got) < next.iov_len) break;
    }
    return static_cast<ssize_t>(done);
  }

  const std::string path_;
  const std::shared_ptr<const Descriptor> descriptor_;
  int64_t size_;
  const bool writable_;
  Preallocation preallocation_;
  DirectAppend direct_;
  BlockingPool& pool_;
  BlockingPool& leisurely_writes_;
  int under_way_ = 0;
  bool may_read_nowait_ = true;
};

}  // namespace

std::unique_ptr<File> make_file(std::string path, Descriptor descriptor, const struct stat& info, bool writable,
                                Process& process) {
  return std::make_unique<RealFile>(std::move(path), std::move(descriptor), info, writable, process);
}

}  // namespace millrace::real
