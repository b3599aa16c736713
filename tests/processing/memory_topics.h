// Topics in memory: what a broker would be to the engine, without one. They outlive the node that runs the engine, so a
// crash of the node loses nothing that was appended.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "processing/ports.h"
#include "protocol/record_batch.h"
#include "runtime/event.h"

namespace millrace::processing {

class MemoryTopics final : public TopicReader, public TopicWriter {
 public:
  struct Stored {
    Offset offset;
    Timestamp timestamp;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<protocol::Header> headers;
  };

  void add_topic(const std::string& topic, int partitions);
  void add(const std::string& topic, int partition, int64_t timestamp, std::optional<std::string> key,
           std::optional<std::string> value, std::vector<protocol::Header> headers = {});
  // Records without keys, in one batch.
  void add_batch(const std::string& topic, int partition, int64_t timestamp, const std::vector<std::string>& values);
  bool has(const std::string& topic) const { return topics_.contains(topic); }
  std::vector<Stored> records(const std::string& topic, int partition) const;
  int64_t end(const std::string& topic, int partition) const {
    return topics_.at(topic).at(static_cast<size_t>(partition)).end.value;
  }
  // How many batches one scan answers at most.
  size_t scan_batches = 1'000'000;
  // Called before every step that changes something; may throw, to stop the world there.
  std::function<void()> before_change;

  // TopicReader
  Task<std::optional<int>> partitions(std::string topic) override;
  Task<std::vector<std::string>> topics() override;
  Task<PartitionBounds> bounds(std::string topic, PartitionId partition) override;
  Task<Offset> offset_at(std::string topic, PartitionId partition, Timestamp time) override;
  Task<std::optional<Offset>> committed(std::string group, std::string topic, PartitionId partition) override;
  Task<void> commit(std::string group, std::string topic, PartitionId partition, Offset offset) override;
  Task<ScanResult> scan(std::string topic, PartitionId partition, Offset from, size_t max_bytes,
                        MonoTime deadline) override;
  // TopicWriter
  Task<ErrorCode> create(std::string topic, int partitions, bool internal_compacted) override;
  Task<ProducerId> new_producer() override;
  Task<ErrorCode> append(std::string topic, PartitionId partition, Bytes batch) override;
  Task<Appended> append_all(std::string topic, PartitionId partition, std::vector<Bytes> batches) override;
  Task<std::optional<Sequence>> last_sequence(std::string topic, PartitionId partition, ProducerId producer) override;
  Task<ErrorCode> delete_before(std::string topic, PartitionId partition, Offset offset) override;
  Task<ErrorCode> remove(std::string topic) override;

 private:
  struct Log {
    std::vector<Bytes> batches;
    Offset start{0};
    Offset end{0};
    std::map<int64_t, int32_t> last_sequence;
  };
  Log* find(const std::string& topic, PartitionId partition);

  std::map<std::string, std::vector<Log>> topics_;
  std::map<std::string, Offset> committed_;
  int64_t producers_ = 1000;
};

}  // namespace millrace::processing
