// The datagen connector: rows made up here, at a rate, at random or in sequence.
#pragma once

#include <memory>
#include <vector>

#include "processing/operators/transform.h"
#include "processing/plan.h"

namespace millrace::processing {

class Datagen {
 public:
  Datagen(JobContext& job, const plan::Scan& scan);

  void set_chain(const std::vector<const plan::Node*>& chain);
  // The rows due by now, at most a few thousand.
  Batch next(int64_t now);
  bool finished() const { return last_ && position_ >= *last_; }
  int64_t position() const { return position_; }  // rows made so far
  void seek(int64_t position) { position_ = position; }
  int64_t watermark() const { return watermark_; }

 private:
  struct Column_ {
    bool sequence = false;
    int64_t start = 0, end = 0;  // of a sequence; or the bounds of random whole numbers
    double least = 0, most = 0;  // bounds of random fractions
    int32_t length = 100;
    int64_t max_past = 0;
    double null_rate = 0;
  };
  Value make(const Column_& column, const DataType& type, int64_t now);
  uint64_t random();

  EvalContext eval_;
  plan::Scan scan_;
  std::vector<std::unique_ptr<Transform>> chain_;
  std::vector<Column_> columns_;
  int64_t rate_ = 10'000;
  std::optional<int64_t> last_;
  int64_t position_ = 0;
  int64_t first_ = -1;  // when the first rows were asked for
  int64_t before_first_ = 0;
  int64_t watermark_ = min_watermark;
  uint64_t state_;
};

}  // namespace millrace::processing
