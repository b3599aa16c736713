#include "processing/jobs/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "processing/operators/operator.h"
#include "protocol/batch_layout.h"
#include "runtime/shard.h"

namespace millrace::processing {

namespace {

constexpr int64_t format_version = 2;
constexpr int64_t format_without_remake = 1;
constexpr size_t chunk_size = 256 << 10;  // appended at a time, between two requests of others

std::string key_of(int64_t epoch, size_t chunk, size_t chunks) {
  return std::to_string(epoch) + "/" + std::to_string(chunk) + "/" + std::to_string(chunks);
}

struct Key {
  int64_t epoch = -1;
  size_t chunk = 0;
  size_t chunks = 0;
  bool done = false;
};

std::optional<Key> parse_key(std::string_view text) {
  Key key;
  const char* at = text.data();
  const char* end = at + text.size();
  auto parsed = std::from_chars(at, end, key.epoch);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '/') return std::nullopt;
  at = parsed.ptr + 1;
  if (std::string_view(at, static_cast<size_t>(end - at)) == "done") {
    key.done = true;
    return key;
  }
  parsed = std::from_chars(at, end, key.chunk);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '/') return std::nullopt;
  parsed = std::from_chars(parsed.ptr + 1, end, key.chunks);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return key;
}

}  // namespace

void Epoch::encode(const std::function<void(std::string_view)>& give) const {
  std::string out;
  const auto give_out = [&] {
    give(out);
    out.clear();
  };
  append_int(out, format_version);
  append_int(out, number);
  append_int(out, last ? 1 : 0);
  append_int(out, static_cast<int64_t>(sources.size()));
  for (const Source& source : sources) {
    append_int(out, source.source);
    append_bytes(out, source.topic);
    append_int(out, source.partition);
    append_int(out, source.position);
    append_int(out, source.stop);
    append_int(out, source.watermark);
    append_int(out, source.finished ? 1 : 0);
  }
  append_int(out, producer);
  append_int(out, static_cast<int64_t>(sequences.size()));
  for (const auto& [to, next] : sequences) {
    append_bytes(out, to.topic);
    append_int(out, to.partition.value);
    append_int(out, next);
  }
  append_int(out, static_cast<int64_t>(state.size()));
  give_out();
  give(state);
  append_int(out, static_cast<int64_t>(outputs.size()));
  for (const Output& output : outputs) {
    append_bytes(out, output.to.topic);
    append_int(out, output.to.partition.value);
    append_int(out, output.last_sequence);
    append_int(out, static_cast<int64_t>(output.batch.size()));
    give_out();
    give(output.batch.text());
  }
  append_int(out, remake ? 1 : 0);
  if (remake) {
    append_bytes(out, remake->to.topic);
    append_int(out, remake->to.partition.value);
    append_int(out, remake->first_sequence);
    append_int(out, remake->count);
    append_int(out, static_cast<int64_t>(remake->steps.size()));
    for (const Remake::Step& step : remake->steps) {
      append_int(out, step.count);
      append_int(out, step.place.source);
      append_int(out, step.place.position);
      append_int(out, step.place.watermark);
    }
  }
  give_out();
}

Epoch Epoch::decode(std::string_view in) {
  const int64_t version = read_int(in);
  if (version != format_version && version != format_without_remake)
    throw std::runtime_error("the checkpoint has another format");
  Epoch epoch;
  epoch.number = read_int(in);
  epoch.last = read_int(in) != 0;
  for (int64_t n = read_int(in); n > 0; --n) {
    Source source;
    source.source = static_cast<int32_t>(read_int(in));
    source.topic = read_bytes(in);
    source.partition = static_cast<int32_t>(read_int(in));
    source.position = read_int(in);
    source.stop = read_int(in);
    source.watermark = read_int(in);
    source.finished = read_int(in) != 0;
    epoch.sources.push_back(std::move(source));
  }
  epoch.producer = read_int(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    TopicPartition to;
    to.topic = read_bytes(in);
    to.partition = PartitionId(static_cast<int32_t>(read_int(in)));
    epoch.sequences[std::move(to)] = static_cast<int32_t>(read_int(in));
  }
  epoch.state = read_bytes(in);
  for (int64_t n = read_int(in); n > 0; --n) {
    Output output;
    output.to.topic = read_bytes(in);
    output.to.partition = PartitionId(static_cast<int32_t>(read_int(in)));
    output.last_sequence = static_cast<int32_t>(read_int(in));
    output.batch = Bytes::copy_of(read_bytes(in));
    epoch.outputs.push_back(std::move(output));
  }
  if (version == format_without_remake || read_int(in) == 0) return epoch;
  Remake& remake = epoch.remake.emplace();
  remake.to.topic = read_bytes(in);
  remake.to.partition = PartitionId(static_cast<int32_t>(read_int(in)));
  remake.first_sequence = static_cast<int32_t>(read_int(in));
  remake.count = static_cast<int32_t>(read_int(in));
  for (int64_t n = read_int(in); n > 0; --n) {
    Remake::Step& step = remake.steps.emplace_back();
    step.count = static_cast<int32_t>(read_int(in));
    step.place.source = static_cast<int32_t>(read_int(in));
    step.place.position = read_int(in);
    step.place.watermark = read_int(in);
    if (step.place.source < 0 || static_cast<size_t>(step.place.source) >= epoch.sources.size())
      throw std::runtime_error("the checkpoint is damaged");
  }
  return epoch;
}

bool Epoch::go_back(std::optional<Sequence> known) {
  const Sequence first(remake->first_sequence);
  const int64_t there = known ? int64_t{protocol::sequence_distance(first, *known)} + 1 : 0;
  if (there >= remake->count) return false;
  int32_t reached = 0;
  for (const Remake::Step& step : remake->steps) {
    if (step.count > std::max<int64_t>(there, 0)) break;
    reached = step.count;
    Source& source = sources[static_cast<size_t>(step.place.source)];
    source.position = step.place.position;
    source.watermark = step.place.watermark;
    source.finished = false;
  }
  sequences[remake->to] = protocol::add_sequence(first, reached).value;
  return true;
}

Task<std::optional<CheckpointLog::Found>> CheckpointLog::open() {
  const ErrorCode created = co_await writer_.create(topic_, 1, true);
  if (created != ErrorCode::none && created != ErrorCode::topic_already_exists)
    throw std::runtime_error("cannot make the topic " + topic_);
  const PartitionBounds bounds = co_await reader_.bounds(topic_, PartitionId(0));
  end_ = bounds.end.value;

  std::optional<Found> found;
  Key open_epoch;
  std::string gathered;
  int64_t gathered_from = 0;
  Offset at = bounds.start;
  while (at < bounds.end) {
    const ScanResult part = co_await reader_.scan(topic_, PartitionId(0), at, 1 << 20, after(std::chrono::seconds(10)));
    if (part.error != ErrorCode::none || part.batches.empty())
      throw std::runtime_error("cannot read the topic " + topic_);
    for (const Bytes& bytes : part.batches) {
      protocol::BatchIterator batches(bytes);
      while (const std::optional<protocol::RecordBatch> batch = batches.next()) {
        if (batch->next_offset() <= at) continue;
        protocol::RecordReader records(*batch);
        while (const std::optional<protocol::RecordView> record = records.next()) {
          if (record->offset < at || !record->key) continue;
          const std::optional<Key> key = parse_key(*record->key);
          if (!key) continue;
          if (key->done) {
            if (found && found->epoch.number == key->epoch) found->done = true;
            continue;
          }
          if (key->chunk == 0) {
            open_epoch = *key;
            gathered.clear();
            gathered_from = record->offset.value;
          } else if (key->epoch != open_epoch.epoch || key->chunk != open_epoch.chunk + 1) {
            open_epoch = {};
            continue;
          }
          open_epoch.chunk = key->chunk;
          gathered += record->value.value_or(std::string_view());
          if (key->chunk + 1 == key->chunks) {
            found = Found{Epoch::decode(gathered), false};
            epoch_start_ = gathered_from;
            open_epoch = {};
          }
        }
        at = batch->next_offset();
      }
    }
  }
  co_return found;
}

Task<ErrorCode> CheckpointLog::append(std::vector<Bytes> batches) {
  TopicWriter::Appended appended;
  for (int attempt = 0; attempt < 20 && !batches.empty(); ++attempt) {
    if (attempt > 0) {
      co_await sleep_until(after(std::chrono::milliseconds(100)));
      batches.front() = Bytes::copy_of(batches.front().span());  // it may be there already
    }
    appended = co_await writer_.append_all(topic_, PartitionId(0), batches);
    end_ += static_cast<int64_t>(appended.batches);
    for (size_t i = 0; i < appended.batches; ++i) bytes_since_trim_ += static_cast<int64_t>(batches[i].size());
    batches.erase(batches.begin(), batches.begin() + static_cast<ptrdiff_t>(appended.batches));
  }
  co_return batches.empty() ? ErrorCode::none : appended.error;
}

std::vector<Bytes> CheckpointLog::records(const Epoch& epoch, Timestamp now) {
  size_t left = 0;
  epoch.encode([&](std::string_view piece) { left += piece.size(); });
  const size_t chunks = (left + chunk_size - 1) / chunk_size;
  std::vector<Bytes> batches;
  std::string batch;
  size_t room = 0;  // for the rest of the chunk
  epoch.encode([&](std::string_view piece) {
    while (!piece.empty()) {
      if (room == 0) {
        room = std::min(left, chunk_size);
        const std::string key = key_of(epoch.number, batches.size(), chunks);
        batch.reserve(protocol::batch_header_size + protocol::most_record_overhead + key.size() + room);
        batch.resize(protocol::batch_header_size);
        protocol::begin_record(batch, 0, 0, key, room);
      }
      const std::string_view part = piece.substr(0, room);
      batch += part;
      piece.remove_prefix(part.size());
      room -= part.size();
      left -= part.size();
      if (room > 0) continue;
      protocol::end_record(batch);
      batches.push_back(
          protocol::finish_batch(std::exchange(batch, {}), {},
                                 {.base_timestamp = now, .max_timestamp = now, .last_offset_delta = 0, .count = 1}));
    }
  });
  return batches;
}

Task<ErrorCode> CheckpointLog::write(std::vector<Bytes> records) {
  const int64_t from = end_;
  const ErrorCode error = co_await append(std::move(records));
  if (error == ErrorCode::none) epoch_start_ = from;
  co_return error;
}

Task<ErrorCode> CheckpointLog::mark_done(int64_t number) {
  protocol::BatchBuilder builder;
  builder.add(Shard::current().clock().wall_now(), std::to_string(number) + "/done", "");
  std::vector<Bytes> batches;
  batches.push_back(builder.build());
  co_return co_await append(std::move(batches));
}

Task<void> CheckpointLog::trim() {
  bytes_since_trim_ = 0;
  co_await writer_.delete_before(topic_, PartitionId(0), Offset(epoch_start_));
}

Task<void> CheckpointLog::remove() { co_await writer_.remove(topic_); }

}  // namespace millrace::processing
