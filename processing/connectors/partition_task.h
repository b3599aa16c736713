// PartitionTask: one partition of one scanned table. It turns record batches into rows, runs the part of the plan that
// needs no other rows right behind the decoder, and knows the partition's watermark.
//
// It keeps nothing between calls but its position and its watermark, waits for nothing and shares nothing, so it can
// run wherever its partition lives and hand over what it made.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "processing/connectors/table_options.h"
#include "processing/failure.h"
#include "processing/formats/row_targets.h"
#include "processing/operators/transform.h"
#include "processing/plan.h"
#include "protocol/record_batch.h"

namespace millrace::processing {

class PartitionTask {
 public:
  PartitionTask(JobContext& job, const plan::Scan& scan, const SourceOptions& options, std::string topic,
                PartitionId partition, std::vector<const plan::Node*> chain);

  struct Piece {
    Batch rows;
    std::optional<int64_t> watermark;  // on-event: the partition's, after these rows
    std::optional<Offset> read_until;  // with it all rows of the records before have been given
  };

  // The records of `batches` from position() up to `until`; calls `give` with the rows in order. Where each record may
  // become very many rows it looks at `enough` now and then: then it answers false, and goes on when it is given the
  // same batches again. Throws JobFailure.
  bool run(std::span<const Bytes> batches, std::optional<Offset> until, const std::function<void(Piece)>& give,
           const std::function<bool()>& enough);

  // From now on no piece is made of many more bytes than these.
  void limit_pieces(size_t bytes) { most_bytes_ = static_cast<int64_t>(bytes); }

  const std::string& topic() const { return topic_; }
  PartitionId partition() const { return partition_; }
  Offset position() const { return position_; }
  void seek(Offset to) { position_ = to; }
  // The largest watermark seen; min_watermark before the first.
  int64_t watermark() const { return watermark_; }
  void restore_watermark(int64_t watermark) { watermark_ = watermark; }
  int64_t records() const { return records_; }
  int64_t bytes() const { return bytes_; }

 private:
  // Both answer whether there are further records: they stop when is_full().
  bool decode(const protocol::RecordBatch& batch, protocol::RecordReader& reader, std::optional<Offset> until);
  bool decode_values(protocol::RecordReader& reader, std::span<ColumnBuilder* const> columns,
                     std::optional<Offset> until);
  bool is_full() const { return rows_ >= most_rows_ || bytes_ - bytes_given_ >= most_bytes_; }
  void count(const protocol::RecordView& record);
  bool decode_row(const protocol::RecordView& record, RowTargets& keys, RowTargets& values);
  void put_tombstone(RowTargets& values) const;
  void add_metadata(size_t column, const protocol::RecordBatch& batch, const protocol::RecordView& record);
  void flush(const std::function<void(Piece)>& give);
  Batch source_rows();
  void fail_row(std::string_view record, const RunFailure& failure) const;
  Batch compute(const Batch& source, size_t from, size_t to);
  Value metadata(const std::string& key, const protocol::RecordBatch& batch, const protocol::RecordView& record) const;

  JobContext& job_;
  EvalContext eval_;
  plan::Scan scan_;
  SourceOptions options_;
  std::string topic_;
  PartitionId partition_;
  std::vector<std::unique_ptr<Transform>> chain_;
  std::unique_ptr<RowDecoder> key_decoder_;
  std::unique_ptr<RowDecoder> value_decoder_;

  std::vector<std::optional<ColumnBuilder>> physical_;  // nothing: not needed
  std::vector<ColumnBuilder> metadata_;
  std::vector<RowKind> kinds_;
  std::vector<int> key_field_of_value_;  // the field of the key that is the same column; −1: none
  std::vector<size_t> uncovered_;        // needed physical columns that neither key nor value has
  bool values_alone_ = false;            // rows are made of the records' values, and of nothing else
  std::vector<std::optional<std::string_view>> values_;
  std::vector<uint32_t> decoded_;  // those of them that are rows
  std::vector<std::string_view> records_of_rows_;
  std::vector<std::shared_ptr<const void>> memory_;
  size_t rows_ = 0;
  size_t most_rows_ = std::numeric_limits<size_t>::max();  // less where one row becomes very many
  Offset decoded_until_{0};

  Offset position_{0};
  int64_t watermark_ = min_watermark;
  int64_t records_ = 0;
  int64_t bytes_ = 0;
  int64_t bytes_given_ = 0;
  int64_t most_bytes_ = std::numeric_limits<int64_t>::max();
};

}  // namespace millrace::processing
