// One entry of log.dirs: how it is taken, kept and left.
#include "log/log_directory.h"

#include "tests/log/world.h"

using namespace millrace;
using namespace millrace::log;

namespace {

const TopicPartition payments{"payments", PartitionId(2)};
const TopicId payments_id{77, 88};

MetaProperties meta_of(int32_t node) {
  MetaProperties meta;
  meta.cluster_id = "4L6g3nShT-eMCtK--X86sw";
  meta.node_id = BrokerId(node);
  meta.directory_id = Uuid{static_cast<uint64_t>(node), 5};
  return meta;
}

struct DirectoryWorld : LogWorld {
  std::string file(const std::string& name) { return disk().content("/data/" + name).value_or("(missing)"); }
  bool exists(const std::string& name) { return disk().content("/data/" + name).has_value(); }
  // What opening the directory says.
  std::string refusal(const std::string& path = "/data") {
    std::string said;
    run([&]() -> Task<void> {
      try {
        std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open(path);
        co_await directory->abandon();
      } catch (const CorruptLog& error) {
        said = error.what();
      }
    });
    return said;
  }
};

void format(DirectoryWorld& world) {
  world.disk().put("/data/meta.properties", format_meta_properties(meta_of(1), Timestamp(0)));
}

Task<std::vector<PartitionPositions>> positions(Log& log, TopicPartition name) {
  std::vector<PartitionPositions> all;
  all.push_back(co_await positions_of(log, std::move(name), log.end()));
  co_return all;
}

}  // namespace

TEST_CASE("a directory that was left cleanly says so once, with its broker epoch and its partitions") {
  DirectoryWorld world;
  format(world);
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    CHECK_FALSE(directory->clean_shutdown());
    CHECK(directory->meta()->node_id == BrokerId(1));
    CHECK(directory->partitions().empty());
    LogConfig config;
    std::unique_ptr<Log> log =
        co_await directory->open_log(payments, payments_id, config, directory->open_state(payments));
    log->append(batch_of({"a", "b", "c"}), LeaderEpoch(0));
    co_await log->delete_before(Offset(1));
    co_await log->close();
    std::vector<PartitionPositions> all = co_await positions(*log, payments);
    co_await directory->close(14, std::move(all));
  });
  CHECK(world.file(".kafka_cleanshutdown") == "{\"version\":0,\"brokerEpoch\":14}");
  CHECK(world.file("recovery-point-offset-checkpoint") == "0\n1\npayments 2 3\n");
  CHECK(world.file("replication-offset-checkpoint") == "0\n1\npayments 2 3\n");
  CHECK(world.file("log-start-offset-checkpoint") == "0\n1\npayments 2 1\n");
  CHECK(world.file("cleaner-offset-checkpoint").empty());
  CHECK_FALSE(world.exists(".lock"));
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    CHECK(directory->clean_shutdown());
    CHECK(directory->previous_broker_epoch() == 14);
    REQUIRE(directory->partitions().size() == 1);
    CHECK(directory->partitions()[0].name == payments);
    CHECK(directory->partitions()[0].id.is_zero());
    const std::optional<TopicId> id = co_await directory->topic_id_of(payments);
    CHECK(id == payments_id);
    CHECK(directory->high_watermark(payments) == Offset(3));
    CHECK_FALSE(world.exists(".kafka_cleanshutdown"));
    CHECK(world.exists(".lock"));
    LogConfig config;
    std::unique_ptr<Log> log =
        co_await directory->open_log(payments, payments_id, config, directory->open_state(payments));
    CHECK(log->start() == Offset(1));
    CHECK(log->end() == Offset(3));
    co_await log->close();
    co_await directory->abandon();
  });
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    CHECK_FALSE(directory->clean_shutdown());
    CHECK(directory->open_state(payments).recovery_point == Offset(3));
    co_await directory->abandon();
  });
}

TEST_CASE("one process at a time") {
  DirectoryWorld world;
  format(world);
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> first = co_await LogDirectory::open("/data");
    std::string said;
    try {
      std::unique_ptr<LogDirectory> second = co_await LogDirectory::open("/data");
    } catch (const CorruptLog& error) {
      said = error.what();
    }
    CHECK(said ==
          "Failed to acquire lock on file .lock in /data. A Kafka instance in another process or thread is using this "
          "directory.");
    co_await first->abandon();
  });
}

TEST_CASE("foreign directories are refused, plain files and lost+found are not") {
  DirectoryWorld world;
  format(world);
  world.disk().put("/data/foo.txt", "x");
  world.disk().put("/data/lost+found/x", "x");
  CHECK(world.refusal().empty());
  world.disk().put("/data/foreign/x", "x");
  CHECK(
      world.refusal().starts_with("Found directory /data/foreign, 'foreign' is not in the form of topic-partition or "
                                  "topic-partition.uniqueId-delete "
                                  "(if marked for deletion)."));
}

TEST_CASE("a partition without partition.metadata is set aside as stray, one with nonsense in it is refused") {
  DirectoryWorld world;
  format(world);
  world.disk().put("/data/orders-0/00000000000000000000.log", "");
  CHECK(world.refusal().empty());
  bool stray = false;
  for (const std::string& name : world.disk().names("/data")) {
    CHECK_FALSE(name.starts_with("orders-0/"));
    stray |= name.starts_with("orders-0.") && name.find("-stray/00000000000000000000.log") != std::string::npos;
  }
  CHECK(stray);
  CHECK(world.refusal().empty());
  world.disk().put("/data/orders-0/partition.metadata", "garbage");
  CHECK(world.refusal() == "Malformed line in partition metadata file (/data/orders-0/partition.metadata): 'garbage'");
}

TEST_CASE("an unreadable recovery point means 0, and start goes on") {
  DirectoryWorld world;
  format(world);
  world.disk().put("/data/recovery-point-offset-checkpoint", "garbage");
  world.disk().put("/data/log-start-offset-checkpoint", "0\n5\n");
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    CHECK(directory->warnings().size() == 2);
    CHECK(directory->open_state(payments).recovery_point == Offset(0));
    co_await directory->abandon();
  });
}

TEST_CASE("a deleted partition is renamed, removed after the delay, and leaves no offsets behind") {
  DirectoryWorld world;
  format(world);
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    LogConfig config;
    std::unique_ptr<Log> log =
        co_await directory->open_log(payments, payments_id, config, directory->open_state(payments));
    log->append(batch_of({"a"}), LeaderEpoch(0));
    co_await log->flush();
    std::vector<PartitionPositions> all = co_await positions(*log, payments);
    co_await directory->checkpoint(std::move(all));
    CHECK(world.file("recovery-point-offset-checkpoint") == "0\n1\npayments 2 1\n");
    co_await log->close();
    std::vector<TopicPartition> gone{payments};
    co_await directory->delete_partitions(std::move(gone), std::chrono::seconds(60));
    CHECK(world.file("recovery-point-offset-checkpoint") == "0\n0\n");
    const auto left = [&] {
      int count = 0;
      for (const std::string& name : world.disk().names("/data")) {
        count += name.find("payments-2.") != std::string::npos && name.find("-delete") != std::string::npos;
      }
      return count;
    };
    CHECK(left() > 0);
    const TopicId new_id{5, 5};
    log = co_await directory->open_log(payments, new_id, config, directory->open_state(payments));
    CHECK(log->end() == Offset(0));
    co_await log->close();
    co_await sleep_until(after(std::chrono::seconds(61)));
    CHECK(left() == 0);
    co_await directory->abandon();
  });
}

TEST_CASE("checkpoints are kept up in the background") {
  DirectoryWorld world;
  format(world);
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    LogConfig config;
    std::unique_ptr<Log> log =
        co_await directory->open_log(payments, payments_id, config, directory->open_state(payments));
    LogDirectory::Collect collect = [&]() -> Task<std::vector<PartitionPositions>> {
      std::vector<PartitionPositions> all = co_await positions(*log, payments);
      co_return all;
    };
    directory->keep_checkpoints(collect);
    log->append(batch_of({"a"}), LeaderEpoch(0));
    co_await log->flush();
    co_await sleep_until(after(std::chrono::seconds(7)));
    CHECK(world.file("replication-offset-checkpoint") == "0\n1\npayments 2 1\n");
    CHECK_FALSE(world.exists("recovery-point-offset-checkpoint"));
    // What would say the same is not written again.
    co_await world.disk().remove("/data/replication-offset-checkpoint");
    co_await sleep_until(after(std::chrono::seconds(11)));
    CHECK_FALSE(world.exists("replication-offset-checkpoint"));
    log->append(batch_of({"b"}), LeaderEpoch(0));
    co_await log->flush();
    co_await sleep_until(after(std::chrono::seconds(61)));
    CHECK(world.file("recovery-point-offset-checkpoint") == "0\n1\npayments 2 2\n");
    CHECK(world.file("replication-offset-checkpoint") == "0\n1\npayments 2 2\n");
    CHECK(world.exists("payments-2/leader-epoch-checkpoint"));
    co_await log->close();
    std::vector<PartitionPositions> all = co_await positions(*log, payments);
    co_await directory->close(1, std::move(all));
  });
}

TEST_CASE("a log that fails takes its directory offline, which then leaves no marker") {
  DirectoryWorld world;
  format(world);
  world.run([&]() -> Task<void> {
    std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
    LogConfig config;
    std::unique_ptr<Log> log =
        co_await directory->open_log(payments, payments_id, config, directory->open_state(payments));
    world.disk().inject({.call = sim::DiskCall::sync, .path = ".log", .error = EIO});
    log->append(batch_of({"a"}), LeaderEpoch(0));
    const bool durable = co_await log->wait_for(Offset(1), Durability::durable);
    CHECK_FALSE(durable);
    while (!directory->offline()) co_await directory->state_changed().wait();
    CHECK(directory->failure().find("payments-2") != std::string::npos);
    co_await log->close();
    std::vector<PartitionPositions> none;
    co_await directory->close(1, std::move(none));
  });
  CHECK_FALSE(world.exists(".kafka_cleanshutdown"));
}

TEST_CASE("directories are checked together: one node, one place for each partition and for the metadata log") {
  DirectoryWorld world;
  format(world);
  world.disk().put("/other/meta.properties", format_meta_properties(meta_of(1), Timestamp(0)));
  const auto together = [&] {
    std::string said;
    world.run([&]() -> Task<void> {
      std::unique_ptr<LogDirectory> first = co_await LogDirectory::open("/data");
      std::unique_ptr<LogDirectory> second = co_await LogDirectory::open("/other");
      try {
        check_together({first.get(), second.get()}, "/data");
      } catch (const CorruptLog& error) {
        said = error.what();
      }
      co_await first->abandon();
      co_await second->abandon();
    });
    return said;
  };
  CHECK(together().starts_with("Duplicate directory ID"));
  MetaProperties other = meta_of(2);
  world.disk().put("/other/meta.properties", format_meta_properties(other, Timestamp(0)));
  CHECK(together().starts_with("Stored node id 2 doesn't match previous node id 1 in /other/meta.properties."));
  other.node_id = BrokerId(1);
  world.disk().put("/other/meta.properties", format_meta_properties(other, Timestamp(0)));
  CHECK(together().empty());
  const std::string metadata = format_partition_metadata(payments_id);
  world.disk().put("/data/payments-2/partition.metadata", metadata);
  world.disk().put("/other/payments-2/partition.metadata", metadata);
  CHECK(together().starts_with(
      "Duplicate log directories for payments-2 are found in both /data/payments-2 and /other/payments-2."));
  world.disk().file_system().remove("/other/payments-2", true);
  world.disk().put("/other/__cluster_metadata-0/partition.metadata", metadata);
  CHECK(together() ==
        "Found unexpected metadata location in data directory `/other` (the configured metadata directory is /data).");
  world.disk().file_system().remove("/other/meta.properties", false);
  CHECK(together() ==
        "No `meta.properties` found in /other (have you run `kafka-storage.sh` to format the directory?)");
}

TEST_CASE("the marker is gone for good before anything else happens") {
  sim::for_each_seed(50, [](uint64_t seed) {
    sim::World world(seed);
    sim::Node& node = world.add_node("broker");
    node.disk().put("/data/meta.properties", format_meta_properties(meta_of(1), Timestamp(0)));
    node.disk().put("/data/.kafka_cleanshutdown", format_clean_shutdown(3));
    bool opened = false;
    node.start([&](sim::Node&) -> Task<int> {
      std::unique_ptr<LogDirectory> directory = co_await LogDirectory::open("/data");
      opened = true;
      co_await sleep_until(after(std::chrono::seconds(100)));
      co_await directory->abandon();
      co_return 0;
    });
    world.run_until([&] { return opened; });
    node.crash(sim::Crash::power);
    CHECK_FALSE(node.disk().content("/data/.kafka_cleanshutdown"));
  });
}
