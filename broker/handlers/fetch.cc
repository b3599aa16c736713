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

struct Read {
  Shard* owner = nullptr;
  TopicId topic;
  size_t place = 0;  // in the plan
  const FetchPartition* wanted = nullptr;
  FetchResponse::Partition answer;
  size_t size = 0;
};

struct Limits {
  int16_t version = 0;
  bool committed = false;  // read_committed
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

Task<void> read_one(Broker& broker, Read& read, Limits& limits) {
  const FetchPartition& wanted = *read.wanted;
  const std::shared_ptr<Partition> partition = broker.partitions().find(read.topic, wanted.index);
  read.size = 0;
  const auto fail = [&](ErrorCode error) { read.answer = failed(error, limits.committed); };
  if (!partition || partition->closed()) co_return fail(ErrorCode::not_leader_or_follower);
  if (wanted.current_leader_epoch.value >= 0) {
    const ErrorCode error = partition->check_epoch(wanted.current_leader_epoch);
    if (error != ErrorCode::none) co_return fail(error);
  }
  if (wanted.max_bytes < 0) co_return fail(ErrorCode::unknown_server_error);
  FetchResponse::Partition& answer = read.answer;
  answer = {};
  answer.high_watermark = partition->high_watermark();
  answer.last_stable_offset = partition->last_stable();
  if (limits.version >= 5) answer.log_start_offset = partition->start();
  answer.records.emplace();
  if (limits.committed) answer.aborted_transactions.emplace();
  if (wanted.last_fetched_epoch.value >= 0) {
    const auto [epoch, end] = partition->log().end_of_epoch(wanted.last_fetched_epoch);
    if (epoch.value < 0 || end.value < 0) co_return fail(ErrorCode::offset_out_of_range);
    if (epoch < wanted.last_fetched_epoch || end < wanted.offset) {
      answer.diverging.epoch = epoch;
      answer.diverging.end_offset = end;
      co_return;
    }
  }
  const Offset limit = limits.committed ? answer.last_stable_offset : answer.high_watermark;
  if (wanted.offset < partition->start() || wanted.offset > partition->log().end()) {
    co_return fail(ErrorCode::offset_out_of_range);
  }
  const size_t room = std::min(static_cast<size_t>(wanted.max_bytes), limits.left);
  if (wanted.offset >= limit || (room == 0 && limits.any)) co_return;
  log::ReadResult result =
      co_await partition->log().read(wanted.offset, room, limit, !limits.any, limits.committed, log::ReadFor::sending);
  if (result.error != ErrorCode::none) co_return fail(result.error);
  read.size = result.size;
  if (result.size > 0) limits.any = true;
  limits.left -= std::min(limits.left, result.size);
  answer.records->pieces = std::move(result.batches);
  if (limits.committed) {
    for (const log::AbortedTransaction& aborted : result.aborted) {
      FetchResponse::AbortedTransaction out;
      out.producer_id = aborted.producer;
      out.first_offset = aborted.first;
      answer.aborted_transactions->push_back(out);
    }
  }
}

// Reads every partition of the plan; `wakeup` is then fired by the next change of any.
Task<void> read_all(Broker& broker, std::vector<Read>& reads, Limits& limits, std::shared_ptr<Wakeup> wakeup) {
  auto read_mine = [&broker, &limits, wakeup](std::vector<Read*> mine) -> Task<void> {
    if (broker.partitions().any_expected()) {
      for (const Read* read : mine) co_await broker.partitions().open(read->topic, read->wanted->index);
    }
    if (wakeup) {
      for (const Read* read : mine) {
        const std::shared_ptr<Partition> partition = broker.partitions().find(read->topic, read->wanted->index);
        if (partition && !partition->closed()) partition->watch(wakeup);
      }
    }
    for (Read* read : mine) co_await read_one(broker, *read, limits);
  };
  co_await on_owners(broker, reads, read_mine);
}

bool is_news(const FetchPartition& told, const FetchResponse::Partition& answer) {
  return !answer.records->empty() || answer.error != ErrorCode::none || answer.diverging.epoch.value >= 0 ||
         told.told_high_watermark != answer.high_watermark || told.told_last_stable != answer.last_stable_offset ||
         told.told_start != answer.log_start_offset;
}

void add_answer(FetchResponse& response, const FetchPartition& wanted, FetchResponse::Partition answer) {
  answer.index = wanted.index;
  if (response.topics.empty() || response.topics.back().id != wanted.id ||
      response.topics.back().name != wanted.topic) {
    FetchResponse::Topic& topic = response.topics.emplace_back();
    topic.id = wanted.id;
    topic.name = wanted.topic;
  }
  response.topics.back().partitions.push_back(std::move(answer));
}

Task<FetchResponse> fetch(Broker& broker, FetchSessions& sessions, RequestContext context, FetchRequest request) {
  const int16_t version = context.version;
  FetchResponse response;
  FetchPlan plan = sessions.plan(request, version, now(), Shard::current().random());
  if (plan.error != ErrorCode::none) {
    response.error = plan.error;
    co_return response;
  }
  const int32_t replica = version >= 15 ? request.replica_state.replica_id.value : request.replica_id.value;
  const bool committed = request.isolation == protocol::IsolationLevel::read_committed;
  const bool known_isolation = committed || request.isolation == protocol::IsolationLevel::read_uncommitted;
  const Image image = broker.image();
  std::vector<FetchResponse::Partition> answers(plan.partitions.size());
  std::vector<Read> reads;
  bool answer_now = plan.partitions.empty();
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    const FetchPartition& wanted = plan.partitions[i];
    const replication::Topic topic = version >= 13 ? image->topic(wanted.id) : image->topic(wanted.topic);
    ErrorCode error = ErrorCode::none;
    if (!topic) {
      error = version >= 13 ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
    } else if (wanted.index.value < 0 || static_cast<size_t>(wanted.index.value) >= topic->partitions.size()) {
      error = ErrorCode::unknown_topic_or_partition;
    } else if (replica >= 0) {
      // No other broker replicates from this one.
      error = ErrorCode::not_leader_or_follower;
    } else if (!known_isolation) {
      error = ErrorCode::unknown_server_error;
    }
    if (error != ErrorCode::none) {
      answers[i] = failed(error, committed);
      answer_now = true;
      continue;
    }
    Read read;
    read.owner = &broker.owner(topic->id, wanted.index);
    read.topic = topic->id;
    read.place = i;
    read.wanted = &wanted;
    reads.push_back(std::move(read));
  }

  const size_t most =
      static_cast<size_t>(std::min<int64_t>(std::max(request.max_bytes, 0), broker.config().number("fetch.max.bytes")));
  const MonoTime deadline = after(std::max(request.max_wait, Millis(0)));
  // A consumer that keeps up finds nothing at first: who may wait has an eye on every partition from the first look on,
  // so that what comes meanwhile is not missed.
  const bool may_wait = !answer_now && request.min_bytes > 0 && request.max_wait.count() > 0;
  std::shared_ptr<Wakeup> wakeup = may_wait ? std::make_shared<Wakeup>() : nullptr;
  while (true) {
    Limits limits{version, committed, most, false};
    co_await read_all(broker, reads, limits, wakeup);
    size_t total = 0;
    for (const Read& read : reads) {
      total += read.size;
      answer_now = answer_now || read.answer.error != ErrorCode::none || read.answer.diverging.epoch.value >= 0;
    }
    if (answer_now || total >= static_cast<size_t>(std::max(request.min_bytes, 0)) || now() >= deadline ||
        broker.stopping()) {
      break;
    }
    if (wakeup) {
      co_await wakeup->wait(deadline);
      wakeup = nullptr;  // the next look will do, unless more is wanted than has come
    } else {
      wakeup = std::make_shared<Wakeup>();
    }
  }

  std::vector<bool> gave(plan.partitions.size());
  for (Read& read : reads) {
    gave[read.place] = read.size > 0;
    answers[read.place] = std::move(read.answer);
  }
  if (version >= 7 && plan.session) response.session_id = plan.session->id;
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    FetchPartition& wanted = plan.partitions[i];
    if (plan.incremental && !is_news(wanted, answers[i])) continue;
    wanted.told_high_watermark = answers[i].high_watermark;
    wanted.told_last_stable = answers[i].last_stable_offset;
    wanted.told_start = answers[i].log_start_offset;
    add_answer(response, wanted, std::move(answers[i]));
  }
  sessions.remember(plan, gave);
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
