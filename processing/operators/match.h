// MATCH_RECOGNIZE: runs of rows that follow a pattern, one output row per match.
//
// Rows of a partition are taken in the order of time, as the watermark passes them. Every row may start a run; a run
// lives as long as each next row fits a place the pattern allows. A greedy quantifier takes a row whenever it can; a
// reluctant one also lets the next variable try. A complete match is sent when no older run is alive that might still
// complete, and then decides by AFTER MATCH SKIP which other runs and matches are dropped.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "processing/operators/aggregates.h"
#include "processing/operators/operator.h"

namespace millrace::processing {

class Match final : public Operator {
 public:
  Match(JobContext& job, const plan::Match& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  struct Mapped {
    int term;
    int64_t number;  // of the row within its partition
    std::shared_ptr<const Row> row;
  };
  struct Run {
    size_t term = 0;
    int count = 0;        // rows taken by that term
    int64_t started = 0;  // time of its first row
    std::vector<Mapped> rows;
    int64_t first() const { return rows.front().number; }
  };
  struct Partition {
    int64_t next = 0;
    std::vector<Run> runs;     // oldest first
    std::vector<Run> matches;  // complete, waiting for older runs
  };

  void take(Partition& partition, int64_t time, const Row& row, BatchBuilder& out);
  void step(const Run& run, size_t term, int count, int64_t time, const std::shared_ptr<const Row>& row, int64_t number,
            Partition& next);
  bool fits(const Run& run, size_t term, const std::shared_ptr<const Row>& row, int64_t number);
  Value slot_value(const plan::Match::Slot& slot, const std::vector<Mapped>& rows);
  void expire(Partition& partition, int64_t time);
  void send(Partition& partition, BatchBuilder& out);
  void give(const Run& match, BatchBuilder& out);
  int64_t skip_from(const Run& match) const;

  plan::Match node_;
  bool proctime_;
  std::vector<DataType> input_types_;
  std::vector<DataType> types_;
  std::map<std::string, Partition> partitions_;
  std::map<int64_t, std::map<std::string, std::vector<Row>>> waiting_;  // by time
};

}  // namespace millrace::processing
