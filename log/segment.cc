#include "log/segment.h"

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "log/batch_scanner.h"
#include "protocol/check.h"

namespace millrace::log {

using protocol::RecordBatch;

std::string segment_file_name(Offset base, std::string_view suffix) {
  char name[32];
  std::snprintf(name, sizeof name, "%020lld", static_cast<long long>(base.value));
  return std::string(name).append(suffix);
}

std::optional<Offset> offset_of_file(std::string_view name) {
  constexpr size_t digits = 20;
  if (name.size() <= digits || name[digits] != '.') return std::nullopt;
  uint64_t value = 0;
  for (const char c : name.substr(0, digits)) {
    if (c < '0' || c > '9' || value > static_cast<uint64_t>(INT64_MAX) / 10) return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (value > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return Offset(static_cast<int64_t>(value));
}

void Segment::index_batch(const RecordBatch& batch, int64_t position, int32_t index_interval) {
  const Timestamp batch_newest = batch.is_legacy() ? Timestamp(-1) : batch.max_timestamp();
  if (position == 0) first_timestamp = batch_newest;
  if (batch_newest > newest.timestamp) newest = {batch_newest, batch.last_offset()};
  if (since_index_entry_ > index_interval) {
    offsets.append(batch.last_offset(), position);
    times.append(newest);
    since_index_entry_ = 0;
  }
  since_index_entry_ += static_cast<int64_t>(batch.size());
}

int64_t Segment::append(const RecordBatch& batch, int32_t index_interval) {
  check(indexes_loaded);
  const int64_t position = size_;
  index_batch(batch, position, index_interval);
  indexes_dirty = true;
  size_ += static_cast<int64_t>(batch.size());
  return position;
}

bool Segment::should_roll(const LogConfig& config, size_t incoming, Offset last, Timestamp newest_incoming,
                          Timestamp now) const {
  if (!offsets.fits(last)) return true;
  if (empty()) return false;
  if (size_ > int64_t{config.segment_bytes} - static_cast<int64_t>(incoming)) return true;
  const int64_t waited = first_timestamp.value >= 0 ? newest_incoming - first_timestamp : now - created_;
  return waited > config.segment_age.count() || offsets.full(config.index_bytes) || times.full(config.index_bytes);
}

std::optional<int64_t> Segment::left_off_at(Offset from) const {
  const auto at = std::ranges::find(readers_, from, &Reader::next);
  return at == readers_.end() ? std::nullopt : std::optional(at->position);
}

void Segment::remember(Offset from, Offset next, int64_t position) {
  std::erase_if(readers_, [&](const Reader& reader) { return reader.next == from || reader.next == next; });
  if (readers_.size() == most_readers) readers_.erase(readers_.begin());
  readers_.push_back({next, position});
}

void Segment::cut(Offset end, int64_t position, Timestamp now) {
  readers_.clear();
  offsets.truncate(end);
  times.truncate(end);
  const size_t aborts = aborted.entries().size();
  aborted.truncate(end);
  if (aborted.entries().size() != aborts) aborted_dirty = true;
  size_ = position;
  since_index_entry_ = 0;
  indexes_dirty = true;
  if (position == 0) {
    created_ = now;
    first_timestamp = Timestamp(-1);
  }
}

namespace {

std::atomic<int> open_files = 0;

std::shared_ptr<File> counted(std::unique_ptr<File> file) {
  open_files.fetch_add(1, std::memory_order_relaxed);
  return std::shared_ptr<File>(file.release(), [](File* closed) {
    open_files.fetch_sub(1, std::memory_order_relaxed);
    delete closed;
  });
}

}  // namespace

int open_segment_files() { return open_files.load(std::memory_order_relaxed); }

Task<std::shared_ptr<File>> Segment::readable(Disk& disk) {
  if (!file_) {
    std::unique_ptr<File> opened = co_await disk.open(path(".log"), OpenMode::read);
    if (!file_) file_ = counted(std::move(opened));
  }
  co_return file_;
}

Task<std::shared_ptr<File>> Segment::writable(Disk& disk) {
  if (!file_ || !file_writable_) {
    std::unique_ptr<File> opened = co_await disk.open(path(".log"), OpenMode::write);
    file_ = counted(std::move(opened));
    file_writable_ = true;
    on_disk = true;
  }
  co_return file_;
}

void Segment::close_file() {
  readers_ = {};
  file_.reset();
  file_writable_ = false;
}

void Segment::release() {
  close_file();
  if (indexes_dirty) return;
  offsets.clear();
  times.clear();
  indexes_loaded = false;
}

Task<void> Segment::load_indexes(Disk& disk, int32_t index_interval) {
  if (indexes_loaded) co_return;
  if (empty()) {
    indexes_loaded = true;
    co_return;
  }
  const std::optional<std::string> index_file = co_await read_file(disk, path(".index"), INT32_MAX);
  const std::optional<std::string> time_file = co_await read_file(disk, path(".timeindex"), INT32_MAX);
  if (indexes_loaded) co_return;
  std::optional<OffsetIndex> loaded_offsets;
  std::optional<TimeIndex> loaded_times;
  if (index_file && time_file) {
    loaded_offsets = OffsetIndex::decode(base_, *index_file, size_);
    loaded_times = TimeIndex::decode(base_, *time_file);
  }
  if (!loaded_offsets || !loaded_times) {
    co_await rebuild_indexes(disk, index_interval);
    co_return;
  }
  offsets = std::move(*loaded_offsets);
  times = std::move(*loaded_times);
  if (newest.timestamp.value < 0 && times.size() > 0) newest = times.last();
  indexes_loaded = true;
}

Task<void> Segment::rebuild_indexes(Disk& disk, int32_t index_interval) {
  // Built beside what is in use: somebody else may be doing the same.
  Segment built(directory_, base_, created_);
  std::shared_ptr<File> file = co_await readable(disk);
  BatchScanner scanner(std::move(file), 0, size_);
  Offset next = base_;
  bool more = true;
  while (more) {
    while (std::optional<RecordBatch> batch = scanner.next()) {
      if (batch->base_offset() < next || !offsets.fits(batch->base_offset()) || !offsets.fits(batch->last_offset())) {
        throw CorruptLog("Batch at position " + std::to_string(scanner.batch_position()) + " of " + path(".log") +
                         " has offset " + std::to_string(batch->base_offset().value) + ", expected at least " +
                         std::to_string(next.value));
      }
      next = batch->next_offset();
      built.index_batch(*batch, scanner.batch_position(), index_interval);
    }
    more = co_await scanner.more();
  }
  built.finish();
  offsets = std::move(built.offsets);
  times = std::move(built.times);
  newest = built.newest;
  first_timestamp = built.first_timestamp;
  indexes_loaded = true;
  indexes_dirty = true;
}

Task<void> write_new_file(Disk& disk, std::string path, std::string content) {
  std::unique_ptr<File> file = co_await disk.open(std::move(path), OpenMode::write_new);
  if (content.empty()) co_return;
  std::vector<Bytes> parts;
  parts.push_back(Bytes::copy_of(content));
  co_await file->write(0, std::move(parts));
  co_await file->sync();
}

Task<void> Segment::write_indexes(Disk& disk) {
  co_await write_transaction_index(disk);
  if (!indexes_dirty || !indexes_loaded) co_return;
  std::string index_file = offsets.encode();
  std::string time_file = times.encode();
  co_await write_new_file(disk, path(".index"), std::move(index_file));
  co_await write_new_file(disk, path(".timeindex"), std::move(time_file));
  indexes_dirty = false;
}

Task<void> Segment::write_transaction_index(Disk& disk) {
  if (!aborted_dirty) co_return;
  aborted_dirty = false;
  if (aborted.empty()) {
    co_await disk.remove(path(".txnindex"));
    co_return;
  }
  std::string file = aborted.encode();
  co_await write_new_file(disk, path(".txnindex"), std::move(file));
}

}  // namespace millrace::log
