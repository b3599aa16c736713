// The regular join: both sides are kept for ever, and every change of either side is joined with what the other side
// has.
//
// A row of an outer side knows how many rows match it: with the first one its NULL-padded result is taken back, with
// the last one's retraction it is sent again. Semi and anti joins send left rows as that number leaves or reaches zero.
#pragma once

#include <list>
#include <map>
#include <vector>

#include "processing/operators/join_base.h"

namespace millrace::processing {

class Join final : public Operator {
 public:
  Join(JobContext& job, const plan::Join& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;

 private:
  struct Entry {
    Row row;
    int64_t matches = 0;
  };
  using Bucket = std::vector<Entry>;
  struct Side {
    std::map<std::string, Bucket> rows;  // by join key; keys that match nothing start with a byte of their own
    std::vector<int> upsert_key;         // the input replaces rows by this key
    std::map<std::string, std::pair<std::string, Row>> by_key;  // upsert key to join key and row
  };

  void change(int side, const std::string& key, bool matchable, const Row& row, RowKind kind, BatchBuilder& out);
  void change_semi(int side, const std::string& key, bool matchable, const Row& row, RowKind kind, BatchBuilder& out);
  std::vector<Entry*> matches(int side, const std::string& key, bool matchable, const Row& row);
  void add(int side, const std::string& key, const Row& row, int64_t matches);
  void remove(int side, const std::string& key, const Row& row);
  void give(BatchBuilder& out, int side, const Row* own, const Row* other, RowKind kind) const;

  JoinSides sides_;
  Side state_[2];
};

}  // namespace millrace::processing
