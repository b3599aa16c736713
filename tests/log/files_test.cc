// The small files of a log directory, byte for byte as Kafka writes them.
#include <doctest/doctest.h>

#include "log/checkpoint.h"
#include "log/directory_name.h"
#include "log/indexes.h"
#include "log/leader_epochs.h"
#include "log/log.h"
#include "log/meta_properties.h"
#include "log/segment.h"
#include "log/transaction_index.h"

using namespace millrace;
using namespace millrace::log;

TEST_CASE("an offset checkpoint is version, count and one line per partition") {
  OffsetCheckpoint offsets;
  CHECK(format_offsets(offsets) == "0\n0\n");
  offsets[{"orders", PartitionId(3)}] = Offset(42);
  offsets[{"a.b-c", PartitionId(0)}] = Offset(0);
  CHECK(format_offsets(offsets) == "0\n2\na.b-c 0 0\norders 3 42\n");
  CHECK(parse_offsets(format_offsets(offsets), "x") == offsets);
}

TEST_CASE("an empty checkpoint file has no entries, as Kafka's cleaner checkpoint begins") {
  CHECK(parse_offsets("", "x").empty());
}

TEST_CASE("a checkpoint that is not quite right is refused") {
  CHECK_THROWS_AS(parse_offsets("1\n0\n", "x"), CorruptLog);
  CHECK_THROWS_AS(parse_offsets("0\n1\n", "x"), CorruptLog);
  CHECK_THROWS_AS(parse_offsets("0\n1\na 0 1\nb 0 1\n", "x"), CorruptLog);
  CHECK_THROWS_AS(parse_offsets("0\n1\na 0\n", "x"), CorruptLog);
  CHECK_THROWS_AS(parse_offsets("0\n1\na zero 1\n", "x"), CorruptLog);
  CHECK_THROWS_AS(parse_offsets("garbage", "x"), CorruptLog);
}

TEST_CASE("a leader epoch checkpoint holds epochs and their start offsets") {
  CHECK(format_epochs({{LeaderEpoch(0), Offset(0)}}) == "0\n1\n0 0\n");
  CHECK(parse_epochs("0\n2\n0 0\n3 17\n", "x") ==
        std::vector<EpochEntry>{{LeaderEpoch(0), Offset(0)}, {LeaderEpoch(3), Offset(17)}});
}

TEST_CASE("partition.metadata has no newline at its end") {
  const TopicId id = parse_uuid("6UOZMN0zRM6x9TXTfo1YPQ");
  CHECK(format_partition_metadata(id) == "version: 0\ntopic_id: 6UOZMN0zRM6x9TXTfo1YPQ");
  CHECK(parse_partition_metadata("version: 0\ntopic_id: 6UOZMN0zRM6x9TXTfo1YPQ", "x") == id);
  CHECK(parse_partition_metadata("version: 0\ntopic_id: 6UOZMN0zRM6x9TXTfo1YPQ\n", "x") == id);
  CHECK_THROWS_WITH_AS(parse_partition_metadata("garbage", "p"),
                       "Malformed line in partition metadata file (p): 'garbage'", CorruptLog);
}

TEST_CASE("meta.properties as Kafka wrote it is understood, and ours looks the same") {
  const std::string kafkas =
      "#\n#Sat Nov 21 06:43:24 UTC 2026\nnode.id=1\ndirectory.id=7UD2ya4Ir2CxtBQV4T_5Iw\nversion=1\n"
      "cluster.id=4L6g3nShT-eMCtK--X86sw\n";
  const MetaProperties meta = parse_meta_properties(kafkas, "x");
  CHECK(meta.version == 1);
  CHECK(meta.node_id == BrokerId(1));
  CHECK(meta.cluster_id == "4L6g3nShT-eMCtK--X86sw");
  CHECK(to_string(*meta.directory_id) == "7UD2ya4Ir2CxtBQV4T_5Iw");
  CHECK(format_meta_properties(meta, Timestamp(1'795'243'404'000)) == kafkas);
}

TEST_CASE("meta.properties follows Java's rules for properties") {
  const auto all = parse_properties("a = 1\\\n   2\n! no\n#no\nb:x y \nc\nd\\=e=\\u0041\\t\n");
  CHECK(all.at("a") == "12");
  CHECK(all.at("b") == "x y ");
  CHECK(all.at("c").empty());
  CHECK(all.at("d=e") == "A\t");
  CHECK_THROWS_AS(parse_meta_properties("version=1\nnode.id=1\n", "x"), CorruptLog);
  CHECK_THROWS_AS(parse_meta_properties("version=1\ncluster.id=a\nnode.id=one\n", "x"), CorruptLog);
  CHECK(parse_meta_properties("version=0\nbroker.id=4\n", "x").node_id == BrokerId(4));
}

TEST_CASE("the clean shutdown marker carries the broker epoch, and any content is a marker") {
  CHECK(format_clean_shutdown(14) == "{\"version\":0,\"brokerEpoch\":14}");
  CHECK(parse_clean_shutdown("{\"version\":0,\"brokerEpoch\":14}") == 14);
  CHECK(parse_clean_shutdown("{ \"brokerEpoch\" : 7 , \"version\":0}") == 7);
  CHECK(parse_clean_shutdown("garbage") == -1);
  CHECK(parse_clean_shutdown("") == -1);
}

TEST_CASE("partition directories are named topic-partition, and what is neither is not one") {
  CHECK(parse_directory_name("a-b-12")->partition == TopicPartition{"a-b", PartitionId(12)});
  CHECK_FALSE(parse_directory_name("lost+found"));
  CHECK_FALSE(parse_directory_name("orders"));
  CHECK_FALSE(parse_directory_name("orders-"));
  CHECK_FALSE(parse_directory_name("-1"));
  CHECK_FALSE(parse_directory_name("orders-x"));
  const Uuid unique{0x0123456789abcdefull, 0xfedcba9876543210ull};
  const std::string deleted = directory_name({"orders", PartitionId(3)}, DirectoryKind::deleted, unique);
  CHECK(deleted == "orders-3.0123456789abcdeffedcba9876543210-delete");
  CHECK(parse_directory_name(deleted)->kind == DirectoryKind::deleted);
  CHECK(parse_directory_name(deleted)->partition == TopicPartition{"orders", PartitionId(3)});
  CHECK(directory_name({std::string(249, 'x'), PartitionId(3)}, DirectoryKind::stray, unique).size() == 255);
}

TEST_CASE("segment files are named by twenty digits") {
  CHECK(segment_file_name(Offset(42), ".log") == "00000000000000000042.log");
  CHECK(offset_of_file("00000000000000000042.timeindex") == Offset(42));
  CHECK_FALSE(offset_of_file("0042.log"));
  CHECK_FALSE(offset_of_file("partition.metadata.tmp.xx"));
  CHECK_FALSE(offset_of_file("99999999999999999999.log"));
}

TEST_CASE("an offset index finds the last batch that ends at or before an offset") {
  OffsetIndex index(Offset(100));
  index.append(Offset(109), 4200);
  index.append(Offset(120), 9000);
  CHECK(index.lookup(Offset(100)) == 0);
  CHECK(index.lookup(Offset(108)) == 0);
  CHECK(index.lookup(Offset(109)) == 4200);
  CHECK(index.lookup(Offset(119)) == 4200);
  CHECK(index.lookup(Offset(5000)) == 9000);
  CHECK(index.encode() == std::string("\0\0\0\x09\0\0\x10\x68\0\0\0\x14\0\0\x23\x28", 16));
  CHECK(OffsetIndex::decode(Offset(100), index.encode(), 10000)->lookup(Offset(121)) == 9000);
  CHECK_FALSE(OffsetIndex::decode(Offset(100), index.encode(), 9000));
  CHECK_FALSE(OffsetIndex::decode(Offset(100), index.encode().substr(0, 15), 10000));
  index.truncate(Offset(120));
  CHECK(index.lookup(Offset(5000)) == 4200);
}

TEST_CASE("a time index keeps the newest timestamp so far, never an older one") {
  TimeIndex index(Offset(100));
  index.append({Timestamp(5000), Offset(109)});
  index.append({Timestamp(5000), Offset(115)});
  index.append({Timestamp(4000), Offset(118)});
  index.append({Timestamp(6000), Offset(120)});
  CHECK(index.size() == 2);
  CHECK(index.lookup(Timestamp(4999)).offset == Offset(100));
  CHECK(index.lookup(Timestamp(5000)).offset == Offset(109));
  CHECK(index.lookup(Timestamp(9000)).offset == Offset(120));
  CHECK(index.encode().size() == 24);
  CHECK(TimeIndex::decode(Offset(100), index.encode())->last().timestamp == Timestamp(6000));
}

TEST_CASE("a transaction index entry is 34 bytes, and a foreign version is refused in Kafka's words") {
  TransactionIndex index;
  index.append({ProducerId(7), Offset(10), Offset(19), Offset(15)});
  const std::string file = index.encode();
  CHECK(file.size() == 34);
  CHECK(TransactionIndex::decode(file, "x").entries() == index.entries());
  std::string foreign = file;
  foreign[1] = 30;
  CHECK_THROWS_AS(TransactionIndex::decode(foreign, "x"), CorruptLog);
  CHECK_THROWS_AS(TransactionIndex::decode(file.substr(1), "x"), CorruptLog);
}

TEST_CASE("an epoch ends where the next one begins") {
  LeaderEpochs epochs;
  CHECK(epochs.end_of(LeaderEpoch(0), Offset(100)) == std::pair(LeaderEpoch(-1), Offset(-1)));
  CHECK(epochs.assign(LeaderEpoch(1), Offset(0)));
  CHECK(epochs.assign(LeaderEpoch(4), Offset(10)));
  CHECK_FALSE(epochs.assign(LeaderEpoch(4), Offset(20)));
  CHECK(epochs.end_of(LeaderEpoch(4), Offset(100)) == std::pair(LeaderEpoch(4), Offset(100)));
  CHECK(epochs.end_of(LeaderEpoch(3), Offset(100)) == std::pair(LeaderEpoch(1), Offset(10)));
  CHECK(epochs.end_of(LeaderEpoch(0), Offset(100)) == std::pair(LeaderEpoch(0), Offset(0)));
  CHECK(epochs.end_of(LeaderEpoch(5), Offset(100)) == std::pair(LeaderEpoch(-1), Offset(-1)));
  CHECK(epochs.at(Offset(9)) == LeaderEpoch(1));
  CHECK(epochs.at(Offset(10)) == LeaderEpoch(4));
}

TEST_CASE("an epoch that starts where another did replaces it") {
  LeaderEpochs epochs;
  epochs.assign(LeaderEpoch(1), Offset(0));
  epochs.assign(LeaderEpoch(2), Offset(10));
  epochs.assign(LeaderEpoch(3), Offset(10));
  CHECK(epochs.entries() == std::vector<EpochEntry>{{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(3), Offset(10)}});
}

TEST_CASE("epochs are cut with the log, and the first one moves with its start") {
  LeaderEpochs epochs;
  epochs.assign(LeaderEpoch(0), Offset(0));
  epochs.assign(LeaderEpoch(1), Offset(10));
  epochs.assign(LeaderEpoch(2), Offset(20));
  CHECK(epochs.truncate_from_end(Offset(20)));
  CHECK(epochs.latest() == LeaderEpoch(1));
  CHECK(epochs.truncate_from_start(Offset(15)));
  CHECK(epochs.entries() == std::vector<EpochEntry>{{LeaderEpoch(1), Offset(15)}});
  CHECK_FALSE(epochs.truncate_from_start(Offset(15)));
}
