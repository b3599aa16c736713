// The aborted transactions of one segment: those whose abort marker lies in it, in the order of the markers.
//
//   .txnindex := (version:i16=0 producer_id:i64 first_offset:i64 last_offset:i64 last_stable_offset:i64)*
//
// last_offset is the marker's; last_stable_offset what was stable once it was written. No file where nothing aborted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "log/log.h"

namespace millrace::log {

struct AbortedEntry {
  ProducerId producer;
  Offset first;
  Offset last;
  Offset last_stable;
  friend bool operator==(const AbortedEntry&, const AbortedEntry&) = default;
};

class TransactionIndex {
 public:
  static constexpr size_t entry_size = 34;

  void append(AbortedEntry entry) { entries_.push_back(entry); }
  void truncate(Offset end);  // forgets markers at or behind `end`
  void clear() { entries_.clear(); }
  bool empty() const { return entries_.empty(); }
  const std::vector<AbortedEntry>& entries() const { return entries_; }

  // Adds what overlaps [from, to). True when nothing behind this segment can overlap any more.
  bool collect(Offset from, Offset to, std::vector<AbortedTransaction>& out) const;

  std::string encode() const;
  // Throws CorruptLog as Kafka does: it never starts on a transaction index it cannot read.
  static TransactionIndex decode(std::string_view file, const std::string& path);

 private:
  std::vector<AbortedEntry> entries_;
};

}  // namespace millrace::log
