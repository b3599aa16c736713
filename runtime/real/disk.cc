// The disk of this machine, through POSIX calls.
//
// What the page cache can do at once happens on the loop: small writes, reads that are cached, names. What waits for
// the device goes to the pool: syncs, uncached reads, large appends (past the page cache), freeing extents; and writes
// that nobody waits for.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "runtime/real/adapters.h"
#include "runtime/real/block_file.h"
#include "runtime/real/direct_append.h"
#include "runtime/real/file_part.h"
#include "runtime/real/page_cache.h"
#include "runtime/real/preallocation.h"
#include "runtime/real/process.h"
#include "runtime/real/system_call.h"

namespace millrace::real {

namespace {

constexpr size_t inline_write_limit = 256 << 10;
constexpr int parts_per_call = 64;

Descriptor open_or_fail(const std::string& path, int flags) {
  const int fd = uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
  if (fd < 0) fail("open", path, errno);
  return Descriptor(fd);
}

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
  RealFile(std::string path, Descriptor descriptor, const struct stat& info, bool writable, BlockingPool& pool)
      : path_(std::move(path)),
        descriptor_(std::make_shared<const Descriptor>(std::move(descriptor))),
        size_(info.st_size),
        writable_(writable),
        preallocation_(info.st_size, int64_t{info.st_blocks} * 512),
        pool_(pool) {}
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
      co_await pool_.run(std::move(blocking));
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
  int under_way_ = 0;
  bool may_read_nowait_ = true;
};

// POSIX record locks belong to the process: a second lock of ours would succeed, and closing any descriptor of the file
// would drop the first. So the process remembers what it holds, and looks before it opens.
using Inode = std::pair<dev_t, ino_t>;
std::mutex held_mutex;
std::set<Inode>& held_locks() {
  static std::set<Inode> held;
  return held;
}

class RealFileLock final : public FileLock {
 public:
  RealFileLock(Descriptor descriptor, Inode inode) : descriptor_(std::move(descriptor)), inode_(inode) {}
  ~RealFileLock() override {
    const std::lock_guard lock(held_mutex);
    held_locks().erase(inode_);
  }

 private:
  const Descriptor descriptor_;
  const Inode inode_;
};

std::unique_ptr<FileLock> lock_now(const std::string& path) {
  const std::lock_guard lock(held_mutex);
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && held_locks().contains(Inode(info.st_dev, info.st_ino))) return nullptr;
  Descriptor descriptor = open_or_fail(path, O_RDWR | O_CREAT);
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(descriptor.get(), F_SETLK, &whole) < 0) {
    if (errno == EACCES || errno == EAGAIN) return nullptr;
    fail("lock", path, errno);
  }
  if (::fstat(descriptor.get(), &info) < 0) fail("stat", path, errno);
  const Inode inode(info.st_dev, info.st_ino);
  held_locks().insert(inode);
  return std::make_unique<RealFileLock>(std::move(descriptor), inode);
}

// Nothing when it is not there.
std::optional<struct stat> look_at(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0) return info;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  fail("stat", path, errno);
}

DirectoryEntry describe(std::string name, const struct stat& info) {
  const bool is_directory = S_ISDIR(info.st_mode);
  return DirectoryEntry{std::move(name), is_directory, is_directory ? 0 : static_cast<int64_t>(info.st_size)};
}

struct Name {
  std::string name;
  bool is_directory;  // known to be one; otherwise only a look tells
};

std::vector<Name> names_in(const std::string& directory) {
  DIR* const stream = ::opendir(directory.c_str());
  if (!stream) fail("list", directory, errno);
  std::vector<Name> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(std::string(name), entry->d_type == DT_DIR);
  }
  const int error = errno;
  ::closedir(stream);
  if (error != 0) fail("list", directory, error);
  std::ranges::sort(names, {}, &Name::name);
  return names;
}

void remove_tree(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) < 0) {
    if (errno == ENOENT) return;
    fail("stat", path, errno);
  }
  if (S_ISDIR(info.st_mode)) {
    for (const Name& entry : names_in(path)) remove_tree(path + "/" + entry.name);
    if (::rmdir(path.c_str()) < 0 && errno != ENOENT) fail("remove", path, errno);
  } else if (::unlink(path.c_str()) < 0 && errno != ENOENT) {
    fail("remove", path, errno);
  }
}

class RealDisk final : public Disk {
 public:
  RealDisk(RealShard& shard, Process& process) : pool_(process.disk_calls), block_files_(shard, process) {}

  Task<std::unique_ptr<File>> open(std::string path, OpenMode mode) override {
    int flags = O_RDONLY;
    if (mode == OpenMode::write) flags = O_RDWR | O_CREAT;
    if (mode == OpenMode::write_new) flags = O_RDWR | O_CREAT | O_TRUNC;
    Descriptor descriptor = open_or_fail(path, flags);
    struct stat info{};
    if (::fstat(descriptor.get(), &info) < 0) fail("stat", path, errno);
    if (S_ISDIR(info.st_mode)) fail("open", path, EISDIR);
    const bool writable = mode != OpenMode::read;
    std::unique_ptr<File> file =
        std::make_unique<RealFile>(std::move(path), std::move(descriptor), info, writable, pool_);
    co_return file;
  }

  Task<std::unique_ptr<BlockFile>> open_blocks(std::string path) override {
    co_return block_files_.open(std::move(path));
  }

  Task<std::optional<DirectoryEntry>> stat(std::string path) override {
    const std::optional<struct stat> info = look_at(path);
    if (!info) co_return std::nullopt;
    co_return describe(path.substr(path.find_last_of('/') + 1), *info);
  }

  Task<std::vector<DirectoryEntry>> list(std::string directory) override {
    std::vector<DirectoryEntry> entries;
    for (auto& [name, is_directory] : names_in(directory)) {
      if (is_directory) {
        entries.push_back({std::move(name), true, 0});
        continue;
      }
      const std::optional<struct stat> info = look_at(directory + "/" + name);
      if (info) entries.push_back(describe(std::move(name), *info));  // else it has just gone
    }
    co_return entries;
  }

  Task<void> make_directories(std::string path) override {
    for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string prefix = path.substr(0, end);
      if (::mkdir(prefix.c_str(), 0755) < 0 && errno != EEXIST) fail("create", prefix, errno);
      if (end == std::string::npos) break;
    }
    const std::optional<struct stat> info = look_at(path);
    if (!info || !S_ISDIR(info->st_mode)) fail("create", path, ENOTDIR);
    co_return;
  }

  Task<void> rename(std::string from, std::string to) override {
    if (::rename(from.c_str(), to.c_str()) < 0) {
      const int error = errno;
      throw DiskError("rename " + from + " to " + to + ": " + std::strerror(error), error);
    }
    co_return;
  }

  Task<void> remove(std::string path) override {
    auto blocking = [&] {
      if (::unlink(path.c_str()) < 0 && errno != ENOENT) fail("remove", path, errno);
    };
    co_await pool_.run(std::move(blocking));
  }

  Task<void> remove_all(std::string path) override {
    auto blocking = [&] { remove_tree(path); };
    co_await pool_.run(std::move(blocking));
  }

  Task<void> sync_directory(std::string path) override {
    auto blocking = [&] {
      const Descriptor directory = open_or_fail(path, O_RDONLY | O_DIRECTORY);
      if (uninterrupted([&] { return ::fsync(directory.get()); }) < 0) fail("sync", path, errno);
    };
    co_await pool_.run(std::move(blocking));
  }

  Task<std::unique_ptr<FileLock>> lock(std::string path) override { co_return lock_now(path); }

 private:
  BlockingPool& pool_;
  BlockFiles block_files_;
};

}  // namespace

std::unique_ptr<Disk> make_disk(RealShard& shard, Process& process) {
  return std::make_unique<RealDisk>(shard, process);
}

}  // namespace millrace::real
