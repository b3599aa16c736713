#include "broker/controller.h"

#include <algorithm>

#include "broker/logging.h"

namespace millrace::broker {

namespace {

constexpr int32_t most_partitions_at_once = 10000;
constexpr int64_t producer_block = 1000;

Outcome failure(ErrorCode error, std::string message) { return {error, std::move(message)}; }

TopicOutcome topic_failure(ErrorCode error, std::string message) {
  TopicOutcome outcome;
  outcome.error = error;
  outcome.message = std::move(message);
  return outcome;
}

log::LogDirectory* directory_of(const Storage& storage, const log::Log& log) {
  const std::string parent = log.directory().substr(0, log.directory().find_last_of('/'));
  const auto at = std::ranges::find(storage.dirs(), parent, [](const auto& dir) { return dir->path(); });
  return at == storage.dirs().end() ? nullptr : at->get();
}

// Topic names that metrics cannot tell apart.
std::string collision_key(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace

Controller::Controller(Broker& broker, Storage& storage) : broker_(broker), storage_(storage) {}

Task<void> Controller::take_turn() {
  while (deciding_) co_await decided_.wait();
  deciding_ = true;
}

void Controller::end_turn() {
  deciding_ = false;
  decided_.notify();
}

// --- start ---

Task<void> Controller::start() {
  log::LogConfig metadata_config;
  metadata_config.segment_bytes = static_cast<int32_t>(broker_.config().number("metadata.log.segment.bytes"));
  metadata_config.segment_age = broker_.config().millis("metadata.log.segment.ms");
  metadata_config.retention = Millis(-1);
  metadata_config.max_message_bytes = INT32_MAX;
  const log::LogDirectory& metadata_dir = storage_.metadata_dir();
  log_ = co_await replication::MetadataLog::open(metadata_dir.path(), Storage::id_of(metadata_dir), broker_.id(),
                                                 metadata_config);
  co_await log_->lead();
  const std::string id = std::to_string(broker_.id().value);
  log_info("[RaftManager id=" + id + "] Completed transition to Leader(epoch=" + std::to_string(log_->epoch().value) +
           ") of a quorum of one");
  co_await register_broker();
  next_producer_ = producer_block_end_ = log_->image().next_producer_id();
  const int64_t journal_bytes = broker_.config().number("millrace.journal.bytes");
  if (broker_.durability() == log::Durability::durable && journal_bytes > 0) {
    for (const auto& dir : storage_.dirs()) co_await dir->keep_journals(broker_.shards(), journal_bytes);
  }
  co_await open_partitions();
  co_await publish();
  co_await recover_journaled();
  for (const auto& dir : storage_.dirs()) {
    const log::LogDirectory* of = dir.get();
    auto collect = [this, of] { return positions(of); };
    dir->keep_checkpoints(std::move(collect), broker_.config().millis("log.flush.offset.checkpoint.interval.ms"),
                          broker_.config().millis("replica.high.watermark.checkpoint.interval.ms"));
    gate_.spawn(watch_directory(dir.get()));
  }
  gate_.spawn(keep_retention());
  gate_.spawn(open_all_expected(true));
  started_ = true;
}

Task<void> Controller::register_broker() {
  replication::Registration registration;
  registration.broker = broker_.id();
  registration.incarnation = Shard::current().random().uuid();
  for (const Endpoint& endpoint : broker_.advertised()) {
    protocol::RegisterBrokerRecord::EndPoint record;
    record.name = endpoint.listener;
    record.host = endpoint.address.host;
    record.port = endpoint.address.port;
    registration.endpoints.push_back(std::move(record));
  }
  for (const auto& level : replication::default_features()) {
    protocol::RegisterBrokerRecord::Feature feature;
    feature.name = level.name;
    feature.min_supported_version = level.name == "metadata.version" ? 7 : 0;
    feature.max_supported_version = level.feature_level;
    registration.features.push_back(std::move(feature));
  }
  const std::string rack = broker_.config().text("broker.rack");
  if (!rack.empty()) registration.rack = rack;
  for (const auto& dir : storage_.dirs()) registration.directories.push_back(Storage::id_of(*dir));
  std::ranges::sort(registration.directories);

  protocol::RegisterControllerRecord controller;
  controller.controller_id = broker_.id();
  controller.incarnation_id = registration.incarnation;
  for (const Endpoint& endpoint : broker_.config().controller_listeners()) {
    protocol::RegisterControllerRecord::EndPoint record;
    record.name = endpoint.listener;
    record.host = endpoint.address.host.empty() ? "localhost" : endpoint.address.host;
    record.port = endpoint.address.port;
    controller.end_points.push_back(std::move(record));
  }
  for (const auto& feature : registration.features) {
    protocol::RegisterControllerRecord::Feature copy;
    copy.name = feature.name;
    copy.min_supported_version = feature.min_supported_version;
    copy.max_supported_version = feature.max_supported_version;
    controller.features.push_back(std::move(copy));
  }
  replication::Records controller_records;
  controller_records.emplace_back(std::move(controller));
  co_await log_->append(std::move(controller_records));

  registration.epoch = broker_epoch_ = log_->next_offset();
  replication::Records records = replication::register_broker(registration);
  co_await log_->append(std::move(records));
  replication::Records unfenced = replication::unfence(broker_.id(), broker_epoch_);
  co_await log_->append(std::move(unfenced));
}

Task<void> Controller::open_partitions() {
  co_await set_aside_strays();
  const auto has_records = [this](const replication::TopicImage& topic, PartitionId partition) {
    return storage_.found(topic.name, partition) != nullptr || is_journaled(topic.id, partition);
  };
  replication::Records leads = replication::lead_all(log_->image(), broker_.id(), has_records);
  co_await append_all(std::move(leads));
  replication::Records assignments;
  std::map<Shard*, std::vector<Partitions::Expected>> expected;
  size_t count = 0;
  size_t on_disk = 0;
  for (const replication::Topic& topic : log_->image().topics()) {
    const std::string& name = topic->name;
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const replication::PartitionImage& partition = topic->partitions[i];
      const auto replica = std::ranges::find(partition.replicas, broker_.id());
      if (replica == partition.replicas.end()) continue;
      const PartitionId id(static_cast<int32_t>(i));
      const size_t at = static_cast<size_t>(replica - partition.replicas.begin());
      const Uuid assigned = at < partition.directories.size() ? partition.directories[at] : Uuid();
      const Storage::Found* found = storage_.found(name, id);
      log::LogDirectory* dir = found != nullptr ? found->dir : storage_.find(assigned);
      if (dir == nullptr) {
        dir = &storage_.take_emptiest();
      } else {
        storage_.count(*dir, 1);
      }
      const Uuid dir_id = Storage::id_of(*dir);
      if (dir_id != assigned) assignments.emplace_back(replication::assign_directory(*topic, id, dir_id));
      ++count;
      const bool journaled = is_journaled(topic->id, id);
      if (found == nullptr && !journaled) continue;
      if (journaled) journaled_.push_back({topic->id, id, dir});
      expected[&broker_.owner(topic->id, id)].push_back({topic->id, id, dir});
      ++on_disk;
    }
  }
  storage_.forget_found();
  co_await append_all(std::move(assignments));
  for (Shard* shard : broker_.shards()) {
    auto expect = [this, &mine = expected[shard]]() -> Task<void> {
      Partitions& partitions = broker_.partitions();
      partitions.make_with([this](const TopicId& topic, PartitionId id) { return make_partition(topic, id); });
      partitions.open_with(
          [this](TopicId topic, PartitionId id, log::LogDirectory& dir) { return open_partition(topic, id, dir); });
      for (const Partitions::Expected& each : mine) partitions.expect(each.topic, each.partition, *each.dir);
      co_return;
    };
    co_await on(*shard, std::move(expect));
  }
  if (count > 0) {
    log_info("Serving " + std::to_string(count) + " partitions, " + std::to_string(on_disk) + " of them with records");
  }
}

bool Controller::is_journaled(const TopicId& topic, PartitionId partition) const {
  return std::ranges::any_of(storage_.dirs(), [&](const auto& dir) { return dir->journaled(topic, partition); });
}

// Before anybody is served: what only a journal holds must be in the logs before the journal begins anew.
Task<void> Controller::recover_journaled() {
  const std::vector<Partitions::Expected> journaled = std::exchange(journaled_, {});
  std::set<const log::LogDirectory*> unfinished;
  for (const Partitions::Expected& each : journaled) {
    auto open = [this, &each]() -> Task<bool> {
      co_return co_await broker_.partitions().open(each.topic, each.partition) != nullptr;
    };
    const bool opened = co_await on(broker_.owner(each.topic, each.partition), std::move(open));
    if (!opened) unfinished.insert(each.dir);
  }
  for (const auto& dir : storage_.dirs()) {
    if (!unfinished.contains(dir.get())) co_await dir->finish_recovery();
  }
}

// Directories that the metadata does not know (any more) are kept, under a name that is never served.
Task<void> Controller::set_aside_strays() {
  for (const auto& dir : storage_.dirs()) {
    for (const log::FoundPartition& found : dir->partitions()) {
      const replication::Topic topic = log_->image().topic(found.name.topic);
      const bool known = topic && (found.id.is_zero() || topic->id == found.id) &&
                         static_cast<size_t>(found.name.partition.value) < topic->partitions.size();
      if (known) continue;
      co_await dir->set_aside_stray(found.name);
      log_warn(dir->warnings().back());
      storage_.forget(found.name);
    }
  }
}

Task<Controller::Claim> Controller::claim(TopicPartition name, TopicId topic, log::LogDirectory& dir) {
  Claim claim;
  if (dir.offline()) co_return claim;
  const std::optional<TopicId> id = co_await dir.topic_id_of(name);
  // A crash may have left nothing of its directory, or not what tells whose it is, while the journal has its records.
  const bool journaled = dir.journaled(topic, name.partition);
  if (id != topic && (id || !journaled)) {
    co_await dir.set_aside_stray(name);
    log_warn(dir.warnings().back());
    claim.stray = !journaled;
  }
  if (!claim.stray) claim.state = dir.open_state(name);
  co_return claim;
}

// On the partition's shard. What is wrong with its files takes the directory offline, as a failing disk does.
Task<std::shared_ptr<Partition>> Controller::open_partition(TopicId topic_id, PartitionId id, log::LogDirectory& dir) {
  const Image image = broker_.image();
  const replication::Topic topic = image->topic(topic_id);
  if (!topic) co_return nullptr;
  const TopicPartition name{topic->name, id};
  std::string failure;
  try {
    auto ask = [this, &name, topic_id, &dir] { return claim(name, topic_id, dir); };
    const Claim claimed = co_await on(broker_.first_shard(), std::move(ask));
    if (claimed.stray) co_return make_partition(topic_id, id);
    if (!claimed.state) co_return nullptr;
    const log::LogConfig config =
        log_config(image->settings({replication::ResourceType::topic, topic->name}), broker_.layers());
    std::unique_ptr<log::Log> log = co_await dir.open_log(name, topic_id, config, *claimed.state);
    const LeaderEpoch epoch = topic->partitions[static_cast<size_t>(id.value)].leader_epoch;
    log->begin_epoch(epoch);
    co_return std::make_shared<Partition>(name, std::move(log), epoch, broker_.durability());
  } catch (const DiskError& error) {
    failure = error.what();
  } catch (const log::CorruptLog& error) {
    failure = error.what();
  }
  broker_.first_shard().post([&dir, failure] { dir.fail(failure); });
  co_return nullptr;
}

// What nobody asks for is opened all the same, in the end: for retention, and to know early what is wrong with it.
Task<void> Controller::open_all_expected(bool gently) {
  constexpr int at_once = 16;
  constexpr std::chrono::milliseconds pause(2);
  for (Shard* shard : broker_.shards()) {
    auto list = [this]() -> Task<std::vector<Partitions::Expected>> { co_return broker_.partitions().expected(); };
    const std::vector<Partitions::Expected> all = co_await on(*shard, std::move(list));
    for (size_t i = 0; i < all.size(); i += at_once) {
      if (gently && stopping_) co_return;
      auto open = [this, &all, i]() -> Task<void> {
        for (size_t k = i; k < std::min(all.size(), i + at_once); ++k) {
          co_await broker_.partitions().open(all[k].topic, all[k].partition);
        }
      };
      co_await on(*shard, std::move(open));
      if (gently && i + at_once < all.size()) co_await stop_.wait(after(pause));
    }
  }
}

Task<void> Controller::append_all(replication::Records records) {
  for (size_t i = 0; i < records.size(); i += most_partitions_at_once) {
    const auto first = records.begin() + static_cast<ptrdiff_t>(i);
    const auto last = records.begin() + static_cast<ptrdiff_t>(std::min(records.size(), i + most_partitions_at_once));
    replication::Records some(std::make_move_iterator(first), std::make_move_iterator(last));
    co_await log_->append(std::move(some));
  }
}

// On the shard of whoever asks first: the image and the directories' names are all it needs.
std::shared_ptr<Partition> Controller::make_partition(const TopicId& topic_id, PartitionId id) {
  const Image image = broker_.image();
  const replication::Topic topic = image->topic(topic_id);
  const auto index = static_cast<size_t>(id.value);
  if (!topic || id.value < 0 || index >= topic->partitions.size()) return nullptr;
  const replication::PartitionImage& partition = topic->partitions[index];
  const auto replica = std::ranges::find(partition.replicas, broker_.id());
  if (replica == partition.replicas.end()) return nullptr;
  const auto at = static_cast<size_t>(replica - partition.replicas.begin());
  log::LogDirectory* dir = at < partition.directories.size() ? storage_.find(partition.directories[at]) : nullptr;
  if (dir == nullptr) return nullptr;
  const TopicPartition name{topic->name, id};
  const log::LogConfig config =
      log_config(image->settings({replication::ResourceType::topic, topic->name}), broker_.layers());
  std::unique_ptr<log::Log> log = dir->create_log(name, topic_id, config);
  log->begin_epoch(partition.leader_epoch);
  return std::make_shared<Partition>(name, std::move(log), partition.leader_epoch, broker_.durability());
}

std::vector<Uuid> Controller::choose_directories(size_t count) {
  std::vector<Uuid> ids;
  ids.reserve(count);
  for (size_t i = 0; i < count; ++i) ids.push_back(Storage::id_of(storage_.take_emptiest()));
  return ids;
}

// Every shard sees the image before anybody is told of the decision.
Task<void> Controller::publish() {
  const Image image = std::make_shared<const replication::MetadataImage>(log_->image());
  for (Shard* shard : broker_.shards()) {
    auto take = [this, image]() -> Task<void> {
      broker_.set_image(image);
      co_return;
    };
    co_await on(*shard, std::move(take));
  }
}

void Controller::announce() {
  const std::string id = std::to_string(broker_.id().value);
  log_info("[BrokerLifecycleManager id=" + id +
           "] The broker has been unfenced. Transitioning from RECOVERY to RUNNING.");
  log_info("[KafkaRaftServer nodeId=" + id + "] Kafka Server started");
}

// --- decisions ---

TopicOutcome Controller::check_wish(const TopicWish& wish, const std::map<std::string, std::string>& similar,
                                    std::vector<std::vector<BrokerId>>& replicas) const {
  const replication::MetadataImage& image = log_->image();
  if (const std::string fault = topic_name_fault(wish.name); !fault.empty()) {
    return topic_failure(ErrorCode::invalid_topic_exception, fault);
  }
  if (image.topic(wish.name)) {
    return topic_failure(ErrorCode::topic_already_exists, "Topic '" + wish.name + "' already exists.");
  }
  if (const auto other = similar.find(collision_key(wish.name)); other != similar.end()) {
    return topic_failure(ErrorCode::invalid_topic_exception,
                         "Topic '" + wish.name + "' collides with existing topic: " + other->second);
  }
  TopicOutcome outcome;
  for (const auto& [name, value] : wish.configs) {
    if (!value) {
      return topic_failure(ErrorCode::invalid_config, "Null value not supported for topic configs: " + name);
    }
    outcome.settings[name] = *value;
  }
  try {
    validate_topic_settings(outcome.settings, config_layers(broker_.config(), image));
  } catch (const ConfigError& error) {
    return topic_failure(ErrorCode::invalid_config, error.what());
  }
  if (!wish.assignments.empty()) {
    if (wish.replication_factor != -1) {
      return topic_failure(ErrorCode::invalid_request,
                           "A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if (wish.partitions != -1) {
      return topic_failure(ErrorCode::invalid_request,
                           "A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    replicas.assign(wish.assignments.size(), {});
    for (const auto& [partition, brokers] : wish.assignments) {
      const auto index = static_cast<size_t>(partition.value);
      if (partition.value < 0 || index >= replicas.size() || !replicas[index].empty()) {
        return topic_failure(ErrorCode::invalid_replica_assignment,
                             "partitions should be a consecutive 0-based integer sequence");
      }
      if (brokers.size() != 1 || brokers.front() != broker_.id()) {
        return topic_failure(ErrorCode::invalid_replica_assignment,
                             brokers.empty() ? "The manual partition assignment includes an empty replica list."
                                             : "The manual partition assignment includes a broker that is not "
                                               "registered, or one twice.");
      }
      replicas[index] = brokers;
    }
    outcome.replication_factor = 1;
  } else {
    const int64_t factor =
        wish.replication_factor == -1 ? broker_.config().number("default.replication.factor") : wish.replication_factor;
    const int64_t count = wish.partitions == -1 ? broker_.config().number("num.partitions") : wish.partitions;
    if (factor < 1) {
      return topic_failure(ErrorCode::invalid_replication_factor,
                           "Replication factor must be larger than 0, or -1 to use the default value.");
    }
    if (count < 1) {
      return topic_failure(ErrorCode::invalid_partitions,
                           "Number of partitions was set to an invalid non-positive value.");
    }
    if (count > most_partitions_at_once) {
      return topic_failure(ErrorCode::policy_violation, "Excessively large number of partitions per request.");
    }
    if (factor > 1) {
      return topic_failure(ErrorCode::invalid_replication_factor,
                           "Unable to replicate the partition " + std::to_string(factor) +
                               " time(s): The target replication factor of " + std::to_string(factor) +
                               " cannot be reached because only 1 broker(s) are registered.");
    }
    replicas.assign(static_cast<size_t>(count), {broker_.id()});
    outcome.replication_factor = 1;
  }
  outcome.partitions = static_cast<int32_t>(replicas.size());
  return outcome;
}

// Names that a new one with a '.' or '_' might be taken for, by what is the same in both.
std::map<std::string, std::string> names_like(const std::vector<TopicWish>& wishes,
                                              const replication::MetadataImage& image) {
  std::map<std::string, std::string> similar;
  const auto may_collide = [](const std::string& name) { return name.find_first_of("._") != std::string::npos; };
  if (std::ranges::none_of(wishes, may_collide, &TopicWish::name)) return similar;
  for (const replication::Topic& topic : image.topics()) {
    if (may_collide(topic->name)) similar.emplace(collision_key(topic->name), topic->name);
  }
  return similar;
}

Task<TopicOutcome> Controller::create_topic(TopicWish wish, bool validate_only) {
  std::vector<TopicWish> one;
  one.push_back(std::move(wish));
  std::vector<TopicOutcome> outcomes = co_await create_topics(std::move(one), validate_only);
  co_return std::move(outcomes.front());
}

Task<std::vector<TopicOutcome>> Controller::create_topics(std::vector<TopicWish> wishes, bool validate_only) {
  co_await take_turn();
  std::vector<TopicOutcome> outcomes;
  std::exception_ptr error;
  try {
    std::map<std::string, std::string> similar = names_like(wishes, log_->image());
    replication::Records records;
    for (TopicWish& wish : wishes) {
      std::vector<std::vector<BrokerId>> replicas;
      outcomes.push_back(stopping_ ? topic_failure(ErrorCode::not_controller, "The controller is stopping.")
                                   : check_wish(wish, similar, replicas));
      TopicOutcome& outcome = outcomes.back();
      if (outcome.error != ErrorCode::none) continue;
      similar.emplace(collision_key(wish.name), wish.name);
      if (validate_only) continue;
      replication::NewTopic topic;
      topic.name = wish.name;
      topic.id = outcome.id = Shard::current().random().uuid();
      topic.directories = choose_directories(replicas.size());
      topic.replicas = std::move(replicas);
      for (const auto& [name, value] : wish.configs) topic.configs.emplace_back(name, value.value_or(""));
      replication::Records more = replication::create_topic(topic);
      std::ranges::move(more, std::back_inserter(records));
    }
    if (!records.empty()) {
      co_await log_->append(std::move(records));
      co_await publish();
    }
  } catch (...) {
    error = std::current_exception();
  }
  end_turn();
  if (error) std::rethrow_exception(error);
  co_return outcomes;
}

Task<ErrorCode> Controller::ensure_topic(TopicWish wish) {
  if (broker_.image()->topic(wish.name)) co_return ErrorCode::none;
  const TopicOutcome outcome = co_await create_topic(std::move(wish), false);
  co_return outcome.error == ErrorCode::topic_already_exists ? ErrorCode::none : outcome.error;
}

Task<Outcome> Controller::delete_topic(TopicId id) {
  co_await take_turn();
  Outcome outcome;
  replication::Topic topic;
  std::exception_ptr error;
  try {
    topic = log_->image().topic(id);
    if (!topic) {
      outcome = failure(ErrorCode::unknown_topic_id, "This server does not host this topic ID.");
    } else {
      replication::Records records = replication::delete_topic(*topic);
      co_await log_->append(std::move(records));
      co_await publish();
      co_await remove_partitions(topic);
    }
  } catch (...) {
    error = std::current_exception();
  }
  end_turn();
  if (error) std::rethrow_exception(error);
  if (topic && topic_deleted_) co_await topic_deleted_(topic->name, static_cast<int>(topic->partitions.size()));
  co_return outcome;
}

Task<void> Controller::remove_partitions(replication::Topic topic) {
  std::map<log::LogDirectory*, std::vector<TopicPartition>> on_disk;
  for (Shard* shard : broker_.shards()) {
    using Written = std::vector<std::pair<log::LogDirectory*, TopicPartition>>;
    auto close = [this, topic]() -> Task<Written> {
      Written written;
      const Partitions::Removed removed = co_await broker_.partitions().remove(topic->id);
      for (const Partitions::Expected& each : removed.expected) {
        written.emplace_back(each.dir, TopicPartition{topic->name, each.partition});
      }
      for (const std::shared_ptr<Partition>& partition : removed.at_hand) {
        try {
          co_await partition->close();
        } catch (const DiskError& error) {
          log_warn("Closing the deleted " + log::directory_name(partition->name()) + ": " + error.what());
        }
        log::LogDirectory* dir = directory_of(storage_, partition->log());
        if (dir != nullptr && partition->log().on_disk()) written.emplace_back(dir, partition->name());
      }
      co_return written;
    };
    const Written written = co_await on(*shard, std::move(close));
    for (const auto& [dir, name] : written) on_disk[dir].push_back(name);
  }
  for (const replication::PartitionImage& partition : topic->partitions) {
    for (const Uuid& id : partition.directories) {
      if (const log::LogDirectory* dir = storage_.find(id)) storage_.count(*dir, -1);
    }
  }
  const ConfigLayers layers = config_layers(broker_.config(), log_->image());
  const Millis delay(
      std::strtoll(topic_value("file.delete.delay.ms", replication::Settings(), layers).c_str(), nullptr, 10));
  for (auto& [dir, names] : on_disk) {
    if (!dir->offline()) co_await dir->delete_partitions(std::move(names), delay);
  }
}

Task<Outcome> Controller::create_partitions(PartitionsWish wish, bool validate_only) {
  co_await take_turn();
  Outcome outcome;
  std::exception_ptr error;
  try {
    const replication::Topic topic = log_->image().topic(wish.topic);
    const int32_t present = topic ? static_cast<int32_t>(topic->partitions.size()) : 0;
    const int32_t added = wish.count - present;
    std::vector<std::vector<BrokerId>> replicas;
    if (!topic) {
      outcome = failure(ErrorCode::unknown_topic_or_partition, "This server does not host this topic-partition.");
    } else if (wish.count == present) {
      outcome =
          failure(ErrorCode::invalid_partitions, "Topic already has " + std::to_string(present) + " partition(s).");
    } else if (wish.count < present) {
      outcome = failure(ErrorCode::invalid_partitions, "The topic " + wish.topic + " currently has " +
                                                           std::to_string(present) + " partition(s); " +
                                                           std::to_string(wish.count) + " would not be an increase.");
    } else if (wish.assignments && wish.assignments->size() != static_cast<size_t>(added)) {
      outcome = failure(ErrorCode::invalid_replica_assignment,
                        "Attempted to add " + std::to_string(added) + " additional partition(s), but only " +
                            std::to_string(wish.assignments->size()) + " assignment(s) were specified.");
    } else if (wish.assignments && std::ranges::any_of(*wish.assignments, [this](const std::vector<BrokerId>& brokers) {
                 return brokers.size() != 1 || brokers.front() != broker_.id();
               })) {
      outcome = failure(ErrorCode::invalid_replica_assignment,
                        "The manual partition assignment includes a broker that is not registered, or one twice.");
    } else if (!validate_only) {
      replicas.assign(static_cast<size_t>(added), {broker_.id()});
      const std::vector<Uuid> directories = choose_directories(replicas.size());
      replication::Records records = replication::add_partitions(*topic, replicas, directories);
      co_await log_->append(std::move(records));
      co_await publish();
    }
  } catch (...) {
    error = std::current_exception();
  }
  end_turn();
  if (error) std::rethrow_exception(error);
  co_return outcome;
}

Task<Outcome> Controller::change_configs(replication::ConfigResource resource,
                                         std::vector<replication::ConfigChange> changes, bool validate_only) {
  co_await take_turn();
  Outcome outcome;
  std::exception_ptr error;
  try {
    const replication::Topic topic = log_->image().topic(resource.name);
    if (resource.type == replication::ResourceType::topic && !topic) {
      outcome = failure(ErrorCode::unknown_topic_or_partition, "The topic '" + resource.name + "' does not exist.");
    } else if (!validate_only) {
      replication::Records records = replication::change_configs(resource, changes);
      co_await log_->append(std::move(records));
      co_await publish();
      // Broker-wide defaults reach every topic.
      for (Shard* shard : broker_.shards()) {
        auto configure = [this, topic, resource]() -> Task<void> {
          const ConfigLayers layers = broker_.layers();
          for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
            const std::string& name = partition->name().topic;
            if (resource.type == replication::ResourceType::topic && name != resource.name) continue;
            const replication::Settings& settings = broker_.image()->settings({replication::ResourceType::topic, name});
            partition->log().configure(log_config(settings, layers));
          }
          co_return;
        };
        co_await on(*shard, std::move(configure));
      }
    }
  } catch (...) {
    error = std::current_exception();
  }
  end_turn();
  if (error) std::rethrow_exception(error);
  co_return outcome;
}

Task<ProducerId> Controller::next_producer_id() {
  if (next_producer_ >= producer_block_end_) {
    co_await take_turn();
    std::exception_ptr error;
    try {
      if (next_producer_ >= producer_block_end_) {
        const ProducerId first = log_->image().next_producer_id();
        protocol::ProducerIdsRecord record;
        record.broker_id = broker_.id();
        record.broker_epoch = broker_epoch_;
        record.next_producer_id = ProducerId(first.value + producer_block);
        replication::Records records;
        records.emplace_back(std::move(record));
        co_await log_->append(std::move(records));
        next_producer_ = first;
        producer_block_end_ = ProducerId(first.value + producer_block);
      }
    } catch (...) {
      error = std::current_exception();
    }
    end_turn();
    if (error) std::rethrow_exception(error);
  }
  co_return ProducerId(next_producer_.value++);
}

// --- upkeep ---

Task<std::vector<log::PartitionPositions>> Controller::positions(const log::LogDirectory* dir) {
  std::vector<log::PartitionPositions> all;
  for (Shard* shard : broker_.shards()) {
    using Positions = std::vector<std::pair<TopicId, log::PartitionPositions>>;
    auto collect = [this, dir]() -> Task<Positions> {
      Positions mine;
      for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
        log::Log& log = partition->log();
        if (!log.on_disk() || directory_of(storage_, log) != dir) continue;
        log::PartitionPositions position =
            co_await log::positions_of(log, partition->name(), partition->high_watermark());
        mine.emplace_back(partition->topic_id(), std::move(position));
      }
      co_return mine;
    };
    Positions mine = co_await on(*shard, std::move(collect));
    // What was deleted meanwhile must not come back.
    for (auto& [topic, position] : mine) {
      if (log_->image().topic(topic)) all.push_back(std::move(position));
    }
  }
  co_return all;
}

// Where something lies on the disk that belongs to a leader epoch.
Task<std::unordered_set<TopicPartition>> Controller::written_partitions() {
  std::unordered_set<TopicPartition> all;
  for (Shard* shard : broker_.shards()) {
    auto collect = [this]() -> Task<std::vector<TopicPartition>> {
      std::vector<TopicPartition> mine;
      for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
        if (partition->log().on_disk()) mine.push_back(partition->name());
      }
      for (const Partitions::Expected& each : broker_.partitions().expected()) {
        const replication::Topic topic = broker_.image()->topic(each.topic);
        if (topic) mine.push_back({topic->name, each.partition});
      }
      co_return mine;
    };
    std::vector<TopicPartition> mine = co_await on(*shard, std::move(collect));
    all.insert(std::make_move_iterator(mine.begin()), std::make_move_iterator(mine.end()));
  }
  co_return all;
}

Task<void> Controller::watch_directory(log::LogDirectory* dir) {
  while (!stopping_ && !dir->offline()) co_await dir->state_changed().wait();
  if (!dir->offline()) co_return;
  log_error("Stopping serving logs in dir " + dir->path() + ": " + dir->failure());
  if (storage_.lost() && storage_lost_) storage_lost_();
}

Task<void> Controller::keep_retention() {
  const Millis interval = broker_.config().millis("log.retention.check.interval.ms");
  while (!stopping_) {
    const MonoTime due = after(std::max(interval, Millis(100)));
    while (!stopping_ && now() < due) co_await stop_.wait(due);
    if (stopping_) break;
    for (Shard* shard : broker_.shards()) {
      auto clean = [this]() -> Task<void> {
        for (const std::shared_ptr<Partition>& partition : broker_.partitions().all()) {
          if (partition->closed() || partition->log().failed()) continue;
          try {
            const int removed = co_await partition->log().apply_retention(partition->high_watermark());
            if (removed > 0) {
              log_info("Removed " + std::to_string(removed) + " old segments of " +
                       log::directory_name(partition->name()));
            }
          } catch (const DiskError& error) {
            log_error("Retention of " + log::directory_name(partition->name()) + ": " + error.what());
          }
        }
      };
      co_await on(*shard, std::move(clean));
    }
  }
}

// --- stop ---

Task<bool> Controller::close_partitions() {
  bool clean = true;
  for (Shard* shard : broker_.shards()) {
    auto close = [this]() -> Task<bool> {
      const std::vector<std::shared_ptr<Partition>> all = broker_.partitions().all();
      bool good = true;
      size_t next = 0;
      const auto close_some = [&]() -> Task<void> {
        while (next < all.size()) {
          const std::shared_ptr<Partition> partition = all[next++];
          try {
            if (partition->log().failed()) good = false;
            co_await partition->close();
          } catch (const DiskError& error) {
            log_error("Closing " + log::directory_name(partition->name()) + ": " + error.what());
            good = false;
          }
        }
      };
      // Each waits for the disk most of the time.
      Gate closers;
      for (int i = 0; i < 32; ++i) closers.spawn(close_some());
      co_await closers.close();
      co_return good;
    };
    const bool good = co_await on(*shard, std::move(close));
    clean = clean && good;
  }
  co_return clean;
}

// Logs of a directory that was not left cleanly, which nobody has looked at since, forbid the marker of a clean stop.
// A few are looked at now; many would keep whoever waits for the stop waiting.
Task<void> Controller::recover_the_last() {
  constexpr size_t a_few = 1000;
  size_t left = 0;
  for (Shard* shard : broker_.shards()) {
    auto count = [this]() -> Task<size_t> { co_return broker_.partitions().expected().size(); };
    left += co_await on(*shard, std::move(count));
  }
  const bool all_clean = std::ranges::all_of(storage_.dirs(), &log::LogDirectory::clean_shutdown,
                                             [](const auto& dir) -> log::LogDirectory& { return *dir; });
  if (!all_clean && left <= a_few) co_await open_all_expected(false);
}

Task<bool> Controller::all_recovered(const log::LogDirectory& dir) {
  if (dir.clean_shutdown()) co_return true;
  for (Shard* shard : broker_.shards()) {
    auto count = [this, &dir]() -> Task<bool> {
      co_return std::ranges::none_of(broker_.partitions().expected(),
                                     [&](const Partitions::Expected& each) { return each.dir == &dir; });
    };
    const bool none = co_await on(*shard, std::move(count));
    if (!none) co_return false;
  }
  co_return true;
}

Task<void> Controller::stop() {
  stopping_ = true;
  stop_.notify();
  for (const auto& dir : storage_.dirs()) dir->state_changed().notify();
  co_await gate_.close();
  co_await take_turn();
  if (started_) co_await recover_the_last();
  // A start that broke off has not read every log: the next one must look at them as after a crash.
  bool clean = started_;
  try {
    if (clean && broker_.config().flag("controlled.shutdown.enable")) {
      const std::unordered_set<TopicPartition> written = co_await written_partitions();
      const auto has_records = [&](const replication::TopicImage& topic, PartitionId partition) {
        return written.contains(TopicPartition{topic.name, partition});
      };
      replication::Records records = replication::controlled_shutdown(log_->image(), broker_.id(), has_records);
      co_await append_all(std::move(records));
    }
  } catch (const DiskError& error) {
    log_error(std::string("The metadata log failed: ") + error.what());
    clean = false;
  }
  const bool closed = co_await close_partitions();
  clean = clean && closed;
  try {
    if (log_) co_await log_->close();
    for (const auto& dir : storage_.dirs()) {
      if (!clean) break;
      std::vector<log::PartitionPositions> last = co_await positions(dir.get());
      const bool recovered = co_await all_recovered(*dir);
      if (recovered) {
        co_await dir->close(broker_epoch_, std::move(last));
      } else {
        log_warn("Not every log in " + dir->path() + " has been recovered: the next start goes on with it");
        co_await dir->checkpoint(std::move(last));
      }
    }
  } catch (const DiskError& error) {
    log_error(std::string("Shutting down: ") + error.what());
  }
  co_await storage_.abandon();
}

}  // namespace millrace::broker
