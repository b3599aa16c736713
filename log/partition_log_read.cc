// Reading: from the tail in memory where it reaches, from the segment files before that.
#include <algorithm>
#include <array>

#include "log/batch_scanner.h"
#include "log/partition_log.h"

namespace millrace::log {

using protocol::RecordBatch;
using protocol::RecordReader;
using protocol::RecordView;

namespace {

constexpr size_t smallest_piece = 64 << 10;
constexpr size_t smallest_unread = 32 << 10;
constexpr size_t largest_piece = 4 << 20;
constexpr size_t closed_segments_open = 4;
constexpr size_t search_bytes = 1 << 20;

Timestamp newest_of(const RecordBatch& batch) {
  if (!batch.is_legacy()) return batch.max_timestamp();
  Timestamp newest(-1);
  RecordReader records(batch);
  while (std::optional<RecordView> record = records.next()) newest = std::max(newest, record->timestamp);
  return newest;
}

}  // namespace

// The segment that holds `offset`, or would.
size_t PartitionLog::segment_index(Offset offset) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                      [](Offset wanted, const auto& segment) { return wanted < segment->base(); });
  return after == segments_.begin() ? 0 : static_cast<size_t>(after - segments_.begin()) - 1;
}

// Keeps the files of the closed segments that were read last, and lets go of the others.
void PartitionLog::use(const std::shared_ptr<Segment>& segment) {
  if (segment == segments_.back()) return give_back_file();
  std::erase(used_, segment);
  used_.push_back(segment);
  if (used_.size() <= closed_segments_open) return;
  const std::shared_ptr<Segment> oldest = used_.front();
  used_.erase(used_.begin());
  if (oldest != segments_.back() && !oldest->unsynced) oldest->release();
}

bool PartitionLog::read_tail(Offset from, size_t max_bytes, Offset limit, bool at_least_one, ReadResult& result) const {
  auto at = std::lower_bound(tail_.begin(), tail_.end(), from,
                             [](const Kept& kept, Offset wanted) { return kept.batch.last_offset() < wanted; });
  for (; at != tail_.end() && at->batch.last_offset() < limit; ++at) {
    const bool must = at_least_one && result.batches.empty();
    if (result.size + at->batch.size() > max_bytes && !must) return false;
    result.batches.push_back(at->batch.bytes());
    result.size += at->batch.size();
  }
  return true;
}

// The batches from `position` up to an entry of the index, for a connection to take from the file. Nothing where they
// must be looked at or waited for.
Task<PartitionLog::Piece> PartitionLog::leave_unread(std::shared_ptr<File> file, int64_t position,
                                                     OffsetIndex::Place end, Offset from, Offset limit) {
  Piece piece;
  // The one batch that is looked at is the next reader's first. It also tells whether the index is right.
  std::array<std::byte, protocol::batch_header_size> memory;
  const size_t got = co_await file->read(end.position, memory);
  if (got < memory.size()) co_return piece;
  const Offset next(protocol::load_big<int64_t>(memory.data()));
  const auto magic = static_cast<int8_t>(memory[16]);
  const Offset last = next + protocol::load_big<int32_t>(memory.data() + 23);
  if (magic < 2 || last != end.last || next <= from || next > limit) co_return piece;
  const size_t size = static_cast<size_t>(end.position - position);
  piece.unread = file->unread(position, size);
  if (piece.unread.empty()) co_return piece;
  piece.size = size;
  piece.next = next;
  piece.end = end.position;
  piece.full = true;
  co_return piece;
}

Task<PartitionLog::Piece> PartitionLog::read_segment(std::shared_ptr<Segment> segment, Offset from, size_t room,
                                                     Offset limit, bool at_least_one, ReadFor purpose) {
  Piece piece;
  if (segment->empty() || !segment->on_disk) co_return piece;  // the tail has all of it
  if (!segment->indexes_loaded) co_await segment->load_indexes(disk_, config_.index_interval_bytes);
  // Who reads on knows where; with an index in memory also how much to read to end with a whole batch.
  const std::optional<int64_t> left_off = segment->left_off_at(from);
  int64_t position = left_off.value_or(segment->offsets.lookup(from));
  std::shared_ptr<File> file = co_await segment->readable(disk_);
  const int64_t file_end = std::min(segment->size(), file->size());
  size_t piece_size =
      std::clamp(room + static_cast<size_t>(config_.index_interval_bytes), smallest_piece, largest_piece);
  bool whole_batches = false;
  const int64_t within = std::min(file_end - position, static_cast<int64_t>(room));
  const std::optional<OffsetIndex::Place> end =
      left_off ? segment->offsets.boundary(position, position + within) : std::nullopt;
  const int64_t up_to_end = end ? end->position - position : 0;
  if (purpose == ReadFor::sending && up_to_end <= within && up_to_end >= static_cast<int64_t>(smallest_unread)) {
    Piece left = co_await leave_unread(file, position, *end, from, limit);
    if (!left.empty()) co_return left;
  }
  if (end && file_end - position > static_cast<int64_t>(room)) {
    whole_batches = up_to_end <= static_cast<int64_t>(largest_piece);
    if (whole_batches) piece_size = static_cast<size_t>(up_to_end);
  }

  for (bool again = true; again;) {
    again = false;
    BatchScanner scanner(file, position, file_end, piece_size,
                         purpose == ReadFor::later_use ? Haste::none : Haste::ordinary);
    bool more = true;
    bool done = false;
    bool first = true;
    while (more && !done) {
      while (std::optional<RecordBatch> batch = scanner.next()) {
        if (first && position != 0 && !left_off && batch->base_offset() > from) again = true;  // the index lied
        first = false;
        if (again) break;
        if (batch->last_offset() < from) continue;
        done = batch->last_offset() >= limit;
        if (done) break;
        const bool must = at_least_one && piece.batches.empty();
        if (piece.size + batch->size() > room && !must) {
          piece.full = done = true;
          break;
        }
        piece.size += batch->size();
        piece.next = batch->next_offset();
        piece.end = scanner.position();
        piece.batches.push_back(std::move(*batch));
      }
      if (again || done) break;
      // Do not read what there is no room for.
      if (!piece.batches.empty() && (whole_batches || piece.size + scanner.next_size() > room)) {
        piece.full = done = true;
        break;
      }
      more = co_await scanner.more();
    }
    if (first && position != 0 && !left_off) again = true;
    if (again) {
      position = 0;
      segment->offsets.clear();
    } else if (!done && scanner.position() < file_end && segment != segments_.back()) {
      throw CorruptLog("No record batch at position " + std::to_string(scanner.position()) + " of " +
                       segment->path(".log"));
    }
  }
  co_return piece;
}

Task<ReadResult> PartitionLog::read(Offset from, size_t max_bytes, Offset limit, bool at_least_one,
                                    bool aborted_transactions, ReadFor purpose) {
  ReadResult result;
  if (failed_ || closed_) {
    result.error = ErrorCode::kafka_storage_error;
    co_return result;
  }
  while (alone_ && !failed_) co_await idle_.wait();
  if (from < start_ || from > end_) {
    result.error = ErrorCode::offset_out_of_range;
    co_return result;
  }
  limit = std::min(limit, end_);
  Offset next = from;
  std::optional<Offset> unread_to;  // where the last piece ends, when it was not read
  try {
    while (next < limit) {
      const bool must = at_least_one && result.batches.empty();
      if (result.size >= max_bytes && !must) break;
      if (!tail_.empty() && next >= tail_.front().batch.base_offset()) {
        read_tail(next, max_bytes, limit, at_least_one, result);
        note_follower();
        break;
      }
      const size_t index = segment_index(next);
      const std::shared_ptr<Segment> segment = segments_[index];
      Offset stop = index + 1 < segments_.size() ? segments_[index + 1]->base() : end_;
      if (!tail_.empty()) stop = std::min(stop, tail_.front().batch.base_offset());
      const uint64_t truncations = truncations_;
      Piece piece = co_await read_segment(segment, next, max_bytes - std::min(max_bytes, result.size),
                                          std::min(limit, stop), must, purpose);
      use(segment);
      if (failed_) {
        result = {};
        result.error = ErrorCode::kafka_storage_error;
        co_return result;
      }
      if (from < start_) {
        result = {};
        result.error = ErrorCode::offset_out_of_range;
        co_return result;
      }
      if (truncations != truncations_) {
        // What was read may be gone, and other bytes in its place.
        while (alone_ && !failed_) co_await idle_.wait();
        result = {};
        unread_to.reset();
        limit = std::min(limit, end_);
        next = from;
        if (from > end_) result.error = ErrorCode::offset_out_of_range;
        continue;
      }
      if (!piece.empty()) segment->remember(next, piece.next, piece.end);
      for (const RecordBatch& batch : piece.batches) result.batches.push_back(batch.bytes());
      if (!piece.unread.empty()) {
        result.batches.push_back(std::move(piece.unread));
        unread_to = piece.next;
      }
      result.size += piece.size;
      if (piece.full) break;
      next = std::max(stop, next + 1);
    }
    if (next >= limit) note_follower();
  } catch (const DiskError& error) {
    // The segment may have been removed by retention while it was being opened.
    result = {};
    result.error = from < start_ ? ErrorCode::offset_out_of_range : ErrorCode::kafka_storage_error;
    if (from >= start_) fail(error);
    co_return result;
  } catch (const CorruptLog&) {
    result = {};
    result.error = ErrorCode::corrupt_message;
    co_return result;
  }
  if (aborted_transactions && !result.batches.empty()) {
    const Offset to = unread_to ? *unread_to : RecordBatch(result.batches.back()).next_offset();
    for (size_t i = segment_index(from); i < segments_.size(); ++i) {
      if (segments_[i]->aborted.collect(from, to, result.aborted)) break;
    }
  }
  co_return result;
}

// The first batch from `from` on that `wanted` accepts.
Task<std::optional<RecordBatch>> PartitionLog::first_batch(Offset from, Offset limit,
                                                           std::function<bool(const RecordBatch&)> wanted) {
  Offset next = std::max(from, start_);
  while (next < limit) {
    const ReadResult part = co_await read(next, search_bytes, limit, true, false, ReadFor::use);
    if (part.error != ErrorCode::none || part.batches.empty()) break;
    for (const Bytes& bytes : part.batches) {
      const RecordBatch batch(bytes);
      if (wanted(batch)) co_return batch;
      next = batch.next_offset();
    }
  }
  co_return std::nullopt;
}

Task<OffsetAndTimestamp> PartitionLog::find_time(Timestamp time, Offset limit) {
  limit = std::min(limit, end_);
  try {
    for (size_t i = segment_index(start_); i < segments_.size(); ++i) {
      const std::shared_ptr<Segment> segment = segments_[i];
      if (segment->base() >= limit) break;
      if (!segment->indexes_loaded) co_await segment->load_indexes(disk_, config_.index_interval_bytes);
      use(segment);
      if (segment->newest.timestamp < time) continue;
      const Offset from = std::max(segment->times.lookup(time).offset, start_);
      const Offset stop = i + 1 < segments_.size() ? std::min(limit, segments_[i + 1]->base()) : limit;
      OffsetAndTimestamp found;
      std::function<bool(const RecordBatch&)> holds_it = [&](const RecordBatch& batch) {
        if (!batch.is_legacy() && batch.max_timestamp() < time) return false;
        RecordReader records(batch);
        while (std::optional<RecordView> record = records.next()) {
          if (record->timestamp < time || record->offset < start_) continue;
          found = {record->offset, record->timestamp, batch.is_legacy() ? LeaderEpoch(-1) : batch.leader_epoch()};
          return true;
        }
        return false;
      };
      const std::optional<RecordBatch> batch = co_await first_batch(from, stop, holds_it);
      if (batch) co_return found.offset < limit ? found : OffsetAndTimestamp{};
      if (i >= segments_.size()) break;
    }
  } catch (const DiskError& error) {
    fail(error);
  } catch (const std::runtime_error&) {
    // Nothing readable there: as if there were no such record.
  }
  co_return OffsetAndTimestamp{};
}

// The newest timestamp of what `segment` holds below `limit`, with the last offset of its batch.
Task<TimedOffset> PartitionLog::newest_below(std::shared_ptr<Segment> segment, Offset limit) {
  if (!segment->indexes_loaded) co_await segment->load_indexes(disk_, config_.index_interval_bytes);
  use(segment);
  if (segment->newest.offset < limit && segment->newest.offset >= start_) co_return segment->newest;
  TimedOffset newest;
  std::function<bool(const RecordBatch&)> note = [&](const RecordBatch& batch) {
    if (newest_of(batch) > newest.timestamp) newest = {newest_of(batch), batch.last_offset()};
    return false;
  };
  const size_t index = segment_index(segment->base());
  const Offset stop = index + 1 < segments_.size() ? std::min(limit, segments_[index + 1]->base()) : limit;
  co_await first_batch(segment->base(), stop, note);
  co_return newest;
}

Task<OffsetAndTimestamp> PartitionLog::find_max_timestamp(Offset limit) {
  limit = std::min(limit, end_);
  TimedOffset newest;
  try {
    for (size_t i = segment_index(start_); i < segments_.size(); ++i) {
      const std::shared_ptr<Segment> segment = segments_[i];
      if (segment->base() >= limit) break;
      const TimedOffset here = co_await newest_below(segment, limit);
      if (here.timestamp > newest.timestamp) newest = here;
    }
    if (newest.timestamp.value < 0) co_return OffsetAndTimestamp{};
    OffsetAndTimestamp found;
    std::function<bool(const RecordBatch&)> holds_it = [&](const RecordBatch& batch) {
      RecordReader records(batch);
      while (std::optional<RecordView> record = records.next()) {
        if (record->timestamp != newest.timestamp) continue;
        found = {record->offset, record->timestamp, batch.is_legacy() ? LeaderEpoch(-1) : batch.leader_epoch()};
        return true;
      }
      return false;
    };
    const std::optional<RecordBatch> batch = co_await first_batch(newest.offset, limit, holds_it);
    if (batch) co_return found;
  } catch (const DiskError& error) {
    fail(error);
  } catch (const std::runtime_error&) {
    // As in find_time.
  }
  co_return OffsetAndTimestamp{};
}

}  // namespace millrace::log
