// The first N rows of each window and partition, sent when the watermark passes the window's end.
#pragma once

#include <map>
#include <vector>

#include "processing/operators/operator.h"
#include "processing/windows/window_time.h"

namespace millrace::processing {

class WindowRank final : public Operator {
 public:
  WindowRank(JobContext& job, const plan::WindowRank& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  plan::WindowRank node_;
  WindowTime time_;
  std::vector<DataType> types_;
  std::map<int64_t, std::map<std::string, std::vector<Row>>> windows_;  // by end, then by partition; sorted rows
};

}  // namespace millrace::processing
