// Top-N: the rows of each partition from rank `first` to `last`, kept up to date as rows come and go.
//
// With the rank in the output every row that shifts is taken back and sent again; without it only rows that enter or
// leave are. Rows that tie keep the order of their arrival. LIMIT is the same with one partition, and with no order at
// all the first rows win.
#pragma once

#include <map>
#include <vector>

#include "processing/operators/operator.h"

namespace millrace::processing {

class Rank final : public Operator {
 public:
  Rank(JobContext& job, const plan::Rank& node);
  Rank(JobContext& job, const plan::SortLimit& node);

  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;

 private:
  void add(std::vector<Row>& rows, Row row, BatchBuilder& out);
  void remove(std::vector<Row>& rows, const Row& row, BatchBuilder& out);
  void give(BatchBuilder& out, const Row& row, int64_t rank, RowKind kind) const;
  void replace(BatchBuilder& out, const Row& before, const Row& after, int64_t rank) const;
  bool in_range(int64_t rank) const { return rank >= first_ && rank <= last_; }

  std::vector<int> partition_by_;
  std::vector<plan::SortKey> order_;
  int64_t first_;
  int64_t last_;
  bool emit_rank_;
  bool emit_update_before_;
  bool shifts_;                  // ranks matter: rows that shift are sent again
  bool append_only_;             // the input takes nothing back: what falls off the end is forgotten
  std::vector<int> upsert_key_;  // the input replaces rows by this key; empty: it retracts them
  std::vector<DataType> types_;
  std::map<std::string, std::vector<Row>> partitions_;  // sorted
  std::map<std::string, Row> by_key_;
};

}  // namespace millrace::processing
