// Where rows end: topics, the client, the log, or nowhere. Sinks only gather; the job writes what they gathered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "processing/connectors/outbox.h"
#include "processing/connectors/table_options.h"
#include "processing/operators/operator.h"

namespace millrace::processing {

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
  // The rows named, in that order.
  virtual void write(const Batch& batch, std::span<const uint32_t> rows) = 0;

  plan::Sink node_;
  int64_t rows_ = 0;
};

class KafkaSink final : public SinkOperator {
 public:
  // `partitions`: of each of the table's topics.
  KafkaSink(JobContext& job, const plan::Sink& node, std::map<std::string, int> partitions, Outbox& outbox);

  // Records without a key stay on one partition for a while, then move on.
  void next_sticky_partition() { ++sticky_; }
  bool keeps_nothing() const override { return !node_.materialize; }
  void save(std::string& out) const override;
  void load(std::string_view& in) override;

 protected:
  void write(const Batch& batch, std::span<const uint32_t> rows) override;

 private:
  // Encoded rows, one behind the other.
  struct Encoded {
    std::string text;
    std::vector<size_t> ends;
    size_t from = 0;
    void clear();
    std::optional<std::string_view> next(size_t number);
  };
  struct Route {  // to a topic
    std::vector<Outbox::Lane*> lanes;
  };
  void write_some(const Batch& batch, std::span<const uint32_t> rows);
  // What write_some() has encoded, where nothing but the values tells one record from another; false: it does.
  bool write_values();
  Route& route(const std::string& topic);
  size_t choose(size_t partitions, std::optional<std::string_view> key);
  // For a table whose key is not the query's: what is there now, by key.
  bool materialize(const Batch& batch, size_t row, RowKind& kind, Row& out);
  std::optional<Batch> materialized(const Batch& batch, size_t row);

  SinkOptions options_;
  std::map<std::string, int> partitions_;
  Outbox& outbox_;
  std::unique_ptr<RowEncoder> key_;
  std::unique_ptr<RowEncoder> value_;
  std::vector<int> key_columns_;  // of the sink's schema
  std::vector<int> value_columns_;
  std::map<std::string, Route> routes_;
  Encoded keys_;
  Encoded values_;
  std::vector<uint32_t> kept_rows_;
  std::vector<protocol::Header> headers_;
  int64_t sticky_ = 0;
  std::map<std::string, std::vector<Row>> rows_by_key_;
};

class ClientSink final : public SinkOperator {
 public:
  ClientSink(JobContext& job, const plan::Sink& node, std::function<void(ResultRow)> give)
      : SinkOperator(job, node), give_(std::move(give)) {}

 protected:
  void write(const Batch& batch, std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) give_({batch.kind(row), batch.row(row)});
  }

 private:
  std::function<void(ResultRow)> give_;
};

class PrintSink final : public SinkOperator {
 public:
  PrintSink(JobContext& job, const plan::Sink& node, std::function<void(std::string)> print);

 protected:
  void write(const Batch& batch, std::span<const uint32_t> rows) override;

 private:
  std::function<void(std::string)> print_;
  std::string prefix_;
};

class BlackholeSink final : public SinkOperator {
 public:
  using SinkOperator::SinkOperator;
  bool keeps_nothing() const override { return true; }

 protected:
  void write(const Batch&, std::span<const uint32_t>) override {}
};

}  // namespace millrace::processing
