// FileSystem: what a computer's storage holds, and what of it survives a power cut.
//
// Every file and directory has a current state, which all readers see, and a durable one. What happened since is a list
// of steps: writes and truncations per file, name changes for the whole tree. A sync makes a file's steps durable, a
// directory sync those of its names. A power cut keeps, of the rest, what the dice say:
//   - of each 512-byte sector, the state after any number of the writes that touched it (so writes are torn);
//   - of each file's size changes, any first few;
//   - of the name changes, any first few of each directory (or, as a journalling file system does, of all); one rename
//     is never half done.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/bytes.h"
#include "tests/sim/random.h"

namespace millrace::sim {

inline constexpr int64_t sector_bytes = 512;

struct Inode {
  struct Change {
    uint64_t number = 0;
    bool truncates = false;
    int64_t at = 0;  // truncates: the new size
    Bytes data;
  };

  bool is_directory = false;
  bool locked = false;

  std::vector<std::byte> content;
  std::vector<std::byte> durable_content;
  std::vector<Change> unsynced;

  std::map<std::string, std::shared_ptr<Inode>> names;
  std::map<std::string, std::shared_ptr<Inode>> durable_names;

  void write(uint64_t number, int64_t at, const Bytes& data);
  void truncate(uint64_t number, int64_t size);
  // Everything up to change `number` is durable.
  void sync(uint64_t number);
  // That one change is durable, whatever came before it.
  void sync_only(uint64_t number);
  // As after a sync that failed: the changes are not durable, and no later sync will find them.
  void forget(uint64_t number);
  void power_cut(SeededRandom& random);
};

class FileSystem {
 public:
  FileSystem();

  // All of these throw DiskError as the real calls do; `doing` goes into its text.
  std::shared_ptr<Inode> find(const std::string& path) const;  // null when missing
  std::shared_ptr<Inode> create(const std::string& path);      // the file, there already or not
  void make_directory(const std::string& path);                // and its parents
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& path, bool tree);  // missing is fine
  void sync_directory(const std::string& path);
  uint64_t next_change() { return ++changes_; }
  uint64_t last_change() const { return changes_; }

  // What a restarted computer finds.
  void power_cut(SeededRandom& random);
  int64_t bytes() const;

 private:
  // One atomic change of names; an inode of null takes the name away.
  struct NameChange {
    struct Entry {
      std::shared_ptr<Inode> directory;
      std::string name;
      std::shared_ptr<Inode> inode;
    };
    std::vector<Entry> entries;
    bool touches(const std::shared_ptr<Inode>& directory) const;
    void make_durable() const;
  };

  struct Place {
    std::shared_ptr<Inode> directory;
    std::string name;
  };
  Place place(const std::string& path, const char* doing) const;
  void apply(NameChange change);

  std::shared_ptr<Inode> root_;
  std::vector<NameChange> unsynced_names_;
  uint64_t changes_ = 0;
};

}  // namespace millrace::sim
