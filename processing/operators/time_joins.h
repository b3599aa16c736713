// Joins that end with time.
//
//   WindowJoin     rows of the same window; results when the watermark passes its end
//   IntervalJoin   rows whose times are within bounds of each other; results at once, rows without a match when none
//   can
//                  come any more
//   TemporalJoin   each left row with the version of the right row that was valid at its time, when the watermark is
//   there
#pragma once

#include <map>
#include <vector>

#include "processing/operators/join_base.h"
#include "processing/windows/window_time.h"

namespace millrace::processing {

class WindowJoin final : public Operator {
 public:
  WindowJoin(JobContext& job, const plan::WindowJoin& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  struct Group {
    std::vector<Row> rows[2];
    bool matchable = true;
  };
  void join(const Group& group, BatchBuilder& out);

  JoinSides sides_;
  int ends_[2];
  WindowTime time_;
  std::map<int64_t, std::map<std::string, Group>> windows_;  // by end, then by key
};

class IntervalJoin final : public Operator {
 public:
  IntervalJoin(JobContext& job, const plan::IntervalJoin& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  struct Entry {
    Row row;
    bool matched = false;
  };
  using Timed = std::multimap<int64_t, Entry>;
  // Until when a row of that side and time can still find a match.
  int64_t expiry(int side, int64_t time) const { return side == 0 ? time + upper_ : time - lower_; }
  void forget(int side, int64_t progress, BatchBuilder& out);

  JoinSides sides_;
  int times_[2];
  int64_t lower_;
  int64_t upper_;
  bool proctime_;
  std::map<std::string, Timed> rows_[2];  // by key
};

class TemporalJoin final : public Operator {
 public:
  TemporalJoin(JobContext& job, const plan::TemporalJoin& node);
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_batch(int input, Batch batch) override;
  void on_watermark(int64_t watermark) override;

 private:
  struct Version {
    bool valid = false;
    Row row;
  };
  struct Waiting {
    std::string key;
    RowKind kind;
    Row row;
  };
  JoinSides sides_;
  int times_[2];
  std::multimap<int64_t, Waiting> left_;
  std::map<std::string, std::map<int64_t, Version>> versions_;  // by key, then by the time from which they are valid
};

}  // namespace millrace::processing
