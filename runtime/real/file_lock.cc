// POSIX record locks belong to the process: a second lock of ours would succeed, and closing any descriptor of the file
// would drop the first. So the process remembers what it holds, and looks before it opens.
#include "runtime/real/file_lock.h"

#include <sys/stat.h>

#include <cerrno>
#include <mutex>
#include <set>

#include "runtime/real/descriptor.h"

namespace millrace::real {

namespace {

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

}  // namespace

std::unique_ptr<FileLock> lock_file(const std::string& path) {
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

}  // namespace millrace::real
