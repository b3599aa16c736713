#include "log/validator.h"

#include <algorithm>

#include "protocol/crc32c.h"
#include "protocol/record_survey.h"

namespace millrace::log {

using protocol::batch_header_size;
using protocol::batch_prefix_size;
using protocol::BatchBuilder;
using protocol::Compression;
using protocol::load_big;
using protocol::RecordBatch;
using protocol::RecordReader;
using protocol::RecordView;
using protocol::store_big;

namespace {

constexpr size_t magic_at = 16;
constexpr int32_t least_length = 14;

// A batch of max.message.bytes may unpack to this many times as much, and to 16 MiB in any case.
constexpr size_t unpack_ratio = 64;
constexpr size_t unpack_floor = 16u << 20;
constexpr size_t unpack_ceiling = 1u << 30;

Validation refuse(ErrorCode error, std::string message) {
  Validation answer;
  answer.error = error;
  answer.message = std::move(message);
  return answer;
}

std::string text(const TopicPartition& name) { return name.topic + "-" + std::to_string(name.partition.value); }

enum class Found { batch, nothing, corrupt };

// What is at `at`, by the rules of Kafka's ByteBufferLogInputStream: a batch that is cut short is nothing.
Found look(const Bytes& bytes, size_t at, size_t& size) {
  const size_t rest = bytes.size() - at;
  if (rest < batch_prefix_size) return Found::nothing;
  const auto length = load_big<int32_t>(bytes.data() + at + 8);
  if (length < least_length) return Found::corrupt;
  if (rest <= magic_at) return Found::nothing;
  const auto magic = static_cast<int8_t>(bytes.data()[at + magic_at]);
  if (magic < 0 || magic > 2) return Found::corrupt;
  size = batch_prefix_size + static_cast<size_t>(length);
  return size > rest ? Found::nothing : Found::batch;
}

// A produce request carries exactly one batch of magic 2 in each partition; bytes behind it are left out.
std::optional<Validation> find_batches(const Bytes& records, bool client, std::vector<ValidBatch>& out) {
  size_t at = 0;
  while (at < records.size()) {
    size_t size = 0;
    const Found found = look(records, at, size);
    if (found == Found::corrupt)
      return refuse(ErrorCode::corrupt_message, "The record batch has no possible size or magic.");
    if (found == Found::nothing) break;
    if (client && !out.empty()) {
      return refuse(ErrorCode::invalid_record, "Produce requests must contain exactly one record batch per partition.");
    }
    if (static_cast<int8_t>(records.data()[at + magic_at]) != 2) {
      return refuse(ErrorCode::invalid_record,
                    "Produce requests are only allowed to contain record batches with magic version 2.");
    }
    if (size < batch_header_size) {
      return refuse(ErrorCode::corrupt_message,
                    "A record batch of " + std::to_string(size) + " bytes is smaller than its header.");
    }
    out.emplace_back().batch = RecordBatch(records.slice(at, size));
    at += size;
  }
  if (out.empty())
    return refuse(ErrorCode::invalid_record, "Produce requests must contain a record batch in each partition.");
  return std::nullopt;
}

std::optional<std::string> header_fault(const RecordBatch& batch, bool client) {
  const int64_t range = int64_t{batch.last_offset_delta()} + 1;
  if (range <= 0) return "Batch has an invalid offset range of " + std::to_string(range) + " records";
  if (batch.count() <= 0) return "Invalid reported count for record batch: " + std::to_string(batch.count());
  if (range != batch.count()) {
    return "Inconsistent batch offset range of " + std::to_string(range) + " and count of records " +
           std::to_string(batch.count());
  }
  if (!client) return std::nullopt;
  if (batch.is_control()) return "Clients are not allowed to write control records";
  if (batch.has_producer() && (batch.producer_epoch().value < 0 || batch.base_sequence().value < 0)) {
    return "Invalid producer epoch " + std::to_string(batch.producer_epoch().value) + " or sequence number " +
           std::to_string(batch.base_sequence().value) + " of producer " + std::to_string(batch.producer_id().value);
  }
  return std::nullopt;
}

// Collects what is wrong with single records; the batch fails when any does.
class RecordRules {
 public:
  RecordRules(const LogConfig& config, const TopicPartition& name, Timestamp now, const RecordBatch& batch)
      : config_(config), name_(name), now_(now), marked_append_time_(batch.is_log_append_time()) {}

  void look_at(const RecordView& record, int32_t index) {
    if (config_.cleanup_compact && !record.key) {
      errors_.push_back(
          {index, "Compacted topic cannot accept message without key in topic partition " + text(name_) + "."});
      return;
    }
    const bool create_time = config_.timestamp_type == TimestampType::create_time;
    if (create_time && record.timestamp.value != -1) {
      // Saturating, so that any timestamp a client invents can be compared.
      const auto age = static_cast<__int128>(now_.value) - record.timestamp.value;
      if (age <= config_.timestamp_before_max.count() && -age <= config_.timestamp_after_max.count()) return;
      bad_time_ = true;
      const auto bound = [](__int128 v) {
        return std::to_string(static_cast<int64_t>(std::clamp<__int128>(v, INT64_MIN, INT64_MAX)));
      };
      errors_.push_back(
          {index, "Timestamp " + std::to_string(record.timestamp.value) + " of message with offset " +
                      std::to_string(record.offset.value) + " is out of range. The timestamp should be within [" +
                      bound(static_cast<__int128>(now_.value) - config_.timestamp_before_max.count()) + ", " +
                      bound(static_cast<__int128>(now_.value) + config_.timestamp_after_max.count()) + "]"});
    } else if (marked_append_time_) {
      bad_time_ = true;
      errors_.push_back({index, "Invalid timestamp type in message with offset " + std::to_string(record.offset.value) +
                                    ". Producer should not set timestamp type to LogAppendTime."});
    }
  }

  bool failed() const { return !errors_.empty(); }
  Validation answer() {
    Validation out =
        bad_time_
            ? refuse(ErrorCode::invalid_timestamp, "One or more records have been rejected due to invalid timestamp")
            : refuse(ErrorCode::invalid_record,
                     "One or more records have been rejected due to " + std::to_string(errors_.size()) +
                         " record errors in total, beginning with: " + errors_.front().message.value_or(""));
    out.record_errors = std::move(errors_);
    return out;
  }

 private:
  const LogConfig& config_;
  const TopicPartition& name_;
  Timestamp now_;
  bool marked_append_time_;
  bool bad_time_ = false;
  std::vector<RecordError> errors_;
};

RecordBatch rebuild(const RecordBatch& batch, Compression codec, const LogConfig& config, Timestamp now, size_t limit) {
  protocol::BatchOptions options;
  options.compression = codec;
  options.producer_id = batch.producer_id();
  options.producer_epoch = batch.producer_epoch();
  options.base_sequence = batch.base_sequence();
  options.transactional = batch.is_transactional();
  options.control = batch.is_control();
  if (config.timestamp_type == TimestampType::log_append_time) options.log_append_time = now;
  BatchBuilder builder(options);
  RecordReader records(batch, limit);
  std::vector<protocol::Header> headers;
  while (std::optional<RecordView> record = records.next()) {
    headers.clear();
    if (record->header_count > 0) {
      for (const protocol::HeaderView& header : record->headers()) {
        headers.push_back({std::string(header.key),
                           header.value ? std::optional<std::string>(std::string(*header.value)) : std::nullopt});
      }
    }
    builder.add(record->timestamp, record->key, record->value, headers);
  }
  return RecordBatch(builder.build());
}

// A batch of max.message.bytes may unpack to this much.
size_t unpack_limit(const LogConfig& config) {
  return std::clamp(static_cast<size_t>(std::max(config.max_message_bytes, 0)) * unpack_ratio, unpack_floor,
                    unpack_ceiling);
}

// The codec in which the batch is to be kept.
Compression target_codec(const RecordBatch& batch, const LogConfig& config) {
  // Control records keep the form in which the broker wrote them.
  if (config.compression < 0 || batch.is_control()) return batch.compression();
  return static_cast<Compression>(config.compression);
}

// Nearly every batch is taken as it came. False when this one may be refused, or needs to be rebuilt: walk() decides.
bool take_as_it_is(ValidBatch& valid, const LogConfig& config, Timestamp now) {
  const RecordBatch& batch = valid.batch;
  const Compression codec = batch.compression();
  if (codec != target_codec(batch, config) || batch.is_log_append_time()) return false;
  const Bytes records = protocol::decompress(codec, batch.payload(), unpack_limit(config));
  const std::optional<protocol::RecordSurvey> found =
      protocol::survey(records.span(), batch.count(), batch.base_timestamp());
  if (!found || (config.cleanup_compact && !found->all_have_keys)) return false;
  if (codec != Compression::none && !found->consecutive) return false;
  valid.records = batch.count();
  if (config.timestamp_type == TimestampType::log_append_time) {
    valid.log_append_time = true;
    valid.max_timestamp = now;
    return true;
  }
  const auto oldest_age = static_cast<__int128>(now.value) - found->oldest.value;
  const auto newest_age = static_cast<__int128>(now.value) - found->newest.value;
  if (oldest_age > config.timestamp_before_max.count() || -newest_age > config.timestamp_after_max.count()) {
    return false;
  }
  valid.max_timestamp = std::max(found->newest, Timestamp(-1));
  return true;
}

std::optional<Validation> walk(ValidBatch& valid, const LogConfig& config, const TopicPartition& name, Timestamp now,
                               bool client) {
  const RecordBatch batch = valid.batch;
  const size_t limit = unpack_limit(config);
  const Compression source = batch.compression();
  const Compression target = target_codec(batch, config);
  bool in_place = source == target;
  const bool deltas_matter = source != Compression::none || target != Compression::none;

  RecordRules rules(config, name, now, batch);
  Timestamp newest(-1);
  int32_t index = 0;
  RecordReader records(batch, limit);
  while (std::optional<RecordView> record = records.next()) {
    rules.look_at(*record, index);
    newest = std::max(newest, record->timestamp);
    if (deltas_matter && record->offset != batch.base_offset() + index) in_place = false;
    ++index;
  }
  if (records.malformed()) {
    return refuse(ErrorCode::invalid_record,
                  "Record " + std::to_string(index) + " of the batch for " + text(name) + " is malformed");
  }
  if (client && rules.failed()) return rules.answer();

  valid.records = index;
  valid.log_append_time = config.timestamp_type == TimestampType::log_append_time;
  valid.max_timestamp = valid.log_append_time ? now : newest;
  if (!in_place) valid.batch = rebuild(batch, target, config, now, limit);
  if (client && !in_place && valid.batch.size() > static_cast<size_t>(config.max_message_bytes)) {
    return refuse(ErrorCode::message_too_large,
                  "The record batch is " + std::to_string(valid.batch.size()) + " bytes after recompression in " +
                      text(name) + ", which exceeds max.message.bytes " + std::to_string(config.max_message_bytes));
  }
  return std::nullopt;
}

std::optional<Validation> check_records(ValidBatch& valid, const LogConfig& config, const TopicPartition& name,
                                        Timestamp now, bool client) {
  try {
    if (take_as_it_is(valid, config, now)) return std::nullopt;
    return walk(valid, config, name, now, client);
  } catch (const protocol::CompressionError& error) {
    return refuse(ErrorCode::unknown_server_error, error.what());
  }
}

}  // namespace

Validation validate(const Bytes& records, const LogConfig& config, const TopicPartition& name, Timestamp now,
                    bool client) {
  Validation answer;
  if (std::optional<Validation> refused = find_batches(records, client, answer.batches)) {
    refused->before_log = true;
    return std::move(*refused);
  }
  for (ValidBatch& valid : answer.batches) {
    const RecordBatch& batch = valid.batch;
    if (client && batch.base_offset().value != 0) {
      return refuse(ErrorCode::invalid_record, "The baseOffset of the record batch in the append to " + text(name) +
                                                   " should be 0, but it is " +
                                                   std::to_string(batch.base_offset().value));
    }
    if (client && batch.size() > static_cast<size_t>(std::max(config.max_message_bytes, 0))) {
      return refuse(ErrorCode::message_too_large, "The record batch size in the append to " + text(name) + " is " +
                                                      std::to_string(batch.size()) +
                                                      " bytes which exceeds the maximum configured value of " +
                                                      std::to_string(config.max_message_bytes) + ").");
    }
    if (!batch.crc_matches()) {
      return refuse(ErrorCode::corrupt_message, "Record is corrupt (stored crc = " + std::to_string(batch.crc()) +
                                                    ") in topic partition " + text(name) + ".");
    }
    if (batch.codec_bits() > 4) {
      return refuse(ErrorCode::unknown_server_error,
                    "Unknown compression type id: " + std::to_string(batch.codec_bits()));
    }
    if (std::optional<std::string> fault = header_fault(batch, client)) {
      return refuse(ErrorCode::invalid_record, *fault + " in topic partition " + text(name) + ".");
    }
    if (std::optional<Validation> refused = check_records(valid, config, name, now, client)) {
      return std::move(*refused);
    }
    answer.size += valid.batch.size();
  }
  return answer;
}

Validation validate_replicated(const Bytes& records, Offset next, const TopicPartition& name) {
  Validation answer;
  protocol::BatchIterator batches(records);
  while (std::optional<RecordBatch> batch = batches.next()) {
    if (!batch->crc_matches()) {
      return refuse(ErrorCode::corrupt_message, "A replicated batch at offset " +
                                                    std::to_string(batch->base_offset().value) + " of " + text(name) +
                                                    " does not match its checksum");
    }
    if (batch->base_offset() < next || batch->base_offset().value > INT64_MAX - INT32_MAX ||
        batch->last_offset() < batch->base_offset()) {
      return refuse(ErrorCode::offset_out_of_range, "A replicated batch of " + text(name) + " begins at offset " +
                                                        std::to_string(batch->base_offset().value) + ", expected " +
                                                        std::to_string(next.value) + " or later");
    }
    next = batch->next_offset();
    ValidBatch valid;
    valid.records = batch->is_legacy() ? 1 : batch->count();
    answer.size += batch->size();
    valid.batch = std::move(*batch);
    answer.batches.push_back(std::move(valid));
  }
  if (batches.malformed()) {
    return refuse(ErrorCode::corrupt_message, "Replicated bytes of " + text(name) + " hold no possible batch size");
  }
  return answer;
}

RecordBatch stamped(const ValidBatch& valid, Offset base, LeaderEpoch epoch, StampIn where) {
  const RecordBatch batch =
      where == StampIn::copy ? RecordBatch(Bytes::copy_of(valid.batch.bytes().span())) : valid.batch;
  // Ours alone, either way.
  const std::span to(const_cast<std::byte*>(batch.bytes().data()), batch.size());
  protocol::stamp(to, base, epoch);
  if (batch.is_log_append_time() != valid.log_append_time || batch.max_timestamp() != valid.max_timestamp) {
    const auto attributes = static_cast<int16_t>((batch.attributes() & ~8) | (valid.log_append_time ? 8 : 0));
    store_big<int16_t>(to.data() + 21, attributes);
    store_big<int64_t>(to.data() + 35, valid.max_timestamp.value);
    store_big<uint32_t>(to.data() + 17, protocol::crc32c(to.subspan(21)));
  }
  return batch;
}

}  // namespace millrace::log
