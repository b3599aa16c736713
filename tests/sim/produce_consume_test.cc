// Producers and a consumer against the production broker while it crashes: what was acknowledged stays, what was
// consumed stays, and an idempotent producer's records are there once and in order.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "protocol/messages/fetch.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"
#include "protocol/record_batch.h"
#include "tests/broker/broker_world.h"
#include "tests/sim/net.h"
#include "tests/sim/seeds.h"
#include "tools/client/cluster.h"

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;

constexpr int16_t last_version_with_names = 12;
constexpr int partitions = 2;

using Position = std::pair<int, int64_t>;  // partition, offset

// What the clients have been told.
struct Story {
  std::map<Position, std::string> acknowledged;
  std::set<std::string> acknowledged_somewhere;  // a duplicate's acknowledgement may name no offset
  std::map<Position, std::string> consumed;
  std::vector<std::string> complaints;
  bool producing = true;
};

std::vector<Address> bootstrap() { return {Address{"broker", 9092}}; }

// One batch to one partition; sent again, the same bytes, until it is acknowledged or known to have failed.
class Producer {
 public:
  Producer(Story& story, std::string name, bool idempotent)
      : story_(story), name_(std::move(name)), idempotent_(idempotent) {}

  Task<int> run() {
    while (story_.producing) {
      try {
        tools::Cluster cluster(bootstrap(), name_);
        const auto topic = co_await cluster.topic("orders", true);
        if (idempotent_ && id_.value < 0) co_await take_id(cluster);
        while (story_.producing) {
          if (pending_.values.empty()) next_batch();
          co_await send(cluster, topic.partitions.at(static_cast<size_t>(pending_.partition)).leader_id);
          pending_.values.clear();
        }
      } catch (const NetError&) {
        forget_unless_idempotent();
      } catch (const tools::ClientError&) {
        forget_unless_idempotent();
      }
      co_await sleep_until(after(20ms));
    }
    co_return 0;
  }

 private:
  struct Batch {
    int partition = 0;
    std::vector<std::string> values;
    Bytes bytes;
  };

  Task<void> take_id(tools::Cluster& cluster) {
    tools::BrokerConnection* connection = co_await cluster.any();
    protocol::InitProducerIdRequest request;
    request.transaction_timeout = 1min;
    const auto answer = co_await connection->call(request, INT16_MAX, 2s);
    if (answer.error != ErrorCode::none) throw tools::ClientError("no producer id");
    id_ = answer.producer_id;
    epoch_ = answer.producer_epoch;
  }

  void next_batch() {
    Random& random = Shard::current().random();
    pending_.partition = static_cast<int>(random.below(partitions));
    protocol::BatchOptions options;
    options.producer_id = id_;
    options.producer_epoch = epoch_;
    int32_t& sequence = sequences_[pending_.partition];
    if (idempotent_) options.base_sequence = Sequence(sequence);
    protocol::BatchBuilder builder(options);
    const uint64_t count = 1 + random.below(5);
    for (uint64_t i = 0; i < count; ++i) {
      std::string value = name_ + " " + std::to_string(1'000'000 + made_++);
      value.append(random.below(400), '.');  // sectors and index intervals are crossed
      builder.add(Shard::current().clock().wall_now(), std::nullopt, value);
      pending_.values.push_back(std::move(value));
    }
    sequence += static_cast<int32_t>(count);
    pending_.bytes = builder.build();
  }

  Task<void> send(tools::Cluster& cluster, BrokerId leader) {
    tools::BrokerConnection* connection = co_await cluster.broker(leader);
    protocol::ProduceRequest request;
    request.acks = -1;
    request.timeout = 2s;
    protocol::ProduceRequestTopic topic;
    topic.name = "orders";
    protocol::ProduceRequestPartition part;
    part.index = PartitionId(pending_.partition);
    part.records = protocol::Records(pending_.bytes);
    topic.partitions.push_back(std::move(part));
    request.topics.push_back(std::move(topic));
    const auto answer = co_await connection->call(request, last_version_with_names, 3s);
    const auto& result = answer.topics.at(0).partitions.at(0);
    if (result.error == ErrorCode::out_of_order_sequence_number || result.error == ErrorCode::unknown_producer_id) {
      // Everything before was acknowledged, so it cannot be missing.
      story_.complaints.push_back(name_ +
                                  ": the broker has lost what it acknowledged: " + tools::describe(result.error));
    } else if (result.error != ErrorCode::none && result.error != ErrorCode::duplicate_sequence_number) {
      throw tools::ClientError(tools::describe(result.error));
    }
    for (size_t i = 0; i < pending_.values.size(); ++i) {
      story_.acknowledged_somewhere.insert(pending_.values[i]);
      if (result.error != ErrorCode::none || result.base_offset.value < 0) continue;
      story_.acknowledged[{pending_.partition, result.base_offset.value + static_cast<int64_t>(i)}] =
          pending_.values[i];
    }
  }

  // Whether it has arrived is not known; without a sequence, sending it again could double it.
  void forget_unless_idempotent() {
    if (!idempotent_) pending_.values.clear();
  }

  Story& story_;
  const std::string name_;
  const bool idempotent_;
  ProducerId id_{-1};
  ProducerEpoch epoch_{-1};
  std::map<int, int32_t> sequences_;
  int made_ = 0;
  Batch pending_;
};

// Reads `partition` from `*from` on into `into`; returns after one empty answer at the end, or an error.
Task<void> read_on(tools::BrokerConnection& connection, int partition, int64_t& from,
                   std::map<Position, std::string>& into, std::vector<std::string>& complaints) {
  for (;;) {
    protocol::FetchRequest request;
    request.max_wait = 20ms;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    protocol::FetchRequestTopic topic;
    topic.name = "orders";
    protocol::FetchRequestPartition part;
    part.index = PartitionId(partition);
    part.fetch_offset = Offset(from);
    part.partition_max_bytes = 1 << 20;
    topic.partitions.push_back(part);
    request.topics.push_back(std::move(topic));
    const auto answer = co_await connection.call(request, last_version_with_names, 3s);
    if (answer.error != ErrorCode::none) throw tools::ClientError(tools::describe(answer.error));
    const auto& result = answer.topics.at(0).partitions.at(0);
    if (result.error == ErrorCode::offset_out_of_range) {
      complaints.push_back("offset " + std::to_string(from) + " was consumed and is gone");
    }
    if (result.error != ErrorCode::none) throw tools::ClientError(tools::describe(result.error));
    if (!result.records) co_return;
    bool any = false;
    protocol::BatchIterator batches(result.records->whole());
    while (const std::optional<protocol::RecordBatch> batch = batches.next()) {
      if (!batch->crc_matches())
        complaints.push_back("a damaged batch at " + std::to_string(batch->base_offset().value));
      protocol::RecordReader records(*batch);
      while (const std::optional<protocol::RecordView> record = records.next()) {
        if (record->offset.value < from) continue;
        if (record->offset.value != from) complaints.push_back("a gap before " + std::to_string(record->offset.value));
        from = record->offset.value + 1;
        any = true;
        const auto [place, fresh] = into.emplace(Position(partition, record->offset.value), *record->value);
        if (!fresh && place->second != *record->value) {
          complaints.push_back("offset " + std::to_string(record->offset.value) + " has changed");
        }
      }
    }
    if (!any) co_return;
  }
}

Task<int> consume(Story& story) {
  std::map<int, int64_t> positions;
  while (story.producing) {
    try {
      tools::Cluster cluster(bootstrap(), "consumer");
      const auto topic = co_await cluster.topic("orders", true);
      tools::BrokerConnection* connection = co_await cluster.broker(topic.partitions.at(0).leader_id);
      while (story.producing) {
        for (int partition = 0; partition < partitions; ++partition) {
          co_await read_on(*connection, partition, positions[partition], story.consumed, story.complaints);
        }
      }
    } catch (const NetError&) {
    } catch (const tools::ClientError&) {
    }
    co_await sleep_until(after(20ms));
  }
  co_return 0;
}

// Everything the broker has in the end.
Task<std::map<Position, std::string>> read_all(std::vector<std::string>& complaints) {
  const MonoTime deadline = after(1min);
  for (;;) {
    std::map<Position, std::string> all;
    try {
      tools::Cluster cluster(bootstrap(), "reader");
      const auto topic = co_await cluster.topic("orders", true);
      tools::BrokerConnection* connection = co_await cluster.broker(topic.partitions.at(0).leader_id);
      for (int partition = 0; partition < partitions; ++partition) {
        int64_t from = 0;
        co_await read_on(*connection, partition, from, all, complaints);
      }
      co_return all;
    } catch (const NetError&) {
    } catch (const tools::ClientError&) {
    }
    if (now() > deadline) throw std::runtime_error("the broker does not come back");
    co_await sleep_until(after(50ms));
  }
}

void compare(const Story& story, const std::map<Position, std::string>& found, std::vector<std::string>& complaints) {
  const auto must_have = [&](const std::map<Position, std::string>& told, const char* how) {
    for (const auto& [position, value] : told) {
      const auto there = found.find(position);
      const std::string where = std::to_string(position.first) + "@" + std::to_string(position.second);
      if (there == found.end()) {
        complaints.push_back(std::string(how) + " and gone: " + value + " at " + where);
      } else if (there->second != value) {
        complaints.push_back(std::string(how) + " and changed: " + value + " at " + where + " is " + there->second);
      }
    }
  };
  must_have(story.acknowledged, "acknowledged");
  must_have(story.consumed, "consumed");
  std::map<std::string, int> times;
  std::map<std::pair<std::string, int>, std::string> last;  // producer, partition
  for (const auto& [position, value] : found) {
    ++times[value];
    const std::string producer = value.substr(0, value.find(' '));
    std::string& before = last[{producer, position.first}];
    const bool repeated = value == before;
    if (value.substr(0, value.find('.')) <= before.substr(0, before.find('.')) || repeated) {
      complaints.push_back("out of order or twice: " + value.substr(0, 20) + " after " + before.substr(0, 20));
    }
    before = value;
  }
  for (const std::string& value : story.acknowledged_somewhere) {
    if (!times.contains(value)) complaints.push_back("acknowledged and nowhere: " + value);
  }
}

struct Outcome {
  std::vector<std::string> complaints;
  size_t acknowledged = 0;
  size_t consumed = 0;
};

// A while of traffic with crashes and broken links, then a last look at what is there.
Outcome run_story(uint64_t seed, std::string durability, bool power_cuts) {
  broker::BrokerWorld broker(seed, {{"num.partitions", "2"}, {"millrace.ack.durability", std::move(durability)}}, 2);
  World& world = broker.world;
  Story story;
  Producer plain(story, "plain", false);
  Producer exact(story, "exact", true);
  Node& plain_node = world.add_node("plain");
  Node& exact_node = world.add_node("exact");
  Node& consumer_node = world.add_node("consumer");
  plain_node.start([&](Node&) { return plain.run(); });
  exact_node.start([&](Node&) { return exact.run(); });
  consumer_node.start([&](Node&) { return consume(story); });

  const int64_t crashes = world.random().between(1, 4);
  for (int64_t i = 0; i < crashes; ++i) {
    world.run_for(Duration(world.random().between(0, 400'000'000)));
    if (world.random().one_in(4)) world.net().reset_connections(exact_node, broker.node);
    if (broker.node.running()) {
      broker.node.crash(power_cuts && world.random().one_in(2) ? Crash::power : Crash::process);
    }
    if (broker.node.error()) std::rethrow_exception(broker.node.error());
    world.run_for(Duration(world.random().between(0, 20'000'000)));
    broker.node.restart();
  }
  world.run_for(300ms);
  story.producing = false;
  const bool stopped =
      world.run_until([&] { return !plain_node.running() && !exact_node.running() && !consumer_node.running(); }, 2min);
  CHECK(stopped);

  Outcome outcome;
  outcome.complaints = story.complaints;
  Node& reader = world.add_node("reader");
  std::map<Position, std::string> found;
  const auto look = [&]() -> Task<void> { found = co_await read_all(outcome.complaints); };
  world.run(reader, look);
  compare(story, found, outcome.complaints);
  outcome.acknowledged = story.acknowledged_somewhere.size();
  outcome.consumed = story.consumed.size();
  return outcome;
}

TEST_CASE("whatever crashes, acknowledged and consumed records stay, once and in order") {
  size_t acknowledged = 0;
  size_t consumed = 0;
  uint64_t runs = 0;
  for_each_seed(30, [&](uint64_t seed) {
    const Outcome outcome = run_story(seed, "durable", true);
    for (const std::string& complaint : outcome.complaints) FAIL_CHECK(complaint);
    acknowledged += outcome.acknowledged;
    consumed += outcome.consumed;
    ++runs;
  });
  MESSAGE(runs, " seeds: ", acknowledged, " records acknowledged, ", consumed, " consumed while brokers crashed");
  CHECK(acknowledged > runs * 10);
  CHECK(consumed > runs * 10);
}

TEST_CASE("at the durability of Kafka's page cache, crashes of the process lose nothing") {
  for_each_seed(15, [&](uint64_t seed) {
    const Outcome outcome = run_story(seed, "written", false);
    for (const std::string& complaint : outcome.complaints) FAIL_CHECK(complaint);
  });
}

TEST_CASE("a planted bug, acknowledging before the sync, is caught by power cuts") {
  int caught = 0;
  for_each_seed(15, [&](uint64_t seed) {
    if (!run_story(seed, "written", true).complaints.empty()) ++caught;
  });
  CHECK(caught > 2);
}

}  // namespace
}  // namespace millrace::sim
