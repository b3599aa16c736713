// Disk: files and directories, the only door to storage above runtime/.
//
// A write is visible to later reads at once and survives a crash of the process; it survives a power cut only once a
// sync() that started after it has returned. A new name survives only after sync_directory of its parent.
// Every failure throws DiskError. A failed sync is never retried: what was written may be lost although a second sync
// would succeed, so the owner of the log directory takes it offline.
//
// A block file is for bytes that must be safe soon: each write is durable when it returns, past the page cache where
// the machine can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "protocol/bytes.h"
#include "runtime/task.h"

namespace millrace {

class DiskError : public std::runtime_error {
 public:
  DiskError(const std::string& what, int error) : std::runtime_error(what), error_(error) {}
  int error() const { return error_; }  // errno; 0 where there is none

 private:
  int error_;
};

enum class OpenMode {
  read,       // must exist
  write,      // read and write, created when missing
  write_new,  // read and write, emptied when it exists
};

// Whether somebody waits. Who has no haste does not make others on the shard wait while bytes are copied for it: that
// happens beside the shards (shard.h).
enum class Haste { ordinary, none };

class File {
 public:
  virtual ~File() = default;
  // Reads up to out.size() bytes at `at`; fewer only at the end of the file.
  virtual Task<size_t> read(int64_t at, std::span<std::byte> out, Haste haste = Haste::ordinary) = 0;
  // These `size` bytes, left where they are until a connection sends them (unread.h). Nothing where that is not
  // possible: beyond the end of the file, or where sending them would have to wait for the device.
  virtual Bytes unread(int64_t at, size_t size) = 0;
  // Writes all parts one after the other at `at`. The parts are kept until it is done.
  virtual Task<void> write(int64_t at, std::vector<Bytes> parts, Haste haste = Haste::ordinary) = 0;
  virtual Task<void> sync() = 0;  // fdatasync
  virtual Task<void> truncate(int64_t size) = 0;
  virtual int64_t size() const = 0;  // as of the last finished write or truncate
};

inline constexpr size_t block_bytes = 4096;

// Memory of whole blocks, placed as direct I/O wants it. Not initialised.
class BlockMemory {
 public:
  BlockMemory() = default;
  explicit BlockMemory(size_t least_bytes);

  std::span<std::byte> span() const { return {memory_.get(), size_}; }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  size_t size_ = 0;
};

class BlockFile {
 public:
  // Not before every write has ended.
  virtual ~BlockFile() = default;
  // Writes whole blocks, from BlockMemory that stays as it is until this returns; then they survive a power cut.
  // Several writes, to different blocks, may be under way and end in any order; of those that a crash overtakes any
  // part may have happened. Fast where the blocks have been written before.
  virtual Task<void> write_durable(int64_t at, std::span<const std::byte> blocks) = 0;
  virtual int64_t size() const = 0;  // as of the last finished write
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  int64_t size = 0;
};

// Held for as long as the object lives; another process (Kafka's, too) is then refused.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Task<std::unique_ptr<File>> open(std::string path, OpenMode mode) = 0;
  virtual Task<std::unique_ptr<BlockFile>> open_blocks(std::string path) = 0;  // created when missing
  virtual Task<std::optional<DirectoryEntry>> stat(std::string path) = 0;      // nothing when it does not exist
  virtual Task<std::vector<DirectoryEntry>> list(std::string directory) = 0;   // sorted by name
  virtual Task<void> make_directories(std::string path) = 0;
  virtual Task<void> rename(std::string from, std::string to) = 0;  // replaces `to`
  virtual Task<void> remove(std::string path) = 0;                  // a file; missing is fine
  virtual Task<void> remove_all(std::string path) = 0;              // a tree; missing is fine
  virtual Task<void> sync_directory(std::string path) = 0;
  // A POSIX record lock, as Java's FileChannel.tryLock takes; nothing when somebody holds it.
  virtual Task<std::unique_ptr<FileLock>> lock(std::string path) = 0;
};

// The whole file, or nothing when it does not exist. Throws DiskError beyond `limit` bytes.
Task<std::optional<std::string>> read_file(Disk& disk, std::string path, int64_t limit = 64 << 20);
// Writes path.tmp, syncs it, renames it over path and syncs the directory: afterwards either the old or the new
// content is there, whatever happens.
Task<void> write_file_atomically(Disk& disk, std::string path, std::string content);

}  // namespace millrace
