// Metadata records: their bytes, and what a log of them adds up to.
#include "replication/records.h"

#include <doctest/doctest.h>

#include "protocol/record_batch.h"
#include "replication/batches.h"
#include "replication/bootstrap.h"
#include "replication/changes.h"

namespace millrace::replication {
namespace {

NewTopic orders(size_t partitions = 2) {
  NewTopic topic;
  topic.name = "orders";
  topic.id = Uuid{1, 2};
  topic.replicas.assign(partitions, {BrokerId(1)});
  topic.configs = {{"retention.ms", "1000"}};
  return topic;
}

bool everywhere(const TopicImage&, PartitionId) { return true; }
bool nowhere(const TopicImage&, PartitionId) { return false; }

MetadataImage fold(const std::vector<Records>& all) {
  MetadataFold fold;
  int64_t offset = 0;
  for (const Records& records : all) {
    for (const MetadataRecord& record : records) fold.add(record, offset++);
    fold.settle();
  }
  return fold.image();
}

Records registered(BrokerId id) {
  Registration registration;
  registration.broker = id;
  registration.epoch = 11;
  registration.directories = {Uuid{7, 7}};
  return register_broker(registration);
}

std::vector<int> kinds(const Records& records) {
  std::vector<int> kinds;
  for (const MetadataRecord& record : records) {
    const Bytes bytes = encode_record(record);
    kinds.push_back(static_cast<int>(bytes.data()[1]));  // behind the frame version; all keys fit into one byte
  }
  return kinds;
}

int version_of(const MetadataRecord& record) { return static_cast<int>(encode_record(record).data()[2]); }

TEST_CASE("every record comes back as it was written") {
  Records all = create_topic(orders());
  for (const Records& more : {bootstrap_records(), registered(BrokerId(1)), unfence(BrokerId(1), 11),
                              lead_all(fold({create_topic(orders())}), BrokerId(1), everywhere),
                              change_configs({ResourceType::topic, "orders"}, {{"min.insync.replicas", "1"}})}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  for (const MetadataRecord& record : all) CHECK(decode_record(encode_record(record)) == record);
}

TEST_CASE("a record of an unknown kind or version is never passed over") {
  const auto refuses = [](std::string_view bytes) {
    try {
      decode_record(Bytes::copy_of(bytes));
      return false;
    } catch (const UnreadableMetadata&) {
      return true;
    }
  };
  CHECK(refuses(""));
  CHECK(refuses(std::string_view("\x01\x63\x00", 3)));      // key 99
  CHECK(refuses(std::string_view("\x02\x02\x00", 3)));      // frame version 2
  CHECK(refuses(std::string_view("\x01\x02\x05", 3)));      // Topic v5
  CHECK(refuses(std::string_view("\x01\x02\x00\x07", 4)));  // cut short
}

TEST_CASE("records that are not acted on are kept byte for byte") {
  const std::string bytes("\x01\x0e\x00whatever", 11);  // a client quota
  const MetadataRecord record = decode_record(Bytes::copy_of(bytes));
  CHECK(std::holds_alternative<OtherRecord>(record));
  CHECK(encode_record(record).text() == bytes);
}

TEST_CASE("bootstrap.checkpoint is the 411 bytes that Kafka 4.3 writes, but for its times") {
  const Bytes file = bootstrap_checkpoint(Timestamp(1'700'000'000'000));
  CHECK(file.size() == 411);
  protocol::BatchIterator batches(file);
  std::vector<std::pair<bool, int>> seen;
  while (std::optional<protocol::RecordBatch> batch = batches.next()) {
    CHECK(batch->crc_matches());
    seen.emplace_back(batch->is_control(), batch->count());
  }
  CHECK(batches.rest() == 0);
  CHECK(seen == std::vector<std::pair<bool, int>>{{true, 1}, {false, 6}, {true, 1}});
  std::vector<std::string> features;
  for_each_record(file, [&](MetadataRecord record, int64_t) {
    const auto& level = std::get<protocol::FeatureLevelRecord>(record);
    features.push_back(level.name + " " + std::to_string(level.feature_level));
  });
  CHECK(features == std::vector<std::string>{"metadata.version 30", "eligible.leader.replicas.version 1",
                                             "group.version 1", "share.version 1", "streams.version 1",
                                             "transaction.version 2"});
}

TEST_CASE("the first leader writes the features and the cluster's min.insync.replicas as one transaction") {
  CHECK(kinds(bootstrap_records()) == std::vector<int>{23, 12, 12, 12, 12, 12, 12, 4, 24});
  const MetadataImage image = fold({bootstrap_records()});
  CHECK(image.features().at("metadata.version") == 30);
  CHECK(image.settings({ResourceType::broker, ""}).at("min.insync.replicas") == "1");
}

TEST_CASE("creating a topic: Topic, its own configs, partitions that are in no directory yet") {
  const Records records = create_topic(orders());
  CHECK(kinds(records) == std::vector<int>{2, 4, 3, 3});
  CHECK(version_of(records[0]) == 0);
  CHECK(version_of(records[2]) == 2);
  const auto& partition = std::get<protocol::PartitionRecord>(records[3]);
  CHECK(partition.partition_id == PartitionId(1));
  CHECK(partition.directories == std::vector<Uuid>{unassigned_directory});
  CHECK(partition.leader_epoch == LeaderEpoch(0));
  const MetadataImage image = fold({records});
  const Topic topic = image.topic("orders");
  REQUIRE(topic);
  CHECK(image.topic(Uuid{1, 2}) == topic);
  CHECK(topic->partitions.size() == 2);
  CHECK(image.settings({ResourceType::topic, "orders"}).at("retention.ms") == "1000");
}

TEST_CASE("an assigned directory changes nothing but the directory and the partition epoch") {
  const MetadataImage before = fold({create_topic(orders())});
  const auto change = assign_directory(*before.topic("orders"), PartitionId(0), Uuid{7, 7});
  CHECK(version_of(change) == 2);
  const MetadataImage after = fold({create_topic(orders()), {change}});
  const PartitionImage& partition = after.topic("orders")->partitions[0];
  CHECK(partition.directories == std::vector<Uuid>{{7, 7}});
  CHECK(partition.leader == BrokerId(1));
  CHECK(partition.leader_epoch == LeaderEpoch(0));
  CHECK(partition.partition_epoch == 1);
  // The image that others hold has not moved.
  CHECK(before.topic("orders")->partitions[0].partition_epoch == 0);
}

TEST_CASE("min.insync.replicas of a topic also clears its eligible leaders") {
  CHECK(kinds(change_configs({ResourceType::topic, "orders"}, {{"retention.ms", "5"}})) == std::vector<int>{4});
  CHECK(kinds(change_configs({ResourceType::topic, "orders"}, {{"min.insync.replicas", "2"}})) ==
        std::vector<int>{4, 28});
}

TEST_CASE("a setting that is removed is gone, and a deleted topic takes its settings along") {
  const ConfigResource resource{ResourceType::topic, "orders"};
  const MetadataImage removed =
      fold({create_topic(orders()), change_configs(resource, {{"retention.ms", std::nullopt}})});
  CHECK(removed.settings(resource).empty());
  const MetadataImage image = fold({create_topic(orders())});
  const Records deletion = delete_topic(*image.topic("orders"));
  CHECK(kinds(deletion) == std::vector<int>{9});
  const MetadataImage after = fold({create_topic(orders()), deletion});
  CHECK_FALSE(after.topic("orders"));
  CHECK_FALSE(after.topic(Uuid{1, 2}));
  CHECK(after.settings(resource).empty());
}

TEST_CASE("a stop gives up leadership and keeps the node eligible; the next start leads in a new epoch") {
  const std::vector<Records> begun = {registered(BrokerId(1)), unfence(BrokerId(1), 11), create_topic(orders(1))};
  const Records stop = controlled_shutdown(fold(begun), BrokerId(1), everywhere);
  CHECK(kinds(stop) == std::vector<int>{17, 5, 17});
  CHECK(version_of(stop[0]) == 1);
  CHECK(version_of(stop[2]) == 0);
  std::vector<Records> stopped = begun;
  stopped.push_back(stop);
  const MetadataImage down = fold(stopped);
  const PartitionImage& without = down.topic("orders")->partitions[0];
  CHECK(without.leader == BrokerId(-1));
  CHECK(without.isr.empty());
  CHECK(without.elr == std::vector<BrokerId>{BrokerId(1)});
  CHECK(without.last_known_elr == std::vector<BrokerId>{BrokerId(1)});
  CHECK(down.brokers().at(BrokerId(1)).fenced);
  stopped.push_back(lead_all(down, BrokerId(1), nowhere));
  const MetadataImage again = fold(stopped);
  const PartitionImage& led = again.topic("orders")->partitions[0];
  CHECK(led.leader == BrokerId(1));
  CHECK(led.isr == std::vector<BrokerId>{BrokerId(1)});
  CHECK(led.elr.empty());
  CHECK(led.leader_epoch == LeaderEpoch(2));
}

TEST_CASE("records inside a transaction count together or not at all") {
  Records records;
  records.emplace_back(protocol::BeginTransactionRecord());
  for (MetadataRecord& record : create_topic(orders())) records.push_back(std::move(record));
  CHECK_FALSE(fold({records}).topic("orders"));
  Records aborted = records;
  aborted.emplace_back(protocol::AbortTransactionRecord());
  CHECK_FALSE(fold({aborted}).topic("orders"));
  records.emplace_back(protocol::EndTransactionRecord());
  CHECK(fold({records}).topic("orders"));
}

TEST_CASE("a log that contradicts itself is refused") {
  CHECK_THROWS_AS(fold({delete_topic(TopicImage{"x", Uuid{9, 9}, {}})}), UnreadableMetadata);
  Records records = create_topic(orders());
  records.erase(records.begin() + 2);  // partition 0
  CHECK_THROWS_AS(fold({records}), UnreadableMetadata);
}

}  // namespace
}  // namespace millrace::replication
