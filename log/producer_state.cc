// The rules are those of Kafka's ProducerAppendInfo; messages for clients name what was expected.
#include "log/producer_state.h"

#include <algorithm>

#include "protocol/crc32c.h"

namespace millrace::log {

using protocol::load_big;
using protocol::RecordBatch;
using protocol::store_big;

namespace {

constexpr size_t snapshot_head = 10;
constexpr size_t snapshot_entry = 46;

bool follows(Sequence last, Sequence next) {
  return int64_t{next.value} == int64_t{last.value} + 1 || (next.value == 0 && last.value == INT32_MAX);
}

std::string number(int64_t value) { return std::to_string(value); }

}  // namespace

Sequence RememberedBatch::first_sequence() const {
  if (last_sequence.value < 0) return last_sequence;
  return protocol::add_sequence(last_sequence, -offset_delta);
}

std::optional<EndMarker> end_marker(const RecordBatch& batch) {
  protocol::RecordReader records(batch);
  const std::optional<protocol::RecordView> record = records.next();
  if (!record || !record->key || record->key->size() < 4) return std::nullopt;
  const auto* key = reinterpret_cast<const std::byte*>(record->key->data());
  const auto type = load_big<int16_t>(key + 2);
  if (type != 0 && type != 1) return std::nullopt;
  EndMarker marker;
  marker.aborted = type == 0;
  marker.timestamp = record->timestamp;
  if (record->value && record->value->size() >= 6) {
    marker.coordinator_epoch = load_big<int32_t>(reinterpret_cast<const std::byte*>(record->value->data()) + 2);
  }
  return marker;
}

ProducerCheck ProducerState::check_batch(const RecordBatch& batch, Offset at, Origin origin) const {
  ProducerCheck answer;
  if (batch.is_legacy() || !batch.has_producer() || origin == Origin::leader) return answer;
  const auto found = producers_.find(batch.producer_id());
  if (found == producers_.end()) return answer;
  const ProducerEntry& entry = found->second;
  const std::string who = "producer " + number(batch.producer_id().value) + " at offset " + number(at.value);
  const auto refuse = [&](ErrorCode error, std::string message) {
    answer.error = error;
    answer.message = std::move(message);
    return answer;
  };

  if (origin == Origin::client && batch.producer_epoch() == entry.epoch) {
    for (int i = 0; i < entry.remembered; ++i) {
      const RememberedBatch& known = entry.batches[static_cast<size_t>(i)];
      if (known.first_sequence() == batch.base_sequence() && known.last_sequence == batch.last_sequence()) {
        answer.duplicate = known;
        return answer;
      }
    }
  }
  if (batch.producer_epoch() < entry.epoch) {
    return refuse(ErrorCode::invalid_producer_epoch, "Epoch of " + who + " is " + number(batch.producer_epoch().value) +
                                                         ", which is smaller than the last seen epoch " +
                                                         number(entry.epoch.value));
  }
  if (batch.is_control()) {
    const std::optional<EndMarker> marker = end_marker(batch);
    if (marker && marker->coordinator_epoch < entry.coordinator_epoch) {
      return refuse(ErrorCode::transaction_coordinator_fenced, "Invalid coordinator epoch for " + who + ": " +
                                                                   number(marker->coordinator_epoch) + " (zombie), " +
                                                                   number(entry.coordinator_epoch) + " (current)");
    }
    return answer;
  }
  if (origin == Origin::client) {
    if (batch.producer_epoch() != entry.epoch) {
      if (batch.base_sequence().value != 0) {
        return refuse(ErrorCode::out_of_order_sequence_number,
                      "Invalid sequence number for new epoch of " + who + ": " + number(batch.producer_epoch().value) +
                          " (request epoch), " + number(batch.base_sequence().value) + " (seq. number), " +
                          number(entry.epoch.value) + " (current producer epoch)");
      }
    } else if (!follows(entry.last_sequence(), batch.base_sequence())) {
      return refuse(ErrorCode::out_of_order_sequence_number,
                    "Out of order sequence number for " + who + ": " + number(batch.base_sequence().value) +
                        " (incoming seq. number), " + number(entry.last_sequence().value) +
                        " (current end sequence number)");
    }
  }
  if (entry.transaction_start.value >= 0 && !batch.is_transactional()) {
    return refuse(ErrorCode::invalid_txn_state, "Expected transactional write from " + who);
  }
  return answer;
}

ProducerEntry& ProducerState::append_batch(const RecordBatch& batch) {
  ProducerEntry& entry = producers_[batch.producer_id()];
  if (entry.epoch != batch.producer_epoch()) {
    entry.epoch = batch.producer_epoch();
    entry.remembered = 0;
  }
  return entry;
}

std::optional<CompletedTransaction> ProducerState::apply(const RecordBatch& batch) {
  if (batch.is_legacy() || !batch.has_producer()) return std::nullopt;
  if (!batch.is_control()) {
    ProducerEntry& entry = append_batch(batch);
    if (entry.remembered == static_cast<int>(entry.batches.size())) {
      std::move(entry.batches.begin() + 1, entry.batches.end(), entry.batches.begin());
      --entry.remembered;
    }
    entry.batches[static_cast<size_t>(entry.remembered++)] = {batch.last_sequence(), batch.last_offset(),
                                                              batch.last_offset_delta(), batch.max_timestamp()};
    entry.last_timestamp = batch.max_timestamp();
    if (batch.is_transactional() && entry.transaction_start.value < 0) {
      entry.transaction_start = batch.base_offset();
      open_[batch.base_offset()] = batch.producer_id();
    }
    return std::nullopt;
  }
  // An empty control batch is what compaction leaves of a transaction that is gone.
  const std::optional<EndMarker> marker = batch.count() > 0 ? end_marker(batch) : std::nullopt;
  if (!marker) return std::nullopt;
  ProducerEntry& entry = append_batch(batch);
  entry.coordinator_epoch = marker->coordinator_epoch;
  entry.last_timestamp = marker->timestamp;
  if (entry.transaction_start.value < 0) return std::nullopt;
  CompletedTransaction done{batch.producer_id(), entry.transaction_start, batch.base_offset(), marker->aborted,
                            batch.base_offset() + 1};
  open_.erase(done.first);
  if (!open_.empty()) done.last_stable = open_.begin()->first;
  decided_.push_back({done.first, done.last});
  entry.transaction_start = Offset(-1);
  return done;
}

std::optional<Offset> ProducerState::first_unstable(Offset high_watermark) const {
  std::optional<Offset> first;
  if (!open_.empty()) first = open_.begin()->first;
  std::erase_if(decided_, [&](const Decided& d) { return d.marker < high_watermark; });
  for (const Decided& d : decided_) {
    if (!first || d.first < *first) first = d.first;
  }
  return first;
}

void ProducerState::clear() {
  producers_.clear();
  open_.clear();
  decided_.clear();
}

void ProducerState::expire(Timestamp older_than) {
  std::erase_if(producers_, [&](const auto& producer) {
    return producer.second.transaction_start.value < 0 && producer.second.last_timestamp <= older_than;
  });
}

const ProducerEntry* ProducerState::find(ProducerId id) const {
  const auto found = producers_.find(id);
  return found == producers_.end() ? nullptr : &found->second;
}

std::vector<ProducerSummary> ProducerState::summaries() const {
  std::vector<ProducerSummary> all;
  all.reserve(producers_.size());
  for (const auto& [id, entry] : producers_) {
    all.push_back({id, entry.epoch, entry.last_sequence(), entry.last_offset(), entry.last_timestamp,
                   entry.coordinator_epoch, entry.transaction_start});
  }
  std::ranges::sort(all, {}, &ProducerSummary::id);
  return all;
}

std::string ProducerState::encode_snapshot() const {
  std::string file(snapshot_head + producers_.size() * snapshot_entry, '\0');
  auto* start = reinterpret_cast<std::byte*>(file.data());
  store_big<int16_t>(start, 1);
  store_big<int32_t>(start + 6, static_cast<int32_t>(producers_.size()));
  std::byte* to = start + snapshot_head;
  for (const ProducerSummary& producer : summaries()) {
    const ProducerEntry& entry = producers_.at(producer.id);
    const int32_t delta =
        entry.remembered == 0 ? 0 : entry.batches[static_cast<size_t>(entry.remembered - 1)].offset_delta;
    store_big<int64_t>(to, producer.id.value);
    store_big<int16_t>(to + 8, entry.epoch.value);
    store_big<int32_t>(to + 10, entry.last_sequence().value);
    store_big<int64_t>(to + 14, entry.last_offset().value);
    store_big<int32_t>(to + 22, delta);
    store_big<int64_t>(to + 26, entry.last_timestamp.value);
    store_big<int32_t>(to + 34, entry.coordinator_epoch);
    store_big<int64_t>(to + 38, entry.transaction_start.value);
    to += snapshot_entry;
  }
  store_big<uint32_t>(start + 2, protocol::crc32c(std::as_bytes(std::span(file)).subspan(6)));
  return file;
}

bool ProducerState::load_snapshot(std::string_view file) {
  if (file.size() < snapshot_head) return false;
  const auto* from = reinterpret_cast<const std::byte*>(file.data());
  const auto count = load_big<int32_t>(from + 6);
  if (load_big<int16_t>(from) != 1 || count < 0) return false;
  if (file.size() != snapshot_head + static_cast<size_t>(count) * snapshot_entry) return false;
  if (load_big<uint32_t>(from + 2) != protocol::crc32c(std::span(from, file.size()).subspan(6))) return false;
  clear();
  for (const std::byte* at = from + snapshot_head; at != from + file.size(); at += snapshot_entry) {
    const ProducerId id(load_big<int64_t>(at));
    ProducerEntry entry;
    entry.epoch = ProducerEpoch(load_big<int16_t>(at + 8));
    const RememberedBatch last{Sequence(load_big<int32_t>(at + 10)), Offset(load_big<int64_t>(at + 14)),
                               load_big<int32_t>(at + 22), Timestamp(load_big<int64_t>(at + 26))};
    if (last.last_offset.value >= 0) entry.batches[static_cast<size_t>(entry.remembered++)] = last;
    entry.last_timestamp = last.timestamp;
    entry.coordinator_epoch = load_big<int32_t>(at + 34);
    entry.transaction_start = Offset(load_big<int64_t>(at + 38));
    if (entry.transaction_start.value >= 0) open_[entry.transaction_start] = id;
    producers_[id] = entry;
  }
  return true;
}

}  // namespace millrace::log
