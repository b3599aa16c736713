#include "processing/operators/match.h"

#include <algorithm>

#include "processing/failure.h"
#include "processing/operators/row_order.h"

namespace millrace::processing {

namespace {

using Slot = plan::Match::Slot;

}  // namespace

Match::Match(JobContext& job, const plan::Match& node)
    : Operator(job, 1),
      node_(node),
      input_types_(types_of(node.inputs.front()->schema)),
      types_(types_of(node.schema)) {
  const auto time = static_cast<size_t>(node.order_by.front().column);
  proctime_ = input_types_[time].attribute == TimeAttribute::proctime;
}

void Match::on_batch(int, Batch batch) {
  BatchBuilder out(types_);
  batch.each([&](size_t at) {
    const std::string key = key_of(batch, at, node_.partition_by);
    if (proctime_) return take(partitions_[key], job_.now, batch.row(at), out);
    const Column& column = batch.columns[static_cast<size_t>(node_.order_by.front().column)];
    if (column.is_null(at)) return;
    const int64_t time = column.at<TimestampValue>(at).millis;
    if (time <= watermark()) {
      ++job_.late_dropped;
      return;
    }
    std::vector<Row>& rows = waiting_[time][key];
    Row row = batch.row(at);
    const auto place = std::upper_bound(rows.begin(), rows.end(), row, [&](const Row& a, const Row& b) {
      return compare_rows(a, b, node_.order_by) < 0;
    });
    rows.insert(place, std::move(row));
  });
  emit(out.finish());
}

void Match::on_watermark(int64_t watermark) {
  BatchBuilder out(types_);
  while (!waiting_.empty() && waiting_.begin()->first <= watermark) {
    for (const auto& [key, rows] : waiting_.begin()->second)
      for (const Row& row : rows) take(partitions_[key], waiting_.begin()->first, row, out);
    waiting_.erase(waiting_.begin());
  }
  if (node_.within && !proctime_) {
    for (auto& [key, partition] : partitions_) {
      expire(partition, watermark);
      send(partition, out);
    }
  }
  emit(out.finish());
  emit_watermark(watermark);
}

void Match::expire(Partition& partition, int64_t time) {
  if (!node_.within) return;
  std::erase_if(partition.runs,
                [&](const Run& run) { return time == max_watermark || time - run.started >= *node_.within; });
}

void Match::take(Partition& partition, int64_t time, const Row& row, BatchBuilder& out) {
  expire(partition, time);
  const auto shared = std::make_shared<const Row>(row);
  const int64_t number = partition.next++;
  Partition next;
  for (const Run& run : partition.runs) step(run, run.term, run.count, time, shared, number, next);
  step({}, 0, 0, time, shared, number, next);
  partition.runs = std::move(next.runs);
  partition.matches.insert(partition.matches.end(), std::make_move_iterator(next.matches.begin()),
                           std::make_move_iterator(next.matches.end()));
  send(partition, out);
}

// Everything the row may do for the run, which has taken `count` rows for `term` so far.
void Match::step(const Run& run, size_t term, int count, int64_t time, const std::shared_ptr<const Row>& row,
                 int64_t number, Partition& next) {
  if (term == node_.pattern.size()) return;
  const plan::Match::Term& place = node_.pattern[term];
  const bool takes = (place.max < 0 || count < place.max) && fits(run, term, row, number);
  if (takes) {
    Run longer = run;
    if (longer.rows.empty()) longer.started = time;
    longer.term = term;
    longer.count = count + 1;
    longer.rows.push_back({static_cast<int>(term), number, row});
    const bool complete =
        longer.count >= place.min &&
        std::all_of(node_.pattern.begin() + static_cast<std::ptrdiff_t>(term) + 1, node_.pattern.end(),
                    [](const plan::Match::Term& later) { return later.min == 0; });
    const bool open = term + 1 < node_.pattern.size() || place.max < 0 || longer.count < place.max;
    if (complete) next.matches.push_back(longer);
    if (open) next.runs.push_back(std::move(longer));
  }
  if (count >= place.min && !(takes && place.greedy)) step(run, term + 1, 0, time, row, number, next);
}

bool Match::fits(const Run& run, size_t term, const std::shared_ptr<const Row>& row, int64_t number) {
  const plan::Match::Term& place = node_.pattern[term];
  if (!place.define) return true;
  Row seen = *row;
  std::vector<Mapped> with_current;
  for (const Slot& slot : place.slots) {
    if (slot.current_row && with_current.empty()) {
      with_current = run.rows;
      with_current.push_back({static_cast<int>(term), number, row});
    }
    seen.push_back(slot_value(slot, slot.current_row ? with_current : run.rows));
  }
  const Value verdict = evaluate_row(*place.define, seen, eval_);
  return !verdict.is_null() && verdict.as_bool();
}

Value Match::slot_value(const Slot& slot, const std::vector<Mapped>& rows) {
  std::vector<const Row*> mapped;
  for (const Mapped& one : rows)
    if (slot.variable == "*" || node_.pattern[static_cast<size_t>(one.term)].variable == slot.variable)
      mapped.push_back(one.row.get());
  if (slot.kind != Slot::Kind::aggregate) {
    const auto offset = static_cast<size_t>(slot.offset);
    if (offset >= mapped.size()) return {};
    const Row& row = *mapped[slot.kind == Slot::Kind::first ? offset : mapped.size() - 1 - offset];
    return evaluate_row(*slot.value, row, eval_);
  }
  const AggregateSet set({slot.aggregate}, false);
  AccumulatorList states = set.make();
  resize(states, 1);
  if (!mapped.empty()) {
    BatchBuilder builder(input_types_);
    std::vector<uint32_t> numbers;
    for (const Row* row : mapped) {
      numbers.push_back(static_cast<uint32_t>(numbers.size()));
      builder.append(*row);
    }
    const Batch batch = builder.finish();
    const std::vector<uint32_t> groups(batch.rows, 0);
    set.accumulate(states, set.evaluate(batch, eval_), batch, numbers, groups);
  }
  return states.front()->result(0);
}

// Sends the matches that no older run can overtake.
void Match::send(Partition& partition, BatchBuilder& out) {
  const auto older = [](const Run& a, const Run& b) { return a.first() < b.first(); };
  while (!partition.matches.empty()) {
    const auto at = std::ranges::min_element(partition.matches, older);
    const auto oldest = std::ranges::min_element(partition.runs, older);
    if (oldest != partition.runs.end() && oldest->first() < at->first()) return;
    const Run match = *at;
    partition.matches.erase(at);
    give(match, out);
    const int64_t from = skip_from(match);
    const auto dropped = [&](const Run& run) {
      return node_.skip == plan::Match::Skip::to_next_row ? run.first() == match.first() : run.first() < from;
    };
    std::erase_if(partition.runs, dropped);
    std::erase_if(partition.matches, dropped);
  }
}

// The first row that may start another match.
int64_t Match::skip_from(const Run& match) const {
  switch (node_.skip) {
    case plan::Match::Skip::past_last_row:
      return match.rows.back().number + 1;
    case plan::Match::Skip::to_next_row:
      return match.first() + 1;
    default:
      break;
  }
  const bool first = node_.skip == plan::Match::Skip::to_first;
  const Mapped* target = nullptr;
  for (const Mapped& mapped : match.rows) {
    if (node_.pattern[static_cast<size_t>(mapped.term)].variable != node_.skip_variable) continue;
    if (target == nullptr || !first) target = &mapped;
  }
  if (target == nullptr)
    throw RunFailure(
        "org.apache.flink.util.FlinkRuntimeException",
        "Could not skip to " + node_.skip_variable + ". No such element in the found match. Check the pattern.");
  if (target->number == match.first())
    throw RunFailure("org.apache.flink.util.FlinkRuntimeException", "Could not skip to first element of a match.");
  return target->number;
}

void Match::give(const Run& match, BatchBuilder& out) {
  Row slots;
  for (const Slot& slot : node_.slots) slots.push_back(slot_value(slot, match.rows));
  size_t column = 0;
  for (const int key : node_.partition_by)
    out.column(column++).append((*match.rows.front().row)[static_cast<size_t>(key)]);
  for (const ExprPtr& measure : node_.measures) out.column(column++).append(evaluate_row(*measure, slots, eval_));
  out.end_row();
}

void Match::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(partitions_.size()));
  for (const auto& [key, partition] : partitions_) {
    append_bytes(out, key);
    append_int(out, partition.next);
    // Runs share rows: each row is written once.
    std::map<int64_t, const Row*> rows;
    for (const std::vector<Run>* list : {&partition.runs, &partition.matches})
      for (const Run& run : *list)
        for (const Mapped& mapped : run.rows) rows[mapped.number] = mapped.row.get();
    append_int(out, static_cast<int64_t>(rows.size()));
    for (const auto& [number, row] : rows) {
      append_int(out, number);
      append_row(out, *row);
    }
    for (const std::vector<Run>* list : {&partition.runs, &partition.matches}) {
      append_int(out, static_cast<int64_t>(list->size()));
      for (const Run& run : *list) {
        append_int(out, static_cast<int64_t>(run.term));
        append_int(out, run.count);
        append_int(out, run.started);
        append_int(out, static_cast<int64_t>(run.rows.size()));
        for (const Mapped& mapped : run.rows) {
          append_int(out, mapped.term);
          append_int(out, mapped.number);
        }
      }
    }
  }
  append_int(out, static_cast<int64_t>(waiting_.size()));
  for (const auto& [time, keys] : waiting_) {
    append_int(out, time);
    append_int(out, static_cast<int64_t>(keys.size()));
    for (const auto& [key, rows] : keys) {
      append_bytes(out, key);
      append_int(out, static_cast<int64_t>(rows.size()));
      for (const Row& row : rows) append_row(out, row);
    }
  }
}

void Match::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    Partition& partition = partitions_[std::string(read_bytes(in))];
    partition.next = read_int(in);
    std::map<int64_t, std::shared_ptr<const Row>> rows;
    for (int64_t r = read_int(in); r > 0; --r) {
      const int64_t number = read_int(in);
      rows[number] = std::make_shared<const Row>(read_row(in));
    }
    for (std::vector<Run>* list : {&partition.runs, &partition.matches}) {
      for (int64_t r = read_int(in); r > 0; --r) {
        Run run;
        run.term = static_cast<size_t>(read_int(in));
        run.count = static_cast<int>(read_int(in));
        run.started = read_int(in);
        for (int64_t m = read_int(in); m > 0; --m) {
          Mapped mapped;
          mapped.term = static_cast<int>(read_int(in));
          mapped.number = read_int(in);
          mapped.row = rows.at(mapped.number);
          run.rows.push_back(std::move(mapped));
        }
        list->push_back(std::move(run));
      }
    }
  }
  for (int64_t n = read_int(in); n > 0; --n) {
    auto& keys = waiting_[read_int(in)];
    for (int64_t k = read_int(in); k > 0; --k) {
      std::vector<Row>& rows = keys[std::string(read_bytes(in))];
      for (int64_t r = read_int(in); r > 0; --r) rows.push_back(read_row(in));
    }
  }
}

}  // namespace millrace::processing
