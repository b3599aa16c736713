// Produce: record batches from clients into partitions.
//   acks 0: no answer; an error closes the connection, so that the client asks for metadata anew. Its next request is
//           read at once, unless the disk lags so far behind that memory fills up: then once the file has the records
//   acks 1: answered once the file has the records       acks −1: once the high watermark is above them
//
// With acks the next produce of the connection begins as soon as this one has its offsets: a connection's batches are
// appended in the order they were sent, and wait for the disk together.
#include "protocol/messages/produce.h"

#include <algorithm>

#include "broker/handlers/handlers.h"
#include "log/partition_log.h"
#include "protocol/record_batch.h"

namespace millrace::broker {

namespace {

using protocol::ProduceRequest;
using protocol::ProduceResponse;

// Kafka with one replica never lets acks=all wait long enough to time out; a sync may take its time here.
constexpr std::chrono::seconds shortest_wait(5);

// Appended and not yet written, in all logs: above it nobody goes on before his records are in their files.
constexpr int64_t most_unwritten = 256 << 20;

// Batches that came in the same memory each count for their own part of it, but for no less than this share of the
// whole: one of them may keep it alone.
constexpr size_t least_share = 8;

struct Write {
  Shard* owner = nullptr;
  TopicId topic;
  PartitionId index;
  Bytes records;
  ProduceResponse::Partition* answer = nullptr;
  std::shared_ptr<Partition> partition;
  Offset end{-1};
};

void fail(ProduceResponse::Partition& answer, ErrorCode error, std::optional<std::string> message, int16_t version) {
  answer.error = error;
  answer.base_offset = Offset(-1);
  if (version >= 8) answer.error_message = std::move(message);
}

bool is_transactional(const Bytes& records) {
  return records.size() >= protocol::batch_header_size &&
         (protocol::load_big<int16_t>(records.data() + 21) & 16) != 0 && static_cast<int8_t>(records.data()[16]) == 2;
}

bool names_one_twice(const std::vector<ProduceRequest::Partition>& partitions) {
  if (partitions.size() < 2) return false;
  std::vector<PartitionId> named;
  named.reserve(partitions.size());
  for (const ProduceRequest::Partition& partition : partitions) named.push_back(partition.index);
  std::ranges::sort(named);
  return std::ranges::adjacent_find(named) != named.end();
}

void append(Broker& broker, Write& write, int16_t version, size_t held) {
  ProduceResponse::Partition& answer = *write.answer;
  write.partition = broker.partitions().find(write.topic, write.index);
  if (!write.partition) return fail(answer, ErrorCode::not_leader_or_follower, std::nullopt, version);
  const size_t share = held == 0 ? 0 : std::max(write.records.size(), held / least_share);
  const log::AppendResult result = write.partition->append(std::move(write.records), {.held = share});
  if (result.error != ErrorCode::none) {
    fail(answer, result.error, result.message, version);
    if (version >= 5) answer.log_start_offset = result.log_start;
    if (version >= 8) {
      for (const log::RecordError& record : result.record_errors) {
        ProduceResponse::RecordError out;
        out.batch_index = record.index;
        out.batch_index_error_message = record.message;
        answer.record_errors.push_back(std::move(out));
      }
    }
    write.partition.reset();
    return;
  }
  answer.base_offset = result.base;
  answer.log_append_time = result.log_append_time;
  if (version >= 5) answer.log_start_offset = write.partition->start();
  write.end = result.last + 1;
}

Task<void> open_all(Broker& broker, std::vector<Write*> writes) {
  for (const Write* write : writes) co_await broker.partitions().open(write->topic, write->index);
}

bool have_one_owner(const std::vector<Write>& writes) {
  return std::ranges::all_of(writes, [&](const Write& write) { return write.owner == writes.front().owner; });
}

Task<std::optional<ProduceResponse>> produce(Broker& broker, RequestContext context, ProduceRequest request) {
  const int16_t version = context.version;
  const Image image = broker.image();
  ProduceResponse response;
  std::vector<Write> writes;
  const bool bad_acks = request.acks < -1 || request.acks > 1;
  response.topics.reserve(request.topics.size());
  for (ProduceRequest::Topic& wanted : request.topics) {
    ProduceResponse::Topic& topic_answer = response.topics.emplace_back();
    replication::Topic topic;
    if (version >= 13) {
      topic_answer.id = wanted.id;
      topic = image->topic(wanted.id);
    } else {
      topic = image->topic(wanted.name);
      topic_answer.name = std::move(wanted.name);
    }
    topic_answer.partitions.reserve(wanted.partitions.size());
    const bool repeats = names_one_twice(wanted.partitions);
    for (ProduceRequest::Partition& partition : wanted.partitions) {
      // The same partition twice in one request is answered once.
      ProduceResponse::Partition* answer = nullptr;
      if (repeats) {
        const auto before =
            std::ranges::find(topic_answer.partitions, partition.index, &ProduceResponse::Partition::index);
        if (before != topic_answer.partitions.end()) answer = &*before;
      }
      if (answer == nullptr) {
        answer = &topic_answer.partitions.emplace_back();
        answer->index = partition.index;
      }
      if (bad_acks) {
        fail(*answer, ErrorCode::invalid_required_acks, std::nullopt, version);
        continue;
      }
      if (!topic) {
        fail(*answer, version >= 13 ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition, std::nullopt,
             version);
        continue;
      }
      if (partition.index.value < 0 || static_cast<size_t>(partition.index.value) >= topic->partitions.size()) {
        fail(*answer, ErrorCode::unknown_topic_or_partition, std::nullopt, version);
        continue;
      }
      Write write;
      write.owner = &broker.owner(topic->id, partition.index);
      write.topic = topic->id;
      write.index = partition.index;
      if (partition.records) write.records = partition.records->whole();
      write.answer = answer;
      if (write.records.empty()) {
        fail(*answer, ErrorCode::invalid_record, "Produce requests must carry exactly one record batch", version);
        continue;
      }
      if (is_transactional(write.records) && !request.transactional_id) {
        fail(*answer, ErrorCode::transactional_id_authorization_failed, std::nullopt, version);
        continue;
      }
      if (request.transactional_id) {
        fail(*answer, ErrorCode::invalid_txn_state, "Transactions are not served by this broker", version);
        continue;
      }
      writes.push_back(std::move(write));
    }
  }

  const int16_t acks = request.acks;
  const MonoTime deadline = after(std::max<std::chrono::nanoseconds>(request.timeout, shortest_wait));
  request = {};
  const auto append_mine = [&](const std::vector<Write*>& mine) {
    for (Write* write : mine) append(broker, *write, version, context.held);
  };
  // Without acks the next request waits: after a failure it must not be looked at. When memory fills up, too.
  const auto pass_turn = [&, home = &Shard::current()] {
    if (acks == 0 || log::tail_memory() > most_unwritten) return;
    if (home == &Shard::current()) return context.pass_turn();
    home->post([&context] { context.pass_turn(); });  // runs before the hop back does
  };
  const auto wait_for_mine = [&](const std::vector<Write*>& mine) -> Task<void> {
    if (acks == 0 && log::tail_memory() <= most_unwritten) co_return;
    for (Write* write : mine) {
      if (!write->partition || (acks == -1 && write->partition->high_watermark() >= write->end)) continue;
      const ErrorCode error = acks == -1 ? co_await write->partition->wait_for(write->end, deadline)
                                         : co_await write->partition->wait_written(write->end, deadline);
      const bool slow = acks == 0 && error == ErrorCode::request_timed_out;
      if (error != ErrorCode::none && !slow) fail(*write->answer, error, std::nullopt, version);
    }
  };
  if (have_one_owner(writes)) {
    auto there = [&]() -> Task<void> {
      std::vector<Write*> mine;
      mine.reserve(writes.size());
      for (Write& write : writes) mine.push_back(&write);
      if (broker.partitions().any_expected()) co_await open_all(broker, mine);
      append_mine(mine);
      pass_turn();
      co_await wait_for_mine(mine);
    };
    if (!writes.empty()) co_await on(*writes.front().owner, std::move(there));
  } else {
    auto append_there = [&](std::vector<Write*> mine) -> Task<void> {
      if (broker.partitions().any_expected()) co_await open_all(broker, mine);
      append_mine(mine);
    };
    co_await on_owners(broker, writes, append_there);
    pass_turn();
    auto wait_there = [&](std::vector<Write*> mine) -> Task<void> { co_await wait_for_mine(mine); };
    co_await on_owners(broker, writes, wait_there);
  }

  if (acks != 0) co_return std::optional<ProduceResponse>(std::move(response));
  for (const ProduceResponse::Topic& topic : response.topics) {
    for (const ProduceResponse::Partition& partition : topic.partitions) {
      if (partition.error != ErrorCode::none) {
        throw CloseConnection("a produce request without acks failed: " + std::string(name(partition.error)));
      }
    }
  }
  co_return std::nullopt;
}

}  // namespace

void add_produce(Dispatch& dispatch, Broker& broker) {
  dispatch.add_maybe_silent<ProduceRequest, ProduceResponse>(
      3, 13, [&broker](RequestContext context, ProduceRequest request) {
        return produce(broker, std::move(context), std::move(request));
      });
  // librdkafka before 2.11 takes it from here whether it may compress.
  dispatch.advertise_from(ProduceRequest::key, 0);
  dispatch.let_overlap(ProduceRequest::key);
}

}  // namespace millrace::broker
