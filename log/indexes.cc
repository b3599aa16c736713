#include "log/indexes.h"

#include <algorithm>

#include "protocol/check.h"
#include "protocol/record_batch.h"

namespace millrace::log {

using protocol::load_big;
using protocol::store_big;

void OffsetIndex::append(Offset last_offset, int64_t position) {
  check(fits(last_offset) && position <= INT32_MAX);
  const Entry entry{static_cast<int32_t>(last_offset - base_), static_cast<int32_t>(position)};
  check(entries_.empty() || entries_.back().relative < entry.relative);
  entries_.push_back(entry);
}

int64_t OffsetIndex::lookup(Offset offset) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), offset - base_,
                                      [](int64_t wanted, const Entry& e) { return wanted < e.relative; });
  return after == entries_.begin() ? 0 : std::prev(after)->position;
}

std::optional<OffsetIndex::Place> OffsetIndex::boundary(int64_t from, int64_t to) const {
  const auto above = [](int64_t place, const Entry& e) { return place < e.position; };
  const auto first = std::upper_bound(entries_.begin(), entries_.end(), from, above);
  if (first == entries_.end()) return std::nullopt;
  const auto after = std::upper_bound(first, entries_.end(), to, above);
  const Entry& entry = after == first ? *first : *std::prev(after);
  return Place{base_ + entry.relative, entry.position};
}

void OffsetIndex::truncate(Offset end) {
  while (!entries_.empty() && base_ + entries_.back().relative >= end) entries_.pop_back();
}

std::string OffsetIndex::encode() const {
  std::string file(entries_.size() * entry_size, '\0');
  auto* to = reinterpret_cast<std::byte*>(file.data());
  for (const Entry& entry : entries_) {
    store_big<int32_t>(to, entry.relative);
    store_big<int32_t>(to + 4, entry.position);
    to += entry_size;
  }
  return file;
}

std::optional<OffsetIndex> OffsetIndex::decode(Offset base, std::string_view file, int64_t log_size) {
  if (file.size() % entry_size != 0) return std::nullopt;
  OffsetIndex index(base);
  index.entries_.reserve(file.size() / entry_size);
  int64_t previous_relative = -1;
  int64_t previous_position = -1;
  const auto* from = reinterpret_cast<const std::byte*>(file.data());
  for (size_t at = 0; at < file.size(); at += entry_size) {
    const Entry entry{load_big<int32_t>(from + at), load_big<int32_t>(from + at + 4)};
    if (entry.relative <= previous_relative || entry.position < 0 || entry.position <= previous_position ||
        entry.position >= log_size) {
      return std::nullopt;
    }
    previous_relative = entry.relative;
    previous_position = entry.position;
    index.entries_.push_back(entry);
  }
  return index;
}

void TimeIndex::append(TimedOffset newest) {
  if (newest.timestamp <= last().timestamp) return;
  check(entries_.empty() || newest.offset >= last().offset);
  entries_.push_back({newest.timestamp.value, static_cast<int32_t>(newest.offset - base_)});
}

TimedOffset TimeIndex::lookup(Timestamp time) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), time.value,
                                      [](int64_t wanted, const Entry& e) { return wanted < e.timestamp; });
  return after == entries_.begin() ? TimedOffset{Timestamp(-1), base_} : at(*std::prev(after));
}

TimedOffset TimeIndex::last() const {
  return entries_.empty() ? TimedOffset{Timestamp(-1), base_} : at(entries_.back());
}

void TimeIndex::truncate(Offset end) {
  while (!entries_.empty() && base_ + entries_.back().relative >= end) entries_.pop_back();
}

std::string TimeIndex::encode() const {
  std::string file(entries_.size() * entry_size, '\0');
  auto* to = reinterpret_cast<std::byte*>(file.data());
  for (const Entry& entry : entries_) {
    store_big<int64_t>(to, entry.timestamp);
    store_big<int32_t>(to + 8, entry.relative);
    to += entry_size;
  }
  return file;
}

std::optional<TimeIndex> TimeIndex::decode(Offset base, std::string_view file) {
  if (file.size() % entry_size != 0) return std::nullopt;
  TimeIndex index(base);
  index.entries_.reserve(file.size() / entry_size);
  int64_t previous_timestamp = INT64_MIN;
  int32_t previous_relative = -1;
  const auto* from = reinterpret_cast<const std::byte*>(file.data());
  for (size_t at = 0; at < file.size(); at += entry_size) {
    const Entry entry{load_big<int64_t>(from + at), load_big<int32_t>(from + at + 8)};
    if (entry.timestamp < previous_timestamp || entry.relative < 0 || entry.relative < previous_relative) {
      return std::nullopt;
    }
    previous_timestamp = entry.timestamp;
    previous_relative = entry.relative;
    index.entries_.push_back(entry);
  }
  return index;
}

}  // namespace millrace::log
