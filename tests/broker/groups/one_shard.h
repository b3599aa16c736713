// One shard whose time stands still until a test moves it, and a log in memory that obeys the test.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <random>

#include "broker/groups/group_records.h"
#include "broker/groups/offsets_log.h"
#include "protocol/record_batch.h"
#include "runtime/event.h"
#include "runtime/timer_queue.h"

namespace millrace::broker::groups {

class OneShard final : public Shard, public Clock, public Random {
 public:
  int id() const override { return 0; }
  void post(std::move_only_function<void()> work) override { queue_.push_back(std::move(work)); }
  void post_beside(std::move_only_function<void()> work) override { post(std::move(work)); }
  Clock& clock() override { return *this; }
  Disk& disk() override { std::abort(); }
  Net& net() override { std::abort(); }
  Random& random() override { return *this; }

  MonoTime now() const override { return now_; }
  Timestamp wall_now() const override { return wall_; }
  TimerId schedule(MonoTime due, std::move_only_function<void()> fire) override {
    return timers_.add(due, std::move(fire));
  }
  void cancel(TimerId timer) override { timers_.cancel(timer); }

  uint64_t next() override { return bits_(); }
  void fill(std::span<std::byte> out) override {
    for (std::byte& b : out) b = static_cast<std::byte>(bits_());
  }

  // Everything that can happen now.
  void settle() {
    Running here(this);
    while (!queue_.empty()) {
      auto work = std::move(queue_.front());
      queue_.pop_front();
      work();
    }
  }
  void pass(Millis time) {
    const MonoTime until = now_ + time;
    settle();
    while (timers_.next_due() <= until) {
      move_to(std::max(timers_.next_due(), now_));
      {
        Running here(this);
        while (auto fire = timers_.take_due(now_)) fire();
      }
      settle();
    }
    move_to(until);
  }
  // Begins `task`; its result is there when it has ended.
  template <class T>
  std::shared_ptr<std::optional<T>> begin(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    {
      Running here(this);
      detach(keep(std::move(task), result));
    }
    settle();
    return result;
  }
  template <class T>
  T now_or_fail(Task<T> task) {
    const auto result = begin(std::move(task));
    REQUIRE(result->has_value());
    return std::move(**result);
  }
  template <class Work>
  void run(Work work) {
    {
      Running here(this);
      work();
    }
    settle();
  }

 private:
  template <class T>
  static Task<void> keep(Task<T> task, std::shared_ptr<std::optional<T>> result) {
    Task<T> own = std::move(task);
    *result = co_await std::move(own);
  }
  void move_to(MonoTime to) {
    wall_ = wall_ + std::chrono::duration_cast<Millis>(to - now_).count();
    now_ = to;
  }

  std::deque<std::move_only_function<void()>> queue_;
  TimerQueue timers_;
  MonoTime now_{std::chrono::hours(1)};
  Timestamp wall_{1'700'000'000'000};
  std::mt19937_64 bits_{42};
};

class MemoryLog final : public OffsetsLog {
 public:
  explicit MemoryLog(int32_t partitions = 0) : logs(static_cast<size_t>(partitions)) {}

  int32_t partitions() const override { return static_cast<int32_t>(logs.size()); }
  bool leads(PartitionId) const override { return leading; }
  Task<ErrorCode> create(int32_t partitions, int16_t,
                         std::vector<std::pair<std::string, std::string>> configs) override {
    if (create_says != ErrorCode::none) co_return create_says;
    created_with = std::move(configs);
    logs.resize(static_cast<size_t>(partitions));
    co_return ErrorCode::none;
  }
  Task<Appended> append(PartitionId partition, Bytes batch) override {
    ++appends;
    if (append_says != ErrorCode::none) {
      const ErrorCode error = append_says;
      co_return Appended{error, Offset(-1)};
    }
    One& log = logs.at(static_cast<size_t>(partition.value));
    std::vector<std::byte> stamped(batch.span().begin(), batch.span().end());
    const Offset base = log.end;
    protocol::stamp(stamped, base, LeaderEpoch(0));
    log.batches.push_back(Bytes::take(std::move(stamped)));
    log.end = protocol::RecordBatch(log.batches.back()).next_offset();
    while (held) co_await released.wait();
    co_return Appended{ErrorCode::none, base};
  }
  Task<Page> read(PartitionId partition, Offset from, size_t) override {
    while (reads_held) co_await released.wait();
    Page page;
    for (const Bytes& batch : logs.at(static_cast<size_t>(partition.value)).batches) {
      if (protocol::RecordBatch(batch).last_offset() < from) continue;
      page.batches.push_back(batch);
      if (page.batches.size() == 3) break;
    }
    co_return page;
  }

  // What the log would say about one key now: the last record of each, tombstones left out.
  std::map<std::string, Change> contents() const {
    std::map<std::string, Change> last;
    for (const One& log : logs) {
      for (const Bytes& batch : log.batches) {
        protocol::RecordReader records{protocol::RecordBatch(batch)};
        while (auto record = records.next()) {
          const auto change = read_change(*record);
          REQUIRE(change);
          last.erase(std::string(*record->key));
          if (record->value) last.emplace(std::string(*record->key), *change);
        }
      }
    }
    return last;
  }

  struct One {
    std::vector<Bytes> batches;
    Offset end{0};
  };
  std::vector<One> logs;
  bool leading = true;
  bool held = false;
  bool reads_held = false;
  Event released;
  int appends = 0;
  ErrorCode append_says = ErrorCode::none;
  ErrorCode create_says = ErrorCode::none;
  std::vector<std::pair<std::string, std::string>> created_with;
};

}  // namespace millrace::broker::groups
