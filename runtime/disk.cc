// Reading and replacing small files whole.
#include "runtime/disk.h"

#include <cerrno>

namespace millrace {

namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Task<std::optional<std::string>> read_file(Disk& disk, std::string path, int64_t limit) {
  const std::optional<DirectoryEntry> entry = co_await disk.stat(path);
  if (!entry) co_return std::nullopt;
  if (entry->is_directory) throw DiskError(path + ": is a directory", EISDIR);
  std::unique_ptr<File> file = co_await disk.open(path, OpenMode::read);
  const int64_t size = file->size();
  if (size > limit) {
    throw DiskError(
        path + ": " + std::to_string(size) + " bytes, more than the " + std::to_string(limit) + " that are read whole",
        EFBIG);
  }
  std::string content(static_cast<size_t>(size), '\0');
  const std::span<std::byte> out = std::as_writable_bytes(std::span(content.data(), content.size()));
  const size_t got = co_await file->read(0, out);
  content.resize(got);
  co_return content;
}

Task<void> write_file_atomically(Disk& disk, std::string path, std::string content) {
  const std::string temporary = path + ".tmp";
  {
    std::unique_ptr<File> file = co_await disk.open(temporary, OpenMode::write_new);
    std::vector<Bytes> parts;
    if (!content.empty()) parts.push_back(Bytes::copy_of(content));
    co_await file->write(0, std::move(parts));
    co_await file->sync();
  }
  co_await disk.rename(temporary, path);
  co_await disk.sync_directory(parent_of(path));
}

}  // namespace millrace
