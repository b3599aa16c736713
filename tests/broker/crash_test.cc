// Crashes under load, in the simulated world: whatever happens to the process or the power, what was acknowledged at
// the configured durability is there afterwards, once and in order.
#include "protocol/messages/init_producer_id.h"
#include "tests/broker/broker_world.h"
#include "tests/sim/seeds.h"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

// Shared between the test and a producer that writes numbered records through every crash.
struct Writer {
  int acknowledged = 0;
  bool stop = false;
};

struct Outcome {
  int acknowledged = 0;
  std::vector<std::string> found;
};

Outcome survive(uint64_t seed, sim::Crash kind, Properties overrides) {
  BrokerWorld broker(seed, std::move(overrides));
  const auto writer = std::make_shared<Writer>();
  TopicId topic;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    topic = co_await create_topic(client, "t");
  });
  // Sends again what was not answered, as an idempotent producer does.
  broker.clients.start([writer, topic](sim::Node&) -> Task<int> {
    ProducerId producer{-1};
    std::optional<Client> client;
    while (!writer->stop) {
      bool broken = false;
      try {
        if (!client) client.emplace(co_await connected());
        client->patience = 100ms;
        if (producer.value < 0) {
          const protocol::InitProducerIdRequest init;
          const auto identity = co_await client->call(init);
          producer = identity.producer_id;
        }
        protocol::BatchOptions options;
        options.producer_id = producer;
        options.producer_epoch = ProducerEpoch(0);
        options.base_sequence = Sequence(writer->acknowledged);
        Bytes batch = batch_of({std::to_string(writer->acknowledged)}, options);
        const auto answer = co_await produce(*client, topic, std::move(batch));
        if (answer.error == ErrorCode::none) ++writer->acknowledged;
      } catch (const NetError&) {
        broken = true;
      }
      if (broken) {
        client.reset();
        co_await sleep_until(after(2ms));
      }
    }
    co_return 0;
  });
  for (int crash = 0; crash < 3; ++crash) {
    broker.world.run_for(sim::Duration(broker.world.random().between(1'000'000, 150'000'000)));
    broker.node.crash(kind);
    broker.world.run_for(sim::Duration(broker.world.random().between(0, 20'000'000)));
    broker.start();
  }
  broker.world.run_for(300ms);
  writer->stop = true;
  broker.world.run_until([&] { return !broker.clients.running(); });
  Outcome outcome;
  outcome.acknowledged = writer->acknowledged;
  broker.run([&]() -> Task<void> {
    Client client = co_await connected();
    while (true) {
      const Offset from(static_cast<int64_t>(outcome.found.size()));
      const auto more = co_await fetch_all(client, topic, from);
      if (more.empty()) break;
      outcome.found.insert(outcome.found.end(), more.begin(), more.end());
    }
  });
  broker.stop();
  return outcome;
}

// Whether every acknowledged record is there, and none twice or out of order.
bool is_whole(const Outcome& outcome) {
  if (outcome.found.size() < static_cast<size_t>(outcome.acknowledged)) return false;
  for (size_t i = 0; i < outcome.found.size(); ++i) {
    if (outcome.found[i] != std::to_string(i)) return false;
  }
  return true;
}

TEST_CASE("durable: every acknowledged record survives power cuts, none comes twice") {
  int total = 0;
  sim::for_each_seed(40, [&](uint64_t seed) {
    const Outcome outcome = survive(seed, sim::Crash::power, {});
    CAPTURE(outcome.acknowledged);
    CAPTURE(outcome.found.size());
    CHECK(is_whole(outcome));
    total += outcome.acknowledged;
  });
  CHECK(total > 100);
}

TEST_CASE("written: every acknowledged record survives the death of the process") {
  sim::for_each_seed(30, [&](uint64_t seed) {
    const Outcome outcome = survive(seed, sim::Crash::process, {{"millrace.ack.durability", "written"}});
    CHECK(is_whole(outcome));
  });
}

TEST_CASE("an acknowledgement before the sync is found out: written does not survive power cuts") {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const Outcome outcome = survive(seed, sim::Crash::power, {{"millrace.ack.durability", "written"}});
    if (!is_whole(outcome)) ++lost;
  }
  CHECK(lost > 0);
}

}  // namespace
}  // namespace millrace::broker
