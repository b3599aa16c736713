// Fetch: record batches out of partitions, waiting for new ones where a consumer has read all there is.
//
// The answer holds whole batches from the one with the wanted offset on. The first partition that has any gives its
// first batch whatever its size; further ones fit into what is left of max_bytes.
#include "protocol/messages/fetch.h"

#include <algorithm>

#include "broker/fetch_sessions.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;

// Who asks, and how.
struct Reader {
  int16_t version = 0;
  bool as_replica = false;
  protocol::IsolationLevel isolation{};
  bool committed() const { return isolation == protocol::IsolationLevel::read_committed; }
  bool known_isolation() const { return committed() || isolation == protocol::IsolationLevel::read_uncommitted; }
};

// At one partition that is due. Those that have settled are not looked at again in the same request, unless they
// change.
struct Look {
  FetchPartition* partition = nullptr;  // of the session, on its shard, until the request is overtaken
  uint64_t turn = 0;
  uint64_t changes = 0;
  FetchPosition position;
  Shard* owner = nullptr;  // null: not to be looked at now
  TopicId topic;
  PartitionId index;
  bool watch = false;    // it is to be watched …
  bool watched = false;  // … and is
  bool settled = false;  // there is no more to tell
  FetchResponse::Partition answer;
  size_t size = 0;
};

struct Limits {
  size_t left = 0;
  bool any = false;  // some partition has given its first batch
};

FetchResponse::Partition failed(ErrorCode error, bool committed) {
  FetchResponse::Partition answer;
  answer.error = error;
  answer.high_watermark = Offset(-1);
  answer.records.emplace();
  if (error != ErrorCode::offset_out_of_range || committed) answer.aborted_transactions.emplace();
  return answer;
}

// True when there are records to be read; else the answer is complete.
bool examine(Partition* partition, Look& look, const Reader& reader, const Limits& limits) {
  const FetchPosition& wanted = look.position;
  FetchResponse::Partition& answer = look.answer;
  const auto fail = [&](ErrorCode error) {
    answer = failed(error, reader.committed());
    return false;
  };
  if (!partition || partition->closed()) return fail(ErrorCode::not_leader_or_follower);
  if (wanted.current_leader_epoch.value >= 0) {
    const ErrorCode error = partition->check_epoch(wanted.current_leader_epoch);
    if (error != ErrorCode::none) return fail(error);
  }
  if (wanted.max_bytes < 0) return fail(ErrorCode::unknown_server_error);
  answer.high_watermark = partition->high_watermark();
  answer.last_stable_offset = partition->last_stable();
  if (reader.version >= 5) answer.log_start_offset = partition->start();
  answer.records.emplace();
  if (reader.committed()) answer.aborted_transactions.emplace();
  if (wanted.last_fetched_epoch.value >= 0) {
    const auto [epoch, end] = partition->log().end_of_epoch(wanted.last_fetched_epoch);
    if (epoch.value < 0 || end.value < 0) return fail(ErrorCode::offset_out_of_range);
    if (epoch < wanted.last_fetched_epoch || end < wanted.offset) {
      answer.diverging.epoch = epoch;
      answer.diverging.end_offset = end;
      return false;
    }
  }
  if (wanted.offset < partition->start() || wanted.offset > partition->log().end()) {
    return fail(ErrorCode::offset_out_of_range);
  }
  const Offset limit = reader.committed() ? answer.last_stable_offset : answer.high_watermark;
  look.settled = wanted.offset >= limit;
  return !look.settled && (std::min<size_t>(static_cast<size_t>(wanted.max_bytes), limits.left) > 0 || !limits.any);
}

Task<void> read(std::shared_ptr<Partition> partition, Look& look, const Reader& reader, Limits& limits) {
  FetchResponse::Partition& answer = look.answer;
  const size_t room = std::min(static_cast<size_t>(look.position.max_bytes), limits.left);
  const Offset limit = reader.committed() ? answer.last_stable_offset : answer.high_watermark;
  log::ReadResult result = co_await partition->log().read(look.position.offset, room, limit, !limits.any,
                                                          reader.committed(), log::ReadFor::sending);
  if (result.error != ErrorCode::none) {
    answer = failed(result.error, reader.committed());
    co_return;
  }
  look.size = result.size;
  if (result.size > 0) limits.any = true;
  limits.left -= std::min(limits.left, result.size);
  answer.records->pieces = std::move(result.batches);
  for (const log::AbortedTransaction& aborted : result.aborted) {
    FetchResponse::AbortedTransaction out;
    out.producer_id = aborted.producer;
    out.first_offset = aborted.first;
    answer.aborted_transactions->push_back(out);
  }
}

// On the shards that own the partitions, one after the other.
Task<void> look_at_all(Broker& broker, std::shared_ptr<FetchSession> session, std::vector<Look>& looks,
                       const Reader& reader, Limits limits) {
  auto look_at_mine = [&](std::vector<Look*> mine) -> Task<void> {
    const bool open_first = broker.partitions().any_expected();
    for (Look* look : mine) {
      std::shared_ptr<Partition> partition;
      if (open_first) partition = co_await broker.partitions().open(look->topic, look->index);
      if (!open_first) partition = broker.partitions().find(look->topic, look->index);
      // First, so that nothing is missed between the look and the watch.
      if (look->watch && partition && !partition->closed()) {
        partition->watch(session->watcher(*look->partition));
        look->watched = true;
      }
      if (examine(partition.get(), *look, reader, limits)) co_await read(std::move(partition), *look, reader, limits);
    }
  };
  co_await on_owners(broker, looks, look_at_mine);
}

ErrorCode fault(const FetchPartition& wanted, const replication::Topic& topic, const Reader& reader) {
  if (!topic) return reader.version >= 13 ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
  if (wanted.index.value < 0 || static_cast<size_t>(wanted.index.value) >= topic->partitions.size()) {
    return ErrorCode::unknown_topic_or_partition;
  }
  if (reader.as_replica) return ErrorCode::not_leader_or_follower;  // no other broker replicates from this one
  if (!reader.known_isolation()) return ErrorCode::unknown_server_error;
  return ErrorCode::none;
}

// What is due gets another look, or its first one; `looks` stay in the order of the turns.
void begin_looks(Broker& broker, FetchSession& session, const Reader& reader, bool watch, std::vector<Look>& looks) {
  for (Look& look : looks) look.owner = nullptr;
  const size_t known = looks.size();
  const Image& image = broker.image();
  const FetchTopic* latest = nullptr;
  replication::Topic topic;
  for (FetchPartition* partition : session.due()) {
    const auto end = looks.begin() + static_cast<ptrdiff_t>(known);
    const auto at = std::ranges::lower_bound(looks.begin(), end, partition->turn, {}, &Look::turn);
    Look& look = at != end && at->turn == partition->turn ? (*at = Look(), *at) : looks.emplace_back();
    look.partition = partition;
    look.turn = partition->turn;
    look.changes = partition->changes;
    look.position = partition->position;
    look.index = partition->index;
    if (&partition->topic != latest) {
      latest = &partition->topic;
      topic = reader.version >= 13 ? image->topic(latest->id) : image->topic(latest->name);
    }
    const ErrorCode error = fault(*partition, topic, reader);
    if (error != ErrorCode::none) {
      look.answer = failed(error, reader.committed());
      continue;
    }
    look.topic = topic->id;
    look.owner = &broker.owner(topic->id, look.index);
    look.watch = watch && !partition->watched;
    if (look.watch) partition->watched = true;
  }
  if (known > 0 && looks.size() > known) std::ranges::sort(looks, {}, &Look::turn);
}

// What has settled rests; what was not there to be watched is not.
void end_looks(FetchSession& session, const std::vector<Look>& looks, bool overtaken) {
  std::vector<FetchSession::Settled> settled;
  for (const Look& look : looks) {
    if (look.owner == nullptr) continue;
    if (look.watch && !look.watched) session.unwatched(*look.partition);
    if (look.settled) settled.push_back({look.partition, look.changes});
  }
  if (!overtaken) session.rest(settled);
}

bool is_news(const FetchPartition& told, const FetchResponse::Partition& answer) {
  return !answer.records->empty() || answer.error != ErrorCode::none || answer.diverging.epoch.value >= 0 ||
         told.told_high_watermark != answer.high_watermark || told.told_last_stable != answer.last_stable_offset ||
         told.told_start != answer.log_start_offset;
}

void add_answer(FetchResponse& response, const FetchPartition& wanted, FetchResponse::Partition answer) {
  answer.index = wanted.index;
  if (response.topics.empty() || response.topics.back().id != wanted.topic.id ||
      response.topics.back().name != wanted.topic.name) {
    FetchResponse::Topic& topic = response.topics.emplace_back();
    topic.id = wanted.topic.id;
    topic.name = wanted.topic.name;
  }
  response.topics.back().partitions.push_back(std::move(answer));
}

Task<FetchResponse> fetch(Broker& broker, FetchSessions& sessions, RequestContext context, FetchRequest request) {
  FetchResponse response;
  const FetchPlan plan = sessions.plan(request, context.version, now(), Shard::current().random());
  if (plan.error != ErrorCode::none) {
    response.error = plan.error;
    co_return response;
  }
  FetchSession& session = *plan.session;
  response.session_id = session.id;
  const auto overtaken = [&] {
    if (plan.overtaken()) response.error = ErrorCode::invalid_fetch_session_epoch;
    return plan.overtaken();
  };
  Reader reader;
  reader.version = context.version;
  reader.isolation = request.isolation;
  reader.as_replica = (reader.version >= 15 ? request.replica_state.replica_id : request.replica_id).value >= 0;
  session.asked_with(reader.isolation, reader.as_replica);

  const size_t most =
      static_cast<size_t>(std::min<int64_t>(std::max(request.max_bytes, 0), broker.config().number("fetch.max.bytes")));
  const size_t least = static_cast<size_t>(std::max(request.min_bytes, 0));
  const MonoTime deadline = after(std::max(request.max_wait, Millis(0)));
  const bool may_wait = session.following() > 0 && least > 0 && request.max_wait.count() > 0;
  std::vector<Look> looks;
  while (true) {
    begin_looks(broker, session, reader, may_wait || session.id != 0, looks);
    try {
      co_await look_at_all(broker, plan.session, looks, reader, Limits{most});
    } catch (...) {
      sessions.close(session.id);  // nobody knows any more what it watches
      throw;
    }
    end_looks(session, looks, plan.overtaken());
    if (overtaken()) co_return response;
    size_t total = 0;
    bool answer_now = !may_wait || broker.stopping();
    for (const Look& look : looks) {
      total += look.size;
      answer_now = answer_now || look.answer.error != ErrorCode::none || look.answer.diverging.epoch.value >= 0;
    }
    if (answer_now || total >= least || now() >= deadline) break;
    co_await session.wait(deadline);
    if (overtaken()) co_return response;
  }

  for (Look& look : looks) {
    FetchPartition& partition = *look.partition;
    if (look.size > 0) session.put_behind(partition);
    if (plan.incremental && !is_news(partition, look.answer)) continue;
    partition.told_high_watermark = look.answer.high_watermark;
    partition.told_last_stable = look.answer.last_stable_offset;
    partition.told_start = look.answer.log_start_offset;
    add_answer(response, partition, std::move(look.answer));
  }
  co_return response;
}

}  // namespace

void add_fetch(Dispatch& dispatch, Broker& broker) {
  auto sessions = std::make_shared<FetchSessions>(
      static_cast<size_t>(broker.config().number("max.incremental.fetch.session.cache.slots")));
  dispatch.add<FetchRequest, FetchResponse>(4, 18, [&broker, sessions](RequestContext context, FetchRequest request) {
    return fetch(broker, *sessions, std::move(context), std::move(request));
  });
}

}  // namespace millrace::broker
