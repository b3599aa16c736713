#include "tools/bench/workload.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

#include "protocol/messages/headers.h"
#include "protocol/messages/produce.h"
#include "protocol/reader.h"
#include "protocol/record_batch.h"

namespace millrace::bench {

namespace {

constexpr int16_t version = 12;

// What a broker would read from the socket.
Bytes bytes_of(const Frame& frame) {
  std::vector<std::byte> whole(frame.head.begin(), frame.head.end());
  for (const iovec& piece : frame.rest) {
    const auto* data = static_cast<const std::byte*>(piece.iov_base);
    whole.insert(whole.end(), data, data + piece.iov_len);
  }
  return Bytes::take(std::move(whole));
}

protocol::ProduceRequest decoded(const Frame& frame) {
  protocol::Reader reader(bytes_of(frame));
  CHECK(static_cast<size_t>(reader.i32()) == frame.size - 4);
  protocol::RequestHeader header;
  header.decode(reader, 2);
  CHECK(header.api_key == protocol::ProduceRequest::key);
  CHECK(header.api_version == version);
  protocol::ProduceRequest request;
  request.decode(reader, version);
  CHECK(reader.ok());
  CHECK(reader.remaining() == 0);
  return request;
}

}  // namespace

TEST_CASE("every frame is a produce request whose batches a broker accepts, and counts what it carries") {
  for (const protocol::Compression codec : {protocol::Compression::none, protocol::Compression::lz4}) {
    Options options;
    options.partitions = 10;
    options.batches_per_request = 4;
    options.batch_size = 4096;
    options.record_size = 100;
    options.keyed = true;
    options.codec = codec;
    options.distinct = 3;
    const Workload workload = encode_workload(options, TopicId{}, version);
    CHECK(workload.groups == 3);
    std::map<int, int> frames_by_partition;
    for (const Frame& frame : workload.frames) {
      CHECK(bytes_of(frame).size() == frame.size);
      uint64_t records = 0;
      uint64_t payload = 0;
      int partition = frame.first_partition;
      for (const auto& written : decoded(frame).topics.at(0).partitions) {
        CHECK(written.index == PartitionId(partition++));
        ++frames_by_partition[written.index.value];
        const protocol::RecordBatch batch(written.records->whole());
        CHECK(batch.size() == written.records->size());
        CHECK(batch.size() <= options.batch_size);
        CHECK(batch.crc_matches());
        protocol::RecordReader reader(batch);
        while (const std::optional<protocol::RecordView> record = reader.next()) {
          ++records;
          payload += record->key->size() + record->value->size();
        }
        CHECK_FALSE(reader.malformed());
      }
      CHECK(frame.partitions == partition - frame.first_partition);
      CHECK(frame.records == records);
      CHECK(frame.payload == payload);
    }
    CHECK(frames_by_partition.size() == 10);
    for (const auto& [partition, frames] : frames_by_partition) CHECK(frames == 3);
  }
}

TEST_CASE("a batch is filled until the next record might not fit") {
  Options options;
  options.record_size = 1000;
  options.batch_size = 16384;
  const Workload workload = encode_workload(options, TopicId{}, version);
  for (const Frame& frame : workload.frames) {
    CHECK(frame.batch_bytes <= 16384);
    CHECK(frame.batch_bytes > 16384 - 1100);
  }
}

TEST_CASE("the lines of a file become records in order, each batch once, as far as wanted") {
  const std::string path = "/tmp/rawgen-lines-" + std::to_string(getpid());
  {
    std::ofstream file(path);
    for (int i = 0; i < 1000; ++i) file << "line " << i << '\n';
  }
  for (const int most : {1'000'000, 3}) {
    Options options;
    options.partitions = 1;
    options.batch_size = 1024;
    options.distinct = most;
    options.lines = path;
    const Workload workload = encode_workload(options, TopicId{}, version);
    int line = 0;
    for (const Frame& frame : workload.frames) {
      uint64_t payload = 0;
      const protocol::ProduceRequest request = decoded(frame);
      const Bytes batch = request.topics.at(0).partitions.at(0).records->whole();
      CHECK(batch.size() <= 1024);
      protocol::BatchIterator batches(batch);
      protocol::RecordReader records(*batches.next());
      while (const std::optional<protocol::RecordView> record = records.next()) {
        CHECK(*record->value == "line " + std::to_string(line++));
        payload += record->value->size();
      }
      CHECK(frame.payload == payload);
    }
    if (most == 3)
      CHECK(workload.frames.size() == 3);
    else
      CHECK(line == 1000);
  }
  std::remove(path.c_str());
}

}  // namespace millrace::bench
