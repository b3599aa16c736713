// The regular join: both sides are kept for ever, and every change of either side is joined with what the other side
// has.
//
// A row of an outer side knows how many rows match it: with the first one its NULL-padded result is taken back, with
// the last one's retraction it is sent again. Semi and anti joins send left rows as that number leaves or reaches zero.
//
// Rows are kept as bytes, in the form of keys (key_table.h): they are many, and most of them never match.
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "processing/operators/join_base.h"
#include "processing/operators/key_table.h"
#include "processing/operators/row_store.h"

namespace millrace::processing {

class Join final : public Operator {
 public:
  Join(JobContext& job, const plan::Join& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;

 private:
  // A row, with its bytes behind it.
  struct Entry {
    Entry* next;
    int64_t matches;
    uint32_t size;
    std::string_view row() const { return {reinterpret_cast<const char*>(this + 1), size}; }
  };
  // Of one key, in the order in which they came.
  struct Bucket {
    Entry* first = nullptr;
    Entry* last = nullptr;
  };
  struct Side {
    KeyTable keys;                // join keys; those that match nothing start with a byte of their own
    std::vector<Bucket> rows;     // by the key's number
    RowStore memory;              // of the rows
    std::vector<int> upsert_key;  // the input replaces rows by this key
    std::unordered_map<std::string, std::pair<std::string, std::string>> by_key;  // upsert key to join key and row
    std::vector<DataType> types;

    size_t saved_bytes = 0;  // what keys and rows take in a checkpoint

    void add(std::string_view key, std::string_view row, int64_t matches);
    void remove(std::string_view key, std::string_view row);
    void save(std::string& out) const;
  };
  // A row that comes or goes.
  struct Change {
    int side = 0;
    std::string_view key;
    std::string_view row;
    RowKind kind = RowKind::insert;
    bool matchable() const { return key.front() != '\0'; }
  };

  // Keys of some rows, one behind the other.
  struct Keys {
    std::string bytes;
    std::vector<size_t> ends;
    std::vector<uint64_t> hashes;
    std::string_view operator[](size_t i) const {
      const size_t from = i == 0 ? 0 : ends[i - 1];
      return std::string_view(bytes).substr(from, ends[i] - from);
    }
  };
  // Brings near what the rows' keys have on their side already: of very many keys none is in a cache.
  void look_ahead(const Batch& batch, std::span<const uint32_t> rows, int side, Keys& keys) const;
  void change(const Change& change, BatchBuilder& out);
  void change_semi(const Change& change, BatchBuilder& out);
  std::vector<Entry*> matches(const Change& change);
  void add(const Change& change, int64_t matches) { state_[change.side].add(change.key, change.row, matches); }
  void remove(const Change& change) { state_[change.side].remove(change.key, change.row); }
  // Nothing for a side: NULLs.
  void give(BatchBuilder& out, int side, std::optional<std::string_view> own, std::optional<std::string_view> other,
            RowKind kind) const;

  JoinSides sides_;
  Side state_[2];
};

}  // namespace millrace::processing
