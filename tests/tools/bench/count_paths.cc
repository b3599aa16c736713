// Runs each path that every record takes, always with the same input, for tools/bench/callgrind to count instructions.
//   count_paths                names of the paths, one a line, with how many rounds one count covers
//   count_paths NAME           runs it; under callgrind with --collect-atstart=no only its rounds are counted
// A round is what one batch costs: 16 KB of records of 100 B or 1 KB, 64 partitions of a request, 64 rows of JSON.
#define DOCTEST_CONFIG_IMPLEMENT  // the simulated world prints its seeds with it
#include <doctest/doctest.h>
#include <valgrind/callgrind.h>

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "log/log.h"
#include "log/validator.h"
#include "processing/formats/format.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"
#include "protocol/reader.h"
#include "protocol/record_batch.h"
#include "protocol/writer.h"
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

using namespace millrace;

namespace {

constexpr int rounds = 16;
constexpr int partitions = 64;
constexpr size_t batch_bytes = 16 << 10;
constexpr Timestamp start_time(1'700'000'000'000);  // not after the simulated clock
const TopicId topic{0x1234, 0x5678};

class Counting {
 public:
  Counting() { CALLGRIND_TOGGLE_COLLECT; }
  ~Counting() { CALLGRIND_TOGGLE_COLLECT; }
  Counting(const Counting&) = delete;
};

// Once uncounted, so that caches and lazily made tables are there.
template <class Round>
void count(Round round) {
  round();
  const Counting counting;
  for (int i = 0; i < rounds; ++i) round();
}

// The compiler must believe that somebody looks at the result.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

uint32_t dice = 1;
uint32_t throw_dice(uint32_t sides) {
  dice = dice * 1664525 + 1013904223;
  return (dice >> 8) % sides;
}

// Text that compresses about as well as JSON does.
std::string text_of(size_t size) {
  static constexpr std::string_view words[] = {"order", "price", "2026-01-01", "\"id\":", "customer", "{", "},", "0"};
  std::string text;
  while (text.size() < size) {
    text += words[throw_dice(std::size(words))];
    text += std::to_string(throw_dice(1000));
  }
  text.resize(size);
  return text;
}

std::vector<std::string> values_of_size(size_t size) {
  std::vector<std::string> values;
  for (size_t bytes = 0; bytes + size <= batch_bytes; bytes += size) values.push_back(text_of(size));
  return values;
}

Bytes build(const std::vector<std::string>& values, protocol::Compression compression) {
  protocol::BatchOptions options;
  options.compression = compression;
  protocol::BatchBuilder builder(options);
  Timestamp time = start_time;
  for (const std::string& value : values) {
    builder.add(time, std::nullopt, value);
    time.value += 1;
  }
  return builder.build();
}

Bytes batch_of(size_t record_size, protocol::Compression compression = protocol::Compression::none) {
  return build(values_of_size(record_size), compression);
}

void encode_batch(size_t record_size) {
  const std::vector<std::string> values = values_of_size(record_size);
  count([&] { keep(build(values, protocol::Compression::none)); });
}

void decode_batch(size_t record_size, protocol::Compression compression) {
  const Bytes bytes = batch_of(record_size, compression);
  count([&] {
    protocol::RecordReader records{protocol::RecordBatch(bytes)};
    size_t total = 0;
    while (std::optional<protocol::RecordView> record = records.next()) total += record->value->size();
    keep(total);
  });
}

void validate(size_t record_size, protocol::Compression compression) {
  const Bytes bytes = batch_of(record_size, compression);
  const log::LogConfig config;
  const TopicPartition name{"orders", PartitionId(0)};
  count([&] {
    const log::Validation validation = log::validate(bytes, config, name, start_time, true);
    check(validation.error == ErrorCode::none && validation.batches.size() == 1);
  });
}

template <class Message>
Bytes encoded(const Message& message) {
  protocol::Writer writer;
  message.encode(writer, Message::max_version);
  return writer.finish_whole();
}

template <class Message>
void decode_message(const Message& message) {
  const Bytes bytes = encoded(message);
  count([&] {
    protocol::Reader reader(bytes);
    Message read;
    read.decode(reader, Message::max_version);
    check(reader.ok());
    keep(read);
  });
}

template <class Message>
void encode_message(const Message& message) {
  count([&] {
    protocol::Writer writer;
    message.encode(writer, Message::max_version);
    keep(writer.finish());
  });
}

protocol::ProduceRequest produce_request() {
  const Bytes batch = batch_of(1000);
  protocol::ProduceRequest request;
  request.acks = -1;
  auto& wanted = request.topics.emplace_back();
  wanted.id = topic;
  for (int i = 0; i < partitions; ++i) {
    auto& partition = wanted.partitions.emplace_back();
    partition.index = PartitionId(i);
    partition.records = batch;
  }
  return request;
}

protocol::ProduceResponse produce_response() {
  protocol::ProduceResponse response;
  auto& answer = response.topics.emplace_back();
  answer.id = topic;
  for (int i = 0; i < partitions; ++i) {
    auto& partition = answer.partitions.emplace_back();
    partition.index = PartitionId(i);
    partition.base_offset = Offset(1000 + i);
  }
  return response;
}

protocol::FetchRequest fetch_request() {
  protocol::FetchRequest request;
  auto& wanted = request.topics.emplace_back();
  wanted.id = topic;
  for (int i = 0; i < partitions; ++i) {
    auto& partition = wanted.partitions.emplace_back();
    partition.index = PartitionId(i);
    partition.fetch_offset = Offset(1000 + i);
    partition.partition_max_bytes = 1 << 20;
  }
  return request;
}

protocol::FetchResponse fetch_response() {
  const Bytes batch = batch_of(1000);
  protocol::FetchResponse response;
  auto& answer = response.topics.emplace_back();
  answer.id = topic;
  for (int i = 0; i < partitions; ++i) {
    auto& partition = answer.partitions.emplace_back();
    partition.index = PartitionId(i);
    partition.high_watermark = Offset(2000 + i);
    partition.records = protocol::Records(std::vector<Bytes>{batch, batch});
  }
  return response;
}

// A log on the simulated disk.
void with_log(std::function<Task<void>(log::Log&)> body) {
  sim::World world(1);
  sim::Node& node = world.add_node("broker");
  node.disk().put("/data/meta.properties", "");
  world.run(node, [&]() -> Task<void> {
    const TopicPartition name{"orders", PartitionId(0)};
    std::unique_ptr<log::Log> log = co_await log::Log::open("/data/orders-0", name, topic, {}, {});
    co_await body(*log);
    co_await log->close();
  });
}

// A produced batch is offered in a buffer of its own, as the session reads it.
std::vector<Bytes> copies(const Bytes& batch) {
  std::vector<Bytes> result;
  for (int i = 0; i < rounds; ++i) result.push_back(Bytes::copy_of(batch.span()));
  return result;
}

void append(size_t record_size) {
  with_log([record_size](log::Log& log) -> Task<void> {
    const Bytes batch = batch_of(record_size);
    log.append(Bytes::copy_of(batch.span()), LeaderEpoch(0));
    co_await log.flush();
    std::vector<Bytes> offered = copies(batch);
    const Counting counting;
    for (Bytes& bytes : offered) check(log.append(std::move(bytes), LeaderEpoch(0)).error == ErrorCode::none);
  });
}

// Append, write, sync and wake-up of each batch alone; what the simulated disk and scheduler do is counted too.
void append_durable(size_t record_size) {
  with_log([record_size](log::Log& log) -> Task<void> {
    const Bytes batch = batch_of(record_size);
    log.append(Bytes::copy_of(batch.span()), LeaderEpoch(0));
    co_await log.flush();
    std::vector<Bytes> offered = copies(batch);
    const Counting counting;
    for (Bytes& bytes : offered) {
      log.append(std::move(bytes), LeaderEpoch(0));
      check(co_await log.wait_for(log.end(), log::Durability::durable));
    }
  });
}

void read_tail(size_t record_size) {
  with_log([record_size](log::Log& log) -> Task<void> {
    const Bytes batch = batch_of(record_size);
    co_await log.read(log.end(), 1, log.end(), true);  // for who follows, the tail is kept
    std::vector<Offset> begins;
    for (Bytes& bytes : copies(batch)) begins.push_back(log.append(std::move(bytes), LeaderEpoch(0)).base);
    co_await log.flush();
    const Counting counting;
    for (const Offset from : begins) {
      const log::ReadResult read = co_await log.read(from, batch.size(), log.end(), true);
      check(read.batches.size() == 1);
    }
  });
}

void decode_json() {
  using processing::DataType;
  std::vector<processing::Field> fields{
      {"auction", DataType::bigint()}, {"bidder", DataType::bigint()}, {"price", DataType::bigint()},
      {"channel", DataType::string()}, {"url", DataType::string()},    {"dateTime", DataType::timestamp(3)},
      {"extra", DataType::string()},
  };
  std::vector<std::string> texts;
  for (int i = 0; i < 64; ++i) {
    char head[200];
    std::snprintf(head, sizeof head,
                  R"({"auction":%u,"bidder":%u,"price":%u,"channel":"channel-%u","url":"https://www.nexmark.com/ab/cd/)"
                  R"(item.htm?query=1","dateTime":"2026-01-01 00:00:%02d.%03u","extra":")",
                  1000 + throw_dice(100), 1000 + throw_dice(1000), throw_dice(1'000'000), throw_dice(1000), i % 60,
                  throw_dice(1000));
    std::string extra = text_of(68);
    std::erase(extra, '"');
    texts.push_back(head + extra + "\"}");
  }
  const std::vector<std::optional<std::string_view>> records(texts.begin(), texts.end());
  const std::vector<bool> needed(fields.size(), true);
  const auto decoder = processing::make_decoder("json", {}, fields, needed);
  count([&] {
    std::vector<processing::ColumnBuilder> builders;
    for (const processing::Field& field : fields) builders.emplace_back(field.type, texts.size());
    std::vector<processing::ColumnBuilder*> columns;
    for (processing::ColumnBuilder& builder : builders) columns.push_back(&builder);
    std::vector<uint32_t> rows;
    decoder->decode_all(records, columns, rows);
    check(rows.size() == texts.size());
    for (processing::ColumnBuilder& builder : builders) keep(builder.finish());
  });
}

struct Path {
  const char* name;
  void (*run)();
};

constexpr auto none = protocol::Compression::none;
constexpr auto lz4 = protocol::Compression::lz4;
constexpr auto zstd = protocol::Compression::zstd;

const Path paths[] = {
    {"build a batch, 100 B", [] { encode_batch(100); }},
    {"build a batch, 1 KB", [] { encode_batch(1000); }},
    {"read a batch, 100 B", [] { decode_batch(100, none); }},
    {"read a batch, 1 KB", [] { decode_batch(1000, none); }},
    {"read a batch, 100 B, lz4", [] { decode_batch(100, lz4); }},
    {"read a batch, 100 B, zstd", [] { decode_batch(100, zstd); }},
    {"validate a batch, 100 B", [] { validate(100, none); }},
    {"validate a batch, 1 KB", [] { validate(1000, none); }},
    {"validate a batch, 100 B, lz4", [] { validate(100, lz4); }},
    {"validate a batch, 100 B, zstd", [] { validate(100, zstd); }},
    {"decode Produce of 64 partitions", [] { decode_message(produce_request()); }},
    {"encode Produce's answer", [] { encode_message(produce_response()); }},
    {"decode Fetch of 64 partitions", [] { decode_message(fetch_request()); }},
    {"encode Fetch's answer", [] { encode_message(fetch_response()); }},
    {"append, 100 B", [] { append(100); }},
    {"append, 1 KB", [] { append(1000); }},
    {"append until durable, 1 KB", [] { append_durable(1000); }},
    {"read the tail, 1 KB", [] { read_tail(1000); }},
    {"decode 64 bids of JSON", [] { decode_json(); }},
};

}  // namespace

int main(int argc, char** argv) {
  for (const Path& path : paths) {
    if (argc < 2) {
      std::printf("%d\t%s\n", rounds, path.name);
    } else if (path.name == std::string_view(argv[1])) {
      path.run();
      return 0;
    }
  }
  return argc < 2 ? 0 : 2;
}
