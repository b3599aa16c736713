// Group keys: rows' key columns as bytes, and a hash table that numbers them densely.
//
//   key := column*     column := 0 | 1 value     text is preceded by its length
#pragma once

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

class KeyTable {
 public:
  // The number of the key, given in order of appearance; `added` says whether it is new.
  uint32_t find_or_add(std::string_view key, bool& added);
  // −1: unknown.
  int64_t find(std::string_view key) const;
  // Numbers of removed keys are given again.
  void remove(uint32_t group);

  size_t size() const { return keys_.size() - free_.size(); }
  size_t capacity() const { return keys_.size(); }  // one more than the largest number given
  bool holds(uint32_t group) const { return keys_[group].data() != nullptr; }
  std::string_view key(uint32_t group) const { return keys_[group]; }
  // f(group), by number.
  template <class F>
  void each(F f) const {
    for (uint32_t g = 0; g < keys_.size(); ++g)
      if (holds(g)) f(g);
  }

 private:
  void grow();
  size_t slot_of(std::string_view key, uint64_t hash) const;
  std::string_view store(std::string_view key);

  static constexpr uint32_t empty = 0xffffffffu;
  static constexpr uint32_t tombstone = 0xfffffffeu;
  std::vector<uint32_t> slots_;
  std::vector<std::string_view> keys_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> free_;
  size_t used_ = 0;  // slots that are not empty
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t chunk_left_ = 0;
  char* chunk_at_ = nullptr;
};

}  // namespace millrace::processing
