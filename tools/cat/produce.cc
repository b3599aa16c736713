// -P: lines of standard input, or files, as records. Input that has arrived is sent; nothing waits for a full batch.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"
#include "tools/cat/cat.h"

namespace millrace::tools::cat {

namespace {

constexpr size_t batch_bytes = 900'000;  // below the brokers' default limit of 1,048,588
constexpr int16_t last_version_with_names = 12;

// Standard input or a file, cut at the delimiter.
class LineReader {
 public:
  LineReader(int descriptor, std::string delimiter) : descriptor_(descriptor), delimiter_(std::move(delimiter)) {}

  // The next record; nothing when more input is needed (then fill) or at the end.
  std::optional<std::string_view> next() {
    const size_t found = buffer_.find(delimiter_, at_);
    if (found != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(at_, found - at_);
      at_ = found + delimiter_.size();
      return line;
    }
    if (!ended_ || at_ >= buffer_.size()) return std::nullopt;
    const std::string_view line = std::string_view(buffer_).substr(at_);
    at_ = buffer_.size();
    return line;
  }
  bool ended() const { return ended_ && at_ >= buffer_.size(); }
  bool input_ready() const {
    pollfd wait{descriptor_, POLLIN, 0};
    return poll(&wait, 1, 0) > 0;
  }
  // Blocks until something arrives. Views given before are gone.
  void fill() {
    buffer_.erase(0, at_);
    at_ = 0;
    const size_t old = buffer_.size();
    buffer_.resize(old + (256 << 10));
    ssize_t got = 0;
    do {
      got = read(descriptor_, buffer_.data() + old, buffer_.size() - old);
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw ClientError(std::string("cannot read the input: ") + std::strerror(errno));
    buffer_.resize(old + static_cast<size_t>(got));
    ended_ = got == 0;
  }

 private:
  int descriptor_;
  std::string delimiter_;
  std::string buffer_;
  size_t at_ = 0;
  bool ended_ = false;
};

class Producer {
 public:
  Producer(Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) {}

  Task<void> start() {
    topic_ = co_await cluster_.topic(options_.topic, true);
    if (options_.partition >= static_cast<int32_t>(topic_.partitions.size())) {
      throw ClientError(fmt::format("topic '{}' has {} partitions; there is no partition {}", options_.topic,
                                    topic_.partitions.size(), options_.partition));
    }
    if (options_.property("enable.idempotence", "false") == "true") co_await take_producer_id();
    for (size_t i = 0; i < topic_.partitions.size(); ++i) batches_.emplace_back(options_for_batch());
    sticky_ = Shard::current().random().below(topic_.partitions.size());
  }

  void add(std::string_view line) {
    std::optional<std::string_view> key;
    if (options_.fixed_key) key = *options_.fixed_key;
    std::optional<std::string_view> value = line;
    if (options_.key_delimiter) {
      const size_t at = line.find(*options_.key_delimiter);
      if (at != std::string_view::npos) {
        key = line.substr(0, at);
        value = line.substr(at + options_.key_delimiter->size());
      }
    }
    if (options_.null_for_empty) {
      if (key && key->empty()) key.reset();
      if (value->empty()) value.reset();
    }
    batches_[partition_of(key)].add(Shard::current().clock().wall_now(), key, value, options_.headers);
  }

  bool full() const {
    for (const protocol::BatchBuilder& batch : batches_) {
      if (batch.size() >= batch_bytes) return true;
    }
    return false;
  }

  Task<void> flush() {
    for (size_t i = 0; i < batches_.size(); ++i) {
      if (batches_[i].empty()) continue;
      const Bytes batch = batches_[i].build();
      co_await send(topic_.partitions[i], batch);
    }
    sticky_ = (sticky_ + 1) % batches_.size();
  }

 private:
  Task<void> take_producer_id() {
    const MonoTime deadline = after(std::chrono::seconds(30));
    while (true) {
      BrokerConnection* connection = co_await cluster_.any();
      protocol::InitProducerIdRequest request;
      request.transaction_timeout = std::chrono::minutes(1);
      const auto answer = co_await connection->call(request);
      producer_ = answer.producer_id;
      epoch_ = answer.producer_epoch;
      if (answer.error == ErrorCode::none) co_return;
      if (!retriable(answer.error) || now() > deadline) throw ClientError("no producer id: " + describe(answer.error));
      co_await sleep_until(after(std::chrono::milliseconds(100)));
    }
  }

  protocol::BatchOptions options_for_batch() const {
    protocol::BatchOptions batch;
    batch.compression = options_.compression;
    batch.producer_id = producer_;
    batch.producer_epoch = epoch_;
    if (producer_.value >= 0) batch.base_sequence = Sequence(0);
    return batch;
  }

  size_t partition_of(std::optional<std::string_view> key) const {
    if (options_.partition >= 0) return static_cast<size_t>(options_.partition);
    if (!key || key->empty()) return sticky_;
    const uLong hash = crc32(0, reinterpret_cast<const Bytef*>(key->data()), static_cast<uInt>(key->size()));
    return hash % batches_.size();  // librdkafka's "consistent" partitioner
  }

  Task<void> send(protocol::MetadataResponsePartition partition, Bytes batch) {
    std::vector<std::byte> copy(batch.span().begin(), batch.span().end());
    protocol::stamp(copy, Offset(0), LeaderEpoch(-1));  // a producer's batches all begin at 0
    protocol::ProduceRequest request;
    request.acks =
        static_cast<int16_t>(std::stoi(options_.property("acks", options_.property("request.required.acks", "-1"))));
    request.timeout = std::chrono::seconds(30);
    protocol::ProduceRequestTopic topic;
    topic.name = options_.topic;
    protocol::ProduceRequestPartition part;
    part.index = partition.index;
    part.records = protocol::Records(Bytes::take(std::move(copy)));
    topic.partitions.push_back(std::move(part));
    request.topics.push_back(std::move(topic));

    const MonoTime deadline = after(std::chrono::minutes(5));
    while (true) {
      ErrorCode error = ErrorCode::none;
      std::string text;
      try {
        BrokerConnection* leader = co_await cluster_.broker(partition.leader_id);
        if (request.acks == 0) {
          co_await leader->tell(request, last_version_with_names);
          co_return;
        }
        const auto answer = co_await leader->call(request, last_version_with_names);
        const auto& result = answer.topics.at(0).partitions.at(0);
        error = result.error;
        text = result.error_message.value_or("");
        if (error == ErrorCode::none) co_return;
      } catch (const NetError& failure) {
        // Sending again may double what a lost answer had acknowledged, unless the producer is idempotent.
        if (producer_.value < 0 || now() > deadline) throw;
        error = ErrorCode::network_exception;
        text = failure.what();
      }
      if (!retriable(error) || now() > deadline) {
        throw ClientError(fmt::format("delivery to {} [{}] failed: {}{}", options_.topic, partition.index.value,
                                      describe(error), text.empty() ? "" : ": " + text));
      }
      co_await sleep_until(after(std::chrono::milliseconds(100)));
    }
  }

  Cluster& cluster_;
  const Options& options_;
  protocol::MetadataResponseTopic topic_;
  std::vector<protocol::BatchBuilder> batches_;
  ProducerId producer_{-1};
  ProducerEpoch epoch_{-1};
  size_t sticky_ = 0;
};

Task<void> send_lines(Producer& producer, int descriptor, const Options& options, int64_t& left) {
  LineReader reader(descriptor, options.delimiter);
  while (!reader.ended() && left != 0) {
    while (left != 0) {
      const std::optional<std::string_view> line = reader.next();
      if (!line) break;
      producer.add(*line);
      if (left > 0) --left;
      if (producer.full()) co_await producer.flush();
    }
    if (reader.ended() || left == 0) break;
    if (!reader.input_ready()) co_await producer.flush();
    reader.fill();
  }
}

}  // namespace

Task<int> produce(Cluster& cluster, const Options& options) {
  Producer producer(cluster, options);
  co_await producer.start();
  int64_t left = options.count;
  if (options.files.empty()) {
    co_await send_lines(producer, STDIN_FILENO, options, left);
  }
  for (const std::string& path : options.files) {
    if (!options.lines_of_file) {
      const std::optional<std::string> content = co_await read_file(Shard::current().disk(), path);
      if (!content) throw ClientError("there is no file " + path);
      producer.add(*content);
      continue;
    }
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw ClientError("cannot open " + path + ": " + std::strerror(errno));
    co_await send_lines(producer, descriptor, options, left);
    close(descriptor);
  }
  co_await producer.flush();
  co_return 0;
}

}  // namespace millrace::tools::cat
