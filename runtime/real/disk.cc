// The disk of this machine, through POSIX calls. Names are looked at and changed on the loop; what frees extents or
// waits for the device goes to the pool.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/real/adapters.h"
#include "runtime/real/block_file.h"
#include "runtime/real/descriptor.h"
#include "runtime/real/file.h"
#include "runtime/real/file_lock.h"
#include "runtime/real/process.h"

namespace millrace::real {

namespace {

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
  RealDisk(RealShard& shard, Process& process)
      : process_(process), pool_(process.disk_calls), block_files_(shard, process) {}

  Task<std::unique_ptr<File>> open(std::string path, OpenMode mode) override {
    int flags = O_RDONLY;
    if (mode == OpenMode::write) flags = O_RDWR | O_CREAT;
    if (mode == OpenMode::write_new) flags = O_RDWR | O_CREAT | O_TRUNC;
    Descriptor descriptor = open_or_fail(path, flags);
    struct stat info{};
    if (::fstat(descriptor.get(), &info) < 0) fail("stat", path, errno);
    if (S_ISDIR(info.st_mode)) fail("open", path, EISDIR);
    const bool writable = mode != OpenMode::read;
    co_return make_file(std::move(path), std::move(descriptor), info, writable, process_);
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

  Task<std::unique_ptr<FileLock>> lock(std::string path) override { co_return lock_file(path); }

 private:
  Process& process_;
  BlockingPool& pool_;
  BlockFiles block_files_;
};

}  // namespace

std::unique_ptr<Disk> make_disk(RealShard& shard, Process& process) {
  return std::make_unique<RealDisk>(shard, process);
}

}  // namespace millrace::real
