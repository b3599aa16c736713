// One row per key: the first or the last by time. By row time, the first is known once the watermark has passed it; the
// last is sent at once and replaced by later ones (of two with the same time, by the one that came later).
//
// ChangelogNormalize completes an upsert stream: it remembers the last row of each key, so that -U and whole -D rows
// can be sent on.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "processing/operators/operator.h"

namespace millrace::processing {

class Deduplicate final : public Operator {
 public:
  Deduplicate(JobContext& job, const plan::Deduplicate& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  struct Kept {
    Row row;
    int64_t time = 0;
    bool sent = false;
  };
  plan::Deduplicate node_;
  std::vector<DataType> types_;
  std::map<std::string, Kept> keys_;
  std::set<std::pair<int64_t, std::string>> waiting_;  // first rows not sent yet, by time
};

class ChangelogNormalize final : public Operator {
 public:
  ChangelogNormalize(JobContext& job, const plan::ChangelogNormalize& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;

 private:
  bool passes(const Row& row);

  plan::ChangelogNormalize node_;
  std::vector<DataType> types_;
  std::map<std::string, Row> rows_;
};

}  // namespace millrace::processing
