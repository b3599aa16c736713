#include "processing/connectors/outbox.h"

#include <algorithm>
#include <utility>

namespace millrace::processing {

namespace {

constexpr size_t most_batch_bytes = 400'000;
constexpr size_t enough_batch_bytes = 310'000;  // for a batch that can end at a step
// Batches that end at steps fit, and no batch is so much smaller that it would be copied when it is finished.
constexpr size_t usual_batch_bytes = 385'000;

}  // namespace

OutputBatch& Outbox::open_batch(Lane& lane, Timestamp timestamp, size_t size) {
  std::vector<OutputBatch>& batches = lane.batches;
  const size_t used = batches.empty() ? 0 : batches.back().bytes.size();
  if (batches.empty() || used + size > most_batch_bytes || (at_step_ && used >= enough_batch_bytes)) {
    const bool more = !batches.empty();
    if (more && at_step_) batches.back().places = std::exchange(places_, {});
    OutputBatch& batch = batches.emplace_back();
    if (more) batch.bytes.reserve(at_step_ ? usual_batch_bytes : most_batch_bytes);
    batch.bytes.resize(protocol::batch_header_size);
    batch.summary.base_timestamp = timestamp;
  }
  at_step_ = false;
  protocol::BatchSummary& summary = batches.back().summary;
  summary.max_timestamp = std::max(summary.max_timestamp, timestamp);
  return batches.back();
}

void Outbox::add(Lane& lane, Timestamp timestamp, std::optional<std::string_view> key,
                 std::optional<std::string_view> value, std::span<const protocol::Header> headers) {
  const size_t size = protocol::most_record_overhead + (key ? key->size() : 0) + (value ? value->size() : 0);
  OutputBatch& batch = open_batch(lane, timestamp, size);
  protocol::BatchSummary& summary = batch.summary;
  ++summary.last_offset_delta;
  ++summary.count;
  append_record(batch.bytes, timestamp - summary.base_timestamp, summary.last_offset_delta, key, value, headers);
  bytes_ += size;
  ++count_;
}

void Outbox::add_values(Lane& lane, Timestamp timestamp, std::string_view values, std::span<const size_t> ends) {
  for (size_t from = 0; !ends.empty();) {
    OutputBatch& batch = open_batch(lane, timestamp, protocol::most_record_overhead + ends.front() - from);
    const auto size_of = [&](size_t count) { return count * protocol::most_record_overhead + ends[count - 1] - from; };
    const size_t room = most_batch_bytes - std::min(most_batch_bytes, batch.bytes.size());
    size_t count = ends.size();
    if (size_of(count) > room) {
      count = 1;
      while (count < ends.size() && size_of(count + 1) <= room) ++count;
    }
    protocol::BatchSummary& summary = batch.summary;
    protocol::append_values(batch.bytes, timestamp - summary.base_timestamp, summary.last_offset_delta + 1, values,
                            from, ends.first(count));
    summary.last_offset_delta += static_cast<int32_t>(count);
    summary.count += static_cast<int32_t>(count);
    bytes_ += size_of(count);
    count_ += static_cast<int64_t>(count);
    from = ends[count - 1];
    ends = ends.subspan(count);
  }
}

void Outbox::step(SourcePlace place) {
  const auto at = std::ranges::find(places_, place.source, &SourcePlace::source);
  if (at != places_.end())
    *at = place;
  else
    places_.push_back(place);
  at_step_ = true;
}

std::vector<std::pair<TopicPartition, std::vector<OutputBatch>>> Outbox::take() {
  std::vector<std::pair<TopicPartition, std::vector<OutputBatch>>> taken;
  for (auto& [to, lane] : lanes_)
    if (!lane.batches.empty()) taken.emplace_back(to, std::exchange(lane.batches, {}));
  bytes_ = 0;
  count_ = 0;
  places_.clear();
  at_step_ = false;
  return taken;
}

}  // namespace millrace::processing
