#include "processing/operators/window_rank.h"

#include <algorithm>

#include "processing/operators/row_order.h"

namespace millrace::processing {

WindowRank::WindowRank(JobContext& job, const plan::WindowRank& node)
    : Operator(job, 1),
      node_(node),
      time_(eval_.zone, goes_by_local_time(node.inputs.front()->schema)),
      types_(types_of(node.schema)) {}

void WindowRank::on_batch(int, Batch batch) {
  std::vector<int> partition = node_.partition_by;
  partition.push_back(node_.window_start);
  batch.each([&](size_t at) {
    const Column& column = batch.columns[static_cast<size_t>(node_.window_end)];
    if (column.is_null(at)) return;
    const int64_t end = column.at<TimestampValue>(at).millis;
    if (watermark() != min_watermark && time_.fired(end, watermark())) {
      ++job_.late_dropped;
      return;
    }
    std::vector<Row>& rows = windows_[end][key_of(batch, at, partition)];
    Row row = batch.row(at);
    const auto place = std::upper_bound(rows.begin(), rows.end(), row, [&](const Row& a, const Row& b) {
      return compare_rows(a, b, node_.order_by) < 0;
    });
    if (place - rows.begin() >= node_.last) return;
    rows.insert(place, std::move(row));
    if (static_cast<int64_t>(rows.size()) > node_.last) rows.pop_back();
  });
}

void WindowRank::on_watermark(int64_t watermark) {
  BatchBuilder out(types_);
  while (!windows_.empty() && time_.fired(windows_.begin()->first, watermark)) {
    for (const auto& [key, rows] : windows_.begin()->second) {
      for (size_t i = static_cast<size_t>(node_.first - 1); i < rows.size(); ++i) {
        for (size_t c = 0; c < rows[i].size(); ++c) out.column(c).append(rows[i][c]);
        if (node_.emit_rank) out.column(rows[i].size()).append(Value::integer(static_cast<int64_t>(i) + 1));
        out.end_row();
      }
    }
    windows_.erase(windows_.begin());
  }
  emit(out.finish());
  emit_watermark(watermark);
}

void WindowRank::save(std::string& out) const {
  Operator::save(out);
  append_int(out, static_cast<int64_t>(windows_.size()));
  for (const auto& [end, partitions] : windows_) {
    append_int(out, end);
    append_int(out, static_cast<int64_t>(partitions.size()));
    for (const auto& [key, rows] : partitions) {
      append_bytes(out, key);
      append_int(out, static_cast<int64_t>(rows.size()));
      for (const Row& row : rows) append_row(out, row);
    }
  }
}

void WindowRank::load(std::string_view& in) {
  Operator::load(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    auto& partitions = windows_[read_int(in)];
    for (int64_t p = read_int(in); p > 0; --p) {
      std::vector<Row>& rows = partitions[std::string(read_bytes(in))];
      for (int64_t r = read_int(in); r > 0; --r) rows.push_back(read_row(in));
    }
  }
}

}  // namespace millrace::processing
