// Current and durable states of the simulated files and names.
#include "tests/sim/file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "runtime/disk.h"

namespace millrace::sim {

namespace {

[[noreturn]] void fail(const char* doing, const std::string& path, int error) {
  throw DiskError(std::string(doing) + " " + path + ": " + std::strerror(error), error);
}

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> names;
  for (size_t at = 0; at < path.size();) {
    const size_t slash = std::min(path.find('/', at), path.size());
    const std::string name = path.substr(at, slash - at);
    if (name == "..") {
      if (!names.empty()) names.pop_back();
    } else if (!name.empty() && name != ".") {
      names.push_back(name);
    }
    at = slash + 1;
  }
  return names;
}

void place_bytes(std::vector<std::byte>& content, int64_t at, std::span<const std::byte> data) {
  const size_t from = static_cast<size_t>(at);
  if (content.size() < from + data.size()) content.resize(from + data.size());
  if (!data.empty()) std::memcpy(content.data() + from, data.data(), data.size());
}

void apply_change(std::vector<std::byte>& content, const Inode::Change& change) {
  if (change.truncates) {
    content.resize(static_cast<size_t>(change.at));
  } else {
    place_bytes(content, change.at, change.data.span());
  }
}

}  // namespace

// ---- one file ----

void Inode::write(uint64_t number, int64_t at, const Bytes& data) {
  if (data.empty()) return;
  place_bytes(content, at, data.span());
  unsynced.push_back(Change{number, false, at, data});
}

void Inode::truncate(uint64_t number, int64_t size) {
  content.resize(static_cast<size_t>(size));
  unsynced.push_back(Change{number, true, size, Bytes()});
}

void Inode::sync(uint64_t number) {
  const auto later = std::find_if(unsynced.begin(), unsynced.end(), [&](const Change& c) { return c.number > number; });
  for (auto change = unsynced.begin(); change != later; ++change) apply_change(durable_content, *change);
  unsynced.erase(unsynced.begin(), later);
}

void Inode::sync_only(uint64_t number) {
  const auto change = std::ranges::find(unsynced, number, &Change::number);
  if (change == unsynced.end()) return;  // a sync has been there
  apply_change(durable_content, *change);
  unsynced.erase(change);
}

void Inode::forget(uint64_t number) {
  std::erase_if(unsynced, [&](const Change& change) { return change.number <= number; });
}

void Inode::power_cut(SeededRandom& random) {
  if (unsynced.empty()) {
    content = durable_content;
    return;
  }
  const size_t size_changes = static_cast<size_t>(random.below(unsynced.size() + 1));  // how many of them took effect
  std::map<int64_t, size_t> reached;  // by sector: the changes before this one reached the platter
  const auto sector_reached = [&](int64_t sector) {
    const auto [found, fresh] = reached.try_emplace(sector, 0);
    if (fresh) {
      // All and nothing are as likely as everything between.
      const uint64_t fate = random.below(3);
      found->second = fate == 0 ? 0 : fate == 1 ? unsynced.size() : random.below(unsynced.size() + 1);
    }
    return found->second;
  };

  std::vector<std::byte> after = durable_content;
  size_t size = durable_content.size();
  for (size_t i = 0; i < unsynced.size(); ++i) {
    const Change& change = unsynced[i];
    if (change.truncates) {
      if (i >= size_changes) continue;
      size = static_cast<size_t>(change.at);
      after.resize(size);
      continue;
    }
    const int64_t end = change.at + static_cast<int64_t>(change.data.size());
    if (i < size_changes) size = std::max(size, static_cast<size_t>(end));
    for (int64_t at = change.at; at < end;) {
      const int64_t sector = at / sector_bytes;
      const int64_t piece = std::min(end, (sector + 1) * sector_bytes) - at;
      if (i < sector_reached(sector)) {
        const std::span<const std::byte> data = change.data.span();
        place_bytes(after, at, data.subspan(static_cast<size_t>(at - change.at), static_cast<size_t>(piece)));
      }
      at += piece;
    }
  }
  after.resize(size);
  content = after;
  durable_content = std::move(after);
  unsynced.clear();
}

// ---- names ----

FileSystem::FileSystem() : root_(std::make_shared<Inode>()) { root_->is_directory = true; }

std::shared_ptr<Inode> FileSystem::find(const std::string& path) const {
  std::shared_ptr<Inode> inode = root_;
  for (const std::string& name : components(path)) {
    if (!inode->is_directory) return nullptr;
    const auto found = inode->names.find(name);
    if (found == inode->names.end()) return nullptr;
    inode = found->second;
  }
  return inode;
}

FileSystem::Place FileSystem::place(const std::string& path, const char* doing) const {
  std::vector<std::string> names = components(path);
  if (names.empty()) fail(doing, path, EINVAL);
  std::string name = std::move(names.back());
  names.pop_back();
  std::string parent;
  for (const std::string& part : names) parent += "/" + part;
  std::shared_ptr<Inode> directory = find(parent);
  if (!directory) fail(doing, path, ENOENT);
  if (!directory->is_directory) fail(doing, path, ENOTDIR);
  return Place{std::move(directory), std::move(name)};
}

void FileSystem::apply(NameChange change) {
  for (const NameChange::Entry& entry : change.entries) {
    if (entry.inode) {
      entry.directory->names[entry.name] = entry.inode;
    } else {
      entry.directory->names.erase(entry.name);
    }
  }
  unsynced_names_.push_back(std::move(change));
}

std::shared_ptr<Inode> FileSystem::create(const std::string& path) {
  const Place where = place(path, "open");
  if (const auto found = where.directory->names.find(where.name); found != where.directory->names.end()) {
    if (found->second->is_directory) fail("open", path, EISDIR);
    return found->second;
  }
  const std::shared_ptr<Inode> inode = std::make_shared<Inode>();
  apply(NameChange{{{where.directory, where.name, inode}}});
  return inode;
}

void FileSystem::make_directory(const std::string& path) {
  std::string prefix;
  for (const std::string& name : components(path)) {
    prefix += "/" + name;
    if (const std::shared_ptr<Inode> there = find(prefix)) {
      if (!there->is_directory) fail("create", prefix, ENOTDIR);
      continue;
    }
    const Place where = place(prefix, "create");
    const std::shared_ptr<Inode> inode = std::make_shared<Inode>();
    inode->is_directory = true;
    apply(NameChange{{{where.directory, where.name, inode}}});
  }
}

void FileSystem::rename(const std::string& from, const std::string& to) {
  const Place old_place = place(from, "rename");
  const Place new_place = place(to, "rename");
  const auto found = old_place.directory->names.find(old_place.name);
  if (found == old_place.directory->names.end()) fail("rename", from, ENOENT);
  const std::shared_ptr<Inode> inode = found->second;
  const std::shared_ptr<Inode> target = find(to);
  if (target == inode) return;
  if (target) {
    if (target->is_directory && !inode->is_directory) fail("rename", to, EISDIR);
    if (!target->is_directory && inode->is_directory) fail("rename", to, ENOTDIR);
    if (target->is_directory && !target->names.empty()) fail("rename", to, ENOTEMPTY);
  }
  apply(NameChange{{{old_place.directory, old_place.name, nullptr}, {new_place.directory, new_place.name, inode}}});
}

void FileSystem::remove(const std::string& path, bool tree) {
  const std::shared_ptr<Inode> inode = find(path);
  if (!inode) return;
  if (inode->is_directory) {
    if (!tree) fail("remove", path, EISDIR);
    const std::map<std::string, std::shared_ptr<Inode>> names = inode->names;
    for (const auto& [name, child] : names) remove(path + "/" + name, true);
  }
  const Place where = place(path, "remove");
  apply(NameChange{{{where.directory, where.name, nullptr}}});
}

bool FileSystem::NameChange::touches(const std::shared_ptr<Inode>& directory) const {
  return std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.directory == directory; });
}

void FileSystem::NameChange::make_durable() const {
  for (const Entry& entry : entries) {
    if (entry.inode) {
      entry.directory->durable_names[entry.name] = entry.inode;
    } else {
      entry.directory->durable_names.erase(entry.name);
    }
  }
}

void FileSystem::sync_directory(const std::string& path) {
  const std::shared_ptr<Inode> inode = find(path);
  if (!inode) fail("sync", path, ENOENT);
  if (!inode->is_directory) fail("sync", path, ENOTDIR);
  // What came before in another directory that one of these changes touches, too, is needed for it.
  std::vector<std::shared_ptr<Inode>> needed{inode};
  std::vector<bool> chosen(unsynced_names_.size());
  for (size_t i = unsynced_names_.size(); i-- > 0;) {
    const NameChange& change = unsynced_names_[i];
    chosen[i] =
        std::any_of(needed.begin(), needed.end(), [&](const auto& directory) { return change.touches(directory); });
    if (!chosen[i]) continue;
    for (const NameChange::Entry& entry : change.entries) {
      if (std::find(needed.begin(), needed.end(), entry.directory) == needed.end()) needed.push_back(entry.directory);
    }
  }
  std::vector<NameChange> rest;
  for (size_t i = 0; i < unsynced_names_.size(); ++i) {
    if (chosen[i]) {
      unsynced_names_[i].make_durable();
    } else {
      rest.push_back(std::move(unsynced_names_[i]));
    }
  }
  unsynced_names_ = std::move(rest);
}

void FileSystem::power_cut(SeededRandom& random) {
  const bool journalled = random.one_in(2);
  std::vector<std::shared_ptr<Inode>> cut;  // directories whose later changes are lost
  bool all_cut = false;
  for (const NameChange& change : unsynced_names_) {
    const bool follows_cut = all_cut || std::any_of(cut.begin(), cut.end(),
                                                    [&](const auto& directory) { return change.touches(directory); });
    if (follows_cut || random.one_in(3)) {
      all_cut = journalled;
      for (const NameChange::Entry& entry : change.entries) cut.push_back(entry.directory);
      continue;
    }
    change.make_durable();
  }
  unsynced_names_.clear();

  std::set<const Inode*> seen;
  std::vector<std::shared_ptr<Inode>> left{root_};
  while (!left.empty()) {
    const std::shared_ptr<Inode> inode = left.back();
    left.pop_back();
    if (!seen.insert(inode.get()).second) continue;
    inode->names = inode->durable_names;
    inode->locked = false;
    inode->power_cut(random);
    for (const auto& [name, child] : inode->names) left.push_back(child);
  }
}

int64_t FileSystem::bytes() const {
  int64_t total = 0;
  std::vector<const Inode*> left{root_.get()};
  while (!left.empty()) {
    const Inode* inode = left.back();
    left.pop_back();
    total += static_cast<int64_t>(inode->content.size());
    for (const auto& [name, child] : inode->names) left.push_back(child.get());
  }
  return total;
}

}  // namespace millrace::sim
