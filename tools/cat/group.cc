// -G: a member of a classic consumer group with the range assignor; commits what it has written out.
#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "protocol/messages/consumer_protocol.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"
#include "runtime/gate.h"
#include "tools/cat/cat.h"
#include "tools/cat/fetcher.h"

namespace millrace::tools::cat {

namespace {

constexpr Millis poll_wait = std::chrono::milliseconds(500);
constexpr int16_t last_commit_version_with_names = 9;

template <class Message>
Bytes versioned(const Message& message, int16_t version) {
  protocol::Writer writer;
  writer.i16(version);
  message.encode(writer, version);
  return writer.finish_whole();
}

template <class Message>
Message parse_versioned(const Bytes& bytes) {
  protocol::Reader reader(bytes);
  const int16_t version = std::min(reader.i16(), Message::max_version);
  Message message;
  message.decode(reader, std::max<int16_t>(version, 0));
  if (!reader.ok()) throw ClientError("a group member sent a subscription or assignment that cannot be read");
  return message;
}

class Member {
 public:
  Member(Cluster& cluster, const Options& options) : cluster_(cluster), options_(options), output_(options) {}

  Task<int> run() {
    while (!over()) {
      try {
        coordinator_ = co_await cluster_.own_connection(co_await cluster_.coordinator(options_.group));
        if (!co_await join()) continue;
        co_await consume_generation();
      } catch (const NetError& error) {
        if (!over()) fmt::print(stderr, "% group {}: {}, joining again\n", options_.group, error.what());
      }
      if (!over()) co_await sleep_until(after(std::chrono::milliseconds(50)));
    }
    if (failure_) std::rethrow_exception(failure_);
    co_await leave();
    co_return 0;
  }

 private:
  bool over() const { return output_.done() || ended_ || failure_ != nullptr; }

  Millis setting(const char* key, int fallback) const {
    return Millis(std::stoll(options_.property(key, std::to_string(fallback))));
  }

  // False when the coordinator wants us to come back.
  Task<bool> join() {
    protocol::ConsumerProtocolSubscription subscription;
    subscription.topics = options_.topics;
    protocol::JoinGroupRequest request;
    request.group_id = options_.group;
    request.session_timeout = setting("session.timeout.ms", 45000);
    request.rebalance_timeout = setting("max.poll.interval.ms", 300000);
    request.member_id = member_id_;
    request.protocol_type = "consumer";
    protocol::JoinGroupRequestProtocol range;
    range.name = "range";
    range.metadata = versioned(subscription, 1);
    request.protocols.push_back(std::move(range));
    const auto joined =
        co_await coordinator_->call(request, INT16_MAX, request.rebalance_timeout + std::chrono::seconds(10));
    if (joined.error == ErrorCode::member_id_required) {
      member_id_ = joined.member_id;
      co_return false;
    }
    if (joined.error == ErrorCode::unknown_member_id) {
      member_id_.clear();
      co_return false;
    }
    if (joined.error != ErrorCode::none) {
      if (retriable(joined.error)) co_return false;
      throw ClientError("cannot join group '" + options_.group + "': " + describe(joined.error));
    }
    member_id_ = joined.member_id;
    generation_ = joined.generation_id;
    protocol::SyncGroupRequest sync;
    sync.group_id = options_.group;
    sync.generation_id = generation_;
    sync.member_id = member_id_;
    sync.protocol_type = "consumer";
    sync.protocol_name = "range";
    if (joined.leader == member_id_) sync.assignments = co_await assign(joined);
    const auto synced =
        co_await coordinator_->call(sync, INT16_MAX, request.rebalance_timeout + std::chrono::seconds(10));
    if (synced.error != ErrorCode::none) {
      if (synced.error == ErrorCode::unknown_member_id) member_id_.clear();
      co_return false;
    }
    assigned_.clear();
    if (!synced.assignment.empty()) {
      const auto assignment = parse_versioned<protocol::ConsumerProtocolAssignment>(synced.assignment);
      for (const auto& topic : assignment.assigned_partitions) {
        for (const PartitionId partition : topic.partitions) assigned_.push_back({topic.topic, partition});
      }
    }
    co_return true;
  }

  // The range assignor: per topic, the partitions in runs, members in order of their ids.
  Task<std::vector<protocol::SyncGroupRequestAssignment>> assign(protocol::JoinGroupResponse joined) {
    std::map<std::string, std::set<std::string>> subscribers;
    std::map<std::string, protocol::ConsumerProtocolAssignment> shares;
    for (const auto& member : joined.members) {
      const auto subscription = parse_versioned<protocol::ConsumerProtocolSubscription>(member.metadata);
      for (const std::string& topic : subscription.topics) subscribers[topic].insert(member.member_id);
      shares[member.member_id];
    }
    for (const auto& [topic, members] : subscribers) {
      const auto description = co_await cluster_.topic(topic, true);
      const size_t partitions = description.partitions.size();
      size_t next = 0;
      size_t index = 0;
      for (const std::string& member : members) {
        const size_t share = partitions / members.size() + (index++ < partitions % members.size() ? 1 : 0);
        protocol::ConsumerProtocolAssignmentAssignedPartition run;
        run.topic = topic;
        for (size_t i = 0; i < share; ++i) run.partitions.emplace_back(static_cast<int32_t>(next++));
        if (share > 0) shares[member].assigned_partitions.push_back(std::move(run));
      }
    }
    std::vector<protocol::SyncGroupRequestAssignment> assignments;
    for (const auto& [member, share] : shares) {
      protocol::SyncGroupRequestAssignment assignment;
      assignment.member_id = member;
      assignment.assignment = versioned(share, 1);
      assignments.push_back(std::move(assignment));
    }
    co_return assignments;
  }

  Task<std::map<TopicPartition, Offset>> committed() {
    protocol::OffsetFetchRequest request;
    request.group_id = options_.group;
    for (const TopicPartition& one : assigned_) {
      protocol::OffsetFetchRequestTopic topic;
      topic.name = one.topic;
      topic.partitions.push_back(one.partition);
      request.topics->push_back(std::move(topic));
    }
    std::map<TopicPartition, Offset> offsets;
    const auto answer = co_await coordinator_->call(request, 7);
    for (const auto& topic : answer.topics) {
      for (const auto& partition : topic.partitions) {
        if (partition.error == ErrorCode::none && partition.committed_offset.value >= 0)
          offsets[{topic.name, partition.index}] = partition.committed_offset;
      }
    }
    co_return offsets;
  }

  void tell_assignment() const {
    if (options_.quiet) return;
    std::string text;
    for (const TopicPartition& one : assigned_)
      text += fmt::format("{}{} [{}]", text.empty() ? "" : ", ", one.topic, one.partition.value);
    fmt::print(stderr, "% Group {} rebalanced (memberid {}): assigned: {}\n", options_.group, member_id_, text);
  }

  Task<void> consume_generation() {
    tell_assignment();
    rebalancing_ = false;
    std::map<TopicPartition, Offset> stored;
    if (!assigned_.empty()) stored = co_await committed();
    fetchers_.clear();
    for (const TopicPartition& one : assigned_) {
      fetchers_.push_back(std::make_unique<Fetcher>(cluster_, options_, one.topic, one.partition));
      const auto found = stored.find(one);
      const std::optional<Offset> offset = found == stored.end() ? std::nullopt : std::optional(found->second);
      const bool stored_wins = options_.from.kind == Position::Kind::beginning || offset;
      co_await fetchers_.back()->start(stored_wins ? Position{Position::Kind::stored, 0} : options_.from, offset);
    }
    Gate gate;
    for (const auto& fetcher : fetchers_) gate.spawn(follow(*fetcher));
    gate.spawn(heartbeats());
    co_await gate.close();
    output_.flush();
    if (!connection_lost_) co_await commit();
    connection_lost_ = false;
    fetchers_.clear();
  }

  void end_generation() {
    rebalancing_ = true;
    stopped_.notify();
    for (const auto& fetcher : fetchers_) fetcher->stop();
  }

  Task<void> follow(Fetcher& fetcher) {
    try {
      while (!rebalancing_ && !over()) {
        co_await fetcher.poll(output_, options_.exit_at_end ? Millis(0) : poll_wait);
        output_.flush();
        const bool everything_read = std::ranges::all_of(fetchers_, [](const auto& one) { return one->at_end(); });
        if (options_.exit_at_end && everything_read) ended_ = true;
        if (over()) end_generation();
        if (options_.exit_at_end && fetcher.at_end() && !over())
          co_await sleep_until(after(std::chrono::milliseconds(20)));
      }
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
      end_generation();
    }
  }

  Task<void> heartbeats() {
    const Millis interval = setting("heartbeat.interval.ms", 3000);
    const Millis commit_every = setting("auto.commit.interval.ms", 5000);
    MonoTime commit_at = after(commit_every);
    while (!rebalancing_ && !over()) {
      (void)co_await stopped_.wait(after(interval));
      if (rebalancing_ || over()) break;
      try {
        if (now() >= commit_at) {
          co_await commit();
          commit_at = after(commit_every);
        }
        protocol::HeartbeatRequest beat;
        beat.group_id = options_.group;
        beat.generation_id = generation_;
        beat.member_id = member_id_;
        const auto answer = co_await coordinator_->call(beat);
        if (answer.error == ErrorCode::none) continue;
        if (answer.error == ErrorCode::unknown_member_id) member_id_.clear();
        connection_lost_ = answer.error != ErrorCode::rebalance_in_progress;
      } catch (const std::exception& error) {
        fmt::print(stderr, "% group {}: {}\n", options_.group, error.what());
        connection_lost_ = true;
      }
      end_generation();
    }
  }

  Task<void> commit() {
    if (options_.property("enable.auto.commit", "true") == "false") co_return;
    protocol::OffsetCommitRequest request;
    request.group_id = options_.group;
    request.generation_id_or_member_epoch = generation_;
    request.member_id = member_id_;
    for (const auto& fetcher : fetchers_) {
      protocol::OffsetCommitRequestTopic topic;
      topic.name = fetcher->topic();
      protocol::OffsetCommitRequestPartition partition;
      partition.index = fetcher->partition();
      partition.committed_offset = fetcher->position();
      partition.committed_metadata = "";
      topic.partitions.push_back(std::move(partition));
      request.topics.push_back(std::move(topic));
    }
    if (request.topics.empty()) co_return;
    (void)co_await coordinator_->call(request, last_commit_version_with_names);
  }

  Task<void> leave() {
    if (member_id_.empty() || !coordinator_ || coordinator_->broken()) co_return;
    protocol::LeaveGroupRequest request;
    request.group_id = options_.group;
    request.member_id = member_id_;
    (void)co_await coordinator_->call(request, 2);
  }

  Cluster& cluster_;
  const Options& options_;
  Output output_;
  std::unique_ptr<BrokerConnection> coordinator_;
  std::string member_id_;
  int32_t generation_ = -1;
  std::vector<TopicPartition> assigned_;
  std::vector<std::unique_ptr<Fetcher>> fetchers_;
  Event stopped_;
  std::exception_ptr failure_;
  bool rebalancing_ = false;
  bool connection_lost_ = false;
  bool ended_ = false;
};

}  // namespace

Task<int> consume_as_member(Cluster& cluster, const Options& options) {
  Member member(cluster, options);
  co_return co_await member.run();
}

}  // namespace millrace::tools::cat
