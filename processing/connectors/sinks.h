// Where rows end: topics, the client, the log, or nowhere. Sinks only gather; the job writes what they gathered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "processing/connectors/table_options.h"
#include "processing/operators/operator.h"
#include "protocol/record_batch.h"

namespace millrace::processing {

struct OutputRecord {
  std::optional<int64_t> timestamp;  // none: the time of writing
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<protocol::Header> headers;
  size_t size() const { return 32 + (key ? key->size() : 0) + (value ? value->size() : 0); }
};

// Records on their way to topics, in the order in which they were made.
class Outbox {
 public:
  void add(const std::string& topic, int partition, OutputRecord record);
  bool empty() const { return records_.empty(); }
  size_t bytes() const { return bytes_; }
  int64_t count() const { return count_; }
  std::map<TopicPartition, std::vector<OutputRecord>> take();

 private:
  std::map<TopicPartition, std::vector<OutputRecord>> records_;
  size_t bytes_ = 0;
  int64_t count_ = 0;
};

// The rows of a query on their way to the client. Bounded: the job waits while it is full.
struct ResultRow {
  RowKind kind = RowKind::insert;
  Row row;
};

class SinkOperator : public Operator {
 public:
  SinkOperator(JobContext& job, const plan::Sink& node) : Operator(job, 1), node_(node) {}
  int64_t rows() const { return rows_; }

 protected:
  void on_batch(int input, Batch batch) final;
  virtual void write(const Batch& batch, size_t row) = 0;

  plan::Sink node_;
  int64_t rows_ = 0;
};

class KafkaSink final : public SinkOperator {
 public:
  // `partitions`: of each of the table's topics.
  KafkaSink(JobContext& job, const plan::Sink& node, std::map<std::string, int> partitions, Outbox& outbox);

  // Records without a key stay on one partition for a while, then move on.
  void next_sticky_partition() { ++sticky_; }
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void write(const Batch& batch, size_t row) override;

 private:
  int choose(const std::string& topic, const std::optional<std::string>& key);
  // For a table whose key is not the query's: what is there now, by key.
  bool materialize(const Batch& batch, size_t row, RowKind& kind, Row& out);

  SinkOptions options_;
  std::map<std::string, int> partitions_;
  Outbox& outbox_;
  std::unique_ptr<RowEncoder> key_;
  std::unique_ptr<RowEncoder> value_;
  std::vector<int> key_columns_;  // of the sink's schema
  std::vector<int> value_columns_;
  int64_t sticky_ = 0;
  std::map<std::string, std::vector<Row>> rows_by_key_;
};

class ClientSink final : public SinkOperator {
 public:
  ClientSink(JobContext& job, const plan::Sink& node, std::function<void(ResultRow)> give)
      : SinkOperator(job, node), give_(std::move(give)) {}

 protected:
  void write(const Batch& batch, size_t row) override { give_({batch.kind(row), batch.row(row)}); }

 private:
  std::function<void(ResultRow)> give_;
};

class PrintSink final : public SinkOperator {
 public:
  PrintSink(JobContext& job, const plan::Sink& node, std::function<void(std::string)> print);

 protected:
  void write(const Batch& batch, size_t row) override;

 private:
  std::function<void(std::string)> print_;
  std::string prefix_;
};

class BlackholeSink final : public SinkOperator {
 public:
  using SinkOperator::SinkOperator;

 protected:
  void write(const Batch&, size_t) override {}
};

}  // namespace millrace::processing
