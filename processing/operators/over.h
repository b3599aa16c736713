// OVER aggregates: every row with aggregates over the rows before it.
//
// Ordered by row time, rows wait for the watermark and are then handled in the order of their time; a RANGE frame sees
// all rows of the same time, a ROWS frame only those that came before. Ordered by anything else, a new row changes the
// results of the rows behind it: they are taken back and sent again.
// TemporalSort sends rows in the order of their time as the watermark passes.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "processing/operators/aggregates.h"
#include "processing/operators/key_table.h"
#include "processing/operators/operator.h"

namespace millrace::processing {

class Over final : public Operator {
 public:
  Over(JobContext& job, const plan::Over& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  struct Timed {
    int64_t time;
    Row row;
  };
  // One call: an aggregate over the frame, or LAG.
  struct Call {
    bool lag = false;
    int64_t offset = 1;
    size_t aggregate = 0;  // its number in set_
  };

  void handle(const std::string& key, int64_t time, std::vector<Row> rows, BatchBuilder& out);
  Row results(const std::deque<Timed>& history, size_t upto, size_t group);
  void add_to(size_t group, const Row& row);
  void give(BatchBuilder& out, const Row& row, const Row& results, RowKind kind);
  void resort(const std::string& key, Row row, BatchBuilder& out);

  plan::Over node_;
  bool by_time_;
  bool proctime_ = false;
  std::vector<DataType> input_types_;
  std::vector<DataType> types_;
  std::vector<Call> calls_;
  AggregateSet set_;
  size_t keep_rows_ = 0;  // how many rows LAG and ROWS frames look back

  KeyTable keys_;
  AccumulatorList running_;                                             // unbounded frames: by the key's number
  std::vector<std::deque<Timed>> history_;                              // by the key's number
  std::map<int64_t, std::map<std::string, std::vector<Row>>> waiting_;  // by time, then by key
  std::map<std::string, std::vector<std::pair<Row, Row>>> sorted_;      // not by time: rows and their results
};

class TemporalSort final : public Operator {
 public:
  TemporalSort(JobContext& job, const plan::TemporalSort& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  plan::TemporalSort node_;
  bool proctime_;
  std::vector<DataType> types_;
  std::map<int64_t, std::vector<Row>> waiting_;
};

}  // namespace millrace::processing
