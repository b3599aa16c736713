// The Disk seam over the simulated file system.
#include "tests/sim/disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/sim/file_part.h"

namespace millrace::sim {

namespace {

[[noreturn]] void fail(const char* doing, const std::string& path, int error) {
  throw DiskError(std::string(doing) + " " + path + ": " + std::strerror(error), error);
}

DirectoryEntry describe(std::string name, const Inode& inode) {
  return DirectoryEntry{std::move(name), inode.is_directory, static_cast<int64_t>(inode.content.size())};
}

}  // namespace

class SimFile final : public File {
 public:
  SimFile(SimDisk& disk, std::string path, std::shared_ptr<Inode> inode, bool writable)
      : open_(std::make_shared<Open>(disk, std::move(path), std::move(inode), writable)) {}
  ~SimFile() override { check(open_->under_way == 0 || open_->shard.dropping()); }

  Task<size_t> read(int64_t at, std::span<std::byte> out, Haste) override { return read(open_, at, out); }
  // The dice say what is cached.
  Bytes unread(int64_t at, size_t size) override {
    const bool there = at + static_cast<int64_t>(size) <= static_cast<int64_t>(open_->inode->content.size());
    if (size == 0 || !there || !open_->disk.random_.one_in(2)) return {};
    return unread_bytes(std::make_shared<const FilePart>(open_->inode, at), size);
  }
  Task<void> write(int64_t at, std::vector<Bytes> parts, Haste haste) override {
    return write(open_, at, std::move(parts), haste);
  }
  Task<void> sync() override { return sync(open_); }
  Task<void> truncate(int64_t size) override { return truncate(open_, size); }
  int64_t size() const override { return open_->size; }

 private:
  // What the coroutines need, shared with them: a crash destroys them and the file in any order.
  struct Open {
    Shard& shard = Shard::current();
    SimDisk& disk;
    const std::string path;
    const std::shared_ptr<Inode> inode;
    const bool writable;
    int64_t size = static_cast<int64_t>(inode->content.size());
    int under_way = 0;

    Open(SimDisk& disk_, std::string path_, std::shared_ptr<Inode> inode_, bool writable_)
        : disk(disk_), path(std::move(path_)), inode(std::move(inode_)), writable(writable_) {}
  };
  using Shared = std::shared_ptr<Open>;

  struct UnderWay {
    explicit UnderWay(Open& file_) : file(file_) { ++file.under_way; }
    ~UnderWay() { --file.under_way; }
    Open& file;
  };

  // A write that a crash overtakes has happened not at all, in part or whole.
  struct PendingWrite {
    Open& file;
    int64_t at;
    std::vector<Bytes> parts;
    bool finished = false;

    PendingWrite(Open& file_, int64_t at_, std::vector<Bytes> parts_)
        : file(file_), at(at_), parts(std::move(parts_)) {}
    PendingWrite(const PendingWrite&) = delete;
    ~PendingWrite() {
      if (!finished && file.shard.dropping()) apply(some());
    }
    size_t bytes() const {
      size_t total = 0;
      for (const Bytes& part : parts) total += part.size();
      return total;
    }
    size_t some() const { return static_cast<size_t>(file.disk.random_.below(bytes() + 1)); }
    void apply(size_t most) {
      for (const Bytes& part : parts) {
        const size_t count = std::min(most, part.size());
        if (count == 0) continue;
        file.inode->write(file.disk.files_.next_change(), at, part.slice(0, count));
        at += static_cast<int64_t>(count);
        most -= count;
      }
    }
    void finish() {
      finished = true;
      const size_t total = bytes();
      const int64_t end = at + static_cast<int64_t>(total);
      if (const int error = file.disk.told_error(DiskCall::write, file.path)) {
        apply(some());
        fail("write", file.path, error);
      }
      const int64_t growth = std::max<int64_t>(0, end - static_cast<int64_t>(file.inode->content.size()));
      if (file.disk.capacity_ != INT64_MAX && growth > 0) {
        const int64_t room = std::max<int64_t>(0, file.disk.capacity_ - file.disk.files_.bytes());
        if (growth > room) {
          apply(total - std::min(total, static_cast<size_t>(growth - room)));
          fail("write", file.path, ENOSPC);
        }
      }
      apply(total);
      if (total > 0) file.size = std::max(file.size, end);
    }
  };

  static Task<size_t> read(Shared file, int64_t at, std::span<std::byte> out) {
    const UnderWay here(*file);
    co_await file->disk.take_time();
    file->disk.fail_if_told(DiskCall::read, "read", file->path);
    const std::vector<std::byte>& content = file->inode->content;
    if (at >= static_cast<int64_t>(content.size())) co_return 0;
    const size_t from = static_cast<size_t>(at);
    const size_t count = std::min(out.size(), content.size() - from);
    if (count > 0) std::memcpy(out.data(), content.data() + from, count);
    file->disk.bytes_read_ += static_cast<int64_t>(count);
    co_return count;
  }

  static Task<void> write(Shared file, int64_t at, std::vector<Bytes> parts, Haste haste) {
    const UnderWay here(*file);
    if (!file->writable) fail("write", file->path, EBADF);
    PendingWrite pending(*file, at, std::move(parts));
    if (haste == Haste::none) file->disk.leisurely_bytes_ += static_cast<int64_t>(pending.bytes());
    co_await file->disk.take_time();
    pending.finish();
  }

  static Task<void> sync(Shared file) {
    const UnderWay here(*file);
    SimDisk& disk = file->disk;
    const uint64_t covered = disk.files_.last_change();
    co_await disk.take_sync_time();
    ++disk.syncs_;
    if (const int error = disk.told_error(DiskCall::sync, file->path)) {
      // The kernel reports this once and marks the pages clean: the next sync succeeds without them.
      file->inode->forget(covered);
      fail("sync", file->path, error);
    }
    if (!disk.lies_about(file->path)) file->inode->sync(covered);
  }

  static Task<void> truncate(Shared file, int64_t size) {
    const UnderWay here(*file);
    if (!file->writable) fail("truncate", file->path, EINVAL);
    co_await file->disk.take_time();
    file->disk.fail_if_told(DiskCall::truncate, "truncate", file->path);
    file->inode->truncate(file->disk.files_.next_change(), size);
    file->size = size;
  }

  const Shared open_;
};

// Each write is on its way to the device for a while: a power cut then keeps any of its sectors, the death of the
// process all or nothing of it.
class SimBlockFile final : public BlockFile {
 public:
  SimBlockFile(SimDisk& disk, std::string path, std::shared_ptr<Inode> inode)
      : open_(std::make_shared<Open>(disk, std::move(path), std::move(inode))) {}
  ~SimBlockFile() override { check(open_->under_way == 0 || open_->shard.dropping()); }

  Task<void> write_durable(int64_t at, std::span<const std::byte> blocks) override {
    check(at % static_cast<int64_t>(block_bytes) == 0 && blocks.size() % block_bytes == 0);
    check(reinterpret_cast<uintptr_t>(blocks.data()) % block_bytes == 0);
    return write(open_, at, Bytes::copy_of(blocks));
  }
  int64_t size() const override { return open_->size; }

 private:
  struct Open {
    Shard& shard = Shard::current();
    SimDisk& disk;
    const std::string path;
    const std::shared_ptr<Inode> inode;
    int64_t size = static_cast<int64_t>(inode->content.size());
    int under_way = 0;

    Open(SimDisk& disk_, std::string path_, std::shared_ptr<Inode> inode_)
        : disk(disk_), path(std::move(path_)), inode(std::move(inode_)) {}
  };

  static Task<void> write(std::shared_ptr<Open> file, int64_t at, Bytes blocks) {
    struct UnderWay {
      explicit UnderWay(Open& file_) : file(file_) { ++file.under_way; }
      ~UnderWay() { --file.under_way; }
      Open& file;
    };
    const UnderWay here(*file);
    SimDisk& disk = file->disk;
    const int64_t end = at + static_cast<int64_t>(blocks.size());
    co_await disk.take_time();
    const int64_t growth = std::max<int64_t>(0, end - static_cast<int64_t>(file->inode->content.size()));
    if (disk.capacity_ != INT64_MAX && growth > std::max<int64_t>(0, disk.capacity_ - disk.files_.bytes())) {
      fail("write", file->path, ENOSPC);
    }
    const uint64_t change = disk.files_.next_change();
    file->inode->write(change, at, blocks);
    co_await disk.take_sync_time();
    if (const int error = disk.told_error(DiskCall::write, file->path)) fail("write", file->path, error);
    if (const int error = disk.told_error(DiskCall::sync, file->path)) fail("sync", file->path, error);
    ++disk.syncs_;
    if (!disk.lies_about(file->path)) file->inode->sync_only(change);
    file->size = std::max(file->size, end);
  }

  const std::shared_ptr<Open> open_;
};

namespace {

class SimFileLock final : public FileLock {
 public:
  explicit SimFileLock(std::shared_ptr<Inode> inode) : inode_(std::move(inode)) {}
  ~SimFileLock() override { inode_->locked = false; }

 private:
  const std::shared_ptr<Inode> inode_;
};

}  // namespace

SimDisk::SimDisk(uint64_t seed) : random_(seed) {}
SimDisk::~SimDisk() = default;

void SimDisk::set_sync_time(Duration least, Duration most) {
  check(least <= most);
  least_sync_time_ = least;
  most_sync_time_ = most;
}

// Most calls are done at once, as with a warm page cache; some go to a thread.
Task<void> SimDisk::take_time() {
  if (call_time_.count() > 0 && random_.one_in(4)) {
    co_await sleep_until(after(Duration(random_.between(0, call_time_.count()))));
  }
}

Task<void> SimDisk::take_sync_time() {
  co_await sleep_until(after(Duration(random_.between(least_sync_time_.count(), most_sync_time_.count()))));
}

int SimDisk::told_error(DiskCall call, const std::string& path) {
  for (DiskFault& fault : faults_) {
    if (fault.call != call || path.find(fault.path) == std::string::npos || fault.times == 0) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    if (fault.times > 0) --fault.times;
    return fault.error;
  }
  return 0;
}

void SimDisk::fail_if_told(DiskCall call, const char* doing, const std::string& path) {
  if (const int error = told_error(call, path)) fail(doing, path, error);
}

Task<std::unique_ptr<File>> SimDisk::open(std::string path, OpenMode mode) {
  co_await take_time();
  fail_if_told(DiskCall::open, "open", path);
  std::shared_ptr<Inode> inode = mode == OpenMode::read ? files_.find(path) : files_.create(path);
  if (!inode) fail("open", path, ENOENT);
  if (inode->is_directory) fail("open", path, EISDIR);
  if (mode == OpenMode::write_new && !inode->content.empty()) inode->truncate(files_.next_change(), 0);
  std::unique_ptr<File> file =
      std::make_unique<SimFile>(*this, std::move(path), std::move(inode), mode != OpenMode::read);
  co_return file;
}

Task<std::unique_ptr<BlockFile>> SimDisk::open_blocks(std::string path) {
  co_await take_time();
  fail_if_told(DiskCall::open, "open", path);
  std::shared_ptr<Inode> inode = files_.create(path);
  std::unique_ptr<BlockFile> file = std::make_unique<SimBlockFile>(*this, std::move(path), std::move(inode));
  co_return file;
}

Task<std::optional<DirectoryEntry>> SimDisk::stat(std::string path) {
  co_await take_time();
  const std::shared_ptr<Inode> inode = files_.find(path);
  if (!inode) co_return std::nullopt;
  co_return describe(path.substr(path.find_last_of('/') + 1), *inode);
}

Task<std::vector<DirectoryEntry>> SimDisk::list(std::string directory) {
  co_await take_time();
  const std::shared_ptr<Inode> inode = files_.find(directory);
  if (!inode) fail("list", directory, ENOENT);
  if (!inode->is_directory) fail("list", directory, ENOTDIR);
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, child] : inode->names) entries.push_back(describe(name, *child));
  co_return entries;
}

Task<void> SimDisk::make_directories(std::string path) {
  co_await take_time();
  fail_if_told(DiskCall::name, "create", path);
  files_.make_directory(path);
}

Task<void> SimDisk::rename(std::string from, std::string to) {
  co_await take_time();
  fail_if_told(DiskCall::name, "rename", from);
  files_.rename(from, to);
}

Task<void> SimDisk::remove(std::string path) {
  co_await take_time();
  fail_if_told(DiskCall::name, "remove", path);
  files_.remove(path, false);
}

Task<void> SimDisk::remove_all(std::string path) {
  co_await take_time();
  fail_if_told(DiskCall::name, "remove", path);
  files_.remove(path, true);
}

Task<void> SimDisk::sync_directory(std::string path) {
  co_await take_sync_time();
  fail_if_told(DiskCall::name, "sync", path);
  files_.sync_directory(path);
}

Task<std::unique_ptr<FileLock>> SimDisk::lock(std::string path) {
  co_await take_time();
  fail_if_told(DiskCall::open, "lock", path);
  const std::shared_ptr<Inode> inode = files_.create(path);
  if (inode->locked) co_return nullptr;
  inode->locked = true;
  locked_.push_back(inode);
  std::unique_ptr<FileLock> lock = std::make_unique<SimFileLock>(inode);
  co_return lock;
}

void SimDisk::power_cut() { files_.power_cut(random_); }

void SimDisk::release_locks() {
  for (const std::shared_ptr<Inode>& inode : locked_) inode->locked = false;
  locked_.clear();
}

std::optional<std::string> SimDisk::content(const std::string& path) const {
  const std::shared_ptr<Inode> inode = files_.find(path);
  if (!inode || inode->is_directory) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(inode->content.data()), inode->content.size());
}

std::vector<std::string> SimDisk::names(const std::string& directory) const {
  std::vector<std::string> all;
  const std::shared_ptr<Inode> top = files_.find(directory);
  if (!top) return all;
  const auto collect = [&all](auto& self, const Inode& inode, const std::string& prefix) -> void {
    for (const auto& [name, child] : inode.names) {
      all.push_back(prefix + name);
      self(self, *child, prefix + name + "/");
    }
  };
  collect(collect, *top, "");
  std::sort(all.begin(), all.end());
  return all;
}

void SimDisk::put(const std::string& path, std::string_view content) {
  const std::string parent = path.substr(0, path.find_last_of('/'));
  files_.make_directory(parent);
  const std::shared_ptr<Inode> inode = files_.create(path);
  inode->truncate(files_.next_change(), 0);
  inode->write(files_.next_change(), 0, Bytes::copy_of(content));
  inode->sync(files_.last_change());
  for (std::string directory = parent; !directory.empty(); directory.resize(directory.find_last_of('/'))) {
    files_.sync_directory(directory);
  }
  files_.sync_directory("/");
}

}  // namespace millrace::sim
