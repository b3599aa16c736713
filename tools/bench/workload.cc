// Encoding batches and requests ahead of the run.
#include "tools/bench/workload.h"

#include <chrono>
#include <cstring>
#include <fstream>
#include <random>

#include "protocol/messages/produce.h"
#include "protocol/record_batch.h"
#include "tools/bench/setup_client.h"

namespace millrace::bench {

namespace {

struct Batch {
  Bytes bytes;
  uint64_t records = 0;
  uint64_t payload = 0;
};

constexpr size_t key_size = 16;
constexpr size_t record_overhead = 21;  // at most: length, attributes, deltas, key and value lengths, header count

// {"order":184467,"customer":"mira","item":"teapot",…} until `size` is reached.
std::string text_of(size_t size, std::mt19937_64& random) {
  static constexpr std::string_view words[] = {"order", "customer", "teapot", "kettle", "river",  "mill",
                                               "stone", "grain",    "harbor", "market", "amount", "total",
                                               "paid",  "ready",    "north",  "copper"};
  std::string text = "{\"id\":" + std::to_string(random() % 1'000'000);
  while (text.size() < size) {
    text += ",\"";
    text += words[random() % std::size(words)];
    text += "\":";
    text += random() % 2 == 0 ? std::to_string(random() % 100'000) : "\"" + std::string(words[random() % 16]) + "\"";
  }
  text.resize(size);
  if (size > 0) text.back() = '}';
  return text;
}

Timestamp wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return Timestamp(std::chrono::duration_cast<Millis>(now).count());
}

Batch encode_batch(const Options& options, std::mt19937_64& random) {
  protocol::BatchOptions batch_options;
  batch_options.compression = options.codec;
  protocol::BatchBuilder builder(batch_options);
  const Timestamp now = wall_clock();
  const size_t value_size = options.record_size - (options.keyed ? std::min(key_size, options.record_size) : 0);
  Batch batch;
  do {
    const std::string value = text_of(value_size, random);
    std::string key;
    if (options.keyed) {
      key = std::to_string(1'000'000'000'000'000 + random() % 1'000'000);
      key.resize(std::min(key_size, options.record_size));
      builder.add(now, key, value);
    } else {
      builder.add(now, std::nullopt, value);
    }
    ++batch.records;
    batch.payload += options.record_size;
  } while (builder.size() + options.record_size + record_overhead <= options.batch_size);
  batch.bytes = builder.build();
  return batch;
}

// Values that somebody will want to understand: the lines of a file, as far as `distinct` batches go.
std::vector<Batch> encode_lines(const Options& options) {
  std::ifstream file(*options.lines);
  protocol::BatchOptions batch_options;
  batch_options.compression = options.codec;
  const Timestamp now = wall_clock();
  std::vector<Batch> batches;
  std::string line;
  bool more = static_cast<bool>(std::getline(file, line));
  while (more && batches.size() < static_cast<size_t>(options.distinct)) {
    protocol::BatchBuilder builder(batch_options);
    Batch& batch = batches.emplace_back();
    do {
      builder.add(now, std::nullopt, line);
      ++batch.records;
      batch.payload += line.size();
      more = static_cast<bool>(std::getline(file, line));
    } while (more && builder.size() + line.size() + record_overhead <= options.batch_size);
    batch.bytes = builder.build();
  }
  if (batches.empty()) throw UsageError("no lines in " + *options.lines);
  return batches;
}

Frame encode_frame(const Options& options, TopicId topic_id, int16_t version, int first_partition,
                   const std::vector<Batch>& batches, size_t variant) {
  protocol::ProduceRequest request;
  request.acks = options.acks;
  request.timeout = Millis(30'000);
  auto& topic = request.topics.emplace_back();
  topic.name = options.topic;
  topic.id = topic_id;
  Frame frame;
  frame.first_partition = first_partition;
  frame.partitions = std::min(options.batches_per_request, options.to_be_written() - first_partition);
  for (int i = 0; i < frame.partitions; ++i) {
    const Batch& batch = batches[(variant + static_cast<size_t>(first_partition + i)) % batches.size()];
    auto& partition = topic.partitions.emplace_back();
    partition.index = PartitionId(first_partition + i);
    partition.records = protocol::Records(batch.bytes);
    frame.records += batch.records;
    frame.payload += batch.payload;
    frame.batch_bytes += batch.bytes.size();
  }
  protocol::Writer body;
  request.encode(body, version);
  frame.memory = frame_of(protocol::ProduceRequest::key, version,
                          protocol::request_header_version<protocol::ProduceRequest>(version), 0, body.finish());
  std::memcpy(frame.head.data(), frame.memory.at(0).data(), Frame::head_size);
  for (size_t i = 0; i < frame.memory.size(); ++i) {
    const Bytes& piece = frame.memory[i];
    const size_t skip = i == 0 ? Frame::head_size : 0;
    frame.rest.push_back({const_cast<std::byte*>(piece.data()) + skip, piece.size() - skip});
    frame.size += piece.size();
  }
  return frame;
}

}  // namespace

Workload encode_workload(const Options& options, TopicId topic, int16_t produce_version) {
  std::mt19937_64 random(20260101);
  std::vector<Batch> batches;
  if (options.lines) {
    batches = encode_lines(options);
  } else {
    for (int i = 0; i < options.distinct; ++i) batches.push_back(encode_batch(options, random));
  }
  Workload workload;
  workload.variants = batches.size();
  for (int first = 0; first < options.to_be_written(); first += options.batches_per_request) {
    for (size_t variant = 0; variant < workload.variants; ++variant) {
      workload.frames.push_back(encode_frame(options, topic, produce_version, first, batches, variant));
    }
    ++workload.groups;
  }
  return workload;
}

}  // namespace millrace::bench
