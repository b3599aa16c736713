#include "broker/controller.h"

#include <algorithm>

#include "broker/logging.h"

namespace millrace::broker {

namespace {

constexpr int32_t most_records_at_once = 10000;
constexpr int64_t producer_block = 1000;

Outcome failure(ErrorCode error, std::string message) { return {error, std::move(message)}; }

}  // namespace

Controller::Controller(Broker& broker, Storage& storage) : broker_(broker), storage_(storage) {}

Task<void> Controller::take_turn() {
  while (deciding_) co_await decided_.wait();
  deciding_ = true;
}

// Decisions are taken one after the other, whatever becomes of each.
template <class Result, class Work>
Task<Result> Controller::in_turn(Work work) {
  co_await take_turn();
  std::exception_ptr error;
  std::optional<Result> result;
  try {
    result = co_await work();
  } catch (...) {
    error = std::current_exception();
  }
  deciding_ = false;
  decided_.notify();
  if (error) std::rethrow_exception(error);
  co_return std::move(*result);
}

Task<void> Controller::decide(replication::Records records) {
  co_await log_->append(std::move(records));
  co_await publish();
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
  const auto decided = [this]() -> const replication::MetadataImage& { return log_->image(); };
  replicas_ = std::make_unique<ReplicaManager>(broker_, storage_, decided);
  replicas_->on_storage_lost(std::move(storage_lost_));
  co_await replicas_->begin();
  const auto has_records = [this](const replication::TopicImage& topic, PartitionId partition) {
    return replicas_->has_records(topic, partition);
  };
  replication::Records leads = replication::lead_all(log_->image(), broker_.id(), has_records);
  co_await append_all(std::move(leads));
  replication::Records assignments = co_await replicas_->expect_all();
  co_await append_all(std::move(assignments));
  co_await publish();
  co_await replicas_->recover_journaled();
  replicas_->begin_upkeep();
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

Task<void> Controller::append_all(replication::Records records) {
  for (size_t i = 0; i < records.size(); i += most_records_at_once) {
    const auto first = records.begin() + static_cast<ptrdiff_t>(i);
    const auto last = records.begin() + static_cast<ptrdiff_t>(std::min(records.size(), i + most_records_at_once));
    replication::Records some(std::make_move_iterator(first), std::make_move_iterator(last));
    co_await log_->append(std::move(some));
  }
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

Task<TopicOutcome> Controller::create_topic(TopicWish wish, bool validate_only) {
  std::vector<TopicWish> one;
  one.push_back(std::move(wish));
  std::vector<TopicOutcome> outcomes = co_await create_topics(std::move(one), validate_only);
  co_return std::move(outcomes.front());
}

Task<std::vector<TopicOutcome>> Controller::create_topics(std::vector<TopicWish> wishes, bool validate_only) {
  auto create = [this, &wishes, validate_only]() -> Task<std::vector<TopicOutcome>> {
    std::vector<TopicOutcome> outcomes;
    SimilarNames similar(wishes, log_->image());
    replication::Records records;
    for (const TopicWish& wish : wishes) {
      TopicOutcome& outcome = outcomes.emplace_back();
      if (stopping_) {
        outcome.error = ErrorCode::not_controller;
        outcome.message = "The controller is stopping.";
        continue;
      }
      replication::NewTopic topic;
      outcome = judge(wish, log_->image(), broker_.config(), similar, topic.replicas);
      if (outcome.error != ErrorCode::none) continue;
      similar.add(wish.name);
      if (validate_only) continue;
      topic.name = wish.name;
      topic.id = outcome.id = Shard::current().random().uuid();
      topic.directories = replicas_->choose_directories(topic.replicas.size());
      for (const auto& [name, value] : wish.configs) topic.configs.emplace_back(name, value.value_or(""));
      replication::Records more = replication::create_topic(topic);
      std::ranges::move(more, std::back_inserter(records));
    }
    if (!records.empty()) co_await decide(std::move(records));
    co_return outcomes;
  };
  co_return co_await in_turn<std::vector<TopicOutcome>>(std::move(create));
}

Task<ErrorCode> Controller::ensure_topic(TopicWish wish) {
  if (broker_.image()->topic(wish.name)) co_return ErrorCode::none;
  const TopicOutcome outcome = co_await create_topic(std::move(wish), false);
  co_return outcome.error == ErrorCode::topic_already_exists ? ErrorCode::none : outcome.error;
}

Task<Outcome> Controller::delete_topic(TopicId id) {
  replication::Topic topic;
  auto remove = [this, id, &topic]() -> Task<Outcome> {
    topic = log_->image().topic(id);
    if (!topic) co_return failure(ErrorCode::unknown_topic_id, "This server does not host this topic ID.");
    replication::Records records = replication::delete_topic(*topic);
    co_await decide(std::move(records));
    co_await replicas_->remove(topic);
    co_return Outcome();
  };
  const Outcome outcome = co_await in_turn<Outcome>(std::move(remove));
  if (topic && topic_deleted_) co_await topic_deleted_(topic->name, static_cast<int>(topic->partitions.size()));
  co_return outcome;
}

Task<Outcome> Controller::create_partitions(PartitionsWish wish, bool validate_only) {
  auto create = [this, &wish, validate_only]() -> Task<Outcome> {
    const replication::Topic topic = log_->image().topic(wish.topic);
    Replicas replicas;
    const Outcome outcome = judge(wish, topic, broker_.id(), replicas);
    if (outcome.error != ErrorCode::none || validate_only) co_return outcome;
    const std::vector<Uuid> directories = replicas_->choose_directories(replicas.size());
    replication::Records records = replication::add_partitions(*topic, replicas, directories);
    co_await decide(std::move(records));
    co_return outcome;
  };
  co_return co_await in_turn<Outcome>(std::move(create));
}

Task<Outcome> Controller::change_configs(replication::ConfigResource resource,
                                         std::vector<replication::ConfigChange> changes, bool validate_only) {
  auto change = [this, &resource, &changes, validate_only]() -> Task<Outcome> {
    const bool of_topic = resource.type == replication::ResourceType::topic;
    if (of_topic && !log_->image().topic(resource.name)) {
      co_return failure(ErrorCode::unknown_topic_or_partition, "The topic '" + resource.name + "' does not exist.");
    }
    if (validate_only) co_return Outcome();
    replication::Records records = replication::change_configs(resource, changes);
    co_await decide(std::move(records));
    // Broker-wide defaults reach every topic.
    std::optional<std::string> topic;
    if (of_topic) topic = resource.name;
    co_await replicas_->configure(std::move(topic));
    co_return Outcome();
  };
  co_return co_await in_turn<Outcome>(std::move(change));
}

Task<ProducerId> Controller::next_producer_id() {
  auto take_block = [this]() -> Task<bool> {
    if (next_producer_ < producer_block_end_) co_return false;
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
    co_return true;
  };
  if (next_producer_ >= producer_block_end_) co_await in_turn<bool>(std::move(take_block));
  co_return ProducerId(next_producer_.value++);
}

// --- stop ---

// True when the metadata log has taken it.
Task<bool> Controller::tell_shutdown() {
  const std::unordered_set<TopicPartition> written = co_await replicas_->written();
  const auto has_records = [&](const replication::TopicImage& topic, PartitionId partition) {
    return written.contains(TopicPartition{topic.name, partition});
  };
  replication::Records records = replication::controlled_shutdown(log_->image(), broker_.id(), has_records);
  try {
    co_await append_all(std::move(records));
    co_return true;
  } catch (const DiskError& error) {
    log_error(std::string("The metadata log failed: ") + error.what());
    co_return false;
  }
}

Task<void> Controller::stop() {
  stopping_ = true;
  if (replicas_) co_await replicas_->end_upkeep();
  // What was being decided is decided; from here on nothing is.
  co_await take_turn();
  // A start that broke off has not read every log: the next one must look at them as after a crash.
  bool clean = started_;
  if (started_) co_await replicas_->recover_the_last();
  if (clean && broker_.config().flag("controlled.shutdown.enable")) clean = co_await tell_shutdown();
  if (replicas_) {
    const bool closed = co_await replicas_->close_partitions();
    clean = clean && closed;
  }
  try {
    if (log_) co_await log_->close();
    if (clean) co_await replicas_->close_directories(broker_epoch_);
  } catch (const DiskError& error) {
    log_error(std::string("Shutting down: ") + error.what());
  }
  co_await storage_.abandon();
}

}  // namespace millrace::broker
