// Group keys: rows' key columns as bytes, and a hash table that numbers them densely.
//
//   key := column*     column := 0 | 1 value     text is preceded by its length
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/column.h"

namespace millrace::processing {

// Writes the key of one row behind `out`.
void append_key(std::string& out, std::span<const Column> keys, size_t row);
void append_key(std::string& out, std::span<const Value> keys, std::span<const DataType> types);
// Appends the key's values to `columns`, one per key column.
void decode_key(std::string_view key, std::span<ColumnBuilder> columns);
Row decode_key(std::string_view key, std::span<const DataType> types);

// The keys of many rows. Where all key columns have a fixed width and no nulls they are written column by column.
class KeyBytes {
 public:
  void write(std::span<const Column> keys, std::span<const uint32_t> rows);
  // Of the i-th row.
  std::string_view operator[](size_t i) const {
    return width_ > 0 ? std::string_view(bytes_).substr(i * width_, width_)
                      : std::string_view(bytes_).substr(ends_[i], ends_[i + 1] - ends_[i]);
  }

 private:
  std::string bytes_;
  size_t width_ = 0;          // of every key; 0: they differ
  std::vector<size_t> ends_;  // then: where each begins, and where the last one ends
};

class KeyTable {
 public:
  // The number of the key, given in order of appearance; `added` says whether it is new.
  uint32_t find_or_add(std::string_view key, bool& added);
  // The number of each row's key goes to groups[row].
  void find_or_add(const KeyBytes& keys, std::span<const uint32_t> rows, std::span<uint32_t> groups);
  // The number in this table of each of the other's keys, by its number there.
  void find_or_add(const KeyTable& other, std::vector<uint32_t>& numbers);
  // −1: unknown.
  int64_t find(std::string_view key) const;
  // For those who look for many keys: brings near where a key of this hash is looked for …
  static uint64_t hash(std::string_view key);
  void fetch_slot(uint64_t hash) const;
  // … and, a little later, what it is compared with. The number that it probably has; −1: probably none.
  int64_t fetch_key(uint64_t hash) const;
  // Numbers of removed keys are given again. What key() has answered is no longer good.
  void remove(uint32_t group);

  size_t size() const { return keys_.size() - free_.size(); }
  size_t capacity() const { return keys_.size(); }  // one more than the largest number given
  bool holds(uint32_t group) const { return keys_[group].data() != nullptr; }
  std::string_view key(uint32_t group) const { return keys_[group]; }
  size_t bytes() const { return bytes_; }  // of memory for keys: at most about twice what they need
  // f(group), by number.
  template <class F>
  void each(F f) const {
    for (uint32_t g = 0; g < keys_.size(); ++g)
      if (holds(g)) f(g);
  }

 private:
  // The upper half of the key's hash, of which the lower says where to look.
  struct Slot {
    uint32_t tag;
    uint32_t group;
  };
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  uint32_t find_or_add(std::string_view key, uint64_t hash, bool& added);
  void grow();
  void pack();
  size_t slot_of(std::string_view key, uint64_t hash) const;
  std::string_view store(std::string_view key);

  static constexpr size_t first_chunk = 256;
  static constexpr size_t large_chunk = 16384;
  // An empty key still needs an address: a null one means that the number is free.
  static size_t room_of(std::string_view key) { return std::max<size_t>(key.size(), 1); }

  static constexpr uint32_t empty = 0xffffffffu;
  static constexpr uint32_t tombstone = 0xfffffffeu;
  std::vector<Slot> slots_;
  std::vector<std::string_view> keys_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> free_;
  size_t used_ = 0;  // slots that are not empty
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t chunk_left_ = 0;
  char* chunk_at_ = nullptr;
  size_t bytes_ = 0;       // of all chunks
  size_t dead_bytes_ = 0;  // of removed keys
};

}  // namespace millrace::processing
