// Session windows: rows of a key that come within `gap` of each other. A row is late when the session it would belong
// to (after merging) has ended before the watermark.
//
//   SessionAggregate   one row per session when it closes, like a window aggregate
//   SessionRows        the rows themselves with their session's bounds, when it closes
#pragma once

#include <map>
#include <set>
#include <vector>

#include "processing/operators/aggregates.h"
#include "processing/operators/key_table.h"
#include "processing/operators/operator.h"
#include "processing/windows/sessions.h"
#include "processing/windows/window_time.h"

namespace millrace::processing {

// What both share: sessions per key, and when they close. State numbers are the subclass's.
class SessionOperator : public Operator {
 public:
  SessionOperator(JobContext& job, const plan::WindowSpec& spec);

  std::optional<int64_t> next_time() const override;
  void on_time(int64_t now) override;
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void on_watermark(int64_t watermark) override;

  // The state the row goes to; −1: the row is late. Merges what its session absorbs.
  int64_t place(std::string_view key, int64_t instant);
  int64_t time_of(const Batch& batch, size_t row) const;

  virtual int64_t new_state() = 0;
  virtual void merge_states(int64_t into, int64_t from) = 0;
  virtual void close_session(std::string_view key, Window window, int64_t state) = 0;
  virtual void flush() = 0;  // emits what close_session() has gathered
  virtual void save_state(int64_t state, std::string& out) const = 0;
  virtual int64_t load_state(std::string_view& in) = 0;

  plan::WindowSpec spec_;
  WindowTime time_;

 private:
  struct Timer {
    int64_t end;
    uint32_t key;
    int64_t start;
    friend auto operator<=>(const Timer&, const Timer&) = default;
  };
  void fire_until(int64_t progress);

  int64_t progress_ = min_watermark;
  KeyTable keys_;
  std::vector<SessionSet> sessions_;  // by the key's number
  std::set<Timer> timers_;
};

class SessionAggregate final : public SessionOperator {
 public:
  SessionAggregate(JobContext& job, const plan::WindowAggregate& node);

 protected:
  void on_batch(int input, Batch batch) override;
  int64_t new_state() override;
  void merge_states(int64_t into, int64_t from) override;
  void close_session(std::string_view key, Window window, int64_t state) override;
  void flush() override;
  void save_state(int64_t state, std::string& out) const override;
  int64_t load_state(std::string_view& in) override;

 private:
  void release(int64_t state);

  plan::WindowAggregate node_;
  AggregateSet set_;
  AccumulatorList states_;
  std::vector<int64_t> free_;
  int64_t used_ = 0;
  std::vector<DataType> types_;
  std::vector<DataType> key_types_;
  BatchBuilder out_;
};

class SessionRows final : public SessionOperator {
 public:
  SessionRows(JobContext& job, const plan::WindowTvf& node);

 protected:
  void on_batch(int input, Batch batch) override;
  int64_t new_state() override;
  void merge_states(int64_t into, int64_t from) override;
  void close_session(std::string_view key, Window window, int64_t state) override;
  void flush() override;
  void save_state(int64_t state, std::string& out) const override;
  int64_t load_state(std::string_view& in) override;

 private:
  struct Kept {
    int64_t arrival;  // rows leave in the order in which they came, whatever sessions they were in
    Row row;
    RowKind kind;
  };
  plan::WindowTvf node_;
  std::map<int64_t, std::vector<Kept>> rows_;  // by state
  int64_t next_ = 0;
  int64_t arrivals_ = 0;
  BatchBuilder out_;
};

}  // namespace millrace::processing
