#include "processing/operators/time_joins.h"

#include <algorithm>

namespace millrace::processing {

namespace {

constexpr size_t pairs_at_once = 1024;  // of rows, so that a condition is computed for many of them

int64_t millis_at(const Batch& batch, size_t row, int column) {
  const Column& times = batch.columns[static_cast<size_t>(column)];
  return times.is_null(row) ? min_watermark : times.at<TimestampValue>(row).millis;
}

}  // namespace

// ---- WindowJoin

WindowJoin::WindowJoin(JobContext& job, const plan::WindowJoin& node)
    : Operator(job, 2),
      sides_(node),
      ends_{node.left_end, node.right_end},
      time_(eval_.zone, goes_by_local_time(node.inputs[0]->schema)) {}

void WindowJoin::on_batch(int input, Batch batch) {
  batch.each([&](size_t at) {
    const int64_t end = millis_at(batch, at, ends_[input]);
    if (end == min_watermark) return;
    if (watermark() != min_watermark && time_.fired(end, watermark())) {
      ++job_.late_dropped;
      return;
    }
    bool matchable = true;
    std::string key = sides_.key(batch, at, input, matchable);
    key.insert(key.begin(), matchable ? '\1' : '\0');
    Group& group = windows_[end][key];
    group.matchable = matchable;
    group.rows[input].push_back(batch.row(at));
  });
}

void WindowJoin::join(const Group& group, BatchBuilder& out) {
  std::vector<bool> right_matched(group.rows[1].size(), false);
  std::vector<const Row*> right;
  if (group.matchable)
    for (const Row& row : group.rows[1]) right.push_back(&row);
  const std::span<const Row> left = group.rows[0];
  const size_t at_once = std::max<size_t>(1, pairs_at_once / std::max<size_t>(1, right.size()));
  for (size_t from = 0; from < left.size(); from += at_once) {
    const std::span<const Row> some = left.subspan(from, std::min(at_once, left.size() - from));
    const std::vector<bool> fits = sides_.fitting(some, right, eval_);
    auto fit = fits.begin();
    for (const Row& row : some) {
      bool any = false;
      for (size_t i = 0; i < right.size(); ++i, ++fit) {
        if (!*fit) continue;
        any = true;
        right_matched[i] = true;
        if (!sides_.one_sided()) sides_.give(out, &row, right[i], RowKind::insert);
      }
      if (sides_.one_sided() ? any != sides_.anti() : !any && sides_.outer(0))
        sides_.give(out, &row, nullptr, RowKind::insert);
    }
  }
  if (!sides_.outer(1)) return;
  for (size_t i = 0; i < right_matched.size(); ++i)
    if (!right_matched[i]) sides_.give(out, nullptr, &group.rows[1][i], RowKind::insert);
}

void WindowJoin::on_watermark(int64_t watermark) {
  BatchBuilder out(sides_.types());
  while (!windows_.empty() && time_.fired(windows_.begin()->first, watermark)) {
    for (const auto& [key, group] : windows_.begin()->second) join(group, out);
    windows_.erase(windows_.begin());
  }
  emit(out.finish());
  emit_watermark(watermark);
}

void WindowJoin::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(windows_.size()));
  for (const auto& [end, groups] : windows_) {
    append_int(out, end);
    append_int(out, static_cast<int64_t>(groups.size()));
    for (const auto& [key, group] : groups) {
      append_bytes(out, key);
      append_int(out, group.matchable ? 1 : 0);
      for (const std::vector<Row>& rows : group.rows) {
        append_int(out, static_cast<int64_t>(rows.size()));
        for (const Row& row : rows) append_row(out, row);
      }
    }
  }
}

void WindowJoin::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    auto& groups = windows_[read_int(in)];
    for (int64_t g = read_int(in); g > 0; --g) {
      Group& group = groups[std::string(read_bytes(in))];
      group.matchable = read_int(in) != 0;
      for (std::vector<Row>& rows : group.rows)
        for (int64_t r = read_int(in); r > 0; --r) rows.push_back(read_row(in));
    }
  }
}

// ---- IntervalJoin

IntervalJoin::IntervalJoin(JobContext& job, const plan::IntervalJoin& node)
    : Operator(job, 2),
      sides_(node),
      times_{node.left_time, node.right_time},
      lower_(node.lower),
      upper_(node.upper),
      proctime_(node.proctime) {}

void IntervalJoin::on_batch(int input, Batch batch) {
  BatchBuilder out(sides_.types());
  const int other = 1 - input;
  const int64_t progress = proctime_ ? job_.now : watermark();
  if (proctime_) {
    for (int side = 0; side < 2; ++side) forget(side, progress - 1, out);
  }
  batch.each([&](size_t at) {
    const int64_t time = proctime_ ? job_.now : millis_at(batch, at, times_[input]);
    bool matchable = true;
    const std::string key = sides_.key(batch, at, input, matchable);
    Entry entry{batch.row(at), false};
    if (matchable && time != min_watermark) {
      if (const auto found = rows_[other].find(key); found != rows_[other].end()) {
        // left time + lower <= right time <= left time + upper
        const int64_t from = input == 0 ? time + lower_ : time - upper_;
        const int64_t to = input == 0 ? time + upper_ : time - lower_;
        std::vector<const Row*> candidates;
        std::vector<Entry*> entries;
        for (auto it = found->second.lower_bound(from); it != found->second.end() && it->first <= to; ++it) {
          candidates.push_back(&it->second.row);
          entries.push_back(&it->second);
        }
        const std::vector<bool> fits = sides_.fitting(entry.row, input, candidates, eval_);
        for (size_t i = 0; i < fits.size(); ++i) {
          if (!fits[i]) continue;
          entry.matched = true;
          entries[i]->matched = true;
          if (input == 0)
            sides_.give(out, &entry.row, candidates[i], RowKind::insert);
          else
            sides_.give(out, candidates[i], &entry.row, RowKind::insert);
        }
      }
    }
    const bool waits =
        matchable && time != min_watermark && (progress == min_watermark || expiry(input, time) > progress);
    if (waits) {
      rows_[input][key].emplace(time, std::move(entry));
    } else if (!entry.matched && sides_.outer(input)) {
      if (input == 0)
        sides_.give(out, &entry.row, nullptr, RowKind::insert);
      else
        sides_.give(out, nullptr, &entry.row, RowKind::insert);
    }
  });
  emit(out.finish());
}

void IntervalJoin::forget(int side, int64_t progress, BatchBuilder& out) {
  for (auto key = rows_[side].begin(); key != rows_[side].end();) {
    Timed& timed = key->second;
    while (!timed.empty() && expiry(side, timed.begin()->first) <= progress) {
      const Entry& entry = timed.begin()->second;
      if (!entry.matched && sides_.outer(side)) {
        if (side == 0)
          sides_.give(out, &entry.row, nullptr, RowKind::insert);
        else
          sides_.give(out, nullptr, &entry.row, RowKind::insert);
      }
      timed.erase(timed.begin());
    }
    key = timed.empty() ? rows_[side].erase(key) : std::next(key);
  }
}

void IntervalJoin::on_watermark(int64_t watermark) {
  if (!proctime_ || watermark == max_watermark) {
    BatchBuilder out(sides_.types());
    for (int side = 0; side < 2; ++side) forget(side, watermark, out);
    emit(out.finish());
  }
  // Results carry times that may lie behind the watermark by as much as a row waits.
  const int64_t delay = std::max<int64_t>({0, upper_, -lower_});
  emit_watermark(watermark == max_watermark ? watermark : watermark - delay);
}

void IntervalJoin::save(std::string& out) const {
  Operator::save(out);
  for (const auto& side : rows_) {
    append_int(out, static_cast<int64_t>(side.size()));
    for (const auto& [key, timed] : side) {
      append_bytes(out, key);
      append_int(out, static_cast<int64_t>(timed.size()));
      for (const auto& [time, entry] : timed) {
        append_int(out, time);
        append_int(out, entry.matched ? 1 : 0);
        append_row(out, entry.row);
      }
    }
  }
}

void IntervalJoin::load(std::string_view& in) {
  Operator::load(in);
  for (auto& side : rows_) {
    for (int64_t n = read_int(in); n > 0; --n) {
      Timed& timed = side[std::string(read_bytes(in))];
      for (int64_t r = read_int(in); r > 0; --r) {
        const int64_t time = read_int(in);
        Entry entry;
        entry.matched = read_int(in) != 0;
        entry.row = read_row(in);
        timed.emplace(time, std::move(entry));
      }
    }
  }
}

// ---- TemporalJoin

TemporalJoin::TemporalJoin(JobContext& job, const plan::TemporalJoin& node)
    : Operator(job, 2), sides_(node), times_{node.left_time, node.right_time} {}

void TemporalJoin::on_batch(int input, Batch batch) {
  batch.each([&](size_t at) {
    bool matchable = true;
    std::string key = sides_.key(batch, at, input, matchable);
    const int64_t time = millis_at(batch, at, times_[input]);
    if (time == min_watermark) return;
    if (input == 0) {
      if (time <= watermark()) {
        ++job_.late_dropped;
        return;
      }
      key.insert(key.begin(), matchable ? '\1' : '\0');
      left_.emplace(time, Waiting{std::move(key), batch.kind(at), batch.row(at)});
      return;
    }
    if (!matchable) return;
    key.insert(key.begin(), '\1');
    const RowKind kind = batch.kind(at);
    if (kind == RowKind::update_before) return;
    versions_[key][time] = {kind != RowKind::delete_, batch.row(at)};
  });
}

void TemporalJoin::on_watermark(int64_t watermark) {
  BatchBuilder out(sides_.types());
  while (!left_.empty() && left_.begin()->first <= watermark) {
    const int64_t time = left_.begin()->first;
    const Waiting waiting = std::move(left_.begin()->second);
    left_.erase(left_.begin());
    const Version* valid = nullptr;
    if (const auto known = versions_.find(waiting.key); known != versions_.end()) {
      auto version = known->second.upper_bound(time);
      if (version != known->second.begin() && std::prev(version)->second.valid) valid = &std::prev(version)->second;
    }
    if (valid != nullptr) {
      const std::vector<const Row*> candidate{&valid->row};
      if (!sides_.fitting(waiting.row, 0, candidate, eval_)[0]) valid = nullptr;
    }
    if (valid != nullptr)
      sides_.give(out, &waiting.row, &valid->row, waiting.kind);
    else if (sides_.outer(0))
      sides_.give(out, &waiting.row, nullptr, waiting.kind);
  }
  // Of each key only the newest version that the watermark has passed can still be asked for.
  for (auto& [key, versions] : versions_) {
    auto newest = versions.upper_bound(watermark);
    if (newest != versions.begin()) versions.erase(versions.begin(), std::prev(newest));
  }
  emit(out.finish());
  emit_watermark(watermark);
}

void TemporalJoin::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(left_.size()));
  for (const auto& [time, waiting] : left_) {
    append_int(out, time);
    append_bytes(out, waiting.key);
    append_int(out, static_cast<int64_t>(waiting.kind));
    append_row(out, waiting.row);
  }
  append_int(out, static_cast<int64_t>(versions_.size()));
  for (const auto& [key, versions] : versions_) {
    append_bytes(out, key);
    append_int(out, static_cast<int64_t>(versions.size()));
    for (const auto& [time, version] : versions) {
      append_int(out, time);
      append_int(out, version.valid ? 1 : 0);
      append_row(out, version.row);
    }
  }
}

void TemporalJoin::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    const int64_t time = read_int(in);
    Waiting waiting;
    waiting.key = read_bytes(in);
    waiting.kind = static_cast<RowKind>(read_int(in));
    waiting.row = read_row(in);
    left_.emplace(time, std::move(waiting));
  }
  for (int64_t n = read_int(in); n > 0; --n) {
    auto& versions = versions_[std::string(read_bytes(in))];
    for (int64_t v = read_int(in); v > 0; --v) {
      Version& version = versions[read_int(in)];
      version.valid = read_int(in) != 0;
      version.row = read_row(in);
    }
  }
}

}  // namespace millrace::processing
