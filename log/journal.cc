#include "log/journal.h"

#include <algorithm>
#include <cstring>

namespace millrace::log {

namespace {

constexpr size_t least_extents_wanted = 16;
constexpr size_t most_extents_wanted = 64;
constexpr size_t least_extent_bytes = 64 << 10;
constexpr size_t usual_extent_bytes = 8 << 20;
constexpr size_t most_groups_under_way = 4;
constexpr size_t most_pending_bytes = 128 << 20;
constexpr size_t zeros_per_write = 256 << 10;  // groups wait behind them
constexpr size_t usual_memory = 2 << 20;       // of a group, unless one batch alone needs more
constexpr int logs_synced_at_once = 4;
constexpr auto grow_again_after = std::chrono::seconds(10);

// A small journal has few extents, so that they take large batches; a large one gives its space back in smaller parts.
size_t extent_bytes_of(size_t journal_bytes) {
  const size_t wanted =
      std::max(journal_bytes / most_extents_wanted, std::min(journal_bytes / least_extents_wanted, usual_extent_bytes));
  return std::clamp(wanted, least_extent_bytes, largest_journal_extent) / block_bytes * block_bytes;
}

}  // namespace

struct Journal::Extent {
  std::string path;
  std::unique_ptr<BlockFile> file;
  uint64_t use = 0;  // counts the uses of all extents
  size_t used = 0;
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  int writes = 0;                            // under way
  std::vector<std::shared_ptr<Seat>> seats;  // of the logs with bytes in it
};

struct Journal::Group {
  struct Part {
    std::shared_ptr<Seat> seat;
    Offset end;
  };
  std::shared_ptr<Extent> extent;
  int64_t at = 0;
  BlockMemory memory;
  std::span<const std::byte> blocks;
  std::vector<Part> parts;
  uint64_t oldest = 0;
  bool announces = false;
  uint64_t entries = 0;  // Journal::taken_ with its last one
  bool done = false;
};

Journal::Journal(std::string directory, int64_t bytes)
    : disk_(Shard::current().disk()),
      directory_(std::move(directory)),
      shard_(Shard::current().id()),
      generation_(static_cast<uint64_t>(Shard::current().clock().wall_now().value)),
      extent_bytes_(extent_bytes_of(static_cast<size_t>(bytes))),
      most_extents_(std::max<size_t>(static_cast<size_t>(bytes) / extent_bytes_, 2)) {}

Journal::~Journal() = default;

std::shared_ptr<Journal::Seat> Journal::join(JournaledLog& log, TopicId topic, PartitionId partition) {
  auto seat = std::make_shared<Seat>();
  seat->journal_ = this;
  seat->log_ = &log;
  seat->topic_ = topic;
  seat->partition_ = partition;
  return seat;
}

// --- taking ---

bool Journal::has_room_for(const Bytes& batch) {
  if (!begun_ || failed_ || closing_) return false;
  grow_if_short();
  return extents_ > 0 && pending_bytes_ < most_pending_bytes &&
         journal_group_size(journal_frame_header + batch.size()) <= extent_bytes_ - block_bytes;
}

void Journal::take(Entry entry) {
  ++taken_;
  pending_bytes_ += entry.size();
  pending_.push_back(std::move(entry));
  if (building_) return;
  building_ = true;
  gate_.spawn(build_groups());
}

bool Journal::Seat::append(Offset from, Offset end, LeaderEpoch epoch, const Bytes& batch) {
  if (!journal_->has_room_for(batch)) return false;
  std::shared_ptr<Seat> self = shared_from_this();
  if (!used_) journal_->note_user(self);
  used_ = true;
  journal_->take({std::move(self), JournalFrameKind::batch, epoch, from, end, batch});
  return true;
}

Task<bool> Journal::Seat::cut(Offset at) {
  const std::shared_ptr<Seat> self = shared_from_this();
  Journal& journal = *journal_;
  if (journal.failed_) co_return false;
  if (!used_) co_return true;
  Entry entry{self, JournalFrameKind::cut, LeaderEpoch(-1), at, at, {}};
  journal.take(std::move(entry));
  const uint64_t wanted = journal.taken_;
  while (!journal.failed_ && journal.durable_ < wanted) co_await journal.changed_.wait();
  co_return !journal.failed_;
}

void Journal::note_user(const std::shared_ptr<Seat>& seat) {
  if (users_.size() == users_.capacity()) {
    std::erase_if(users_, [](const std::weak_ptr<Seat>& user) { return user.expired(); });
  }
  users_.push_back(seat);
}

void Journal::Seat::fail(const DiskError& error) { journal_->fail(error); }

// --- groups ---

Task<void> Journal::build_groups() {
  // What this turn of the event loop still appends goes into the first group.
  co_await yield();
  while (!pending_.empty() && !failed_ && !closing_) {
    if (under_way_.size() >= most_groups_under_way || !find_room()) {
      co_await changed_.wait();
      continue;
    }
    submit(build_group());
  }
  building_ = false;
}

// Whether the first entry fits into the current extent, or into a free one, which then is the current. Before one is
// used again, some durable group must say that what it held does not matter any more: else recovery, finding it gone,
// would wait for it. The last block of every extent is kept for that.
bool Journal::find_room() {
  const size_t least = journal_group_size(pending_.front().size());
  if (current_ && current_->used + least <= extent_bytes_ - block_bytes) return true;
  if (free_.empty()) {
    grow_if_short();
    checkpoint_if_due();
    return false;
  }
  const uint64_t held = free_.front()->last_sequence;
  if (held > 0 && held >= announced_) {
    announce();
    return false;
  }
  if (current_) full_.push_back(current_);
  current_ = free_.front();
  free_.erase(free_.begin());
  current_->use = ++uses_;
  current_->used = 0;
  current_->first_sequence = sequence_ + 1;
  current_->seats.clear();
  if (full_.empty()) oldest_ = current_->first_sequence;
  grow_if_short();
  checkpoint_if_due();
  return true;
}

// The next one in the current extent, with room for so much.
std::shared_ptr<Journal::Group> Journal::new_group(size_t frame_bytes) {
  auto group = std::make_shared<Group>();
  group->extent = current_;
  group->at = static_cast<int64_t>(current_->used);
  group->memory = memory_for(journal_group_size(frame_bytes));
  ++sequence_;
  return group;
}

std::shared_ptr<Journal::Group> Journal::build_group() {
  size_t bytes = 0;
  size_t count = 0;
  for (const Entry& entry : pending_) {
    if (count > 0 && journal_group_size(bytes + entry.size()) > usual_memory) break;
    if (current_->used + journal_group_size(bytes + entry.size()) > extent_bytes_ - block_bytes) break;
    bytes += entry.size();
    ++count;
  }
  std::shared_ptr<Group> group = new_group(bytes);
  JournalGroupWriter writer(group->memory.span());
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = pending_.front();
    Seat& seat = *entry.seat;
    writer.add({entry.kind, seat.topic_, seat.partition_, entry.epoch, entry.from, entry.end, entry.batch.span()});
    if (seat.extent_ != current_->use) {
      seat.extent_ = current_->use;
      current_->seats.push_back(entry.seat);
    }
    if (entry.kind == JournalFrameKind::batch) {
      if (seat.group_ != sequence_) {
        seat.group_ = sequence_;
        seat.place_in_it_ = group->parts.size();
        group->parts.push_back({entry.seat, entry.end});
      }
      group->parts[seat.place_in_it_].end = entry.end;
    }
    pending_bytes_ -= entry.size();
    pending_.pop_front();
  }
  group->blocks = writer.finish(generation_, sequence_, oldest_);
  return group;
}

// A group of its own, without frames.
void Journal::announce() {
  if (announcing_) return;
  announcing_ = true;
  check(current_ != nullptr && current_->used + block_bytes <= extent_bytes_);
  std::shared_ptr<Group> group = new_group(0);
  group->announces = true;
  JournalGroupWriter writer(group->memory.span());
  group->blocks = writer.finish(generation_, sequence_, oldest_);
  submit(std::move(group));
}

void Journal::submit(std::shared_ptr<Group> group) {
  Extent& extent = *group->extent;
  group->oldest = oldest_;
  group->entries = taken_ - pending_.size();
  extent.used += group->blocks.size();
  extent.last_sequence = sequence_;
  ++extent.writes;
  under_way_.push_back(group);
  gate_.spawn(write_group(std::move(group)));
}

Task<void> Journal::write_group(std::shared_ptr<Group> group) {
  std::optional<DiskError> failure;
  try {
    co_await group->extent->file->write_durable(group->at, group->blocks);
  } catch (const DiskError& error) {
    failure = error;
  }
  --group->extent->writes;
  if (failure) {
    fail(*failure);
    co_return;
  }
  group->done = true;
  if (!failed_) acknowledge();
  changed_.notify();
}

// Only what no hole precedes: recovery reads no further than to the first group that is not there.
void Journal::acknowledge() {
  while (!under_way_.empty() && under_way_.front()->done) {
    const std::shared_ptr<Group> group = under_way_.front();
    under_way_.pop_front();
    durable_ = group->entries;
    if (group->oldest > announced_) announced_ = group->oldest;
    if (group->announces) announcing_ = false;
    for (const Group::Part& part : group->parts) {
      if (part.seat->log_) part.seat->log_->journaled(part.end);
    }
    if (group->memory.size() == usual_memory) spare_memory_.push_back(std::move(group->memory));
  }
}

// Always the same few pieces, the one used last first: what the cache holds is written to faster. Only a group of one
// large batch needs more.
BlockMemory Journal::memory_for(size_t bytes) {
  if (bytes > usual_memory) return BlockMemory(bytes);
  if (spare_memory_.empty()) return BlockMemory(usual_memory);
  BlockMemory memory = std::move(spare_memory_.back());
  spare_memory_.pop_back();
  return memory;
}

// --- extents ---

void Journal::grow_if_short() {
  const bool short_of_room = free_.empty() && extents_ < most_extents_;
  if (!short_of_room || growing_ || failed_ || closing_ || now() < grow_again_) return;
  growing_ = true;
  gate_.spawn(make_extent());
}

// Not being able to is no failure: there is a slower way.
Task<void> Journal::make_extent() {
  auto extent = std::make_shared<Extent>();
  extent->path =
      directory_ + "/" + std::string(journal_file_prefix) + std::to_string(shard_) + "-" + std::to_string(extents_);
  bool made = false;
  try {
    extent->file = co_await disk_.open_blocks(extent->path);
    const BlockMemory zeros(std::min(extent_bytes_, zeros_per_write));
    std::memset(zeros.span().data(), 0, zeros.size());
    for (size_t at = 0; at < extent_bytes_ && !closing_ && !failed_; at += zeros.size()) {
      const size_t size = std::min(zeros.size(), extent_bytes_ - at);
      co_await extent->file->write_durable(static_cast<int64_t>(at), zeros.span().first(size));
    }
    if (!closing_) co_await disk_.sync_directory(directory_);
    made = !closing_;
  } catch (const DiskError&) {
    grow_again_ = after(grow_again_after);
  }
  if (made) {
    ++extents_;
    free_.push_back(std::move(extent));
  } else {
    try {
      extent->file.reset();
      co_await disk_.remove(extent->path);
    } catch (const DiskError&) {
      // It is used by the next attempt, or goes with the directory's end.
    }
  }
  growing_ = false;
  changed_.notify();
}

void Journal::checkpoint_if_due() {
  const bool due = full_.size() >= most_extents_ / 2 || (free_.empty() && !growing_);
  if (!due || full_.empty() || checkpointing_ || failed_) return;
  checkpointing_ = true;
  gate_.spawn(checkpoint());
}

Task<void> Journal::checkpoint() {
  const size_t count = full_.size();
  std::vector<std::shared_ptr<Seat>> seats;
  ++checkpoints_;
  for (size_t i = 0; i < count; ++i) {
    for (const std::shared_ptr<Seat>& seat : full_[i]->seats) {
      if (std::exchange(seat->checkpoint_, checkpoints_) != checkpoints_) seats.push_back(seat);
    }
  }
  const bool synced = co_await sync_logs(std::move(seats));
  for (size_t i = 0; i < count && synced && !failed_; ++i) {
    const std::shared_ptr<Extent> extent = full_.front();
    while (extent->writes > 0 && !failed_) co_await changed_.wait();
    if (failed_) break;
    full_.pop_front();
    const Extent* const next = !full_.empty() ? full_.front().get() : current_.get();
    oldest_ = next != nullptr ? next->first_sequence : sequence_ + 1;
    free_.push_back(extent);
  }
  checkpointing_ = false;
  checkpoint_if_due();
  changed_.notify();
}

Task<bool> Journal::sync_logs(std::vector<std::shared_ptr<Seat>> seats) {
  bool good = true;
  size_t next = 0;
  int running = 0;
  Event ended;
  const auto sync_some = [&]() -> Task<void> {
    while (next < seats.size() && good) {
      const std::shared_ptr<Seat> seat = seats[next++];
      if (!seat->log_) continue;  // closed, and synced then
      const bool synced = co_await seat->log_->sync_segments();
      good = good && synced;
    }
    --running;
    ended.notify();
  };
  if (closing_) co_return false;
  for (int i = 0; i < logs_synced_at_once; ++i) {
    ++running;
    gate_.spawn(sync_some());
  }
  while (running > 0) co_await ended.wait();
  co_return good;
}

// --- the end ---

void Journal::fail(const DiskError& error) {
  if (failed_) return;
  failed_ = true;
  pending_.clear();
  pending_bytes_ = 0;
  for (const std::weak_ptr<Seat>& user : users_) {
    const std::shared_ptr<Seat> seat = user.lock();
    if (seat && seat->log_) seat->log_->journal_failed(error);
  }
  if (on_failure_) on_failure_(error);
  changed_.notify();
}

Task<void> Journal::close(bool remove) {
  co_await put_off_writes_.close();
  closing_ = true;
  changed_.notify();
  co_await gate_.close();
  std::vector<std::shared_ptr<Extent>> written_in_order(std::exchange(free_, {}));
  std::ranges::move(full_, std::back_inserter(written_in_order));
  if (current_) written_in_order.push_back(std::exchange(current_, nullptr));
  full_.clear();
  std::ranges::sort(written_in_order, {}, [](const auto& extent) { return extent->first_sequence; });
  for (const std::shared_ptr<Extent>& extent : written_in_order) {
    extent->file.reset();
    if (remove && !failed_) co_await disk_.remove(extent->path);
  }
}

}  // namespace millrace::log
