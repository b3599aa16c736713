// SimDisk: a node's disk. It outlives the node's processes.
//
//   node.disk().inject({.call = DiskCall::sync, .path = "00000.log", .error = EIO, .skip = 3});
//   node.disk().set_capacity(10 << 20);           // then ENOSPC
//   node.disk().set_sync_time(50us, 2s);          // a slow device
//   node.disk().content("/data/meta.properties")  // what a process would read now
#pragma once

#include <set>

#include "runtime/disk.h"
#include "tests/sim/file_system.h"
#include "tests/sim/world.h"

namespace millrace::sim {

enum class DiskCall { open, read, write, sync, truncate, name };  // name: rename, remove, create, directory sync

struct DiskFault {
  DiskCall call;
  std::string path;  // any path that contains it
  int error;         // errno
  int skip = 0;      // calls that still succeed
  int times = 1;     // then this many fail; −1: all
};

class SimDisk final : public Disk {
 public:
  explicit SimDisk(uint64_t seed);
  ~SimDisk() override;

  // --- for tests ---
  void inject(DiskFault fault) { faults_.push_back(std::move(fault)); }
  void clear_faults() { faults_.clear(); }
  // Syncs, and durable writes of blocks, of any path that contains it succeed without making anything durable: what a
  // program that forgets them does.
  void lie_about_syncs(std::string path) { lies_ = std::move(path); }
  void set_capacity(int64_t bytes) { capacity_ = bytes; }
  void set_sync_time(Duration least, Duration most);
  void set_call_time(Duration most) { call_time_ = most; }
  int64_t syncs() const { return syncs_; }
  int64_t bytes_read() const { return bytes_read_; }
  int64_t leisurely_bytes() const { return leisurely_bytes_; }  // written with Haste::none
  std::optional<std::string> content(const std::string& path) const;
  std::vector<std::string> names(const std::string& directory) const;  // of everything below it, relative, sorted
  // Puts a file there, durably.
  void put(const std::string& path, std::string_view content);
  FileSystem& file_system() { return files_; }

  // --- for the node ---
  void power_cut();
  void release_locks();

  // --- the seam ---
  Task<std::unique_ptr<File>> open(std::string path, OpenMode mode) override;
  Task<std::unique_ptr<BlockFile>> open_blocks(std::string path) override;
  Task<std::optional<DirectoryEntry>> stat(std::string path) override;
  Task<std::vector<DirectoryEntry>> list(std::string directory) override;
  Task<void> make_directories(std::string path) override;
  Task<void> rename(std::string from, std::string to) override;
  Task<void> remove(std::string path) override;
  Task<void> remove_all(std::string path) override;
  Task<void> sync_directory(std::string path) override;
  Task<std::unique_ptr<FileLock>> lock(std::string path) override;

 private:
  friend class SimFile;
  friend class SimBlockFile;

  void fail_if_told(DiskCall call, const char* doing, const std::string& path);
  bool lies_about(const std::string& path) const { return lies_ && path.find(*lies_) != std::string::npos; }
  int told_error(DiskCall call, const std::string& path);
  Task<void> take_time();
  Task<void> take_sync_time();

  SeededRandom random_;
  FileSystem files_;
  std::vector<DiskFault> faults_;
  std::optional<std::string> lies_;
  std::vector<std::shared_ptr<Inode>> locked_;
  int64_t capacity_ = INT64_MAX;
  int64_t syncs_ = 0;
  int64_t bytes_read_ = 0;
  int64_t leisurely_bytes_ = 0;
  Duration call_time_ = std::chrono::microseconds(100);
  Duration least_sync_time_ = std::chrono::microseconds(100);
  Duration most_sync_time_ = std::chrono::milliseconds(3);
};

}  // namespace millrace::sim
