// Records on their way to topics, in the order in which they were made, as record batches that grow.
//
// Whoever can make its records again says from time to time how far its sources have been read (step()). Where one lane
// gets all records, batches then mostly end at such a step, and know it.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "processing/ports.h"
#include "protocol/batch_layout.h"

namespace millrace::processing {

// Where the reading of one partition stands.
struct SourcePlace {
  int32_t source = 0;  // its number among all that the job reads
  int64_t position = 0;
  int64_t watermark = 0;
};

// One record batch in the making, but for who produces it.
struct OutputBatch {
  std::string bytes;  // with room for the header
  protocol::BatchSummary summary;
  // What was read when the batch was complete, as far as it is news since the batch before. Nothing: it ends between
  // two steps.
  std::optional<std::vector<SourcePlace>> places;

  Bytes finish(const protocol::BatchOptions& options) { return finish_batch(std::move(bytes), options, summary); }
};

class Outbox {
 public:
  struct Lane {  // of one partition
    std::vector<OutputBatch> batches;
  };

  // Stays where it is.
  Lane& lane(const std::string& topic, int partition) { return lanes_[{topic, PartitionId(partition)}]; }
  void add(Lane& lane, Timestamp timestamp, std::optional<std::string_view> key, std::optional<std::string_view> value,
           std::span<const protocol::Header> headers);

  // Records that have nothing but values, which end in `values` where `ends` says.
  void add_values(Lane& lane, Timestamp timestamp, std::string_view values, std::span<const size_t> ends);

  // All that was added so far came of what lies before this place and those of other sources, and nothing else did.
  void step(SourcePlace place);

  bool empty() const { return count_ == 0; }
  size_t bytes() const { return bytes_; }
  int64_t count() const { return count_; }
  // What there is to write; the lanes are empty afterwards.
  std::vector<std::pair<TopicPartition, std::vector<OutputBatch>>> take();

 private:
  // The batch that the next record goes into; so many bytes, or more of them, will come of it and others.
  OutputBatch& open_batch(Lane& lane, Timestamp timestamp, size_t size);

  std::map<TopicPartition, Lane> lanes_;
  size_t bytes_ = 0;
  int64_t count_ = 0;
  std::vector<SourcePlace> places_;  // reached since the last batch ended
  bool at_step_ = false;             // nothing was added since
};

}  // namespace millrace::processing
